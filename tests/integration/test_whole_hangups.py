"""Whoever hangs up, at whatever step: nobody is left alone in silence, no channel stays, one true record.

All of it at once on one hotline: each combination has a seat, a citizen and a department of its own.
"""

from __future__ import annotations

import asyncio
import itertools
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack

import pytest
import pytest_asyncio

from cli.rehearse import departments
from cli.stage import Stage, stage, stage_settings
from ctiserver.api.states import AttemptState, SeatState
from ctiserver.client import Client
from hotline.settings import QueueSettings, Settings
from rehearsal import city as city_of
from rehearsal.city import CitizenCall
from rehearsal.legs import CallEnded, Leg, State
from rehearsal.ports import free_ports
from rehearsal.switchboard import Switchboard
from tests.integration.test_whole_hotline import everybody_gone, past_the_greeting, quiet, records

pytestmark = pytest.mark.asyncio(loop_scope="module")

IN_STATE_S = 0.8
"""How long a step lasts before somebody hangs up."""
SILENCE_MS = 1_500
"""Longer than a change of place takes, much shorter than anybody would wait."""

Step = Callable[["Scene"], Awaitable[None]]


class Scene:
    """One citizen at one seat, with one department."""

    def __init__(self, there: Stage, client: Client, seat_id: str, citizen: CitizenCall, unit: str) -> None:
        self.there, self.client, self.seat_id, self.citizen, self.unit = there, client, seat_id, citizen, unit
        self.seat: Leg | None = None
        self.third: Leg | None = None

    async def becomes(self, state: SeatState) -> None:
        await self.client.until(lambda seen: seen.seats[self.seat_id].state is state, 20)

    async def attempt(self, state: AttemptState) -> None:
        def reached(_seen: object) -> bool:
            views = self.client.seen.conversations.values()
            return any(view.attempts and view.attempts[-1].state is state for view in views)

        await self.client.until(reached, 20)

    async def bring(self, op: str) -> None:
        coming = self.there.city.next_leg(self.unit)
        await self.client.ask(op, number=self.unit)
        self.third = await coming


async def talk(_scene: Scene) -> None:
    """Two talk."""


async def hold(scene: Scene) -> None:
    await scene.client.ask("call.hold")
    await scene.becomes(SeatState.HELD)


async def rings(scene: Scene) -> None:
    await scene.there.city.behave(scene.unit, city_of.no_answer())
    await scene.bring("call.three_way")


async def consult(scene: Scene) -> None:
    await scene.bring("call.consult")
    await scene.attempt(AttemptState.ANSWERED)
    await scene.becomes(SeatState.CONSULTING)


async def switched(scene: Scene) -> None:
    await consult(scene)
    await scene.client.ask("call.retrieve")
    await scene.becomes(SeatState.TALKING)


async def merged(scene: Scene) -> None:
    await consult(scene)
    await scene.client.ask("call.merge")
    await scene.becomes(SeatState.CONFERENCE)


async def three_way(scene: Scene) -> None:
    await scene.bring("call.three_way")
    await scene.attempt(AttemptState.ANSWERED)


async def left_alone(scene: Scene) -> None:
    await three_way(scene)
    await scene.client.ask("call.leave")
    assert scene.seat is not None
    await scene.seat.ended()


STEPS: tuple[Step, ...] = (talk, hold, rings, consult, switched, merged, three_way, left_alone)
WHO = ("citizen", "seat", "third")
CASES = [
    (step, who)
    for step, who in itertools.product(STEPS, WHO)
    if not (who == "third" and step in (talk, hold)) and not (who == "seat" and step is left_alone)
]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def there(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Stage]:
    site = Settings(queue=QueueSettings(wrapup_s=300, short_abandon_s=1), third_party_ring_s=20)
    state = tmp_path_factory.mktemp("hangups")
    async with stage(stage_settings(site, state, seats=len(CASES), ports=free_ports(7)), quiet) as standing:
        yield standing


