"""Owns running timers: one for each key, on the loop's monotonic clock, so that a step of the wall clock
moves none.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from ctiserver.model.events import Event, TimerFired


class Timers:
    """Timers by key; `put` receives TimerFired."""

    def __init__(self, put: Callable[[Event], None]) -> None:
        self._put = put
        self._running: dict[str, asyncio.TimerHandle] = {}

    def start(self, key: str, after_ms: int) -> None:
        """Fire in `after_ms`; a running timer of that key starts anew."""
        self.cancel(key)
        self._running[key] = asyncio.get_running_loop().call_later(after_ms / 1000, self._fire, key)

    def cancel(self, key: str) -> None:
        """Forget it, running or not."""
        handle = self._running.pop(key, None)
        if handle is not None:
            handle.cancel()

    def stop(self) -> None:
        """Forget all."""
        for key in tuple(self._running):
            self.cancel(key)

    def _fire(self, key: str) -> None:
        self._running.pop(key, None)
        self._put(TimerFired(key))
