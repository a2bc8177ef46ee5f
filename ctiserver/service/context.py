"""Owns what is known about a caller: from the number at once, from the database within a deadline, off
the real-time path.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import msgspec
import structlog

from ctiserver.api.states import CallerContext, CaseBrief, Contact
from ctiserver.model.effects import LookUpCaller
from hotline import numbers

log = structlog.get_logger("ctiserver")

DEADLINE_S = 5.0
"""Later than this, the agent has asked the citizen already."""

Past = Callable[[str], Awaitable[tuple[tuple[Contact, ...], tuple[CaseBrief, ...]]]]
"""From a number's key (`CallerNumber.key`) to its last contacts and open cases."""


class Callers:
    """Builds caller contexts. `past` asks the database."""

    def __init__(self, area_code: str, city: str, past: Past) -> None:
        self._area_code = area_code
        self._city = city
        self._past = past

    def glance(self, asked: LookUpCaller) -> CallerContext:
        """Number, mask, home place and carrier: under a millisecond, no I/O."""
        number = numbers.describe(asked.number, self._area_code, self._city)
        return CallerContext(
            conversation=asked.conversation,
            number=asked.number,
            masked=number.masked,
            place=number.place,
            carrier=number.carrier,
            is_withheld=number.is_withheld,
            name=asked.name,
            dnis=asked.dnis,
            started_us=asked.started_us,
            queued_us=asked.queued_us,
        )

    async def look_up(self, asked: LookUpCaller) -> CallerContext | None:
        """The same with last contacts and open cases; None when the database does not answer in time."""
        key = numbers.describe(asked.number, self._area_code, self._city).key
        contacts: tuple[Contact, ...] = ()
        cases: tuple[CaseBrief, ...] = ()
        if key:
            try:
                async with asyncio.timeout(DEADLINE_S):
                    contacts, cases = await self._past(key)
            except (TimeoutError, OSError, ConnectionError) as error:
                log.warning("caller's past unknown", call=asked.conversation, why=type(error).__name__)
                return None
        contacts = tuple(contact for contact in contacts if contact.conversation != asked.conversation)
        return msgspec.structs.replace(self.glance(asked), contacts=contacts, cases=cases, is_complete=True)
