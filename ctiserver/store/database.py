"""Owns the projections in the database: one transaction for each batch of journal entries."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from ctiserver.api.history import History, SeatChanged, Supervised
from ctiserver.store import contacts
from ctiserver.store.fold import CallEvent, Fold, Origin, Row, Rows
from ctiserver.store.port import PROJECTOR, Past, decode
from ctiserver.store.tables import (
    CallbackRow,
    CallRow,
    CheckpointRow,
    JournalEventRow,
    LegRow,
    SeatTimeRow,
    SupervisionRow,
    ThirdPartyAttemptRow,
)
from hotline.db.engine import Database
from hotline.journal import JournalEntry


class DatabaseStore:
    """The `Store` on SQLite or PostgreSQL. `key_of` gives a number's canonical form."""

    def __init__(self, database: Database, key_of: Callable[[str], str]) -> None:
        self._database = database
        self._key_of = key_of

    async def checkpoint(self, journal: str) -> int:
        """Up to which `seq` that journal has been projected."""
        async with self._database.read() as session:
            row = await session.get(CheckpointRow, (journal, PROJECTOR))
            return row.seq if row is not None else 0

    async def project(self, journal: str, node: str, entries: Sequence[JournalEntry]) -> None:
        """Project the entries that are new and move the checkpoint, in one transaction."""
        async with self._database.begin() as session:
            known = await _known(session, entries)
            fresh = {entry.event_id: entry for entry in entries if entry.event_id not in known}
            decoded = {event_id: decode(entry) for event_id, entry in fresh.items()}
            events = {event_id: found.event for event_id, found in decoded.items() if found.event is not None}
            rows = await _touched(session, node, list(events.values()))
            fold = Fold(rows, self._key_of)
            for event_id, event in events.items():
                fold.apply(event, Origin(node=node, event_id=event_id))
            await _save(session, rows.added)
            session.add_all(_event_row(entry, node, decoded[id_].refusal) for id_, entry in fresh.items())
            await _move_checkpoint(session, journal, entries[-1].seq)

    async def refuse(self, journal: str, node: str, entry: JournalEntry, why: str) -> None:
        """Keep an entry that cannot be projected, with the reason."""
        async with self._database.begin() as session:
            if not await _known(session, [entry]):
                session.add(_event_row(entry, node, why))
            await _move_checkpoint(session, journal, entry.seq)

    async def recent(self, key: str, limit: int) -> Past:
        """Last contacts and open cases of a number."""
        return await contacts.recent(self._database, key, limit)


async def _touched(session: AsyncSession, node: str, events: Sequence[History]) -> Rows:
    """The rows there are of these events' conversations and seats: six questions, however many events."""
    conversations = {event.conversation for event in events if isinstance(event, CallEvent)}
    seats = {event.seat for event in events if isinstance(event, SeatChanged)}
    rows = Rows()
    if conversations:
        for call in await session.scalars(select(CallRow).where(CallRow.conversation.in_(conversations))):
            rows.put(call)
        for leg in await session.scalars(select(LegRow).where(LegRow.conversation.in_(conversations))):
            rows.put(leg)
        attempts = ThirdPartyAttemptRow
        for attempt in await session.scalars(
            select(attempts).where(attempts.conversation.in_(conversations))
        ):
            rows.put(attempt)
        kept = select(CallbackRow).where(CallbackRow.conversation.in_(conversations))
        for callback in await session.scalars(kept):
            rows.put(callback)
    watching = {event.leg for event in events if isinstance(event, Supervised) and event.leg}
    if watching:
        table = SupervisionRow
        ongoing = select(table).where(table.node == node, table.leg.in_(watching), table.until_us == 0)
        for supervision in await session.scalars(ongoing):
            rows.put(supervision)
    if seats:
        times = SeatTimeRow
        query = select(times).where(times.node == node, times.seat.in_(seats), times.to_us == 0)
        for time in await session.scalars(query):
            rows.put(time)
    return rows


async def _save(session: AsyncSession, rows: Sequence[Row]) -> None:
    """Write the new rows, calls first: the others refer to them."""
    session.add_all(row for row in rows if isinstance(row, CallRow))
    await session.flush()
    session.add_all(row for row in rows if not isinstance(row, CallRow))
    await session.flush()


async def _known(session: AsyncSession, entries: Sequence[JournalEntry]) -> frozenset[str]:
    """Which of the entries have been projected before."""
    wanted = [entry.event_id for entry in entries]
    query = select(JournalEventRow.event_id).where(JournalEventRow.event_id.in_(wanted))
    return frozenset((await session.scalars(query)).all())


async def _move_checkpoint(session: AsyncSession, journal: str, seq: int) -> None:
    await session.merge(CheckpointRow(journal=journal, projector=PROJECTOR, seq=seq))


def _event_row(entry: JournalEntry, node: str, refusal: str) -> JournalEventRow:
    return JournalEventRow(
        event_id=entry.event_id,
        node=node,
        seq=entry.seq,
        at_us=entry.at_us,
        kind=entry.kind[:40],
        body=entry.body.decode("utf-8", "replace").replace("\0", ""),
        refusal=refusal.replace("\0", ""),
    )
