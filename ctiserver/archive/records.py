"""Owns the database side of the archive: which calls are over, what is recorded of them, what is due."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
from sqlalchemy import ColumnElement, exists, func, or_, select, update

from ctiserver.archive.rules import Call, Direction, Kept, call_ms
from ctiserver.archive.tables import RecordingRow
from ctiserver.store.tables import CallRow
from hotline.db.engine import Database


class Recording(msgspec.Struct, frozen=True, kw_only=True):
    """What the archive writes about one direction: the columns of `RecordingRow`."""

    conversation: str
    direction: Direction
    path: str = ""
    bytes: int = 0
    duration_ms: int = 0
    sha256: str = ""
    from_us: int
    is_missing: bool
    gap_ms: int
    kept_us: int
    expires_us: int
    removed_us: int = 0


class Records:
    """The records of one node's recordings."""

    def __init__(self, database: Database, node: str) -> None:
        self._database = database
        self._node = node

    async def known(self, conversations: Sequence[str]) -> list[Call]:
        """Those of the conversations that the database knows; `ended_us` is 0 while one lasts."""
        query = select(CallRow).where(CallRow.conversation.in_(conversations))
        async with self._database.read() as session:
            return [_call(row) for row in await session.scalars(query)]

    async def kept(self, conversations: Sequence[str]) -> dict[tuple[str, Direction], Kept]:
        """What is recorded of the conversations."""
        query = select(RecordingRow).where(RecordingRow.conversation.in_(conversations))
        async with self._database.read() as session:
            rows = [_kept(row) for row in await session.scalars(query)]
        return {(row.conversation, row.direction): row for row in rows}

    async def newest_start_us(self) -> int:
        """When the node's last known call began, 0 without any."""
        async with self._database.read() as session:
            query = select(func.max(CallRow.started_us)).where(CallRow.node == self._node)
            return await session.scalar(query) or 0

    async def unrecorded(self, since_us: int, after: tuple[int, str], limit: int) -> list[Call]:
        """Ended calls that should have been recorded and have no row, begun at `since_us` or later.

        In the order of beginning and id; `after` is where the last page ended.
        """
        recorded = exists().where(RecordingRow.conversation == CallRow.conversation)
        query = (
            select(CallRow)
            .where(CallRow.started_us >= since_us, CallRow.node == self._node, CallRow.outcome != "")
            .where(_is_expected(), ~recorded, _is_after(after))
            .order_by(CallRow.started_us, CallRow.conversation)
            .limit(limit)
        )
        async with self._database.read() as session:
            return [_call(row) for row in await session.scalars(query)]

    async def write(self, recordings: Sequence[Recording]) -> None:
        """Write them in one transaction, over what stood there for the same direction."""
        async with self._database.begin() as session:
            for recording in recordings:
                await session.merge(RecordingRow(**msgspec.structs.asdict(recording)))

    async def expired(self, now_us: int, begun_until_us: int, limit: int) -> list[Kept]:
        """Files whose own time is over by `now_us` and which begin no later than that, longest over first."""
        query = (
            select(RecordingRow)
            .where(RecordingRow.removed_us == 0, RecordingRow.expires_us <= now_us, RecordingRow.path != "")
            .where(RecordingRow.from_us <= begun_until_us)
            .where(RecordingRow.conversation.startswith(f"{self._node}-", autoescape=True))
            .order_by(RecordingRow.expires_us)
            .limit(limit)
        )
        async with self._database.read() as session:
            return [_kept(row) for row in await session.scalars(query)]

    async def removed(self, kept: Kept, at_us: int) -> None:
        """The file has gone; the row stays and says since when."""
        row = RecordingRow
        of = (row.conversation == kept.conversation, row.direction == kept.direction.value)
        async with self._database.begin() as session:
            await session.execute(update(row).where(*of).values(removed_us=at_us))


def _is_expected() -> ColumnElement[bool]:
    return or_(CallRow.queued_us > 0, CallRow.answered_us > 0)


def _is_after(after: tuple[int, str]) -> ColumnElement[bool]:
    started_us, conversation = after
    later = (CallRow.started_us == started_us) & (CallRow.conversation > conversation)
    return or_(CallRow.started_us > started_us, later)


def _call(row: CallRow) -> Call:
    return Call(
        conversation=row.conversation,
        uid=row.conversation.removeprefix(f"{row.node}-"),
        started_us=row.started_us,
        ended_us=row.ended_us if row.outcome else 0,
        call_ms=call_ms(row.started_us, row.queued_us, row.wait_ms, row.talk_ms),
        is_expected=bool(row.queued_us or row.answered_us),
    )


def _kept(row: RecordingRow) -> Kept:
    return Kept(
        conversation=row.conversation,
        direction=Direction(row.direction),
        path=row.path,
        sha256=row.sha256,
        is_missing=row.is_missing,
        from_us=row.from_us,
        expires_us=row.expires_us,
        removed_us=row.removed_us,
    )
