"""Owns what figures are counted from: the cases taken in during a window, the marks of what was done."""

from __future__ import annotations

from collections.abc import Iterable

from sqlalchemy import case, select
from sqlalchemy.ext.asyncio import AsyncSession

from casework.figures import RATES, Taken
from casework.moves import Visited, Warn, tag_of
from casework.scoring import DEADLINE_MOVES, MOVES_OF, Fact, Mark, owed, told
from casework.store.tables import CaseMoveRow, CaseRow

_BATCH = 1000
_MOVES = tuple({*DEADLINE_MOVES, *(move for measure in RATES for move in MOVES_OF[measure])})


async def taken_in(session: AsyncSession, since_us: int, until_us: int) -> list[Taken]:
    """What of the cases taken in during the window counts; others are served between the batches."""
    query = select(*(getattr(CaseRow, name) for name in Taken.__struct_fields__))
    window = query.where(CaseRow.created_us >= since_us, CaseRow.created_us < until_us)
    rows = await session.stream(window.execution_options(yield_per=_BATCH))
    return [Taken(*values) async for batch in rows.partitions() for values in batch]


async def facts_of_taken(session: AsyncSession, since_us: int, until_us: int) -> list[Fact]:
    """What counts of everything that was done about the cases taken in during the window, case by case."""
    row = CaseMoveRow
    body = case((row.move.in_((tag_of(Visited), tag_of(Warn))), row.body), else_="")
    query = (
        select(row.case_id, row.move, row.unit, row.is_late, body)
        .join(CaseRow, CaseRow.id == row.case_id)
        .where(CaseRow.created_us >= since_us, CaseRow.created_us < until_us, row.move.in_(_MOVES))
        .order_by(row.case_id, row.seq)
    )
    rows = await session.stream(query.execution_options(yield_per=_BATCH))
    return [Fact(*values) async for batch in rows.partitions() for values in batch]


def marks_of(facts: Iterable[Fact]) -> list[Mark]:
    """The marks of these facts, deadlines that passed without a reply among them."""
    kept = list(facts)
    late = owed(fact for fact in kept if fact.move in DEADLINE_MOVES)
    return [*(mark for mark, _ in told((fact, 1) for fact in kept)), *late]
