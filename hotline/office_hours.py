"""Owns the office hours (办公时间) of a unit: their written form, and whether it is open at an instant. Pure.

A form is clauses such as `mon-fri 09:00-12:00,14:00-17:30; sat 09:00-12:00`, in Asia/Shanghai. Days are
`mon` to `sun`, a range of them, or `workdays`: those on which offices work, with holidays and 调休. `always`
never closes.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from datetime import date, timedelta

import msgspec

from hotline.errors import HotlineError
from hotline.local_time import SECOND_US, day_start_us, local, local_day

ALWAYS = "always"
WORKDAYS = "workdays"
LONGEST = 120
"""Characters of a form."""
_NAMES = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_NAMES_ZH = ("周一", "周二", "周三", "周四", "周五", "周六", "周日")
_SPAN = re.compile(r"([01]\d|2[0-3]):([0-5]\d)-([01]\d|2[0-4]):([0-5]\d)", re.ASCII)
_DAY_MINUTES = 24 * 60
_MINUTE_US = 60 * SECOND_US
_DAY = timedelta(days=1)
_AHEAD = 16
"""Days looked ahead: longer than any run of holidays."""

IsWorkday = Callable[[date], bool]


class BadHours(HotlineError):
    """Office hours that are not in the form that can be checked."""


class Clause(msgspec.Struct, frozen=True):
    """Spans of minutes since midnight, on days of the week (0 is Monday); no days: on working days."""

    days: frozenset[int]
    spans: tuple[tuple[int, int], ...]

    def holds(self, day: date, is_workday: IsWorkday) -> bool:
        """Whether it tells of that day."""
        return day.weekday() in self.days if self.days else is_workday(day)


class Standing(msgspec.Struct, frozen=True):
    """Open (上班中) or closed (已下班); `changes_us`: the instant (UTC) at which that ends, 0 if not soon."""

    is_open: bool
    changes_us: int


def read(form: str) -> tuple[Clause, ...]:
    """The clauses of a form; BadHours says which part cannot be read."""
    if len(form) > LONGEST:
        raise BadHours(f"office hours {form!r}: at most {LONGEST} characters")
    if form.strip() == ALWAYS:
        return (Clause(frozenset(range(7)), ((0, _DAY_MINUTES),)),)
    return tuple(_clause(part.strip()) for part in form.split(";"))


def _clause(text: str) -> Clause:
    days, _, spans = text.partition(" ")
    if not spans:
        raise BadHours(f"office hours: {text!r} is not days and times, as mon-fri 09:00-12:00,14:00-17:30")
    return Clause(_days(days), _spans(spans))


def _days(text: str) -> frozenset[int]:
    if text == WORKDAYS:
        return frozenset()
    first, _, last = text.partition("-")
    if first not in _NAMES or (last or first) not in _NAMES:
        raise BadHours(
            f"office hours: {text!r} is no day; days are mon to sun, mon-fri and the like, or workdays"
        )
    begin, end = _NAMES.index(first), _NAMES.index(last or first)
    if end < begin:
        raise BadHours(f"office hours: {text!r} runs backwards")
    return frozenset(range(begin, end + 1))


def _spans(text: str) -> tuple[tuple[int, int], ...]:
    spans: list[tuple[int, int]] = []
    for part in text.split(","):
        found = _SPAN.fullmatch(part.strip())
        if found is None:
            raise BadHours(f"office hours: {part.strip()!r} is not a time such as 09:00-12:00")
        hour, minute, to_hour, to_minute = map(int, found.groups())
        begin, end = hour * 60 + minute, to_hour * 60 + to_minute
        if not (spans[-1][1] if spans else 0) <= begin < end <= _DAY_MINUTES:
            raise BadHours(
                f"office hours: {part.strip()!r} ends before it begins, or overlaps the one before"
            )
        spans.append((begin, end))
    return tuple(spans)


def standing(clauses: tuple[Clause, ...], now_us: int, is_workday: IsWorkday) -> Standing:
    """Whether a unit with these hours is open at that instant, and until when that holds."""
    horizon_us = day_start_us(local_day(now_us) + _AHEAD * _DAY)
    for begin_us, end_us in _joined(clauses, local_day(now_us), is_workday):
        if now_us < begin_us:
            return Standing(False, begin_us)
        if now_us < end_us:
            return Standing(True, end_us if end_us < horizon_us else 0)
    return Standing(False, 0)


def _joined(clauses: tuple[Clause, ...], first: date, is_workday: IsWorkday) -> Iterator[tuple[int, int]]:
    """Spans of time (UTC microseconds) from that day on, those that touch each other as one."""
    under_way: tuple[int, int] | None = None
    for day in (first + n * _DAY for n in range(_AHEAD)):
        midnight = day_start_us(day)
        of_day = sorted(s for c in clauses if c.holds(day, is_workday) for s in c.spans)
        for begin, end in of_day:
            begin_us, end_us = midnight + begin * _MINUTE_US, midnight + end * _MINUTE_US
            if under_way is not None and begin_us <= under_way[1]:
                under_way = (under_way[0], max(end_us, under_way[1]))
                continue
            if under_way is not None:
                yield under_way
            under_way = (begin_us, end_us)
    if under_way is not None:
        yield under_way


def standing_zh(now: Standing, now_us: int) -> str:
    """上班中 至 17:30, or 已下班 明天 09:00 上班: as agents read it."""
    if not now.changes_us:
        return "上班中" if now.is_open else "已下班"
    when = _when(now.changes_us, now_us)
    return f"上班中 至 {when}" if now.is_open else f"已下班 {when} 上班"


def _when(at_us: int, now_us: int) -> str:
    at = local(at_us)
    days = (local_day(at_us) - local_day(now_us)).days
    day = {0: "", 1: "明天 "}.get(days, f"{_NAMES_ZH[at.weekday()]} " if days < 7 else f"{at:%m-%d} ")
    return f"{day}{at:%H:%M}"


def form_zh(clauses: tuple[Clause, ...]) -> str:
    """周一至周五 09:00-12:00、14:00-17:30；周六 09:00-12:00."""
    return "；".join(f"{_days_zh(c.days)} {'、'.join(map(_span_zh, c.spans))}" for c in clauses)


def _days_zh(days: frozenset[int]) -> str:
    if not days:
        return "工作日"
    if len(days) == len(_NAMES):
        return "每天"
    first, last = _NAMES_ZH[min(days)], _NAMES_ZH[max(days)]
    return first if first == last else f"{first}至{last}"


def _span_zh(span: tuple[int, int]) -> str:
    begin, end = span
    return f"{begin // 60:02}:{begin % 60:02}-{end // 60:02}:{end % 60:02}"
