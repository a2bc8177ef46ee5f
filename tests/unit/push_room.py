"""Owns a small desk for the push server's tests, which shows what it is told, and clients to watch it."""

from __future__ import annotations

import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import msgspec
from websockets.asyncio.client import ClientConnection, connect

from ctiserver.api.commands import Actor, Command, Refusal
from ctiserver.api.pushes import Frame, Push, SeatPush, Seen, Snapshot
from ctiserver.api.states import (
    CallerContext,
    Conversation,
    Phase,
    Queue,
    Seat,
    SeatState,
)
from ctiserver.client import TokenProvider
from ctiserver.push.outbox import LIMITS, Limits
from ctiserver.push.server import PushServer
from hotline import clock
from hotline.identity import token
from hotline.identity.roles import Role
from hotline.settings import CtiSettings, Settings

KEY = "key-of-the-tests"
SEATS = tuple(str(number) for number in range(8001, 8058))


def seat(seat_id: str, since_us: int = 1, state: SeatState = SeatState.READY, call: str = "") -> Seat:
    return Seat(id=seat_id, state=state, since_us=since_us, agent="1001", agent_name="甲", conversation=call)


def call(call_id: str, *seats: str, started_us: int = 1) -> Conversation:
    return Conversation(
        id=call_id,
        number="13805381234",
        name="",
        dnis="12345",
        phase=Phase.RINGING if seats else Phase.QUEUED,
        started_us=started_us,
        seats=seats,
    )


def context(call_id: str, place: str = "") -> CallerContext:
    return CallerContext(conversation=call_id, number="13805381234", masked="138****1234", place=place)


def snapshot_of(seen: Seen) -> Snapshot:
    return Snapshot(
        seats=tuple(seen.seats.values()),
        queues=tuple(seen.queues.values()),
        conversations=tuple(seen.conversations.values()),
        contexts=tuple(seen.contexts.values()),
        linked=seen.linked,
    )


class Room:
    """A desk that obeys every command and remembers who asked for what."""

    def __init__(self) -> None:
        self.now_us = 100
        self.floor = Seen()
        self.floor.apply(
            Snapshot(seats=tuple(seat(one) for one in SEATS), queues=(Queue(name="12345"),), linked=True)
        )
        self.asked: list[tuple[Actor, Command, str]] = []
        self.answer: dict[str, str] | Refusal = {"done": "yes"}
        self.server: PushServer

    def snapshot(self) -> Snapshot:
        return snapshot_of(self.floor)

    async def command(self, actor: Actor, command: Command, key: str) -> dict[str, str] | Refusal:
        self.asked.append((actor, command, key))
        return self.answer

    def tell(self, *pushes: Push) -> None:
        for push in pushes:
            self.floor.apply(push)
            self.server.tell(push)

    def tell_seats(self, rounds: int) -> int:
        """Every seat changes in every round; says how many pushes that was."""
        for _ in range(rounds):
            self.now_us += 1
            self.tell(*(SeatPush(seat(one, since_us=self.now_us)) for one in SEATS))
        return rounds * len(SEATS)

    @property
    def url(self) -> str:
        return f"ws://127.0.0.1:{self.server.port}/v1"


def mint(role: Role, seat_id: str = "", person: str = "1001", life_us: int = 60_000_000) -> str:
    expires_us = clock.now().utc_us + life_us
    return token.mint(KEY, person, role, seat_id or None, expires_us, secrets.token_urlsafe(8))


def provider(role: Role, seat_id: str = "", person: str = "1001") -> TokenProvider:
    async def fresh() -> str:
        return mint(role, seat_id, person)

    return fresh


@asynccontextmanager
async def open_room(limits: Limits = LIMITS, desk_port: int = 8080) -> AsyncIterator[Room]:
    """A room behind a real server on a free port."""
    room = Room()
    base = Settings()
    settings = msgspec.structs.replace(
        base,
        cti=CtiSettings(push_port=0),
        desk=msgspec.structs.replace(base.desk, port=desk_port),
    )
    room.server = PushServer(settings, KEY, room, {"1001": "甲"}.get, limits)
    await room.server.start()
    try:
        yield room
    finally:
        await room.server.stop()


class Screen:
    """A client with bare hands: what came over the wire, message by message."""

    def __init__(self, link: ClientConnection) -> None:
        self.link = link
        self.seen = Seen()
        self.last_seq = 0
        self.session = ""

    async def message(self) -> bytes:
        return await self.link.recv(decode=False)

    async def frame(self) -> Frame:
        """The next push, which must have the next number."""
        frame = msgspec.json.decode(await self.message(), type=Frame)
        assert frame.seq == self.last_seq + 1
        self.last_seq = frame.seq
        self.seen.apply(frame.push)
        return frame

    async def ask(self, text: str | bytes) -> dict[str, object]:
        await self.link.send(text)
        return await self.answer()

    async def answer(self) -> dict[str, object]:
        answer: dict[str, object] = msgspec.json.decode(await self.message())
        assert "re" in answer
        return answer


@asynccontextmanager
async def screen(
    room: Room, word: str, *, resume: Screen | None = None, **options: object
) -> AsyncIterator[Screen]:
    """Connect, show the token, read the welcome (and the snapshot, unless the session goes on)."""
    url = room.url
    if resume is not None:
        url += f"?session={resume.session}&last_seq={resume.last_seq}"
    async with connect(url, compression=None, proxy=None, close_timeout=0.5, **options) as link:  # type: ignore[arg-type]
        came = Screen(link)
        await link.send(msgspec.json.encode({"token": word}))
        welcome = msgspec.json.decode(await came.message())
        came.session = welcome["session"]
        if welcome["resumed"]:
            assert resume is not None
            came.last_seq, came.seen = resume.last_seq, resume.seen
        else:
            assert isinstance((await came.frame()).push, Snapshot)
        yield came
