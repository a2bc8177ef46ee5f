"""Owns the sending of deliveries to one receiver: each of its lanes takes what is due from the list, and
notes what came of it.
"""

from __future__ import annotations

import asyncio
import random
import sqlite3
from collections import Counter
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import assert_never

import aiohttp
import structlog

from ctiserver.hooks.ledger import Delivery, Ledger
from ctiserver.hooks.retry import Again, Answered, Dead, Delivered, Gone, Unanswered, verdict
from ctiserver.hooks.signing import headers
from hotline import clock
from hotline.local_time import SECOND_US
from hotline.secret import HookSecret
from hotline.settings import WebhookSettings

log = structlog.get_logger("hooks")

AT_ONCE = 8
"""Tries under way at once in one lane."""
LOOK_EVERY_S = 2.0
"""How often a lane looks for what an operator has put on the list (`hotline hooks retry`)."""
_MOST_BODY = 1024
_DISK_RETRY_S = 2.0


class Receiver:
    """One webhook's address and key. To be opened, and closed at the end."""

    def __init__(self, hook: WebhookSettings, secret: HookSecret) -> None:
        self.hook = hook
        self.name = hook.name
        self.is_gone = False
        """It said 410: nothing is sent until the next start."""
        self.tally: Counter[str] = Counter()
        """Since the start: "delivered", "retried", "dead"."""
        self._secret = secret
        self._session: aiohttp.ClientSession

    async def open(self) -> None:
        """Be ready to send. A connection serves one try: none is found closed by the other side."""
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=0, force_close=True, ttl_dns_cache=300),
            timeout=aiohttp.ClientTimeout(total=self.hook.timeout_s),
            cookie_jar=aiohttp.DummyCookieJar(),
            auto_decompress=False,
            read_bufsize=_MOST_BODY,
        )

    async def close(self) -> None:
        """Let go of the connections."""
        await self._session.close()

    async def post(self, hook_id: str, body: bytes) -> tuple[Answered | Unanswered, bytes]:
        """One try: what came of it, and at most 1 KiB of the answer. Raises nothing of the network's."""
        signed = headers(self._secret.key, hook_id, clock.now().utc_us // SECOND_US, body)
        try:
            async with self._session.post(
                self.hook.url, data=body, headers=signed, allow_redirects=False
            ) as answer:
                said = b""
                with suppress(aiohttp.ClientError, OSError, TimeoutError):
                    said = await answer.content.read(_MOST_BODY)
                return Answered(answer.status), said
        except (aiohttp.ClientError, OSError, TimeoutError, ValueError) as error:
            return Unanswered(_why(error)), b""


def _why(error: Exception) -> str:
    """What went wrong, without the address."""
    match error:
        case TimeoutError():
            return "no answer in time"
        case aiohttp.ClientSSLError():
            return "no TLS: its certificate or protocol is not accepted"
        case aiohttp.ClientConnectorDNSError():
            return "its name is not known"
        case aiohttp.ClientConnectorError():
            return "no connection"
        case aiohttp.ServerDisconnectedError() | ConnectionError():
            return "connection closed without an answer"
        case _:
            return f"no HTTP answer ({type(error).__name__})"


class Lane:
    """Urgent or ordinary deliveries of one receiver: those of one conversation one after the other, those of
    different ones side by side.
    """

    def __init__(self, receiver: Receiver, ledger: Ledger, *, is_urgent: bool) -> None:
        self._receiver = receiver
        self._ledger = ledger
        self._is_urgent = is_urgent
        self._busy: dict[str, asyncio.Task[None]] = {}
        self._news = asyncio.Event()

    def wake(self) -> None:
        """There is something new on the list."""
        self._news.set()

    async def run(self) -> None:
        """Send for ever; ends only when cancelled, or when the receiver is gone."""
        try:
            while not self._receiver.is_gone:
                self._news.clear()
                wait_s = await self._start_due()
                with suppress(TimeoutError):
                    async with asyncio.timeout(wait_s):
                        await self._news.wait()
        finally:
            under_way = list(self._busy.values())
            for task in under_way:
                task.cancel()
            await asyncio.gather(*under_way, return_exceptions=True)

    async def _start_due(self) -> float:
        """Begin what is due; how long until there may be more, seconds."""
        room = AT_ONCE - len(self._busy)
        if not room:
            return LOOK_EVERY_S
        now_us = clock.now().utc_us
        try:
            due, next_us = await self._ledger.due(
                self._receiver.name, self._is_urgent, now_us, room, self._busy.keys()
            )
        except sqlite3.Error as error:
            log.error("webhook waits: its list cannot be read", hook=self._receiver.name, why=str(error))
            return _DISK_RETRY_S
        for one in due:
            self._busy[one.conversation] = asyncio.create_task(self._deliver(one))
        return min(LOOK_EVERY_S, max(0.01, (next_us - now_us) / SECOND_US)) if next_us else LOOK_EVERY_S

    async def _deliver(self, one: Delivery) -> None:
        """One try and its consequence. The conversation stays busy until that is on the disk, so that a full
        disk does not make a receiver hear the same for ever.
        """
        came, _ = await self._receiver.post(one.id, one.body)
        tries = one.tries + 1
        now_us = clock.now().utc_us
        tally = self._receiver.tally
        match verdict(came, tries, now_us, random.random()):  # noqa: S311 - spreads tries, guards nothing
            case Delivered():
                tally["delivered"] += 1
                await self._note(lambda: self._ledger.delivered(one))
            case Again(due_us, why):
                tally["retried"] += 1
                log.warning("webhook not delivered yet", hook=one.hook, id=one.id, tries=tries, why=why)
                await self._note(lambda: self._ledger.put_off(one, tries, due_us, why))
            case Dead(why):
                tally["dead"] += 1
                log.error("webhook given up", hook=one.hook, id=one.id, tries=tries, why=why)
                await self._note(lambda: self._ledger.bury(one, tries, why, now_us))
            case Gone():
                self._receiver.is_gone = True
                log.error("webhook's receiver is gone (410); nothing is sent until restart", hook=one.hook)
            case never:
                assert_never(never)
        del self._busy[one.conversation]
        self.wake()

    async def _note(self, write: Callable[[], Awaitable[None]]) -> None:
        while True:
            try:
                return await write()
            except sqlite3.Error as error:
                log.error("webhook's list cannot be written", hook=self._receiver.name, why=str(error))
                await asyncio.sleep(_DISK_RETRY_S)
