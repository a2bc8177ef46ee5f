"""Owns the webhooks of one CTI server: both consumers, every receiver's two lanes, and their figures."""

from __future__ import annotations

import asyncio
import sqlite3
import traceback
from collections.abc import Callable
from pathlib import Path

import structlog

from ctiserver.hooks.case_consumer import CaseConsumer
from ctiserver.hooks.consumer import Cases, Consumer
from ctiserver.hooks.ledger import NAME, Ledger, Waiting
from ctiserver.hooks.sender import Lane, Receiver
from ctiserver.metrics import HookFigures
from hotline import clock
from hotline.db.engine import Database
from hotline.journal import Journal
from hotline.numbers import CallerNumber
from hotline.secret import hook_secret
from hotline.settings import Settings

log = structlog.get_logger("hooks")


def ledger_path(settings: Settings) -> Path:
    """Where the list of deliveries is."""
    return settings.state / NAME


class Webhooks:
    """All webhooks of the settings. None costs nothing. A failure here never reaches a call."""

    def __init__(
        self,
        settings: Settings,
        journal: Journal,
        describe: Callable[[str], CallerNumber],
        cases: Cases,
        database: Database,
    ) -> None:
        self._settings = settings
        self._ledger = Ledger(ledger_path(settings))
        self._receivers = [
            Receiver(hook, hook_secret(settings.state, hook.name)) for hook in settings.webhooks
        ]
        self._lanes = [
            Lane(receiver, self._ledger, is_urgent=is_urgent)
            for receiver in self._receivers
            for is_urgent in (True, False)
        ]
        self._consumer = Consumer(
            journal,
            self._ledger,
            settings.webhooks,
            settings.node,
            describe=describe,
            cases=cases,
            wake=self._wake,
            lost=_report_lost,
        )
        self._of_cases = CaseConsumer(
            database,
            self._ledger,
            settings.webhooks,
            settings.node,
            describe=describe,
            wake=self._wake,
            lost=_report_lost,
        )
        self._tasks: list[asyncio.Task[None]] = []

    async def start(self) -> None:
        """Begin to send; what was listed before the last stop comes first."""
        if not self._receivers:
            self._tasks = [asyncio.create_task(self._retire())]
            return
        for receiver in self._receivers:
            await receiver.open()
        runs = [self._consumer.run(), self._of_cases.run(), *(lane.run() for lane in self._lanes)]
        self._tasks = [asyncio.create_task(run) for run in runs]
        for task in self._tasks:
            task.add_done_callback(_report_end)

    async def stop(self) -> None:
        """Stop in the middle: what is not delivered is on the list."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        if self._tasks:
            for receiver in self._receivers:
                await receiver.close()
        await self._ledger.close()

    async def figures(self) -> tuple[HookFigures, ...]:
        """For monitoring; sqlite3.Error when the list cannot be read."""
        if not self._receivers:
            return ()
        waiting = await self._ledger.waiting()
        return tuple(
            HookFigures(
                name=receiver.name,
                delivered=receiver.tally["delivered"],
                retried=receiver.tally["retried"],
                dead=receiver.tally["dead"],
                waiting=waiting.get(receiver.name, Waiting()).count,
                oldest_us=waiting.get(receiver.name, Waiting()).oldest_us,
                is_gone=receiver.is_gone,
            )
            for receiver in self._receivers
        )

    def _wake(self) -> None:
        for lane in self._lanes:
            lane.wake()

    async def _retire(self) -> None:
        """The settings name no webhook any more: what waits for one is dead."""
        if not self._ledger.path.exists():
            return
        try:
            await self._ledger.positions("", 0, (), clock.now().utc_us)
        except sqlite3.Error as error:
            log.error("list of webhook deliveries cannot be read", why=str(error))


def _report_end(task: asyncio.Task[None]) -> None:
    """A mistake of ours must be seen, without its words, which may be a citizen's."""
    if not task.cancelled() and (error := task.exception()) is not None:
        last = traceback.extract_tb(error.__traceback__)[-1]
        where = f"{Path(last.filename).name}:{last.lineno}"
        log.error("a part of the webhooks ended", why=type(error).__name__, where=where)


def _report_lost(count: int) -> None:
    log.error("webhook deliveries given up: too many waited", count=count)
