"""The client stays connected, shows the floor, and has what it asks for done once."""

from __future__ import annotations

import asyncio
import contextlib
import random
from collections.abc import AsyncIterator

import pytest

from ctiserver.api.commands import Code, refuse
from ctiserver.api.pushes import LinkPush, Pop, Push, SeatPush, Snapshot
from ctiserver.client import Client, Lagging, Refused, Unanswered
from ctiserver.push.outbox import Limits
from hotline.identity.roles import Role
from tests.unit.push_room import SEATS, Room, context, open_room, provider, seat


class Cable:
    """A way to the server that can be cut and mended."""

    def __init__(self, room: Room) -> None:
        self._room = room
        self._cut = asyncio.Event()
        self.is_whole = True
        self.writers: set[asyncio.StreamWriter] = set()
        self.port = 0
        self.url = ""

    async def carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if not self.is_whole:
            writer.close()
            return
        there_reader, there = await asyncio.open_connection("127.0.0.1", self._room.server.port)
        self.writers |= {writer, there}
        with contextlib.suppress(OSError):
            await asyncio.gather(self._pour(reader, there), self._pour(there_reader, writer))

    async def _pour(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(65536):
            writer.write(data)
        writer.close()

    def cut(self) -> None:
        self.is_whole = False
        for writer in self.writers:
            writer.transport.abort()
        self.writers.clear()

    def mend(self) -> None:
        self.is_whole = True


@contextlib.asynccontextmanager
async def cable_to(room: Room) -> AsyncIterator[Cable]:
    cable = Cable(room)
    server = await asyncio.start_server(cable.carry, "127.0.0.1", 0)
    cable.url = f"ws://127.0.0.1:{server.sockets[0].getsockname()[1]}/v1"
    try:
        yield cable
    finally:
        server.close()
        cable.cut()


async def take(pushes: AsyncIterator[Push], count: int) -> list[Push]:
    async with asyncio.timeout(10):
        return [await anext(pushes) for _ in range(count)]


async def read_all(client: Client, into: list[Push]) -> None:
    async for push in client.pushes():
        into.append(push)


async def test_a_client_shows_the_floor_and_follows_it() -> None:
    async with open_room() as room:
        client = await Client.connect(room.url, provider(Role.SUPERVISOR))
        assert client.seen == room.floor
        room.tell(SeatPush(seat("8003", since_us=5)))
        await client.until(lambda seen: seen.seats["8003"].since_us == 5)
        assert client.seen == room.floor
        await client.close()


async def test_pushes_come_one_by_one() -> None:
    async with open_room() as room:
        client = await Client.connect(room.url, provider(Role.AGENT, "8001"))
        got: list[Push] = []
        reading = asyncio.create_task(read_all(client, got))
        await asyncio.sleep(0)
        pushes: list[Push] = [Pop("8001", context("a")), LinkPush(False)]
        room.tell(*pushes)
        await client.until(lambda seen: not seen.linked)
        await client.close()
        await reading
        assert got == pushes


async def test_what_is_asked_is_answered_or_refused_by_name() -> None:
    async with open_room() as room:
        client = await Client.connect(room.url, provider(Role.AGENT, "8001"))
        assert await client.ask("seat.not_ready", reason="小休") == {"done": "yes"}
        room.answer = refuse(Code.IN_CALL)
        with pytest.raises(Refused) as refused:
            await client.ask("seat.sign_out")
        assert (refused.value.code, refused.value.message) == ("in_call", "通话中不能执行此操作")
        await client.close()


async def test_after_a_break_the_client_goes_on_where_it_was() -> None:
    async with open_room() as room, cable_to(room) as cable:
        client = Client(cable.url, provider(Role.AGENT, "8001"), first_pause_s=0.02)
        async with client:
            await client.until(lambda seen: client.is_up)
            session = client.session
            got: list[Push] = []
            reading = asyncio.create_task(read_all(client, got))
            cable.cut()
            await client.until(lambda seen: not client.is_up)
            missed: list[Push] = [
                SeatPush(seat("8001", since_us=7)),
                Pop("8001", context("a")),
                LinkPush(False),
            ]
            room.tell(*missed)
            await asyncio.sleep(0.1)
            assert not client.is_up
            cable.mend()
            await client.until(lambda seen: not seen.linked)
            assert client.session == session
        await reading
        assert got == missed


async def test_after_a_break_without_news_the_client_is_up_again() -> None:
    async with (
        open_room() as room,
        cable_to(room) as cable,
        Client(cable.url, provider(Role.AGENT, "8001"), first_pause_s=0.02) as client,
    ):
        await client.until(lambda seen: client.is_up)
        cable.cut()
        await client.until(lambda seen: not client.is_up)
        cable.mend()
        await client.until(lambda seen: client.is_up)
        assert await client.ask("seat.ready") == {"done": "yes"}


async def test_after_a_long_break_the_client_sees_the_truth_anew() -> None:
    async with open_room(Limits(kept=5)) as room, cable_to(room) as cable:
        async with Client(cable.url, provider(Role.SUPERVISOR), first_pause_s=0.02) as client:
            await client.until(lambda seen: client.is_up)
            got: list[Push] = []
            reading = asyncio.create_task(read_all(client, got))
            cable.cut()
            await client.until(lambda seen: not client.is_up)
            room.tell_seats(2)
            cable.mend()
            await client.until(lambda seen: client.is_up)
            assert client.seen == room.floor
        await reading
        assert [type(push) for push in got] == [Snapshot]


@pytest.mark.slow
async def test_the_server_restarts_and_all_clients_come_back() -> None:
    async with open_room() as room:
        port = room.server.port
        clients = [
            await Client.connect(room.url, provider(Role.AGENT, one, person=one)) for one in SEATS[:20]
        ]
        await room.server.stop()
        room.floor.apply(LinkPush(False))
        room.server._settings = type(room.server._settings)(
            cti=type(room.server._settings.cti)(push_port=port)
        )
        await room.server.start()
        for client in clients:
            await client.until(lambda seen, client=client: client.is_up)  # type: ignore[misc]
        room.tell(LinkPush(True))
        for client, one in zip(clients, SEATS, strict=False):
            await client.until(lambda seen: seen.linked)
            assert set(client.seen.seats) == {one}
            await client.close()


async def test_a_command_asked_during_a_break_is_done_once_after_it() -> None:
    async with (
        open_room() as room,
        cable_to(room) as cable,
        Client(cable.url, provider(Role.AGENT, "8001"), first_pause_s=0.02) as client,
    ):
        await client.until(lambda seen: client.is_up)
        cable.cut()
        asking = asyncio.create_task(client.ask("call.hang_up"))
        await asyncio.sleep(0.05)
        cable.mend()
        assert await asking == {"done": "yes"}
        assert len(room.asked) == 1


async def test_a_command_whose_answer_is_lost_is_done_once() -> None:
    async with (
        open_room() as room,
        cable_to(room) as cable,
        Client(cable.url, provider(Role.AGENT, "8001"), first_pause_s=0.02) as client,
    ):
        await client.until(lambda seen: client.is_up)
        obey = room.command

        async def obey_then_break(*args: object) -> object:
            answer = await obey(*args)  # type: ignore[arg-type]
            cable.cut()
            return answer

        room.command = obey_then_break  # type: ignore[assignment]
        asking = asyncio.create_task(client.ask("call.hang_up"))
        await client.until(lambda seen: not client.is_up)
        cable.mend()
        assert await asking == {"done": "yes"}
        assert len(room.asked) == 1


async def test_without_an_answer_the_asker_is_told() -> None:
    async with (
        open_room() as room,
        cable_to(room) as cable,
        Client(cable.url, provider(Role.AGENT, "8001")) as client,
    ):
        await client.until(lambda seen: client.is_up)
        cable.cut()
        with pytest.raises(Unanswered):
            await client.ask("call.hang_up", timeout=0.05)


async def test_whoever_waits_when_the_client_is_closed_is_told() -> None:
    async with open_room() as room, cable_to(room) as cable:
        client = await Client.connect(cable.url, provider(Role.AGENT, "8001"))
        cable.cut()
        asking = asyncio.create_task(client.ask("call.hang_up"))
        await asyncio.sleep(0)
        await client.close()
        with pytest.raises(Unanswered):
            await asking


async def test_a_bad_token_connects_nobody() -> None:
    async def wrong() -> str:
        return "v1.wrong"

    async with open_room() as room:
        with pytest.raises(TimeoutError):
            await Client.connect(room.url, wrong, timeout=0.3)


async def test_a_reader_that_lets_pushes_lie_is_told_and_the_state_stays_true(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("ctiserver.client.MOST_UNREAD", 10)
    async with open_room() as room, await Client.connect(room.url, provider(Role.SUPERVISOR)) as client:
        pushes = client.pushes()
        first = asyncio.create_task(take(pushes, 1))
        await asyncio.sleep(0)
        room.tell_seats(2)
        room.tell(LinkPush(False))
        await first
        await client.until(lambda seen: not seen.linked)
        with pytest.raises(Lagging):
            await take(pushes, 100)
        assert client.seen == room.floor


def test_pauses_grow_are_bounded_and_differ() -> None:
    random.seed(1)
    client = Client("ws://127.0.0.1:1/v1", provider(Role.WALL))
    pauses = [client._pause_s() for _ in range(30)]
    assert max(pauses) <= 8.0
    assert pauses[0] <= 0.2
    assert min(pauses[10:]) >= 4.0
    assert len(set(pauses)) == 30
