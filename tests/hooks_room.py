"""Owns a receiver of webhooks that verifies by itself, and a hotline's webhooks beside a real journal, for
tests.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import json
import shutil
import sqlite3
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, closing
from pathlib import Path
from typing import Any

import msgspec
from aiohttp import web

from ctiserver.api import history as h
from ctiserver.api.states import CaseBrief, Outcome
from ctiserver.hooks.ledger import NAME
from ctiserver.hooks.service import Webhooks
from ctiserver.store.keeper import JournalKeeper
from hotline import numbers
from hotline.db.engine import Database, make_engine
from hotline.journal import Journal
from hotline.secret import hook_secret
from hotline.settings import Settings, WebhookSettings, check

CALLER = "13805381234"
CASE = CaseBrief(id="c1", number="20261124-0001", title="停水", state="open", unit="水务局", opened_us=1)
Manner = Callable[[web.Request], Awaitable[web.StreamResponse]]


class Heard(msgspec.Struct, frozen=True):
    """One request that came, its signature verified or not."""

    id: str
    kind: str
    said: dict[str, Any]
    is_signed: bool


def answering(status: int, **headers: str) -> Manner:
    async def answer(_request: web.Request) -> web.StreamResponse:
        return web.Response(status=status, headers=headers)

    return answer


class Ear:
    """A receiver on a port of its own. `manner` is how it answers; what it took is what it said 2xx to."""

    def __init__(self) -> None:
        self.manner: Manner = answering(204)
        self.key = b""
        self.heard: list[Heard] = []
        self.url = ""
        self._changed = asyncio.Condition()

    async def hear(self, request: web.Request) -> web.StreamResponse:
        body = await request.read()
        words = f"{request.headers['webhook-id']}.{request.headers['webhook-timestamp']}.".encode() + body
        expected = base64.b64encode(hmac.new(self.key, words, hashlib.sha256).digest()).decode()
        said = json.loads(body)
        is_signed = request.headers["webhook-signature"] == f"v1,{expected}"
        self.heard.append(Heard(request.headers["webhook-id"], said["type"], said, is_signed))
        async with self._changed:
            self._changed.notify_all()
        return await self.manner(request)

    async def until(self, count: int, within_s: float = 10) -> list[Heard]:
        """What has been heard once there are that many requests."""
        async with asyncio.timeout(within_s), self._changed:
            await self._changed.wait_for(lambda: len(self.heard) >= count)
        return self.heard

    async def until_kind(self, kind: str, within_s: float = 15) -> None:
        """Return once an event of that kind has been heard."""
        async with asyncio.timeout(within_s), self._changed:
            await self._changed.wait_for(lambda: kind in self.kinds)

    @property
    def kinds(self) -> list[str]:
        return [one.kind for one in self.heard]


@asynccontextmanager
async def ear() -> AsyncIterator[Ear]:
    """A receiver that listens until the end."""
    listening = Ear()
    app = web.Application()
    app.router.add_post("/hook", listening.hear)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    port = runner.addresses[0][1]
    listening.url = f"http://127.0.0.1:{port}/hook"
    yield listening
    await runner.cleanup()


def empty_database(state: Path, template: Path) -> Database:
    """A database of its own for a room, with the schema."""
    shutil.copy(template, state / "hotline.db")
    return Database(make_engine(f"sqlite+aiosqlite:///{state / 'hotline.db'}"))


class Room:
    """One state directory: its journal and database, and webhooks that may be stopped and started again."""

    def __init__(self, state: Path, database: Database) -> None:
        self.state = state
        self.database = database
        self.journal = Journal.open(state / "journal.db", lambda _: None)
        self.cases: Callable[[str], Awaitable[tuple[CaseBrief, ...]]] = self._one_case
        self.running: Webhooks | None = None
        self._keeper = JournalKeeper(self.journal, "n1")

    def settings(self, *hooks: WebhookSettings) -> Settings:
        settings = Settings(state_dir=str(self.state), webhooks=hooks)
        check(settings)
        return settings

    async def start(self, *hooks: WebhookSettings) -> Webhooks:
        """Webhooks that have found their place in the journal; the tables of numbers are loaded by then."""
        await asyncio.to_thread(numbers.warm_up)
        await self.journal.flushed()
        self.running = Webhooks(
            self.settings(*hooks),
            self.journal,
            lambda number: numbers.describe(number, "0538", "泰安"),
            self._ask,
            self.database,
        )
        await self.running.start()
        await until(lambda: self._have_places({hook.name for hook in hooks}))
        return self.running

    async def stop(self) -> None:
        if self.running is not None:
            await self.running.stop()
            self.running = None

    def hook(self, ear: Ear, name: str = "all", **other: Any) -> WebhookSettings:
        """A webhook that goes to this receiver, which knows the secret."""
        ear.key = hook_secret(self.state, name).key
        return WebhookSettings(name=name, url=ear.url, **other)

    def happens(self, *events: h.History) -> None:
        self._keeper.keep(events)

    async def _ask(self, key: str) -> tuple[CaseBrief, ...]:
        return await self.cases(key)

    async def _one_case(self, _key: str) -> tuple[CaseBrief, ...]:
        return (CASE,)

    def _have_places(self, hooks: set[str]) -> bool:
        """Whether each of them has its place in the journal and in the histories of cases."""
        if not hooks:
            return True
        try:
            with closing(sqlite3.connect(f"file:{self.state / NAME}?mode=ro", uri=True)) as file:
                found = file.execute("SELECT hook FROM places GROUP BY hook HAVING COUNT(*) = 2")
                return hooks <= {hook for (hook,) in found}
        except sqlite3.Error:
            return False


@asynccontextmanager
async def hooks_room(state: Path, database: Database) -> AsyncIterator[Room]:
    """A room, left as it was found."""
    made = Room(state, database)
    yield made
    await made.stop()
    await made.journal.close()
    await database.close()


async def until(is_so: Callable[[], bool], within_s: float = 10) -> None:
    """Return when it is so."""
    async with asyncio.timeout(within_s):
        while True:
            if is_so():
                return
            await asyncio.sleep(0.01)


def call(n: int = 1) -> tuple[h.History, ...]:
    """The beginning of a call: started, queued, answered."""
    id_ = f"n1-{n}"
    return (
        h.CallStarted(conversation=id_, at_us=n, uid=str(n), number=CALLER, name="张三", dnis="12345"),
        h.CallQueued(conversation=id_, at_us=n + 1, queue="12345"),
        h.CallAnswered(conversation=id_, at_us=n + 2, seat="8001", agent="1001", leg="x", wait_ms=5),
    )


def offered(n: int) -> h.CallQueued:
    return h.CallQueued(conversation=f"n1-{n}", at_us=n, queue="12345")


def calls_110(n: int = 1) -> h.ThirdPartyCalled:
    return h.ThirdPartyCalled(
        conversation=f"n1-{n}",
        at_us=n + 3,
        n=1,
        number="110",
        label="110",
        is_emergency=True,
        seat="8001",
        agent="1001",
    )


def ends(n: int = 1, outcome: Outcome = Outcome.ANSWERED) -> h.CallEnded:
    return h.CallEnded(conversation=f"n1-{n}", at_us=n + 9, outcome=outcome, wait_ms=5, talk_ms=60)
