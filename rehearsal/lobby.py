"""Owns what the hotline's switch tells of callers before a person answers: their way through the IVR as it
comes about, and who joined a queue when and at what place.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from ctiserver.api import way
from hotline.errors import AmiRefused
from rehearsal.legs import CallEnded
from rehearsal.switchboard import Event, Switchboard

_LOOK_AGAIN_S = 0.1


class Lobby:
    """Callers by their numbers, each of whom is on the line once. `Lobby.open` connects it."""

    def __init__(self) -> None:
        self.joined: dict[str, float] = {}
        """When they joined a queue, in seconds since 1970."""
        self.place: dict[str, str] = {}
        """At what place in the line; "1" is the first."""
        self._channels: dict[str, str] = {}
        self._news = asyncio.Event()
        self._switchboard = Switchboard(self._on_event)

    @classmethod
    @asynccontextmanager
    async def open(cls, host: str, port: int, secret: str) -> AsyncIterator[Lobby]:
        """Listen as the hotline's AMI user `cti`."""
        lobby = cls()
        await lobby._switchboard.connect(host, port, "cti", secret)
        try:
            yield lobby
        finally:
            lobby._switchboard.close()

    async def has(self, number: str, within_s: float) -> float:
        """The moment in which that caller joined a queue."""
        async with asyncio.timeout(within_s):
            while number not in self.joined:
                self._news.clear()
                await self._news.wait()
        return self.joined[number]

    async def comes_to(self, number: str, code: str, within_s: float) -> None:
        """Return when the caller's last step is that one; CallEnded when they are gone before."""
        async with asyncio.timeout(within_s):
            while await self._step(number) != code:  # noqa: ASYNC110 - a variable's change is no event here
                await asyncio.sleep(_LOOK_AGAIN_S)

    async def _step(self, number: str) -> str:
        steps = way.read(await self._path(number))
        return steps[-1].code if steps else ""

    async def _path(self, number: str) -> str:
        while number not in self._channels:
            self._news.clear()
            await self._news.wait()
        try:
            answer = await self._switchboard.act(
                "GetVar", Channel=self._channels[number], Variable=way.PATH_VARIABLE
            )
        except AmiRefused as error:
            raise CallEnded("the call was over before it came to that step") from error
        return str(answer.get("Value", ""))

    def _on_event(self, event: Event) -> None:
        match event["Event"]:
            case "Newchannel":
                self._channels.setdefault(event["CallerIDNum"], event["Channel"])
            case "QueueCallerJoin":
                self.joined[event["CallerIDNum"]] = time.time()
                self.place[event["CallerIDNum"]] = event["Position"]
            case _:
                return
        self._news.set()
