"""Supervisors listen, whisper, barge and take over on a real Asterisk: who hears whom, by tone."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from sqlalchemy import select

from cli.rehearse import departments
from cli.stage import Stage, stage, stage_settings
from ctiserver.api.states import AttemptState, Conversation, SeatState
from ctiserver.client import Client, Refused
from ctiserver.store.tables import SupervisionRow
from hotline.db.engine import Database
from hotline.identity.roles import Role
from hotline.settings import QueueSettings, Settings
from rehearsal import city as city_of
from rehearsal.city import CitizenCall
from rehearsal.legs import Leg
from rehearsal.ports import free_ports
from tests.integration.test_whole_consult import Span, matrix
from tests.integration.test_whole_hotline import (
    SEAT,
    at_seat,
    attempt_is,
    past_the_greeting,
    quiet,
    records,
    talking,
)

pytestmark = pytest.mark.asyncio(loop_scope="module")

HOUSING = departments()[2]
PHONE, SUPERVISOR = "8901", "9001"
TALK = {"citizen<seat", "seat<citizen"}
HEARS_BOTH = {"supervisor<citizen", "supervisor<seat"}


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def there(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Stage]:
    site = Settings(queue=QueueSettings(wrapup_s=2, short_abandon_s=1, ring_s=3), third_party_ring_s=4)
    state = tmp_path_factory.mktemp("supervision")
    async with stage(stage_settings(site, state, seats=3, ports=free_ports(7)), quiet) as standing:
        yield standing


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def wall(there: Stage) -> AsyncIterator[Client]:
    """A supervisor with a phone, before the wall."""
    async with Client(there.push_url, lambda: there.token_for(SUPERVISOR, PHONE, Role.SUPERVISOR)) as client:
        await client.until(lambda seen: SEAT in seen.seats)
        yield client


@pytest_asyncio.fixture(autouse=True, loop_scope="module")
async def nobody_is_left(there: Stage) -> AsyncIterator[None]:
    """Whatever a test does, no channel outlives it."""
    await there.city.behave(SEAT, city_of.answer())
    await there.city.behave(PHONE, city_of.answer(0.2))
    yield
    for leg in there.city.parties():  # the city hears of an end a moment later
        with contextlib.suppress(TimeoutError):
            await leg.ended(3)
    left = there.city.parties()
    await there.city.hang_up_all()
    assert left == []


def oversight(conversation: Conversation) -> list[str]:
    return [part.oversight for part in conversation.participants if part.phone == PHONE]


async def does(wall: Client, what: str) -> None:
    """Return when the wall shows that the supervisor's phone does that."""
    await wall.until(
        lambda seen: any(
            oversight(call) == [what]
            and any(part.phone == PHONE and part.state == "talking" for part in call.participants)
            for call in seen.conversations.values()
        ),
        10,
    )


async def hearing(
    there: Stage, client: Client, wall: Client, n: int, what: str
) -> tuple[CitizenCall, Leg, Leg]:
    """A citizen who talks with the seat, and a supervisor who does `what`."""
    citizen, seat = await talking(there, client, n)
    await wall.ask(f"supervise.{what}", seat=SEAT, why="抽查")
    supervisor = await there.city.leg(PHONE)
    await supervisor.answered()
    await does(wall, what)
    return citizen, seat, supervisor


async def ended(wall: Client) -> None:
    await wall.until(lambda seen: not seen.conversations, 15)


async def supervisions(there: Stage, conversation: str) -> list[SupervisionRow]:
    """What is kept of who supervised in a conversation, once nothing of it goes on."""
    database = await Database.open(there.settings.database)
    try:
        deadline = time.monotonic() + 10
        while True:
            async with database.read() as session:
                table = SupervisionRow
                query = select(table).where(table.conversation == conversation).order_by(table.at_us)
                rows = list(await session.scalars(query))
            is_over = rows and all(row.until_us or not row.leg for row in rows)
            if is_over or time.monotonic() > deadline:
                return rows
            await asyncio.sleep(0.1)
    finally:
        await database.close()


