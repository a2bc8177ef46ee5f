"""The city against the hotline's real Asterisk: who rings, talks and hears whom. No CTI server, no IVR."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import msgspec
import pytest
import pytest_asyncio

from asterisk_conf.install import Program
from hotline.errors import AmiRefused, SwitchUnavailable
from hotline.secret import Secrets
from hotline.settings import Settings
from rehearsal.city import Behaviour, City, CityPlan, answer, busy, no_answer, reject, unavailable
from rehearsal.legs import CallEnded, Kind, State
from rehearsal.raw_sip import nasty_call
from rehearsal.switchboard import Switchboard

pytestmark = pytest.mark.asyncio(loop_scope="module")

FreePorts = Callable[[int], list[int]]
SEAT = "8001"
SETTLE_S = 0.4
"""From the answer until both directions of sound flow."""


@pytest_asyncio.fixture(loop_scope="module")
async def seat_in_queue(city: City, cti_ami: Switchboard) -> AsyncIterator[str]:
    """Seat 8001 stands in the queue as the CTI server would put it there; afterwards nobody talks."""
    await cti_ami.act("QueueAdd", Queue="12345", Interface=f"PJSIP/{SEAT}", MemberName="1001")
    yield SEAT
    await cti_ami.act("QueueRemove", Queue="12345", Interface=f"PJSIP/{SEAT}")
    await city.behave(SEAT, answer())
    await city.hang_up_all()


async def test_all_57_phones_register_within_ten_seconds(city: City, system_ami: Switchboard) -> None:
    begin = time.monotonic()
    await city.wait_registered(within_s=10)
    assert time.monotonic() - begin < 10
    contacts = await system_ami.list("PJSIPShowContacts")
    at_the_hotline = {contact["Uri"] for contact in contacts}
    place = f"{city.plan.host}:{city.plan.sip_port}"
    assert {f"sip:{seat}@{place}" for seat in range(8001, 8058)} <= at_the_hotline


async def test_a_refused_list_is_an_error_and_not_a_wait(cti_ami: Switchboard) -> None:
    with pytest.raises(AmiRefused, match="Permission denied"):
        await cti_ami.list("PJSIPShowContacts")


async def test_citizen_and_seat_hear_each_other_without_a_gap(city: City, seat_in_queue: str) -> None:
    citizen = await city.call("13800138000", name="市民", n=3)
    seat = await city.leg(seat_in_queue)
    assert (seat.kind, citizen.kind) == (Kind.SEAT, Kind.CITIZEN)
    begin = await seat.answered() + SETTLE_S
    assert citizen in city.parties()
    assert seat in city.parties()
    await asyncio.sleep(1.5)
    end = time.time()
    await citizen.hang_up()
    await citizen.ended()
    await seat.ended()
    assert city.parties() == []
    assert await seat.share(citizen.hz, begin, end) == 1.0
    assert await citizen.share(seat.hz, begin, end) == 1.0
    assert await seat.share(seat.hz) == await citizen.share(citizen.hz) == 0.0, "nobody hears an echo"
    assert await citizen.longest_gap_ms(seat.hz, begin, end) < 100
    assert await seat.longest_gap_ms(citizen.hz, begin, end) < 100
    assert await citizen.share(seat.hz, citizen.answered_at, begin - SETTLE_S - 0.3) == 0.0


async def test_a_living_leg_can_be_listened_to(city: City, seat_in_queue: str) -> None:
    citizen = await city.call("13800138001", n=4)
    seat = await city.leg(seat_in_queue)
    begin = await seat.answered() + SETTLE_S
    assert await seat.heard(citizen.hz, begin, begin + 0.6)
    assert seat.state is State.TALKING


async def test_keys_that_the_citizen_presses_reach_the_seat(city: City, seat_in_queue: str) -> None:
    citizen = await city.call("13800138004", n=7)
    seat = await city.leg(seat_in_queue)
    begin = await seat.answered() + SETTLE_S
    await citizen.press("12#")
    await seat.pressed("12#")
    with pytest.raises(ValueError, match="no key"):
        await citizen.press("x")
    await citizen.hang_up()
    await seat.ended()
    assert await seat.heard(citizen.hz, begin)


async def test_who_waits_in_the_queue_is_not_left_in_silence(city: City) -> None:
    citizen = await city.call("13800138007", n=12)
    begin = await citizen.answered() + SETTLE_S
    await asyncio.sleep(2.0)
    end = time.time()
    await citizen.hang_up()
    await citizen.ended()
    assert await citizen.longest_silence_ms(begin, end) < 1000
    assert await citizen.longest_gap_ms(2300, begin, end) > 1000, "and it is no tone of ours"


async def test_the_seat_hangs_up_and_the_citizen_is_released(city: City, seat_in_queue: str) -> None:
    citizen = await city.call("13800138002", n=5)
    seat = await city.leg(seat_in_queue)
    await seat.answered()
    await city.hang_up(seat_in_queue)
    assert await seat.ended() == 16
    await citizen.ended(20)


@pytest.fixture
def department() -> str:
    """A department's number, used by one test at a time."""
    return "05388001234"


