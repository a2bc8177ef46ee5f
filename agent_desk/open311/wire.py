"""Owns how GeoReport v2 writes its answers: the same lists and fields as XML and as JSON. Pure."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from xml.etree.ElementTree import Element, SubElement, tostring

Value = object
TYPES = {"xml": "text/xml", "json": "application/json"}
_ITEMS = {"attributes": "attribute", "values": "value", "endpoints": "endpoint", "formats": "format"}
_NOT_XML = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def listed(root: str, item: str, rows: Sequence[Mapping[str, Value]], form: str) -> bytes:
    """A list of things: XML with `root` around an `item` each, JSON an array."""
    if form == "json":
        return json.dumps(rows, ensure_ascii=False).encode()
    top = Element(root)
    for row in rows:
        _fill(SubElement(top, item), row)
    return _xml(top)


def single(root: str, row: Mapping[str, Value], form: str) -> bytes:
    """One thing by itself."""
    if form == "json":
        return json.dumps(row, ensure_ascii=False).encode()
    top = Element(root)
    _fill(top, row)
    return _xml(top)


def _fill(parent: Element, row: Mapping[str, Value]) -> None:
    for name, value in row.items():
        _put(SubElement(parent, name), name, value)


def _put(element: Element, name: str, value: Value) -> None:
    match value:
        case bool():
            element.text = str(value).lower()
        case list() | tuple():
            for one in value:
                _put(SubElement(element, _ITEMS[name]), "", one)
        case Mapping():
            _fill(element, value)
        case None:
            pass
        case _:
            element.text = _NOT_XML.sub("", str(value))


def _xml(top: Element) -> bytes:
    text: str = tostring(top, encoding="unicode")
    return f'<?xml version="1.0" encoding="utf-8"?>\n{text}'.encode()
