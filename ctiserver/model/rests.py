"""Owns rests that need a supervisor's word (小休审批): asked for, withdrawn, granted or turned down, and how
many may rest at once.

What is asked for does not outlive this process, no more than a raised hand; a rest that was granted does, for
the queue keeps it.
"""

from __future__ import annotations

from ctiserver.api.commands import Code, Refusal, SuperviseGrantRest, SuperviseGrantRestOver, refuse
from ctiserver.api.states import Oversight, SeatState
from ctiserver.model import seats
from ctiserver.model.state import SeatPlace, State


def needs_word(state: State, reason: str) -> bool:
    """Whether nobody may be not ready for that reason without a supervisor's word."""
    return reason in state.rules.rest_reasons


def ask(state: State, seat: SeatPlace, reason: str) -> None:
    """申请: the seat goes on as it was until somebody decides. Who asks again has waited since the first."""
    if is_resting(state, seat) and reason in (seat.reason, seat.next_reason):
        return
    seat.rest_us, seat.rest_reason = seat.rest_us or state.now.utc_us, reason
    state.dirty_seats.add(seat.id)


def withdraw(state: State, seat: SeatPlace) -> Refusal | None:
    """撤回."""
    if not seat.rest_us:
        return refuse(Code.NO_REST)
    forget(state, seat)
    return None


def forget(state: State, seat: SeatPlace) -> None:
    """Nothing is asked for any more."""
    seat.rest_us, seat.rest_reason = 0, ""
    state.dirty_seats.add(seat.id)


def is_resting(state: State, seat: SeatPlace) -> bool:
    """Rests for one of those reasons, or will when its call ends."""
    later = seat.next_mode is SeatState.NOT_READY and needs_word(state, seat.next_reason)
    return later or (seat.mode is SeatState.NOT_READY and needs_word(state, seat.reason))


def is_full(state: State, seat: SeatPlace) -> bool:
    """Whether as many others rest as may at once."""
    most = state.rules.rest_most
    others = (other for other in state.seats.values() if other is not seat)
    return bool(most) and sum(is_resting(state, other) for other in others) >= most


def grant(
    state: State, seat: SeatPlace, asked: SuperviseGrantRest | SuperviseGrantRestOver
) -> Oversight | Refusal:
    """批准: at once, or after the call under way; beyond the limit only by that name, and with a why."""
    if not seat.rest_us:
        return refuse(Code.NO_REST)
    is_over = is_full(state, seat)
    if is_over and isinstance(asked, SuperviseGrantRest):
        return refuse(Code.REST_LIMIT)
    if is_over and not asked.why.strip():
        return refuse(Code.NO_WHY)
    reason = seat.rest_reason
    forget(state, seat)
    seats.be_not_ready(state, seat, reason)
    return Oversight.GRANT_REST_OVER if is_over else Oversight.GRANT_REST


def turn_down(state: State, seat: SeatPlace) -> Oversight | Refusal:
    """驳回."""
    return withdraw(state, seat) or Oversight.REFUSE_REST
