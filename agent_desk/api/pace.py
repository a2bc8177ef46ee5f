"""Owns how fast a token may ask (限流): a bucket that fills evenly and holds ten seconds' worth. Pure."""

from __future__ import annotations

import msgspec

from hotline.local_time import SECOND_US

_HELD_S = 10
_MINUTE_S = 60


class Pace(msgspec.Struct, frozen=True):
    """How many requests may come at once, as of `at_us` (monotonic microseconds)."""

    left: float
    at_us: int


def step(pace: Pace | None, per_minute: int, now_us: int) -> tuple[Pace, int]:
    """The pace after one more request, and 0; or how many whole seconds to wait, and nothing is taken."""
    most = max(1.0, per_minute * _HELD_S / _MINUTE_S)
    a_second = per_minute / _MINUTE_S
    left = most if pace is None else min(most, pace.left + (now_us - pace.at_us) / SECOND_US * a_second)
    if left >= 1:
        return Pace(left - 1, now_us), 0
    return Pace(left, now_us), int((1 - left) / a_second) + 1
