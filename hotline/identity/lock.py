"""Owns the lock on log-in (登录锁定): when one more attempt is allowed. Pure."""

from __future__ import annotations

import msgspec

from hotline.local_time import SECOND_US

ATTEMPTS = 5
LOCK_US = 300 * SECOND_US


class Attempts(msgspec.Struct, frozen=True):
    """Attempts since the last success, and until when none is allowed (0: never was)."""

    count: int = 0
    locked_until_us: int = 0


def attempt(before: Attempts, now_us: int) -> Attempts | None:
    """The count with one more attempt, or None while locked.

    Counted before the password is looked at, and the lock set with the last attempt: a hundred guesses
    sent at once get no more tries than a hundred sent in turn. A success wipes the count.
    """
    if before.count >= ATTEMPTS:
        if now_us < before.locked_until_us:
            return None
        before = Attempts()
    count = before.count + 1
    return Attempts(count, now_us + LOCK_US if count >= ATTEMPTS else 0)
