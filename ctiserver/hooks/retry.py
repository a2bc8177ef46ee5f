"""Owns what follows a try: delivered, again later, given up, or a receiver that is gone. Pure."""

from __future__ import annotations

import msgspec

FIRST_S, LAST_S = 5, 3000
"""Waits double from the first to the last, each lengthened by up to a fifth: 5 seconds to one hour."""
SPREAD = 0.2
TRIES = 35
"""Tries before a delivery is given up: about a day."""
LONGEST_US = int(LAST_S * (1 + SPREAD)) * 1_000_000
_GONE = 410


class Answered(msgspec.Struct, frozen=True):
    """The receiver's HTTP status."""

    status: int


class Unanswered(msgspec.Struct, frozen=True):
    """No status came; why, in a few words without address."""

    why: str


class Delivered(msgspec.Struct, frozen=True):
    """The receiver has it."""


class Again(msgspec.Struct, frozen=True):
    """Try again at `due_us` (UTC microseconds)."""

    due_us: int
    why: str


class Dead(msgspec.Struct, frozen=True):
    """Given up, until an operator asks for it."""

    why: str


class Gone(msgspec.Struct, frozen=True):
    """The receiver wants nothing any more (410): nothing is sent to it until the next start."""


Verdict = Delivered | Again | Dead | Gone


def verdict(came: Answered | Unanswered, tries: int, now_us: int, dice: float) -> Verdict:
    """What follows the try number `tries` (from 1), now ended; `dice` is random within 0 and 1. Whatever is
    not 2xx failed, redirects too.
    """
    match came:
        case Answered(status) if 200 <= status < 300:
            return Delivered()
        case Answered(status) if status == _GONE:
            return Gone()
        case Answered(status):
            why = f"HTTP {status}"
        case Unanswered(why):
            pass
    if tries >= TRIES:
        return Dead(why)
    return Again(now_us + wait_us(tries, dice), why)


def wait_us(tries: int, dice: float) -> int:
    """How long to wait after so many tries, microseconds."""
    wait_s = min(FIRST_S * 2 ** min(tries - 1, 30), LAST_S)
    return int(wait_s * (1 + SPREAD * dice) * 1_000_000)
