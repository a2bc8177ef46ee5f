"""A hotline's own rules, on a real Asterisk: who may rest, and how often citizens are called."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from sqlalchemy import select

from cli.stage import Stage, stage, stage_settings
from ctiserver.api.states import Action, SeatState
from ctiserver.client import Client, Refused
from ctiserver.store.tables import SupervisionRow
from hotline.db.engine import Database
from hotline.identity.roles import Role
from hotline.settings import QueueSettings, RestSettings, Settings
from rehearsal.ports import free_ports
from tests.integration.test_whole_agents import notice
from tests.integration.test_whole_hotline import everybody_gone, quiet, talking

pytestmark = pytest.mark.asyncio(loop_scope="module")

SEAT, AGENT = "8001", "1001"
OTHER, OTHER_AGENT = "8002", "1002"
SUPERVISOR = "9001"
CALLED, OTHERWISE_CALLED, LATER_CALLED = "13905380061", "013905380061", "13905380062"


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def there(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Stage]:
    site = Settings(
        queue=QueueSettings(wrapup_s=2, short_abandon_s=1),
        rest=RestSettings(reasons=("小休",), most=1),
        outbound_per_agent=2,
        outbound_per_number=1,
    )
    state = tmp_path_factory.mktemp("rules")
    async with stage(stage_settings(site, state, seats=3, ports=free_ports(7)), quiet) as standing:
        yield standing


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def wall(there: Stage) -> AsyncIterator[Client]:
    """A supervisor before the wall."""
    async with Client(there.push_url, lambda: there.token_for(SUPERVISOR, "", Role.SUPERVISOR)) as client:
        await client.until(lambda seen: SEAT in seen.seats)
        yield client


@contextlib.asynccontextmanager
async def agent_at(there: Stage, seat: str = SEAT, agent: str = AGENT) -> AsyncIterator[Client]:
    """An agent who is ready."""
    async with Client(there.push_url, lambda: there.token_for(agent, seat)) as client:
        await client.until(lambda seen: seat in seen.seats)
        await client.ask("seat.sign_in", ready=True)
        await client.until(lambda seen: seen.seats[seat].state is SeatState.READY)
        yield client
        await client.until(lambda seen: Action.SIGN_OUT in seen.seats[seat].actions, 15)
        await client.ask("seat.sign_out")


async def asks_to_rest(agent: Client, wall: Client, seat: str) -> None:
    await agent.ask("seat.not_ready", reason="小休")
    await wall.until(lambda seen: Action.SUPERVISE_GRANT_REST in seen.seats[seat].supervise)


async def decisions(there: Stage, count: int) -> list[tuple[str, str, str, str, str]]:
    """(person, what, agent, reason, why), as soon as there are so many."""
    database = await Database.open(there.settings.database)
    try:
        async with asyncio.timeout(10):
            while True:
                async with database.read() as session:
                    rows = list(await session.scalars(select(SupervisionRow).order_by(SupervisionRow.at_us)))
                if len(rows) >= count:
                    return [(row.person, row.what, row.agent, row.detail, row.why) for row in rows]
                await asyncio.sleep(0.1)
    finally:
        await database.close()


async def test_a_rest_is_asked_for_seen_on_the_wall_granted_and_limited(there: Stage, wall: Client) -> None:
    async with agent_at(there) as client, agent_at(there, OTHER, OTHER_AGENT) as other:
        await asks_to_rest(client, wall, SEAT)
        await asks_to_rest(other, wall, OTHER)
        assert client.seen.seats[SEAT].state is SeatState.READY
        told = asyncio.create_task(notice(client, "supervised"))
        await asyncio.sleep(0)
        await wall.ask("supervise.grant_rest", seat=SEAT)
        await client.until(lambda seen: seen.seats[SEAT].state is SeatState.NOT_READY)
        assert (await told).message == "班长已批准您的休息"
        with pytest.raises(Refused, match="rest_limit"):
            await wall.ask("supervise.grant_rest", seat=OTHER)
        with pytest.raises(Refused, match="no_why"):
            await wall.ask("supervise.grant_rest_over", seat=OTHER)
        await wall.ask("supervise.grant_rest_over", seat=OTHER, why="身体不适")
        await other.until(lambda seen: seen.seats[OTHER].state is SeatState.NOT_READY)
        await client.ask("seat.ready")
        await wall.until(lambda seen: not seen.seats[SEAT].is_resting)
        await asks_to_rest(client, wall, SEAT)
        await wall.ask("supervise.refuse_rest", seat=SEAT, why="来电高峰")
        await client.until(lambda seen: seen.seats[SEAT].rest_us == 0)
        assert client.seen.seats[SEAT].state is SeatState.READY
        await other.ask("seat.ready")
    assert await decisions(there, 3) == [
        (SUPERVISOR, "grant_rest", AGENT, "小休", ""),
        (SUPERVISOR, "grant_rest_over", OTHER_AGENT, "小休", "身体不适"),
        (SUPERVISOR, "refuse_rest", AGENT, "小休", "来电高峰"),
    ]


async def test_a_seat_that_asks_still_gets_calls_and_rests_when_the_call_ends(
    there: Stage, wall: Client
) -> None:
    async with agent_at(there) as client:
        await asks_to_rest(client, wall, SEAT)
        citizen, seat = await talking(there, client, 61)
        await wall.ask("supervise.grant_rest", seat=SEAT)
        await client.until(lambda seen: seen.seats[SEAT].next_state == "not_ready")
        assert client.seen.seats[SEAT].state is SeatState.TALKING
        await citizen.hang_up()
        await seat.ended()
        await client.until(lambda seen: seen.seats[SEAT].reason == "小休")
        await client.ask("seat.ready")
        await client.until(lambda seen: seen.seats[SEAT].state is SeatState.READY)


async def test_an_agent_withdraws_and_nobody_can_grant_it_any_more(there: Stage, wall: Client) -> None:
    async with agent_at(there) as client:
        await asks_to_rest(client, wall, SEAT)
        await client.ask("seat.withdraw_rest")
        await wall.until(lambda seen: seen.seats[SEAT].rest_us == 0)
        with pytest.raises(Refused, match="no_rest"):
            await wall.ask("supervise.grant_rest", seat=SEAT)


async def calls_out(there: Stage, client: Client, number: str) -> None:
    """The agent talks with that citizen, and hangs up."""
    await client.until(lambda seen: Action.DIAL in seen.seats[SEAT].actions, 20)
    await client.ask("call.dial", number=number)
    await client.until(lambda seen: seen.seats[SEAT].state is SeatState.TALKING, 20)
    await client.ask("call.hang_up")
    await client.until(lambda seen: seen.seats[SEAT].state is SeatState.WRAP_UP, 20)
    await everybody_gone(there)


async def test_nobody_is_called_more_often_than_the_quotas_allow_and_a_restart_forgets_none(
    there: Stage,
) -> None:
    async with agent_at(there) as client:
        await calls_out(there, client, CALLED)
        with pytest.raises(Refused, match="number_quota"):
            await client.ask("call.dial", number=OTHERWISE_CALLED)
    cti = there.hotline.children["cti"]
    cti.kill()
    await cti.stop()
    await cti.start()
    async with agent_at(there) as client:
        with pytest.raises(Refused, match="number_quota"):
            await client.ask("call.dial", number=CALLED)
        await calls_out(there, client, LATER_CALLED)
        with pytest.raises(Refused, match="outbound_quota"):
            await client.ask("call.dial", number="13905380063")
