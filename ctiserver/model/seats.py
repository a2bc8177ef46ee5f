"""Owns what a seat wants and what the queue shows of it: membership, pause, wrap-up, phone."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ctiserver.api.commands import Code, Refusal, refuse
from ctiserver.api.states import SeatState
from ctiserver.model import callbacks, lines
from ctiserver.model.effects import AdmitPhone, PauseMember, RemoveMember, StartTimer, StopTimer
from ctiserver.model.events import MemberAdded, MemberPaused, MemberRemoved, PhoneChanged, SeatEvent
from ctiserver.model.state import RESERVED_REASON, WRAP_UP_REASON, SeatPlace, State

_WRAP_UP_TIMER = "wrap_up:"


def on_seat_event(state: State, event: SeatEvent) -> None:
    """Take one event about a queue member or a phone in."""
    seat = state.seats.get(event.seat)
    if seat is None:
        return
    if type(event) is PhoneChanged and event.is_up is seat.phone_up:
        return
    state.dirty_seats.add(seat.id)
    match event:
        case PhoneChanged(_, is_up):
            seat.phone_up = is_up
        case MemberAdded(queue, _, agent, is_paused, reason, penalty):
            seat.queues[queue] = penalty
            if not seat.is_leaving and seat.agent != agent:
                take(state, seat, agent, state.rules.names.get(agent, ""))
                adopt_pause(state, seat, is_paused, reason)
        case MemberRemoved(queue):
            seat.queues.pop(queue, None)
            if not seat.queues:
                seat.is_leaving = False
                if seat.agent:
                    vacate(state, seat)
        case MemberPaused(_, _, is_paused, reason):
            if seat.agent and is_paused == (seat.mode is SeatState.READY):
                adopt_pause(state, seat, is_paused, reason)


SEAT_HANDLERS: dict[type[object], Callable[[State, Any], None]] = dict.fromkeys(
    (MemberAdded, MemberRemoved, MemberPaused, PhoneChanged), on_seat_event
)


def take(state: State, seat: SeatPlace, agent: str, name: str) -> None:
    """An agent sits down."""
    seat.agent, seat.agent_name = agent, name
    lines.forget(seat)
    seat.mode, seat.reason = SeatState.NOT_READY, ""
    seat.next_mode = None
    seat.is_leaving = False
    seat.misses = 0
    state.dirty_seats.add(seat.id)


def vacate(state: State, seat: SeatPlace) -> None:
    """Nobody sits there any more."""
    stop_wrap_up(state, seat)
    seat.agent = seat.agent_name = seat.reason = seat.reserved = ""
    seat.hand_us = seat.rest_us = 0
    seat.rest_reason = ""
    seat.mode = SeatState.SIGNED_OUT
    seat.next_mode = None
    lines.forget(seat)
    if seat.id in state.rules.softphones:
        state.do(AdmitPhone(state.ref(f"seat:{seat.id}"), seat.id, ""))
    state.dirty_seats.add(seat.id)


def open_phone(state: State, seat: SeatPlace, secret: str) -> Refusal | None:
    """网页话机: the page that the agent sits at may register with that secret, and no other any more."""
    if seat.id not in state.rules.softphones:
        return refuse(Code.NO_SOFTPHONE)
    state.do(AdmitPhone(state.ref(f"seat:{seat.id}"), seat.id, secret))
    return None


def adopt_pause(state: State, seat: SeatPlace, is_paused: bool, reason: str) -> None:
    """The queue shows another mode than we wanted: the queue is right, for it distributes the calls."""
    if not is_paused or reason == RESERVED_REASON:
        stop_wrap_up(state, seat)
        seat.mode, seat.reason = SeatState.READY, ""
    elif reason == WRAP_UP_REASON:
        start_wrap_up(state, seat)
    else:
        stop_wrap_up(state, seat)
        seat.mode, seat.reason = SeatState.NOT_READY, reason


def want(state: State, seat: SeatPlace, mode: SeatState, reason: str = "") -> None:
    """Bring a signed-in seat to READY, NOT_READY or WRAP_UP, here and in the queue."""
    if mode is SeatState.WRAP_UP:
        start_wrap_up(state, seat)
    else:
        stop_wrap_up(state, seat)
        seat.mode, seat.reason = mode, reason
        callbacks.reserve(state, seat)
    pause(state, seat)


def be_not_ready(state: State, seat: SeatPlace, reason: str) -> None:
    """Not ready now; with a call at the seat after it, though a phone that only rings is the last one to."""
    leg = state.legs.get(seat.leg)
    if leg is not None:
        state.dirty_seats.add(seat.id)
        seat.next_mode, seat.next_reason = SeatState.NOT_READY, reason
    if leg is None or not leg.joined_mono:
        want(state, seat, SeatState.NOT_READY, reason)


def pause(state: State, seat: SeatPlace) -> None:
    """Tell the queues the seat's mode."""
    state.dirty_seats.add(seat.id)
    state.do(PauseMember(state.ref(f"seat:{seat.id}"), seat.id, *lines.pause_of(seat)))


def join_queue(state: State, seat: SeatPlace) -> None:
    """Make the seat a member of each queue that its agent serves, in its present mode."""
    seat.queues = {}
    callbacks.reserve(state, seat)
    lines.serve(state, seat)


def leave_queue(state: State, seat: SeatPlace) -> None:
    """Take the seat out of every queue."""
    seat.is_leaving = True
    for queue in sorted(seat.queues):
        state.do(RemoveMember(state.ref(f"seat:{seat.id}"), queue, seat.id))


def raise_hand(state: State, seat: SeatPlace, is_up: bool) -> None:
    """举手 or 放下."""
    seat.hand_us = (seat.hand_us or state.now.utc_us) if is_up else 0
    state.dirty_seats.add(seat.id)


def after_call(state: State, seat: SeatPlace) -> None:
    """A call at the seat ended: what was asked for during it, else wrap-up (话后整理)."""
    if not seat.agent:
        return
    mode, reason = seat.next_mode or SeatState.WRAP_UP, seat.next_reason
    seat.next_mode, seat.next_reason = None, ""
    if mode is SeatState.SIGNED_OUT:
        leave_queue(state, seat)
        vacate(state, seat)
        return
    if mode is SeatState.READY and seat.mode is SeatState.READY:
        return
    want(state, seat, mode, reason)


def start_wrap_up(state: State, seat: SeatPlace) -> None:
    """Wrap-up begins, with its own limit."""
    seat.mode, seat.reason = SeatState.WRAP_UP, ""
    state.dirty_seats.add(seat.id)
    state.do(StartTimer(_WRAP_UP_TIMER + seat.id, state.rules.wrap_up_ms))


def stop_wrap_up(state: State, seat: SeatPlace) -> None:
    """Wrap-up ends early or has ended."""
    if seat.mode is SeatState.WRAP_UP:
        state.do(StopTimer(_WRAP_UP_TIMER + seat.id))


def on_timer(state: State, key: str) -> None:
    """A timer ran out: wrap-up ends, the seat is ready again; or callbacks are to be looked at."""
    if key == callbacks.TIMER:
        callbacks.look_again(state)
    seat = state.seats.get(key.removeprefix(_WRAP_UP_TIMER))
    if key.startswith(_WRAP_UP_TIMER) and seat is not None and seat.mode is SeatState.WRAP_UP:
        want(state, seat, SeatState.READY)
