"""Owns what each command does: accept it with its effects, or refuse it by name. That it took effect, an
event will say.
"""

from __future__ import annotations

import re

from ctiserver.api.commands import (
    Actor,
    CallCommand,
    Code,
    Command,
    Complete,
    Consult,
    Drop,
    EmergencyCall,
    HangUp,
    Hold,
    Leave,
    Merge,
    NotReady,
    Ready,
    Refusal,
    Requeue,
    Retrieve,
    SignIn,
    SignOut,
    ThreeWay,
    Transfer,
    Withdraw,
    WrapUp,
    refuse,
)
from ctiserver.api.history import ThirdPartyCalled
from ctiserver.api.states import Role, SeatState
from ctiserver.model import calls, consult, seats
from ctiserver.model.effects import HangUpChannel
from ctiserver.model.state import (
    SIGNED_IN_REASON,
    Attempt,
    Call,
    Leg,
    SeatPlace,
    State,
    is_held,
    is_third_present,
    open_attempt,
)

Answer = dict[str, str] | Refusal

_SHOWN_NUMBER = re.compile(r"\+?[0-9]{3,15}")


def command(state: State, actor: Actor, asked: Command) -> Answer:
    """Do what an agent at `actor.seat` asks, or refuse."""
    if not state.linked:
        return refuse(Code.SWITCH_DOWN)
    seat = state.seats.get(actor.seat)
    if seat is None:
        return refuse(Code.NO_SEAT)
    if isinstance(asked, SignIn):
        return sign_in(state, seat, actor, asked)
    if seat.agent != actor.person:
        return refuse(Code.NOT_SIGNED_IN)
    if isinstance(asked, SignOut | Ready | NotReady | WrapUp):
        return seat_command(state, seat, asked)
    return call_command(state, seat, asked)


def sign_in(state: State, seat: SeatPlace, actor: Actor, asked: SignIn) -> Answer:
    """签入: one agent, one seat."""
    if seat.agent == actor.person:
        return {}
    if seat.agent:
        return refuse(Code.SEAT_TAKEN)
    if any(other.agent == actor.person for other in state.seats.values()):
        return refuse(Code.AGENT_ELSEWHERE)
    seats.take(state, seat, actor.person, actor.name)
    seat.mode = SeatState.READY if asked.ready else SeatState.NOT_READY
    seat.reason = "" if asked.ready else SIGNED_IN_REASON
    seats.join_queue(state, seat)
    return {}


def seat_command(state: State, seat: SeatPlace, asked: SignOut | Ready | NotReady | WrapUp) -> Answer:
    """A change of the seat's own mode; during a call it waits for the call's end."""
    leg = state.legs.get(seat.leg)
    if isinstance(asked, NotReady) and asked.reason not in state.rules.reasons:
        return refuse(Code.UNKNOWN_REASON)
    if leg is None:
        return change_mode(state, seat, asked)
    match asked:
        case Ready():
            seat.next_mode, seat.next_reason = SeatState.READY, ""
        case NotReady(reason):
            seat.next_mode, seat.next_reason = SeatState.NOT_READY, reason
            if not leg.joined_mono:
                seats.want(state, seat, SeatState.NOT_READY, reason)
        case SignOut() | WrapUp():
            return refuse(Code.IN_CALL)
    return {}


def change_mode(state: State, seat: SeatPlace, asked: SignOut | Ready | NotReady | WrapUp) -> Answer:
    """A change of mode outside a call."""
    match asked:
        case Ready():
            seats.want(state, seat, SeatState.READY)
        case NotReady(reason):
            seats.want(state, seat, SeatState.NOT_READY, reason)
        case WrapUp():
            seats.want(state, seat, SeatState.WRAP_UP)
        case SignOut():
            seats.leave_queue(state, seat)
            seats.vacate(state, seat)
    return {}


