"""Owns an agent's own figures of the day (今日): calls, talk, wrap-up, how soon they answered.

The desk's door to them, as `ctiserver.missed` is to missed calls. A call counts on the day on which it began.
"""

from __future__ import annotations

import msgspec
from sqlalchemy import case, func, select
from sqlalchemy.ext.asyncio import AsyncSession

from ctiserver.api.states import SeatState
from ctiserver.store.tables import CallRow, LegRow, SeatTimeRow
from hotline.local_time import SECOND_US, day_start_us, local_day


class Workday(msgspec.Struct, frozen=True, kw_only=True):
    """One agent's day until now; what still lasts is not in it."""

    calls: int
    """Conversations in which they talked, calls of their own among them."""
    talk_ms: int
    """With the citizen, holds and consultations included."""
    wrap_up_ms: int
    answered: int
    """Calls that came from a queue and that they were the first to answer."""
    in_time: int
    """Of these, the ones answered within the service level (15秒率, GB/T 33358)."""


async def workday(session: AsyncSession, agent: str, now_us: int, service_level_s: float) -> Workday:
    """The agent's day, by Shanghai's clock. `agent`: their number (工号)."""
    since_us = day_start_us(local_day(now_us))
    is_first = LegRow.answered_us == CallRow.answered_us
    is_in_time = is_first & (CallRow.wait_ms <= round(service_level_s * 1000))
    query = (
        select(
            func.count(LegRow.conversation.distinct()),
            func.sum(LegRow.talk_ms),
            func.sum(case((is_first & CallRow.is_outbound.is_(False), 1), else_=0)),
            func.sum(case((is_in_time & CallRow.is_outbound.is_(False), 1), else_=0)),
        )
        .join(CallRow, CallRow.conversation == LegRow.conversation)
        .where(CallRow.started_us >= since_us, LegRow.agent == agent, LegRow.answered_us > 0)
    )
    calls, talk_ms, answered, in_time = (await session.execute(query)).one()
    return Workday(
        calls=calls,
        talk_ms=int(talk_ms or 0),
        wrap_up_ms=await _wrap_up_ms(session, agent, since_us),
        answered=int(answered or 0),
        in_time=int(in_time or 0),
    )


async def _wrap_up_ms(session: AsyncSession, agent: str, since_us: int) -> int:
    row = SeatTimeRow
    query = select(func.sum(row.to_us - row.from_us)).where(
        row.agent == agent, row.from_us >= since_us, row.state == SeatState.WRAP_UP.value, row.to_us > 0
    )
    return int(await session.scalar(query) or 0) * 1000 // SECOND_US