async def test_no_hang_up_at_any_step_leaves_anybody_alone(there: Stage) -> None:
    units = [unit for unit in departments() if unit not in ("053800010002", "053800010004", "053800010005")]
    async with AsyncExitStack() as stack:
        seats = {seat: f"{1001 + n}" for n, seat in enumerate(there.settings.seat_ids)}
        clients = {
            seat: await stack.enter_async_context(
                Client(there.push_url, lambda a=agent, s=seat: there.token_for(a, s))
            )
            for seat, agent in seats.items()
        }
        await asyncio.gather(*(sign_in(client, seat) for seat, client in clients.items()))
        scenes = await asyncio.gather(*(begin(there, clients, n, units[n]) for n in range(len(CASES))))
        faults = await asyncio.gather(
            *(play(scene, step, who) for scene, (step, who) in zip(scenes, CASES, strict=True))
        )
    assert [fault for fault in faults if fault] == []
    await everybody_gone(there)
    assert await channels(there) == []


async def sign_in(client: Client, seat: str) -> None:
    await client.until(lambda seen: client.is_up and seat in seen.seats)
    await client.ask("seat.sign_in", ready=True)
    await client.until(lambda seen: seen.seats[seat].state is SeatState.READY)


async def begin(there: Stage, clients: dict[str, Client], n: int, unit: str) -> Scene:
    """The n-th citizen, and whatever seat the queue gave them."""
    citizen = await there.city.call(f"1380538{700 + n:04d}", n=n)
    await past_the_greeting(citizen)
    async with asyncio.timeout(30):
        while not (scene := met(there, clients, citizen, unit)):  # noqa: ASYNC110 - any of twenty clients
            await asyncio.sleep(0.1)
    await scene.becomes(SeatState.TALKING)
    scene.seat = await there.city.leg(scene.seat_id)
    return scene


def met(there: Stage, clients: dict[str, Client], citizen: CitizenCall, unit: str) -> Scene | None:
    for seat, client in clients.items():
        if any(view.number == citizen.number for view in client.seen.conversations.values()):
            return Scene(there, client, seat, citizen, unit)
    return None


async def play(scene: Scene, step: Step, who: str) -> str:
    """Bring the scene to its step, have somebody hang up; what is wrong afterwards, "" for nothing."""
    name = f"{who} hangs up at {step.__name__}"
    try:
        await step(scene)
        await asyncio.sleep(IN_STATE_S)
        leg = {"citizen": scene.citizen, "seat": scene.seat, "third": scene.third}[who]
        assert leg is not None
        await scene.there.city.hang_up(leg)
        gone_at = time.time()
        await asyncio.sleep(4.0)
        if scene.citizen.state is not State.OVER:
            now = time.time() - 0.3
            silence = await scene.citizen.longest_silence_ms(gone_at, now)
            if silence > SILENCE_MS:
                return f"{name}: the citizen hears nothing for {silence} ms"
            await scene.citizen.hang_up()
        for party in (scene.seat, scene.third):
            if party is not None:
                await party.ended()
    except (AssertionError, TimeoutError, CallEnded) as error:
        return f"{name}: {type(error).__name__} {error}"
    finally:
        await scene.citizen.hang_up()
    rows = await records(scene.there, scene.citizen.number)
    if len(rows) != 1 or rows[0].outcome != "answered":
        return f"{name}: {[row.outcome for row in rows]}"
    return ""


async def channels(there: Stage) -> list[str]:
    """What the hotline's Asterisk still has."""
    switch = there.settings.switch
    look = Switchboard(lambda _event: None)
    await look.connect(switch.host, switch.ami_port, "cti", there.hotline.secrets.ami_cti)
    try:
        for _ in range(20):
            found = [item["Channel"] for item in await look.list("CoreShowChannels")]
            if not found:
                break
            await asyncio.sleep(0.25)
        return found
    finally:
        look.close()
