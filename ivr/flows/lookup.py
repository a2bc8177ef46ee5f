"""Owns "where is my case" (查询诉求): found by number or caller, its state told in plain words, urged on."""

from __future__ import annotations

from typing import Protocol

import msgspec

from casework.words import CaseState
from hotline.ivr_settings import PERSON
from hotline.local_time import local_day
from ivr.call import Call
from ivr.speech import prompts_of, prompts_of_day

ASK_NUMBER, ASK_PHONE = "hotline/case-number", "hotline/case-phone"
NOT_FOUND, UNKNOWN = "hotline/case-none", "hotline/case-unknown"
IS, SINCE = "hotline/case-is", "hotline/case-since"
URGED, NOT_URGED, NEXT = "hotline/case-urged", "hotline/case-not-urged", "hotline/case-next"
STATES = {state: f"hotline/case-{state.value}" for state in CaseState}
"""What is said of a case in each state."""
DAY_DIGITS, NUMBER_DIGITS, PHONE_DIGITS = 8, 12, 4
"""A case's number is a day and a count; the phone's last four digits go with it."""
TRIES = 3
WAIT_S = 5.0
WITHIN_S = 2.0
"""No caller waits longer for the database; then a person helps."""
URGE, ANOTHER, MESSAGE = "1", "2", "3"


class CasesUnknown(Exception):
    """The database is down or too slow."""


class Told(msgspec.Struct, frozen=True, kw_only=True):
    """A case as far as it is told to a caller who has shown that it is theirs."""

    id: str
    number: str
    state: CaseState
    created_us: int


class Cases(Protocol):
    """Where cases are found. Every question raises CasesUnknown when it cannot be answered."""

    async def latest(self, citizen: str) -> Told | None:
        """The newest open case of that caller."""
        ...

    async def find(self, number: str, last_digits: str) -> Told | None:
        """The case of that number, if the phone number that it was opened with ends in those digits."""
        ...

    async def urge(self, case: Told) -> bool:
        """催办; False when the case cannot be urged (it is closed)."""
        ...


async def lookup(call: Call, cases: Cases, citizen: str) -> bool:
    """Tell a caller where their case stands; whether they want to leave a message about it. Whatever else
    happens, they go on to a person.
    """
    try:
        found = await call.wait(cases.latest(citizen), WITHIN_S) if citizen else None
        for _ in range(TRIES):
            found = found or await _asked(call, cases)
            if found is None:
                return False
            await _tell(call, found)
            key = await call.menu(NEXT, URGE + ANOTHER + MESSAGE + PERSON, wait_s=WAIT_S, code="t")
            if key == URGE:
                await _urge(call, cases, found)
                return False
            if key != ANOTHER:
                return key == MESSAGE
            found = None
    except (CasesUnknown, TimeoutError):
        await call.say(UNKNOWN, "o")
    return False


async def _asked(call: Call, cases: Cases) -> Told | None:
    """A case by what the caller types; None when they type nothing, or wrongly too often.

    Nobody learns whether it was the number or the phone that did not fit.
    """
    for _ in range(TRIES):
        number = await call.number(ASK_NUMBER, most=NUMBER_DIGITS, wait_s=WAIT_S, code="c")
        if not number:
            return None
        phone = await call.number(
            ASK_PHONE, most=PHONE_DIGITS, wait_s=WAIT_S, code="d", may_begin_with_0=True
        )
        if len(number) == NUMBER_DIGITS and len(phone) == PHONE_DIGITS:
            written = f"{number[:DAY_DIGITS]}-{number[DAY_DIGITS:]}"
            if (found := await call.wait(cases.find(written, phone), WITHIN_S)) is not None:
                return found
        await call.say(NOT_FOUND, "n")
    return None


async def _tell(call: Call, case: Told) -> None:
    """Number, day and state; the number's count alone after a day that is said anyway."""
    count = prompts_of(case.number.rpartition("-")[2])
    day = prompts_of_day(local_day(case.created_us))
    await call.read((IS, *day, SINCE, *count, STATES[case.state]), "s", case.number)


async def _urge(call: Call, cases: Cases, case: Told) -> None:
    is_done = await call.wait(cases.urge(case), WITHIN_S)
    await call.say(URGED if is_done else NOT_URGED, "u" if is_done else "")
