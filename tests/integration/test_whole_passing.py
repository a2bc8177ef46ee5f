"""Passing on: a citizen to another queue or to the rating, an agent to other queues; on a real Asterisk."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from cli.people import give_skills
from cli.rehearse import departments
from cli.seed import seed
from cli.stage import Stage, stage, stage_settings
from ctiserver.api.pushes import Seen
from ctiserver.api.states import AttemptState, Phase, SeatState
from ctiserver.client import Client, Refused
from hotline.db import migrate
from hotline.identity.roles import Role
from hotline.ivr_settings import IvrSettings
from hotline.settings import QueueSettings, Settings, SkillSettings
from ivr.prompts import length_s
from rehearsal.city import CitizenCall
from rehearsal.ports import free_ports
from tests.integration.queue_tools import ENTERPRISE, GENERAL
from tests.integration.test_recordings import recordings
from tests.integration.test_whole_consult import Span, matrix
from tests.integration.test_whole_hotline import (
    AGENT,
    SEAT,
    at_seat,
    attempt_is,
    everybody_gone,
    past_the_greeting,
    quiet,
    records,
    talking,
)

pytestmark = pytest.mark.asyncio(loop_scope="module")

OTHER = ("8002", "1002")
"""Seat and agent of the enterprises' queue alone."""
HOUSING = departments()[2]
TALK = {"citizen<seat", "seat<citizen"}
SETTLE_S = 1.0


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def there(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Stage]:
    site = Settings(
        queue=QueueSettings(wrapup_s=2, short_abandon_s=1),
        skills=(SkillSettings(id="enterprise", name="企业专席", number=ENTERPRISE),),
        ivr=IvrSettings(remark_s=60),
    )
    settings = stage_settings(site, tmp_path_factory.mktemp("passing"), seats=3, ports=free_ports(7))
    await migrate.upgrade(settings.database)
    await seed(settings)
    await give_skills(settings, OTHER[1], {ENTERPRISE: 0})
    async with stage(settings, quiet) as standing:
        yield standing


@contextlib.asynccontextmanager
async def overseer(there: Stage) -> AsyncIterator[Client]:
    """A supervisor before the wall."""
    async with Client(there.push_url, lambda: there.token_for("9001", "", Role.SUPERVISOR)) as client:
        await client.until(lambda seen: SEAT in seen.seats)
        yield client


async def test_a_citizen_passed_on_to_another_queue_is_answered_there_with_their_wait_shown(
    there: Stage,
) -> None:
    seat_of, agent = OTHER
    async with at_seat(there) as client:
        citizen, seat = await talking(there, client, 51)
        with pytest.raises(Refused, match="no_queue"):
            await client.ask("call.transfer", queue="12399")
        await client.ask("call.transfer", queue=ENTERPRISE)
        await seat.ended()
        await client.until(lambda seen: seen.queues[ENTERPRISE].waiting == 1)
        assert client.seen.queues[GENERAL].waiting == 0
        assert client.seen.seats[SEAT].state is SeatState.WRAP_UP
        async with at_seat(there, seat_of, agent) as other:
            await other.until(lambda seen: seen.seats[seat_of].state is SeatState.TALKING, 30)
            (call,) = other.seen.conversations.values()
            assert (call.queue, other.seen.contexts[call.id].passed_from) == (ENTERPRISE, GENERAL)
            second = await there.city.leg(seat_of)
            await second.answered()
            span = await Span().passes()
            assert await matrix(span, {"citizen": citizen, "seat": second}) == TALK
            await citizen.hang_up()
            await second.ended()
    (row,) = await records(there, citizen.number)
    assert (row.outcome, row.queue, row.agent) == ("answered", ENTERPRISE, agent)
    await everybody_gone(there)


async def test_one_passed_on_from_hold_comes_before_those_who_have_not_been_answered(there: Stage) -> None:
    seat_of, agent = OTHER
    async with at_seat(there) as client:
        citizen, seat = await talking(there, client, 53)
        patient = await there.city.call("13805380052", dial=ENTERPRISE, n=52)
        await past_the_greeting(patient)
        await client.until(lambda seen: seen.queues[ENTERPRISE].waiting == 1, 30)
        await client.ask("call.hold")
        await client.until(lambda seen: seen.seats[SEAT].state is SeatState.HELD)
        await client.ask("call.transfer", queue=ENTERPRISE)
        await seat.ended()
        await client.until(lambda seen: seen.queues[ENTERPRISE].waiting == 2)
        async with at_seat(there, seat_of, agent) as other:
            await other.until(lambda seen: seen.seats[seat_of].state is SeatState.TALKING, 30)
            (call,) = other.seen.conversations.values()
            assert call.number == citizen.number
            await patient.hang_up()
            await citizen.hang_up()
    await everybody_gone(there)


async def rated(there: Stage, client: Client, n: int) -> tuple[CitizenCall, float]:
    """A citizen whom the seat has left to the rating, and since when."""
    citizen, seat = await talking(there, client, n)
    since = time.time()
    await client.ask("call.rate")
    await seat.ended()
    await client.until(lambda seen: seen.seats[SEAT].state is SeatState.WRAP_UP)
    return citizen, since


