"""Owns what the IVR knows of the world beside a call: the settings in force, and how the hotline stands."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from pathlib import Path

import msgspec
import structlog

from asterisk_conf.paths import NodePaths
from hotline import clock
from hotline.db.engine import FAILURES, Database, reason
from hotline.errors import DatabaseUnavailable, HotlineError
from hotline.ivr_applied import BadApplied, applied_file, read_applied, write_applied
from hotline.settings import Settings
from hotline.standing import Standing, look
from ivr.catalogue import MANDARIN
from ivr.dialect import usable
from ivr.prompts import Say, render_hotline
from ivr.script import all_texts

EVERY_S = 2.0
"""Between two looks: so long it takes at most until callers hear a change."""
WITHIN_S = 5.0

log = structlog.get_logger("ivr")


class Outlook:
    """Kept up to date in the background. What was known last holds while the database is away."""

    def __init__(self, settings: Settings) -> None:
        self.settings = usable(settings)
        self.standing = Standing()
        self._sounds = NodePaths(settings.state / "asterisk").sounds
        self._applied = applied_file(settings)
        self._applied_at = 0
        self._database: Database | None = None
        self._is_down = False
        self._task: asyncio.Task[None] | None = None

    async def database(self) -> Database:
        """The database; opened when it is first wanted. DatabaseUnavailable says why it is not there."""
        if self._database is None:
            opened = await Database.open(self.settings.database)
            if self._database is not None:
                await opened.close()
            else:
                self._database = opened
        return self._database

    def start(self) -> None:
        """Begin to look."""
        self._task = asyncio.create_task(self._follow())

    async def stop(self) -> None:
        """Look no more, and close the database."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        if self._database is not None:
            await self._database.close()

    async def look(self) -> None:
        """Take in what was applied or switched since the last look."""
        await asyncio.to_thread(self._take_applied)
        now_us = clock.now().utc_us
        try:
            async with asyncio.timeout(WITHIN_S), (await self.database()).read() as session:
                found = await look(session, now_us)
        except (*FAILURES, DatabaseUnavailable) as error:
            if not self._is_down:
                log.warning("standing unknown: what was known last holds", why=reason(error))
            self._is_down = True
            return
        self._is_down = False
        if found != self.standing:
            try:
                await self._say(found)
            finally:  # what cannot be spoken costs callers that sentence alone, and never the mode
                self.standing = found

    async def _follow(self) -> None:
        while True:
            try:
                await self.look()
            except HotlineError as error:
                log.error("announcement or settings not taken", why=str(error))
            await asyncio.sleep(EVERY_S)

    def _take_applied(self) -> None:
        """`hotline ivr apply` checked it, and made its prompts."""
        try:
            changed = self._applied.stat().st_mtime_ns
            if changed == self._applied_at:
                return
            ivr = read_applied(self.settings)
        except FileNotFoundError:
            return
        except (OSError, BadApplied) as error:
            log.error("applied settings cannot be read", why=str(error))
            return
        if ivr is None:
            return
        self._applied_at = changed
        self.settings = usable(msgspec.structs.replace(self.settings, ivr=ivr))
        log.info("ivr_settings_applied")

    async def _say(self, standing: Standing) -> None:
        """Announcements that were typed become sounds before anybody is to hear them."""
        if standing.news:
            await asyncio.to_thread(
                render_hotline, self._sounds, self.settings, spoken(self.settings, standing)
            )


def spoken(settings: Settings, standing: Standing) -> dict[str, Mapping[str, str]]:
    """The sentences of the site's own that callers may hear: its settings', and its announcements, which come
    before anybody can choose a language.
    """
    news = {each.prompt: each.text for each in standing.news}
    own = all_texts(settings)
    return own | {MANDARIN: {**own[MANDARIN], **news}}


def apply(settings: Settings, sounds: Path, say: Say = lambda _: None) -> int:
    """Put the IVR's settings in force from the next call on: make their prompts, then let the IVR know.
    Return how many prompts were made.
    """
    made = render_hotline(sounds, settings, all_texts(usable(settings)), say=say)
    write_applied(settings)
    return made
