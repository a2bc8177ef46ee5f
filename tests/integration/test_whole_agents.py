"""What an agent does with a call on a real Asterisk: colleagues, outside numbers, mute, keys, recording."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator

import msgspec
import pytest
import pytest_asyncio

from asterisk_conf.paths import NodePaths
from cli.rehearse import departments
from cli.stage import Stage, stage, stage_settings
from ctiserver.api.pushes import Notice, Pop
from ctiserver.api.states import Action, AttemptState, Outcome, Phase, SeatState
from ctiserver.client import Client, Refused
from hotline.settings import QueueSettings, Settings, TrunkSettings
from rehearsal import city as city_of
from rehearsal import tones
from rehearsal.ports import free_ports
from tests.integration.test_whole_consult import Span, becomes, matrix
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

COLLEAGUE, COLLEAGUE_AGENT = "8002", "1002"
TWO_NUMBERS = ("053800010002", "053800010102")
CALLED = "13905380031"


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def there(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Stage]:
    """The first route to 110 leads nowhere: nobody is at its address."""
    site = Settings(queue=QueueSettings(wrapup_s=2, short_abandon_s=1), third_party_ring_s=8)
    settings = stage_settings(site, tmp_path_factory.mktemp("agents"), seats=4, ports=free_ports(7))
    dead = TrunkSettings(name="dead", host="127.0.0.3", port=settings.trunks[0].port)
    settings = msgspec.structs.replace(
        settings, trunks=(*settings.trunks, dead), emergency_trunks=("dead", "city")
    )
    async with stage(settings, quiet) as standing:
        yield standing


@contextlib.asynccontextmanager
async def colleague_at(
    there: Stage, seat: str = COLLEAGUE, agent: str = COLLEAGUE_AGENT
) -> AsyncIterator[Client]:
    """A colleague who is signed in, and not ready for calls from the queue."""
    async with Client(there.push_url, lambda: there.token_for(agent, seat)) as client:
        await client.until(lambda seen: seat in seen.seats)
        await client.ask("seat.sign_in")
        await client.until(lambda seen: seen.seats[seat].state is SeatState.NOT_READY)
        yield client
        await client.until(lambda seen: Action.SIGN_OUT in seen.seats[seat].actions, 15)
        await client.ask("seat.sign_out")


async def test_a_transfer_to_a_colleague_pops_there_and_the_two_talk(there: Stage) -> None:
    async with at_seat(there) as client, colleague_at(there) as other:
        popped = asyncio.create_task(pop(other))
        citizen, seat = await talking(there, client, 31)
        await client.ask("call.transfer", agent=COLLEAGUE_AGENT)
        await seat.ended()
        second = await there.city.leg(COLLEAGUE)
        await second.answered()
        await other.until(lambda seen: seen.seats[COLLEAGUE].state is SeatState.TALKING, 10)
        assert (await popped).context.number == citizen.number
        span = await Span().passes()
        await other.ask("call.hang_up")
        await citizen.ended(15)
        assert await matrix(span, {"citizen": citizen, "second": second}) == {
            "citizen<second",
            "second<citizen",
        }
    (row,) = await records(there, citizen.number)
    assert (row.outcome, row.seat) == ("answered", COLLEAGUE)


async def test_a_colleague_who_does_not_answer_brings_the_citizen_back_first_in_line(there: Stage) -> None:
    await there.city.behave(COLLEAGUE, city_of.no_answer())
    async with at_seat(there) as client, colleague_at(there):
        citizen, seat = await talking(there, client, 32)
        await client.ask("call.transfer", seat=COLLEAGUE)
        await seat.ended()
        await client.until(lambda seen: seen.queues["12345"].waiting == 1, 15)
        await client.ask("seat.ready")
        await becomes(client, SeatState.TALKING)
        await citizen.hang_up()
    await there.city.behave(COLLEAGUE, city_of.answer())


async def test_a_consulted_colleague_hears_only_the_seat_and_takes_over_when_it_hangs_up(
    there: Stage,
) -> None:
    async with at_seat(there) as client, colleague_at(there) as other:
        citizen, seat = await talking(there, client, 33)
        await client.ask("call.consult", seat=COLLEAGUE)
        await client.until(attempt_is(client, AttemptState.ANSWERED), 15)
        await becomes(client, SeatState.CONSULTING)
        second = await there.city.leg(COLLEAGUE)
        consult = await Span().passes()
        await there.city.hang_up(seat)
        await other.until(lambda seen: seen.seats[COLLEAGUE].state is SeatState.TALKING, 10)
        taken = await Span().passes()
        await citizen.hang_up()
        await second.ended()
        legs = {"citizen": citizen, "seat": seat, "second": second}
        assert await matrix(consult, legs) == {"second<seat", "seat<second"}
        assert await matrix(taken, {"citizen": citizen, "second": second}) == {
            "citizen<second",
            "second<citizen",
        }
    await everybody_gone(there)


async def test_an_outbound_call_rings_the_agent_then_the_citizen_and_is_kept(there: Stage) -> None:
    async with at_seat(there) as client:
        answer = await client.ask("call.dial", number=CALLED)
        await becomes(client, SeatState.DIALLING)
        seat = await there.city.leg(SEAT)
        await seat.answered()
        assert client.seen.conversations[answer["conversation"]].phase is Phase.DIALLING
        citizen = await there.city.leg(CALLED)
        await becomes(client, SeatState.TALKING)
        talk = await Span().passes()
        await client.ask("emergency.call", number="110")
        await client.until(attempt_is(client, AttemptState.ANSWERED), 30)
        await becomes(client, SeatState.CONFERENCE)
        await client.ask("call.hang_up")
        await citizen.ended()
        await seat.ended()
        assert await matrix(talk, {"citizen": citizen, "seat": seat}) == {"citizen<seat", "seat<citizen"}
    (row,) = await records(there, CALLED)
    assert (row.outcome, row.is_outbound, row.agent) == ("answered", True, "1001")
    monitor = NodePaths(there.settings.state / "asterisk").recordings
    assert (monitor / f"{row.uid}-citizen.wav").exists(), "an outbound call is recorded too"


async def test_110_is_reached_by_its_second_route_when_the_first_is_dead(there: Stage) -> None:
    async with at_seat(there) as client:
        citizen, _seat = await talking(there, client, 34)
        await client.ask("emergency.call", number="110")
        await client.until(attempt_is(client, AttemptState.ANSWERED), 30)
        (view,) = client.seen.conversations.values()
        states = [attempt.state for attempt in view.attempts]
        assert states == [AttemptState.UNREACHABLE, AttemptState.ANSWERED]
        police = await there.city.leg("110")
        await citizen.hang_up()
        await police.ended()


async def test_110_comes_in_by_the_phones_keypad_with_the_cti_server_dead(there: Stage) -> None:
    """*110 on the seat's own phone; the server that comes back finds a room with three."""
    async with at_seat(there) as client:
        citizen, seat = await talking(there, client, 40)
        cti = there.hotline.children["cti"]
        cti.kill()
        await client.until(lambda _seen: not client.is_up)
        await there.city.press(seat, "*110")
        police = await there.city.leg("110")
        await police.answered(15)
        three = await Span().passes()
        await client.until(lambda _seen: client.is_up, 20)
        await becomes(client, SeatState.CONFERENCE)
        (view,) = client.seen.conversations.values()
        assert [(each.number, each.state) for each in view.attempts] == [("110", AttemptState.ANSWERED)]
        await there.city.hang_up(police)
        await becomes(client, SeatState.TALKING)
        two = await Span().passes()
        await citizen.hang_up()
        await seat.ended()
        legs = {"citizen": citizen, "seat": seat, "police": police}
        assert len(await matrix(three, legs)) == 6
        assert len(await matrix(two, {"citizen": citizen, "seat": seat})) == 2
    (row,) = await records(there, citizen.number)
    assert row.outcome == "answered"


