"""Owns one citizen on a way through the IVR: what they do, and what must be heard and kept of it."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping
from pathlib import Path

import msgspec

from ctiserver.api import way
from ctiserver.api.states import Outcome
from rehearsal import tones
from rehearsal.city import CitizenCall, City
from rehearsal.hearing import ALIKE, Course, likeness, prompt_course, what_was_heard
from rehearsal.legs import CallEnded
from rehearsal.lobby import Lobby

WITHIN_S = 40.0
"""Every step comes by itself in that time, for who presses nothing too."""
GAVE_UP = frozenset({Outcome.ABANDONED_QUEUE, Outcome.SHORT_ABANDON})
"""What becomes of whoever hangs up in the queue; which of the two is the site's setting."""
_BREATH_S = 0.5
"""From a step's beginning until the citizen can hear it, and the longest that a prompt starts late."""


class Kept(msgspec.Struct, frozen=True, kw_only=True):
    """What the hotline kept of a caller; `path` as `ctiserver.api.way` writes it."""

    number: str
    outcome: str
    queue: str
    path: str
    failure: str


class Props(msgspec.Struct, frozen=True, kw_only=True):
    """What the hotline on the stage has for the ways: queues and lines by number, prompts by name."""

    general: str
    kind: str
    """The queue that the menu's key leads to; an announcement is made to those who go there."""
    behind: str
    """The queue in which the nuisance caller waits; the emergency mode leads everybody to it."""
    line: str
    """A merged line with a greeting of its own; it leads to `kind`."""
    line_greeting: str
    mode_greeting: str
    news: str
    case_of_caller: str
    """The number of the case of whoever walks `case_of_caller`."""
    case_of_another: str
    """The number of a case that was opened with a phone of `another_digits`."""
    another_digits: str
    sounds: Mapping[str, Path]
    """The directory of the prompts of each language."""


class Caller:
    """One citizen, who calls once. What was heard and kept is judged by `faults` when the call is over."""

    def __init__(self, city: City, lobby: Lobby, props: Props, number: str, n: int) -> None:
        self.props, self.number = props, number
        self.others: list[Caller] = []
        """Further citizens who take part in this one's way."""
        self.checked = self.right = 0
        """Prompts that were listened for, and those that were as they should."""
        self._city, self._lobby, self._n = city, lobby, n
        self._call: CitizenCall | None = None
        self._hears: list[tuple[str, str]] = []
        self._hears_not: list[str] = []
        self._path, self._queue = "", ""
        self._outcomes: frozenset[str] = frozenset()
        self._wrong: list[str] = []

    def another(self) -> Caller:
        """A second citizen, with a number of their own."""
        n = self._n + 1000
        other = Caller(self._city, self._lobby, self.props, f"{self.number[:-4]}{n:04d}", n)
        self.others.append(other)
        return other

    @property
    def call(self) -> CitizenCall:
        """The call; CallEnded when it was never made."""
        if self._call is None:
            raise CallEnded("nobody called")
        return self._call

    @property
    def everybody(self) -> list[Caller]:
        """All who take part in this way."""
        return [self, *self.others]

    async def calls(self, dial: str | None = None) -> None:
        """Dial a number of the hotline (None: its main one) and be answered."""
        self._call = await self._city.call(self.number, dial=dial, n=self._n)
        await self.call.answered()

    async def at(self, code: str) -> None:
        """Wait until the IVR has come to that step and its prompt can be heard."""
        await self._lobby.comes_to(self.number, code, WITHIN_S)
        await asyncio.sleep(_BREATH_S)

    async def press(self, keys: str) -> None:
        """Press keys."""
        await self.call.press(keys)

    async def to_the_menu(self, key: str, dial: str | None = None) -> None:
        """Skip the greeting, and answer the menu while it speaks."""
        await self.calls(dial)
        await self.at("g")
        await self.press("#")
        await self.at("m")
        await self.press(key)

    async def speaks(self, seconds: float) -> None:
        """Speak so long: a citizen's phone plays its tone all the time."""
        await asyncio.sleep(seconds)

    async def listens(self, prompt: str, language: str = "zh") -> None:
        """Let a prompt that has just begun speak to its end."""
        await asyncio.sleep(tones.read(self.props.sounds[language] / f"{prompt}.wav").seconds + _BREATH_S)

    async def waits(self) -> str:
        """Come into a queue; the place there, "1" for the first."""
        await self._lobby.has(self.number, WITHIN_S)
        return self._lobby.place[self.number]

    def heard(self, *prompts: str, language: str = "zh") -> None:
        """These must have been heard whole, one after the other and after those claimed before."""
        self._hears += [(language, prompt) for prompt in prompts]

    def heard_not(self, prompt: str) -> None:
        """This one must not have been heard whole."""
        self._hears_not.append(prompt)

    def kept(self, path: str, queue: str, outcomes: frozenset[str] = frozenset(GAVE_UP)) -> None:
        """What the record must say; `path` without times, `queue` "" when the caller was in none."""
        self._path, self._queue, self._outcomes = path, queue, outcomes

    async def hang_up(self) -> None:
        """The way is over, however it went."""
        if self._call is not None:
            await self._call.hang_up()

    def wrong(self, what: str) -> None:
        """Something was seen on the way that may not be."""
        self._wrong.append(what)

    async def faults(self, rows: list[Kept]) -> list[str]:
        """End the call, listen, and read the record: what is otherwise than it should be."""
        played = await what_was_heard(self.call)
        misheard = await asyncio.to_thread(lambda: list(self._misheard(played)))
        return [*self._wrong, *misheard, *self._misrecorded(rows)]

    def _misheard(self, played: Course) -> Iterator[str]:
        last = 0.0
        for language, prompt in self._hears:
            like, at = likeness(played, prompt_course(self.props.sounds[language], prompt))
            self.checked += 1
            if like > ALIKE and at >= last:
                self.right += 1
                last = at
            else:
                yield f"{prompt} ({language}) was not heard in its turn: {like:.2f} at {at:.1f} s"
        for prompt in self._hears_not:
            like, at = likeness(played, prompt_course(self.props.sounds["zh"], prompt))
            self.checked += 1
            self.right += like <= ALIKE
            if like > ALIKE:
                yield f"{prompt} was heard at {at:.1f} s"

    def _misrecorded(self, rows: list[Kept]) -> Iterator[str]:
        if len(rows) != 1:
            yield f"{len(rows)} finished records"
            return
        (row,) = rows
        path = way.write(tuple(way.Step(step.code, step.key) for step in way.read(row.path)))
        if (path, row.queue, row.failure) != (self._path, self._queue, ""):
            yield f"the record says {path} to {row.queue!r}{row.failure and ', '}{row.failure}"
        if row.outcome not in self._outcomes:
            yield f"the record says {row.outcome}"
