"""Owns what supervisors (班长) may do, and to whom: each command accepted with its effects and its record, or
refused by name. The rights are checked here, whatever stands before it.
"""

from __future__ import annotations

from typing import assert_never

from ctiserver.api.commands import (
    Actor,
    Code,
    Refusal,
    SuperviseAnswerHand,
    SuperviseBarge,
    SuperviseCancelCallback,
    SuperviseCommand,
    SuperviseGrantRest,
    SuperviseGrantRestOver,
    SuperviseHangUp,
    SuperviseListen,
    SuperviseMessage,
    SuperviseNotReady,
    SupervisePick,
    SuperviseQueues,
    SuperviseRaise,
    SuperviseReady,
    SuperviseRefuseRest,
    SuperviseSignOut,
    SuperviseStop,
    SuperviseTakeOver,
    SuperviseWhisper,
    SuperviseWrapUp,
    refuse,
)
from ctiserver.api.history import Supervised
from ctiserver.api.pushes import Message, Notice
from ctiserver.api.states import SUPERVISED_ZH, Action, Oversight, SeatState
from ctiserver.model import attempts, callbacks, consult, lines, rests, seats, spying
from ctiserver.model.effects import CallSupervisor, HangUpChannel, RaiseCaller
from ctiserver.model.state import (
    Call,
    Leg,
    SeatPlace,
    State,
    Watch,
    is_held,
    open_attempt,
    side_room,
    supervisor_uid,
)

Answer = dict[str, str] | Refusal
Hearing = SuperviseListen | SuperviseWhisper | SuperviseBarge | SuperviseTakeOver
Forcing = SuperviseReady | SuperviseNotReady | SuperviseWrapUp | SuperviseSignOut

RAISED = 15
"""QUEUE_PRIO of a raised caller: before those who come back (10), behind emergencies (20)."""

_ROLES = frozenset(("supervisor", "admin"))
_HEARD: dict[type[Hearing], Oversight] = {
    SuperviseListen: Oversight.LISTEN,
    SuperviseWhisper: Oversight.WHISPER,
    SuperviseBarge: Oversight.BARGE,
    SuperviseTakeOver: Oversight.TAKE_OVER,
}
_FORCED: dict[type[Forcing], tuple[Oversight, SeatState]] = {
    SuperviseReady: (Oversight.READY, SeatState.READY),
    SuperviseNotReady: (Oversight.NOT_READY, SeatState.NOT_READY),
    SuperviseWrapUp: (Oversight.WRAP_UP, SeatState.WRAP_UP),
    SuperviseSignOut: (Oversight.SIGN_OUT, SeatState.SIGNED_OUT),
}
_HEARING_ACTIONS = (
    Action.SUPERVISE_LISTEN,
    Action.SUPERVISE_WHISPER,
    Action.SUPERVISE_BARGE,
    Action.SUPERVISE_TAKE_OVER,
    Action.SUPERVISE_HANG_UP,
)
_REST_ACTIONS = (
    Action.SUPERVISE_GRANT_REST,
    Action.SUPERVISE_GRANT_REST_OVER,
    Action.SUPERVISE_REFUSE_REST,
)


def command(state: State, actor: Actor, asked: SuperviseCommand) -> Answer:
    """Do what a supervisor asks, or refuse."""
    if actor.role not in _ROLES:
        return refuse(Code.NOT_ALLOWED)
    match asked:
        case SuperviseListen() | SuperviseWhisper() | SuperviseBarge() | SuperviseTakeOver():
            return hear(state, actor, asked)
        case SuperviseStop():
            return stop(state, actor)
        case SuperviseHangUp():
            return hang_up(state, actor, asked)
        case SuperviseReady() | SuperviseNotReady() | SuperviseWrapUp() | SuperviseSignOut():
            return force(state, actor, asked)
        case SupervisePick():
            return pick(state, actor, asked)
        case SuperviseRaise():
            return put_first(state, actor, asked)
        case SuperviseMessage():
            return write(state, actor, asked)
        case SuperviseAnswerHand():
            return answer_hand(state, actor, asked)
        case SuperviseGrantRest() | SuperviseGrantRestOver() | SuperviseRefuseRest():
            return answer_rest(state, actor, asked)
        case SuperviseCancelCallback():
            return cancel_callback(state, actor, asked)
        case SuperviseQueues():
            return assign(state, actor, asked)
        case _:
            assert_never(asked)


