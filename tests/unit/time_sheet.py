"""Owns two independent accounts of how long a seat was in each state: what the journal's rows say, and what a
screen showed, moment by moment.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from ctiserver.api.history import History
from ctiserver.api.states import Seat, SeatState
from ctiserver.store.fold import Fold, Origin, Rows
from ctiserver.store.tables import SeatTimeRow

Spent = Counter[tuple[str, str, str, str]]
"""(seat, agent, state, reason) -> microseconds."""


class Screen:
    """Watches a seat's screen with a stop-watch."""

    def __init__(self, at_us: int) -> None:
        self._shown: dict[str, Seat] = {}
        self._at_us = at_us
        self.spent: Spent = Counter()
        self.days: Counter[tuple[str, str]] = Counter()
        """(seat, agent) -> microseconds for which that agent sat there, whatever they did."""

    def look(self, seats: dict[str, Seat], at_us: int) -> None:
        """What was shown until now is over; from now on it is `seats`."""
        passed_us, self._at_us = at_us - self._at_us, at_us
        for seat in self._shown.values():
            if seat.agent:
                self.spent[seat.id, seat.agent, seat.state.value, seat.reason] += passed_us
                self.days[seat.id, seat.agent] += passed_us
        self._shown = dict(seats)


def times_of(history: Iterable[History]) -> list[SeatTimeRow]:
    """The rows of seats' times that the journal is projected into."""
    rows = Rows()
    fold = Fold(rows, lambda number: number)
    for n, event in enumerate(history):
        fold.apply(event, Origin(node="n1", event_id=str(n)))
    return [row for row in rows.added if isinstance(row, SeatTimeRow)]


def spent_in(times: Iterable[SeatTimeRow], now_us: int) -> Spent:
    """How long each seat was in each state while somebody sat there; what goes on has lasted until now."""
    spent: Spent = Counter()
    for row in times:
        if row.state != SeatState.SIGNED_OUT.value:
            spent[row.seat, row.agent, row.state, row.reason] += (row.to_us or now_us) - row.from_us
    return spent


def days_in(spent: Spent) -> Counter[tuple[str, str]]:
    """The sum of all states: (seat, agent) -> microseconds."""
    days: Counter[tuple[str, str]] = Counter()
    for (seat, agent, _, _), spent_us in spent.items():
        days[seat, agent] += spent_us
    return days
