"""Owns the wish to be called back (回呼): the number is read to the caller digit by digit and confirmed."""

from __future__ import annotations

from hotline.ivr_settings import PERSON
from ivr.call import Call
from ivr.speech import prompts_of

NUMBER, CONFIRM = "hotline/callback-number", "hotline/callback-confirm"
YES = "1"
WAIT_S = 5.0


async def confirmed(call: Call, number: str) -> bool:
    """Whether the caller wants to be called at the number that they call from. One who hides it is told by
    the dialplan that nobody can call them.
    """
    if not number:
        return True
    await call.read((NUMBER, *prompts_of(number)), "c")
    return await call.menu(CONFIRM, YES + PERSON, wait_s=WAIT_S, code="t") == YES
