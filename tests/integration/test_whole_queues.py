"""A whole hotline with several queues: skills, merged lines, and what each does for callers and agents."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator

import msgspec
import pytest
import pytest_asyncio

from cli.people import give_skills
from cli.seed import seed
from cli.stage import Stage, stage, stage_settings
from ctiserver.api.pushes import Notice, Pop, Push
from ctiserver.api.states import MISSED_REASON, Action, SeatState
from ctiserver.client import Client
from hotline.db import migrate
from hotline.settings import LineSettings, QueueSettings, Settings, SkillSettings
from ivr.prompts import length_s
from rehearsal import city as city_of
from rehearsal.ports import free_ports
from tests.integration.queue_tools import CLOSED, ENTERPRISE, GENERAL, MERGED, SMALL, doors
from tests.integration.test_whole_consult import Span, matrix
from tests.integration.test_whole_hotline import at_seat, past_the_greeting, quiet, records

pytestmark = pytest.mark.asyncio(loop_scope="module")

ONE, BOTH, IDLE = ("8001", "1001"), ("8002", "1002"), ("8003", "1003")
"""Seat and agent: of the general queue alone; of the enterprises', and after others of the general one; and
one more of the general queue, who comes late.
"""


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def there(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Stage]:
    site = Settings(
        queue=QueueSettings(wrapup_s=2, short_abandon_s=1, ring_s=2, last_agent_within_h=1),
        skills=(SkillSettings(id="enterprise", name="企业专席", number=ENTERPRISE), *doors()),
        lines=(LineSettings(number=MERGED, queue=ENTERPRISE, label="经12319并入"),),
    )
    settings = stage_settings(site, tmp_path_factory.mktemp("stage"), seats=4, ports=free_ports(7))
    await migrate.upgrade(settings.database)
    await seed(settings)
    await give_skills(settings, BOTH[1], {ENTERPRISE: 0, GENERAL: 1})
    async with stage(settings, quiet) as standing:
        yield standing


async def test_a_merged_lines_caller_reaches_the_skilled_agent_labelled(there: Stage) -> None:
    async with at_seat(there, *ONE) as one, at_seat(there, *BOTH) as both:
        await both.until(lambda seen: seen.queues[GENERAL].ready == 2 and seen.queues[ENTERPRISE].ready == 1)
        assert both.seen.queues[ENTERPRISE].signed_in == 1
        assert both.seen.queues[ENTERPRISE].title == "企业专席"
        citizen = await there.city.call("13805380001", dial=MERGED, n=1)
        await both.until(lambda seen: seen.seats[BOTH[0]].state is SeatState.TALKING, 30)
        (call,) = both.seen.conversations.values()
        assert (call.label, call.dnis, call.queue) == ("经12319并入", MERGED, ENTERPRISE)
        assert both.seen.contexts[call.id].label == "经12319并入"
        assert one.seen.seats[ONE[0]].state is SeatState.READY
        await citizen.hang_up()
        await both.until(lambda seen: seen.queues[ENTERPRISE].answered == 1)
        assert both.seen.queues[GENERAL].answered == 0


async def test_not_ready_holds_in_all_queues_and_new_skills_reach_the_agent_at_work(there: Stage) -> None:
    seat, agent = BOTH
    async with at_seat(there, seat, agent) as client:
        await client.ask("seat.not_ready", reason="用餐")
        await client.until(lambda seen: seen.seats[seat].state is SeatState.NOT_READY)
        await client.until(lambda seen: not seen.queues[GENERAL].ready and not seen.queues[ENTERPRISE].ready)
        await give_skills(there.settings, agent, {ENTERPRISE: 0})
        await client.until(lambda seen: seen.seats[seat].queues == (ENTERPRISE,), 20)
        assert client.seen.seats[seat].reason == "用餐"
        await give_skills(there.settings, agent, {ENTERPRISE: 0, GENERAL: 1})


async def test_who_gave_up_and_calls_again_is_answered_before_those_who_waited_on(there: Stage) -> None:
    seat, agent = ONE
    async with Client(there.push_url, lambda: there.token_for(agent, seat)) as client:
        gave_up = await there.city.call("13805380011", n=11)
        await client.until(lambda seen: seen.linked and seen.queues[GENERAL].waiting == 1, 30)
        before = client.seen.queues[GENERAL].abandoned
        await asyncio.sleep(1.2)  # longer than a short abandon
        await gave_up.hang_up()
        await client.until(lambda seen: seen.queues[GENERAL].abandoned == before + 1)
        patient = await there.city.call("13805380012", n=12)
        await client.until(lambda seen: seen.queues[GENERAL].waiting == 1, 30)
        again = await there.city.call("13805380011", n=13)
        await client.until(lambda seen: seen.queues[GENERAL].waiting == 2, 30)
        await client.ask("seat.sign_in", ready=True)
        await client.until(lambda seen: seen.seats[seat].state is SeatState.TALKING, 30)
        (call,) = client.seen.conversations.values()
        assert call.number == "13805380011"
        assert call.waited_before_ms >= 1_200
        assert client.seen.contexts[call.id].waited_before_ms == call.waited_before_ms
        await patient.hang_up()
        await again.hang_up()
        await client.until(lambda seen: Action.SIGN_OUT in seen.seats[seat].actions, 15)
        await client.ask("seat.sign_out")


async def test_who_calls_again_goes_to_the_agent_they_spoke_with_last(there: Stage) -> None:
    """The other seat has been idle for longer, so the queue would have rung it."""
    number = "13805380031"
    async with at_seat(there, *ONE) as one:
        first = await there.city.call(number, n=31)
        await past_the_greeting(first)
        await one.until(lambda seen: seen.seats[ONE[0]].state is SeatState.TALKING, 30)
        await first.hang_up()
        await first.ended()
        async with at_seat(there, *IDLE):
            await one.until(lambda seen: seen.seats[ONE[0]].state is SeatState.READY, 15)
            citizen = await there.city.call(number, n=32)
            await past_the_greeting(citizen)
            await one.until(lambda seen: seen.seats[ONE[0]].state is SeatState.TALKING, 15)
            seat = await there.city.leg(ONE[0])
            talk = await Span().passes()
            await one.ask("call.hang_up")
            await citizen.ended()
            assert await matrix(talk, {"citizen": citizen, "seat": seat}) == {"citizen<seat", "seat<citizen"}
    before, again = sorted(await records(there, number), key=lambda row: row.started_us)
    assert (before.agent, again.agent, again.outcome, again.queue) == (ONE[1], ONE[1], "answered", GENERAL)
    assert again.queued_us > again.started_us


async def test_a_seat_that_misses_two_calls_in_a_row_is_put_not_ready_and_told(there: Stage) -> None:
    seat, agent = ONE
    await there.city.behave(seat, city_of.no_answer())
    async with at_seat(there, seat, agent) as client:
        told: list[Push] = []
        watching = asyncio.create_task(_collect(client, told))
        citizen = await there.city.call("13805380021", n=21)
        await client.until(lambda seen: seen.seats[seat].state is SeatState.NOT_READY, 30)
        assert client.seen.seats[seat].reason == MISSED_REASON
        assert [push.code for push in told if isinstance(push, Notice)] == ["missed_calls"]
        assert sum(isinstance(push, Pop) for push in told) == 2
        assert client.seen.queues[GENERAL].waiting == 1, "the caller waits on"
        watching.cancel()
        await there.city.behave(seat, city_of.answer())
        await client.ask("seat.ready")
        await client.until(lambda seen: seen.seats[seat].state is SeatState.TALKING, 30)
        await citizen.hang_up()


async def _collect(client: Client, told: list[Push]) -> None:
    async for push in client.pushes():
        told.append(push)


async def test_whoever_is_turned_away_hears_why_and_is_recorded_with_queue_and_reason(there: Stage) -> None:
    sounds = there.hotline.node.paths.sounds
    late = await there.city.call("13805380041", dial=CLOSED, n=41)
    await past_the_greeting(late)
    began = time.monotonic()
    await late.ended()
    assert time.monotonic() - began > (length_s(sounds, "hotline/closed") or 99)
    waiting = await there.city.call("13805380042", dial=SMALL, n=42)
    await past_the_greeting(waiting)
    async with Client(there.push_url, lambda: there.token_for(ONE[1], ONE[0])) as client:
        await client.until(lambda seen: SMALL in seen.queues and seen.queues[SMALL].waiting == 1, 30)
        one_too_many = await there.city.call("13805380043", dial=SMALL, n=43)
        await past_the_greeting(one_too_many)
        await one_too_many.ended()
        await client.until(lambda seen: seen.queues[SMALL].overflow == 1 and seen.queues[CLOSED].closed == 1)
        assert client.seen.queues[SMALL].waiting == 1
    await waiting.hang_up()
    for citizen, outcome, queue in ((late, "closed", CLOSED), (one_too_many, "overflow", SMALL)):
        (row,) = await records(there, citizen.number)
        assert (row.outcome, row.queue, row.wait_ms) == (outcome, queue, 0)


async def test_whom_110_hands_over_arrives_labelled_without_a_greeting(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    site = Settings(queue=QueueSettings(wrapup_s=2, short_abandon_s=1))
    settings = stage_settings(site, tmp_path_factory.mktemp("police"), seats=2, ports=free_ports(7))
    (trunk,) = settings.trunks
    police = msgspec.structs.replace(trunk, label="110转来", is_emergency=True)
    labelled = msgspec.structs.replace(settings, trunks=(police,))
    async with stage(labelled, quiet) as there, at_seat(there, *ONE) as client:
        greeting_s = length_s(there.hotline.node.paths.sounds, "hotline/greeting") or 0.0
        begun = time.monotonic()
        citizen = await there.city.call("13805380002", n=2)
        await client.until(lambda seen: seen.seats[ONE[0]].state is SeatState.TALKING, 10)
        assert time.monotonic() - begun < greeting_s, "nobody greets whom 110 has greeted"
        (call,) = client.seen.conversations.values()
        assert call.label == "110转来"
        assert client.seen.contexts[call.id].label == "110转来"
        await citizen.hang_up()
