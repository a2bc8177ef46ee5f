"""Owns the commands `hotline ivr …`: what callers hear, tried out and checked at a terminal."""

from __future__ import annotations

import asyncio
import secrets
import shutil
import subprocess
from collections.abc import Awaitable, Callable
from datetime import datetime
from pathlib import Path
from typing import Annotated, TypeVar

import typer
from rich.table import Table
from sqlalchemy.ext.asyncio import AsyncSession

from asterisk_conf.paths import NodePaths
from casework.organisation import Tree
from cli.run import home_of_switch
from cli.terminal import SettingsFile, console, say, settings_from
from cli.walk import walk
from ctiserver import ways
from ctiserver.api import way
from hotline import clock, ids, standing
from hotline.audit import Deed
from hotline.db.engine import Database
from hotline.directory import all_units
from hotline.errors import BadSettings, HotlineError
from hotline.ivr_settings import DIALECT, NORMAL, check_spoken
from hotline.local_time import DAY_US, SECOND_US, date_time, instant_us
from hotline.numbers import key_of
from hotline.settings import Settings
from ivr import catalogue as catalogue_of
from ivr import dialect, outlook, prompts
from ivr import lint as lint_of
from ivr.catalogue import CALLBACK_KEY, MANDARIN, load_catalogue
from ivr.script import all_texts

ivr = typer.Typer(help="What callers hear before the queue.", no_args_is_help=True)
PLAY_S = 300
Result = TypeVar("Result")


class NoSuchPrompt(HotlineError):
    """A name that is no prompt's."""


def sounds_of(site: Settings) -> Path:
    """The directory of the Mandarin prompts; other languages lie beside it."""
    return NodePaths(home_of_switch(site)).sounds


def text_of(site: Settings, name: str, language: str) -> str:
    """What the prompt of that name says; NoSuchPrompt when there is none."""
    catalogue = load_catalogue()
    own = all_texts(site).get(language, {})
    if name in own:
        return own[name]
    if language not in site.ivr.languages or name not in catalogue.names(language):
        raise NoSuchPrompt(f"there is no prompt {name!r} in {language!r}; `hotline ivr list` shows them all")
    return catalogue.text(name, site.city, site.callback_key or CALLBACK_KEY, language)


@ivr.command("list")
def list_prompts(
    language: Annotated[str, typer.Option("--language")] = MANDARIN, settings: SettingsFile = None
) -> None:
    """Every prompt: its name and what it says."""
    site = settings_from(settings)[0]
    for name in load_catalogue().names(language):
        say(f"{name}   {text_of(site, name, language)}")


@ivr.command("say")
def say_prompt(
    name: Annotated[str, typer.Argument(help="a prompt, as hotline/greeting")],
    language: Annotated[str, typer.Option("--language")] = MANDARIN,
    settings: SettingsFile = None,
) -> None:
    """Render a prompt as callers hear it, and play it where sox finds a loudspeaker."""
    site = settings_from(settings)[0]
    text = text_of(site, name, language)
    prompts.render_hotline(sounds_of(site), site, all_texts(site))
    path = prompts.file_of(catalogue_of.sounds_of(sounds_of(site), language), name)
    say(f"{text}\n{path}")
    if not played(path):
        say("no loudspeaker was found; play the file above elsewhere")


@ivr.command("lint")
def lint(settings: SettingsFile = None) -> None:
    """Find prompts that are missing, never played, clipped or silent; exit status 1 when there are any."""
    site = dialect.usable(settings_from(settings)[0])
    sounds = sounds_of(site)
    prompts.render_hotline(sounds, site, all_texts(site), say=say)
    faults = lint_of.all_of(load_catalogue(), sounds, all_texts(site))
    if DIALECT in site.ivr.languages:
        faults += [f"{name} is not recorded in the dialect" for name in dialect.missing(site)]
        if not dialect.is_complete(site):
            faults.append("the dialect is not offered to callers: less than four fifths are recorded")
    for fault in faults:
        say(fault)
    if faults:
        raise typer.Exit(1)
    say("every prompt is there, is played and can be heard")