def call_command(state: State, seat: SeatPlace, asked: CallCommand) -> Answer:
    """Something about the call that the seat talks in."""
    leg = state.legs.get(seat.leg)
    call = state.calls.get(leg.call) if leg is not None else None
    citizen = state.citizen_of(call) if call is not None else None
    if leg is None or call is None or citizen is None or not leg.joined_mono:
        return refuse(Code.SEAT_NOT_TALKING)
    match asked:
        case ThreeWay(number) | EmergencyCall(number) | Consult(number) | Transfer(number):
            return call_third(state, seat, leg, call, asked, number)
        case Hold() | Retrieve() | Merge() | Complete() | Requeue():
            return consult.arrange(state, leg, call, asked) or {}
        case HangUp():
            state.do(HangUpChannel(state.ref(f"seat:{seat.id}"), citizen.channel))
        case Leave():
            if is_held(call) or not is_third_present(call):
                return refuse(Code.NO_THIRD_PARTY)
            state.do(HangUpChannel(state.ref(f"seat:{seat.id}"), leg.channel))
        case Drop(uid):
            return drop(state, seat, call, uid)
        case Withdraw(n):
            return withdraw(state, call, n)
    return {}


def call_third(
    state: State,
    seat: SeatPlace,
    leg: Leg,
    call: Call,
    asked: ThreeWay | EmergencyCall | Consult | Transfer,
    number: str,
) -> Answer:
    """Call a third party: into the room (三方), beside the held citizen (咨询), or for the seat (盲转)."""
    allowed = state.rules.emergency if isinstance(asked, EmergencyCall) else state.rules.directory
    if number not in allowed:
        return refuse(Code.BAD_NUMBER)
    if open_attempt(call) is not None:
        return refuse(Code.THIRD_PARTY_PENDING)
    is_apart = isinstance(asked, Consult)
    attempt = begin_attempt(state, seat, call, number)
    ref = state.ref(f"attempt:{call.uid}:{attempt.n}")
    shown = call.number if attempt.is_emergency and _SHOWN_NUMBER.fullmatch(call.number) else ""
    consult.call_out(state, ref, leg, call, attempt, shown, apart=is_apart)
    if isinstance(asked, Transfer):
        state.do(HangUpChannel(ref, leg.channel))
    for other in call.legs.values():
        state.touch(other)
    return {"conversation": call.id, "n": str(attempt.n)}


def begin_attempt(state: State, seat: SeatPlace, call: Call, number: str) -> Attempt:
    """The next attempt of this call, kept before anything is asked of the switch."""
    is_emergency = number in state.rules.emergency
    label = number if is_emergency else state.rules.directory[number]
    attempt = Attempt(
        n=len(call.attempts) + 1,
        number=number,
        label=label,
        is_emergency=is_emergency,
        asked_us=state.now.utc_us,
    )
    call.attempts.append(attempt)
    state.record(
        ThirdPartyCalled(
            conversation=call.id,
            at_us=state.now.utc_us,
            n=attempt.n,
            number=number,
            label=label,
            is_emergency=is_emergency,
            seat=seat.id,
            agent=seat.agent,
        )
    )
    return attempt


def drop(state: State, seat: SeatPlace, call: Call, uid: str) -> Answer:
    """Take a third party out of the room."""
    third = call.legs.get(uid)
    if third is None or third.role is not Role.THIRD_PARTY or not third.joined_mono:
        return refuse(Code.NO_SUCH_LEG)
    state.do(HangUpChannel(state.ref(f"seat:{seat.id}"), third.channel))
    return {}


def withdraw(state: State, call: Call, n: int) -> Answer:
    """Stop calling a third party; a channel that appears for it later is hung up at once."""
    attempt = next((attempt for attempt in call.attempts if attempt.n == n), None)
    if attempt is None or not attempt.state.is_open:
        return refuse(Code.NO_SUCH_LEG)
    calls.withdraw(state, call, n)
    return {}
