"""Owns `hotline directory`: the departments (通讯录) taken from a table, and shown."""

from __future__ import annotations

import csv
from collections import Counter
from pathlib import Path

from cli.database import ensure, reading, writing
from hotline.directory import BadUnit, Unit, UnitKind, all_units, save_units
from hotline.settings import Settings

COLUMNS = ("id", "name", "initials", "kind", "numbers", "office_hours", "office_remark")
PARENT = "parent"
"""A column more, which a table may have: the id of the unit one tier above."""


def read_units(path: Path) -> tuple[Unit, ...]:
    """The units in a CSV file (UTF-8) whose first line names COLUMNS; BadUnit tells the wrong line."""
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            rows = csv.DictReader(file, strict=True)
            if tuple(rows.fieldnames or ()) not in (COLUMNS, (*COLUMNS, PARENT)):
                raise BadUnit(f"{path}: the first line must be {','.join(COLUMNS)}, and may add {PARENT}")
            units = tuple(_unit(path, rows.line_num, row) for row in rows)
    except OSError as error:
        raise BadUnit(f"cannot read {path}: {error.strerror}") from error
    except (UnicodeDecodeError, csv.Error) as error:
        raise BadUnit(f"{path} is not a CSV file in UTF-8: {error}") from error
    for column in ("id", "name"):
        (most, times), *_ = Counter(getattr(unit, column) for unit in units).most_common(1) or [("", 0)]
        if times > 1:
            raise BadUnit(f"{path}: two units have the {column} {most}")
    return units


def _unit(path: Path, line: int, row: dict[str | None, str | None]) -> Unit:
    if None in row or None in row.values():
        raise BadUnit(f"{path}, line {line}: there must be {len(row) - (None in row)} columns")
    id_, name, initials, kind, numbers, hours, remark = (str(row[column]).strip() for column in COLUMNS)
    if kind not in list(UnitKind):
        raise BadUnit(f"{path}, line {line}: {kind!r} is none of {', '.join(UnitKind)}")
    return Unit(
        id=id_,
        name=name,
        initials=initials,
        kind=UnitKind(kind),
        numbers=tuple(number.strip() for number in numbers.split(";") if number.strip()),
        office_hours=hours,
        office_remark=remark,
        parent=str(row.get(PARENT, "")).strip(),
    )


async def take_in(settings: Settings, units: tuple[Unit, ...]) -> None:
    """Put the units into the directory, replacing those of the same id; all of them or none."""
    await ensure(settings)
    async with writing(settings, "the directory was not written") as session:
        await save_units(session, units)


async def everything(settings: Settings) -> list[Unit]:
    """The whole directory."""
    await ensure(settings)
    async with reading(settings, "the directory cannot be read") as session:
        return await all_units(session)
