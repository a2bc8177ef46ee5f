"""A whole hotline with real processes, a real Asterisk and a city: what agents and citizens live through."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest
import pytest_asyncio
from sqlalchemy import select

from cli.rehearse import departments, on_stage
from cli.stage import Stage, stage, stage_settings
from ctiserver.api.pushes import Pop
from ctiserver.api.states import Action, AttemptState, Conversation, SeatState
from ctiserver.client import Client, Refused
from ctiserver.store.tables import CallRow
from hotline.db.engine import Database
from hotline.settings import QueueSettings, Settings
from rehearsal import city as city_of
from rehearsal.city import CitizenCall
from rehearsal.legs import Leg
from rehearsal.ports import free_ports
from rehearsal.run import Plan

pytestmark = pytest.mark.asyncio(loop_scope="module")

SEAT, AGENT = "8001", "1001"
HOUSING = departments()[0]
SETTLE_S = 0.6


def quiet(_line: str) -> None:
    """Nobody reads along."""


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def there(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Stage]:
    site = Settings(queue=QueueSettings(wrapup_s=2, short_abandon_s=1), third_party_ring_s=3)
    state = tmp_path_factory.mktemp("stage")
    async with stage(stage_settings(site, state, seats=8, ports=free_ports(7)), quiet) as standing:
        yield standing


@contextlib.asynccontextmanager
async def at_seat(there: Stage, seat: str = SEAT, agent: str = AGENT) -> AsyncIterator[Client]:
    """An agent signed in at a seat, ready; signed out at the end."""
    async with Client(there.push_url, lambda: there.token_for(agent, seat)) as client:
        await client.until(lambda seen: seat in seen.seats)
        await client.ask("seat.sign_in", ready=True)
        await client.until(lambda seen: seen.seats[seat].state is SeatState.READY)
        try:
            yield client
        except BaseException:
            await (
                there.city.hang_up_all()
            )  # one failure is enough: the next test begins with nobody on the line
            raise
        with contextlib.suppress(TimeoutError):
            await client.until(lambda seen: Action.SIGN_OUT in seen.seats[seat].actions, 15)
        await client.ask("seat.sign_out")


async def everybody_gone(there: Stage) -> None:
    """Nobody is on any line of the city, which hears of an end a moment later than the hotline."""
    async with asyncio.timeout(5):
        while there.city.parties():  # noqa: ASYNC110 - each leg would tell of itself alone
            await asyncio.sleep(0.05)


def view(client: Client) -> Conversation:
    (conversation,) = client.seen.conversations.values()
    return conversation


def attempt_is(client: Client, *states: AttemptState) -> Callable[[object], bool]:
    return lambda seen: any(
        conversation.attempts and conversation.attempts[-1].state in states
        for conversation in client.seen.conversations.values()
    )


async def past_the_greeting(citizen: CitizenCall) -> None:
    """Any key skips the greeting."""
    await citizen.answered()
    await asyncio.sleep(0.5)
    await citizen.press("1")


async def talking(there: Stage, client: Client, n: int) -> tuple[CitizenCall, Leg]:
    """A citizen who talks with the seat."""
    citizen = await there.city.call(f"1380538{n:04d}", n=n)
    await past_the_greeting(citizen)
    await client.until(lambda seen: seen.seats[SEAT].state is SeatState.TALKING, 30)
    seat = await there.city.leg(SEAT)
    await seat.answered()
    # The figures of a queue come four times a second: a test that waits for one to wait again sees it anew.
    await client.until(lambda seen: all(queue.waiting == 0 for queue in seen.queues.values()))
    return citizen, seat


async def records(there: Stage, number: str, within_s: float = 10) -> list[CallRow]:
    """The finished records of a number's calls."""
    database = await Database.open(there.settings.database)
    try:
        deadline = time.monotonic() + within_s
        while True:
            async with database.read() as session:
                rows = list(await session.scalars(select(CallRow).where(CallRow.number == number)))
            if (rows and all(row.outcome for row in rows)) or time.monotonic() > deadline:
                return rows
            await asyncio.sleep(0.1)
    finally:
        await database.close()


async def hear_each_other(legs: list[Leg], begin: float, end: float) -> bool:
    for one in legs:
        for other in legs:
            if one is not other and not await one.heard(other.hz, begin, end):
                return False
    return True


