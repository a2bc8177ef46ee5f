"""The script layer and its flows, without Asterisk: what a citizen hears and what pressing keys does."""

from __future__ import annotations

import pytest
from ivr_line import EMERGENCY, FakeLine, call_on

from ivr.errors import CallerGone, EmergencyTyped
from ivr.flows.greeting import GREETING, RECORDING, greeting

NUMBER = {"most": 12, "wait_s": 3.0, "code": "n"}


async def test_a_key_in_the_greeting_leads_to_the_notice_which_is_heard_whole() -> None:
    line = FakeLine({1.0: "5", 1.5: "#"})
    call = call_on(line)
    await greeting(call)
    assert line.heard == [GREETING, RECORDING, f"{RECORDING}@4000"]
    assert line.now == pytest.approx(3.0)
    assert (call.path, call.keys) == ("g.r", 2)
    assert [step.seconds for step in call.steps] == [1, 2]
    assert call.trail == "g@1.r@2"


@pytest.mark.parametrize("number", EMERGENCY)
@pytest.mark.parametrize("began_s", [0.1, 1.9, 2.5, 3.4])
async def test_an_emergency_number_is_heard_wherever_it_is_begun(number: str, began_s: float) -> None:
    line = FakeLine({began_s + n * 0.5: key for n, key in enumerate(number)})
    call = call_on(line)
    with pytest.raises(EmergencyTyped) as typed:
        await greeting(call)
        await call.settle()
    assert typed.value.number == number
    assert line.now == pytest.approx(began_s + 1.0)


async def test_after_the_greeting_nobody_waits_for_keys_that_were_not_begun() -> None:
    for key in ("5", "0", "1"):
        line = FakeLine({0.4: key})
        call = call_on(line)
        await greeting(call)
        came = line.now
        await call.settle()
        assert line.now == came


async def test_a_number_that_was_begun_and_dropped_costs_a_moment() -> None:
    line = FakeLine({3.5: "1", 3.9: "1"})
    call = call_on(line)
    await greeting(call)
    assert line.now == pytest.approx(4.0)
    await call.settle()
    assert line.now == pytest.approx(5.4)


async def test_keys_far_apart_are_no_emergency() -> None:
    line = FakeLine({0.5: "1", 5.0: "1", 9.5: "0"})
    call = call_on(line)
    for _ in range(4):
        assert await call.menu(GREETING, "9", wait_s=1.0, code="m") is None


async def test_a_menu_takes_the_first_of_its_keys_and_passes_over_others() -> None:
    line = FakeLine({0.5: "7", 1.0: "*", 1.5: "2"})
    call = call_on(line)
    assert await call.menu("hotline/menu", "23", wait_s=3.0, code="m") == "2"
    assert (call.path, line.now) == ("m2", 1.5)


async def test_a_menu_that_nobody_answers_gives_up() -> None:
    line = FakeLine({})
    assert await call_on(line).menu("hotline/menu", "23", wait_s=3.0, code="m") is None
    assert line.now == pytest.approx(5.0)


async def test_what_is_pressed_ahead_answers_the_next_question_unheard() -> None:
    line = FakeLine({0.2: "9", 1.0: "2"})
    call = call_on(line)
    await greeting(call)
    assert await call.menu("hotline/menu", "2", wait_s=3.0, code="m") == "2"
    assert "hotline/menu" not in line.heard


async def test_a_number_is_collected_until_its_end_and_may_hold_110() -> None:
    keys = "9*202611010001#"
    line = FakeLine({0.5 + n * 0.3: key for n, key in enumerate(keys)})
    assert await call_on(line).number("hotline/number", **NUMBER) == "202611010001"  # type: ignore[arg-type]
    line = FakeLine({0.5 + n * 0.3: key for n, key in enumerate("2026")})
    assert await call_on(line).number("hotline/number", **NUMBER) == "2026"  # type: ignore[arg-type]
    with pytest.raises(EmergencyTyped):
        line = FakeLine({0.5 + n * 0.3: key for n, key in enumerate("119")})
        await call_on(line).number("hotline/number", **NUMBER)  # type: ignore[arg-type]


async def test_ten_thousand_keys_end_in_the_queue_like_none() -> None:
    line = FakeLine({n / 1000: "1234567890*#"[n % 12] for n in range(10_000)})
    call = call_on(line)
    await greeting(call)
    assert line.now < 12
    assert call.path == "g.r"


async def test_who_presses_wrong_keys_without_end_is_asked_no_longer() -> None:
    line = FakeLine({2.5 + n: "7" for n in range(10_000)})
    call = call_on(line)
    assert await call.menu(GREETING, "9", wait_s=4.0, code="m") is None
    assert (line.now, call.path) == (11.5, "m")


@pytest.mark.parametrize("gone_at_s", [0.5, 2.0, 3.9])
async def test_a_citizen_may_leave_at_any_time(gone_at_s: float) -> None:
    line = FakeLine({1.0: "3"}, gone_at_s)
    with pytest.raises(CallerGone):
        await greeting(call_on(line))
        await call_on(line).menu(GREETING, "9", wait_s=1.0, code="m")
