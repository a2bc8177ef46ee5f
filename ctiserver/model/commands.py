"""Owns what each command does: accept it with its effects, or refuse it by name. That it took effect, an
event will say.
"""

from __future__ import annotations

from typing import assert_never

from ctiserver.api.commands import (
    Actor,
    CallCommand,
    Code,
    Command,
    Complete,
    Consult,
    Dial,
    Drop,
    EmergencyCall,
    HangUp,
    Hold,
    Keys,
    Leave,
    LowerHand,
    Merge,
    Mute,
    NotReady,
    OpenPhone,
    PauseRecording,
    RaiseHand,
    Rate,
    Ready,
    Refusal,
    Requeue,
    ResumeRecording,
    Retrieve,
    SeatCommand,
    SignIn,
    SignOut,
    SuperviseCommand,
    TakeUp,
    ThreeWay,
    Transfer,
    Unmute,
    Withdraw,
    WithdrawRest,
    WrapUp,
    refuse,
)
from ctiserver.api.pushes import Notice
from ctiserver.api.states import SIGNED_OUT_ELSEWHERE_ZH, Role, SeatState
from ctiserver.model import attempts, consult, handset, outbound, rests, seats, supervise
from ctiserver.model.effects import HangUpChannel
from ctiserver.model.state import (
    SIGNED_IN_REASON,
    Attempt,
    Call,
    Leg,
    SeatPlace,
    State,
    is_accompanied,
    is_held,
    open_attempt,
)
from ctiserver.model.targets import Calling, at_seat, target_of

Answer = dict[str, str] | Refusal


def command(state: State, actor: Actor, asked: Command) -> Answer:
    """Do what an agent at `actor.seat` or a supervisor asks, or refuse."""
    if not state.linked:
        return refuse(Code.SWITCH_DOWN)
    if isinstance(asked, SuperviseCommand):
        return supervise.command(state, actor, asked)
    seat = state.seats.get(actor.seat)
    if seat is None:
        return refuse(Code.NO_SEAT)
    if isinstance(asked, SignIn):
        return sign_in(state, seat, actor, asked)
    if seat.agent != actor.person:
        return refuse(Code.NOT_SIGNED_IN)
    if isinstance(asked, SeatCommand):
        return seat_command(state, seat, asked)
    if isinstance(asked, Dial):
        return outbound.dial(state, seat, asked)
    return call_command(state, seat, asked)


def sign_in(state: State, seat: SeatPlace, actor: Actor, asked: SignIn) -> Answer:
    """签入: one agent, one seat."""
    if seat.agent == actor.person:
        return {}
    if seat.agent:
        return refuse(Code.SEAT_TAKEN)
    if (refusal := leave_other_seat(state, actor, asked)) is not None:
        return refusal
    seats.take(state, seat, actor.person, actor.name)
    seat.mode = SeatState.READY if asked.ready else SeatState.NOT_READY
    seat.reason = "" if asked.ready else SIGNED_IN_REASON
    seats.join_queue(state, seat)
    return {}


def leave_other_seat(state: State, actor: Actor, asked: SignIn) -> Refusal | None:
    """顶号: whoever asks for it is signed out where they sat before, and that place is told."""
    other = next((seat for seat in state.seats.values() if seat.agent == actor.person), None)
    if other is None:
        return None
    if not asked.force:
        return refuse(Code.AGENT_ELSEWHERE)
    if other.leg:
        return refuse(Code.AGENT_IN_CALL)
    seats.leave_queue(state, other)
    seats.vacate(state, other)
    state.tell(Notice(other.id, "signed_in_elsewhere", SIGNED_OUT_ELSEWHERE_ZH.format(seat=actor.seat)))
    return None


