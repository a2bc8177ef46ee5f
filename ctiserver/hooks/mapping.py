"""Owns which webhook events a domain event makes, and what must be known of the call for them. Pure."""

from __future__ import annotations

from typing import Any

import msgspec

from ctiserver.api.history import (
    CallAnswered,
    CallEnded,
    CallQueued,
    CallStarted,
    History,
    ThirdPartyCalled,
    ThirdPartyChanged,
)
from ctiserver.api.hooks import (
    MISSED,
    AnsweredHook,
    CallHook,
    EmergencyCalledHook,
    EmergencyChangedHook,
    EndedHook,
    HookCase,
    MissedHook,
    OfferedHook,
    ThirdParty,
    ThreeWayHook,
)
from ctiserver.api.states import AttemptState, CaseBrief
from hotline.local_time import rfc3339


class Party(msgspec.Struct, frozen=True, kw_only=True):
    """A third party, and who asked for it."""

    n: int
    number: str = ""
    label: str = ""
    is_emergency: bool = False
    seat: str = ""
    agent: str = ""


class Facts(msgspec.Struct, frozen=True, kw_only=True):
    """What later events of a call do not repeat. Empty where the journal lacks its beginning."""

    number: str = ""
    dialled: str = ""
    queue: str = ""
    queued_us: int = 0
    wait_ms: int = 0
    seat: str = ""
    agent: str = ""
    parties: tuple[Party, ...] = ()


class Caller(msgspec.Struct, frozen=True, kw_only=True):
    """What the number and the database tell. `cases` is None when the database did not answer in time."""

    place: str = ""
    carrier: str = ""
    cases: tuple[CaseBrief, ...] | None = None


class Origin(msgspec.Struct, frozen=True, kw_only=True):
    """The journal's entry behind an event: its id, its node."""

    event_id: str
    node: str


def learn(facts: Facts, event: History) -> Facts:
    """The facts after this event."""
    match event:
        case CallStarted():
            return msgspec.structs.replace(facts, number=event.number, dialled=event.dnis)
        case CallQueued():
            first_us = facts.queued_us or event.at_us
            return msgspec.structs.replace(facts, queue=event.queue, queued_us=first_us)
        case CallAnswered():
            wait_ms = facts.wait_ms or event.wait_ms
            return msgspec.structs.replace(facts, seat=event.seat, agent=event.agent, wait_ms=wait_ms)
        case ThirdPartyCalled():
            party = Party(
                n=event.n,
                number=event.number,
                label=event.label,
                is_emergency=event.is_emergency,
                seat=event.seat,
                agent=event.agent,
            )
            others = tuple(known for known in facts.parties if known.n != event.n)
            return msgspec.structs.replace(facts, parties=(*others, party))
        case _:
            return facts


def is_emergency_call(event: History) -> bool:
    """Whether `hooks_of` wants to know the caller."""
    return isinstance(event, ThirdPartyCalled) and event.is_emergency


def hooks_of(event: History, facts: Facts, caller: Caller, origin: Origin) -> tuple[CallHook, ...]:
    """What a webhook is told of this event; `facts` are those after it, `caller` counts for an emergency."""
    match event:
        case CallQueued():
            return (OfferedHook(**_call(event, "call.offered", facts, origin), queue=event.queue),)
        case CallAnswered():
            return (
                AnsweredHook(
                    **_call(event, "call.answered", facts, origin),
                    queue=facts.queue,
                    seat=event.seat,
                    agent=event.agent,
                    wait_ms=event.wait_ms,
                ),
            )
        case ThirdPartyCalled():
            return _third_party(event, AttemptState.CALLING, facts, caller, origin)
        case ThirdPartyChanged():
            return _third_party(event, event.state, facts, None, origin)
        case CallEnded():
            return _ended(event, facts, origin)
        case _:
            return ()


def _ended(event: CallEnded, facts: Facts, origin: Origin) -> tuple[CallHook, ...]:
    ended = EndedHook(
        **_call(event, "call.ended", facts, origin),
        queue=facts.queue,
        seat=facts.seat,
        agent=facts.agent,
        outcome=event.outcome,
        wait_ms=event.wait_ms,
        talk_ms=event.talk_ms,
        is_seen=event.is_seen,
        rating=event.rating,
    )
    if event.outcome not in MISSED:
        return (ended,)
    missed = MissedHook(
        **_call(event, "call.missed", facts, origin),
        queue=facts.queue,
        outcome=event.outcome,
        wait_ms=event.wait_ms,
    )
    return (ended, missed)


def _third_party(
    event: ThirdPartyCalled | ThirdPartyChanged,
    state: AttemptState,
    facts: Facts,
    caller: Caller | None,
    origin: Origin,
) -> tuple[CallHook, ...]:
    """For everybody as `call.three_way`, and for the emergency centre first. `caller`: it is called now."""
    party = next((known for known in facts.parties if known.n == event.n), Party(n=event.n))
    who: dict[str, Any] = {
        "seat": party.seat,
        "agent": party.agent,
        "third": ThirdParty(n=party.n, number=party.number, label=party.label, state=state),
    }
    three_way = ThreeWayHook(**_call(event, "call.three_way", facts, origin), **who)
    if not party.is_emergency:
        return (three_way,)
    if caller is None:
        changed = EmergencyChangedHook(**_call(event, "emergency.changed", facts, origin), **who)
        return (changed, three_way)
    called = EmergencyCalledHook(
        **_call(event, "emergency.called", facts, origin),
        **who,
        place=caller.place,
        carrier=caller.carrier,
        queue=facts.queue,
        queued=rfc3339(facts.queued_us) if facts.queued_us else "",
        wait_ms=facts.wait_ms,
        cases=tuple(_case(case) for case in caller.cases or ()),
        has_cases=caller.cases is not None,
    )
    return (called, three_way)


def _call(event: Any, kind: str, facts: Facts, origin: Origin) -> dict[str, Any]:
    """What every event of a call says."""
    return {
        "id": hook_id(origin.event_id, kind),
        "at": rfc3339(event.at_us),
        "node": origin.node,
        "conversation": event.conversation,
        "dialled": facts.dialled,
        "number": facts.number,
    }


def _case(case: CaseBrief) -> HookCase:
    return HookCase(number=case.number, title=case.title, unit=case.unit, opened=rfc3339(case.opened_us))


def hook_id(event_id: str, kind: str) -> str:
    """An id without a full stop, which parts the signed words (Standard Webhooks)."""
    return f"{event_id}-{kind.replace('.', '_')}"
