"""kill -9 of the CTI server with a call in every state: Asterisk goes on, nothing is lost or told twice."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio
from sqlalchemy import select

from cli.stage import Stage, stage, stage_settings
from ctiserver.api.states import Phase, SeatState
from ctiserver.client import Client
from ctiserver.store.tables import CallRow, LegRow, PopRow, ThirdPartyAttemptRow
from hotline.db.engine import Database
from hotline.settings import QueueSettings, Settings
from rehearsal import city as city_of
from rehearsal.city import CitizenCall
from rehearsal.legs import Leg, State
from rehearsal.ports import free_ports

pytestmark = pytest.mark.asyncio(loop_scope="module")

TALKS, THREE_WAY, RINGS, FREED = "8001", "8002", "8003", "8004"
RING_S = 20.0
"""Long enough for the seat to ring before the crash, all through it, and after it."""
UNBROKEN_MS = 100


def quiet(_line: str) -> None:
    """Nobody reads along."""


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def there(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Stage]:
    site = Settings(queue=QueueSettings(ring_s=25, wrapup_s=2, short_abandon_s=1), third_party_ring_s=5)
    state = tmp_path_factory.mktemp("stage")
    async with stage(stage_settings(site, state, seats=4, ports=free_ports(7)), quiet) as standing:
        yield standing


async def caller(there: Stage, n: int) -> CitizenCall:
    """A citizen who waits in the queue: any key skips the greeting."""
    citizen = await there.city.call(f"1370538{n:04d}", n=n)
    await citizen.answered()
    await asyncio.sleep(0.5)
    await citizen.press("1")
    return citizen


async def agent(there: Stage, stack: contextlib.AsyncExitStack, seat: str) -> Client:
    """An agent who is ready at the seat."""
    number = f"1{seat[1:]}"
    client = await stack.enter_async_context(Client(there.push_url, lambda: there.token_for(number, seat)))
    await client.until(lambda seen: seat in seen.seats)
    await client.ask("seat.sign_in", ready=True)
    await is_at(client, seat, SeatState.READY)
    return client


async def is_at(client: Client, seat: str, state: SeatState, within_s: float = 10) -> None:
    """The seat's own screen follows the floor and shows that."""
    await client.until(
        lambda seen: client.is_up and seen.linked and seen.seats[seat].state is state, within_s
    )


async def finished(there: Stage, calls: int) -> list[CallRow]:
    """The records, once that many are complete."""
    async with asyncio.timeout(15):
        while True:
            rows = await every(there, CallRow)
            if len([row for row in rows if row.outcome]) >= calls:
                return rows
            await asyncio.sleep(0.2)


async def every(there: Stage, table: Any) -> list[Any]:
    database = await Database.open(there.settings.database)
    try:
        async with database.read() as session:
            return list(await session.scalars(select(table)))
    finally:
        await database.close()


class Scene:
    """One call in every state."""

    def __init__(self, there: Stage) -> None:
        self.there = there
        self.clients: dict[str, Client] = {}
        self.calls: dict[str, CitizenCall] = {}
        self.legs: dict[str, Leg] = {}

    async def set(self, stack: contextlib.AsyncExitStack) -> None:
        """Who talks, who is in a three-way, who rings, who waits."""
        city = self.there.city
        await city.behave(RINGS, city_of.answer(RING_S))
        for n, seat in enumerate((TALKS, THREE_WAY, FREED)):
            self.clients[seat] = await agent(self.there, stack, seat)
            self.calls[seat] = await caller(self.there, n + 1)
            await is_at(self.clients[seat], seat, SeatState.TALKING, within_s=30)
            self.legs[seat] = await city.leg(seat)
        await self.clients[THREE_WAY].ask("emergency.call", number="110")
        await is_at(self.clients[THREE_WAY], THREE_WAY, SeatState.CONFERENCE)
        self.legs["110"] = await city.leg("110")
        self.clients[RINGS] = await agent(self.there, stack, RINGS)
        self.calls[RINGS] = await caller(self.there, 4)
        await is_at(self.clients[RINGS], RINGS, SeatState.RINGING, within_s=30)
        self.legs[RINGS] = await city.leg(RINGS)
        for n, who in enumerate(("waits", "gives up")):
            self.calls[who] = await caller(self.there, n + 5)
            await self.clients[TALKS].until(lambda seen, n=n: seen.queues["12345"].waiting == n + 2, 15)

    async def change_unseen(self) -> None:
        """While nobody looks: one talk ends and its seat takes the next caller, two callers give up."""
        city = self.there.city
        coming = city.next_leg(FREED)
        await asyncio.sleep(1.2)  # waiting for less is a short abandon
        await self.calls["gives up"].hang_up()
        await self.calls[FREED].hang_up()
        self.calls["hears the greeting"] = await city.call("13705380007", n=7)
        self.legs["waits"] = await asyncio.wait_for(coming, 20)
        await self.legs["waits"].answered()
        await self.calls["hears the greeting"].hang_up()
        await self.calls["hears the greeting"].ended()

    def conversation(self, seat: str) -> Any:
        seen = self.clients[seat].seen
        return seen.conversations[seen.seats[seat].conversation]