async def test_a_citizen_who_does_not_answer_leaves_a_reason_at_the_seat(there: Stage) -> None:
    number = "13905380035"
    await there.city.behave(number, city_of.busy())
    async with at_seat(there) as client:
        told = asyncio.create_task(notice(client, "not_reached"))
        await asyncio.sleep(0)
        await client.ask("call.dial", number=number)
        assert (await told).message == "市民占线"
        seat = (await there.city.leg(SEAT)) if there.city.parties() else None
        if seat is not None:
            await seat.ended()
        await client.until(lambda seen: seen.seats[SEAT].state is SeatState.READY, 10)
    (row,) = await records(there, number)
    assert row.outcome == Outcome.NOT_REACHED.value
    await everybody_gone(there)


async def test_an_agent_may_call_only_what_the_settings_allow(there: Stage) -> None:
    async with at_seat(there) as client:
        for number in ("110", "0086138", "999", "8002", "1390538003a", "+8613905380031"):
            with pytest.raises(Refused, match="bad_number"):
                await client.ask("call.dial", number=number)


async def test_a_muted_seat_hears_and_is_not_heard(there: Stage) -> None:
    async with at_seat(there) as client:
        citizen, seat = await talking(there, client, 36)
        await client.ask("call.mute")
        await client.until(lambda seen: seen.seats[SEAT].is_muted)
        muted = await Span().passes()
        await client.ask("call.unmute")
        spoken = await Span().passes()
        await client.ask("call.hang_up")
        await citizen.ended(15)
        legs = {"citizen": citizen, "seat": seat}
        assert await matrix(muted, legs) == {"seat<citizen"}
        assert await matrix(spoken, legs) == {"seat<citizen", "citizen<seat"}


