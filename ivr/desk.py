"""Owns what becomes of a call in the IVR: which flow it gets, and how it leaves for the queue or its end."""

from __future__ import annotations

import asyncio

import structlog

from asterisk_conf.paths import NodePaths
from casework.calendar import is_workday
from hotline import clock
from hotline.numbers import complete, key_of
from ivr.call import Call
from ivr.cases import CaseDesk, home_of
from ivr.catalogue import sounds_of
from ivr.errors import EmergencyTyped
from ivr.flows.entrance import Guest, Way, entrance
from ivr.flows.rating import rating
from ivr.outlook import Outlook
from ivr.prompts import length_s
from ivr.script import Plan, plan_for
from ivr.session import Session

PRIORITY_VARIABLE = "QUEUE_PRIO"
EMERGENCY_PRIORITY = "20"
"""app_queue takes a higher one first. One who comes back from an agent has 10."""
NUISANCE_PRIORITY = "-5"
"""Behind everybody: a restricted caller is served when nobody else waits."""
RATING_VARIABLE = "HOTLINE_RATING"
"""Channel variable that tells the dialplan what the citizen answered; "0" when nothing."""
TO_VARIABLE, WISH_VARIABLE, CALL_AT_VARIABLE = "HOTLINE_TO", "HOTLINE_WISH", "HOTLINE_CALL_AT"
"""Channel variables that tell the dialplan where the caller goes, whether to wait, to leave a message or to
be called back, and at which other number: it is never part of the path, which logs show.
"""
LENGTH_S = 15.0
"""What a prompt is allowed whose length we cannot see, as with an Asterisk on another machine."""

log = structlog.get_logger(__name__)


class Desk:
    """The IVR's flows, with what they need, for calls that Asterisk hands over."""

    def __init__(self, outlook: Outlook) -> None:
        self._outlook = outlook
        self._cases = CaseDesk(outlook.database)
        self._sounds = NodePaths(outlook.settings.state / "asterisk").sounds

    async def greet(self, session: Session) -> str:
        """The way in: greeting, menu, then the queue. Return `heard`, `skipped` or `emergency`."""
        settings = self._outlook.settings
        call = self._call(session, settings.emergency_numbers)
        citizen = key_of(session.number, settings.area_code)
        guest = Guest(number=session.number if citizen else "", citizen=citizen)
        district = await home_of(call, self._cases, self._outlook.standing, citizen)
        plan = self._plan(session.dialled, citizen, district)
        try:
            way = await entrance(call, plan, guest, self._cases, settings.ivr.wait_s)
            await call.settle()
        except EmergencyTyped as typed:
            await self._hurry(call, typed.number)
            return "emergency"
        await self._lead_on(call, plan, way)
        log.info("ivr_path", uniqueid=session.uniqueid, path=call.trail)
        return "skipped" if call.keys else "heard"

    async def rate(self, session: Session) -> str:
        """The way out: how content the citizen is. Return `rated` or `unrated`; what they said is not told.

        An emergency number is none here: each begins with a 1, which is an answer.
        """
        answer = await rating(self._call(session, emergency=()))
        await session.set_variable(RATING_VARIABLE, answer or "0")
        return "rated" if answer else "unrated"

    def _plan(self, dialled: str, caller: str, district: str) -> Plan:
        return plan_for(
            self._outlook.settings,
            self._outlook.standing,
            dialled=dialled,
            caller=caller,
            now_us=clock.now().utc_us,
            is_workday=is_workday,
            district=district,
        )

    def _call(self, session: Session, emergency: tuple[str, ...]) -> Call:
        clock = asyncio.get_running_loop().time
        return Call(session, emergency=emergency, length=self._length, clock=clock)

    def _length(self, prompt: str, language: str) -> float:
        own = length_s(sounds_of(self._sounds, language), prompt)
        found = length_s(self._sounds, prompt) if own is None else own
        return LENGTH_S if found is None else found

    async def _lead_on(self, call: Call, plan: Plan, way: Way) -> None:
        """Tell the dialplan where the caller goes."""
        if plan.is_blocked:
            await call.line.set_variable(PRIORITY_VARIABLE, NUISANCE_PRIORITY)
        await call.line.set_variable(TO_VARIABLE, way.queue)
        if way.wish:
            await call.line.set_variable(WISH_VARIABLE, way.wish)
        if way.call_at:
            at = complete(way.call_at, self._outlook.settings.area_code)
            await call.line.set_variable(CALL_AT_VARIABLE, at)
        await call.mark({"message": "v", "callback": "k"}.get(way.wish, "q"))

    async def _hurry(self, call: Call, number: str) -> None:
        """Whoever types 110 has no time: to the head of the queue, labelled, without another word.

        It is an agent who brings 110 in, with one key: a transfer to the police belongs to call control
        (`ctiserver`), which sees that the citizen is never put on a line where nobody answers.
        """
        await call.line.set_variable(PRIORITY_VARIABLE, EMERGENCY_PRIORITY)
        await call.mark("e", number)
        log.info("ivr_emergency", uniqueid=call.line.uniqueid, path=call.path)
