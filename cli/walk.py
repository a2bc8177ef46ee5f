"""Owns `hotline ivr walk`: a caller's way through the IVR, played in a terminal by the flow itself."""

from __future__ import annotations

from collections.abc import Callable

from casework.calendar import is_workday
from hotline import clock
from hotline.numbers import key_of
from hotline.settings import Settings
from ivr.call import Call
from ivr.cases import CaseDesk, home_of
from ivr.catalogue import CALLBACK_KEY, MANDARIN, load_catalogue
from ivr.errors import EmergencyTyped
from ivr.flows.entrance import Guest, entrance
from ivr.outlook import Outlook, spoken
from ivr.script import plan_for
from ivr.terminal import TerminalLine, Texts


async def walk(
    site: Settings, dialled: str, caller: str, say: Callable[[str], None], ask: Callable[[], str]
) -> None:
    """Play the way in as a caller of that number meets it now, and say where it leads."""
    outlook = Outlook(site)
    try:
        await outlook.look()
        citizen = key_of(caller, site.area_code)
        line = TerminalLine(texts(outlook), say, ask)
        now = iter(range(10**6))
        call = Call(
            line,
            emergency=site.emergency_numbers,
            length=lambda *_: 0.0,
            clock=lambda: float(next(now)) / 100,
        )
        cases = CaseDesk(outlook.database)
        plan = plan_for(
            outlook.settings,
            outlook.standing,
            dialled=dialled,
            caller=citizen,
            now_us=clock.now().utc_us,
            is_workday=is_workday,
            district=await home_of(call, cases, outlook.standing, citizen),
        )
        guest = Guest(number=caller, citizen=citizen)
        try:
            way = await entrance(call, plan, guest, cases, site.ivr.wait_s)
            await call.settle()
        except EmergencyTyped as typed:
            say(f"to the head of the queue: {typed.number} was typed")
            return
        say(f"to {way.wish or 'queue'} {way.queue}; path {call.path or 'none'}")
    finally:
        await outlook.stop()


def texts(outlook: Outlook) -> Texts:
    """What every prompt says, in every language of the hotline."""
    site, catalogue = outlook.settings, load_catalogue()
    key = site.callback_key or CALLBACK_KEY
    own = spoken(site, outlook.standing)
    found = {
        language: {n: catalogue.text(n, site.city, key, language) for n in catalogue.names(language)}
        | dict(own[language])
        for language in own
    }
    return {language: found.get(language, found[MANDARIN]) for language in site.ivr.languages}
