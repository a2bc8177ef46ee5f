"""Deadlines: working days of the Chinese calendar, the profiles of the documents, the warning lights."""

from __future__ import annotations

from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from casework.calendar import china
from casework.deadlines import (
    PROFILES,
    Days,
    Light,
    Minutes,
    NoCalendarYear,
    ProfileName,
    WorkingDays,
    ends_us,
    light,
    weekdays,
)
from hotline.local_time import date_time, day_start_us

HOUR = 3_600_000_000
FRIDAY = day_start_us(date(2026, 9, 18)) + 10 * HOUR
"""2026-09-18 10:00; the Sunday after it is worked (调休), the 25th is 中秋节."""


def test_a_working_day_ends_at_midnight_and_the_day_of_receipt_does_not_count() -> None:
    """民法典第二百零一条、第二百零三条."""
    assert date_time(ends_us(WorkingDays(0), FRIDAY, china())) == "2026-09-19 00:00:00"
    monday = day_start_us(date(2026, 11, 23)) + HOUR
    assert date_time(ends_us(WorkingDays(1), monday, china())) == "2026-11-25 00:00:00"
    assert date_time(ends_us(WorkingDays(5), monday, china())) == "2026-12-01 00:00:00"


def test_a_sunday_that_is_worked_counts_and_a_holiday_does_not() -> None:
    assert date_time(ends_us(WorkingDays(1), FRIDAY, china())) == "2026-09-21 00:00:00"
    assert date_time(ends_us(WorkingDays(5), FRIDAY, china())) == "2026-09-25 00:00:00"
    assert date_time(ends_us(WorkingDays(6), FRIDAY, china())) == "2026-09-29 00:00:00"


def test_a_year_whose_holidays_are_not_known_is_a_named_error() -> None:
    late = day_start_us(date(2099, 12, 31))
    with pytest.raises(NoCalendarYear, match="2099"):
        ends_us(WorkingDays(1), late - HOUR, china())
    known = china().with_year(2099, frozenset({date(2099, 12, 31)}), frozenset())
    assert not known.is_working(date(2099, 12, 31)) and known.is_working(date(2099, 12, 30))


def test_the_documents_profiles() -> None:
    """永宁: 立办立结，一日办结，一般事项不超过五个工作日. 济南: 5 分钟、60 分钟、当日、3 日."""
    one, five = PROFILES[ProfileName.ONE_DAY], PROFILES[ProfileName.FIVE_DAYS]
    assert (one.finish, one.longest, five.finish) == (WorkingDays(1), 5, WorkingDays(5))
    simple, hard = PROFILES[ProfileName.CITY_SIMPLE], PROFILES[ProfileName.CITY_COMPLEX]
    assert simple.dispatch == hard.dispatch == Minutes(5) and simple.on_site == Minutes(60)
    assert (simple.finish, hard.finish) == (Days(0), Days(3))
    assert PROFILES[ProfileName.EMERGENCY].finish == Minutes(120)


def test_amber_before_red_at_and_overdue_after_the_deadline() -> None:
    lights = [light(0, 30 * HOUR, at * HOUR, None) for at in (0, 19, 20, 26, 27, 29, 30)]
    green, amber, red = Light.GREEN, Light.AMBER, Light.RED
    assert lights == [green, green, amber, amber, red, red, Light.OVERDUE]


def test_a_weekend_uses_up_nothing() -> None:
    start = day_start_us(date(2026, 11, 20)) + 23 * HOUR
    due = ends_us(WorkingDays(1), start, china())
    assert light(start, due, day_start_us(date(2026, 11, 22)), china()) is Light.GREEN


@given(st.dates(date(2020, 1, 1), date(2026, 11, 1)), st.integers(0, 20), st.integers(0, 23))
def test_a_deadline_ends_with_a_worked_day_and_leaves_that_many_days(
    day: date, count: int, hour: int
) -> None:
    due = ends_us(WorkingDays(count), day_start_us(day) + hour * HOUR, china())
    last = china().day_after(day, count)
    assert due == day_start_us(last + timedelta(days=1)) and china().is_working(last)
    between = [day + timedelta(days=n) for n in range(1, (last - day).days + 1)]
    assert sum(map(china().is_working, between)) == count or count == 0


def test_monday_to_friday_serves_invented_cases() -> None:
    assert weekdays(2026, 2027).is_working(date(2026, 10, 1))
    assert not weekdays(2026, 2027).is_working(date(2026, 10, 3))
