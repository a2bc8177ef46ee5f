"""Owns the wish to be called back (回呼): where to, read to the caller digit by digit and confirmed."""

from __future__ import annotations

from hotline.ivr_settings import PERSON
from ivr.call import Call
from ivr.speech import prompts_of

NUMBER, CONFIRM, OTHER = "hotline/callback-number", "hotline/callback-confirm", "hotline/callback-other"
YES, ANOTHER = "1", "2"
TRIES = 3
LEAST_DIGITS, MOST_DIGITS = 7, 12
"""From a local number to a fixed line with its area code."""
WAIT_S = 5.0


async def call_at(call: Call, number: str) -> str | None:
    """The number at which the caller wants to be called: `number`, which they call from, or one that they
    type. None when they want no call; "" when nobody knows where to, which the dialplan tells them.
    """
    asked = number
    for _ in range(TRIES):
        asked = asked or await call.number(
            OTHER, most=MOST_DIGITS, wait_s=WAIT_S, code="x", may_begin_with_0=True
        )
        if not asked:
            break
        if len(asked) >= LEAST_DIGITS:
            await call.read((NUMBER, *prompts_of(asked)), "c")
            key = await call.menu(CONFIRM, YES + ANOTHER + PERSON, wait_s=WAIT_S, code="t")
            if key != ANOTHER:
                return asked if key == YES else None
        asked = ""
    return None if number else ""
