"""Owns the contract for integrators: an AsyncAPI 3 document made of `ctiserver.api`'s types and docstrings.

`python -m ctiserver.contract` writes docs/api/asyncapi.json and, for the pages, agent_desk/web/api.ts; with
`--check` it only says whether they are up to date.
"""

from __future__ import annotations

import ast
import inspect
import re
import sys
import textwrap
from enum import Enum
from itertools import pairwise
from pathlib import Path
from typing import Any, get_args

import msgspec

from ctiserver.api.commands import REFUSAL_ZH, Code, Command
from ctiserver.api.pushes import Answer, Push
from ctiserver.push.server import PATH
from ctiserver.typescript import types

HOME = Path(__file__).parents[1]
FILE = Path("docs/api/asyncapi.json")
TYPES = Path("agent_desk/web/api.ts")
Document = dict[str, Any]
_REF = "#/components/schemas/{name}"


def document() -> Document:
    """The whole contract as JSON values."""
    commands, pushes = list(get_args(Command)), list(get_args(Push))
    schemas = _schemas([*commands, *pushes, Answer, Code])
    messages = {
        **{_tag(kind): _message(kind, _request_of(kind)) for kind in commands},
        **{f"push.{_tag(kind)}": _message(kind, _frame_of(kind)) for kind in pushes},
        "answer": _message(Answer, {"$ref": _REF.format(name="Answer")}),
    }
    return {
        "asyncapi": "3.0.0",
        "info": {
            "title": "12345 hotline: CTI server",
            "version": PATH.removeprefix("/v"),
            "description": _doc(sys.modules["ctiserver.push"]),
            "license": {"name": "Apache-2.0"},
        },
        "defaultContentType": "application/json",
        "servers": {"cti": {"host": "127.0.0.1:8765", "protocol": "ws"}},
        "channels": {
            "floor": {"address": PATH, "messages": {name: _ref("messages", name) for name in messages}}
        },
        "operations": _operations(commands, pushes),
        "components": {"messages": messages, "schemas": schemas},
        "x-refusals": {code.value: REFUSAL_ZH[code] for code in Code},
    }


def _operations(commands: list[type], pushes: list[type]) -> Document:
    """What one may do: send a command and get an answer, or receive a push."""
    channel = {"$ref": "#/channels/floor"}
    asked = {
        _tag(kind): {
            "action": "receive",
            "channel": channel,
            "summary": _summary(kind),
            "messages": [_in_channel(_tag(kind))],
            "reply": {"channel": channel, "messages": [_in_channel("answer")]},
        }
        for kind in commands
    }
    told = {
        f"push.{_tag(kind)}": {
            "action": "send",
            "channel": channel,
            "summary": _summary(kind),
            "messages": [_in_channel(f"push.{_tag(kind)}")],
        }
        for kind in pushes
    }
    return {**asked, **told}


def _schemas(types: list[type]) -> Document:
    """JSON schemas of the types and of all that they hold, each field with its docstring."""
    _, components = msgspec.json.schema_components(types, ref_template=_REF)
    for kind in _reachable(types):
        schema = components.get(kind.__name__)
        if schema is None:
            continue
        notes = _field_notes(kind)
        for name, field in schema.get("properties", {}).items():
            if name in notes:
                field["description"] = notes[name]
        if issubclass(kind, Enum):
            meanings = {str(item.value): notes[item.name] for item in kind if item.name in notes}
            if kind is Code:
                meanings = {code.value: REFUSAL_ZH[code] for code in Code}
            schema.update({"x-meanings": meanings} if meanings else {})
    return dict(sorted(components.items()))


def _reachable(types: list[type]) -> set[type]:
    """The classes that a client meets: those given, and all of `ctiserver.api.states`."""
    states = sys.modules["ctiserver.api.states"]
    return {*types, *(kind for _, kind in inspect.getmembers(states, inspect.isclass))}


def _field_notes(kind: type) -> dict[str, str]:
    """The string that stands under a field or member in the source, by the field's name."""
    try:
        tree = ast.parse(textwrap.dedent(inspect.getsource(kind)))
    except (OSError, TypeError):
        return {}
    (body,) = (node.body for node in tree.body if isinstance(node, ast.ClassDef))
    notes: dict[str, str] = {}
    for field, note in pairwise(body):
        target = field.target if isinstance(field, ast.AnnAssign) else None
        if isinstance(field, ast.Assign):
            target = field.targets[0] if isinstance(field.targets[0], ast.Name) else None
        is_text = isinstance(note, ast.Expr) and isinstance(note.value, ast.Constant)
        if isinstance(target, ast.Name) and is_text:
            notes[target.id] = _one_line(str(ast.literal_eval(note.value)))  # type: ignore[attr-defined]
    return notes


def _request_of(kind: type) -> Document:
    """A command on the wire: the op beside its arguments."""
    return {
        "type": "object",
        "required": ["id", "op"],
        "properties": {
            "id": {"type": "integer", "minimum": 0, "description": "Echoed in the answer as `re`."},
            "op": {"const": _tag(kind)},
            "args": {"$ref": _REF.format(name=kind.__name__)},
            "key": {"type": "string", "description": "Makes a repeated command harmless."},
        },
    }


def _frame_of(kind: type) -> Document:
    return {
        "type": "object",
        "required": ["seq", "push"],
        "properties": {"seq": {"type": "integer"}, "push": {"$ref": _REF.format(name=kind.__name__)}},
    }


def _message(kind: type, payload: Document) -> Document:
    return {
        "name": kind.__name__,
        "summary": _summary(kind),
        "description": _one_line(_doc(kind)),
        "payload": payload,
    }


def _tag(kind: type) -> str:
    return str(kind.__struct_config__.tag)  # type: ignore[attr-defined]


def _doc(thing: Any) -> str:
    return inspect.getdoc(thing) or ""


def _summary(kind: type) -> str:
    """The first sentence."""
    return re.split(r"(?<=[.:])\s", _one_line(_doc(kind)))[0].rstrip(":")


def _one_line(text: str) -> str:
    return " ".join(text.split())


def _ref(section: str, name: str) -> Document:
    return {"$ref": f"#/components/{section}/{name}"}


def _in_channel(name: str) -> Document:
    return {"$ref": f"#/channels/floor/messages/{name}"}


def text() -> str:
    """The document's file."""
    encoded = msgspec.json.format(msgspec.json.encode(document(), order="deterministic"), indent=1)
    return encoded.decode() + "\n"


def main(arguments: list[str]) -> int:
    """Write the files, or with `--check` say which are not up to date: exit status 0 or 1."""
    made = {FILE: text(), TYPES: types(document())}
    if "--check" not in arguments:
        for name, content in made.items():
            (HOME / name).parent.mkdir(parents=True, exist_ok=True)
            (HOME / name).write_text(content, encoding="utf-8")
        return 0
    old = [name for name, content in made.items() if not _is(HOME / name, content)]
    for name in old:
        sys.stderr.write(f"{name} is out of date: run `python -m ctiserver.contract`\n")
    return 1 if old else 0


def _is(file: Path, content: str) -> bool:
    return file.is_file() and file.read_text(encoding="utf-8") == content


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