@ivr.command("figures")
def figures(
    days: Annotated[int, typer.Option("--days", min=1, max=3650, help="of so many days")] = 7,
    settings: SettingsFile = None,
) -> None:
    """Where callers press 0, hang up and go in circles, and how often the IVR failed them."""
    site, since_us = settings_from(settings)[0], clock.now().utc_us - days * DAY_US
    found = asyncio.run(_read(site, lambda session: ways.figures(session, since_us)))
    say(f"{found.calls} calls came through the IVR in {days} days")
    table = Table("step", "reached", "pressed 0", "hung up", "in circles")
    for code, name in way.LETTERS.items():
        if found.reached.get(code):
            counts = (found.reached, found.pressed_0, found.hung_up, found.looped)
            table.add_row(name, *(str(each.get(code, 0)) for each in counts))
    console.print(table)
    for why, often in sorted(found.failed.items()):
        say(f"failed, {why}: {often}")


def played(path: Path) -> bool:
    """Whether the sound could be played on this machine."""
    program = shutil.which("play")
    if program is None:
        return False
    try:
        done = subprocess.run([program, "-q", str(path)], capture_output=True, check=False, timeout=PLAY_S)
    except subprocess.TimeoutExpired:
        return False
    return done.returncode == 0


@ivr.command("apply")
def apply(settings: SettingsFile = None) -> None:
    """Put the settings' part [ivr] in force from the next call on, without a restart."""
    site = settings_from(settings)[0]
    made = outlook.apply(site, sounds_of(site), say)
    say(f"in force from the next call on; {made} prompts were made anew")


@ivr.command("walk")
def walk_through(
    dialled: Annotated[str, typer.Option("--dialled", help="the number that was dialled")] = "",
    caller: Annotated[str, typer.Option("--caller", help="the number that calls; none: withheld")] = "",
    keys: Annotated[
        str | None, typer.Option("--keys", help="keys, question by question, as 2,202611240001,5678")
    ] = None,
    settings: SettingsFile = None,
) -> None:
    """Walk through the IVR at the terminal: see every sentence, type keys, see where the caller goes."""
    site = settings_from(settings)[0]
    typed = iter(keys.split(",")) if keys is not None else None

    def ask() -> str:
        if typed is not None:
            return next(typed, "")
        return str(typer.prompt("keys (Enter for none)", default="", show_default=False))

    asyncio.run(walk(site, dialled or site.queue.number, caller, say, ask))


@ivr.command("mode")
def mode(
    name: Annotated[str | None, typer.Argument(help=f"a mode of the settings, or {NORMAL}")] = None,
    settings: SettingsFile = None,
) -> None:
    """Show the whole hotline's mode, or switch it from the next call on."""
    site = settings_from(settings)[0]
    if name is None:
        say(asyncio.run(_standing(site)).mode)
        return
    if name not in (known := [NORMAL, *(each.id for each in site.ivr.modes)]):
        raise BadSettings(f"there is no mode {name!r}; the settings have {', '.join(known)}")
    _change(site, lambda s, now: standing.switch_mode(s, name, _deed("ivr.mode", name), now))
    say(f"the hotline is in mode {name}; callers hear it within seconds")


@ivr.command("announce")
def announce(
    text: Annotated[str, typer.Argument(help="what callers hear before the menu")],
    hours: Annotated[float, typer.Option("--hours", min=0.1, max=standing.LONGEST_H, help="for so long")],
    queue: Annotated[str, typer.Option("--queue", help="only to callers on the way to this queue")] = "",
    district: Annotated[str, typer.Option("--district", help="not to callers known to live elsewhere")] = "",
    begin: Annotated[
        datetime | None, typer.Option("--from", help="Shanghai's time, as 2026-11-26T08:00; now")
    ] = None,
    settings: SettingsFile = None,
) -> None:
    """Announce something to callers for a while."""
    site = settings_from(settings)[0]
    check_spoken("the announcement", text)
    if queue and queue not in (each.number for each in site.queues):
        raise BadSettings(f"there is no queue {queue!r}")
    if district and district not in (known := asyncio.run(_districts(site))):
        raise BadSettings(f"there is no district {district!r}; the directory has {', '.join(known)}")
    now_us = clock.now().utc_us
    from_us = now_us if begin is None else instant_us(begin)
    new = standing.Announcement(
        id=ids.make(site.node, now_us, secrets.token_bytes(ids.RANDOM_BYTES)),
        text=text.strip(),
        queue=queue,
        district=district,
        from_us=from_us,
        until_us=from_us + round(hours * 3600 * SECOND_US),
    )
    _change(site, lambda s, now: standing.announce(s, new, _deed("ivr.announce", new.id, text), now))
    say(f"{new.id} is said from {date_time(new.from_us)} to {date_time(new.until_us)}")


