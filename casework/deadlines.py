"""Owns time in casework: working days, the deadline profiles (时限) and the warning lights. Pure.

A span in days begins on the next day and ends with its last day at midnight in Shanghai (民法典第二百零一条、
第二百零三条); no days at all end with the day itself. Minutes run by the clock, day and night.
"""

from __future__ import annotations

from datetime import date, timedelta
from enum import StrEnum

import msgspec

from hotline.local_time import SECOND_US, day_start_us, local_day

_MINUTE_US = 60 * SECOND_US
_DAY = timedelta(days=1)


class NoCalendarYear(Exception):
    """The holidays of this year are not known, so its working days cannot be counted."""


class Calendar(msgspec.Struct, frozen=True, kw_only=True):
    """Which days are worked in the years that are known: weekdays, except as the State Council moves them."""

    years: frozenset[int]
    holidays: frozenset[date] = frozenset()
    """Weekdays that are off."""
    made_up: frozenset[date] = frozenset()
    """调休: Saturdays and Sundays that are worked."""

    def is_working(self, day: date) -> bool:
        """Whether offices work on that day; NoCalendarYear if its year has not been announced."""
        if day.year not in self.years:
            raise NoCalendarYear(str(day.year))
        return day in self.made_up or (day.weekday() < 5 and day not in self.holidays)

    def with_year(self, year: int, holidays: frozenset[date], made_up: frozenset[date]) -> Calendar:
        """This calendar and a year more, as announced after the calendar was made."""
        return Calendar(
            years=self.years | {year},
            holidays=self.holidays | holidays,
            made_up=self.made_up | made_up,
        )

    def day_after(self, start: date, working_days: int) -> date:
        """The n-th working day after `start`; for none, `start` itself or the next day that is worked."""
        day = start if working_days == 0 else start + _DAY
        left = max(1, working_days)
        while True:
            left -= self.is_working(day)
            if not left:
                return day
            day += _DAY


def weekdays(first: int, last: int) -> Calendar:
    """Mondays to Fridays without any holiday, for invented cases."""
    return Calendar(years=frozenset(range(first, last + 1)))


class Span(msgspec.Struct, frozen=True, tag_field="span"):
    """How long something may take."""


class Minutes(Span, frozen=True, tag="minutes"):
    """Minutes of the clock."""

    count: int


class Days(Span, frozen=True, tag="days"):
    """Days of the calendar, rest days too; 0 is the same day."""

    count: int


class WorkingDays(Span, frozen=True, tag="working_days"):
    """Days that are worked; 0 is the same day if that is one."""

    count: int


AnySpan = Minutes | Days | WorkingDays


def ends_us(span: AnySpan, start_us: int, calendar: Calendar) -> int:
    """The instant at which the span is over; NoCalendarYear if that lies in a year that is not known."""
    match span:
        case Minutes(count):
            return start_us + count * _MINUTE_US
        case Days(count):
            return day_start_us(local_day(start_us) + (count + 1) * _DAY)
        case WorkingDays(count):
            return day_start_us(calendar.day_after(local_day(start_us), count) + _DAY)


class ProfileName(StrEnum):
    """Which deadlines a case has; `label` is the Chinese name."""

    AT_ONCE = "at_once"
    ONE_DAY = "one_day"
    FIVE_DAYS = "five_days"
    CITY_SIMPLE = "city_simple"
    CITY_COMPLEX = "city_complex"
    EMERGENCY = "emergency"

    @property
    def label(self) -> str:
        """The profile's name on pages."""
        return PROFILES[self].label


class Profile(msgspec.Struct, frozen=True, kw_only=True):
    """The deadlines of one sort of case. `longest`: working days that an extension may reach, 0 for none."""

    label: str
    source: str
    dispatch: Minutes | Days
    finish: AnySpan
    accept: AnySpan = WorkingDays(1)
    on_site: Minutes | None = None
    longest: int = 0


