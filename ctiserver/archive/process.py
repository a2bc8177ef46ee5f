"""Owns the archive as a process: low priority, pass after pass, patience with what is away."""

from __future__ import annotations

import asyncio
import contextlib
import os
from collections.abc import Callable
from pathlib import Path

import structlog

from asterisk_conf.paths import NodePaths
from ctiserver.archive import health
from ctiserver.archive.archive import Archive, Pass
from ctiserver.archive.health import Health
from ctiserver.archive.records import Records
from ctiserver.archive.shelf import Shelf
from hotline import clock
from hotline.db.engine import FAILURES, Database, reason
from hotline.errors import DatabaseUnavailable
from hotline.settings import Settings

NICENESS = 15
"""Calls, pops and pages come first on every core."""
_EVERY_S = 3.0
_LONGEST_S = 60.0

log = structlog.get_logger("archive")


async def run(settings: Settings, stop: asyncio.Event, on_ready: Callable[[], None] = lambda: None) -> None:
    """Archive until `stop`. Neither a database that is away nor a full disk ends it: it says so and waits."""
    os.nice(NICENESS)
    with health.alone(settings.state):
        on_ready()
        keeper = Keeper(settings)
        try:
            while not stop.is_set():
                pause_s = await keeper.turn()
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(stop.wait(), pause_s)
        finally:
            await keeper.close()


class Keeper:
    """One turn after another: a pass of the archive, and a word about how it went."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._database: Database | None = None
        self._archive: Archive | None = None
        self._pause_s = _EVERY_S
        self._health = Health(at_us=0)

    async def turn(self) -> float:
        """One pass; returns for how many seconds to rest."""
        try:
            archive = await self._open()
            done = await archive.run_once()
        except DatabaseUnavailable as error:
            done = Pass(troubles=[str(error)])
        except FAILURES as error:
            done = Pass(troubles=[_sentence(error)])
        self._tell(done)
        self._pause_s = min(self._pause_s * 2, _LONGEST_S) if done.troubles else _EVERY_S
        return self._pause_s

    async def close(self) -> None:
        """Let go of the database."""
        if self._database is not None:
            await self._database.close()

    async def _open(self) -> Archive:
        if self._archive is None:
            settings = self._settings
            shelf = Shelf(_spool(settings.state), settings.recordings)
            await asyncio.to_thread(shelf.prepare)
            self._database = self._database or await Database.open(settings.database, is_durable=True)
            records = Records(self._database, settings.node)
            self._archive = Archive(shelf, records, settings.node, settings.recording.keep_days)
        return self._archive

    def _tell(self, done: Pass) -> None:
        why, before = done.troubles[0] if done.troubles else "", self._health
        self._health = Health(
            at_us=clock.now().utc_us,
            why=why,
            waiting=done.waiting,
            kept=before.kept + done.kept,
            missing=before.missing + done.missing,
        )
        if why and why != before.why:
            log.error("recordings are not archived; calls go on, the spool grows", why=why)
        elif before.why and not why:
            log.info("recordings are archived again")
        if done.kept or done.missing or done.removed:
            log.info("archived", kept=done.kept, missing=done.missing, removed=done.removed)
        try:
            health.tell(self._settings.state, self._health)
        except OSError as error:
            log.error("the archive cannot say how it is", why=error.strerror)


def _spool(state: Path) -> Path:
    return NodePaths(state / "asterisk").recordings


def _sentence(error: BaseException) -> str:
    """What an operator reads in `hotline status`: no statement and no value."""
    if isinstance(error, OSError) and error.filename:
        return f"{error.filename}: {error.strerror}"
    return reason(error)
