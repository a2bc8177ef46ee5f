"""Owns the indexes of words: FTS5 on SQLite, tsvector on PostgreSQL, one way to write and to ask."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Select,
    String,
    bindparam,
    column,
    delete,
    func,
    insert,
    literal_column,
    select,
    table,
)
from sqlalchemy.ext.asyncio import AsyncSession

from casework.case import Case
from casework.grams import for_fts5, for_tsquery, grams, phrases, single

_ALL = 100_000_000
_SIMPLE: ColumnElement[Any] = literal_column("'simple'")


class Index:
    """One index: which words stand where, by the id that is kept in the column `key`."""

    def __init__(self, name: str, key: str) -> None:
        self._name = name
        self._id: ColumnElement[str] = column(key, String)
        self._grams: ColumnElement[Any] = column("grams")
        self._table = table(name, self._id, self._grams)

    async def write(self, session: AsyncSession, words: Iterable[tuple[str, str]]) -> None:
        """Index these, each by its id; nothing of them is there yet."""
        await self.keep(session, [(id_, grams(text)) for id_, text in words])

    async def keep(self, session: AsyncSession, cut: Iterable[tuple[str, str]]) -> None:
        """Index what is cut into grams already."""
        rows = [{"id_": id_, "words": words} for id_, words in cut]
        if not rows:
            return
        value: ColumnElement[Any] = bindparam("words", type_=String)
        if not await _is_sqlite(session):
            value = func.to_tsvector(_SIMPLE, value)
        fields = {self._id.key: bindparam("id_", type_=String), "grams": value}
        await session.execute(insert(self._table).values(fields), rows)

    async def remove(self, session: AsyncSession, id_: str) -> None:
        """Find it no more."""
        await session.execute(delete(self._table).where(self._id == id_))

    async def hits(self, session: AsyncSession, words: str, most: int = _ALL) -> Select[str] | None:
        """A query for the ids that hold all these words, the newest `most`; None for no words."""
        wanted = phrases(words)
        if not wanted:
            return None
        is_sqlite = await _is_sqlite(session)
        newest = literal_column("rowid") if is_sqlite else self._id
        query = for_fts5(wanted) if is_sqlite else for_tsquery(wanted)
        found = select(self._id).where(self._holds(query, is_sqlite)).order_by(newest.desc()).limit(most)
        return select(found.subquery().c[0])

    async def likely(self, session: AsyncSession, words: str, most: int) -> list[str]:
        """The ids that hold some of these words, as the database ranks them."""
        wanted = single(phrases(words))
        if not wanted:
            return []
        is_sqlite = await _is_sqlite(session)
        query = for_fts5(wanted, any_of=True) if is_sqlite else for_tsquery(wanted, any_of=True)
        rank: ColumnElement[Any] = literal_column("rank")
        if not is_sqlite:
            rank = func.ts_rank(self._grams, func.to_tsquery(_SIMPLE, query)).desc()
        found = select(self._id).where(self._holds(query, is_sqlite)).order_by(rank, self._id).limit(most)
        return list(await session.scalars(found))

    def _holds(self, query: str, is_sqlite: bool) -> ColumnElement[bool]:
        if is_sqlite:
            return literal_column(self._name).bool_op("MATCH")(query)
        return self._grams.bool_op("@@")(func.to_tsquery(_SIMPLE, query))


CASES = Index("case_search", "case_id")
ENTRIES = Index("knowledge_search", "entry")


async def write(session: AsyncSession, cases: Iterable[Case]) -> None:
    """Index new cases: title, text, place, topic, number. None of these ever changes."""
    await CASES.keep(session, map(indexed, cases))


def indexed(case: Case) -> tuple[str, str]:
    """A case's id and its words, cut as the index keeps them."""
    return case.id, grams(" ".join((case.title, case.text, case.place, case.topic, case.number)))


async def _is_sqlite(session: AsyncSession) -> bool:
    return (await session.connection()).dialect.name == "sqlite"
