"""Owns the tree of units (四级联动): who is right below whom, and whose ground a place lies on. Pure.

永审服发〔2017〕30号二（一）: the city's platform, units and counties, sections and towns, villages.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from casework.case import TIERS
from casework.words import PLATFORM
from hotline.directory import Unit, UnitKind

_OFFICE = re.compile(r"(人民政府|政府|管委会|办事处|居委会|村委会)$")
_GROUNDS = frozenset({UnitKind.COUNTY, UnitKind.TOWN, UnitKind.VILLAGE})


class Tree:
    """The units that work on cases, by id and by name: cases know their names. Without emergency services."""

    def __init__(self, units: Iterable[Unit]) -> None:
        self._by_id = {unit.id: unit for unit in units if unit.kind is not UnitKind.EMERGENCY}
        known = self._by_id.values()
        self._by_name = {name: unit for unit in known for name in unit.former}
        self._by_name |= {unit.name: unit for unit in known}
        self._below: dict[str, list[Unit]] = {}
        for unit in self._by_id.values():
            self._below.setdefault(self._parent_name(unit), []).append(unit)

    def unit(self, id_: str) -> Unit | None:
        """The unit of that id."""
        return self._by_id.get(id_)

    def named(self, name: str) -> Unit | None:
        """The unit of that name, or that once had it."""
        return self._by_name.get(name)

    def name_now(self, name: str) -> str:
        """What the unit of that name is called now; the name itself where none is known."""
        unit = self.named(name)
        return unit.name if unit is not None else name

    def open_unit(self, id_: str) -> Unit | None:
        """The unit of that id, unless it is closed."""
        unit = self.unit(id_)
        return unit if unit is not None and not unit.is_closed else None

    def all_below(self, name: str) -> list[Unit]:
        """Those one tier below the unit of that name, or below the platform, in the directory's order."""
        return self._below.get(self.name_now(name), [])

    def below(self, name: str) -> list[Unit]:
        """Those of them that are not closed: to whom something may be sent."""
        return [unit for unit in self.all_below(name) if not unit.is_closed]

    def chain(self, unit: Unit) -> tuple[str, ...]:
        """The names from the platform down to the unit: a case reaches it tier by tier."""
        names = [unit.name]
        while (above := self._by_id.get(unit.parent)) is not None and len(names) < TIERS:
            names.append(above.name)
            unit = above
        return (PLATFORM, *reversed(names))

    def ground(self, place: str) -> Unit | None:
        """The unit on whose ground the place lies (属地): the deepest one whose name the place holds."""
        holding = [unit for unit in self._by_id.values() if _holds(place, unit)]
        return max(holding, key=lambda unit: (len(self.chain(unit)), len(unit.name)), default=None)

    def counties(self) -> list[str]:
        """What the counties and districts are called (泰山区), in the directory's order."""
        return [ground_name(unit) for unit in self._by_id.values() if unit.kind is UnitKind.COUNTY]

    def county(self, place: str) -> str:
        """In which of them the place lies; "" when it does not say."""
        unit = self.ground(place)
        while unit is not None and unit.kind is not UnitKind.COUNTY:
            unit = self._by_id.get(unit.parent)
        return ground_name(unit) if unit is not None else ""

    def _parent_name(self, unit: Unit) -> str:
        above = self._by_id.get(unit.parent)
        return above.name if above is not None else PLATFORM


def ground_name(unit: Unit) -> str:
    """What the place is called that the unit governs: 泰山区 for 泰山区政府, 岱庙街道 for 岱庙街道办事处."""
    return _OFFICE.sub("", unit.name)


def _holds(place: str, unit: Unit) -> bool:
    return unit.kind in _GROUNDS and not unit.is_closed and ground_name(unit) in place
