"""The rating as a script: who answers, who does not, and what is passed over."""

from __future__ import annotations

import pytest

from ivr.call import Call
from ivr.flows.rating import RATING, rating
from tests.unit.ivr_line import LENGTH_S, FakeLine


def call_on(line: FakeLine) -> Call:
    return Call(line, emergency=(), length=lambda _prompt, _language: LENGTH_S, clock=lambda: line.now)


@pytest.mark.parametrize("key", "12345")
async def test_a_key_answers_at_once_and_the_question_ends(key: str) -> None:
    line = FakeLine({0.5: key})
    assert await rating(call_on(line)) == key
    assert (line.heard, line.now) == ([RATING], 0.5)


async def test_whoever_is_silent_is_asked_twice_and_left_in_peace() -> None:
    line = FakeLine({})
    assert await rating(call_on(line)) == ""
    assert line.heard == [RATING, RATING]


async def test_other_keys_are_no_answer_and_one_may_still_be_given() -> None:
    line = FakeLine({0.5: "9", 1.0: "0", 8.0: "3"})
    assert await rating(call_on(line)) == "3"


async def test_a_rating_leaves_the_way_through_the_greeting_as_it_was() -> None:
    line = FakeLine({0.5: "1"})
    await rating(call_on(line))
    assert line.variables == {}
