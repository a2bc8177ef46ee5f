"""Owns the count of rings that a seat leaves unanswered in a row (未接): too many, and it is not ready."""

from __future__ import annotations

from ctiserver.api.pushes import Notice
from ctiserver.api.states import MISSED_REASON, MISSED_TOO_OFTEN_ZH, SeatState
from ctiserver.model import seats
from ctiserver.model.state import SeatPlace, State


def count(state: State, seat: SeatPlace) -> None:
    """The seat rang in vain once more; at the limit a ready seat is put not ready, and told so."""
    limit = state.rules.miss_limit
    seat.misses += 1
    if not limit or seat.misses < limit or seat.mode is not SeatState.READY:
        return
    seat.misses = 0
    seats.want(state, seat, SeatState.NOT_READY, MISSED_REASON)
    state.tell(Notice(seat.id, "missed_calls", MISSED_TOO_OFTEN_ZH))
