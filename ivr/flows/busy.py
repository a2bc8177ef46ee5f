"""Owns the offer to those who would wait long (座席全忙): to be called back, or to leave a message."""

from __future__ import annotations

from hotline.ivr_settings import PERSON
from ivr.call import Call

BUSY, CALLBACK, MESSAGE = "hotline/wait-long", "hotline/wait-callback", "hotline/wait-message"
MESSAGE_KEY = "*"
"""No callback's key, and begins no emergency number."""
WAIT_S = 3.0


async def offered(call: Call, queue: str, from_s: int, callback_key: str) -> str:
    """The wish of a caller on the way to that queue: "message", "callback", or "" to wait. They are asked
    when the expected wait is `from_s` seconds or more (0: never); `callback_key` "" offers no callback.
    """
    if not from_s or await call.expected_wait_s(queue) < from_s:
        return ""
    await call.say(BUSY)
    if callback_key:
        await call.say(CALLBACK)
    key = await call.menu(MESSAGE, callback_key + MESSAGE_KEY + PERSON, wait_s=WAIT_S, code="f")
    return "message" if key == MESSAGE_KEY else "callback" if key and key == callback_key else ""
