"""Owns the rating (评价): how content the citizen is with the call that ends."""

from __future__ import annotations

from ivr.call import Call

RATING = "hotline/rating"
KEYS = "12345"
"""1 非常满意, 2 满意, 3 基本满意, 4 不满意, 5 非常不满意."""
WAIT_S = 5.0
TIMES = 2
"""How often the question is put."""


async def rating(call: Call) -> str:
    """Ask, and once more when no answer comes; the key, "" for none. Any other key is passed over."""
    for _ in range(TIMES):
        key = await call.menu(RATING, KEYS, wait_s=WAIT_S, code="")
        if key is not None:
            return key
    return ""
