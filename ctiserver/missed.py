"""Owns the list of missed calls (漏接): who called in vain and has not been spoken to since.

The desk's door to it, as `ctiserver.recordings` is to recordings.
"""

from __future__ import annotations

import msgspec
from sqlalchemy import exists, func, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import aliased

from casework.store.claims import Claim, claims_on
from ctiserver.api import way
from ctiserver.api.hooks import MISSED
from ctiserver.api.states import CallbackState, Outcome
from ctiserver.store.tables import CallbackRow, CallRow

WORTH_A_CALL = (MISSED - {Outcome.SHORT_ABANDON}) | {Outcome.CALLBACK, Outcome.MESSAGE}
"""Whoever hung up within seconds has dialled a wrong number or thought better of it. Whoever keeps a place in
line is called back by that, and listed only when it has failed.
"""


class MissedCaller(msgspec.Struct, frozen=True, kw_only=True):
    """A citizen who waits to be called back; `conversation` is their last call in vain."""

    conversation: str
    number: str
    at_us: int
    outcome: str
    wait_ms: int
    message_from_s: int
    """Of a message (留言): at which second of the recording it begins; else 0."""
    calls: int
    """How often they called in vain since somebody last talked with them."""
    tries: int
    """How often the hotline has called them back since, in vain."""
    is_withheld: bool
    """Their number is not known: their message can become a case, and nobody can call them."""
    taken_by: str
    """Who began to work on it (工号) at `taken_us`; "" for nobody."""
    taken_us: int


async def waiting(session: AsyncSession, since_us: int, limit: int) -> list[MissedCaller]:
    """Those who called in vain since then, the longest waiting first; of those who withhold their number only
    the messages. What was worked (`casework.store.claims`) is not listed, nor what came before it.
    """
    later = aliased(CallRow)
    spoken = exists().where(
        CallRow.citizen != "",
        later.citizen == CallRow.citizen,
        later.started_us > CallRow.started_us,
        later.answered_us > 0,
    )
    is_cared_for = exists().where(
        CallbackRow.conversation == CallRow.conversation, CallbackRow.state != CallbackState.FAILED.value
    )
    query = select(CallRow).where(
        CallRow.started_us >= since_us,
        (CallRow.citizen != "") | (CallRow.outcome == Outcome.MESSAGE.value),
        CallRow.is_outbound.is_(False),
        CallRow.outcome.in_([outcome.value for outcome in WORTH_A_CALL]),
        ~spoken,
        ~is_cared_for,
    )
    rows = list(await session.scalars(query.order_by(CallRow.started_us)))
    claims = await claims_on(session, [row.conversation for row in rows])
    by_citizen: dict[str, list[CallRow]] = {}
    for row in rows:
        by_citizen.setdefault(row.citizen or row.conversation, []).append(row)
        if row.conversation in claims and claims[row.conversation].done is not None:
            del by_citizen[row.citizen or row.conversation]
    chosen = dict(list(by_citizen.items())[:limit])
    tries = await _tries(session, list(chosen), since_us)
    return [
        _caller(rows, tries.get(citizen, 0), claims.get(rows[-1].conversation))
        for citizen, rows in chosen.items()
    ]


async def citizen_of(session: AsyncSession, conversation: str) -> str | None:
    """The number (`CallerNumber.key`) of whoever called in vain; "" when withheld, None for no such call."""
    query = select(CallRow.citizen).where(
        CallRow.conversation == conversation,
        CallRow.is_outbound.is_(False),
        CallRow.outcome.in_([outcome.value for outcome in WORTH_A_CALL]),
    )
    found: str | None = await session.scalar(query)
    return found


async def _tries(session: AsyncSession, citizens: list[str], since_us: int) -> dict[str, int]:
    """Calls back in vain, by citizen; one that was answered would have taken them off the list."""
    query = (
        select(CallRow.citizen, func.count())
        .where(
            CallRow.citizen.in_(citizens),
            CallRow.is_outbound.is_(True),
            CallRow.outcome == Outcome.NOT_REACHED.value,
            CallRow.started_us >= since_us,
        )
        .group_by(CallRow.citizen)
    )
    return {citizen: count for citizen, count in await session.execute(query)}


def _caller(rows: list[CallRow], tries: int, claim: Claim | None) -> MissedCaller:
    last = rows[-1]
    return MissedCaller(
        conversation=last.conversation,
        number=last.number,
        at_us=last.started_us,
        outcome=last.outcome,
        wait_ms=last.wait_ms,
        message_from_s=way.seconds(last.ivr_path) if last.outcome == Outcome.MESSAGE.value else 0,
        calls=len(rows),
        tries=tries,
        is_withheld=not last.citizen,
        taken_by=claim.person if claim is not None else "",
        taken_us=claim.at_us if claim is not None else 0,
    )
