"""Owns the way of many cases at once into the database: whole histories, chained like all others."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec
from sqlalchemy import insert, select, text
from sqlalchemy.ext.asyncio import AsyncSession

from casework.case import Case
from casework.history import Entry, digest
from casework.store import search
from casework.store.cases import columns_of, parties
from casework.store.tables import CaseCounterRow, CaseMoveRow, CasePartyRow, CaseRow

_CACHE_KB = 256 * 1024
"""SQLite's cache while a year is written: each case touches a dozen indexes in as many places."""

_Row = dict[str, object]


class Rows(msgspec.Struct, frozen=True, gc=False):
    """Cases as the tables keep them. Made by `rows_of`, by another process if need be."""

    cases: list[_Row]
    moves: list[_Row]
    parties: list[_Row]
    words: list[search.Cut]


def rows_of(lives: Iterable[tuple[Case, list[Entry]]]) -> Rows:
    """The rows of these cases with their histories."""
    rows = Rows([], [], [], [])
    for case, entries in lives:
        head = ""
        for entry in entries:
            head = digest(head, entry)
            rows.moves.append(msgspec.structs.asdict(entry) | {"state": entry.state.value, "digest": head})
        rows.cases.append(columns_of(case) | {"moves": len(entries), "head": head})
        rows.parties.extend({"unit": unit, "case_id": case.id} for unit in parties(case))
        rows.words.append(search.words_of(case))
    return rows


async def last_counts(session: AsyncSession) -> dict[str, int]:
    """The last number given out on each day. Nobody else opens cases of a day that is past."""
    found = await session.execute(select(CaseCounterRow.day, CaseCounterRow.last))
    return {day: last for day, last in found}


async def add_day(session: AsyncSession, day: str, last: int, rows: Rows) -> None:
    """Keep a day's cases, of which the last is numbered `last`."""
    connection = await session.connection()
    if connection.dialect.name == "sqlite":
        await connection.execute(text(f"PRAGMA cache_size=-{_CACHE_KB}"))
    await session.merge(CaseCounterRow(day=day, last=last))
    for kind, found in ((CaseRow, rows.cases), (CaseMoveRow, rows.moves), (CasePartyRow, rows.parties)):
        if found:  # the table, not its class: what the mapping adds to each row took most of the time
            await connection.execute(insert(kind.metadata.tables[kind.__tablename__]), found)
    await search.CASES.keep(session, rows.words)
