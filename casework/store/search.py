"""Owns the index of words over cases: FTS5 on SQLite, tsvector on PostgreSQL, one way to write and to ask."""

from __future__ import annotations

from collections.abc import Iterable

from sqlalchemy import Select, String, column, select, text
from sqlalchemy.ext.asyncio import AsyncSession

from casework.case import Case
from casework.grams import for_fts5, for_tsquery, grams, phrases

_WRITE = {
    "sqlite": text("INSERT INTO case_search (case_id, grams) VALUES (:case_id, :grams)"),
    "postgresql": text(
        "INSERT INTO case_search (case_id, grams) VALUES (:case_id, to_tsvector('simple', :grams))"
    ),
}
_ASK = {
    "sqlite": "SELECT case_id FROM case_search WHERE case_search MATCH :query"
    " ORDER BY rowid DESC LIMIT :most",
    "postgresql": "SELECT case_id FROM case_search WHERE grams @@ to_tsquery('simple', :query)"
    " ORDER BY case_id DESC LIMIT :most",
}
_ALL = 100_000_000


async def write(session: AsyncSession, cases: Iterable[Case]) -> None:
    """Index new cases: title, text, place, topic, number. None of these ever changes."""
    rows = [{"case_id": case.id, "grams": grams(_words(case))} for case in cases]
    if rows:
        await session.execute(_WRITE[await _dialect(session)], rows)


async def hits(session: AsyncSession, words: str, most: int = _ALL) -> Select[str] | None:
    """A query for the ids of the cases that hold all these words, the newest `most`; None for no words."""
    wanted = phrases(words)
    if not wanted:
        return None
    dialect = await _dialect(session)
    query = for_fts5(wanted) if dialect == "sqlite" else for_tsquery(wanted)
    found = text(_ASK[dialect]).bindparams(query=query, most=most).columns(column("case_id", String))
    return select(found.subquery().c.case_id)


async def _dialect(session: AsyncSession) -> str:
    return (await session.connection()).dialect.name


def _words(case: Case) -> str:
    return " ".join((case.title, case.text, case.place, case.topic, case.number))
