"""Owns the day's counts of the queues: a fold of the history, so that a restart or a look at the
switch counts as those would have who saw it happen. A day is Shanghai's.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import msgspec

from ctiserver.api.history import CallAnswered, CallEnded, CallQueued, History
from ctiserver.api.states import Outcome
from hotline.local_time import day_start_us, local_day

MIDNIGHT = "midnight"
"""The timer at which the day ends."""
_ANSWERED = ""


class Counts(msgspec.Struct, gc=False):
    """One queue's calls of the day; each counts once, when it is first answered or ends unanswered."""

    answered: int = 0
    in_time: int = 0
    """answered within the service level"""
    abandoned: int = 0
    short_abandoned: int = 0
    overflow: int = 0
    closed: int = 0


class Day(msgspec.Struct):
    """The counts of every queue, by number. `waits_in`: conversation -> the queue in which it began to wait,
    "" once it has been answered.
    """

    ends_us: int = 0
    """The next midnight (UTC); 0 before the first look at the clock."""
    counts: dict[str, Counts] = msgspec.field(default_factory=dict)
    waits_in: dict[str, str] = msgspec.field(default_factory=dict)

    def of(self, queue: str) -> Counts:
        """That queue's counts."""
        found = self.counts.get(queue)
        if found is None:
            found = self.counts[queue] = Counts()
        return found

    def queued(self, event: CallQueued, _service_level_ms: int) -> str:
        """Waits from now on. Here and below, the queue whose counts have changed is returned, "" for none."""
        self.waits_in.setdefault(event.conversation, event.queue)
        return ""

    def answered(self, event: CallAnswered, service_level_ms: int) -> str:
        """Counts when it is the first time."""
        queue = self.waits_in.get(event.conversation, _ANSWERED)
        if queue != _ANSWERED:
            self.waits_in[event.conversation] = _ANSWERED
            counts = self.of(queue)
            counts.answered += 1
            counts.in_time += event.wait_ms <= service_level_ms
        return queue

    def ended(self, event: CallEnded, _service_level_ms: int) -> str:
        """Counts when nobody had answered."""
        queue = self.waits_in.pop(event.conversation, event.queue)
        return queue if queue and _count_unanswered(self.of(queue), event.outcome) else ""

    def turn(self, now_us: int) -> bool:
        """Look at the clock; whether a new day has begun, with all counts at 0."""
        if now_us < self.ends_us:
            return False
        is_new = self.ends_us > 0
        self.ends_us = day_start_us(local_day(now_us) + timedelta(days=1))
        if is_new:
            self.counts.clear()
        return is_new


def _count_unanswered(counts: Counts, how: Outcome) -> bool:
    """A call ended that had been led to that queue; whether that counts as unanswered."""
    match how:
        case Outcome.SHORT_ABANDON:
            counts.short_abandoned += 1
        case Outcome.OVERFLOW:
            counts.overflow += 1
        case Outcome.CLOSED:
            counts.closed += 1
        case Outcome.ABANDONED_QUEUE | Outcome.ABANDONED_RINGING | Outcome.SWITCH_LOST:
            counts.abandoned += 1
        case _:  # answered; or their place in line is kept; or the hotline called them
            return False
    return True


COUNTED: dict[type[History], Callable[[Day, Any, int], str]] = {
    CallQueued: Day.queued,
    CallAnswered: Day.answered,
    CallEnded: Day.ended,
}
"""What is counted, and how: (day, event, service level in ms)."""