def hear(state: State, actor: Actor, asked: Hearing) -> Answer:
    """监听, 密语, 插入 or 拦截: with the phone that runs already, or by ringing it."""
    if actor.seat not in state.rules.supervisors:
        return refuse(Code.NO_PHONE)
    found = talking(state, asked.seat)
    if isinstance(found, Refusal):
        return found
    seat, call = found
    what = _HEARD[type(asked)]
    mine = in_use(state, actor.seat)
    if mine is not None:
        return switch(state, mine, call, seat, what, asked.why)
    watch = Watch(n=len(call.watches) + 1, phone=actor.seat, seat=seat.seat, what=what)
    watch.person, watch.name, watch.why = actor.person, actor.name, asked.why
    call.watches[watch.n] = watch
    uid = supervisor_uid(call.uid, watch.n)
    ref = state.ref(f"watch:{uid}")
    context, exten = place_for(state, ref, call, seat, what)
    watch.room = exten if context == "room-third" else ""
    state.do(CallSupervisor(ref, uid, watch.phone, context, exten, seat.channel, seat.seat))
    return {"conversation": call.id}


def switch(
    state: State, mine: tuple[Call, Watch], call: Call, seat: Leg, what: Oversight, why: str
) -> Answer:
    """From one to another while it runs; the phone does not ring again."""
    own, watch = mine
    leg = call.legs.get(supervisor_uid(call.uid, watch.n))
    if own is not call or watch.seat != seat.seat or leg is None or watch.noted is None:
        return refuse(Code.PHONE_BUSY)
    if watch.what is what:
        return {}
    watch.what, watch.why = what, why or watch.why
    ref = state.ref("supervisor")
    context, exten = place_for(state, ref, call, seat, what)
    watch.room = exten if context == "room-third" else ""
    if leg.room != exten:
        leg.joined_mono = 0
        state.send(ref, leg, context, exten)
    else:  # in the room already, and now in the seat's place
        spying.note(state, leg)
        spying.relieve(state, call, seat)
    state.touch(leg)
    return {"conversation": call.id}


def place_for(state: State, ref: str, call: Call, seat: Leg, what: Oversight) -> tuple[str, str]:
    """Context and extension where it is heard; makes a room, and fetches the citizen, where that needs it."""
    if what in spying.PLACES:
        return spying.PLACES[what], seat.seat
    if what is Oversight.BARGE and is_held(call):
        return "room-third", side_room(call)
    if is_held(call):
        consult.retrieve(state, ref, seat, call)
    else:
        consult.make_room(state, ref, seat, call, apart=False)
    return "room-third", call.uid


def stop(state: State, actor: Actor) -> Answer:
    """The phone leaves, or stops ringing."""
    mine = in_use(state, actor.seat)
    if not actor.seat or mine is None:
        return refuse(Code.NOT_SUPERVISING)
    spying.let_go(state, *mine)
    return {}


def in_use(state: State, phone: str) -> tuple[Call, Watch] | None:
    """Where that phone is, or is being called to."""
    for call in state.calls.values():
        for watch in call.watches.values():
            if watch.phone == phone and not watch.is_over:
                return call, watch
    return None


def talking(state: State, seat_id: str) -> tuple[Leg, Call] | Refusal:
    """The leg and call of a seat that talks, or holds the citizen."""
    place = state.seats.get(seat_id)
    if place is None:
        return refuse(Code.NO_SEAT)
    return heard_at(state, place) or refuse(Code.SEAT_NOT_TALKING)


def heard_at(state: State, place: SeatPlace) -> tuple[Leg, Call] | None:
    """The leg and call that a supervisor could hear at the seat."""
    leg = state.legs.get(place.leg)
    call = state.calls.get(leg.call) if leg is not None else None
    if leg is None or call is None or not leg.joined_mono or leg.context == "held-third":
        return None
    return (leg, call) if call.citizen in call.legs else None


def hang_up(state: State, actor: Actor, asked: SuperviseHangUp) -> Answer:
    """强拆."""
    found = talking(state, asked.seat)
    if isinstance(found, Refusal):
        return found
    seat, call = found
    record(state, actor, Oversight.HANG_UP, asked.why, seat=asked.seat, conversation=call.id)
    tell(state, seat.seat, Oversight.HANG_UP)
    state.do(HangUpChannel(state.ref(f"seat:{seat.seat}"), call.legs[call.citizen].channel))
    return {}