@ivr.command("announcements")
def announcements(settings: SettingsFile = None) -> None:
    """What is announced, now or later."""
    for each in asyncio.run(_standing(settings_from(settings)[0])).news:
        whom = " ".join(filter(None, (each.queue, each.district))) or "all"
        say(f"{each.id}   {date_time(each.from_us)} - {date_time(each.until_us)}   {whom}   {each.text}")


@ivr.command("withdraw")
def withdraw(id_: Annotated[str, typer.Argument(metavar="ID")], settings: SettingsFile = None) -> None:
    """Announce it no longer."""
    site = settings_from(settings)[0]
    if not _change(site, lambda s, now: standing.withdraw(s, id_, _deed("ivr.withdraw", id_), now)):
        raise HotlineError(f"there is no announcement {id_!r}")
    say(f"{id_} is announced no longer")


@ivr.command("restrict")
def restrict(
    number: Annotated[str, typer.Argument(help="the nuisance caller's number")],
    days: Annotated[int, typer.Option("--days", min=1, max=standing.LONGEST_DAYS)],
    why: Annotated[str, typer.Option("--why", help="kept in the audit trail")],
    settings: SettingsFile = None,
) -> None:
    """Serve a nuisance caller after all others, for so many days."""
    site = settings_from(settings)[0]
    citizen, deed = _citizen(site, number), _deed("ivr.restrict", _citizen(site, number), why)
    if not why.strip():
        raise HotlineError("say why: --why is kept in the audit trail")
    until_us = clock.now().utc_us + days * DAY_US
    _change(site, lambda s, now: standing.restrict(s, citizen, until_us, deed, now))
    say(f"served after all others until {date_time(until_us)}")


@ivr.command("pardon")
def pardon(number: str, settings: SettingsFile = None) -> None:
    """Serve that caller as everybody again."""
    site = settings_from(settings)[0]
    citizen = _citizen(site, number)
    if not _change(site, lambda s, now: standing.pardon(s, citizen, _deed("ivr.pardon", citizen), now)):
        raise HotlineError("that number is not restricted")
    say("served as everybody again")


def _citizen(site: Settings, number: str) -> str:
    key = key_of(number, site.area_code)
    if not key or key in site.emergency_numbers:
        raise HotlineError(f"{number!r} is not a citizen's telephone number")
    return key


def _deed(what: str, whom: str, why: str = "") -> Deed:
    """Who works at this terminal is known to the machine, not to us."""
    return Deed(person="", role="operator", what=what, whom=whom, why=why)


async def _standing(site: Settings) -> standing.Standing:
    return await _read(site, lambda session: standing.look(session, clock.now().utc_us))


async def _districts(site: Settings) -> list[str]:
    return Tree(await _read(site, all_units)).counties()


async def _read(site: Settings, question: Callable[[AsyncSession], Awaitable[Result]]) -> Result:
    database = await Database.open(site.database)
    try:
        async with database.read() as session:
            return await question(session)
    finally:
        await database.close()


def _change(site: Settings, change: Callable[[AsyncSession, int], Awaitable[Result]]) -> Result:
    async def work() -> Result:
        database = await Database.open(site.database)
        try:
            async with database.begin() as session:
                return await change(session, clock.now().utc_us)
        finally:
            await database.close()

    return asyncio.run(work())
