"""Owns the lists that people work from: by state, by unit, by what waits for a decision."""

from __future__ import annotations

import sys
from collections.abc import Iterable

import msgspec
from sqlalchemy import ColumnElement, Select, case, func, select, tuple_, union_all
from sqlalchemy.ext.asyncio import AsyncSession

from casework.case import Case, day_place
from casework.history import Entry
from casework.store import search
from casework.store.cases import case_of, entry_of_row
from casework.store.tables import (
    AS_ASKED,
    AS_LEDGER,
    AS_OPEN,
    AS_SUPERVISED,
    AS_TO_VISIT,
    AS_WATCHED,
    CaseMoveRow,
    CasePartyRow,
    CaseRow,
)
from casework.words import AT_UNIT, CaseState
from hotline.local_time import compact_day

_NEAR = 2000
"""Of the cases that hold a word, the last so many are looked at first."""


class Load(msgspec.Struct, frozen=True):
    """How much a unit has in work, and how much of it is over its time."""

    unit: str
    open: int
    overdue: int


class Wanted(msgspec.Struct, frozen=True, kw_only=True):
    """What is looked for: all that is given must hold. `units`: only cases of these; None for everybody's.

    `before`: those that come after this one (its intake and its id) in the list, which is newest first.
    """

    numbers: tuple[str, ...] = ()
    words: str = ""
    states: tuple[CaseState, ...] = ()
    topics: tuple[str, ...] = ()
    kind: str = ""
    unit: str = ""
    is_supervised: bool = False
    overdue_us: int = 0
    """Whose time was over at this instant, and that are still at a unit; 0 for any."""
    since_us: int = 0
    until_us: int = 0
    units: tuple[str, ...] | None = None
    before: tuple[int, str] | None = None


async def in_states(session: AsyncSession, states: Iterable[CaseState], limit: int) -> list[Case]:
    """Cases in these states, the most urgent first, then by age."""
    return await _read(session, _by_due().where(AS_OPEN, _is_in(states)), limit)


async def at_unit(session: AsyncSession, unit: str, limit: int) -> list[Case]:
    """What the unit has to work on, the most urgent first."""
    return await _read(session, _by_due().where(AS_OPEN, CaseRow.unit == unit, _is_in(AT_UNIT)), limit)


async def beside_unit(session: AsyncSession, unit: str, limit: int) -> list[Case]:
    """Open cases that the unit assists with or has passed down."""
    query = _by_due().join(CasePartyRow, CasePartyRow.case_id == CaseRow.id)
    return await _read(session, query.where(CasePartyRow.unit == unit), limit)


async def asked_of(session: AsyncSession, above: str, limit: int) -> list[Case]:
    """Cases whose return or extension waits for this unit's (or the platform's) decision."""
    return await _read(session, _by_due().where(CaseRow.above == above, AS_ASKED), limit)


async def supervised(session: AsyncSession, limit: int) -> list[Case]:
    """The open ledger (督办台账); whose answer is due first comes first."""
    query = select(CaseRow).where(AS_SUPERVISED).order_by(CaseRow.answer_due_us, CaseRow.id)
    return await _read(session, query, limit)


async def visits_due(session: AsyncSession, now_us: int, limit: int) -> list[Case]:
    """The cases whose citizens are to be called now (回访), the longest due first."""
    query = select(CaseRow).where(AS_TO_VISIT, CaseRow.visit_due_us <= now_us)
    return await _read(session, query.order_by(CaseRow.visit_due_us, CaseRow.id), limit)


async def due(session: AsyncSession, now_us: int, limit: int) -> list[str]:
    """The ids of the cases at which the clock must look now, the longest due first."""
    query = select(CaseRow.id).where(AS_WATCHED, CaseRow.wake_us <= now_us)
    return list(await session.scalars(query.order_by(CaseRow.wake_us).limit(limit)))


async def ledger(session: AsyncSession, limit: int) -> list[tuple[Entry, str, str]]:
    """What was entered into the ledger and discharged of late, newest first, each with number and title."""
    query = (
        select(CaseMoveRow, CaseRow.number, CaseRow.title)
        .join(CaseRow, CaseRow.id == CaseMoveRow.case_id)
        .where(AS_LEDGER)
        .order_by(CaseMoveRow.id.desc())
    )
    rows = await session.execute(query.limit(limit))
    return [(entry_of_row(row), number, title) for row, number, title in rows]


