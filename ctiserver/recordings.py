"""Owns the reading of recordings for pages: which calls were recorded, and where one file lies.

The desk's one door to recordings, as `ctiserver.client` is its door to the floor. Who may see what is the
caller's question to answer: `answered_by` narrows everything to the calls that this agent answered.
"""

from __future__ import annotations

from collections.abc import Collection
from datetime import date, timedelta

import msgspec
from sqlalchemy import ColumnElement, exists, or_, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import InstrumentedAttribute

from ctiserver.api.states import Outcome
from ctiserver.archive.errors import OutOfPlace
from ctiserver.archive.rules import Direction, is_conversation
from ctiserver.archive.shelf import inside
from ctiserver.archive.tables import RecordingRow
from ctiserver.store.tables import CallRow, LegRow
from hotline.local_time import day_start_us

__all__ = [
    "Direction", "OutOfPlace", "RecordedCall", "Track", "Wanted", "inside", "last_about", "of_case",
    "path_of", "search",
]  # fmt: skip


class Wanted(msgspec.Struct, frozen=True, kw_only=True):
    """What is looked for; "" and None: any. `citizen` is a number's canonical form (`CallerNumber.key`),
    `agent` one who answered the call, `day` Shanghai's.
    """

    citizen: str = ""
    agent: str = ""
    day: date | None = None


class Track(msgspec.Struct, frozen=True, kw_only=True):
    """One direction of a recording. `is_there`: it can be played; `gap_ms`: how much of the call it lacks."""

    direction: Direction
    is_there: bool
    is_missing: bool
    gap_ms: int


class RecordedCall(msgspec.Struct, frozen=True, kw_only=True):
    """A call and its recording. `number` as it came; `outcome` None when this version does not know it.
    `rating`, `has_remark`: as `CallEnded` has them.
    """

    conversation: str
    started_us: int
    number: str
    seat: str
    agent: str
    outcome: Outcome | None
    talk_ms: int
    is_outbound: bool
    rating: int | None
    """As `CallRow.rating`."""
    has_remark: bool
    tracks: tuple[Track, ...]


async def search(
    session: AsyncSession, wanted: Wanted, limit: int, *, answered_by: str = ""
) -> list[RecordedCall]:
    """The ended calls that the archive has settled, newest first."""
    query = select(CallRow).where(
        CallRow.outcome != "", exists().where(RecordingRow.conversation == CallRow.conversation)
    )
    if wanted.citizen:
        query = query.where(CallRow.citizen == wanted.citizen)
    if wanted.day is not None:
        begin, end = day_start_us(wanted.day), day_start_us(wanted.day + timedelta(days=1))
        query = query.where(CallRow.started_us >= begin, CallRow.started_us < end)
    for agent in filter(None, (wanted.agent, answered_by)):
        query = query.where(_answered(CallRow.conversation, agent))
    ordered = query.order_by(CallRow.started_us.desc(), CallRow.conversation).limit(limit)
    calls = list(await session.scalars(ordered))
    tracks = await tracks_of(session, [call.conversation for call in calls])
    return [_recorded(call, tracks[call.conversation]) for call in calls]


async def of_case(
    session: AsyncSession, case_id: str, conversations: Collection[str], limit: int
) -> list[RecordedCall]:
    """The calls that were made about the case (回访), and these conversations, newest first.

    Those under way and those without a recording are among them.
    """
    is_its = or_(CallRow.about == case_id, CallRow.conversation.in_(conversations))
    query = select(CallRow).where(is_its).order_by(CallRow.started_us.desc(), CallRow.conversation)
    calls = list(await session.scalars(query.limit(limit)))
    tracks = await tracks_of(session, [call.conversation for call in calls])
    return [_recorded(call, tracks[call.conversation]) for call in calls]


async def last_about(session: AsyncSession, case_id: str, agent: str) -> str:
    """The last call that this agent made about the case; "" for none."""
    query = select(CallRow.conversation).where(CallRow.about == case_id, CallRow.agent == agent)
    newest = query.order_by(CallRow.started_us.desc(), CallRow.conversation.desc())
    return await session.scalar(newest.limit(1)) or ""


async def path_of(
    session: AsyncSession, conversation: str, direction: str, *, answered_by: str = ""
) -> str | None:
    """Where the file lies below the directory of recordings (`inside` makes a path of it).

    None when there is none, and when `answered_by` did not answer that call: nobody learns which. A message
    (留言) is for whoever calls back.
    """
    if not is_conversation(conversation) or direction not in set(Direction):
        return None
    query = select(RecordingRow.path).where(
        RecordingRow.conversation == conversation,
        RecordingRow.direction == direction,
        RecordingRow.removed_us == 0,
        RecordingRow.path != "",
    )
    if answered_by:
        is_message = exists().where(
            CallRow.conversation == RecordingRow.conversation, CallRow.outcome == Outcome.MESSAGE.value
        )
        query = query.where(or_(_answered(RecordingRow.conversation, answered_by), is_message))
    path: str | None = await session.scalar(query)
    return path


def _answered(conversation: InstrumentedAttribute[str], agent: str) -> ColumnElement[bool]:
    leg = LegRow
    return exists().where(leg.conversation == conversation, leg.agent == agent, leg.answered_us > 0)


async def tracks_of(session: AsyncSession, conversations: list[str]) -> dict[str, list[Track]]:
    """The recorded directions of each of these conversations."""
    tracks: dict[str, list[Track]] = {conversation: [] for conversation in conversations}
    query = select(RecordingRow).where(RecordingRow.conversation.in_(conversations))
    for row in await session.scalars(query.order_by(RecordingRow.direction)):
        track = Track(
            direction=Direction(row.direction),
            is_there=bool(row.path) and not row.removed_us,
            is_missing=row.is_missing,
            gap_ms=row.gap_ms,
        )
        tracks[row.conversation].append(track)
    return tracks


def _recorded(call: CallRow, tracks: list[Track]) -> RecordedCall:
    known = {outcome.value: outcome for outcome in Outcome}
    return RecordedCall(
        conversation=call.conversation,
        started_us=call.started_us,
        number=call.number,
        seat=call.seat,
        agent=call.agent,
        outcome=known.get(call.outcome),
        talk_ms=call.talk_ms,
        is_outbound=call.is_outbound,
        rating=call.rating,
        has_remark=call.has_remark,
        tracks=tuple(tracks),
    )
