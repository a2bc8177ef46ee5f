"""Owns the visit back (回访): attempts to reach the citizen, and when enough has been tried. Pure."""

from __future__ import annotations

import msgspec

from casework.words import Refusal
from hotline.local_time import local

ATTEMPTS = 3


class Attempt(msgspec.Struct, frozen=True):
    """A visit that reached nobody."""

    at_us: int
    is_sms: bool = False


def hindrance(before: tuple[Attempt, ...], attempt: Attempt) -> Refusal | None:
    """Why this attempt does not count: by SMS before any telephone call, or at an hour tried already."""
    if attempt.is_sms and not before:
        return Refusal.PHONE_FIRST
    hours = {local(earlier.at_us).hour for earlier in before}
    return Refusal.SAME_HOUR if local(attempt.at_us).hour in hours else None


def is_given_up(attempts: tuple[Attempt, ...]) -> bool:
    """Whether the citizen was tried often enough, at different hours, to close without an answer."""
    return len(attempts) >= ATTEMPTS
