"""Owns the IVR's door to casework: cases of a caller, asked of the database and never waited for long."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TypeVar

from sqlalchemy.ext.asyncio import AsyncSession

from casework.calendar import china
from casework.case import Case
from casework.moves import Actor, Urge
from casework.service import case_of_number, cases_of, district_of, move_case
from casework.words import Part
from hotline import clock
from hotline.db.engine import FAILURES, Database, reason
from hotline.errors import DatabaseUnavailable
from hotline.standing import Standing
from ivr.call import Call
from ivr.flows.lookup import CasesUnknown, Told

Answer = TypeVar("Answer")

DISTRICT_WITHIN_S = 0.5
"""Before the greeting: longer nobody listens to nothing."""
URGED_BY = "ivr"
"""Who urges in the history of a case when the citizen did it by key."""


class CaseDesk:
    """Cases in the database; `database` gives it, or raises when it cannot be opened."""

    def __init__(self, database: Callable[[], Awaitable[Database]]) -> None:
        self._database = database

    async def latest(self, citizen: str) -> Told | None:
        """The newest open case of that caller."""
        found = await self._ask(lambda session: cases_of(session, citizen, 1, is_open=True))
        return _told(found[0]) if found else None

    async def find(self, number: str, last_digits: str) -> Told | None:
        """The case of that number, if its citizen's number ends in those digits."""
        case = await self._ask(lambda session: case_of_number(session, number))
        is_theirs = case is not None and bool(case.citizen) and case.citizen.endswith(last_digits)
        return _told(case) if case is not None and is_theirs else None

    async def district(self, citizen: str) -> str:
        """Where they seem to live (泰山区), "" when no case of theirs says so."""
        return await self._ask(lambda session: district_of(session, citizen))

    async def urge(self, case: Told) -> bool:
        """催办; False when the case is closed."""
        move = Urge(actor=Actor(URGED_BY, Part.AGENT), reason="市民通过自动语音催办")
        try:
            database = await self._database()
            return isinstance(await move_case(database, case.id, move, clock.now().utc_us, china()), Case)
        except (*FAILURES, DatabaseUnavailable) as error:
            raise CasesUnknown(reason(error)) from error

    async def _ask(self, question: Callable[[AsyncSession], Awaitable[Answer]]) -> Answer:
        try:
            async with (await self._database()).read() as session:
                return await question(session)
        except (*FAILURES, DatabaseUnavailable) as error:
            raise CasesUnknown(reason(error)) from error


async def home_of(call: Call, cases: CaseDesk, standing: Standing, citizen: str) -> str:
    """The district that a caller's announcements depend on; "" while none do, or nobody knows it in time."""
    if not citizen or not any(each.district for each in standing.news):
        return ""
    try:
        return await call.wait(cases.district(citizen), DISTRICT_WITHIN_S)
    except (CasesUnknown, TimeoutError):
        return ""


def _told(case: Case) -> Told:
    return Told(id=case.id, number=case.number, state=case.state, created_us=case.created_us)
