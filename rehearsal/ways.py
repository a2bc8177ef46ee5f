"""Owns the ways through the IVR that a rehearsal walks, each one a function; and the menu that they need."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from ctiserver.api.states import Outcome
from hotline.ivr_settings import KeySettings
from rehearsal.caller import WITHIN_S, Caller

GREETING, NOTICE, MENU = "hotline/greeting", "hotline/recording", "hotline/menu"
MESSAGE_S = 2.0
"""How long a caller speaks."""
ELSEWHERE = "13800138000"
"""Where somebody wants to be called back."""


def menu(kind: str) -> tuple[KeySettings, ...]:
    """A main menu with everything that a key can do. `kind`: the queue that one of them leads to."""
    return (
        KeySettings(key="2", does="case", text="查询诉求进度", text_en="your case"),
        KeySettings(key="3", does="queue", queue=kind, text="企业服务"),
        KeySettings(key="4", does="message", text="留言"),
        KeySettings(key="5", does="callback", text="预约回呼"),
        KeySettings(key="9", does="language", language="en", text="For English, press 9"),
    )


async def no_keys(caller: Caller) -> None:
    """Who presses nothing hears everything and comes to the queue."""
    await caller.calls()
    await caller.waits()
    caller.heard(GREETING, NOTICE, MENU)
    caller.kept("g.r.m.q", caller.props.general)


async def merged_line(caller: Caller) -> None:
    """A merged line greets as itself, and leads to its own queue, whose callers hear an announcement."""
    await caller.calls(caller.props.line)
    await caller.at("m")
    await caller.press("0")
    await caller.waits()
    caller.heard(caller.props.line_greeting, NOTICE, caller.props.news)
    caller.heard_not(GREETING)
    caller.kept("g.r.a.m0.q", caller.props.kind)


async def kind_of_matter(caller: Caller) -> None:
    """A key of the menu leads to a queue."""
    await caller.to_the_menu("3")
    await caller.waits()
    caller.heard_not(MENU)
    caller.kept("g.r.m3.q", caller.props.kind)


async def person(caller: Caller) -> None:
    """0 leads to a person at any time."""
    await caller.to_the_menu("0")
    await caller.waits()
    caller.heard(NOTICE)
    caller.heard_not(MENU)
    caller.kept("g.r.m0.q", caller.props.general)


async def keys_before_the_prompt(caller: Caller) -> None:
    """A key pressed in the greeting answers the menu, which then is not spoken; the notice is."""
    await caller.calls()
    await caller.at("g")
    await caller.press("3")
    await caller.waits()
    caller.heard(NOTICE)
    caller.heard_not(MENU)
    caller.kept("g.r.m3.q", caller.props.kind)


async def wrong_keys(caller: Caller) -> None:
    """Keys that nobody offered are passed over, and the caller comes to a person."""
    await caller.to_the_menu("78")
    await caller.waits()
    caller.kept("g.r.m.q", caller.props.general)


async def english(caller: Caller) -> None:
    """Who asks for English hears the menu in it."""
    await caller.to_the_menu("9")
    await caller.waits()
    caller.heard(MENU, language="en")
    caller.kept("g.r.m9.l.m.q", caller.props.general)


async def case_of_caller(caller: Caller) -> None:
    """Where is my case (查询诉求): found by the phone that calls, and urged (催办)."""
    await caller.to_the_menu("2")
    await caller.at("t")
    await caller.press("1")
    await caller.waits()
    caller.heard("hotline/case-since", "hotline/case-dispatched", "hotline/case-urged")
    caller.kept(f"g.r.m2.s{caller.props.case_of_caller}.t1.u.q", caller.props.general)


async def case_by_number(caller: Caller) -> None:
    """A case is found by its number and the last four digits of its phone."""
    case, digits = caller.props.case_of_another, caller.props.another_digits
    await _types_a_case(caller, case.replace("-", ""), digits)
    await caller.at("t")
    await caller.press("0")
    await caller.waits()
    caller.heard("hotline/case-since", "hotline/case-dispatched")
    caller.kept(f"g.r.m2.c12.d4.s{case}.t0.q", caller.props.general)


async def wrong_case_number(caller: Caller) -> None:
    """Whoever types digits that do not fit is told so, and asked again."""
    digits = f"{(int(caller.props.another_digits) + 1) % 10_000:04d}"
    await _types_a_case(caller, caller.props.case_of_another.replace("-", ""), digits)
    await caller.at("c")
    await caller.press("0")
    await caller.waits()
    caller.heard("hotline/case-none")
    caller.kept("g.r.m2.c12.d4.n.c0.q", caller.props.general)


async def _types_a_case(caller: Caller, number: str, digits: str) -> None:
    await caller.to_the_menu("2")
    await caller.at("c")
    await caller.press(number)
    await caller.at("d")
    await caller.press(digits)


async def message(caller: Caller) -> None:
    """留言: speak after the prompt, and hang up."""
    await caller.to_the_menu("4")
    await caller.at("v")
    await caller.listens("hotline/message")
    await caller.speaks(MESSAGE_S)
    caller.heard("hotline/message")
    caller.kept("g.r.m4.v", caller.props.general, frozenset({Outcome.MESSAGE}))


async def callback(caller: Caller) -> None:
    """预约回呼: the number is read out and confirmed, and the place in line is kept."""
    await caller.to_the_menu("5")
    await caller.at("t")
    await caller.press("1")
    await caller.call.ended(WITHIN_S)
    caller.heard("hotline/callback-number", "hotline/callback-agreed")
    caller.kept("g.r.m5.c.t1.k", "", frozenset({Outcome.CALLBACK}))


async def callback_elsewhere(caller: Caller) -> None:
    """A callback to another number, which is typed, read out and confirmed."""
    await caller.to_the_menu("5")
    await caller.at("t")
    await caller.press("2")
    await caller.at("x")
    await caller.listens("hotline/callback-other")
    await caller.press(f"{ELSEWHERE}#")
    await caller.at("t")
    await caller.press("1")
    await caller.call.ended(WITHIN_S)
    caller.heard("hotline/callback-other", "hotline/callback-agreed")
    caller.kept(f"g.r.m5.c.t2.x{len(ELSEWHERE)}.c.t1.k", "", frozenset({Outcome.CALLBACK}))


async def emergency_number(caller: Caller) -> None:
    """110 typed in the menu goes to the head of the queue."""
    await caller.to_the_menu("110")
    if await caller.waits() != "1":
        caller.wrong("others were before a caller who typed 110")
    caller.kept("g.r.m.e110", caller.props.general)


async def hang_up_in_a_prompt(caller: Caller) -> None:
    """Who hangs up in the menu is recorded as such."""
    await caller.calls()
    await caller.at("m")
    caller.heard(GREETING, NOTICE)
    caller.kept("g.r.m", "", frozenset({Outcome.ABANDONED_IVR}))


async def nuisance(caller: Caller) -> None:
    """A nuisance caller (骚扰号码) is told so, and waits behind whoever comes later."""
    await caller.calls(caller.props.behind)
    await caller.waits()
    later = caller.another()
    await later.to_the_menu("0", caller.props.behind)
    if await later.waits() != "1":
        caller.wrong("a nuisance caller was before another one")
    caller.heard(GREETING, NOTICE, "hotline/blocked")
    caller.kept("g.r.b.q", caller.props.behind)
    later.kept("g.r.m0.q", caller.props.behind)


async def emergency_mode(caller: Caller) -> None:
    """In an emergency mode (应急模式) all are greeted otherwise and led to its queue, without a menu."""
    await caller.calls()
    await caller.waits()
    caller.heard(caller.props.mode_greeting, NOTICE)
    caller.heard_not(MENU)
    caller.kept("g.r.w.q", caller.props.behind)


WAYS: dict[str, Callable[[Caller], Awaitable[None]]] = {
    each.__name__: each
    for each in (
        emergency_mode,
        no_keys,
        nuisance,
        case_by_number,
        wrong_case_number,
        callback_elsewhere,
        callback,
        case_of_caller,
        english,
        message,
        wrong_keys,
        merged_line,
        kind_of_matter,
        person,
        keys_before_the_prompt,
        emergency_number,
        hang_up_in_a_prompt,
    )
}
"""In the order in which they are begun, of the others the longest first."""
FIRST = emergency_mode.__name__
"""In that mode nobody else may come; it is over as soon as its caller is being greeted."""
