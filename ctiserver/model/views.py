"""Owns how inner state is shown: seats, conversations and queues as the outside sees them, with the
actions allowed now.
"""

from __future__ import annotations

from ctiserver.api import states
from ctiserver.api.states import Action, LegState, Phase, Role, SeatState
from ctiserver.model import lines, rests, supervise
from ctiserver.model.state import (
    Attempt,
    Call,
    Leg,
    Line,
    SeatPlace,
    State,
    Watch,
    companions,
    is_accompanied,
    is_held,
    open_attempt,
    third_parties,
)

IN_CALL = frozenset(
    (
        SeatState.RINGING,
        SeatState.TALKING,
        SeatState.HELD,
        SeatState.CONSULTING,
        SeatState.CONFERENCE,
        SeatState.DIALLING,
    )
)

_AT_A_CALL = tuple(IN_CALL - {SeatState.RINGING})


def seat_state(state: State, seat: SeatPlace) -> SeatState:
    """What the seat is doing: a call counts before the mode, the mode before an unplugged phone only when
    not ready for calls.
    """
    if not seat.agent:
        return SeatState.SIGNED_OUT
    leg = state.legs.get(seat.leg)
    if leg is not None:
        call = state.calls.get(leg.call)
        if leg.context == "held-third":
            return SeatState.HELD
        if leg.joined_mono:
            return talking_state(call, leg) if call is not None else SeatState.TALKING
        if call is not None and call.is_outbound and call.by_seat in ("", seat.id) and not leg.n:
            return SeatState.DIALLING
        if leg.has_rung:
            return SeatState.RINGING
    return seat.mode if seat.phone_up else SeatState.PHONE_DOWN


def talking_state(call: Call, me: Leg) -> SeatState:
    """What a seat does that talks in this call: with the citizen or not, with somebody else or not."""
    if is_held(call):
        return SeatState.CONSULTING if is_accompanied(call, me) else SeatState.HELD
    return SeatState.CONFERENCE if is_accompanied(call, me) else SeatState.TALKING


def seat_view(state: State, seat: SeatPlace) -> states.Seat:
    """The seat as the pages see it; begins a new `since_us` when its state, agent or reason is new."""
    now_state = seat_state(state, seat)
    reason = seat.reason if now_state is SeatState.NOT_READY else ""
    shown = (now_state, seat.agent, reason)
    if shown != seat.shown:
        seat.shown = shown
        seat.since_us = state.now.utc_us
    leg = state.legs.get(seat.leg)
    call = state.calls.get(leg.call) if leg is not None else None
    in_call = call is not None and now_state in IN_CALL
    served = sorted(seat.queues.items()) if seat.agent else ()
    actions = seat_actions(state, seat, now_state, call)
    return states.Seat(
        id=seat.id,
        state=now_state,
        since_us=seat.since_us,
        agent=seat.agent,
        agent_name=seat.agent_name,
        reason=reason,
        phone_up=seat.phone_up,
        hand_us=seat.hand_us,
        rest_us=seat.rest_us,
        rest_reason=seat.rest_reason,
        is_resting=rests.is_resting(state, seat),
        is_muted=leg is not None and leg.is_muted,
        next_state=seat.next_mode.value if seat.next_mode is not None else "",
        next_reason=seat.next_reason if seat.next_mode is not None else "",
        conversation=call.id if call is not None and in_call else "",
        queues=tuple([queue for queue, _ in served]),
        penalties=tuple([penalty for _, penalty in served]),
        is_assigned=bool(seat.assigned),
        actions=(*actions, Action.WITHDRAW_REST) if seat.rest_us else actions,
        supervise=supervise.seat_actions(state, seat, now_state),
    )


