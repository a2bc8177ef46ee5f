"""Owns the working-day calendar of China as a library knows it, holidays and 调休 included."""

from __future__ import annotations

from datetime import date
from functools import cache

from chinese_calendar import constants

from casework.deadlines import Calendar, NoCalendarYear

_SATURDAY = 5


@cache
def china() -> Calendar:
    """All years that the installed library knows; a later one is added with `Calendar.with_year`."""
    holidays, made_up = frozenset(constants.holidays), frozenset(constants.workdays)
    return Calendar(
        years=frozenset(day.year for day in holidays),
        holidays=holidays,
        made_up=frozenset(day for day in made_up if day.weekday() >= 5),
    )


def is_workday(day: date) -> bool:
    """By the State Council's calendar; in a year that is not announced yet, Monday to Friday."""
    try:
        return china().is_working(day)
    except NoCalendarYear:
        return day.weekday() < _SATURDAY
