"""Owns the Python side of the push protocol: a client that stays connected, folds what it sees, and asks.

For integrators and for simulated agents; the desk's pages have the same in their script. Light: one task.
"""

from __future__ import annotations

import asyncio
import logging
import random
import secrets
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import suppress
from types import TracebackType
from typing import Self
from urllib.parse import urlencode

import msgspec
import structlog
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidHandshake

from ctiserver.api.pushes import Push, Seen

TokenProvider = Callable[[], Awaitable[str]]

FIRST_PAUSE_S = 0.2
LONGEST_PAUSE_S = 8.0
HANDSHAKE_S = 10.0
PING_S = 15.0
MAX_MESSAGE = 16 << 20
MOST_UNREAD = 10_000

# At DEBUG the library writes whole messages, with numbers and names, into the log.
_quiet = logging.getLogger("ctiserver.client.websockets")
_quiet.setLevel(logging.INFO)

log = structlog.get_logger()


class Refused(Exception):
    """The server will not do it; `code` is one of `ctiserver.api.commands.Code`, `message` for a person."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(f"{code}: {message}")
        self.code = code
        self.message = message


class Unanswered(Exception):
    """No answer in time. Whether it was done, the state will show."""


class Lagging(Exception):
    """This reader of pushes left so many unread that the rest was thrown away; `seen` is still true."""


class _Incoming(msgspec.Struct, frozen=True):
    """Any message of the server: a welcome, a numbered push or an answer."""

    session: str = ""
    resumed: bool = False
    seq: int = 0
    push: Push | None = None
    re: int = -1
    ok: dict[str, str] | None = None
    error: dict[str, str] | None = None


Arg = str | int | bool | dict[str, int]
"""A field of a command."""


class _Outgoing(msgspec.Struct, frozen=True):
    id: int
    op: str
    args: dict[str, Arg]
    key: str


_INCOMING = msgspec.json.Decoder(_Incoming)


class _Asked:
    """A command that waits for its answer, with the bytes to send again after a break."""

    __slots__ = ("answer", "message")

    def __init__(self, message: bytes) -> None:
        self.message = message
        self.answer: asyncio.Future[dict[str, str]] = asyncio.get_running_loop().create_future()


class _Reader:
    """One iteration over pushes."""

    __slots__ = ("has_more", "is_lagging", "unread")

    def __init__(self) -> None:
        self.unread: deque[Push] = deque()
        self.has_more = asyncio.Event()
        self.is_lagging = False

    def add(self, push: Push) -> None:
        self.is_lagging = self.is_lagging or len(self.unread) >= MOST_UNREAD
        if not self.is_lagging:
            self.unread.append(push)
        self.has_more.set()


class Client:
    """A connection to the CTI server that mends itself. `token` is asked for a fresh push token each time.

    `seen` is the folded state; `is_up` whether it follows the floor now.
    """

    def __init__(self, url: str, token: TokenProvider, *, first_pause_s: float = FIRST_PAUSE_S) -> None:
        self.seen = Seen()
        self.is_up = False
        self.session = ""
        self.last_seq = 0
        self._url = url
        self._token = token
        self._first_pause_s = first_pause_s
        self._failures = 0
        self._link: ClientConnection | None = None
        self._asked: dict[int, _Asked] = {}
        self._next_id = 1
        self._readers: list[_Reader] = []
        self._changed = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    @classmethod
    async def connect(cls, url: str, token: TokenProvider, timeout: float = HANDSHAKE_S) -> Self:
        """A client that has its snapshot; TimeoutError when that does not come in time (seconds)."""
        client = cls(url, token)
        client.start()
        try:
            await client.until(lambda _seen: client.is_up, timeout)
        except BaseException:
            await client.close()
            raise
        return client

    def start(self) -> None:
        """Begin to connect, and go on until `close`."""
        if self._task is None:
            self._task = asyncio.get_running_loop().create_task(self._run())

    async def close(self) -> None:
        """Leave. Whoever waits for an answer gets Unanswered; iterations end."""
        task, self._task = self._task, None
        if task is not None:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task
        for asked in self._asked.values():
            if not asked.answer.done():
                asked.answer.set_exception(Unanswered("the client was closed"))
        self._notify()
        for reader in self._readers:
            reader.has_more.set()

    async def __aenter__(self) -> Self:
        self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def ask(self, op: str, /, *, timeout: float = 10.0, **args: Arg) -> dict[str, str]:
        """Have a command done: what the server answers, or Refused, or Unanswered after `timeout` seconds.

        Across a break it is sent again under the same key, so that it is done once.
        """
        request_id = self._next_id
        self._next_id += 1
        message = _Outgoing(request_id, op, args, secrets.token_urlsafe(12))
        asked = self._asked[request_id] = _Asked(msgspec.json.encode(message))
        try:
            if self.is_up and self._link is not None:
                await self._send(self._link, asked.message)
            async with asyncio.timeout(timeout):
                return await asked.answer
        except TimeoutError as error:
            raise Unanswered(f"{op}: no answer within {timeout:g} s") from error
        finally:
            del self._asked[request_id]

    async def pushes(self) -> AsyncIterator[Push]:
        """Every push from now on, each already folded into `seen`; Lagging when too many are left unread.

        A snapshot among them means that the connection was lost for too long and what happened is not known.
        """
        reader = _Reader()
        self._readers.append(reader)
        try:
            while True:
                while reader.unread:
                    yield reader.unread.popleft()
                if reader.is_lagging:
                    raise Lagging
                if self._task is None:
                    return
                reader.has_more.clear()
                await reader.has_more.wait()
        finally:
            self._readers.remove(reader)

    async def until(self, holds: Callable[[Seen], bool], timeout: float = 10.0) -> None:
        """Wait until `holds(seen)`; TimeoutError after `timeout` seconds."""
        async with asyncio.timeout(timeout):
            while not holds(self.seen):
                await self._changed.wait()

    async def _run(self) -> None:
        while True:
            try:
                await self._live()
            except (OSError, TimeoutError, ConnectionClosed, InvalidHandshake, msgspec.DecodeError) as error:
                log.info("push_link_lost", session=self.session, why=type(error).__name__)
            self._link, self.is_up = None, False
            self._notify()
            await asyncio.sleep(self._pause_s())

    def _pause_s(self) -> float:
        """Longer after each failure, and never the same for all: a restarted server is not to be stormed."""
        longest = min(LONGEST_PAUSE_S, self._first_pause_s * 2.0 ** min(self._failures, 16))
        self._failures += 1
        return longest * random.uniform(0.5, 1.0)  # noqa: S311 - spreads load, guards nothing

    async def _live(self) -> None:
        """One connection, from its token to its end."""
        token = await self._token()
        async with connect(
            self._address(),
            proxy=None,
            compression=None,
            open_timeout=HANDSHAKE_S,
            ping_interval=PING_S,
            ping_timeout=PING_S,
            close_timeout=1.0,
            max_size=MAX_MESSAGE,
            logger=_quiet,
        ) as link:
            await link.send(msgspec.json.encode({"token": token}), text=True)
            async with asyncio.timeout(HANDSHAKE_S):
                welcome = _INCOMING.decode(await link.recv(decode=False))
            self.session = welcome.session
            self._link = link
            if welcome.resumed:
                await self._come_up(link)
            while True:
                await self._receive(link, await link.recv(decode=False))

    def _address(self) -> str:
        if not self.session or not self.last_seq:
            return self._url
        return f"{self._url}?{urlencode({'session': self.session, 'last_seq': self.last_seq})}"

    async def _receive(self, link: ClientConnection, data: bytes) -> None:
        message = _INCOMING.decode(data)
        if message.push is not None:
            self.last_seq = message.seq
            self.seen.apply(message.push)
            for reader in self._readers:
                reader.add(message.push)
            if not self.is_up:
                await self._come_up(link)
            self._notify()
        elif (asked := self._asked.get(message.re)) is not None and not asked.answer.done():
            if message.error is not None:
                asked.answer.set_exception(
                    Refused(message.error.get("code", ""), message.error.get("message", ""))
                )
            else:
                asked.answer.set_result(message.ok or {})

    async def _come_up(self, link: ClientConnection) -> None:
        """The state is true again: ask again what was asked before the break."""
        self.is_up = True
        self._failures = 0
        self._notify()
        for asked in list(self._asked.values()):
            await self._send(link, asked.message)

    async def _send(self, link: ClientConnection, message: bytes) -> None:
        # When the link has just gone, the next one will send it.
        with suppress(ConnectionClosed):
            await link.send(message, text=True)

    def _notify(self) -> None:
        self._changed.set()
        self._changed = asyncio.Event()