async def by_ids(session: AsyncSession, ids: Iterable[str]) -> dict[str, Case]:
    """These cases by their ids."""
    rows = await session.scalars(select(CaseRow).where(CaseRow.id.in_(set(ids))))
    return {row.id: case_of(row) for row in rows}


async def found(session: AsyncSession, wanted: Wanted, limit: int) -> list[Case]:
    """What is looked for, newest first."""
    query = _filtered(wanted)
    if not wanted.words:
        return await _read(session, _own(query, wanted, limit), limit)
    places = _places(wanted.since_us, wanted.until_us)
    is_alone = wanted == Wanted(words=wanted.words)
    # Whoever looks for a word beside other things most often finds enough among the last cases that hold it.
    for most in (limit,) if is_alone else (_NEAR, search.ALL):
        hits = await search.CASES.hits(session, wanted.words, most, places)
        if hits is None:
            return []
        cases = await _read(session, _own(query.where(CaseRow.id.in_(hits)), wanted, limit), limit)
        if len(cases) == limit:
            break
    return cases


def _filtered(wanted: Wanted) -> Select[CaseRow]:
    query = select(CaseRow).order_by(CaseRow.created_us.desc(), CaseRow.id.desc())
    if wanted.numbers:
        query = query.where(CaseRow.number.in_(wanted.numbers))
    if wanted.states:
        query = query.where(_is_in(wanted.states))
    if wanted.topics:
        query = query.where(CaseRow.topic.in_(wanted.topics))
    if wanted.kind:
        query = query.where(CaseRow.kind == wanted.kind)
    if wanted.unit:
        query = query.where(CaseRow.unit == wanted.unit)
    if wanted.is_supervised:
        query = query.where(AS_SUPERVISED)
    if wanted.overdue_us:
        is_over = (CaseRow.due_us > 0, CaseRow.due_us <= wanted.overdue_us)
        query = query.where(AS_OPEN, _is_in(AT_UNIT), *is_over)
    if wanted.since_us:
        query = query.where(CaseRow.created_us >= wanted.since_us)
    if wanted.until_us:
        query = query.where(CaseRow.created_us < wanted.until_us)
    if wanted.before is not None:
        query = query.where(tuple_(CaseRow.created_us, CaseRow.id) < tuple_(*wanted.before))
    return query


def _own(query: Select[CaseRow], wanted: Wanted, limit: int) -> Select[CaseRow]:
    """Only cases that these units have or that concern them, each side by its own index: a database that is
    asked for "one or the other" reads the whole year.
    """
    if wanted.units is None:
        return query
    beside = select(CasePartyRow.case_id).where(CasePartyRow.unit.in_(wanted.units))
    own = query.with_only_columns(CaseRow.id).where(CaseRow.unit.in_(wanted.units)).limit(limit)
    return query.where(CaseRow.id.in_(union_all(select(own.subquery().c.id), beside)))


def _places(since_us: int, until_us: int) -> range | None:
    """Where the cases of these days stand (`case.place_of`); None for all days."""
    if not since_us and not until_us:
        return None
    first = day_place(compact_day(since_us)) if since_us else 0
    return range(first, day_place(compact_day(until_us)) + day_place("1") if until_us else sys.maxsize)


async def loads(session: AsyncSession, now_us: int) -> list[Load]:
    """What lies at each unit now, the fullest first."""
    is_late = func.sum(case((CaseRow.due_us <= now_us, 1), else_=0))
    query = select(CaseRow.unit, func.count(), is_late).where(AS_OPEN, _is_in(AT_UNIT)).group_by(CaseRow.unit)
    rows = await session.execute(query.order_by(func.count().desc(), CaseRow.unit))
    return [Load(unit, count, int(late)) for unit, count, late in rows]


def _by_due() -> Select[CaseRow]:
    return select(CaseRow).order_by(CaseRow.due_us, CaseRow.id)


def _is_in(states: Iterable[CaseState]) -> ColumnElement[bool]:
    return CaseRow.state.in_([state.value for state in states])


async def _read(session: AsyncSession, query: Select[CaseRow], limit: int) -> list[Case]:
    return [case_of(row) for row in await session.scalars(query.limit(limit))]
