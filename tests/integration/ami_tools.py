"""What the tests of the AMI link share: a listener that can be waited on, and a bad network."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from typing import TypeVar

from ctiserver.ami.connection import Link
from ctiserver.model.events import Event, Resynced, SwitchSnapshot

E = TypeVar("E")


class Heard:
    """Every event that a link delivered, in order."""

    def __init__(self) -> None:
        self.events: list[Event] = []
        self._news = asyncio.Event()

    def __call__(self, event: Event) -> None:
        self.events.append(event)
        self._news.set()

    def mark(self) -> int:
        """How many there are so far."""
        return len(self.events)

    def all(self, kind: type[E], since: int = 0) -> list[E]:
        return [event for event in self.events[since:] if isinstance(event, kind)]

    async def next(
        self,
        kind: type[E],
        is_it: Callable[[E], bool] = lambda _event: True,
        *,
        since: int = 0,
        within_s: float = 10,
    ) -> E:
        """The first event of that kind from number `since` on, as soon as it is there."""
        async with asyncio.timeout(within_s):
            while True:
                self._news.clear()
                found = [event for event in self.all(kind, since) if is_it(event)]
                if found:
                    return found[0]
                await self._news.wait()


async def look(link: Link, heard: Heard) -> SwitchSnapshot:
    """The switch as it is now."""
    await link.resync()
    return heard.all(Resynced)[-1].snapshot


async def hotline_is_empty(link: Link, heard: Heard) -> None:
    """The hotline has no channel any more: it ends its own a moment after the city ended the other side."""
    async with asyncio.timeout(10):
        while (await look(link, heard)).channels:  # noqa: ASYNC110 - it is the hotline that is asked
            await asyncio.sleep(0.05)


class BadNetwork:
    """A TCP relay whose two directions can be slowed to single bytes, or go dead without a word."""

    def __init__(self, host: str, port: int) -> None:
        self._target = (host, port)
        self._server: asyncio.Server | None = None
        self._writers: set[asyncio.StreamWriter] = set()
        self.port = 0
        self.is_dripping = False
        self.swallows_ours = False
        """What the link sends gets lost."""
        self.swallows_theirs = False
        """What Asterisk sends gets lost."""
        self.connections = 0

    async def __aenter__(self) -> BadNetwork:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._server is not None
        self._server.close()
        self.cut()

    def cut(self) -> None:
        """Break every connection."""
        for writer in list(self._writers):
            writer.transport.abort()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            far_reader, far_writer = await asyncio.open_connection(*self._target)
        except OSError:
            writer.transport.abort()
            return
        self.connections += 1
        self._writers |= {writer, far_writer}
        await asyncio.gather(
            self._relay(reader, far_writer, lambda: self.swallows_ours),
            self._relay(far_reader, writer, lambda: self.swallows_theirs),
        )
        self._writers -= {writer, far_writer}

    async def _relay(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, swallows: Callable[[], bool]
    ) -> None:
        with contextlib.suppress(ConnectionError):
            while data := await reader.read(65536):
                if swallows():
                    continue
                for piece in [data[i : i + 1] for i in range(len(data))] if self.is_dripping else [data]:
                    writer.write(piece)
                    await writer.drain()
                    if self.is_dripping:
                        await asyncio.sleep(0)
        writer.transport.abort()