def seat_actions(
    state: State, seat: SeatPlace, now_state: SeatState, call: Call | None
) -> tuple[Action, ...]:
    """What the seat's agent may ask for now."""
    hand = Action.LOWER_HAND if seat.hand_us else Action.RAISE_HAND
    match now_state:
        case SeatState.SIGNED_OUT:
            return ()
        case SeatState.READY:
            return (Action.NOT_READY, Action.WRAP_UP, Action.SIGN_OUT, Action.DIAL, hand)
        case SeatState.NOT_READY:
            return (Action.READY, Action.NOT_READY, Action.WRAP_UP, Action.SIGN_OUT, Action.DIAL, hand)
        case SeatState.WRAP_UP:
            return (Action.READY, Action.NOT_READY, Action.SIGN_OUT, Action.DIAL, hand)
        case SeatState.PHONE_DOWN:
            return (Action.SIGN_OUT, hand)
        case SeatState.RINGING | SeatState.DIALLING:
            return (Action.READY, Action.NOT_READY, hand)
        case SeatState.TALKING | SeatState.HELD | SeatState.CONSULTING | SeatState.CONFERENCE:
            leg = state.legs[seat.leg]
            return (Action.READY, Action.NOT_READY, hand, *call_actions(now_state, call, leg))


def call_actions(now_state: SeatState, call: Call | None, me: Leg) -> tuple[Action, ...]:
    """What may be asked about the call that the seat talks in."""
    if call is None or me.context == "held-third":
        return ()
    is_paused = call.is_recording_paused
    allowed = [
        Action.HANG_UP,
        Action.UNMUTE if me.is_muted else Action.MUTE,
        Action.RESUME_RECORDING if is_paused else Action.PAUSE_RECORDING,
    ]
    is_free = open_attempt(call) is None
    held = now_state in (SeatState.HELD, SeatState.CONSULTING)
    if held:
        allowed.append(Action.RETRIEVE)
    elif is_free:
        allowed += [Action.HOLD, Action.REQUEUE]
    if is_free:
        allowed += [Action.THREE_WAY, Action.EMERGENCY, Action.TRANSFER, Action.RATE]
    if is_free and not companions(call, me):
        allowed.append(Action.CONSULT)
    if third_parties(call):
        allowed.append(Action.KEYS)
    if now_state is SeatState.CONSULTING:
        allowed += [Action.MERGE, Action.COMPLETE]
    if now_state is SeatState.CONFERENCE:
        allowed.append(Action.LEAVE)
    return tuple(allowed)


def phase(state: State, call: Call) -> Phase:
    """Where the conversation stands, from its legs."""
    citizen = state.citizen_of(call)
    if citizen is not None and citizen.context == "held":
        return Phase.HELD
    if citizen is not None and citizen.context in ("rating", *lines.RATED):
        return Phase.RATING
    seats = thirds = 0
    is_talking = is_ringing = False
    for leg in call.legs.values():
        is_here = leg.joined_mono > 0 and leg.context != "held-third"
        if leg.role is Role.SEAT:
            seats += is_here
            is_talking = is_talking or leg.joined_mono > 0
            is_ringing = is_ringing or leg.has_rung
        elif leg.role is Role.THIRD_PARTY:
            thirds += is_here
        elif leg.role is Role.SUPERVISOR and leg.room:
            is_talking = True
    if thirds or seats > 1:
        return Phase.CONFERENCE
    if call.is_outbound and not call.answered_us:
        return Phase.DIALLING
    if is_talking:
        return Phase.TALKING
    if is_ringing:
        return Phase.RINGING
    if citizen is not None and citizen.room:
        return Phase.CONFERENCE
    return Phase.QUEUED if supervise.line_of(state, call) else Phase.GREETING


def conversation_view(state: State, call: Call) -> states.Conversation:
    """The conversation as the pages see it."""
    return states.Conversation(
        id=call.id,
        number=call.number,
        name=call.name,
        dnis=call.dnis,
        label=call.label,
        queue=call.queue,
        waited_before_ms=call.waited_before_ms,
        phase=phase(state, call),
        started_us=call.started_us,
        queued_us=call.queued_us,
        answered_us=call.answered_us,
        is_outbound=call.is_outbound,
        is_callback=bool(call.callback),
        is_recording_paused=call.is_recording_paused,
        seats=tuple(sorted([leg.seat for leg in call.legs.values() if leg.seat])),
        participants=tuple([participant_view(state, call, leg) for leg in ordered(call)]),
        attempts=tuple([attempt_view(attempt) for attempt in call.attempts]),
        is_raised=call.is_raised,
        supervise=supervise.call_actions(state, call),
    )


