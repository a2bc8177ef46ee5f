"""Owns the stage of `hotline rehearse --scenario ivr`: a menu with everything, cases to ask for, a nuisance
caller, an announcement and an emergency mode.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import timedelta
from functools import partial

import msgspec
from sqlalchemy import select

from asterisk_conf.paths import NodePaths
from asterisk_conf.ports import ami_host
from casework.calendar import china
from casework.case import Case
from casework.deadlines import ProfileName
from casework.moves import Actor, Dispatch
from casework.service import NewCase, move_case, open_case
from casework.words import Part
from cli.run import home_of_switch
from cli.stage import Stage
from ctiserver.store.tables import CallRow
from hotline import clock, standing
from hotline.audit import Deed
from hotline.db.engine import Database
from hotline.errors import HotlineError
from hotline.ivr_settings import NORMAL, ModeSettings
from hotline.local_time import SECOND_US
from hotline.numbers import key_of
from hotline.office_hours import ALWAYS
from hotline.settings import CallbackSettings, LineSettings, Settings, SkillSettings
from ivr.catalogue import sounds_of
from ivr.outlook import EVERY_S
from ivr.script import line_prompt, mode_prompt
from rehearsal.caller import Kept, Props
from rehearsal.lobby import Lobby
from rehearsal.report import Report
from rehearsal.walk import Walk, number_of
from rehearsal.ways import case_of_caller, menu, nuisance

QUEUES = 2
"""Queues of its own that the rehearsal needs beside the general one."""
SPOKEN = ("zh", "en")
"""The languages of the rehearsal: those that the engine speaks."""
MODE = "drill"
NEWS = standing.Announcement(
    id="drill", text="演练公告，明天八点至十七点停水。", queue="", from_us=0, until_us=0
)
_DEED = Deed(person="9001", role="supervisor", what="ivr.rehearse", whom="", why="演练")
_LASTS = timedelta(hours=1)
_ANOTHER = "13805375678"
"""The phone of a citizen whose case is asked for from another phone."""
_TAKEN_IN_S = 30.0
_LOOK_S = 0.5
"""How long the IVR's look at the database takes at most."""


def ivr_rules(site: Settings, queues: tuple[SkillSettings, ...], line: str) -> Settings:
    """The site's rules, with a menu in which everything can be chosen, `queues` and a merged line of that
    number; the site's own greeting and voice stay.
    """
    kind, behind = queues
    replace = msgspec.structs.replace
    own = LineSettings(number=line, queue=kind.number, label="演练", greeting="您好，这里是演练专线。")
    mode = ModeSettings(id=MODE, greeting="演练：现在是应急模式。", queue=behind.number)
    ivr = replace(
        site.ivr,
        languages=SPOKEN,
        keys=menu(kind.number),
        modes=(*site.ivr.modes, mode),
        hours=ALWAYS,
        offer_from_s=0,  # nobody answers here, so that everybody would wait long
    )
    return replace(
        site,
        skills=(*site.skills, *queues),
        lines=(*site.lines, own),
        ivr=ivr,
        callback=offered_callback(site),
    )


def offered_callback(site: Settings) -> CallbackSettings:
    """The site's rules for callbacks, with a key where the site does without them."""
    if site.callback_key:
        return site.callback
    return msgspec.structs.replace(site.callback, key=CallbackSettings().key)


async def walk_the_ivr(there: Stage, rate: float, say: Callable[[str], None]) -> Report:
    """Every way through the IVR, on a stage of `ivr_rules`."""
    settings = there.settings
    database = await Database.open(settings.database)
    try:
        props = await _set_up(there, database)
        switch = settings.switch
        async with Lobby.open(ami_host(settings), switch.ami_port, there.hotline.secrets.ami_cti) as lobby:
            records, end_mode = partial(_kept_in, database), partial(_end_mode, database)
            return await Walk(there.city, lobby, props, records, end_mode).run(rate, say)
    finally:
        await database.close()


async def _set_up(there: Stage, database: Database) -> Props:
    """Cases, the announcement, the nuisance caller, the emergency mode; return when callers hear of them."""
    settings = there.settings
    kind, behind = (queue.number for queue in settings.skills[-QUEUES:])
    now_us = clock.now().utc_us
    until_us = now_us + round(_LASTS.total_seconds()) * SECOND_US
    news = msgspec.structs.replace(NEWS, queue=kind, until_us=until_us)
    restricted = number_of(nuisance.__name__)
    async with database.begin() as session:
        await standing.announce(session, news, _DEED, now_us)
        await standing.switch_mode(session, MODE, _DEED, now_us)
        await standing.restrict(session, key_of(restricted, settings.area_code), until_us, _DEED, now_us)
    sounds = NodePaths(home_of_switch(settings)).sounds
    line = settings.lines[-1].number
    props = Props(
        general=settings.queue.number,
        kind=kind,
        behind=behind,
        line=line,
        line_greeting=line_prompt(line),
        mode_greeting=mode_prompt(MODE),
        news=news.prompt,
        case_of_caller=await _a_case(settings, database, number_of(case_of_caller.__name__)),
        case_of_another=await _a_case(settings, database, _ANOTHER),
        another_digits=_ANOTHER[-4:],
        sounds={language: sounds_of(sounds, language) for language in SPOKEN},
    )
    async with asyncio.timeout(_TAKEN_IN_S):
        while not (sounds / f"{news.prompt}.wav").is_file():  # noqa: ASYNC110 - a file tells nobody
            await asyncio.sleep(EVERY_S / 10)
    await asyncio.sleep(EVERY_S + _LOOK_S)
    return props


async def _a_case(settings: Settings, database: Database, phone: str) -> str:
    """The number of a case of that citizen, which a unit has before it."""
    citizen, now_us = key_of(phone, settings.area_code), clock.now().utc_us
    new = NewCase(citizen=citizen, title="演练", text="演练用工单", unit="住建局", actor=_DEED.person)
    opened = await open_case(database, new, settings.node, now_us)
    if isinstance(opened, Case):
        move = Dispatch(
            actor=Actor(_DEED.person, Part.DISPATCHER),
            reason="演练",
            unit="住建局",
            profile=ProfileName.ONE_DAY,
        )
        moved = await move_case(database, opened.id, move, now_us, china())
        if isinstance(moved, Case):
            return moved.number
    raise HotlineError("casework refused the rehearsal's own case")


async def _end_mode(database: Database) -> None:
    """Return when callers hear that the emergency mode is over."""
    async with database.begin() as session:
        await standing.switch_mode(session, NORMAL, _DEED, clock.now().utc_us)
    await asyncio.sleep(EVERY_S + _LOOK_S)


async def _kept_in(database: Database) -> list[Kept]:
    columns = (CallRow.number, CallRow.outcome, CallRow.queue, CallRow.ivr_path, CallRow.ivr_failure)
    async with database.read() as session:
        rows = await session.execute(select(*columns).where(CallRow.outcome != ""))
        return [
            Kept(number=number, outcome=outcome, queue=queue, path=path, failure=failure)
            for number, outcome, queue, path, failure in rows
        ]
