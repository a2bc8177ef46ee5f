"""Owns the attempts to bring somebody into a call: how one begins, how it ends, and who is tried after it."""

from __future__ import annotations

import re

from ctiserver.api.history import ThirdPartyCalled, ThirdPartyChanged
from ctiserver.api.pushes import Alarm
from ctiserver.api.states import AttemptState
from ctiserver.model.effects import CallSeat, CallThirdParty, HangUpChannel
from ctiserver.model.state import Attempt, Call, Leg, SeatPlace, State, attempt_uid, side_room
from ctiserver.model.targets import Target, at_seat

_SHOWN_NUMBER = re.compile(r"\+?[0-9]{3,15}")

_WORTH_ANOTHER = frozenset((AttemptState.BUSY, AttemptState.NO_ANSWER, AttemptState.UNREACHABLE))
"""A unit that rejects a call has decided; 110 has not, whatever its line says."""


def begin(
    state: State, call: Call, target: Target, *, by_seat: str = "", by_agent: str = "", is_apart: bool = False
) -> Attempt:
    """The next attempt of this call, kept before anything is asked of the switch. `is_apart`: they are to
    come to the side room.

    The citizen's number is shown to an emergency service (where its trunk lets it) and to a colleague.
    """
    shows_citizen = target.is_emergency or target.seat
    attempt = Attempt(
        n=len(call.attempts) + 1,
        number=target.number,
        label=target.label,
        is_emergency=target.is_emergency,
        asked_us=state.now.utc_us,
        seat=target.seat,
        room=side_room(call) if is_apart else call.uid,
        shown=call.number if shows_citizen and _SHOWN_NUMBER.fullmatch(call.number) else "",
        trunk=target.trunk,
        by_seat=by_seat,
        by_agent=by_agent,
        then=target.then,
    )
    keep(state, call, attempt)
    if attempt.is_emergency:
        state.tell(Alarm(kind="emergency_called", seat=by_seat, conversation=call.id, number=attempt.number))
    return attempt


def keep(state: State, call: Call, attempt: Attempt) -> None:
    """Put a new attempt into its call and the record."""
    call.attempts.append(attempt)
    state.record(
        ThirdPartyCalled(
            conversation=call.id,
            at_us=state.now.utc_us,
            n=attempt.n,
            number=attempt.number,
            label=attempt.label,
            is_emergency=attempt.is_emergency,
            seat=attempt.by_seat,
            agent=attempt.by_agent,
            called_seat=attempt.seat,
        )
    )


def bring_seat(state: State, call: Call, seat: SeatPlace, by_agent: str) -> Attempt:
    """A citizen who talks with nobody goes into a room, and that seat is rung to come there; when it does
    not, they are cared for as after any attempt that failed: first in line.
    """
    attempt = begin(state, call, at_seat(seat), by_agent=by_agent)
    ref = state.ref(f"attempt:{call.uid}:{attempt.n}")
    state.send(ref, call.legs[call.citizen], "room-citizen", call.uid)
    ring(state, ref, call, attempt)
    state.dirty_calls.add(call.uid)
    return attempt


def ring(state: State, ref: str, call: Call, attempt: Attempt) -> None:
    """Have them rung; they come to the attempt's room when they answer."""
    uid = attempt_uid(call, attempt)
    if attempt.seat:
        state.do(CallSeat(ref, uid, attempt.seat, attempt.room, attempt.shown))
    else:
        state.do(CallThirdParty(ref, uid, attempt.number, attempt.room, attempt.shown, attempt.trunk))


def set_state(state: State, leg: Leg, new: AttemptState) -> None:
    """Whom `leg` belongs to came to a new state; nothing for a leg that the queue rang."""
    call = state.calls.get(leg.call)
    if call is not None and leg.n:
        change(state, call, leg.n, new)


def change(state: State, call: Call, n: int, new: AttemptState) -> None:
    """Attempt `n` came to `new`; a closed attempt is never opened again. One that failed is followed by the
    next number or route.
    """
    attempt = next((attempt for attempt in call.attempts if attempt.n == n), None)
    if attempt is None or attempt.state is new:
        return
    was_open = attempt.state.is_open
    if not was_open and not (attempt.state is AttemptState.ANSWERED and new is AttemptState.LEFT):
        return
    attempt.state = new
    state.record(ThirdPartyChanged(conversation=call.id, at_us=state.now.utc_us, n=n, state=new))
    for leg in call.legs.values():
        state.touch(leg)
    state.dirty_calls.add(call.uid)
    if was_open and is_failure(attempt):
        try_next(state, call, attempt)


def is_failure(attempt: Attempt) -> bool:
    """They did not come, and another number or route may."""
    return attempt.state in _WORTH_ANOTHER or (
        attempt.is_emergency and attempt.state is AttemptState.REJECTED
    )


def try_next(state: State, call: Call, failed: Attempt) -> None:
    """The next number of the unit, or the next route to the emergency service."""
    if not failed.then:
        if failed.is_emergency:
            state.tell(
                Alarm(
                    kind="emergency_failed",
                    seat=failed.by_seat,
                    conversation=call.id,
                    number=failed.number,
                )
            )
        return
    if call.citizen not in call.legs:
        return
    (number, trunk), *then = failed.then
    attempt = Attempt(
        n=len(call.attempts) + 1,
        number=number,
        label=failed.label,
        is_emergency=failed.is_emergency,
        asked_us=state.now.utc_us,
        room=failed.room,
        shown=failed.shown,
        trunk=trunk,
        by_seat=failed.by_seat,
        by_agent=failed.by_agent,
        then=tuple(then),
    )
    keep(state, call, attempt)
    ring(state, state.ref(f"attempt:{call.uid}:{attempt.n}"), call, attempt)


def withdraw(state: State, call: Call, n: int) -> None:
    """Stop calling them; a channel that appears for it later is hung up at once."""
    attempt = next((attempt for attempt in call.attempts if attempt.n == n), None)
    if attempt is None:
        return
    change(state, call, n, AttemptState.WITHDRAWN)
    leg = call.legs.get(attempt_uid(call, attempt))
    if leg is not None:
        state.do(HangUpChannel(state.ref("withdrawn"), leg.channel))
