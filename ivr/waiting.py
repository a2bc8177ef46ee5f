"""Owns how long a caller can expect to wait (预计等候时间), from what app_queue counts. Pure."""

from __future__ import annotations

import msgspec

TYPICAL_TALK_S = 120.0
"""A call's length while a queue has ended none since Asterisk began to count."""


class QueueFigures(msgspec.Struct, frozen=True, kw_only=True):
    """A queue now. `seats`: whose phones are there, resting ones too; `ready`: of these, whom it could ring;
    `talk_s`: the mean of its calls as app_queue keeps it, 0 for none yet.
    """

    waiting: int
    seats: int
    ready: int
    talk_s: float


def expected_wait_s(now: QueueFigures) -> float:
    """When whoever joins now comes to speak: at once while a seat is ready for them, else when as many calls
    have ended as people wait, each seat ending one in `talk_s`; without seats never (infinite).
    """
    before = now.waiting + 1 - now.ready
    if before <= 0:
        return 0.0
    return before * (now.talk_s or TYPICAL_TALK_S) / now.seats if now.seats else float("inf")