async def test_listen_whisper_barge_and_back_without_ringing_again(there: Stage, wall: Client) -> None:
    async with at_seat(there) as client:
        citizen, seat, supervisor = await hearing(there, client, wall, 21, "listen")
        (conversation,) = wall.seen.conversations
        listen = await Span().passes()
        await wall.ask("supervise.whisper", seat=SEAT)
        await does(wall, "whisper")
        whisper = await Span().passes()
        await wall.ask("supervise.barge", seat=SEAT)
        await does(wall, "barge")
        barge = await Span().passes()
        await wall.ask("supervise.listen", seat=SEAT)
        await does(wall, "listen")
        again = await Span().passes()
        assert client.seen.seats[SEAT].state is SeatState.TALKING
        (shown,) = client.seen.conversations.values()
        assert not any(part.phone for part in shown.participants), "the agent is not told"
        await wall.ask("supervise.stop")
        await supervisor.ended()
        await citizen.hang_up()
        await seat.ended()
    legs = {"citizen": citizen, "seat": seat, "supervisor": supervisor}
    assert await matrix(listen, legs) == TALK | HEARS_BOTH
    assert await matrix(whisper, legs) == TALK | HEARS_BOTH | {"seat<supervisor"}
    assert len(await matrix(barge, legs)) == 6
    assert await matrix(again, legs) == TALK | HEARS_BOTH
    rows = await supervisions(there, conversation)
    assert [(row.what, row.person, row.seat, row.agent) for row in rows] == [
        (what, SUPERVISOR, SEAT, "1001") for what in ("listen", "whisper", "barge", "listen")
    ]
    assert all(row.until_us > row.at_us for row in rows)
    assert rows[0].why == "抽查"
    (row,) = await records(there, citizen.number)
    assert row.outcome == "answered"


async def test_listening_goes_on_through_three_way_hold_consultation_and_retrieve(
    there: Stage, wall: Client
) -> None:
    async with at_seat(there) as client:
        citizen, seat, supervisor = await hearing(there, client, wall, 22, "listen")
        await client.ask("call.three_way", number=HOUSING)
        await client.until(attempt_is(client, AttemptState.ANSWERED), 15)
        third = await there.city.leg(HOUSING)
        three_way = await Span().passes()
        await client.ask("call.hold")
        await client.until(lambda seen: seen.seats[SEAT].state is SeatState.CONSULTING)
        hold = await Span().passes()
        await client.ask("call.retrieve")
        await client.until(lambda seen: seen.seats[SEAT].state is SeatState.TALKING)
        retrieved = await Span().passes()
        await citizen.hang_up()
        await supervisor.ended()
        await seat.ended()
        await third.ended()
        await ended(wall)
    legs = {"citizen": citizen, "seat": seat, "third": third, "supervisor": supervisor}
    all_three = {f"{a}<{b}" for a in legs for b in legs if a != b and b != "supervisor"}
    assert await matrix(three_way, legs) == all_three
    assert await matrix(hold, legs) == {"seat<third", "third<seat", "supervisor<seat", "supervisor<third"}
    assert await matrix(retrieved, legs) == TALK | HEARS_BOTH


async def test_a_barging_supervisor_stays_with_the_seat_while_the_citizen_is_held(
    there: Stage, wall: Client
) -> None:
    async with at_seat(there) as client:
        citizen, seat, supervisor = await hearing(there, client, wall, 23, "barge")
        talk = await Span().passes()
        await client.ask("call.hold")
        await client.until(lambda seen: seen.seats[SEAT].state is SeatState.HELD)
        hold = await Span().passes()
        await client.ask("call.retrieve")
        await client.until(lambda seen: seen.seats[SEAT].state is SeatState.TALKING)
        back = await Span().passes()
        await citizen.hang_up()
        await supervisor.ended()
        await seat.ended()
        await ended(wall)
    legs = {"citizen": citizen, "seat": seat, "supervisor": supervisor}
    assert len(await matrix(talk, legs)) == 6
    assert await matrix(hold, legs) == {"seat<supervisor", "supervisor<seat"}
    assert len(await matrix(back, legs)) == 6


