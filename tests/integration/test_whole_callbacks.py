"""A whole hotline that calls back whoever asks for it by key: the place in line is kept (保位回呼)."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable

import pytest
import pytest_asyncio
from sqlalchemy import select

from cli.stage import Stage, stage, stage_settings
from ctiserver import missed
from ctiserver.api.states import Action, CallbackState, Conversation, Phase, SeatState
from ctiserver.client import Client
from ctiserver.store.tables import CallbackRow, CallRow
from hotline.db.engine import Database
from hotline.identity.roles import Role
from hotline.settings import CallbackSettings, QueueSettings, Settings
from ivr.prompts import length_s
from rehearsal import city as city_of
from rehearsal import tones
from rehearsal.city import CitizenCall
from rehearsal.hearing import ALIKE, course, likeness, what_was_heard
from rehearsal.ports import free_ports
from tests.integration.test_whole_consult import Span, matrix
from tests.integration.test_whole_hotline import SEAT, everybody_gone, past_the_greeting, quiet, records

pytestmark = pytest.mark.asyncio(loop_scope="module")

QUEUE = "12345"
AGENT = "1001"
OTHER_SEAT, OTHER_AGENT = "8002", "1002"
OFFER_S = 5
BOSS, BOSS_PHONE = "9001", "8901"


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def there(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Stage]:
    site = Settings(
        queue=QueueSettings(wrapup_s=1, short_abandon_s=1, ring_s=3),
        callback=CallbackSettings(tries=2, retry_s=1, offer_every_s=OFFER_S),
        third_party_ring_s=3,
    )
    settings = stage_settings(site, tmp_path_factory.mktemp("callbacks"), seats=2, ports=free_ports(7))
    async with stage(settings, quiet) as standing:
        yield standing


@contextlib.asynccontextmanager
async def boss(there: Stage) -> AsyncIterator[Client]:
    """A supervisor, who sees everything."""
    async with Client(there.push_url, lambda: there.token_for(BOSS, BOSS_PHONE, Role.SUPERVISOR)) as client:
        await client.until(lambda seen: seen.linked, 30)
        yield client


@contextlib.asynccontextmanager
async def signed_in(there: Stage, seat: str = SEAT, agent: str = AGENT) -> AsyncIterator[Client]:
    """An agent at work and not ready yet."""
    async with Client(there.push_url, lambda: there.token_for(agent, seat)) as client:
        await client.until(lambda seen: seat in seen.seats and seen.linked, 30)
        await client.ask("seat.sign_in")
        await client.until(lambda seen: seen.seats[seat].state is SeatState.NOT_READY)
        try:
            yield client
        except BaseException:
            await there.city.hang_up_all()
            raise
        await client.until(lambda seen: Action.SIGN_OUT in seen.seats[seat].actions, 15)
        await client.ask("seat.sign_out")


async def in_line(there: Stage, watch: Client, number: str, n: int, *, withheld: bool = False) -> CitizenCall:
    """A citizen who waits in the queue, behind those who are there."""

    def waiting() -> int:
        return sum(call.phase is Phase.QUEUED for call in calls(watch))

    before = waiting()
    citizen = await there.city.call(number, n=n, withheld=withheld)
    await past_the_greeting(citizen)
    await watch.until(lambda _seen: waiting() == before + 1, 20)
    return citizen


def calls(watch: Client) -> list[Conversation]:
    return list(watch.seen.conversations.values())


async def asks_for_a_callback(there: Stage, watch: Client, number: str, n: int) -> CitizenCall:
    """A citizen who presses the key in the queue, is promised a call, and hangs up on the goodbye."""
    citizen = await in_line(there, watch, number, n)
    await presses_until(
        citizen, watch, lambda: number in {kept.number for kept in watch.seen.callbacks.values()}
    )
    await citizen.hang_up()
    await citizen.ended()
    await watch.until(lambda seen: all(call.number != number for call in seen.conversations.values()))
    return citizen


async def presses_until(citizen: CitizenCall, watch: Client, is_so: Callable[[], bool]) -> None:
    """Asterisk does not hear a key while it speaks the number of the place in line: people press again."""
    async with asyncio.timeout(20):
        while True:
            await citizen.press("2")
            with contextlib.suppress(TimeoutError):
                await watch.until(lambda _seen: is_so(), 1.5)
                return


async def kept(there: Stage, number: str, state: CallbackState) -> CallbackRow:
    """The record of that number's callback, once it has come to that state."""
    database = await Database.open(there.settings.database)
    query = (
        select(CallbackRow)
        .join(CallRow, CallRow.conversation == CallbackRow.conversation)
        .where(CallRow.number == number, CallbackRow.state == state.value)
    )
    try:
        async with asyncio.timeout(15):
            while True:
                async with database.read() as session:
                    found = (await session.scalars(query)).first()
                if found is not None:
                    return found
                await asyncio.sleep(0.1)
    finally:
        await database.close()


