"""Owns the day's curves (今日走势): for each quarter of an hour who came to the queues, and how they fared.

The desk's door to them, as `ctiserver.workday` is to an agent's own figures.
"""

from __future__ import annotations

import msgspec
from sqlalchemy import case, func, select
from sqlalchemy.ext.asyncio import AsyncSession

from ctiserver.api.states import Outcome
from ctiserver.store.tables import CallRow
from hotline.local_time import SECOND_US, day_start_us, local_day

SLOT_S = 900
_SLOT_US = SLOT_S * SECOND_US
_GONE = (Outcome.ABANDONED_QUEUE.value, Outcome.ABANDONED_RINGING.value)


class Slot(msgspec.Struct, frozen=True, kw_only=True):
    """A quarter of an hour, by when callers joined a queue; those who still wait are in `calls` alone."""

    at_us: int
    calls: int
    answered: int
    in_time: int
    """Of the answered, those within the service level (15秒率, GB/T 33358)."""
    abandoned: int
    wait_ms: int
    """On average until the answer; 0 when nobody was answered."""


async def curves(session: AsyncSession, now_us: int, service_level_s: float) -> list[Slot]:
    """The day until now by Shanghai's clock, from the first quarter with a caller to the last."""
    since_us = day_start_us(local_day(now_us))
    slot = (CallRow.queued_us - since_us) // _SLOT_US
    is_answered = CallRow.answered_us > 0
    is_in_time = is_answered & (CallRow.wait_ms <= round(service_level_s * 1000))
    query = (
        select(
            slot,
            func.count(),
            func.sum(case((is_answered, 1), else_=0)),
            func.sum(case((is_in_time, 1), else_=0)),
            func.sum(case((CallRow.outcome.in_(_GONE), 1), else_=0)),
            func.sum(case((is_answered, CallRow.wait_ms), else_=0)),
        )
        .where(CallRow.started_us >= since_us - _SLOT_US, CallRow.queued_us.between(since_us, now_us))
        .where(CallRow.is_outbound.is_(False))
        .group_by(slot)
    )
    found = {
        int(place): Slot(
            at_us=since_us + int(place) * _SLOT_US,
            calls=calls,
            answered=int(answered),
            in_time=int(in_time),
            abandoned=int(abandoned),
            wait_ms=int(wait_ms) // int(answered) if answered else 0,
        )
        for place, calls, answered, in_time, abandoned, wait_ms in await session.execute(query)
    }
    if not found:
        return []
    return [
        found.get(place, _empty(since_us + place * _SLOT_US)) for place in range(min(found), max(found) + 1)
    ]


def _empty(at_us: int) -> Slot:
    return Slot(at_us=at_us, calls=0, answered=0, in_time=0, abandoned=0, wait_ms=0)