@pytest.mark.timeout(180)
async def test_a_killed_cti_server_comes_back_to_the_floor_as_it_is_and_every_call_has_one_record(
    there: Stage,
) -> None:
    cti = there.hotline.children["cti"]
    scene = Scene(there)
    async with contextlib.AsyncExitStack() as stack:
        await scene.set(stack)
        before = time.time() - 1
        cti.kill()
        await cti.stop()  # it is dead already, and is not started again
        await scene.change_unseen()
        await cti.start()
        await the_floor_is_as_it_is(scene)
        assert scene.legs[RINGS].state is State.CALLING, "it rang all the time"
        after = time.time() + 1
        await asyncio.sleep(1.5)
        await nobody_heard_a_gap(scene, before, after)
        await is_at(scene.clients[RINGS], RINGS, SeatState.TALKING, within_s=30)
        for citizen in scene.calls.values():
            await citizen.hang_up()
        rows = await finished(there, len(scene.calls))
    assert len([leg for leg in there.city.history() if leg.number == "110"]) == 1, "called once"
    every_call_has_one_true_record(scene, rows)
    await every_ring_and_attempt_is_kept_once(scene)


async def the_floor_is_as_it_is(scene: Scene) -> None:
    """What agents see when their screens are back."""
    for seat, state in (
        (RINGS, SeatState.RINGING),
        (TALKS, SeatState.TALKING),
        (THREE_WAY, SeatState.CONFERENCE),
        (FREED, SeatState.TALKING),
    ):
        await is_at(scene.clients[seat], seat, state)
    for seat, who in ((TALKS, TALKS), (THREE_WAY, THREE_WAY), (RINGS, RINGS), (FREED, "waits")):
        assert scene.conversation(seat).number == scene.calls[who].number
    assert len(scene.conversation(THREE_WAY).participants) == 3
    assert scene.conversation(RINGS).phase is Phase.RINGING
    assert scene.clients[TALKS].seen.queues["12345"].waiting == 1


async def nobody_heard_a_gap(scene: Scene, before: float, after: float) -> None:
    """From before the crash until after the return, those who talked heard each other without a break."""
    groups = [
        [scene.calls[TALKS], scene.legs[TALKS]],
        [scene.calls[THREE_WAY], scene.legs[THREE_WAY], scene.legs["110"]],
    ]
    for group in groups:
        for one in group:
            for other in group:
                if one is not other:
                    gap = await one.longest_gap_ms(other.hz, before, after)
                    assert gap < UNBROKEN_MS, f"{one.id} did not hear {other.id} for {gap} ms"


def every_call_has_one_true_record(scene: Scene, rows: list[CallRow]) -> None:
    outcomes = dict.fromkeys((TALKS, THREE_WAY, FREED, RINGS, "waits"), "answered")
    outcomes |= {"gives up": "abandoned_queue", "hears the greeting": "abandoned_ivr"}
    by_number = {row.number: row for row in rows}
    assert len(rows) == len(by_number) == len(scene.calls)
    assert {who: by_number[call.number].outcome for who, call in scene.calls.items()} == outcomes
    unseen = {who for who, call in scene.calls.items() if not by_number[call.number].is_seen}
    assert unseen == {FREED, "gives up", "hears the greeting"}
    for who in unseen:
        ended_s = (by_number[scene.calls[who].number].ended_us or 0) / 1_000_000
        assert ended_s == pytest.approx(scene.calls[who].ended_at, abs=0.5)
    leg = scene.legs[FREED]
    talk_s = by_number[scene.calls[FREED].number].talk_ms / 1_000
    assert talk_s == pytest.approx((leg.ended_at or 0) - (leg.answered_at or 0), abs=0.5)
    assert by_number[scene.calls["waits"].number].seat == FREED


async def every_ring_and_attempt_is_kept_once(scene: Scene) -> None:
    legs = await every(scene.there, LegRow)
    pops = await every(scene.there, PopRow)
    assert sorted(leg.seat for leg in legs) == [TALKS, THREE_WAY, RINGS, FREED, FREED]
    assert sorted(pop.leg for pop in pops) == sorted(leg.leg for leg in legs)
    assert all(leg.answered_us and leg.left_us and not leg.is_missed for leg in legs)
    (attempt,) = await every(scene.there, ThirdPartyAttemptRow)
    assert (attempt.number, attempt.state) == ("110", "left")
