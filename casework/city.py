"""Owns the made-up city (仿真城市): its tree of four tiers and its catalogue, from city.toml."""

from __future__ import annotations

import functools
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from casework.catalogue import Matter
from casework.deadlines import ProfileName
from hotline.directory import Unit, UnitKind, demo_directory

_FILE = Path(__file__).parent / "city.toml"
_VILLAGES = (("east", "东关社区居委会", "dgsq"), ("west", "西关社区居委会", "xgsq"))
_DAY = "workdays 09:00-12:00,13:30-17:00"
_TOWN_LINES, _DEPARTMENT_LINES = 53_800_040_001, 53_800_050_001
"""No real line has a 0 after the area code: nobody is rung by accident."""


def city_units() -> tuple[Unit, ...]:
    """The demo's directory and, below it, 90 towns with two villages each; some 80 departments in all."""
    return (*demo_directory(), *_departments(), *_towns())


def demo_units() -> tuple[Unit, ...]:
    """The demo's directory and one district's towns and villages, so that all four tiers are there."""
    keep = {"taishan-district"}
    below = []
    for unit in _towns():
        if unit.parent in keep:
            keep.add(unit.id)
            below.append(unit)
    return (*demo_directory(), *below)


def matters(units: tuple[Unit, ...]) -> tuple[Matter, ...]:
    """The catalogue, as far as its units are among these."""
    known = {unit.id for unit in units}
    return tuple(
        _matter(unit, n, trade["category"], line)
        for unit, trade in _city()["matters"].items()
        if unit in known
        for n, line in enumerate(trade["list"], start=1)
    )


@functools.cache
def _city() -> dict[str, Any]:
    return tomllib.loads(_FILE.read_text())


def _departments() -> Iterator[Unit]:
    number = _DEPARTMENT_LINES
    for kind, lines in _city()["departments"].items():
        for line in lines:
            id_, name, initials = line.split(" ")
            yield _unit(id_, name, initials, UnitKind(kind), number)
            number += 1


def _towns() -> Iterator[Unit]:
    number = _TOWN_LINES
    for county, lines in _city()["towns"].items():
        for line in lines:
            id_, name, initials = line.split(" ")
            yield _unit(id_, name, initials, UnitKind.TOWN, number, county)
            ground = name.removesuffix("办事处").removesuffix("政府")
            for side, village, letters in _VILLAGES:
                yield _unit(
                    f"{id_}-{side}", ground + village, initials + letters, UnitKind.VILLAGE, number, id_
                )
            number += 1


def _unit(id_: str, name: str, initials: str, kind: UnitKind, number: int, parent: str = "") -> Unit:
    return Unit(
        id=id_,
        name=name,
        initials=initials,
        kind=kind,
        numbers=(f"0{number}",),
        office_hours=_DAY,
        parent=parent,
    )


def _matter(unit: str, n: int, category: str, line: str) -> Matter:
    name, keywords, profile = line.removeprefix("*").split("|")
    return Matter(
        id=f"{unit[:27]}-{n:02}",
        name=name,
        category=category,
        unit=unit,
        keywords=tuple(keywords.split(",")),
        profile=ProfileName(profile),
        is_local=line.startswith("*"),
    )