async def test_the_third_party_leaves_and_the_two_talk_on(there: Stage) -> None:
    async with at_seat(there) as client:
        citizen, seat = await talking(there, client, 11)
        await client.ask("call.three_way", number=HOUSING)
        await client.until(attempt_is(client, AttemptState.ANSWERED), 15)
        third = await there.city.leg(HOUSING)
        begin = time.time() + SETTLE_S
        await asyncio.sleep(1.2 + SETTLE_S)
        end = time.time() - 0.1
        assert client.seen.seats[SEAT].state is SeatState.CONFERENCE
        await there.city.hang_up(third)
        await client.until(attempt_is(client, AttemptState.LEFT))
        await client.until(lambda seen: seen.seats[SEAT].state is SeatState.TALKING)
        alone = time.time() + SETTLE_S
        await asyncio.sleep(1.0 + SETTLE_S)
        until = time.time() - 0.1
        await citizen.hang_up()
        await seat.ended()
        assert await hear_each_other([citizen, seat, third], begin, end)
        assert await hear_each_other([citizen, seat], alone, until)


async def test_the_seat_leaves_and_citizen_and_110_talk_on_until_the_citizen_goes(there: Stage) -> None:
    async with at_seat(there) as client:
        citizen, seat = await talking(there, client, 12)
        assert Action.LEAVE not in client.seen.seats[SEAT].actions
        with pytest.raises(Refused, match="no_third_party"):
            await client.ask("call.leave")
        await client.ask("emergency.call", number="110")
        await client.until(attempt_is(client, AttemptState.ANSWERED), 15)
        police = await there.city.leg("110")
        await client.ask("call.leave")
        await seat.ended()
        begin = time.time() + SETTLE_S
        await asyncio.sleep(1.0 + SETTLE_S)
        end = time.time() - 0.1
        await citizen.hang_up()
        await police.ended()
        assert await hear_each_other([citizen, police], begin, end)
    (row,) = await records(there, citizen.number)
    assert row.outcome == "answered"


@pytest.mark.parametrize(
    ("behaviour", "state"),
    [
        (city_of.busy(), AttemptState.BUSY),
        (city_of.reject(), AttemptState.REJECTED),
        (city_of.no_answer(), AttemptState.NO_ANSWER),
        (city_of.unavailable(), AttemptState.UNREACHABLE),
    ],
    ids=lambda value: getattr(value, "what", str(value)),
)
async def test_a_third_party_that_does_not_come_parts_nobody(
    there: Stage, behaviour: city_of.Behaviour, state: AttemptState
) -> None:
    await there.city.behave(HOUSING, behaviour)
    async with at_seat(there) as client:
        citizen, seat = await talking(there, client, 13)
        await client.ask("call.three_way", number=HOUSING)
        await client.until(attempt_is(client, state), 15)
        begin = time.time() + SETTLE_S
        await asyncio.sleep(1.0 + SETTLE_S)
        end = time.time() - 0.1
        assert client.seen.seats[SEAT].state is SeatState.TALKING
        assert Action.THREE_WAY in client.seen.seats[SEAT].actions
        await citizen.hang_up()
        await seat.ended()
        assert await hear_each_other([citizen, seat], begin, end)
    await there.city.behave(HOUSING, city_of.answer())


async def test_a_third_party_can_be_withdrawn_while_it_rings(there: Stage) -> None:
    await there.city.behave(HOUSING, city_of.no_answer())
    async with at_seat(there) as client:
        citizen, seat = await talking(there, client, 14)
        answer = await client.ask("call.three_way", number=HOUSING)
        await client.until(attempt_is(client, AttemptState.RINGING), 10)
        third = await there.city.leg(HOUSING)
        await client.ask("call.withdraw", n=int(answer["n"]))
        await third.ended()
        assert view(client).attempts[-1].state is AttemptState.WITHDRAWN
        await citizen.hang_up()
        await seat.ended()
    await there.city.behave(HOUSING, city_of.answer())


async def test_the_citizen_hangs_up_while_the_department_rings_and_nobody_is_left(there: Stage) -> None:
    await there.city.behave(HOUSING, city_of.no_answer())
    async with at_seat(there) as client:
        citizen, seat = await talking(there, client, 15)
        await client.ask("call.three_way", number=HOUSING)
        await client.until(attempt_is(client, AttemptState.RINGING), 10)
        third = await there.city.leg(HOUSING)
        await citizen.hang_up()
        await seat.ended()
        await third.ended()
        await client.until(lambda seen: not seen.conversations)
    await everybody_gone(there)
    await there.city.behave(HOUSING, city_of.answer())


