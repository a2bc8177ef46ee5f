"""Owns the contract for integrators: an AsyncAPI 3 document made of `ctiserver.api`'s types and docstrings.

`python -m ctiserver.contract` writes docs/api/asyncapi.json and, for the pages, agent_desk/web/api.ts; with
`--check` it only says whether they are up to date.
"""

from __future__ import annotations

import inspect
import sys
from enum import Enum
from pathlib import Path
from typing import Any, get_args

import msgspec

from ctiserver.api.commands import REFUSAL_ZH, Code, Command
from ctiserver.api.pushes import Answer, Push
from ctiserver.push.server import PATH
from ctiserver.typescript import types
from hotline import contracts
from hotline.contracts import doc, field_notes, one_line, summary

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
            "description": doc(sys.modules["ctiserver.push"]),
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
            "summary": summary(kind),
            "messages": [_in_channel(_tag(kind))],
            "reply": {"channel": channel, "messages": [_in_channel("answer")]},
        }
        for kind in commands
    }
    told = {
        f"push.{_tag(kind)}": {
            "action": "send",
            "channel": channel,
            "summary": summary(kind),
            "messages": [_in_channel(f"push.{_tag(kind)}")],
        }
        for kind in pushes
    }
    return {**asked, **told}


def _schemas(types: list[type]) -> Document:
    """JSON schemas of the types and of all that they hold, each field with its docstring."""
    _, components = msgspec.json.schema_components(types, ref_template=_REF)
    contracts.annotate(components, _reachable(types))
    for kind in _reachable(types):
        schema = components.get(kind.__name__)
        if schema is not None and issubclass(kind, Enum):
            notes = field_notes(kind)
            meanings = {str(item.value): notes[item.name] for item in kind if item.name in notes}
            if kind is Code:
                meanings = {code.value: REFUSAL_ZH[code] for code in Code}
            schema.update({"x-meanings": meanings} if meanings else {})
    return dict(sorted(components.items()))


def _reachable(types: list[type]) -> set[type]:
    """The classes that a client meets: those given, and all of `ctiserver.api.states`."""
    states = sys.modules["ctiserver.api.states"]
    return {*types, *(kind for _, kind in inspect.getmembers(states, inspect.isclass))}


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
        "summary": summary(kind),
        "description": one_line(doc(kind)),
        "payload": payload,
    }


def _tag(kind: type) -> str:
    return str(kind.__struct_config__.tag)  # type: ignore[attr-defined]


def _ref(section: str, name: str) -> Document:
    return {"$ref": f"#/components/{section}/{name}"}


def _in_channel(name: str) -> Document:
    return {"$ref": f"#/channels/floor/messages/{name}"}


def text() -> str:
    """The document's file."""
    return contracts.json_text(document())


def main(arguments: list[str]) -> int:
    """Write the files, or with `--check` say which are not up to date: exit status 0 or 1."""
    made = {FILE: text(), TYPES: types(document())}
    return contracts.write_or_check(HOME, made, "ctiserver.contract", arguments)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