async def transfer(cti_ami: Switchboard, number: str) -> None:
    """The hotline calls an outside number, into a room of its own."""
    await call_outside(cti_ami, number, "room-citizen", f"{time.time_ns()}.1")


async def call_outside(cti_ami: Switchboard, number: str, context: str, room: str) -> None:
    """The hotline calls an outside number into a room, as the CTI server would."""
    channel = f"tp-{room}-1"
    await cti_ami.act(
        "Originate",
        ActionID=channel,
        Channel=f"PJSIP/{number}@city",
        ChannelId=channel,
        Context=context,
        Exten=room,
        Priority="1",
        CallerID="<12345>",
        Timeout="30000",
        Async="true",
    )


@pytest.mark.parametrize(
    ("behaviour", "cause"),
    [(busy(), 17), (reject(), 21), (unavailable(), 34)],
    ids=["busy", "reject", "unavailable"],
)
async def test_a_department_that_cannot_be_reached_says_why(
    city: City, cti_ami: Switchboard, department: str, behaviour: Behaviour, cause: int
) -> None:
    await city.behave(department, behaviour)
    coming = city.next_leg(department)
    await transfer(cti_ami, department)
    leg = await coming
    assert await leg.ended() == cause
    assert leg.kind is Kind.OUTSIDE
    assert leg.answered_at is None
    with pytest.raises(CallEnded):
        await leg.heard(1000)


async def test_a_department_that_never_answers_rings_until_somebody_hangs_up(
    city: City, cti_ami: Switchboard, department: str
) -> None:
    await city.behave(department, no_answer())
    await transfer(cti_ami, department)
    leg = await city.leg(department)
    with pytest.raises(TimeoutError):
        await leg.answered(1.0)
    assert leg.state is State.CALLING
    await city.hang_up(department)
    await leg.ended()


@pytest.mark.parametrize("number", ["110", "119", "120", "122", "05388001234"])
async def test_everyone_outside_answers_with_a_tone_of_their_own(
    city: City, cti_ami: Switchboard, number: str
) -> None:
    await city.behave(number, answer(0.1, hang_up_after_s=0.5))
    await transfer(cti_ami, number)
    leg = await city.leg(number)
    begin = await leg.answered()
    await leg.ended()
    assert 0.4 < leg.ended_at - begin < 1.5


async def test_a_slow_department_stays_dumb_before_it_rings(
    city: City, cti_ami: Switchboard, department: str
) -> None:
    await city.behave(department, answer(0.1, slow_s=1.0, hang_up_after_s=0.1))
    await transfer(cti_ami, department)
    leg = await city.leg(department)
    assert await leg.answered() - leg.started_at > 1.0
    await leg.ended()


async def test_three_in_one_room_hear_each_other_and_two_go_on_when_the_seat_leaves(
    city: City, cti_ami: Switchboard, seat_in_queue: str
) -> None:
    await city.behave("110", answer(0.1))
    citizen = await city.call("13800138006", n=11)
    seat = await city.leg(seat_in_queue)
    begin = await seat.answered() + SETTLE_S
    await asyncio.sleep(0.6)
    channels = {c["Channel"].split("-")[0]: c for c in await cti_ami.list("CoreShowChannels")}
    caller, phone = channels["PJSIP/city"], channels["PJSIP/8001"]
    room = caller["Uniqueid"]
    await cti_ami.act(
        "Redirect",
        Channel=caller["Channel"],
        Context="room-citizen",
        Exten=room,
        Priority="1",
        ExtraChannel=phone["Channel"],
        ExtraContext="room-seat",
        ExtraExten=room,
        ExtraPriority="1",
    )
    await call_outside(cti_ami, "110", "room-third", room)
    police = await city.leg("110")
    together = await police.answered() + SETTLE_S
    await asyncio.sleep(1.0)
    leaving = time.time()
    await city.hang_up(seat)
    await seat.ended()
    await asyncio.sleep(1.0)
    end = time.time()
    await citizen.hang_up()
    await police.ended()
    for one in (citizen, seat, police):
        others = {leg.hz for leg in (citizen, seat, police)} - {one.hz}
        for hz in others:
            assert await one.share(hz, together, leaving) == 1.0
    assert await citizen.longest_gap_ms(seat.hz, begin, leaving) < 100, "moving them cut nobody off"
    assert await citizen.share(police.hz, leaving, end) == await police.share(citizen.hz, leaving, end) == 1.0
    assert await citizen.share(seat.hz, leaving + SETTLE_S, end) == 0.0


