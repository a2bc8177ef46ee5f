"""Owns the indexes of words: FTS5 on SQLite, tsvector on PostgreSQL, one way to write and to ask."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from sqlalchemy import (
    BigInteger,
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

from casework.case import Case, place_of
from casework.grams import for_fts5, for_tsquery, grams, phrases, single

ALL = 100_000_000
"""More than there will ever be."""
_SIMPLE: ColumnElement[Any] = literal_column("'simple'")


class Cut(NamedTuple):
    """What an index keeps: whose words, cut as `grams` does, and the place in an index that has an order."""

    id: str
    grams: str
    place: int = 0


class Index:
    """One index: which words stand where, by the id that is kept in the column `key`.

    With `has_order`, each has a place among all others (`Cut.place`), and the last come first.
    """

    def __init__(self, name: str, key: str, *, has_order: bool = False) -> None:
        self._name = name
        self._has_order = has_order
        self._id: ColumnElement[str] = column(key, String)
        self._grams: ColumnElement[Any] = column("grams")
        self._places = {True: column("rowid", BigInteger), False: column("place", BigInteger)}
        """On SQLite, where FTS5 walks along its rowid, and elsewhere."""
        self._table = table(name, self._id, self._grams, *self._places.values())

    async def keep(self, session: AsyncSession, found: Sequence[Cut]) -> None:
        """Index these; nothing of them is there yet."""
        rows: list[dict[str, str | int]] = [{"id_": one.id, "words": one.grams} for one in found]
        if not rows:
            return
        value: ColumnElement[Any] = bindparam("words", type_=String)
        is_sqlite = await _is_sqlite(session)
        if not is_sqlite:
            value = func.to_tsvector(_SIMPLE, value)
        fields = {self._id.key: bindparam("id_", type_=String), "grams": value}
        if self._has_order:
            fields[self._places[is_sqlite].key] = bindparam("at", type_=BigInteger)
            rows = [row | {"at": one.place} for row, one in zip(rows, found, strict=True)]
        await session.execute(insert(self._table).values(fields), rows)

    async def remove(self, session: AsyncSession, id_: str) -> None:
        """Find it no more."""
        await session.execute(delete(self._table).where(self._id == id_))

    async def hits(
        self, session: AsyncSession, words: str, most: int, places: range | None = None
    ) -> Select[str] | None:
        """A query for the ids that hold all these words, the last `most` of those within `places`.

        None when there are no words.
        """
        wanted = phrases(words)
        if not wanted:
            return None
        is_sqlite = await _is_sqlite(session)
        place = self._places[is_sqlite]
        query = for_fts5(wanted) if is_sqlite else for_tsquery(wanted)
        found = select(self._id).where(self._holds(query, is_sqlite)).order_by(place.desc()).limit(most)
        if places is not None:
            found = found.where(place.between(places.start, places.stop - 1))
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


CASES = Index("case_search", "case_id", has_order=True)
ENTRIES = Index("knowledge_search", "entry")


def words_of(case: Case) -> Cut:
    """What is found of a case: title, text, place, topic, number. None of these ever changes."""
    told = " ".join((case.title, case.text, case.place, case.topic, case.number))
    return Cut(case.id, grams(told), place_of(case.number))


async def _is_sqlite(session: AsyncSession) -> bool:
    return (await session.connection()).dialect.name == "sqlite"
