"""Owns the first greeting (首次问候): who the citizen has reached, and that the call is recorded."""

from __future__ import annotations

from ivr.call import Call

GREETING, RECORDING = "hotline/greeting", "hotline/recording"
PROMPTS = (GREETING, RECORDING)


async def greeting(call: Call, greets: str = GREETING) -> None:
    """Greet, and give the recording notice (录音告知).

    Any key skips the greeting. The notice is heard whole, once, by everybody, for a recording that nobody was
    told of may not be used; it is short, and what is pressed meanwhile counts afterwards.
    """
    await call.say(greets, "g")
    await call.tell(RECORDING, "r")