async def test_a_seat_that_is_busy_is_not_answered_and_the_next_one_is_rung(
    city: City, cti_ami: Switchboard, seat_in_queue: str
) -> None:
    await city.behave(seat_in_queue, busy())
    await cti_ami.act("QueueAdd", Queue="12345", Interface="PJSIP/8002", MemberName="1002")
    try:
        citizen = await city.call("13800138003", n=6)
        second = await city.leg("8002", 30)
        await second.answered()
        await citizen.hang_up()
        await second.ended()
    finally:
        await cti_ami.act("QueueRemove", Queue="12345", Interface="PJSIP/8002")


async def quiet(cti_ami: Switchboard) -> None:
    """Return when the hotline carries no call any more."""
    deadline = time.monotonic() + 3
    while channels := await cti_ami.list("CoreShowChannels"):
        assert time.monotonic() < deadline, channels
        await asyncio.sleep(0.02)


HOST = b"@127.0.0.2>"
NASTY = {
    "200 characters": b'"' + "长".encode() * 200 + b'" <sip:13800138000' + HOST,
    "emoji": '"🚨😀" <sip:13800138000'.encode() + HOST,
    "empty name": b'"" <sip:13800138000' + HOST,
    "anonymous": b'"Anonymous" <sip:anonymous@anonymous.invalid>',
    "no user": b"<sip:127.0.0.2>",
    "sql": b'"1;DROP TABLE calls" <sip:1%3BDROP' + HOST,
    "dialplan": b'"${SHELL(id)}" <sip:$%7BSHELL(id)%7D' + HOST,
    "ami": b'"x%0d%0aAction: Originate" <sip:1%0d%0aAction%3A%20Originate' + HOST,
    "not utf-8": b'"\xff\xfe\xc3" <sip:13800138000' + HOST,
    "html": b'"<script>alert(1)</script>" <sip:13800138000' + HOST,
}


@pytest.mark.parametrize("from_header", NASTY.values(), ids=NASTY.keys())
async def test_no_caller_id_breaks_a_call(city: City, cti_ami: Switchboard, from_header: bytes) -> None:
    call = await city.raw_call(from_header, with_sound=True)
    await call.answered()
    await asyncio.sleep(0.3)
    channels = await cti_ami.list("CoreShowChannels")
    await call.hang_up()
    await quiet(cti_ami)
    assert len(channels) == 1
    assert call.rtp_received > 0, "the caller hears the greeting or the queue's music"


@pytest.mark.parametrize(
    "from_header",
    [
        b'"\xe5\xbc\xa0\r\n \xe4\xb8\x89" <sip:13800138000' + HOST,
        b'"x\r\nAction: Originate\r\n\r\n" <sip:13800138000' + HOST,
        b'"x" <sip:13800138000@127.0.0.2>\r\nX-Evil: yes\r\nSubject: y',
        b"",
        b"\0" * 20,
        b"<" * 200,
    ],
    ids=["folded name", "end of head in name", "more headers", "nothing", "zeroes", "brackets"],
)
async def test_a_from_header_that_is_none_does_no_harm_to_the_next_call(
    city: City, cti_ami: Switchboard, from_header: bytes
) -> None:
    broken = await city.raw_call(from_header, with_sound=True)
    with contextlib.suppress(TimeoutError):
        await broken.settled(0.3)
    await broken.hang_up()
    sound = await city.call("13800138009", name="后来人", n=9)
    await sound.answered()
    await sound.hang_up()
    await sound.ended()
    await quiet(cti_ami)


