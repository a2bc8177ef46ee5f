"""What an agent does on the desk phone itself, on a real Asterisk: answer, hold, fetch back, hang up."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from cli.rehearse import departments
from cli.stage import Stage, stage, stage_settings
from ctiserver.api.states import Action, AttemptState, Role, SeatState
from ctiserver.client import Client
from hotline.settings import QueueSettings, Settings
from rehearsal import city as city_of
from rehearsal.ports import free_ports
from tests.integration.test_whole_consult import Span, becomes, matrix
from tests.integration.test_whole_hotline import (
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

HOUSING = departments()[2]
TALK = {"citizen<seat", "seat<citizen"}


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def there(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Stage]:
    site = Settings(queue=QueueSettings(wrapup_s=2, short_abandon_s=1), third_party_ring_s=4)
    state = tmp_path_factory.mktemp("desk-phone")
    async with stage(stage_settings(site, state, seats=2, ports=free_ports(7)), quiet) as standing:
        yield standing


def holders(client: Client) -> list[Role]:
    """Whose phones hold the call, as the seat's screen shows it."""
    calls = client.seen.conversations.values()
    return [part.role for call in calls for part in call.participants if part.is_on_hold]


async def test_a_call_held_on_the_phone_itself_is_shown_and_the_citizen_hears_music(there: Stage) -> None:
    async with at_seat(there) as client:
        citizen, seat = await talking(there, client, 51)
        async with there.city.held(seat):
            await client.until(lambda _seen: holders(client) == [Role.SEAT])
            held = await Span().passes()
            assert client.seen.seats[SEAT].state is SeatState.TALKING, "the citizen is in no place of ours"
        await client.until(lambda _seen: holders(client) == [])
        back = await Span().passes()
        await citizen.hang_up()
        await seat.ended()
    legs = {"citizen": citizen, "seat": seat}
    assert not await citizen.heard(seat.hz, held.begin, held.end)
    assert await citizen.longest_silence_ms(held.begin, held.end) < 600, "the citizen hears music"
    assert await matrix(back, legs) == TALK
    (row,) = await records(there, citizen.number)
    assert row.outcome == "answered"


async def test_a_phone_that_holds_in_a_three_way_call_lets_the_others_talk_on(there: Stage) -> None:
    async with at_seat(there) as client:
        citizen, seat = await talking(there, client, 52)
        await client.ask("call.three_way", number=HOUSING)
        await client.until(attempt_is(client, AttemptState.ANSWERED), 15)
        third = await there.city.leg(HOUSING)
        async with there.city.held(seat):
            await client.until(lambda _seen: holders(client) == [Role.SEAT])
            held = await Span().passes()
        await client.until(lambda _seen: holders(client) == [])
        back = await Span().passes()
        await citizen.hang_up()
        await seat.ended()
        await third.ended()
    legs = {"citizen": citizen, "seat": seat, "third": third}
    assert {"citizen<third", "third<citizen"} == await matrix(held, {"citizen": citizen, "third": third})
    assert not await citizen.heard(seat.hz, held.begin, held.end)
    assert len(await matrix(back, legs)) == 6


async def test_a_citizen_who_gives_up_while_the_phone_holds_leaves_nobody_behind(there: Stage) -> None:
    async with at_seat(there) as client:
        citizen, seat = await talking(there, client, 53)
        async with there.city.held(seat):
            await client.until(lambda _seen: holders(client) == [Role.SEAT])
            await citizen.hang_up()
            await seat.ended()
        await client.until(lambda seen: not seen.conversations)
        await client.until(lambda seen: Action.READY in seen.seats[SEAT].actions)
    await everybody_gone(there)


async def test_answer_and_hang_up_on_the_phone_itself_are_seen_at_once(there: Stage) -> None:
    await there.city.behave(SEAT, city_of.answer(2.0))
    async with at_seat(there) as client:
        citizen = await there.city.call("13805380054", n=54)
        await past_the_greeting(citizen)
        await becomes(client, SeatState.RINGING)
        seat = await there.city.leg(SEAT)
        assert seat.answered_at is None
        await becomes(client, SeatState.TALKING)
        await seat.answered()
        talk = await Span().passes()
        await there.city.hang_up(seat)
        await becomes(client, SeatState.WRAP_UP)
        await citizen.ended(15)
        await asyncio.gather(*(leg.ended() for leg in there.city.parties()))
    assert await matrix(talk, {"citizen": citizen, "seat": seat}) == TALK
    (row,) = await records(there, citizen.number)
    assert (row.outcome, row.seat) == ("answered", SEAT)
    await there.city.behave(SEAT, city_of.answer())