def force(state: State, actor: Actor, asked: Forcing) -> Answer:
    """强制示闲, 示忙, 整理, 签出: at once, or from the end of the call under way."""
    seat = signed_in(state, asked.seat)
    if isinstance(seat, Refusal):
        return seat
    reason = asked.reason if isinstance(asked, SuperviseNotReady) else ""
    if isinstance(asked, SuperviseNotReady) and reason not in state.rules.reasons:
        return refuse(Code.UNKNOWN_REASON)
    what, mode = _FORCED[type(asked)]
    record(state, actor, what, asked.why, seat=seat.id, detail=reason)
    tell(state, seat.id, what)
    state.dirty_seats.add(seat.id)
    if rests.needs_word(state, reason):
        rests.forget(state, seat)
    leg = state.legs.get(seat.leg)
    if leg is not None:
        seat.next_mode, seat.next_reason = mode, reason
        if not leg.joined_mono and mode is SeatState.NOT_READY:
            seats.want(state, seat, mode, reason)
    elif mode is SeatState.SIGNED_OUT:
        seats.leave_queue(state, seat)
        seats.vacate(state, seat)
    else:
        seats.want(state, seat, mode, reason)
    return {}


def pick(state: State, actor: Actor, asked: SupervisePick) -> Answer:
    """指派: out of the queue into a room, where the seat comes; else back, first in line."""
    call = waiting(state, asked.conversation)
    if isinstance(call, Refusal):
        return call
    seat = signed_in(state, asked.seat)
    if isinstance(seat, Refusal):
        return seat
    if not is_free(seat):
        return refuse(Code.SEAT_UNAVAILABLE)
    if open_attempt(call) is not None:
        return refuse(Code.THIRD_PARTY_PENDING)
    record(state, actor, Oversight.PICK, asked.why, seat=seat.id, conversation=call.id)
    attempt = attempts.bring_seat(state, call, seat, actor.person)
    return {"conversation": call.id, "n": str(attempt.n)}


def put_first(state: State, actor: Actor, asked: SuperviseRaise) -> Answer:
    """提前."""
    call = waiting(state, asked.conversation)
    if isinstance(call, Refusal):
        return call
    if not call.is_raised:
        call.is_raised = True
        record(state, actor, Oversight.RAISE, asked.why, conversation=call.id)
        channel = call.legs[call.citizen].channel
        state.do(RaiseCaller(state.ref("raise"), line_of(state, call), channel, RAISED))
        state.dirty_calls.add(call.uid)
    return {}


def write(state: State, actor: Actor, asked: SuperviseMessage) -> Answer:
    """消息."""
    text = asked.text.strip()
    if not text:
        return refuse(Code.NO_TEXT)
    seat = signed_in(state, asked.seat) if asked.seat else None
    if isinstance(seat, Refusal):
        return seat
    record(state, actor, Oversight.MESSAGE, asked.why, seat=asked.seat, detail=text)
    by = actor.name or actor.person
    state.tell(Message(seat=asked.seat, text=text, by=by, at_us=state.now.utc_us))
    return {}


def answer_hand(state: State, actor: Actor, asked: SuperviseAnswerHand) -> Answer:
    """响应举手."""
    seat = signed_in(state, asked.seat)
    if isinstance(seat, Refusal):
        return seat
    if not seat.hand_us:
        return refuse(Code.NO_HAND)
    seats.raise_hand(state, seat, False)
    record(state, actor, Oversight.ANSWER_HAND, asked.why, seat=seat.id)
    tell(state, seat.id, Oversight.ANSWER_HAND)
    return {}


def answer_rest(
    state: State, actor: Actor, asked: SuperviseGrantRest | SuperviseGrantRestOver | SuperviseRefuseRest
) -> Answer:
    """批准 or 驳回 the rest that a seat asks for."""
    seat = signed_in(state, asked.seat)
    if isinstance(seat, Refusal):
        return seat
    reason = seat.rest_reason
    if isinstance(asked, SuperviseRefuseRest):
        what = rests.turn_down(state, seat)
    else:
        what = rests.grant(state, seat, asked)
    if isinstance(what, Refusal):
        return what
    record(state, actor, what, asked.why, seat=seat.id, detail=reason)
    tell(state, seat.id, what)
    return {}