@pytest.mark.parametrize("what", ["", "listen", "barge"])
async def test_a_take_over_leaves_citizen_and_supervisor_talking(
    there: Stage, wall: Client, what: str
) -> None:
    async with at_seat(there) as client:
        if what:
            citizen, seat, supervisor = await hearing(there, client, wall, 24, what)
            await wall.ask("supervise.take_over", seat=SEAT)
            await does(wall, "take_over")
        else:
            citizen, seat, supervisor = await hearing(there, client, wall, 24, "take_over")
        (conversation,) = wall.seen.conversations
        await seat.ended()
        await client.until(lambda seen: seen.seats[SEAT].state is not SeatState.TALKING)
        span = await Span().passes()
        await there.city.hang_up(supervisor)
        await citizen.ended(20)
        await ended(wall)
    legs = {"citizen": citizen, "supervisor": supervisor}
    assert await matrix(span, legs) == {"citizen<supervisor", "supervisor<citizen"}
    assert await citizen.longest_silence_ms(span.begin - 1.5, span.end) < 600
    rows = await supervisions(there, conversation)
    assert [row.what for row in rows] == [*([what] if what else []), "take_over"]
    row = (await records(there, citizen.number))[-1]
    assert row.outcome == "answered"


@pytest.mark.parametrize("what", ["listen", "whisper", "barge", "take_over"])
@pytest.mark.parametrize("who", ["citizen", "seat", "supervisor"])
async def test_whoever_hangs_up_nobody_is_left_behind(
    there: Stage, wall: Client, what: str, who: str
) -> None:
    async with at_seat(there) as client:
        citizen, seat, supervisor = await hearing(there, client, wall, 25, what)
        (conversation,) = wall.seen.conversations
        legs: dict[str, Leg] = {"citizen": citizen, "seat": seat, "supervisor": supervisor}
        await there.city.hang_up(legs[who])
        await legs[who].ended()
        stay_on = (what, who) in {("barge", "seat"), ("take_over", "seat")}
        talk_on = who == "supervisor" and what != "take_over"
        if stay_on or talk_on:
            span = await Span().passes()
            await citizen.hang_up()
        await citizen.ended(20)
        await supervisor.ended()
        await seat.ended()
        await ended(wall)
    if stay_on:
        assert await matrix(span, {"citizen": citizen, "supervisor": supervisor}) == {
            "citizen<supervisor", "supervisor<citizen",
        }  # fmt: skip
    if talk_on:
        assert await matrix(span, {"citizen": citizen, "seat": seat}) == TALK
    (supervision,) = await supervisions(there, conversation)
    assert (supervision.what, supervision.person) == (what, SUPERVISOR)
    assert supervision.until_us > supervision.at_us
    assert all(row.outcome == "answered" for row in await records(there, citizen.number))


async def test_an_agent_who_asks_to_listen_is_refused_and_nobody_is_called(there: Stage) -> None:
    async with at_seat(there) as client:
        citizen, seat = await talking(there, client, 26)
        async with Client(there.push_url, lambda: there.token_for("1002", "8002")) as other:
            await other.until(lambda seen: "8002" in seen.seats)
            for op in ("listen", "take_over", "hang_up"):
                with pytest.raises(Refused, match="not_allowed"):
                    await other.ask(f"supervise.{op}", seat=SEAT)
        assert {leg.number for leg in there.city.parties()} == {citizen.number, SEAT}
        await citizen.hang_up()
        await seat.ended()


