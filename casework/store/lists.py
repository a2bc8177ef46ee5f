"""Owns the lists that people work from: by state, by unit, by what waits for a decision."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec
from sqlalchemy import ColumnElement, Select, case, func, select
from sqlalchemy.ext.asyncio import AsyncSession

from casework import moves as m
from casework.case import Case
from casework.history import Entry
from casework.scoring import DEADLINE_MOVES, TELLING, WINDOW_MOVES, Fact
from casework.store import search
from casework.store.cases import case_of, entry_of_row
from casework.store.tables import CaseMoveRow, CasePartyRow, CaseRow
from casework.words import AT_UNIT, CaseState


class Load(msgspec.Struct, frozen=True):
    """How much a unit has in work, and how much of it is over its time."""

    unit: str
    open: int
    overdue: int


class Wanted(msgspec.Struct, frozen=True, kw_only=True):
    """What is looked for: all that is given must hold. `units`: only cases of these; None for everybody's."""

    number: str = ""
    words: str = ""
    state: str = ""
    unit: str = ""
    since_us: int = 0
    until_us: int = 0
    units: tuple[str, ...] | None = None


async def in_states(session: AsyncSession, states: Iterable[CaseState], limit: int) -> list[Case]:
    """Cases in these states, the most urgent first, then by age."""
    return await _read(session, _by_due().where(_is_in(states)), limit)


async def at_unit(session: AsyncSession, unit: str, limit: int) -> list[Case]:
    """What the unit has to work on, the most urgent first."""
    return await _read(session, _by_due().where(CaseRow.unit == unit, _is_in(AT_UNIT)), limit)


async def beside_unit(session: AsyncSession, unit: str, limit: int) -> list[Case]:
    """Open cases that the unit assists with or has passed down."""
    query = _by_due().join(CasePartyRow, CasePartyRow.case_id == CaseRow.id)
    return await _read(session, query.where(CasePartyRow.unit == unit), limit)


async def asked_of(session: AsyncSession, above: str, limit: int) -> list[Case]:
    """Cases whose return or extension waits for this unit's (or the platform's) decision."""
    return await _read(session, _by_due().where(CaseRow.above == above, CaseRow.asked > ""), limit)


async def supervised(session: AsyncSession, limit: int) -> list[Case]:
    """The open ledger (督办台账); whose answer is due first comes first."""
    query = select(CaseRow).where(CaseRow.level > "").order_by(CaseRow.answer_due_us, CaseRow.id)
    return await _read(session, query, limit)


async def due(session: AsyncSession, now_us: int, limit: int) -> list[str]:
    """The ids of the cases at which the clock must look now, the longest due first."""
    query = select(CaseRow.id).where(CaseRow.wake_us > 0, CaseRow.wake_us <= now_us)
    return list(await session.scalars(query.order_by(CaseRow.wake_us).limit(limit)))


async def ledger(session: AsyncSession, limit: int) -> list[tuple[Entry, str, str]]:
    """What was entered into the ledger and discharged of late, newest first, each with number and title."""
    query = (
        select(CaseMoveRow, CaseRow.number, CaseRow.title)
        .join(CaseRow, CaseRow.id == CaseMoveRow.case_id)
        .where(CaseMoveRow.move.in_([m.tag_of(m.Supervise), m.tag_of(m.Discharge)]))
        .order_by(CaseMoveRow.id.desc())
    )
    rows = await session.execute(query.limit(limit))
    return [(entry_of_row(row), number, title) for row, number, title in rows]


async def facts(session: AsyncSession, since_us: int, until_us: int, unit: str) -> list[Fact]:
    """What counts for scores in a period, case by case, of the cases that the unit had a part in."""
    involved = select(CaseMoveRow.case_id).where(*_window(since_us, until_us), CaseMoveRow.unit == unit)
    return await _facts(session, since_us, until_us, CaseMoveRow.case_id.in_(involved))


async def deadline_facts(session: AsyncSession, since_us: int, until_us: int) -> list[Fact]:
    """What decides which deadlines are owed (`scoring.owed`): of the cases that were warned in the period."""
    is_warning = CaseMoveRow.move == m.tag_of(m.Warn)
    warned = select(CaseMoveRow.case_id).where(*_window(since_us, until_us), is_warning)
    is_telling = CaseMoveRow.move.in_(DEADLINE_MOVES)
    return await _facts(session, since_us, until_us, CaseMoveRow.case_id.in_(warned), is_telling)


