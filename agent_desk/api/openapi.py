"""Owns the API's contract: an OpenAPI 3.1 document made of the operations' own declarations and docstrings.

`python -m agent_desk.api.openapi` writes docs/api/openapi.json; with `--check` it only says whether that is
up to date. The server gives the same document at /api/v1/openapi.json.
"""

from __future__ import annotations

import inspect
import sys
from enum import Enum
from functools import cache
from pathlib import Path
from typing import Any

import msgspec

from agent_desk.api import cases, commands, handovers, reference, shapes
from agent_desk.api.door import KEY_HEADER
from agent_desk.api.operation import Operation
from agent_desk.problems import API, Details, What
from casework import words
from casework.attachments import ENDINGS
from casework.deadlines import ProfileName
from casework.rights import Right
from hotline import contracts
from hotline.contracts import doc, field_notes, one_line, summary

HOME = Path(__file__).parents[2]
FILE = Path("docs/api/openapi.json")
Document = dict[str, Any]
_REF = "#/components/schemas/{name}"
_JSON, _PROBLEM = "application/json", "application/problem+json"


@cache
def operations() -> tuple[Operation, ...]:
    """Every operation, in the contract's order."""
    return (*cases.operations(), *commands.operations(), *reference.operations(), *handovers.operations())


@cache
def document() -> Document:
    """The whole contract as JSON values."""
    paths: Document = {}
    for one in operations():
        paths.setdefault(one.path, {})[one.method.lower()] = _operation(one)
    for path, at_path in paths.items():
        if found := next((one.parameters for one in operations() if one.path == path), {}):
            at_path["parameters"] = [_path_parameter(name, form) for name, form in found.items()]
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "12345 热线工单接口",
            "version": "1",
            "description": one_line(doc(shapes).partition("\n\n")[2]),
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "servers": [{"url": API}],
        "security": [{"token": []}],
        "paths": paths,
        "components": {
            "schemas": _schemas(),
            "responses": {what.value: _problem(what) for what in What},
            "securitySchemes": {
                "token": {
                    "type": "http",
                    "scheme": "bearer",
                    "description": "hotline token create 给出的令牌",
                }
            },
        },
        "x-rights": {right.value: field_notes(Right)[right.name] for right in Right},
    }


def text() -> str:
    """The document's file."""
    return contracts.json_text(document())


def _operation(one: Operation) -> Document:
    described: Document = {
        "operationId": one.name,
        "summary": one.summary or summary(one.handler),
        "description": one_line(doc(one.handler)) if not one.summary else one.summary,
        "x-right": one.right.value,
        "parameters": [*_query_parameters(one), *_headers(one)],
        "responses": _responses(one),
    }
    if one.takes_file:
        content: Document = {"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}}
        note = f"文件本身：{' '.join(ENDINGS)}，至多 10 MB"
        described["requestBody"] = {"required": True, "content": content, "description": note}
    if one.body is not None:
        content = {_JSON: {"schema": {"$ref": _REF.format(name=one.body.__name__)}}}
        described["requestBody"] = {"required": True, "content": content}
    return described


def _responses(one: Operation) -> Document:
    content: Document = {"application/octet-stream": {}}
    if one.answer is not None:
        content = {_JSON: {"schema": {"$ref": _REF.format(name=one.answer.__name__)}}}
    found: Document = {str(one.status): {"description": "完成", "content": content}}
    usual = [What.MALFORMED, What.UNAUTHENTICATED, What.FORBIDDEN, What.NOT_FOUND, What.TOO_MANY]
    if one.method == "POST":
        usual += [What.REFUSED, What.TOO_LARGE, What.NOT_JSON, What.INVALID]
        usual += [What.CHANGED] if one.matches else []
    elif one.answer is not None:
        found["304"] = {"description": "没有变化"}
    for what in (*usual, What.FAILED, What.UNAVAILABLE):
        found[str(what.status)] = {"$ref": f"#/components/responses/{what.value}"}
    return found


def _headers(one: Operation) -> list[Document]:
    if one.method == "GET":
        found = {"If-None-Match": "上次得到的 ETag：没有变化时答 304"} if one.answer is not None else {}
    else:
        found = {KEY_HEADER: "同一个键的同一请求只执行一次，再来时重放原来的答复"} if one.keeps else {}
        found |= {"If-Match": "读到的 ETag：工单已有变化时答 412"} if one.matches else {}
    return [
        {"name": name, "in": "header", "required": False, "description": note, "schema": {"type": "string"}}
        for name, note in found.items()
    ]


def _query_parameters(one: Operation) -> list[Document]:
    """From the schema of the struct by which the query is checked."""
    _, components = msgspec.json.schema_components([one.query], ref_template=_REF)
    schema = components[one.query.__name__]
    notes, required = field_notes(one.query), schema.get("required", [])
    return [
        {
            "name": name,
            "in": "query",
            "required": name in required,
            "schema": _without_null(field),
            **({"description": notes[name]} if name in notes else {}),
        }
        for name, field in schema["properties"].items()
    ]


def _without_null(field: Document) -> Document:
    """An absent parameter is none; null cannot be said in a query."""
    left = [one for one in field.get("anyOf", []) if one != {"type": "null"}]
    return left[0] if len(left) == 1 else {name: value for name, value in field.items() if value is not None}


def _path_parameter(name: str, form: str) -> Document:
    schema = {"type": "string", "pattern": f"^{form}$"}
    return {"name": name, "in": "path", "required": True, "schema": schema}


def _problem(what: What) -> Document:
    schema = {"$ref": _REF.format(name=Details.__name__)}
    note = f"{what.name_zh}（type: {what.uri}）"
    return {"description": note, "content": {_PROBLEM: {"schema": schema}}}


def _schemas() -> Document:
    """JSON schemas of all that goes in and out, each field with its docstring."""
    types: list[type] = [Details]
    for one in operations():
        types += [kind for kind in (one.body, one.answer, one.query) if kind is not None]
    _, components = msgspec.json.schema_components(list(dict.fromkeys(types)), ref_template=_REF)
    own = inspect.getmembers(shapes, lambda one: getattr(one, "__module__", "") == shapes.__name__)
    inner = [kind for _, kind in own if inspect.isclass(kind)]
    contracts.annotate(components, [*types, *inner])
    for name, schema in components.items():
        known: Any = getattr(words, name, ProfileName if name == ProfileName.__name__ else None)
        if isinstance(known, type) and issubclass(known, Enum):
            labels = {str(one.value): one.label for one in known if hasattr(one, "label")}
            schema.update({"x-meanings": labels} if labels else {})
    queries = {one.query.__name__ for one in operations()}
    return {name: schema for name, schema in sorted(components.items()) if name not in queries}


def main(arguments: list[str]) -> int:
    """Write the file, or with `--check` say that it is not up to date: exit status 0 or 1."""
    return contracts.write_or_check(HOME, {FILE: text()}, "agent_desk.api.openapi", arguments)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