_YONGNING = "永审服发〔2017〕30号三（三）"
_JINAN = "济南市民服务热线工作流程与标准"
PROFILES = {
    ProfileName.AT_ONCE: Profile(
        label="立办立结", source=_YONGNING, dispatch=Days(0), finish=WorkingDays(0), longest=5
    ),
    ProfileName.ONE_DAY: Profile(
        label="一个工作日", source=_YONGNING, dispatch=Days(0), finish=WorkingDays(1), longest=5
    ),
    ProfileName.FIVE_DAYS: Profile(
        label="五个工作日", source=_YONGNING, dispatch=Days(0), finish=WorkingDays(5), longest=10
    ),
    ProfileName.CITY_SIMPLE: Profile(
        label="城管简易，当日",
        source=_JINAN,
        dispatch=Minutes(5),
        accept=Minutes(60),
        on_site=Minutes(60),
        finish=Days(0),
    ),
    ProfileName.CITY_COMPLEX: Profile(
        label="城管复杂，三日",
        source=_JINAN,
        dispatch=Minutes(5),
        accept=Minutes(60),
        on_site=Minutes(60),
        finish=Days(3),
    ),
    ProfileName.EMERGENCY: Profile(
        label="紧急，两小时",
        source="北京市接诉即办分级处置",
        dispatch=Minutes(5),
        accept=Minutes(30),
        finish=Minutes(120),
    ),
}
"""Each profile with the document it comes from. Times for signing (accept) are the house's own, and so is the
ten days' limit of an extension of a difficult matter: 永宁 limits that of ordinary ones only."""


class Light(StrEnum):
    """How near a deadline is; `label` is the Chinese name."""

    GREEN = "green"
    AMBER = "amber"
    RED = "red"
    OVERDUE = "overdue"

    @property
    def label(self) -> str:
        """The light's name on pages."""
        return _LIGHTS[self]

    @property
    def rank(self) -> int:
        """0 for green, 3 for overdue."""
        return list(Light).index(self)


_LIGHTS = {Light.GREEN: "正常", Light.AMBER: "预警", Light.RED: "临期", Light.OVERDUE: "逾期"}


def light(start_us: int, due_us: int, now_us: int, calendar: Calendar | None) -> Light:
    """Amber in the last third of the time, red in its last tenth, overdue after it.

    With a calendar only what lies on working days counts, so that a weekend uses up nothing; None for
    spans of the clock. NoCalendarYear if the calendar does not know a year between the two.
    """
    if now_us >= due_us:
        return Light.OVERDUE
    whole, left = _worked_us(start_us, due_us, calendar), _worked_us(now_us, due_us, calendar)
    if left * 10 <= whole:
        return Light.RED
    return Light.AMBER if left * 3 <= whole else Light.GREEN


def turns_us(start_us: int, due_us: int, calendar: Calendar | None) -> dict[Light, int]:
    """When the light turns amber, red and overdue; NoCalendarYear as for `light`."""
    whole = _worked_us(start_us, due_us, calendar)
    return {
        Light.AMBER: _with_left(whole // 3, start_us, due_us, calendar),
        Light.RED: _with_left(whole // 10, start_us, due_us, calendar),
        Light.OVERDUE: due_us,
    }


def _with_left(left: int, start_us: int, due_us: int, calendar: Calendar | None) -> int:
    """The first instant at which no more than `left` microseconds count until the deadline."""
    at = due_us
    while calendar is not None and left > 0:
        day = local_day(at - 1)
        begins = max(day_start_us(day), start_us)
        if calendar.is_working(day) and at - begins > left:
            break
        left -= (at - begins) * calendar.is_working(day)
        at = begins
        if at == start_us:
            return start_us
    return at - left


def _worked_us(start_us: int, end_us: int, calendar: Calendar | None) -> int:
    if calendar is None:
        return end_us - start_us
    total, at = 0, start_us
    while at < end_us:
        day = local_day(at)
        until = min(day_start_us(day + _DAY), end_us)
        total += (until - at) * calendar.is_working(day)
        at = until
    return total
