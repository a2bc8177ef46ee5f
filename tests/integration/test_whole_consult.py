"""Hold, consult, merge, complete and transfer on a real Asterisk: who hears whom, by tone."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from cli.rehearse import departments
from cli.stage import Stage, stage, stage_settings
from ctiserver.api.states import Action, AttemptState, Phase, SeatState
from ctiserver.client import Client
from hotline.settings import QueueSettings, Settings
from rehearsal import city as city_of
from rehearsal.legs import Leg
from rehearsal.ports import free_ports
from tests.integration.test_whole_hotline import (
    SEAT,
    at_seat,
    attempt_is,
    everybody_gone,
    quiet,
    records,
    talking,
)

pytestmark = pytest.mark.asyncio(loop_scope="module")

HOUSING = departments()[2]
SETTLE_S = 0.5
SPAN_S = 0.9


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def there(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Stage]:
    site = Settings(queue=QueueSettings(wrapup_s=2, short_abandon_s=1), third_party_ring_s=4)
    state = tmp_path_factory.mktemp("consult")
    async with stage(stage_settings(site, state, seats=4, ports=free_ports(7)), quiet) as standing:
        yield standing


class Span:
    """A stretch of time in which nothing changes."""

    def __init__(self) -> None:
        self.begin = self.end = 0.0

    async def passes(self) -> Span:
        self.begin = time.time() + SETTLE_S
        await asyncio.sleep(SETTLE_S + SPAN_S)
        self.end = time.time() - 0.05
        return self


async def hears(one: Leg, other: Leg, when: Span) -> bool:
    return await one.heard(other.hz, when.begin, when.end)


async def matrix(when: Span, legs: dict[str, Leg]) -> set[str]:
    """ "a<b" for every a who heard b."""
    return {
        f"{a}<{b}"
        for a, one in legs.items()
        for b, other in legs.items()
        if a != b and await hears(one, other, when)
    }


async def becomes(client: Client, state: SeatState) -> None:
    await client.until(lambda seen: seen.seats[SEAT].state is state, 15)


async def test_hold_consult_switch_merge_and_complete_by_tone(there: Stage) -> None:
    async with at_seat(there) as client:
        citizen, seat = await talking(there, client, 21)
        talk = await Span().passes()
        await client.ask("call.hold")
        await becomes(client, SeatState.HELD)
        (view,) = client.seen.conversations.values()
        assert view.phase is Phase.HELD
        hold = await Span().passes()
        await client.ask("call.consult", number=HOUSING)
        await becomes(client, SeatState.CONSULTING)
        third = await there.city.leg(HOUSING)
        consult = await Span().passes()
        await client.ask("call.retrieve")
        await becomes(client, SeatState.TALKING)
        switched = await Span().passes()
        await client.ask("call.hold")
        await becomes(client, SeatState.CONSULTING)
        back = await Span().passes()
        await client.ask("call.merge")
        await becomes(client, SeatState.CONFERENCE)
        merged = await Span().passes()
        await client.ask("call.hold")
        await becomes(client, SeatState.CONSULTING)
        await client.ask("call.complete")
        await seat.ended()
        completed = await Span().passes()
        await citizen.hang_up()
        await third.ended()
        await client.until(lambda seen: not seen.conversations)
    legs = {"citizen": citizen, "seat": seat, "third": third}
    two = {"citizen": citizen, "seat": seat}
    assert await matrix(talk, two) == {"citizen<seat", "seat<citizen"}
    assert await matrix(hold, two) == set()
    assert await citizen.longest_silence_ms(hold.begin, hold.end) < 600, "the citizen hears music"
    assert await matrix(consult, legs) == {"third<seat", "seat<third"}
    assert await matrix(switched, legs) == {"citizen<seat", "seat<citizen"}
    assert await matrix(back, legs) == {"third<seat", "seat<third"}
    assert len(await matrix(merged, legs)) == 6
    assert await matrix(completed, {"citizen": citizen, "third": third}) == {"citizen<third", "third<citizen"}
    (row,) = await records(there, citizen.number)
    assert row.outcome == "answered"
    await everybody_gone(there)


async def test_a_blind_transfer_to_a_busy_department_brings_the_citizen_back_first_in_line(
    there: Stage,
) -> None:
    await there.city.behave(HOUSING, city_of.busy())
    async with at_seat(there) as client:
        citizen, seat = await talking(there, client, 22)
        await client.ask("call.transfer", number=HOUSING)
        await seat.ended()
        await client.until(
            lambda seen: (
                seen.seats[SEAT].state is SeatState.WRAP_UP or Action.READY in seen.seats[SEAT].actions
            )
        )
        await client.ask("seat.ready")
        await becomes(client, SeatState.TALKING)
        again = await there.city.leg(SEAT)
        assert again.id != seat.id
        await again.answered()
        span = await Span().passes()
        await citizen.hang_up()
        await again.ended()
        assert await matrix(span, {"citizen": citizen, "seat": again}) == {"citizen<seat", "seat<citizen"}
    await there.city.behave(HOUSING, city_of.answer())


async def test_a_blind_transfer_to_a_department_that_answers_lets_the_two_talk(there: Stage) -> None:
    async with at_seat(there) as client:
        citizen, seat = await talking(there, client, 23)
        await client.ask("call.transfer", number=HOUSING)
        await seat.ended()
        third = await there.city.leg(HOUSING)
        await third.answered()
        span = await Span().passes()
        await there.city.hang_up(third)
        await citizen.ended(20)
        assert await matrix(span, {"citizen": citizen, "third": third}) == {"citizen<third", "third<citizen"}


async def test_a_seat_that_hangs_up_on_a_held_citizen_sends_them_back_to_the_queue(there: Stage) -> None:
    async with at_seat(there) as client:
        citizen, seat = await talking(there, client, 24)
        await client.ask("call.consult", number=HOUSING)
        await client.until(attempt_is(client, AttemptState.ANSWERED), 15)
        third = await there.city.leg(HOUSING)
        await there.city.hang_up(seat)
        await third.ended()
        await client.until(lambda seen: seen.queues["12345"].waiting == 1, 10)
        await client.ask("seat.ready")
        await becomes(client, SeatState.TALKING)
        await citizen.hang_up()
        await client.until(lambda seen: not seen.conversations)
    await everybody_gone(there)


async def test_a_held_citizen_who_gives_up_leaves_no_leg_behind(there: Stage) -> None:
    async with at_seat(there) as client:
        citizen, seat = await talking(there, client, 25)
        await client.ask("call.consult", number=HOUSING)
        await client.until(attempt_is(client, AttemptState.ANSWERED), 15)
        third = await there.city.leg(HOUSING)
        await citizen.hang_up()
        await third.ended()
        await seat.ended()
        await client.until(lambda seen: not seen.conversations)
    await everybody_gone(there)
