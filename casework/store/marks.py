"""Owns what scores are counted from: a period's marks, counted by the database where they are alike.

Each question is answered from an index of its own: a great city makes a million moves a month.
"""

from __future__ import annotations

from collections.abc import Collection

from sqlalchemy import ColumnElement, func, literal, select
from sqlalchemy.ext.asyncio import AsyncSession

from casework.scoring import MOVES_OF, Fact, Mark, Measure, owed, told
from casework.store.tables import AS_DEADLINE, AS_OTHER, AS_VISIT, AS_WARNING, CaseMoveRow


async def counted(session: AsyncSession, since_us: int, until_us: int) -> list[tuple[Mark, int]]:
    """The marks of a period, each with how often it occurred; `case_id` is empty where several are alike."""
    row, period = CaseMoveRow, _period(since_us, until_us)
    others = select(row.move, row.unit, row.is_late, literal(""), func.count()).where(*period, AS_OTHER)
    visits = select(literal("visited"), row.unit, literal(False), row.body, func.count())
    alike: list[tuple[Fact, int]] = []
    for query in (
        others.group_by(row.move, row.unit, row.is_late),
        visits.where(*period, AS_VISIT).group_by(row.unit, row.body),
    ):
        rows = await session.execute(query)
        alike += [(Fact("", move, unit, is_late, body), n) for move, unit, is_late, body, n in rows]
    return [*told(alike), *((mark, 1) for mark in await _owed(session, since_us, until_us))]


async def behind(
    session: AsyncSession, since_us: int, until_us: int, units: Collection[str], measure: Measure
) -> list[Mark]:
    """The marks of a unit, by whatever names it had, that one of its rates consists of."""
    row, found = CaseMoveRow, list[Mark]()
    query = select(row.case_id, row.move, row.unit, row.is_late, row.body).where(
        *_period(since_us, until_us), row.move.in_(MOVES_OF[measure]), row.unit.in_(units)
    )
    for part in (AS_OTHER, AS_VISIT):
        rows = await session.execute(query.where(part))
        found += [mark for mark, _ in told((Fact(*values), 1) for values in rows)]
    late = await _owed(session, since_us, until_us) if measure is Measure.CLOSED else []
    found += [mark for mark in late if mark.unit in units]
    return [mark for mark in found if mark.measure is measure]


async def _owed(session: AsyncSession, since_us: int, until_us: int) -> list[Mark]:
    """Deadlines that passed without a reply: only cases that were warned in the period are looked at."""
    row, period = CaseMoveRow, _period(since_us, until_us)
    warned = select(row.case_id).where(*period, AS_WARNING)
    query = select(row.case_id, row.move, row.unit, row.is_late, row.body)
    query = query.where(row.case_id.in_(warned), AS_DEADLINE, *period).order_by(row.case_id, row.seq)
    return list(owed(Fact(*values) for values in await session.execute(query)))


def _period(since_us: int, until_us: int) -> tuple[ColumnElement[bool], ...]:
    return CaseMoveRow.at_us >= since_us, CaseMoveRow.at_us < until_us
