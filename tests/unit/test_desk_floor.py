"""Owns the tests of the desk's look at the floor over a real push server: who sits where."""

import asyncio
from collections.abc import AsyncIterator, Callable

import pytest

from agent_desk.floor import Floor, Place
from ctiserver.api.commands import Actor, Command, Refusal
from ctiserver.api.pushes import LinkPush, SeatPush, Seen, Snapshot
from ctiserver.api.states import Seat, SeatState
from ctiserver.push.server import PushServer
from hotline.settings import CtiSettings, SeatSettings, Settings

KEY = "push key"


class Hall:
    """A floor with nothing behind it: it holds what it is told."""

    def __init__(self) -> None:
        self.seen = Seen()
        self.seen.apply(Snapshot(linked=True))

    def snapshot(self) -> Snapshot:
        return Snapshot(seats=tuple(self.seen.seats.values()), linked=self.seen.linked)

    async def command(self, actor: Actor, command: Command, key: str) -> dict[str, str] | Refusal:
        raise AssertionError("the desk itself commands nothing")


@pytest.fixture
async def server() -> AsyncIterator[PushServer]:
    pushing = PushServer(Settings(cti=CtiSettings(push_port=0)), KEY, Hall(), lambda person: person)
    await pushing.start()
    yield pushing
    await pushing.stop()


@pytest.fixture
async def floor(server: PushServer) -> AsyncIterator[Floor]:
    settings = Settings(cti=CtiSettings(push_port=server.port), seats=SeatSettings(first=8001, count=3))
    looking = Floor(settings, KEY)
    looking.start()
    await until(lambda: looking.is_known)
    yield looking
    await looking.close()


async def until(holds: Callable[[], bool]) -> None:
    for _ in range(500):
        if holds():
            return
        await asyncio.sleep(0.01)
    raise TimeoutError


async def test_a_seat_belongs_to_who_signed_in_until_they_sign_out(server: PushServer, floor: Floor) -> None:
    assert [place.id for place in floor.places()] == ["8001", "8002", "8003"]
    server.tell(SeatPush(Seat(id="8002", state=SeatState.READY, since_us=1, agent="1007", phone_up=True)))
    await until(lambda: floor.places()[1] == Place(id="8002", agent="1007"))
    server.tell(SeatPush(Seat(id="8002", state=SeatState.SIGNED_OUT, since_us=2, phone_up=False)))
    await until(lambda: floor.places()[1] == Place(id="8002", has_phone=False))


async def test_without_the_switch_in_sight_no_seat_is_said_to_be_taken(
    server: PushServer, floor: Floor
) -> None:
    server.tell(SeatPush(Seat(id="8001", state=SeatState.TALKING, since_us=1, agent="1007", phone_up=True)))
    await until(lambda: floor.places()[0].agent == "1007")
    server.tell(LinkPush(False))
    await until(lambda: not floor.is_known)
    assert floor.places()[0] == Place(id="8001")


async def test_without_the_cti_server_every_seat_is_offered(server: PushServer, floor: Floor) -> None:
    server.tell(SeatPush(Seat(id="8003", state=SeatState.READY, since_us=1, agent="1007", phone_up=True)))
    await until(lambda: floor.places()[2].agent == "1007")
    await server.stop()
    await until(lambda: not floor.is_known)
    assert [place.agent for place in floor.places()] == ["", "", ""]
