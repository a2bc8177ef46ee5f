"""Owns the script layer (话术): the verbs that flows are written in, over any line. Knows no Asterisk."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Awaitable, Callable
from typing import Protocol, TypeVar

import structlog

from ctiserver.api.way import PATH_VARIABLE, Step, write
from hotline.ivr_settings import PERSON
from ivr.catalogue import MANDARIN, SWITCH_LANGUAGES
from ivr.errors import CommandFailed, EmergencyTyped
from ivr.session import Played
from ivr.waiting import QueueFigures, expected_wait_s

Answer = TypeVar("Answer")

GRACE_S = 2.0
"""After what it announced, a step may take so much longer; then the dialplan takes the call over."""
PAUSE_S = 4.0
"""Keys further apart than this are no number."""
MOST_WRONG = 10
"""So many keys that nobody offered are passed over at one question."""
SETTLE_S = 1.5
"""How long a number that has been begun is waited for at the end of a flow."""

log = structlog.get_logger(__name__)


class Line(Protocol):
    """A citizen's line. `ivr.session.Session` is the real one."""

    @property
    def uniqueid(self) -> str:
        """The switch's id of the call."""
        ...

    async def stream_file(self, sound: str, *, offset: int = 0) -> Played:
        """Play from a sample on, until the end or any key."""
        ...

    async def wait_digit(self, *, timeout_s: float) -> str | None:
        """One key, or None."""
        ...

    async def set_variable(self, name: str, value: str) -> None:
        """Set a channel variable."""
        ...

    async def set_clock(self, seconds: float) -> None:
        """Have the dialplan take the call over in that time."""
        ...

    async def set_language(self, language: str) -> None:
        """Play sounds of that language from now on."""
        ...

    async def queue_figures(self, queue: str) -> QueueFigures:
        """How a queue stands now, by its number."""
        ...