def cancel_callback(state: State, actor: Actor, asked: SuperviseCancelCallback) -> Answer:
    """取消回呼."""
    if not callbacks.cancel(state, asked.conversation, actor.person):
        return refuse(Code.NO_CALLBACK)
    record(state, actor, Oversight.CANCEL_CALLBACK, asked.why, conversation=asked.conversation)
    return {}


def assign(state: State, actor: Actor, asked: SuperviseQueues) -> Answer:
    """调配: at once, during a call too."""
    seat = signed_in(state, asked.seat)
    if isinstance(seat, Refusal):
        return seat
    if not all(lines.is_queue(state, queue) for queue in asked.queues):
        return refuse(Code.NO_QUEUE)
    seat.assigned, seat.is_found = dict(asked.queues), False
    detail = " ".join(f"{queue}:{penalty}" for queue, penalty in sorted(asked.queues.items()))
    record(state, actor, Oversight.QUEUES, asked.why, seat=seat.id, detail=detail)
    tell(state, seat.id, Oversight.QUEUES)
    lines.serve(state, seat)
    return {}


def signed_in(state: State, seat_id: str) -> SeatPlace | Refusal:
    """The seat, when somebody sits there."""
    seat = state.seats.get(seat_id)
    return seat if seat is not None and seat.agent else refuse(Code.NO_SEAT)


def is_free(seat: SeatPlace) -> bool:
    """Its phone can be rung."""
    return bool(seat.agent) and not seat.leg and seat.phone_up


def waiting(state: State, conversation: str) -> Call | Refusal:
    """The call of a caller who waits in a queue."""
    call = state.calls.get(conversation.removeprefix(f"{state.rules.node}-"))
    is_waiting = call is not None and call.citizen in call.legs and bool(line_of(state, call))
    return call if call is not None and is_waiting else refuse(Code.NOT_WAITING)


def line_of(state: State, call: Call) -> str:
    """The queue that the caller waits in, "" for none."""
    for line in state.lines.values():
        if call.uid in line.waiting:
            return line.name
    return ""


def record(
    state: State,
    actor: Actor,
    what: Oversight,
    why: str,
    *,
    seat: str = "",
    conversation: str = "",
    detail: str = "",
) -> None:
    """Keep who did what to whom."""
    place = state.seats.get(seat)
    state.record(
        Supervised(
            at_us=state.now.utc_us,
            person=actor.person,
            what=what,
            conversation=conversation,
            seat=seat,
            agent=place.agent if place is not None else "",
            detail=detail,
            why=why,
        )
    )


def tell(state: State, seat: str, what: Oversight) -> None:
    """Say at the seat what was done to it."""
    state.tell(Notice(seat, "supervised", SUPERVISED_ZH[what]))


def seat_actions(state: State, seat: SeatPlace, now_state: SeatState) -> tuple[Action, ...]:
    """What a supervisor may do to the seat now."""
    if not seat.agent:
        return ()
    allowed = [Action.SUPERVISE_MESSAGE, Action.SUPERVISE_NOT_READY, Action.SUPERVISE_SIGN_OUT]
    allowed.append(Action.SUPERVISE_QUEUES)
    if heard_at(state, seat) is not None:
        allowed += _HEARING_ACTIONS
    if now_state is not SeatState.READY:
        allowed.append(Action.SUPERVISE_READY)
    if now_state is not SeatState.WRAP_UP:
        allowed.append(Action.SUPERVISE_WRAP_UP)
    if is_free(seat):
        allowed.append(Action.SUPERVISE_PICK)
    if seat.hand_us:
        allowed.append(Action.SUPERVISE_ANSWER_HAND)
    if seat.rest_us:
        allowed += _REST_ACTIONS
    return tuple(allowed)


def call_actions(state: State, call: Call) -> tuple[Action, ...]:
    """What a supervisor may do about the caller now."""
    if not line_of(state, call):
        return ()
    return (Action.SUPERVISE_PICK,) if call.is_raised else (Action.SUPERVISE_PICK, Action.SUPERVISE_RAISE)