async def test_a_caller_who_gives_up_in_the_queue_is_counted_as_abandoned(there: Stage) -> None:
    citizen = await there.city.call("13905380016", n=16)
    await past_the_greeting(citizen)
    async with Client(there.push_url, lambda: there.token_for(AGENT, SEAT)) as client:
        await client.until(lambda seen: seen.linked and seen.queues["12345"].waiting == 1, 30)
        before = client.seen.queues["12345"].abandoned
        await asyncio.sleep(1.2)
        await citizen.hang_up()
        await client.until(lambda seen: seen.queues["12345"].abandoned == before + 1)
        assert client.seen.queues["12345"].waiting == 0
    (row,) = await records(there, "13905380016")
    assert row.outcome == "abandoned_queue"
    assert row.wait_ms >= 1_000


HOST = b"@127.0.0.2>"
NASTY = {
    "a line break in name and number": (b'"x%0d%0aAction: Originate" <sip:1%0d%0aX' + HOST, "1"),
    "a name of 200 characters": (b'"' + b"x" * 200 + b'" <sip:13800000002' + HOST, "13800000002"),
    "an emoji": ('"张😀" <sip:13800000003'.encode() + HOST, "13800000003"),
    "an empty number": (b"<sip:127.0.0.2>", ""),
    "a withheld number": (b'"Anonymous" <sip:anonymous@anonymous.invalid>', ""),
    "SQL": (b'"1;DROP TABLE calls" <sip:1%3BDROP' + HOST, "1"),
    "a dialplan function": (b'"${SHELL(id)}" <sip:$%7BSHELL(id)%7D' + HOST, "${SHELL(id)}"),
    "HTML": (b'"<script>alert(1)</script>" <sip:13800000005' + HOST, "13800000005"),
    "no UTF-8": (b'"\xff\xfe\xc3" <sip:13800000006' + HOST, "13800000006"),
}


async def test_nasty_caller_ids_break_nothing_and_pop_as_they_came(there: Stage) -> None:
    async with contextlib.AsyncExitStack() as stack:
        pops: list[Pop] = []
        for n, seat in enumerate(there.settings.seat_ids):
            client = await stack.enter_async_context(at_seat(there, seat, f"{1001 + n}"))
            watching = asyncio.create_task(_collect(client, pops))
            stack.callback(watching.cancel)
        calls = {what: await there.city.raw_call(header) for what, (header, _) in NASTY.items()}
        await asyncio.gather(*(call.settled(10) for call in calls.values()))
        odd = {what: call.final for what, call in calls.items() if call.final != 200}
        assert not odd, "Asterisk answers all of these"
        deadline = time.monotonic() + 40
        while len(pops) < len(calls) and time.monotonic() < deadline:
            await asyncio.sleep(0.1)
            talking_now = [leg for leg in there.city.parties() if leg.answered_at]
            for leg in talking_now[: max(0, len(talking_now) - 7)]:
                await there.city.hang_up(leg)
        assert sorted(pop.context.number for pop in pops) == sorted(number for _, number in NASTY.values())
        assert not [pop for pop in pops if "uid=" in pop.context.name + pop.context.number]
        assert "张😀" in {pop.context.name for pop in pops}
        assert "${SHELL(id)}" in {pop.context.name for pop in pops}
        await asyncio.sleep(1)
        for call in calls.values():
            await call.hang_up()
    numbers = [number for _, number in NASTY.values()]
    for number in set(numbers):
        rows = await records(there, number)
        assert [row.outcome for row in rows] == ["answered"] * numbers.count(number), number


async def _collect(client: Client, pops: list[Pop]) -> None:
    async for push in client.pushes():
        if isinstance(push, Pop):
            pops.append(push)


async def test_killing_the_cti_server_in_the_middle_of_a_rehearsal_loses_nothing(there: Stage) -> None:
    cti = there.hotline.children["cti"]

    async def nemesis() -> None:
        await asyncio.sleep(14)
        cti.kill()

    killing = asyncio.create_task(nemesis())
    plan = Plan(calls=24, rate=1.5, seats=8, departments=departments(), numbers_from=5000)
    report = await on_stage(there, plan, quiet)
    await killing
    assert report.lost == 0
    assert report.records == report.offered == 24
    assert report.audio_ok == report.audio_checked
    assert report.answered == 24


async def test_nothing_of_a_citizen_stands_in_our_logs(there: Stage) -> None:
    for log in Path(there.settings.state, "log").glob("*.log"):
        text = log.read_text()
        for secret in ("13800000001", "1380538", "DROP", "市民"):
            assert secret not in text, f"{log.name} holds {secret}"
