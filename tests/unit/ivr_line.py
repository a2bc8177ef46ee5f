"""A citizen's line for tests of flows: keys pressed when it is told to, on a clock of its own."""

from __future__ import annotations

from collections.abc import Mapping

from ivr.call import Call
from ivr.errors import CallerGone
from ivr.session import Played
from ivr.waiting import QueueFigures

EMERGENCY = ("110", "119", "120", "122")
SAMPLES = 8000
LENGTH_S = 2.0


class FakeLine:
    """Each prompt lasts 2 s. `presses`: in which second of the call which key is pressed."""

    uniqueid = "n1-1.1"

    def __init__(self, presses: Mapping[float, str], gone_at_s: float = 1e9) -> None:
        self.now = 0.0
        self.heard: list[str] = []
        self.asked_of: list[str] = []
        self.queue = QueueFigures(waiting=9, seats=3, ready=0, talk_s=100)
        self.middles: list[float] = []
        """The middle of each prompt, as far as it was heard."""
        self.variables: dict[str, str] = {}
        self.languages: list[str] = []
        self._presses = sorted(presses.items())
        self._gone_at_s = gone_at_s
        self._deadline = 3.0

    def _until(self, end: float) -> str | None:
        """Time goes on until `end` or the next key."""
        assert end < self._deadline, "the dialplan would have taken the call over"
        key = None
        if self._presses and self._presses[0][0] <= end:
            at, key = self._presses.pop(0)
            end = max(at, self.now)
        if end >= self._gone_at_s:
            raise CallerGone("the caller hung up")
        self.now = end
        return key

    async def stream_file(self, sound: str, *, offset: int = 0) -> Played:
        self.heard.append(f"{sound}@{offset}" if offset else sound)
        began, came = self.now - offset / SAMPLES, self.now
        key = self._until(began + LENGTH_S)
        self.middles.append((came + self.now) / 2)
        return Played(key, round((self.now - began) * SAMPLES))

    async def wait_digit(self, *, timeout_s: float) -> str | None:
        return self._until(self.now + timeout_s)

    async def set_variable(self, name: str, value: str) -> None:
        self.variables[name] = value

    async def set_language(self, language: str) -> None:
        self.languages.append(language)

    async def queue_figures(self, queue: str) -> QueueFigures:
        self.asked_of.append(queue)
        return self.queue

    async def set_clock(self, seconds: float) -> None:
        self._deadline = self.now + seconds


def call_on(line: FakeLine) -> Call:
    """The script layer on that line."""
    return Call(line, emergency=EMERGENCY, length=lambda _prompt, _language: LENGTH_S, clock=lambda: line.now)