async def test_keys_reach_a_third_partys_menu(there: Stage) -> None:
    async with at_seat(there) as client:
        citizen, _seat = await talking(there, client, 37)
        await client.ask("call.three_way", number=departments()[0])
        await client.until(attempt_is(client, AttemptState.ANSWERED), 15)
        third = await there.city.leg(departments()[0])
        await client.ask("call.keys", digits="1220#*")
        await third.pressed("1220#*")
        assert third.keys == "1220#*"
        with pytest.raises(Refused, match="bad_keys"):
            await client.ask("call.keys", digits="1;DROP")
        await citizen.hang_up()
        await third.ended()


async def test_a_units_next_number_is_tried_when_the_first_is_busy(there: Stage) -> None:
    await there.city.behave(TWO_NUMBERS[0], city_of.busy())
    async with at_seat(there) as client:
        citizen, _seat = await talking(there, client, 38)
        await client.ask("call.three_way", number=TWO_NUMBERS[0])
        await client.until(attempt_is(client, AttemptState.ANSWERED), 15)
        (view,) = client.seen.conversations.values()
        assert [(each.number, each.state) for each in view.attempts] == [
            (TWO_NUMBERS[0], AttemptState.BUSY),
            (TWO_NUMBERS[1], AttemptState.ANSWERED),
        ]
        await citizen.hang_up()
    await there.city.behave(TWO_NUMBERS[0], city_of.answer())


async def test_what_is_said_while_the_recording_is_paused_is_not_kept(there: Stage) -> None:
    async with at_seat(there) as client:
        citizen, _seat = await talking(there, client, 39)
        (view,) = client.seen.conversations.values()
        uid = view.id.removeprefix(f"{there.settings.node}-")
        await client.ask("recording.pause")
        await client.until(lambda seen: next(iter(seen.conversations.values())).is_recording_paused)
        await asyncio.sleep(2.0)
        await client.ask("recording.resume")
        await asyncio.sleep(1.5)
        await citizen.hang_up()
        await client.until(lambda seen: not seen.conversations)
    path = NodePaths(there.settings.state / "asterisk").recordings / f"{uid}-citizen.wav"
    for _ in range(50):
        if tones.is_complete(path):
            break
        await asyncio.sleep(0.1)
    recording = tones.read(path)
    gap = tones.longest_gap_ms(recording, citizen.hz, 0.5, recording.seconds - 0.2)
    assert 1500 <= gap <= 3000


async def test_who_signs_in_elsewhere_by_force_leaves_the_old_seat_which_is_told(there: Stage) -> None:
    async with colleague_at(there, "8003", "1003") as old:
        told = asyncio.create_task(notice(old, "signed_in_elsewhere"))
        await asyncio.sleep(0)
        async with Client(there.push_url, lambda: there.token_for("1003", "8004")) as new:
            await new.until(lambda seen: "8004" in seen.seats)
            with pytest.raises(Refused, match="agent_elsewhere"):
                await new.ask("seat.sign_in")
            await new.ask("seat.sign_in", force=True)
            await new.until(lambda seen: seen.seats["8004"].agent == "1003")
            assert "8004" in (await told).message
            await old.until(lambda seen: seen.seats["8003"].state is SeatState.SIGNED_OUT)
            await new.ask("seat.sign_out")
        await old.ask("seat.sign_in")


async def test_a_raised_hand_is_seen_and_lowered(there: Stage) -> None:
    async with colleague_at(there) as client:
        await client.ask("seat.raise_hand")
        await client.until(lambda seen: seen.seats[COLLEAGUE].hand_us > 0)
        await client.ask("seat.lower_hand")
        await client.until(lambda seen: seen.seats[COLLEAGUE].hand_us == 0)


async def pop(client: Client) -> Pop:
    """The next screen pop."""
    async with asyncio.timeout(30):
        async for push in client.pushes():
            if isinstance(push, Pop):
                return push
    raise AssertionError("the pushes ended")


async def notice(client: Client, code: str) -> Notice:
    """The next notice of that name."""
    async with asyncio.timeout(30):
        async for push in client.pushes():
            if isinstance(push, Notice) and push.code == code:
                return push
    raise AssertionError("the pushes ended")
