"""Owns what contracts for integrators are made of: docstrings as descriptions, files written or checked."""

from __future__ import annotations

import ast
import inspect
import re
import sys
import textwrap
from collections.abc import Iterable, Mapping
from itertools import pairwise
from pathlib import Path
from typing import Any

import msgspec


def doc(thing: Any) -> str:
    """The docstring, "" without any."""
    return inspect.getdoc(thing) or ""


def summary(thing: Any) -> str:
    """The first sentence."""
    return re.split(r"(?<=[.:])\s", one_line(doc(thing)))[0].rstrip(":")


def one_line(text: str) -> str:
    """The text with every run of blanks and line ends as one blank."""
    return " ".join(text.split())


def field_notes(kind: type) -> dict[str, str]:
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
            notes[target.id] = one_line(str(ast.literal_eval(note.value)))  # type: ignore[attr-defined]
    return notes


def annotate(schemas: dict[str, Any], kinds: Iterable[type]) -> None:
    """Give the schemas' fields the notes that stand under them in the source of these types."""
    for kind in kinds:
        notes = field_notes(kind)
        for name, field in schemas.get(kind.__name__, {}).get("properties", {}).items():
            if name in notes:
                field["description"] = notes[name]


def json_text(document: Mapping[str, Any]) -> str:
    """The document as a file, the same each time."""
    encoded = msgspec.json.format(msgspec.json.encode(document, order="deterministic"), indent=1)
    return encoded.decode() + "\n"


def write_or_check(home: Path, made: Mapping[Path, str], command: str, arguments: list[str]) -> int:
    """Write the files below `home`, or with `--check` say which are not up to date: exit status 0 or 1."""
    if "--check" not in arguments:
        for name, content in made.items():
            (home / name).parent.mkdir(parents=True, exist_ok=True)
            (home / name).write_text(content, encoding="utf-8")
        return 0
    old = [name for name, content in made.items() if not _is(home / name, content)]
    for name in old:
        sys.stderr.write(f"{name} is out of date: run `python -m {command}`\n")
    return 1 if old else 0


def _is(file: Path, content: str) -> bool:
    return file.is_file() and file.read_text(encoding="utf-8") == content