async def alike(session: AsyncSession, since_us: int, until_us: int) -> list[tuple[Fact, int]]:
    """The facts of a period for `scoring.told`, counted by the database where nothing tells them apart."""
    row = CaseMoveRow
    body = case((row.move == m.tag_of(m.Visited), row.body), else_="")
    query = select(row.move, row.unit, row.is_late, body, func.count()).where(*_window(since_us, until_us))
    found = await session.execute(query.group_by(row.move, row.unit, row.is_late, body))
    return [(Fact("", *values), count) for *values, count in found]


def _window(since_us: int, until_us: int) -> tuple[ColumnElement[bool], ...]:
    at_us = CaseMoveRow.at_us
    return at_us >= since_us, at_us < until_us, CaseMoveRow.move.in_(WINDOW_MOVES)


async def _facts(
    session: AsyncSession, since_us: int, until_us: int, *only: ColumnElement[bool]
) -> list[Fact]:
    row = CaseMoveRow
    body = case((row.move.in_(TELLING), row.body), else_="")
    query = select(row.case_id, row.move, row.unit, row.is_late, body).where(
        *_window(since_us, until_us), *only
    )
    rows = await session.execute(query.order_by(row.case_id, row.seq))
    return [Fact(*values) for values in rows]


async def by_ids(session: AsyncSession, ids: Iterable[str]) -> dict[str, Case]:
    """These cases by their ids."""
    rows = await session.scalars(select(CaseRow).where(CaseRow.id.in_(set(ids))))
    return {row.id: case_of(row) for row in rows}


async def numbered(session: AsyncSession, number: str) -> Case | None:
    """The case with that number, as the citizen was told it."""
    row = await session.scalar(select(CaseRow).where(CaseRow.number == number))
    return case_of(row) if row is not None else None


async def found(session: AsyncSession, wanted: Wanted, limit: int) -> list[Case]:
    """What is looked for, newest first."""
    query = select(CaseRow).order_by(CaseRow.created_us.desc(), CaseRow.id.desc())
    if wanted.number:
        query = query.where(CaseRow.number == wanted.number)
    if wanted.words:
        is_alone = wanted == Wanted(words=wanted.words)
        hits = (
            await search.CASES.hits(session, wanted.words, limit)
            if is_alone
            else await search.CASES.hits(session, wanted.words)
        )
        if hits is None:
            return []
        query = query.where(CaseRow.id.in_(hits))
    if wanted.state:
        query = query.where(CaseRow.state == wanted.state)
    if wanted.unit:
        query = query.where(CaseRow.unit == wanted.unit)
    if wanted.since_us:
        query = query.where(CaseRow.created_us >= wanted.since_us)
    if wanted.until_us:
        query = query.where(CaseRow.created_us < wanted.until_us)
    if wanted.units is not None:
        beside = select(CasePartyRow.case_id).where(CasePartyRow.unit.in_(wanted.units))
        query = query.where(CaseRow.unit.in_(wanted.units) | CaseRow.id.in_(beside))
    return await _read(session, query, limit)


async def loads(session: AsyncSession, now_us: int) -> list[Load]:
    """What lies at each unit now, the fullest first."""
    is_late = func.sum(case((CaseRow.due_us <= now_us, 1), else_=0))
    query = select(CaseRow.unit, func.count(), is_late).where(_is_in(AT_UNIT)).group_by(CaseRow.unit)
    rows = await session.execute(query.order_by(func.count().desc(), CaseRow.unit))
    return [Load(unit, count, int(late)) for unit, count, late in rows]


def _by_due() -> Select[CaseRow]:
    return select(CaseRow).order_by(CaseRow.due_us, CaseRow.id)


def _is_in(states: Iterable[CaseState]) -> ColumnElement[bool]:
    return CaseRow.state.in_([state.value for state in states])


async def _read(session: AsyncSession, query: Select[CaseRow], limit: int) -> list[Case]:
    return [case_of(row) for row in await session.scalars(query.limit(limit))]
