"""The ways before the queue as a script, without Asterisk: what callers hear, press, and where they go."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from functools import partial
from pathlib import Path

import msgspec
import pytest

from casework.words import CaseState
from ctiserver.api import way
from hotline.ivr_settings import KeySettings
from ivr.errors import CallerGone, EmergencyTyped
from ivr.flows import busy, lookup
from ivr.flows.entrance import BLOCKED, OFF_HOURS, Guest, Way, entrance
from ivr.flows.greeting import GREETING, RECORDING
from ivr.flows.lookup import CasesUnknown, Told
from ivr.flows.rating import rating
from ivr.lint import spoken_of
from ivr.script import MENU, Plan
from ivr.waiting import QueueFigures, expected_wait_s
from tests.unit.ivr_line import FakeLine, call_on

KEYS = (
    KeySettings(key="2", does="case", text="查询诉求进度", text_en="your case"),
    KeySettings(key="1", does="message", text="留言", text_en="a message"),
    KeySettings(key="3", does="queue", text="企业服务", queue="12346"),
    KeySettings(key="4", does="callback", text="预约回呼"),
    KeySettings(key="9", does="language", text="For English, press 9", language="en"),
)
ME = Guest(number="13800138001", citizen="+8613800138001")
MINE = Told(id="c1", number="20261124-0007", state=CaseState.WORKING, created_us=1_795_500_000_000_000)
OTHER = Told(id="c2", number="20261101-0001", state=CaseState.CLOSED, created_us=1_793_500_000_000_000)


class FakeCases:
    """Two cases: one of mine that is open, and a closed one of a phone that ends in 5678."""

    def __init__(self, *, is_mine: bool = True, is_down: bool = False, state: CaseState = MINE.state) -> None:
        self.urged: list[str] = []
        self._mine = msgspec.structs.replace(MINE, state=state)
        self._is_mine = is_mine
        self._is_down = is_down

    async def latest(self, citizen: str) -> Told | None:
        if self._is_down:
            raise CasesUnknown("down")
        return self._mine if self._is_mine and citizen == ME.citizen else None

    async def find(self, number: str, last_digits: str) -> Told | None:
        return OTHER if (number, last_digits) == (OTHER.number, "5678") else None

    async def urge(self, case: Told) -> bool:
        self.urged.append(case.id)
        return case.state is not CaseState.CLOSED


def plan(**changes: object) -> Plan:
    return Plan(**({"greeting": GREETING, "queue": "12345", "keys": KEYS} | changes))  # type: ignore[arg-type]


def pressing(text: str, at: float = 4.5, every: float = 0.3) -> dict[float, str]:
    """Keys one after another; a blank is a pause of three seconds."""
    presses: dict[float, str] = {}
    for key in text:
        if key == " ":
            at += 3.0
        else:
            presses[at] = key
            at += every
    return presses


async def walk(
    presses: dict[float, str], cases: FakeCases | None = None, the_plan: Plan | None = None, guest: Guest = ME
) -> tuple[Way, FakeLine, str]:
    line = FakeLine(presses)
    call = call_on(line)
    way = await entrance(call, the_plan or plan(), guest, cases or FakeCases(), 4)
    return way, line, call.path


async def test_without_a_menu_the_greeting_leads_to_the_queue() -> None:
    way, line, path = await walk({}, the_plan=plan(keys=()))
    assert (way, line.heard, path) == (Way(queue="12345"), [GREETING, RECORDING], "g.r")


async def test_whoever_presses_nothing_or_a_wrong_key_comes_to_a_person() -> None:
    for presses in ({}, pressing("7"), pressing("*#8")):
        way, line, _ = await walk(presses)
        assert way == Way(queue="12345")
        assert MENU in line.heard
        assert line.now < 14


async def test_a_person_is_one_key_away_also_before_the_menu_is_heard() -> None:
    way, line, path = await walk({0.5: "0"})
    assert (way, path) == (Way(queue="12345"), "g.r.m0")
    assert MENU not in line.heard


async def test_a_key_that_only_skips_the_greeting_costs_nobody_the_menu() -> None:
    _, line, path = await walk({0.5: "#"})
    assert (line.heard[-1], path) == (MENU, "g.r.m")


async def test_a_kind_of_matter_leads_to_its_queue() -> None:
    assert (await walk(pressing("3")))[0] == Way(queue="12346")


async def test_a_message_and_a_callback_are_wishes_of_the_dialplan() -> None:
    assert (await walk(pressing("1")))[0] == Way(queue="12345", wish="message")
    way, line, path = await walk(pressing("4    1"))
    assert (way, path) == (Way(queue="12345", wish="callback"), "g.r.m4.c.t1")
    assert line.heard[3:8] == [
        "hotline/callback-number", "digits/yao", "digits/3", "digits/8", "digits/0",
    ]  # fmt: skip
    assert (await walk(pressing("40")))[0] == Way(queue="12345")


async def test_a_callback_may_go_to_another_number_which_is_read_out_and_confirmed() -> None:
    way, line, path = await walk(pressing("4    2  6991014#     1"))
    assert way == Way(queue="12345", wish="callback", call_at="6991014")
    assert path == "g.r.m4.c.t2.x7.c.t1", "the path has the count of its digits alone"
    assert line.heard.count("hotline/callback-number") == 2 and "hotline/callback-other" in line.heard
    hidden = Guest(number="", citizen="")
    way, _, path = await walk(pressing("4  05386991014#      1"), guest=hidden)
    assert (way, path) == (Way(queue="12345", wish="callback", call_at="05386991014"), "g.r.m4.x11.c.t1")
    assert (await walk(pressing("4"), guest=hidden))[0] == Way(queue="12345", wish="callback")
    way, _, path = await walk(pressing("4    2  12# 12#"))
    assert (way, path) == (Way(queue="12345"), "g.r.m4.c.t2.x2.x2"), "a number too short is asked for again"


async def test_english_speaks_english_from_then_on_and_offers_what_it_has() -> None:
    way, line, path = await walk(pressing("9 1"))
    assert (way.wish, path, line.languages) == ("message", "g.r.m9.l.m1", ["en_CN"])
    way, _, path = await walk(pressing("9 3"))
    assert (way, path) == (Way(queue="12345"), "g.r.m9.l.m")


async def test_who_chooses_the_dialect_is_offered_what_mandarin_has() -> None:
    key = KeySettings(key="8", does="language", text="说方言请按8", language="dialect")
    way, line, path = await walk(pressing("8 3"), the_plan=plan(keys=(*KEYS, key)))
    assert (way, path, line.languages) == (Way(queue="12346"), "g.r.m8.l.m3", ["zh_FY"])


async def test_my_own_case_is_told_at_once_with_day_number_and_state() -> None:
    way, line, path = await walk(pressing("2"))
    said = line.heard[line.heard.index("hotline/case-is") :]
    assert said == [
        "hotline/case-is", "digits/10", "digits/1", "say/month", "digits/20", "digits/4", "say/day",
        "hotline/case-since", "digits/0", "digits/0", "digits/0", "digits/7", "hotline/case-working",
        "hotline/case-next",
    ]  # fmt: skip
    assert way == Way(queue="12345")
    assert path == "g.r.m2.s20261124-0007.t"


async def test_a_case_can_be_urged_and_the_caller_still_comes_to_a_person() -> None:
    cases = FakeCases()
    way, line, path = await walk(pressing("2 1"), cases)
    assert (cases.urged, way, path.endswith("t1.u")) == (["c1"], Way(queue="12345"), True)
    assert line.heard[-1] == lookup.URGED


async def test_another_case_is_found_by_number_and_last_four_digits() -> None:
    cases = FakeCases(is_mine=False)
    way, line, path = await walk(pressing("2 202611010001 5678 1"), cases)
    assert path == "g.r.m2.c12.d4.s20261101-0001.t1"
    assert lookup.NOT_URGED in line.heard
    assert way == Way(queue="12345")


async def test_wrong_digits_tell_nothing_and_after_three_tries_a_person_helps() -> None:
    cases = FakeCases(is_mine=False)
    once = "202611010001 0000  "
    way, line, path = await walk(pressing("2 " + once * 3), cases)
    assert line.heard.count(lookup.NOT_FOUND) == 3
    assert "hotline/case-is" not in line.heard
    assert (way, path.count("n")) == (Way(queue="12345"), 3)


async def test_a_message_about_a_case_can_be_left() -> None:
    assert (await walk(pressing("2 3")))[0] == Way(queue="12345", wish="message")


async def test_a_database_that_is_down_leads_to_a_person() -> None:
    way, line, path = await walk(pressing("2"), FakeCases(is_down=True))
    assert (way, path, line.heard[-1]) == (Way(queue="12345"), "g.r.m2.o", lookup.UNKNOWN)


async def test_a_database_that_hangs_costs_two_seconds(monkeypatch: pytest.MonkeyPatch) -> None:
    async def hangs(*_: object) -> None:
        await asyncio.Event().wait()

    monkeypatch.setattr(FakeCases, "latest", hangs)
    monkeypatch.setattr(lookup, "WITHIN_S", 0.02)
    way, _, path = await walk(pressing("2"))
    assert (way, path) == (Way(queue="12345"), "g.r.m2.o")


async def test_out_of_hours_a_message_is_offered_and_0_still_leads_to_a_person() -> None:
    closed = plan(is_open=False)
    way, line, path = await walk({}, the_plan=closed)
    assert (way, path, line.heard[-1]) == (Way(queue="12345", wish="message"), "g.r.h", OFF_HOURS)
    assert (await walk(pressing("0"), the_plan=closed))[0] == Way(queue="12345")


async def test_announcements_come_before_the_menu_and_a_key_cuts_them_short() -> None:
    told = plan(announcements=("hotline/news-1", "hotline/news-2"))
    _, line, path = await walk({}, the_plan=told)
    assert line.heard[2:5] == ["hotline/news-1", "hotline/news-2", MENU]
    assert path == "g.r.a.a.m"
    assert (await walk(pressing("3"), the_plan=told))[0] == Way(queue="12346")


async def test_an_emergency_mode_skips_the_menu_and_a_nuisance_caller_is_told_why_they_wait() -> None:
    way, line, path = await walk({}, the_plan=plan(keys=(), is_emergency_mode=True, queue="12346"))
    assert (way, path, MENU in line.heard) == (Way(queue="12346"), "g.r.w", False)
    way, line, path = await walk({}, the_plan=plan(is_blocked=True))
    assert (way, path, line.heard[-1]) == (Way(queue="12345"), "g.r.b", BLOCKED)


BUSY = plan(keys=(), offer_from_s=300, callback_key="2")


async def test_who_would_wait_long_is_offered_a_callback_or_a_message_or_waits() -> None:
    way, line, path = await walk({}, the_plan=BUSY)
    assert (way, path, line.asked_of) == (Way(queue="12345"), "g.r.f", ["12345"])
    assert line.heard[2:] == [busy.BUSY, busy.CALLBACK, busy.MESSAGE]
    assert (await walk({4.5: "*"}, the_plan=BUSY))[0].wish == "message"
    way, line, path = await walk({4.5: "2", 29.5: "1"}, the_plan=BUSY)
    assert (way.wish, path) == ("callback", "g.r.f2.c.t1")
    assert (await walk({4.5: "0"}, the_plan=BUSY))[0].wish == ""
    _, line, _ = await walk({4.5: "2"}, the_plan=plan(keys=(), offer_from_s=300))
    assert busy.CALLBACK not in line.heard and line.heard[-1] == busy.BUSY


async def test_nothing_is_offered_while_the_wait_is_short_or_something_was_chosen() -> None:
    short = plan(offer_from_s=400, callback_key="2")
    _, line, path = await walk({}, the_plan=short)
    assert (path, busy.BUSY in line.heard) == ("g.r.m", False), "ten calls of 100 s at three seats: 333 s"
    for presses, the_plan in ((pressing("1"), plan(offer_from_s=300)), ({}, plan(is_blocked=True))):
        _, line, _ = await walk(presses, the_plan=the_plan)
        assert busy.BUSY not in line.heard


@pytest.mark.parametrize(
    ("waiting", "seats", "ready", "talk_s", "wait_s"),
    [(0, 3, 1, 100, 0), (2, 3, 3, 100, 0), (0, 3, 0, 90, 30), (9, 3, 0, 0, 400), (0, 0, 0, 90, float("inf"))],
)
def test_the_expected_wait_is_what_those_before_one_need(
    waiting: int, seats: int, ready: int, talk_s: float, wait_s: float
) -> None:
    now = QueueFigures(waiting=waiting, seats=seats, ready=ready, talk_s=talk_s)
    assert expected_wait_s(now) == pytest.approx(wait_s)


@pytest.mark.parametrize("begun_s", [0.5, 2.5, 4.5, 6.5])
async def test_110_is_heard_everywhere_also_in_the_menu(begun_s: float) -> None:
    call = call_on(FakeLine(pressing("110", begun_s)))
    with pytest.raises(EmergencyTyped):
        await entrance(call, plan(), ME, FakeCases(is_mine=False), 4)
        await call.settle()


async def way_in(line: FakeLine, cases: FakeCases, the_plan: Plan) -> str:
    """The way of a caller; what was journalled of it."""
    call = call_on(line)
    with contextlib.suppress(CallerGone):
        await entrance(call, the_plan, ME, cases, 4)
        return ""
    return call.path


async def way_out(line: FakeLine, _cases: FakeCases, _plan: Plan) -> str:
    call = call_on(line)
    with contextlib.suppress(CallerGone):
        await rating(call)
        return ""
    return "gone"


WALKS: dict[str, tuple[Callable[..., Awaitable[str]], dict[float, str], Callable[[], FakeCases], Plan]] = {
    "nothing pressed": (way_in, {}, FakeCases, plan(announcements=("hotline/news-1",))),
    "out of hours": (way_in, {}, FakeCases, plan(is_open=False)),
    "nuisance": (way_in, {}, FakeCases, plan(is_blocked=True)),
    "urged": (way_in, pressing("2 1"), FakeCases, plan()),
    "not urged": (way_in, pressing("2 202611010001 5678 1"), lambda: FakeCases(is_mine=False), plan()),
    "not found": (way_in, pressing("2 202611010001 0000"), lambda: FakeCases(is_mine=False), plan()),
    "database down": (way_in, pressing("2"), lambda: FakeCases(is_down=True), plan()),
    "callback": (way_in, pressing("4") | {29.5: "1"}, FakeCases, plan()),
    "callback elsewhere": (way_in, pressing("4    2"), FakeCases, plan()),
    "long wait": (way_in, {}, FakeCases, BUSY),
    "rating": (way_out, {}, FakeCases, plan()),
} | {state.value: (way_in, pressing("2"), partial(FakeCases, state=state), plan()) for state in CaseState}
"""Ways on which every prompt is heard that a flow speaks; the first test below holds them to it."""


async def heard_on(name: str, gone_at_s: float = 1e9) -> tuple[FakeLine, str]:
    walks, presses, cases, the_plan = WALKS[name]
    line = FakeLine(presses, gone_at_s)
    return line, await walks(line, cases(), the_plan)


async def test_every_prompt_of_the_flows_is_heard_on_one_of_the_ways_on_which_callers_hang_up() -> None:
    heard = {prompt for name in WALKS for prompt in (await heard_on(name))[0].heard}
    flows = spoken_of(path.read_text() for path in Path(lookup.__file__).parent.glob("*.py"))
    assert (flows | set(lookup.STATES.values()) | {MENU}) - heard == set()


@pytest.mark.parametrize("name", WALKS)
async def test_a_caller_may_hang_up_inside_every_prompt_and_the_way_says_where(name: str) -> None:
    whole, _ = await heard_on(name)
    for n, middle in enumerate(whole.middles):
        line, path = await heard_on(name, middle)
        assert line.heard == whole.heard[: n + 1], "nothing more is played to nobody"
        assert path, "the flow ended as a hang-up, not as if it had been heard to its end"
        assert not way.is_finished(path)