@pytest.mark.parametrize(
    ("number", "name", "withheld", "seen"),
    [
        ("13800138000", "泰山区 张三", False, ("13800138000", "泰山区 张三")),
        ("+8653812345678", "", False, ("+8653812345678", "<unknown>")),
        ("05388001234", "Brien; a|b $x {1}", False, ("05388001234", "Brien; a|b $x {1}")),
        ("13800138000", "张三", True, ("anonymous", "<unknown>")),
    ],
)
async def test_number_and_name_reach_the_hotline_as_the_citizen_sent_them(
    city: City, cti_ami: Switchboard, number: str, name: str, withheld: bool, seen: tuple[str, str]
) -> None:
    citizen = await city.call(number, name=name, n=1, withheld=withheld)
    await citizen.answered()
    (channel,) = await cti_ami.list("CoreShowChannels")
    await citizen.hang_up()
    await quiet(cti_ami)
    assert (channel["CallerIDNum"], channel["CallerIDName"]) == seen


async def test_the_raw_caller_gives_up_is_refused_and_is_hung_up_on_like_any_phone(
    city: City, department: str
) -> None:
    """Here it calls a department's phone directly, as the hotline would."""
    target, source = (city.plan.host, city.plan.sip_port), "127.0.0.1"
    await city.behave(department, no_answer())
    ringing = await nasty_call(target, b"<sip:1@127.0.0.1>", department, source=source)
    leg = await city.leg(department)
    with pytest.raises(TimeoutError):
        await ringing.answered(0.3)
    await ringing.hang_up()
    await leg.ended()
    assert ringing.statuses == [100, 180, 487]

    await city.behave(department, busy())
    refused = await nasty_call(target, b"<sip:1@127.0.0.1>", department, source=source)
    with pytest.raises(ConnectionRefusedError, match="486"):
        await refused.answered()
    await refused.ended()
    refused.close()

    await city.behave(department, answer(0, hang_up_after_s=0.3))
    short = await nasty_call(target, b"<sip:1@127.0.0.1>", department, source=source, with_sound=True)
    await short.answered()
    await short.ended()
    assert short.rtp_received > 5
    short.close()


async def test_a_phone_that_signs_off_is_not_rung_until_it_is_back(city: City, seat_in_queue: str) -> None:
    await city.unregister(seat_in_queue)
    citizen = await city.call("13800138005", n=10)
    with pytest.raises(TimeoutError):
        await city.leg(seat_in_queue, 0.5)
    await city.register(seat_in_queue)
    await city.wait_registered((seat_in_queue,))
    seat = await city.leg(seat_in_queue, 30)
    await seat.answered()
    await citizen.hang_up()
    await seat.ended()


async def test_a_call_that_nobody_could_make_is_refused_before_it_is_dialled(city: City) -> None:
    before = len(city.history())
    for number, name, dial in (
        ("1;x", "", "12345"),
        ("1", "a\r\nb", "12345"),
        ("1", "", "12345@x"),
        ("", "", "1"),
    ):
        with pytest.raises(ValueError, match="raw_call"):
            await city.call(number, name=name, dial=dial, n=1)
    with pytest.raises(ValueError, match="not a number"):
        await city.behave("1)", busy())
    with pytest.raises(ValueError, match="no phone of ours"):
        await city.unregister("*all")
    assert len(city.history()) == before


async def test_without_a_hotline_calls_end_and_without_its_asterisk_everything_does(
    hotline_settings: Settings,
    hotline_secrets: Secrets,
    program: Program,
    tmp_path: Path,
    free_ports: FreePorts,
) -> None:
    """Nobody listens where this city's hotline should be: the call ends by itself and says so."""
    trunk, ami = free_ports(2)
    plan = CityPlan(host="127.0.0.2", sip_port=trunk, ami_port=ami, rtp_first=12000, rtp_last=21999)
    nowhere = msgspec.structs.replace(
        hotline_settings, switch=msgspec.structs.replace(hotline_settings.switch, sip_port=free_ports(1)[0])
    )
    lonely = City(tmp_path / "lonely", program, nowhere, hotline_secrets, plan)
    await lonely.start()
    try:
        call = await lonely.call("13800138000", n=0, ring_s=0.5)
        with pytest.raises(CallEnded):
            await call.answered()
        with pytest.raises(TimeoutError, match="8001 8002"):
            await lonely.wait_registered(within_s=0.1)
        another = await lonely.call("13800138000", n=0)
        lonely.node.kill()
        await another.ended()
        with pytest.raises(SwitchUnavailable):
            await lonely.call("13800138000", n=0)
    finally:
        await lonely.stop()
