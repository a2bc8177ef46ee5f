"""Owns the way in (来电引导): what a caller hears after the greeting, and where they choose to go."""

from __future__ import annotations

import msgspec

from hotline.ivr_settings import PERSON
from ivr.call import Call
from ivr.flows import busy
from ivr.flows.callback import call_at
from ivr.flows.greeting import greeting
from ivr.flows.lookup import Cases, lookup
from ivr.script import MENU, Plan, offered

OFF_HOURS = "hotline/off-hours"
BLOCKED = "hotline/blocked"
OFF_HOURS_WAIT_S = 2.0
MESSAGE, CALLBACK = "message", "callback"
"""What the dialplan knows as wishes (`HOTLINE_WISH`)."""


class Way(msgspec.Struct, frozen=True, kw_only=True):
    """Where a caller leaves the IVR to: a queue by its number, with a wish or ""."""

    queue: str
    wish: str = ""
    call_at: str = ""
    """Where they want to be called back, as they typed it; "" where they call from."""


class Guest(msgspec.Struct, frozen=True, kw_only=True):
    """Who calls: the number as it can be dialled and as cases know it; both "" when withheld."""

    number: str
    citizen: str


async def entrance(call: Call, plan: Plan, guest: Guest, cases: Cases, wait_s: float) -> Way:
    """Greet the caller, tell what there is to tell, and let them choose; who would wait long is told so."""
    way = await _chosen(call, plan, guest, cases, wait_s)
    if way.wish or plan.is_blocked:
        return way
    wish = await busy.offered(call, way.queue, plan.offer_from_s, plan.callback_key)
    return await _follow(call, wish, way.queue, guest, cases)


async def _chosen(call: Call, plan: Plan, guest: Guest, cases: Cases, wait_s: float) -> Way:
    await greeting(call, plan.greeting)
    call.forget_but(PERSON + "".join(key.key for key in plan.keys))
    if plan.is_blocked:
        await call.say(BLOCKED, "b")
        return Way(queue=plan.queue)
    if plan.is_emergency_mode:
        await call.mark("w")
    for news in plan.announcements:
        await call.say(news, "a")
    if not plan.is_open:
        key = await call.menu(OFF_HOURS, PERSON, wait_s=OFF_HOURS_WAIT_S, code="h")
        return Way(queue=plan.queue, wish="" if key == PERSON else MESSAGE)
    return await main_menu(call, plan, guest, cases, wait_s)


async def main_menu(call: Call, plan: Plan, guest: Guest, cases: Cases, wait_s: float) -> Way:
    """主菜单, one level: a person is one key away, and comes by itself when nothing is pressed."""
    while keys := offered(plan.keys, call.language):
        pressed = await call.menu(MENU, PERSON + "".join(k.key for k in keys), wait_s=wait_s, code="m")
        chosen = next((key for key in keys if key.key == pressed), None)
        if chosen is None:
            break
        if chosen.does == "language":
            await call.speak(chosen.language)
            await call.mark("l")
            continue
        return await _follow(call, chosen.does, chosen.queue or plan.queue, guest, cases)
    return Way(queue=plan.queue)


async def _follow(call: Call, does: str, queue: str, guest: Guest, cases: Cases) -> Way:
    match does:
        case "case":
            wants_message = await lookup(call, cases, guest.citizen)
            return Way(queue=queue, wish=MESSAGE if wants_message else "")
        case "message":
            return Way(queue=queue, wish=MESSAGE)
        case "callback":
            number = await call_at(call, guest.number)
            other = "" if number == guest.number else number or ""
            return Way(queue=queue, wish="" if number is None else CALLBACK, call_at=other)
        case _:
            return Way(queue=queue)
