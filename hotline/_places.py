"""Owns the home places of Chinese numbers, packed: libphonenumber's table costs 100 MB, ours 1 MB."""

from __future__ import annotations

import functools
import importlib.util
from array import array
from bisect import bisect_left
from pathlib import Path
from types import ModuleType

import phonenumbers

_LONGEST = 9
"""No prefix in libphonenumber's table has more digits after 86."""


def place_in_china(national: str) -> str:
    """Province and city of a number without 0 and 86, e.g. 山东省泰安市; empty when unknown."""
    prefixes, places, names = _table()
    for length in range(min(_LONGEST, len(national)), 1, -1):
        key = int(national[:length])
        at = bisect_left(prefixes, key)
        if at < len(prefixes) and prefixes[at] == key:
            return names[places[at]]
    return ""


def country(region: str) -> str:
    """The Chinese name of an ISO 3166 region, e.g. 英国 for GB; empty when unknown."""
    return _countries().get(region, "")


@functools.cache
def _table() -> tuple[array[int], array[int], list[str]]:
    """Prefixes in order, for each the index of its place, and the places. Prefixes never begin with 0."""
    found: dict[int, str] = {}
    for path in sorted(_geodata().glob("data*.py")):
        for prefix, names in _load(path).data.items():
            if prefix.startswith("86") and "zh" in names:
                found[int(prefix[2:])] = names["zh"]
    index = {name: at for at, name in enumerate(dict.fromkeys(found.values()))}
    ordered = sorted(found)
    return array("I", ordered), array("H", [index[found[prefix]] for prefix in ordered]), list(index)


@functools.cache
def _countries() -> dict[str, str]:
    regions = _load(_geodata() / "locale.py").LOCALE_DATA
    return {region: names["zh"] for region, names in regions.items() if names.get("zh", "*")[0] != "*"}


def _geodata() -> Path:
    return Path(phonenumbers.__file__).parent / "geodata"


def _load(path: Path) -> ModuleType:
    """Run one generated data file by itself: importing the package would load the world and keep it."""
    spec = importlib.util.spec_from_file_location(f"phonenumbers.geodata.{path.stem}", path)
    if spec is None or spec.loader is None:
        raise ImportError(f"no phone number data in {path.name}")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
