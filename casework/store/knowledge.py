"""Owns knowledge entries in the database: versions only added to, search, what was missed."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec
from sqlalchemy import ForeignKey, Index, Integer, String, Text, func, or_, select, text, update
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Mapped, mapped_column

from casework.grams import grams
from casework.knowledge import Entry, Stage, Version, Words, after, is_valid, matter_of, ranked, searched
from casework.store.search import ENTRIES, Cut
from hotline.db.base import Base, Key, RowId, Utc
from hotline.local_time import compact_day

MISS_LIMIT = 60
"""Characters of what was searched for that are kept."""
_PHONE_DIGITS = 7
_CANDIDATES = 50
"""Entries that the database thinks likeliest; among them the rule decides."""
_MISSED = text(
    "INSERT INTO knowledge_misses (words, day, person, answered) VALUES (:words, :day, :person, '')"
    " ON CONFLICT DO NOTHING"
)


class KnowledgeEntryRow(Base):
    """An entry: its last version, the one in force (0 for none), and until when that is valid."""

    __tablename__ = "knowledge_entries"
    __table_args__ = (Index(None, "stage", "unit"),)

    id: Mapped[Key]
    unit: Mapped[str] = mapped_column(String(60))
    stage: Mapped[str] = mapped_column(String(8))
    last: Mapped[int] = mapped_column(Integer)
    live: Mapped[int] = mapped_column(Integer)
    until_us: Mapped[Utc] = mapped_column(index=True)


class KnowledgeVersionRow(Base):
    """A version; the database refuses to change or delete it."""

    __tablename__ = "knowledge_versions"
    __table_args__ = (Index(None, "entry", "seq", unique=True),)

    id: Mapped[RowId]
    entry: Mapped[str] = mapped_column(String(80), ForeignKey("knowledge_entries.id"))
    seq: Mapped[int] = mapped_column(Integer)
    act: Mapped[str] = mapped_column(String(8))
    stage: Mapped[str] = mapped_column(String(8))
    unit: Mapped[str] = mapped_column(String(60))
    question: Mapped[str] = mapped_column(String(120))
    answer: Mapped[str] = mapped_column(Text)
    topic: Mapped[str] = mapped_column(String(60))
    since_us: Mapped[Utc]
    until_us: Mapped[Utc]
    writer: Mapped[str] = mapped_column(String(16))
    actor: Mapped[str] = mapped_column(String(16))
    at_us: Mapped[Utc]
    reason: Mapped[str] = mapped_column(Text)


class KnowledgeMissRow(Base):
    """What somebody sought in vain on a day (Shanghai's). `answered`: the entry that came of it, or ""."""

    __tablename__ = "knowledge_misses"
    __table_args__ = (Index(None, "answered", "words"),)

    words: Mapped[str] = mapped_column(String(60), primary_key=True)
    day: Mapped[str] = mapped_column(String(8), primary_key=True)
    person: Mapped[str] = mapped_column(String(16), primary_key=True)
    answered: Mapped[str] = mapped_column(String(80))


class Miss(msgspec.Struct, frozen=True):
    """Words searched for in vain: how often (once a day for each person), and when last (20261124)."""

    words: str
    count: int
    last_day: str


async def load(session: AsyncSession, id_: str, *, lock: bool = False) -> Entry | None:
    """The entry with that id; `lock` keeps others from changing it until the transaction ends."""
    row = await session.get(KnowledgeEntryRow, id_, with_for_update=lock)
    return (await _entries(session, [row]))[0] if row is not None else None


async def versions_of(session: AsyncSession, id_: str) -> list[Version]:
    """Every version of the entry, from the first."""
    row = KnowledgeVersionRow
    rows = await session.scalars(select(row).where(row.entry == id_).order_by(row.seq))
    return [_version(one) for one in rows]


async def keep(session: AsyncSession, versions: list[Version]) -> None:
    """Add versions of one entry, which follow its last.

    What comes into force is found from now on, and answers what was missed.
    """
    last = versions[-1]
    row = await session.get(KnowledgeEntryRow, last.entry)
    entry = (await _entries(session, [row]))[0] if row is not None else None
    before = entry.live if entry is not None else None
    for version in versions:
        entry = after(entry, version)
    live = entry.live if entry is not None else None
    if row is None:
        row = KnowledgeEntryRow(id=last.entry)
        session.add(row)
    row.unit, row.stage, row.last = last.unit, last.stage.value, last.seq
    row.live, row.until_us = (live.seq, live.words.until_us) if live is not None else (0, 0)
    await session.flush()
    session.add_all(map(_row, versions))
    await session.flush()
    if before is not None and before != live:
        await ENTRIES.remove(session, last.entry)
    if live is not None and before != live:
        await ENTRIES.keep(session, [Cut(last.entry, grams(searched(live)))])
        await _answer(session, live)


async def found(session: AsyncSession, asked: str, now_us: int, most: int) -> list[Version]:
    """What answers the question and is valid now, the likeliest first."""
    ids = await ENTRIES.likely(session, matter_of(asked), _CANDIDATES)
    rows = await session.scalars(select(KnowledgeEntryRow).where(KnowledgeEntryRow.id.in_(ids)))
    entries = await _entries(session, list(rows))
    live = [one.live for one in entries if one.live is not None and is_valid(one.live, now_us)]
    return ranked(live, asked)[:most]


async def at_stage(
    session: AsyncSession, stages: Iterable[Stage], units: Iterable[str] | None, limit: int
) -> list[Entry]:
    """Entries whose last version is at one of these stages, of these units (None: of all), oldest first."""
    row = KnowledgeEntryRow
    query = select(row).where(row.stage.in_([stage.value for stage in stages]))
    if units is not None:
        query = query.where(row.unit.in_(list(units)))
    return await _entries(session, list(await session.scalars(query.order_by(row.id).limit(limit))))


async def ending(
    session: AsyncSession, before_us: int, units: Iterable[str] | None, limit: int
) -> list[Entry]:
    """Entries in force whose time ends before then or is over already, the first to end first."""
    row = KnowledgeEntryRow
    query = select(row).where(row.live > 0, row.until_us > 0, row.until_us <= before_us)
    if units is not None:
        query = query.where(row.unit.in_(list(units)))
    ordered = query.order_by(row.until_us, row.id).limit(limit)
    return await _entries(session, list(await session.scalars(ordered)))


async def is_empty(session: AsyncSession) -> bool:
    """Whether there is no entry at all."""
    return await session.scalar(select(KnowledgeEntryRow.id).limit(1)) is None


async def miss(session: AsyncSession, words: str, person: str, now_us: int) -> bool:
    """Count what was searched for in vain; False for nothing, and for what may be a citizen's number."""
    kept = " ".join(words.replace("\0", "").split())[:MISS_LIMIT]
    if not kept or sum(letter.isdigit() for letter in kept) >= _PHONE_DIGITS:
        return False
    await session.execute(_MISSED, {"words": kept, "day": compact_day(now_us), "person": person})
    return True


async def missed(session: AsyncSession, limit: int) -> list[Miss]:
    """未检索到清单: what no entry answers yet, the most often sought first."""
    row = KnowledgeMissRow
    query = (
        select(row.words, func.count(), func.max(row.day))
        .where(row.answered == "")
        .group_by(row.words)
        .order_by(func.count().desc(), func.max(row.day).desc(), row.words)
    )
    return [Miss(*values) for values in await session.execute(query.limit(limit))]


async def _answer(session: AsyncSession, version: Version) -> None:
    row = KnowledgeMissRow
    words = await session.scalars(select(row.words).where(row.answered == "").distinct())
    answered = [one for one in words if ranked([version], one)]
    if answered:
        await session.execute(
            update(row).where(row.answered == "", row.words.in_(answered)).values(answered=version.entry)
        )


async def _entries(session: AsyncSession, rows: list[KnowledgeEntryRow]) -> list[Entry]:
    """With their last versions and those in force, read at once."""
    version = KnowledgeVersionRow
    wanted = [(version.entry == row.id) & version.seq.in_({row.last, row.live} - {0}) for row in rows]
    if not wanted:
        return []
    read = {
        (one.entry, one.seq): _version(one)
        for one in await session.scalars(select(version).where(or_(*wanted)))
    }
    return [Entry(read[row.id, row.last], read.get((row.id, row.live))) for row in rows]


def _row(version: Version) -> KnowledgeVersionRow:
    fields = msgspec.to_builtins(version)
    return KnowledgeVersionRow(**fields.pop("words"), **fields)


def _version(row: KnowledgeVersionRow) -> Version:
    words = {name: getattr(row, name) for name in Words.__struct_fields__}
    fields = {name: getattr(row, name) for name in Version.__struct_fields__ if name != "words"}
    return msgspec.convert(fields | {"words": words}, Version)
