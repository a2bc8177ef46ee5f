"""Owns the contract's types as TypeScript, so that a page that knows an old field does not build."""

from __future__ import annotations

import json
from typing import Any

HEAD = "// Owns the push protocol's types: made by `python -m ctiserver.contract`, not by hand.\n"
_PLAIN = {"string": "string", "integer": "number", "number": "number", "boolean": "boolean", "null": "null"}
Schema = dict[str, Any]


def types(document: Schema) -> str:
    """The module's text, of the AsyncAPI document that `ctiserver.contract` makes."""
    schemas: dict[str, Schema] = document["components"]["schemas"]
    parts = [_declared(name, schema) for name, schema in schemas.items()]
    asked, told = [], []
    for name, operation in document["operations"].items():
        kind = document["components"]["messages"][name]["name"]
        if operation["action"] == "receive":
            asked.append(f'  readonly "{name}": Omit<{kind}, "op">;')
        else:
            told.append(kind)
    commands = "\n".join(sorted(asked))
    parts.append(
        f"/** What may be asked, and with which arguments. */\nexport interface Commands {{\n{commands}\n}}"
    )
    parts.append(f"export type Push = {' | '.join(sorted(told))};")
    return HEAD + "\n" + "\n\n".join(parts) + "\n"


def _declared(name: str, schema: Schema) -> str:
    """One schema as an interface, or as a name for what it stands for."""
    if schema.get("type") != "object" or "properties" not in schema:
        return f"export type {name} = {_type(schema)};"
    needed = set(schema.get("required", ()))
    fields = [_field(field, of, field in needed) for field, of in schema["properties"].items()]
    return f"export interface {name} {{\n{''.join(fields)}}}"


def _field(name: str, schema: Schema, is_needed: bool) -> str:
    note = schema.get("description", "").replace("*/", "* /").strip()
    above = f"  /** {note} */\n" if note else ""
    return f"{above}  readonly {name}{'' if is_needed else '?'}: {_type(schema)};\n"


def _type(schema: Schema) -> str:
    """A schema as a type expression; ValueError for a form that the contract has not had so far."""
    if "$ref" in schema:
        return str(schema["$ref"]).rsplit("/", 1)[-1]
    if "enum" in schema:
        return " | ".join(json.dumps(value, ensure_ascii=False) for value in schema["enum"])
    if "anyOf" in schema:
        return " | ".join(_type(one) for one in schema["anyOf"])
    kind = schema.get("type")
    if kind == "array":
        return f"ReadonlyArray<{_type(schema['items'])}>"
    if kind == "object" and "additionalProperties" in schema:
        return f"Readonly<Record<string, {_type(schema['additionalProperties'])}>>"
    if kind in _PLAIN:
        return _PLAIN[kind]
    raise ValueError(f"no TypeScript for {schema}")