async def test_who_pressed_the_key_is_called_back_by_the_seat_that_becomes_ready(there: Stage) -> None:
    number = "13805380101"
    async with boss(there) as watch, signed_in(there) as client:
        await asks_for_a_callback(there, watch, number, 101)
        await watch.until(lambda seen: seen.queues[QUEUE].callbacks == 1 and not seen.queues[QUEUE].waiting)
        await everybody_gone(there)
        (place,) = watch.seen.callbacks.values()
        coming = there.city.next_leg(number)
        seats_phone = there.city.next_leg(SEAT)
        await client.ask("seat.ready")
        await client.until(lambda seen: seen.seats[SEAT].state is SeatState.DIALLING, 10)
        (context,) = client.seen.contexts.values()
        assert context.is_callback
        assert context.queued_us == place.since_us
        seat, citizen = await seats_phone, await coming
        assert await seat.answered() < await citizen.answered(), "the agent is rung first"
        await client.until(lambda seen: seen.seats[SEAT].state is SeatState.TALKING, 15)
        talk = await Span().passes()
        await client.ask("call.hang_up")
        await citizen.ended()
        assert await matrix(talk, {"citizen": citizen, "seat": seat}) == {"citizen<seat", "seat<citizen"}
        await watch.until(lambda seen: not seen.callbacks and not seen.queues[QUEUE].callbacks)
    asked, called = sorted(await records(there, number), key=lambda row: row.started_us)
    assert (asked.outcome, asked.answered_us) == ("callback", 0)
    assert (called.outcome, called.is_outbound, called.about, called.seat) == (
        "answered",
        True,
        asked.conversation,
        SEAT,
    )
    assert (called.queue, called.queued_us) == (QUEUE, asked.queued_us)
    assert abs(called.wait_ms - (called.answered_us - asked.queued_us) // 1000) < 50
    assert (await kept(there, number, CallbackState.DONE)).call == called.conversation


async def test_who_waits_is_told_of_the_key_and_hears_the_promise_when_they_press_it(there: Stage) -> None:
    sounds = there.hotline.node.paths.sounds
    offer, promise = "hotline/callback-offer", "hotline/callback-agreed"
    spoken_s = sum(length_s(sounds, name) or 99 for name in ("queue-youarenext", offer))
    async with boss(there) as watch:
        citizen = await in_line(there, watch, "13805380181", 181)
        await asyncio.sleep(OFFER_S + spoken_s + 2)  # as long as the switch speaks
        await presses_until(citizen, watch, lambda: bool(watch.seen.callbacks))
        await citizen.ended(20)
        (place,) = watch.seen.callbacks.values()
        await watch.ask("supervise.cancel_callback", conversation=place.id)
        heard = await what_was_heard(citizen)
    places = [likeness(heard, course(tones.read(sounds / f"{name}.wav"))) for name in (offer, promise)]
    assert [like > ALIKE for like, _ in places] == [True, True], (places, len(heard) / 100)
    assert places[0][1] < places[1][1]


async def test_the_place_is_kept_before_those_who_came_later_and_behind_those_who_came_first(
    there: Stage,
) -> None:
    numbers = ["13805380111", "13805380112", "13805380113"]
    async with boss(there) as watch, signed_in(there) as client:
        first = await in_line(there, watch, numbers[0], 111)
        await asks_for_a_callback(there, watch, numbers[1], 112)
        last = await in_line(there, watch, numbers[2], 113)
        served = []
        await client.ask("seat.ready")
        for _ in numbers:
            await client.until(lambda seen: seen.seats[SEAT].state is SeatState.TALKING, 20)
            served.append(client.seen.conversations[client.seen.seats[SEAT].conversation].number)
            await client.ask("call.hang_up")
            await client.until(lambda seen: seen.seats[SEAT].state is not SeatState.TALKING, 20)
        assert served == numbers
        await first.ended()
        await last.ended()


async def test_who_does_not_answer_is_called_again_and_then_worked_off_as_missed(there: Stage) -> None:
    number = "13805380121"
    await there.city.behave(number, city_of.no_answer())
    async with boss(there) as watch, signed_in(there) as client:
        await asks_for_a_callback(there, watch, number, 121)
        await client.ask("seat.ready")
        await watch.until(lambda seen: [kept.tries for kept in seen.callbacks.values()] == [1], 30)
        await watch.until(lambda seen: not seen.callbacks, 40)
        row = await kept(there, number, CallbackState.FAILED)
        assert row.tries == 2
        database = await Database.open(there.settings.database)
        async with database.read() as session:
            listed = [caller for caller in await missed.waiting(session, 0, 100) if caller.number == number]
        await database.close()
        assert [(caller.outcome, caller.tries) for caller in listed] == [("callback", 2)]
    await there.city.behave(number, city_of.answer())


async def test_an_agent_who_does_not_pick_up_leaves_the_callback_to_the_next_seat(there: Stage) -> None:
    number = "13805380131"
    await there.city.behave(SEAT, city_of.no_answer())
    async with boss(there) as watch, signed_in(there) as one:
        await asks_for_a_callback(there, watch, number, 131)
        await one.ask("seat.ready")
        await one.until(lambda seen: seen.seats[SEAT].state is SeatState.DIALLING, 10)
        async with signed_in(there, OTHER_SEAT, OTHER_AGENT) as other:
            await other.ask("seat.ready")
            await other.until(lambda seen: seen.seats[OTHER_SEAT].state is SeatState.TALKING, 30)
            await other.ask("call.hang_up")
        await one.ask("seat.not_ready", reason="小休")
    await there.city.behave(SEAT, city_of.answer())
    row = await kept(there, number, CallbackState.DONE)
    assert (row.seat, row.tries) == (OTHER_SEAT, 0)


async def test_the_promise_outlives_a_killed_cti_server(there: Stage) -> None:
    number = "13805380141"
    cti = there.hotline.children["cti"]
    async with boss(there) as watch:
        await asks_for_a_callback(there, watch, number, 141)
    before = cti.pid
    cti.kill()
    async with asyncio.timeout(20):
        while cti.pid in (None, before):  # noqa: ASYNC110 - a process's end tells nobody here
            await asyncio.sleep(0.05)
    async with boss(there) as watch, signed_in(there) as client:
        await watch.until(lambda seen: [kept.number for kept in seen.callbacks.values()] == [number], 15)
        await client.ask("seat.ready")
        await client.until(lambda seen: seen.seats[SEAT].state is SeatState.TALKING, 20)
        await client.ask("call.hang_up")
    asked, called = sorted(await records(there, number), key=lambda row: row.started_us)
    assert (asked.outcome, called.outcome, called.queued_us) == ("callback", "answered", asked.queued_us)


async def test_who_withholds_their_number_hears_why_and_waits_on_at_the_old_place(there: Stage) -> None:
    async with boss(there) as watch, signed_in(there) as client:
        hidden = await in_line(there, watch, "13805380151", 151, withheld=True)
        behind = await in_line(there, watch, "13805380152", 152)
        await presses_until(hidden, watch, lambda: watch.seen.queues[QUEUE].waiting == 1)
        await watch.until(lambda seen: seen.queues[QUEUE].waiting == 2, 20)
        assert not watch.seen.callbacks
        await client.ask("seat.ready")
        await client.until(lambda seen: seen.seats[SEAT].state is SeatState.TALKING, 20)
        assert client.seen.conversations[client.seen.seats[SEAT].conversation].number == ""
        await hidden.hang_up()
        await behind.hang_up()


async def test_with_the_cti_server_dead_the_caller_is_told_and_waits_on(there: Stage) -> None:
    number = "13805380161"
    cti = there.hotline.children["cti"]
    async with boss(there) as watch:
        citizen = await in_line(there, watch, number, 161)
    await cti.stop()
    await citizen.press("2")
    await asyncio.sleep(3.5)  # the time after which the dialplan no longer waits for an answer
    await cti.start()
    async with boss(there) as watch, signed_in(there) as client:
        await watch.until(lambda seen: seen.queues[QUEUE].waiting == 1, 20)
        assert not watch.seen.callbacks
        await client.ask("seat.ready")
        await client.until(lambda seen: seen.seats[SEAT].state is SeatState.TALKING, 20)
        await citizen.hang_up()


async def test_who_calls_again_is_in_line_and_no_longer_called_and_a_supervisor_may_cancel(
    there: Stage,
) -> None:
    number, other = "13805380171", "13805380172"
    async with boss(there) as watch:
        await asks_for_a_callback(there, watch, number, 171)
        again = await in_line(there, watch, number, 172)
        await watch.until(lambda seen: not seen.callbacks)
        (call,) = calls(watch)
        assert call.waited_before_ms > 0
        await again.hang_up()
        assert (await kept(there, number, CallbackState.WITHDRAWN)).tries == 0
        await asks_for_a_callback(there, watch, other, 173)
        (place,) = watch.seen.callbacks.values()
        await watch.ask("supervise.cancel_callback", conversation=place.id, why="市民已到现场")
        await watch.until(lambda seen: not seen.callbacks)
        assert (await kept(there, other, CallbackState.CANCELLED)).person == BOSS
