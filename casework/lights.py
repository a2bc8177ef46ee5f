"""Owns how near a case's deadline is, and when that changes next. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from casework.deadlines import PROFILES, Calendar, Light, WorkingDays, light, turns_us
from casework.visits import LATE_US
from casework.words import AT_UNIT

if TYPE_CHECKING:
    from casework.case import Case


def light_of(case: Case, now_us: int, calendar: Calendar) -> Light | None:
    """How near the deadline is while a unit has the case; None when nobody's time runs.

    NoCalendarYear if the calendar does not know a year that the time runs through.
    """
    if case.state not in AT_UNIT:
        return None
    return light(case.since_us or case.received_us, case.due_us, now_us, _counted_by(case, calendar))


def next_turn_us(case: Case, calendar: Calendar) -> int:
    """When the case's light turns to one that its unit was not told of, or its visit is late; 0 for never."""
    if case.visit_due_us:
        return 0 if case.visit_warned_us == case.visit_due_us else case.visit_due_us + LATE_US
    if case.state not in AT_UNIT or not case.due_us:
        return 0
    told = case.warned if case.warned_due_us == case.due_us else Light.GREEN
    turns = turns_us(case.since_us or case.received_us, case.due_us, _counted_by(case, calendar))
    return next((at for turned, at in turns.items() if turned.rank > told.rank), 0)


def _counted_by(case: Case, calendar: Calendar) -> Calendar | None:
    return calendar if isinstance(PROFILES[case.profile].finish, WorkingDays) else None
