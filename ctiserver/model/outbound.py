"""Owns the calls that agents make (外呼): the agent's own phone is rung first, then the citizen's.

The citizen's Uniqueid is ours from the start, so that the conversation has its name before anybody is rung.
"""

from __future__ import annotations

from ctiserver.api.commands import Code, Dial, Refusal, refuse
from ctiserver.api.history import CallStarted
from ctiserver.api.pushes import Notice
from ctiserver.api.states import NOT_REACHED_ZH, AttemptState
from ctiserver.model import callbacks, calls, quotas
from ctiserver.model.effects import CallSeat, CallThirdParty
from ctiserver.model.state import Call, SeatPlace, State, seat_call_uid
from ctiserver.model.targets import may_call


def dial(state: State, seat: SeatPlace, asked: Dial) -> dict[str, str] | Refusal:
    """Ring the agent's phone; the citizen is rung when the agent has picked up."""
    if seat.leg:
        return refuse(Code.IN_CALL)
    if not seat.phone_up:
        return refuse(Code.SEAT_UNAVAILABLE)
    if not may_call(state, asked.number):
        return refuse(Code.BAD_NUMBER)
    if is_dialling(state, seat):
        return refuse(Code.IN_CALL)
    if (refusal := quotas.refusal(state, seat.agent, asked.number)) is not None:
        return refusal
    call = begin(state, seat, asked)
    ring_agent(state, call, seat)
    return {"conversation": call.id}


def is_dialling(state: State, seat: SeatPlace) -> bool:
    """Its phone has been asked for already, and has not rung yet."""
    return any(call.is_outbound and call.by_seat == seat.id for call in state.calls.values())


def begin(state: State, seat: SeatPlace, asked: Dial, *, is_promised: bool = False) -> Call:
    """Open the conversation and keep it."""
    now = state.now
    uid = fresh_uid(state)
    call = calls.provisional(state, uid)
    call.citizen, call.number, call.is_outbound, call.by_seat = uid, asked.number, True, seat.id
    call.started_us, call.started_mono = now.utc_us, now.mono_us
    started = CallStarted(
        conversation=call.id,
        at_us=now.utc_us,
        uid=uid,
        number=asked.number,
        name="",
        dnis="",
        is_outbound=True,
        seat=seat.id,
        agent=seat.agent,
        about=asked.about,
        is_promised=is_promised,
    )
    state.record(started)
    quotas.note(state.dialled, started)
    calls.look_up(state, call)
    return call


def ring_agent(state: State, call: Call, seat: SeatPlace) -> None:
    """The phone of the agent who makes the call rings first."""
    ref = state.ref(f"dial:{call.uid}")
    state.do(CallSeat(ref, seat_call_uid(call.uid, 0), seat.id, call.uid, call.number, "room-dial"))


def fresh_uid(state: State) -> str:
    """A citizen's Uniqueid that no call has yet: two may begin at one instant."""
    at_us = state.now.utc_us
    while (uid := f"{at_us // 1_000_000}.{at_us % 1_000_000:06d}") in state.calls:
        at_us += 1
    return uid


def on_seat_ready(state: State, call: Call) -> None:
    """The agent has picked up: now the citizen is rung, once."""
    if call.is_citizen_called:
        return
    if not callbacks.is_wanted(state, call):
        calls.end_dialling(state, call, AttemptState.WITHDRAWN)
        return
    call.is_citizen_called = True
    ref = state.ref(f"dial:{call.uid}")
    state.do(CallThirdParty(ref, call.uid, call.number, call.uid, "", context="room-called"))


def tell_not_reached(state: State, call: Call, why: AttemptState) -> None:
    """Say at the seat why nobody talks."""
    word = NOT_REACHED_ZH.get(why, NOT_REACHED_ZH[AttemptState.UNREACHABLE])
    state.tell(Notice(call.by_seat, "not_reached", word))