class Call:
    """A citizen in the IVR. What is pressed while a prompt plays waits for whoever listens next.

    An emergency number typed at any time raises EmergencyTyped out of the verb that heard its last key. Each
    step first tells the switch how long it will take, so that an IVR that hangs costs the caller `GRACE_S`.
    """

    def __init__(
        self,
        line: Line,
        *,
        emergency: tuple[str, ...],
        length: Callable[[str, str], float],
        clock: Callable[[], float],
    ) -> None:
        self.line = line
        self.steps: list[Step] = []
        self.language = MANDARIN
        self.keys = 0
        """How many keys were pressed."""
        self._emergency = emergency
        self._length = length
        self._clock = clock
        self._ahead: list[str] = []
        self._run = ""
        self._pressed_at = -PAUSE_S
        self._is_number = False

    @property
    def path(self) -> str:
        """The way so far, without times."""
        return write(tuple(Step(step.code, step.key) for step in self.steps))

    @property
    def trail(self) -> str:
        """The way so far, with how long each step took."""
        return write(tuple(self.steps))

    async def mark(self, code: str, key: str = "") -> None:
        """A step that plays nothing: where the call goes."""
        self.steps.append(Step(code, key))
        await self.line.set_variable(PATH_VARIABLE, self.trail)

    async def say(self, prompt: str, code: str = "") -> None:
        """Play a prompt; a key cuts it short. With keys waiting it is not played at all."""
        began = await self._begin(prompt, code)
        if not self._ahead:
            await self._play(prompt)
        self._end(code, began)

    def forget_but(self, keys: str) -> None:
        """Of what was pressed so far only these keys will answer a question: whoever skipped a prompt by
        another one is to hear the next.
        """
        self._ahead = [key for key in self._ahead if key in keys]

    async def read(self, prompts: tuple[str, ...], code: str = "", key: str = "") -> None:
        """Play several prompts as one sentence; a key cuts it short. `key`: what the step was about."""
        began = self._clock()
        if code:
            await self.mark(code)
        for prompt in prompts:
            await self.say(prompt)
        self._end(code, began, key)

    async def speak(self, language: str) -> None:
        """From now on everything is said in that language, also by the queue."""
        await self.line.set_language(SWITCH_LANGUAGES[language])
        self.language = language

    async def expected_wait_s(self, queue: str) -> float:
        """How long the caller would wait in that queue, seconds."""
        await self.line.set_clock(GRACE_S)
        return expected_wait_s(await self.line.queue_figures(queue))

    async def wait(self, answer: Awaitable[Answer], within_s: float) -> Answer:
        """Wait for somebody else's answer while the caller hears nothing; TimeoutError beyond `within_s`."""
        await self.line.set_clock(within_s + GRACE_S)
        async with asyncio.timeout(within_s):
            return await answer

    async def tell(self, prompt: str, code: str = "") -> None:
        """Play a prompt to its end, whatever is pressed meanwhile."""
        began = await self._begin(prompt, code)
        at = 0
        while True:
            played = await self._stream(prompt, at)
            if played is None or played.key is None or played.endpos <= at:
                break
            at = played.endpos
            self._press(played.key)
        self._end(code, began)

    async def menu(self, prompt: str, keys: str, *, wait_s: float, code: str) -> str | None:
        """Ask for one of `keys`; None when none came in time. Other keys are passed over, `MOST_WRONG` at
        most: whoever goes on pressing them wants a person, or plays.
        """
        began = await self._begin(prompt, code, wait_s)
        if not self._ahead:
            await self._play(prompt)
        for _ in range(MOST_WRONG):
            key = await self._next(wait_s)
            if key is None or key in keys:
                break
        else:
            key = None
        if key is not None:
            self._run = self._run if self._ahead else self._run[-1:]
        self._end(code, began, key or "")
        return key

    async def number(
        self, prompt: str, *, most: int, wait_s: float, code: str, may_begin_with_0: bool = False
    ) -> str:
        """Ask for up to `most` digits, ended by # or a pause of `wait_s`; * begins anew, and 0 instead of a
        number that cannot begin with it ends the question: such a caller wants a person.

        A number may well hold the digits of an emergency number: only one that it begins with counts.
        """
        began = await self._begin(prompt, code, wait_s)
        self._run, self._is_number = "", True
        try:
            if not self._ahead:
                await self._play(prompt)
            typed = await self._collect(most, wait_s, may_begin_with_0=may_begin_with_0)
        finally:
            self._is_number = False
        self._end(code, began, str(len(typed)))
        return typed

    async def settle(self) -> None:
        """Wait a moment for the rest of an emergency number that has just been begun."""
        while self._is_begun() and (left := self._pressed_at + SETTLE_S - self._clock()) > 0.001:
            await self.line.set_clock(left + GRACE_S)
            key = await self.line.wait_digit(timeout_s=left)
            if key is None:
                return
            self._press(key)

    async def _collect(self, most: int, wait_s: float, *, may_begin_with_0: bool) -> str:
        typed = ""
        while len(typed) < most:
            key = await self._next(wait_s)
            if key in {None, "#"} or (key == PERSON and not typed and not may_begin_with_0):
                break
            typed = "" if key == "*" else f"{typed}{key}"
            self._run = typed
        return typed

    async def _next(self, wait_s: float) -> str | None:
        """The next key: one that waits, or one that comes in time."""
        if self._ahead:
            return self._ahead.pop(0)
        await self.line.set_clock(wait_s + GRACE_S)
        key = await self.line.wait_digit(timeout_s=wait_s)
        if key is None:
            return None
        self._press(key)
        return self._ahead.pop(0)

    def _press(self, key: str) -> None:
        now = self._clock()
        self._run = key if now - self._pressed_at > PAUSE_S else self._run + key
        self._pressed_at = now
        self.keys += 1
        self._ahead.append(key)
        for number in self._emergency:
            if self._run == number or (not self._is_number and self._run.endswith(number)):
                raise EmergencyTyped(number)

    def _is_begun(self) -> bool:
        """Whether the last keys could become an emergency number."""
        return any(
            self._run.endswith(number[:so_far])
            for number in self._emergency
            for so_far in range(1, len(number))
        )

    async def _begin(self, prompt: str, code: str, wait_s: float = 0.0) -> float:
        began = self._clock()
        if code:
            await self.mark(code)
        await self.line.set_clock(math.ceil(self._length(prompt, self.language) + wait_s + GRACE_S))
        return began

    def _end(self, code: str, began: float, key: str = "") -> None:
        if code:
            self.steps[-1] = Step(code, key, round(self._clock() - began))

    async def _play(self, prompt: str) -> None:
        played = await self._stream(prompt, 0)
        if played is not None and played.key is not None:
            self._press(played.key)

    async def _stream(self, prompt: str, offset: int) -> Played | None:
        """Play; a missing sound file costs the citizen that sentence and nothing else."""
        try:
            return await self.line.stream_file(prompt, offset=offset)
        except CommandFailed:
            log.warning("prompt_missing", uniqueid=self.line.uniqueid, prompt=prompt)
            return None
