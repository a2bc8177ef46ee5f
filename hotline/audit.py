"""Owns the audit trail (审计): who did what to whom and why, in one chain in which every change shows.

The database refuses to change or delete an entry; the chain shows what was done to the file behind its back.
"""

from __future__ import annotations

import hashlib
from collections.abc import AsyncIterator

import msgspec
from sqlalchemy import BigInteger, String, Text, select, text
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Mapped, mapped_column

from hotline.db.base import Base, Utc

_BATCH = 500


class AuditRow(Base):
    """One entry. `seq` counts from 1 and leaves no number out; `hash` covers the entry and `prev_hash`."""

    __tablename__ = "audit"

    seq: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    at_us: Mapped[Utc]
    person: Mapped[str] = mapped_column(String(16))
    role: Mapped[str] = mapped_column(String(16))
    what: Mapped[str] = mapped_column(String(40))
    whom: Mapped[str] = mapped_column(String(120))
    why: Mapped[str] = mapped_column(Text)
    prev_hash: Mapped[str] = mapped_column(String(64), unique=True)
    """Unique: two writers can never go on from the same entry."""
    hash: Mapped[str] = mapped_column(String(64))


class Deed(msgspec.Struct, frozen=True, kw_only=True):
    """What somebody is about to do. `person`: their number (工号); `whom`: the conversation, seat or person
    that it is done to, by its id; `why`: the reason given, "" when none is asked for.
    """

    person: str
    role: str
    what: str
    whom: str
    why: str = ""


class Entry(msgspec.Struct, frozen=True, kw_only=True):
    """A deed as it is kept. `at_us`: UTC microseconds; the hashes are SHA-256 in hexadecimal."""

    seq: int
    at_us: int
    person: str
    role: str
    what: str
    whom: str
    why: str
    prev_hash: str
    hash: str = ""


class Verdict(msgspec.Struct, frozen=True, kw_only=True):
    """What a walk along the chain found: `right` entries from the first one on, then perhaps a break.

    `broken_seq` is 0 when there is none; `head` is the hash of the last right entry, "" without any. Who
    notes it down elsewhere can prove later that nothing before it was written anew.
    """

    right: int
    head: str
    broken_seq: int = 0


def sealed(last: Entry | None, deed: Deed, at_us: int) -> Entry:
    """The entry that follows `last` (None: the first one)."""
    fields = {name: value.replace("\0", "") for name, value in msgspec.structs.asdict(deed).items()}
    seq, head = (last.seq, last.hash) if last is not None else (0, "")
    entry = Entry(seq=seq + 1, at_us=at_us, prev_hash=head, **fields)
    return msgspec.structs.replace(entry, hash=digest(entry))


def digest(entry: Entry) -> str:
    """SHA-256 over the previous entry's hash and this entry's own values, in their order, as JSON."""
    values = [entry.prev_hash, entry.seq, entry.at_us, entry.person, entry.role]
    return hashlib.sha256(msgspec.json.encode([*values, entry.what, entry.whom, entry.why])).hexdigest()


def is_next(last: Entry | None, entry: Entry) -> bool:
    """Whether the entry is whole and follows `last` (None: is the first one)."""
    seq, head = (last.seq, last.hash) if last is not None else (0, "")
    return (entry.seq, entry.prev_hash, entry.hash) == (seq + 1, head, digest(entry))


async def record(session: AsyncSession, deed: Deed, at_us: int) -> Entry:
    """Write the deed at the chain's end; it is kept once the session's transaction is.

    Writers wait for each other: SQLite lets one transaction of `Database.begin` write at a time, on
    PostgreSQL the table is locked until the transaction ends.
    """
    if (await session.connection()).dialect.name == "postgresql":
        await session.execute(text("LOCK TABLE audit IN SHARE ROW EXCLUSIVE MODE"))
    found = await newest(session, 1)
    entry = sealed(found[0] if found else None, deed, at_us)
    session.add(AuditRow(**msgspec.structs.asdict(entry)))
    await session.flush()
    return entry


async def newest(session: AsyncSession, count: int) -> list[Entry]:
    """The last `count` entries, newest first."""
    rows = await session.scalars(select(AuditRow).order_by(AuditRow.seq.desc()).limit(count))
    return [_entry(row) for row in rows]


async def verify(session: AsyncSession) -> Verdict:
    """Walk the whole chain, up to its first break."""
    last: Entry | None = None
    async for entry in _all(session):
        if not is_next(last, entry):
            right, head = (last.seq, last.hash) if last is not None else (0, "")
            return Verdict(right=right, head=head, broken_seq=right + 1)
        last = entry
    return Verdict(right=last.seq, head=last.hash) if last is not None else Verdict(right=0, head="")


async def _all(session: AsyncSession) -> AsyncIterator[Entry]:
    query = select(AuditRow).order_by(AuditRow.seq).execution_options(yield_per=_BATCH)
    async for row in await session.stream_scalars(query):
        yield _entry(row)


def _entry(row: AuditRow) -> Entry:
    return Entry(**{name: getattr(row, name) for name in Entry.__struct_fields__})