async def test_a_supervisor_whose_phone_is_not_answered_is_told_and_the_call_goes_on(
    there: Stage, wall: Client
) -> None:
    await there.city.behave(PHONE, city_of.busy())
    async with at_seat(there) as client:
        citizen, seat = await talking(there, client, 27)
        notices = [push async for push in first_notice(wall, seat=SEAT)]
        assert notices == ["phone_not_reached"]
        span = await Span().passes()
        await citizen.hang_up()
        await seat.ended()
        await ended(wall)
    assert await matrix(span, {"citizen": citizen, "seat": seat}) == TALK


async def first_notice(wall: Client, seat: str) -> AsyncIterator[str]:
    """Ask to listen, and read until a notice comes."""
    pushes = wall.pushes()
    waiting = asyncio.ensure_future(anext(pushes))
    await asyncio.sleep(0)
    await wall.ask("supervise.listen", seat=seat)
    async with asyncio.timeout(10):
        while (code := getattr(await waiting, "code", "")) == "":
            waiting = asyncio.ensure_future(anext(pushes))
    await pushes.aclose()  # type: ignore[attr-defined]
    yield code


async def test_a_raised_caller_comes_before_who_waited_longer(there: Stage, wall: Client) -> None:
    first = await there.city.call("13805380028", n=28)
    await past_the_greeting(first)
    await wall.until(lambda seen: seen.queues["12345"].waiting == 1, 15)
    second = await there.city.call("13805380029", n=29)
    await past_the_greeting(second)
    await wall.until(lambda seen: seen.queues["12345"].waiting == 2, 15)
    call = next(call.id for call in wall.seen.conversations.values() if call.number == second.number)
    await wall.ask("supervise.raise", conversation=call)
    await asyncio.sleep(0.2)
    async with at_seat(there) as client:
        await client.until(lambda seen: seen.seats[SEAT].state is SeatState.TALKING, 15)
        (shown,) = client.seen.conversations.values()
        assert shown.number == second.number
        await first.hang_up()
        await second.hang_up()
        await ended(wall)


async def test_a_waiting_caller_is_picked_for_a_seat_and_comes_back_when_it_does_not_answer(
    there: Stage, wall: Client
) -> None:
    await there.city.behave(SEAT, city_of.no_answer())
    async with Client(there.push_url, lambda: there.token_for("1001", SEAT)) as client:
        await client.until(lambda seen: SEAT in seen.seats)
        await client.ask("seat.sign_in")
        citizen = await there.city.call("13805380030", n=30)
        await past_the_greeting(citizen)
        await wall.until(lambda seen: seen.queues["12345"].waiting == 1, 15)
        (call,) = wall.seen.conversations
        await wall.ask("supervise.pick", conversation=call, seat=SEAT)
        await client.until(lambda seen: seen.seats[SEAT].state is SeatState.RINGING)
        assert wall.seen.conversations[call].attempts
        await wall.until(lambda seen: not seen.conversations[call].supervise)
        await wall.until(lambda seen: "supervise.pick" in seen.conversations[call].supervise, 15)
        assert not citizen.ended_at
        await there.city.behave(SEAT, city_of.answer(0.2))
        await wall.until(lambda seen: "supervise.pick" in seen.seats[SEAT].supervise)
        await wall.ask("supervise.pick", conversation=call, seat=SEAT)
        await client.until(lambda seen: seen.seats[SEAT].state is SeatState.TALKING, 10)
        seat = await there.city.leg(SEAT)
        await seat.answered()
        span = await Span().passes()
        await wall.ask("supervise.hang_up", seat=SEAT)
        await citizen.ended()
        await seat.ended()
        await ended(wall)
        await wall.ask("supervise.sign_out", seat=SEAT)
        await wall.until(lambda seen: seen.seats[SEAT].state is SeatState.SIGNED_OUT)
    assert await matrix(span, {"citizen": citizen, "seat": seat}) == TALK
    (row,) = await records(there, citizen.number)
    assert row.outcome == "answered"