async def test_the_citizens_key_in_the_rating_is_kept_with_the_call_and_recorded_to_its_end(
    there: Stage,
) -> None:
    async with at_seat(there) as client, overseer(there) as wall:
        citizen, since = await rated(there, client, 54)
        await wall.until(lambda seen: [c.phase for c in seen.conversations.values()] == [Phase.RATING])
        await asyncio.sleep(SETTLE_S)
        assert not citizen.ended_at, "the question is being put"
        await there.city.press(citizen, "4")
        asked_s = length_s(there.hotline.node.paths.sounds, "hotline/remark") or 99
        await asyncio.sleep(asked_s + SETTLE_S)
        assert not citizen.ended_at, "they are listened to"
        assert await citizen.longest_silence_ms(since + SETTLE_S, time.time() - SETTLE_S) < 1500
        await citizen.hang_up()
    (row,) = await records(there, citizen.number)
    assert (row.outcome, row.rating, row.has_remark) == ("answered", 4, True)
    assert (row.seat, row.agent) == (SEAT, AGENT)
    kept = await recordings(there, row.conversation)
    assert {(one.is_missing, one.gap_ms) for one in kept.values()} == {(False, 0)}
    assert set(kept) == {"citizen", "hotline"}
    await everybody_gone(there)


async def test_in_a_three_way_the_rating_parts_the_citizen_from_both_and_a_hang_up_is_no_answer(
    there: Stage,
) -> None:
    async with at_seat(there) as client:
        citizen, seat = await talking(there, client, 55)
        await client.ask("call.three_way", number=HOUSING)
        await client.until(attempt_is(client, AttemptState.ANSWERED), 15)
        third = await there.city.leg(HOUSING)
        await third.answered()
        await client.ask("call.rate")
        await seat.ended()
        await third.ended()
        await asyncio.sleep(SETTLE_S)
        assert not citizen.ended_at
        await citizen.hang_up()
    (row,) = await records(there, citizen.number)
    assert (row.outcome, row.rating) == ("answered", 0)
    await everybody_gone(there)


async def test_an_ivr_that_dies_in_the_question_leaves_thanks_and_the_end(there: Stage) -> None:
    async with at_seat(there) as client:
        citizen, _ = await rated(there, client, 56)
        await asyncio.sleep(SETTLE_S)
        begun = time.monotonic()
        there.hotline.children["ivr"].kill()
        await citizen.ended(20)
        thanks = length_s(there.hotline.node.paths.sounds, "hotline/farewell") or 99
        assert time.monotonic() - begun > thanks
    (row,) = await records(there, citizen.number)
    assert (row.outcome, row.rating) == ("answered", None)
    await everybody_gone(there)


async def test_a_rating_given_while_the_cti_server_was_dead_is_read_from_the_switchs_own_account(
    there: Stage,
) -> None:
    async with at_seat(there) as client:
        citizen, _ = await rated(there, client, 57)
        cti = there.hotline.children["cti"]
        cti.kill()
        await cti.stop()
        await asyncio.sleep(SETTLE_S)
        await there.city.press(citizen, "2")
        await asyncio.sleep((length_s(there.hotline.node.paths.sounds, "hotline/remark") or 99) + SETTLE_S)
        await citizen.hang_up()
        await cti.start()
        async with overseer(there) as wall:
            await wall.until(lambda seen: seen.linked and not seen.conversations, 20)
    (row,) = await records(there, citizen.number)
    assert (row.outcome, row.rating, row.has_remark, row.is_seen) == ("answered", 2, True, False)
    await everybody_gone(there)


async def test_a_supervisor_moves_an_agent_at_once_and_neither_skills_nor_a_killed_server_undo_it(
    there: Stage,
) -> None:
    seat, agent = SEAT, AGENT

    def serves(seen: Seen, queue: str, is_assigned: bool) -> bool:
        return seen.linked and (seen.seats[seat].queues, seen.seats[seat].is_assigned) == (
            (queue,),
            is_assigned,
        )

    async with at_seat(there) as one, overseer(there) as wall:
        await wall.ask("supervise.queues", seat=seat, queues={ENTERPRISE: 0}, why="企业专席忙")
        await one.until(lambda seen: serves(seen, ENTERPRISE, True))
        async with at_seat(there, *OTHER) as other:
            await give_skills(there.settings, agent, {GENERAL: 2})
            await give_skills(there.settings, OTHER[1], {GENERAL: 0})
            await other.until(lambda seen: seen.seats[OTHER[0]].queues == (GENERAL,), 20)
        assert serves(one.seen, ENTERPRISE, True), "the skills have been read anew"
        cti = there.hotline.children["cti"]
        cti.kill()
        await cti.stop()
        await cti.start()
        async with overseer(there) as fresh:
            await fresh.until(lambda seen: serves(seen, ENTERPRISE, True), 20)
        citizen = await there.city.call("13805380061", dial=ENTERPRISE, n=61)
        await one.until(lambda seen: seen.seats[seat].state is SeatState.TALKING, 30)
        assert [call.queue for call in one.seen.conversations.values()] == [ENTERPRISE]
        await citizen.hang_up()
    async with at_seat(there) as one:
        await one.until(lambda seen: serves(seen, GENERAL, False))
        assert one.seen.seats[seat].penalties == (2,)
    await give_skills(there.settings, agent, {})
    await give_skills(there.settings, OTHER[1], {ENTERPRISE: 0})
