"""Owns the changing of units and matters: checked, kept with who and why, undone by a change that says so."""

from __future__ import annotations

from typing import TypeVar

import msgspec
from sqlalchemy.ext.asyncio import AsyncSession

from casework.catalogue import Matter
from casework.organisation import Tree
from casework.register import EditRefusal, check_matter, check_unit
from casework.store import edits
from casework.store.edits import Edit
from casework.store.matters import MATTER, all_matters
from hotline.directory import Unit, all_units, save_unit

T = TypeVar("T")

UNIT = "unit:"


class Change(msgspec.Struct, frozen=True):
    """Who changes something, when, why, and from when on it holds (for matters; units change at once)."""

    person: str
    at_us: int
    why: str
    from_us: int = 0


async def change_unit(session: AsyncSession, new: Unit, change: Change) -> EditRefusal | None:
    """Add the unit, rename it, move it or close it. Its cases keep the name under which they came."""
    if not change.why.strip():
        return EditRefusal.NO_WHY
    units = await all_units(session)
    old = next((unit for unit in units if unit.id == new.id), None)
    if old == new:
        return EditRefusal.UNCHANGED
    refusal = check_unit(units, await all_matters(session, change.at_us), new)
    if refusal is None:
        await save_unit(session, new)
        await _keep(session, UNIT + new.id, _json(old), _json(new), change)
    return refusal


async def change_matter(
    session: AsyncSession, id_: str, new: Matter | None, change: Change
) -> EditRefusal | None:
    """Add the matter, change it or (None) take it off, from `change.from_us` on."""
    if not change.why.strip():
        return EditRefusal.NO_WHY
    matters = await all_matters(session, max(change.from_us, change.at_us))
    old = next((one for one in matters if one.id == id_), None)
    if old == new:
        return EditRefusal.UNCHANGED
    refusal = check_matter(Tree(await all_units(session)), matters, new) if new is not None else None
    if refusal is None:
        await _keep(session, MATTER + id_, _json(old), _json(new), change)
    return refusal


async def undo(session: AsyncSession, edit: Edit, change: Change) -> EditRefusal | None:
    """Make the last change of a unit or matter undone, by another one: what was, is again."""
    if (await edits.edits_of(session, edit.subject))[0].id != edit.id:
        return EditRefusal.NOT_LAST
    kind, _, id_ = edit.subject.partition(":")
    if kind == "matter":
        from_us = max(edit.from_us, 1)
        back = msgspec.structs.replace(change, from_us=from_us)
        return await change_matter(session, id_, _read(edit.before, Matter), back)
    unit = _read(edit.before, Unit)
    return await change_unit(session, unit, change) if unit is not None else EditRefusal.FIRST


async def _keep(session: AsyncSession, subject: str, before: str, after: str, change: Change) -> None:
    edit = Edit(
        subject=subject,
        from_us=max(change.from_us, change.at_us),
        before=before,
        after=after,
        person=change.person,
        at_us=change.at_us,
        why=change.why.strip(),
    )
    await edits.add(session, edit)


def _json(value: Unit | Matter | None) -> str:
    return msgspec.json.encode(value).decode() if value is not None else ""


def _read(kept: str, form: type[T]) -> T | None:
    return msgspec.json.decode(kept, type=form) if kept else None