_RANK = {Role.CITIZEN: 0, Role.SEAT: 1, Role.THIRD_PARTY: 2, Role.SUPERVISOR: 3}


def ordered(call: Call) -> list[Leg]:
    """Citizen, seats, third parties, supervisors, each by id: the same whoever was seen first."""
    legs = list(call.legs.values())
    if len(legs) > 1:
        legs.sort(key=lambda leg: (_RANK[leg.role], leg.seat, leg.n, leg.uid))
    return legs


def participant_view(state: State, call: Call, leg: Leg) -> states.Participant:
    """One leg; `since_us` begins anew when its state changes."""
    now_state = leg_state(call, leg)
    if now_state is not leg.state or not leg.since_us:
        leg.state, leg.since_us = now_state, state.now.utc_us
    if leg.watch is not None:
        return supervisor_view(state, leg, leg.watch)
    is_own = any(attempt.n == leg.n and attempt.by_seat == leg.seat for attempt in call.attempts)
    is_droppable = leg.n > 0 and leg.joined_mono > 0 and not (leg.seat and is_own)
    return states.Participant(
        leg=leg.uid,
        role=leg.role,
        label=label(call, leg),
        state=now_state,
        since_us=leg.since_us,
        is_on_hold=leg.is_on_hold,
        actions=(Action.DROP,) if is_droppable else (),
    )


def supervisor_view(state: State, leg: Leg, watch: Watch) -> states.Participant:
    """A supervisor's leg."""
    return states.Participant(
        leg=leg.uid,
        role=leg.role,
        label=watch.name or watch.person or watch.phone,
        state=leg.state,
        since_us=leg.since_us,
        phone=watch.phone,
        watches=watch.seat,
        oversight=(watch.noted or watch.what).value,
        is_hidden=not state.rules.tells_agent,
    )


def leg_state(call: Call, leg: Leg) -> LegState:
    """Ringing, talking or waiting. The citizen talks while anybody else does."""
    if leg.context in ("held", "held-third"):
        return LegState.HELD
    if leg.role is Role.CITIZEN:
        for other in call.legs.values():
            if other.joined_mono:
                return LegState.TALKING
        return LegState.WAITING
    if leg.joined_mono or (leg.watch is not None and leg.is_up):
        return LegState.TALKING
    return LegState.WAITING if leg.is_up else LegState.RINGING


def label(call: Call, leg: Leg) -> str:
    """Whom the leg belongs to, in a word."""
    if leg.role is Role.CITIZEN:
        return call.number
    if leg.role is Role.SEAT:
        return leg.seat
    return next((attempt.label for attempt in call.attempts if attempt.n == leg.n), "")


def attempt_view(attempt: Attempt) -> states.Attempt:
    """One attempt to bring a third party in."""
    return states.Attempt(
        n=attempt.n,
        number=attempt.number,
        label=attempt.label,
        state=attempt.state,
        asked_us=attempt.asked_us,
        is_emergency=attempt.is_emergency,
        seat=attempt.seat,
        actions=(Action.WITHDRAW,) if attempt.state.is_open else (),
    )


def queue_view(state: State, line: Line) -> states.Queue:
    """One queue's figures. Its seats are those that serve it, whichever others they serve."""
    shown, counts = line.seats_in, state.day.of(line.name)
    return states.Queue(
        name=line.name,
        title=state.rules.queues.get(line.name, ""),
        waiting=len(line.waiting),
        oldest_us=min(line.waiting.values(), default=0),
        signed_in=sum(shown.values()),
        ready=shown[SeatState.READY],
        talking=sum([shown[now] for now in _AT_A_CALL]),
        answered=counts.answered,
        in_time=counts.in_time,
        abandoned=counts.abandoned,
        short_abandoned=counts.short_abandoned,
        overflow=counts.overflow,
        closed=counts.closed,
        callbacks=sum([place.queue == line.name for place in state.callbacks.values()]),
    )
