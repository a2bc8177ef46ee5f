"""Owns what becomes of a call in the IVR: which flow it gets, and how it leaves for the queue or its end."""

from __future__ import annotations

import asyncio

import structlog

from asterisk_conf.paths import NodePaths
from hotline.settings import Settings
from ivr.call import Call
from ivr.errors import EmergencyTyped
from ivr.flows.greeting import greeting
from ivr.flows.rating import rating
from ivr.prompts import length_s
from ivr.session import Session

PRIORITY_VARIABLE = "QUEUE_PRIO"
EMERGENCY_PRIORITY = "20"
"""app_queue takes a higher one first. One who comes back from an agent has 10."""
RATING_VARIABLE = "HOTLINE_RATING"
"""Channel variable that tells the dialplan what the citizen answered; "0" when nothing."""
LENGTH_S = 15.0
"""What a prompt is allowed whose length we cannot see, as with an Asterisk on another machine."""

log = structlog.get_logger(__name__)


class Desk:
    """The IVR's flows, with what they need, for calls that Asterisk hands over."""

    def __init__(self, settings: Settings) -> None:
        self._emergency = settings.emergency_numbers
        self._sounds = NodePaths(settings.state / "asterisk").sounds

    async def greet(self, session: Session) -> str:
        """The way in: greeting, then the queue. Return `heard`, `skipped` or `emergency`."""
        call = self._call(session, self._emergency)
        try:
            await greeting(call)
            await call.settle()
        except EmergencyTyped as typed:
            await self._hurry(call, typed.number)
            return "emergency"
        await call.mark("q")
        log.info("ivr_path", uniqueid=session.uniqueid, path=call.path, ms=[step.ms for step in call.steps])
        return "skipped" if call.keys else "heard"

    async def rate(self, session: Session) -> str:
        """The way out: how content the citizen is. Return `rated` or `unrated`; what they said is not told.

        An emergency number is none here: each begins with a 1, which is an answer.
        """
        answer = await rating(self._call(session, emergency=()))
        await session.set_variable(RATING_VARIABLE, answer or "0")
        return "rated" if answer else "unrated"

    def _call(self, session: Session, emergency: tuple[str, ...]) -> Call:
        clock = asyncio.get_running_loop().time
        return Call(session, emergency=emergency, length=self._length, clock=clock)

    def _length(self, prompt: str) -> float:
        found = length_s(self._sounds, prompt)
        return LENGTH_S if found is None else found

    async def _hurry(self, call: Call, number: str) -> None:
        """Whoever types 110 has no time: to the head of the queue, labelled, without another word.

        It is an agent who brings 110 in, with one key: a transfer to the police belongs to call control
        (`ctiserver`), which sees that the citizen is never put on a line where nobody answers.
        """
        await call.line.set_variable(PRIORITY_VARIABLE, EMERGENCY_PRIORITY)
        await call.mark(f"e{number}")
        log.info("ivr_emergency", uniqueid=call.line.uniqueid, path=call.path)
