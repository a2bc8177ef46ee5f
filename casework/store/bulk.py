"""Owns the way of many cases at once into the database: whole histories, chained like all others."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec
from sqlalchemy import insert, select
from sqlalchemy.ext.asyncio import AsyncSession

from casework.case import Case
from casework.history import Entry, digest
from casework.store import search
from casework.store.cases import columns_of, parties
from casework.store.tables import CaseCounterRow, CaseMoveRow, CasePartyRow, CaseRow


async def last_count(session: AsyncSession, day: str) -> int:
    """The last number given out on that day; 0 for none. Nobody else opens cases of a day that is past."""
    return await session.scalar(select(CaseCounterRow.last).where(CaseCounterRow.day == day)) or 0


async def add_day(session: AsyncSession, day: str, lives: Iterable[tuple[Case, list[Entry]]]) -> int:
    """Keep a day's cases with their histories, numbered on from the day's last; returns how many."""
    found: list[Case] = []
    cases: list[dict[str, object]] = []
    moves: list[dict[str, object]] = []
    beside: list[dict[str, object]] = []
    for case, entries in lives:
        head = ""
        for entry in entries:
            head = digest(head, entry)
            moves.append(msgspec.structs.asdict(entry) | {"state": entry.state.value, "digest": head})
        found.append(case)
        cases.append(columns_of(case) | {"moves": len(entries), "head": head})
        beside += [{"unit": unit, "case_id": case.id} for unit in parties(case)]
    if cases:
        before = await last_count(session, day)
        await session.merge(CaseCounterRow(day=day, last=before + len(cases)))
        await session.execute(insert(CaseRow), cases)
        await session.execute(insert(CaseMoveRow), moves)
        await search.write(session, found)
    if beside:
        await session.execute(insert(CasePartyRow), beside)
    return len(cases)
