"""Owns the reading of hand-overs (移交): who was put through to 110, 119, 120 or 122, and what came of it.

The desk's door to them, as `ctiserver.recordings` is to recordings.
"""

from __future__ import annotations

import msgspec
from sqlalchemy import Select, select, tuple_
from sqlalchemy.ext.asyncio import AsyncSession

from ctiserver.recordings import Track, tracks_of
from ctiserver.store.tables import CallRow, ThirdPartyAttemptRow

CONVERSATION_FORM = r"[a-z][a-z0-9_]{0,30}-[0-9]{1,12}\.[0-9]{1,12}"


class HandOver(msgspec.Struct, frozen=True, kw_only=True):
    """One call to an emergency service for a citizen. Times are UTC microseconds, 0 for never."""

    conversation: str
    n: int
    """The n-th third party of the conversation."""
    service: str
    """The number that was called."""
    state: str
    at_us: int
    answered_us: int
    ended_us: int
    seat: str
    agent: str
    number: str
    """The citizen's, as it came; "" when withheld."""
    dialled: str


async def search(
    session: AsyncSession, since_us: int, before: tuple[int, str, int] | None, limit: int
) -> list[HandOver]:
    """Those since then, newest first; `before`: only what comes after this one (time, conversation, n)."""
    row = ThirdPartyAttemptRow
    query = _all().where(row.is_emergency, row.asked_us >= since_us)
    if before is not None:
        query = query.where(tuple_(row.asked_us, row.conversation, row.n) < tuple_(*before))
    ordered = query.order_by(row.asked_us.desc(), row.conversation.desc(), row.n.desc()).limit(limit)
    return [_hand_over(attempt, call) for attempt, call in await session.execute(ordered)]


async def find(session: AsyncSession, conversation: str, n: int) -> HandOver | None:
    """The n-th third party of the conversation, if it was an emergency service."""
    row = ThirdPartyAttemptRow
    query = _all().where(row.is_emergency, row.conversation == conversation, row.n == n)
    found = [_hand_over(attempt, call) for attempt, call in await session.execute(query)]
    return found[0] if found else None


async def recording_of(session: AsyncSession, conversation: str) -> list[Track]:
    """The recording of the call that was handed over, as far as the archive has settled it."""
    return (await tracks_of(session, [conversation]))[conversation]


def _all() -> Select[ThirdPartyAttemptRow, CallRow]:
    row = ThirdPartyAttemptRow
    return select(row, CallRow).join(CallRow, CallRow.conversation == row.conversation)


def _hand_over(row: ThirdPartyAttemptRow, call: CallRow) -> HandOver:
    return HandOver(
        conversation=row.conversation,
        n=row.n,
        service=row.number,
        state=row.state,
        at_us=row.asked_us,
        answered_us=row.answered_us,
        ended_us=row.ended_us,
        seat=row.seat,
        agent=row.agent,
        number=call.number,
        dialled=call.dnis,
    )
