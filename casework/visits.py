"""Owns the visit back (回访): when it is due, attempts to reach the citizen, when enough was tried. Pure.

How long it waits, and at what hours nobody is disturbed, is the house's own: the documents say only that
every case is visited, by telephone and then SMS, three times at different hours (接诉即办改革经验材料).
"""

from __future__ import annotations

from datetime import timedelta

import msgspec

from casework.words import CaseState, Refusal
from hotline.local_time import DAY_US, SECOND_US, day_start_us, local, local_day

ATTEMPTS = 3
VISITED_IN = frozenset({CaseState.REVIEWED, CaseState.VISITING})
"""The states in which the citizen is asked."""
HOURS = range(9, 20)
"""The hours of Shanghai's day in which citizens are called."""
APART_US = 3 * 3600 * SECOND_US
"""Between two attempts at least."""
LATE_US = DAY_US
"""So long after its time a visit is late, and the clock says so."""


class Attempt(msgspec.Struct, frozen=True):
    """A visit that reached nobody."""

    at_us: int
    is_sms: bool = False
    conversation: str = ""


def hindrance(before: tuple[Attempt, ...], attempt: Attempt) -> Refusal | None:
    """Why this attempt does not count: by SMS before any telephone call, or at an hour tried already."""
    if attempt.is_sms and not before:
        return Refusal.PHONE_FIRST
    hours = {local(earlier.at_us).hour for earlier in before}
    return Refusal.SAME_HOUR if local(attempt.at_us).hour in hours else None


def is_given_up(attempts: tuple[Attempt, ...]) -> bool:
    """Whether the citizen was tried often enough, at different hours, to close without an answer."""
    return len(attempts) >= ATTEMPTS


def due_us(attempts: tuple[Attempt, ...], now_us: int) -> int:
    """When to call next, as seen now: at once when nobody has tried, else later and at an hour not yet tried;
    only at hours at which people may be called. 0 when enough was tried.
    """
    if is_given_up(attempts):
        return 0
    tried = {local(attempt.at_us).hour for attempt in attempts}
    at_us = now_us + APART_US if attempts else now_us
    while (hour := local(at_us).hour) not in HOURS or hour in tried:
        at_us = _next_hour_us(at_us)
    return at_us


def _next_hour_us(at_us: int) -> int:
    """The next full hour, or the first of the next day once this day's are over."""
    hour = local(at_us).hour + 1
    day = local_day(at_us)
    if hour >= HOURS.stop:
        day, hour = day + timedelta(days=1), HOURS.start
    return day_start_us(day) + hour * 3600 * SECOND_US
