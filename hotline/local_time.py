"""Owns an instant's forms in Shanghai's time: days, times of day, durations as people read them. Pure."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

SHANGHAI = ZoneInfo("Asia/Shanghai")
SECOND_US = 1_000_000
DAY_US = 86_400 * SECOND_US
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def local(utc_us: int) -> datetime:
    """The instant as an aware datetime in Asia/Shanghai, exact to the microsecond."""
    return (_EPOCH + timedelta(microseconds=utc_us)).astimezone(SHANGHAI)


def local_day(utc_us: int) -> date:
    """The calendar day in Shanghai: what a citizen and a report call "today"."""
    return local(utc_us).date()


@lru_cache(maxsize=4096)
def day_start_us(day: date) -> int:
    """Midnight in Shanghai at which `day` begins, in UTC microseconds."""
    return instant_us(datetime(day.year, day.month, day.day))


def instant_us(wall: datetime) -> int:
    """The instant at which Shanghai's clocks show that (a datetime without a zone), in UTC microseconds."""
    return (wall.replace(tzinfo=SHANGHAI) - _EPOCH) // timedelta(microseconds=1)


def date_time(utc_us: int) -> str:
    """2026-11-24 09:05:03, for pages."""
    return local(utc_us).strftime("%Y-%m-%d %H:%M:%S")


def rfc3339(utc_us: int) -> str:
    """2026-11-24T09:05:03.000120Z, for programs; years that no calendar has become the nearest one."""
    utc_us = max(-62_135_596_800_000_000, min(utc_us, 253_402_300_799_999_999))
    at = _EPOCH + timedelta(microseconds=utc_us)
    return at.isoformat(timespec="microseconds").replace("+00:00", "Z")


def time_of_day(utc_us: int) -> str:
    """09:05:03, for pages that already show the day."""
    return local(utc_us).strftime("%H:%M:%S")


def compact_day(utc_us: int) -> str:
    """20261124, for numbers that begin with their day."""
    return local(utc_us).strftime("%Y%m%d")


def duration(seconds: float) -> str:
    """How long, as people read it on a wall: 0:07, 12:30, 1:02:03. Never negative."""
    whole = max(0, int(seconds))
    hours, rest = divmod(whole, 3600)
    minutes, secs = divmod(rest, 60)
    return f"{hours}:{minutes:02}:{secs:02}" if hours else f"{minutes}:{secs:02}"