def seat_command(state: State, seat: SeatPlace, asked: SeatCommand) -> Answer:
    """A change of the seat's own mode; during a call it waits for the call's end."""
    leg = state.legs.get(seat.leg)
    if isinstance(asked, SignIn):
        raise AssertionError("a sign-in has its own way")
    if isinstance(asked, RaiseHand | LowerHand):
        seats.raise_hand(state, seat, isinstance(asked, RaiseHand))
        return {}
    if isinstance(asked, WithdrawRest):
        return rests.withdraw(state, seat) or {}
    if isinstance(asked, OpenPhone):
        return seats.open_phone(state, seat, asked.secret) or {}
    if isinstance(asked, NotReady) and asked.reason not in state.rules.reasons:
        return refuse(Code.UNKNOWN_REASON)
    if isinstance(asked, NotReady) and rests.needs_word(state, asked.reason):
        rests.ask(state, seat, asked.reason)
        return {}
    if leg is None:
        return change_mode(state, seat, asked)
    match asked:
        case Ready():
            seat.next_mode, seat.next_reason = SeatState.READY, ""
            state.dirty_seats.add(seat.id)
        case NotReady(reason):
            seats.be_not_ready(state, seat, reason)
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
    if leg.context == "held-third":
        return refuse(Code.SEAT_NOT_TALKING)
    match asked:
        case Transfer(queue=named) if named:
            return consult.arrange(state, leg, call, asked) or {}
        case ThreeWay() | EmergencyCall() | Consult() | Transfer():
            return call_third(state, seat, leg, call, asked)
        case Keys() | Mute() | Unmute() | PauseRecording() | ResumeRecording():
            return handset.operate(state, seat, leg, call, asked) or {}
        case TakeUp():
            return take_up(state, seat, leg, call)
        case Hold() | Retrieve() | Merge() | Complete() | Requeue() | Rate():
            return consult.arrange(state, leg, call, asked) or {}
        case HangUp():
            state.do(HangUpChannel(state.ref(f"seat:{seat.id}"), citizen.channel))
        case Leave():
            if is_held(call) or not is_accompanied(call, leg):
                return refuse(Code.NO_THIRD_PARTY)
            state.do(HangUpChannel(state.ref(f"seat:{seat.id}"), leg.channel))
        case Drop(uid):
            return drop(state, seat, call, uid)
        case Withdraw(n):
            return withdraw(state, call, n)
        case _:
            assert_never(asked)
    return {}


def call_third(state: State, seat: SeatPlace, leg: Leg, call: Call, asked: Calling) -> Answer:
    """Call somebody: into the room (三方), beside the held citizen (咨询), or in the seat's place (盲转)."""
    target = target_of(state, seat, asked)
    if isinstance(target, Refusal):
        return target
    if open_attempt(call) is not None:
        return refuse(Code.THIRD_PARTY_PENDING)
    is_apart = isinstance(asked, Consult)
    attempt = attempts.begin(state, call, target, by_seat=seat.id, by_agent=seat.agent, is_apart=is_apart)
    if isinstance(asked, Transfer):
        return give_to(state, leg, call, attempt)
    ref = state.ref(f"attempt:{call.uid}:{attempt.n}")
    consult.make_room(state, ref, leg, call, apart=is_apart)
    attempts.ring(state, ref, call, attempt)
    return begun(state, call, attempt)


def give_to(state: State, leg: Leg, call: Call, attempt: Attempt) -> Answer:
    """The seat's leg goes at once, and the citizen waits for whom the attempt calls."""
    ref = state.ref(f"attempt:{call.uid}:{attempt.n}")
    consult.give_away(state, ref, leg, call)
    attempts.ring(state, ref, call, attempt)
    consult.let_go(state, leg)
    return begun(state, call, attempt)


def begun(state: State, call: Call, attempt: Attempt) -> Answer:
    """What is told of an attempt that was begun."""
    for leg in call.legs.values():
        state.touch(leg)
    return {"conversation": call.id, "n": str(attempt.n)}


def take_up(state: State, seat: SeatPlace, leg: Leg, call: Call) -> Answer:
    """接回: the phone in the page has no sound any more; it is called anew, in its own place."""
    if seat.id not in state.rules.softphones:
        return refuse(Code.NO_SOFTPHONE)
    if open_attempt(call) is not None:
        return refuse(Code.THIRD_PARTY_PENDING)
    attempt = attempts.begin(state, call, at_seat(seat), by_seat=seat.id, by_agent=seat.agent)
    seat.leg = ""  # for the new leg, which may come before the old one's end
    state.dirty_seats.add(seat.id)
    return give_to(state, leg, call, attempt)


def drop(state: State, seat: SeatPlace, call: Call, uid: str) -> Answer:
    """Take somebody whom we called out of the room."""
    third = call.legs.get(uid)
    if third is None or third.role is Role.CITIZEN or third.seat == seat.id or not third.joined_mono:
        return refuse(Code.NO_SUCH_LEG)
    state.do(HangUpChannel(state.ref(f"seat:{seat.id}"), third.channel))
    return {}


def withdraw(state: State, call: Call, n: int) -> Answer:
    """Stop calling a third party; a channel that appears for it later is hung up at once."""
    attempt = next((attempt for attempt in call.attempts if attempt.n == n), None)
    if attempt is None or not attempt.state.is_open:
        return refuse(Code.NO_SUCH_LEG)
    attempts.withdraw(state, call, n)
    return {}
