"""The AMI link against a real Asterisk: it comes up and sees, acts, is refused in plain words, and heals."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import sys
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from asterisk_conf.node import Node
from asterisk_conf.ports import hotline_ports
from asterisk_conf.render import render
from ctiserver.ami.capture import read_trace
from ctiserver.ami.connection import PING_DEADLINE_S, PING_EVERY_S, Link
from ctiserver.ami.errors import BadValue, NotSent, OutcomeUnknown, Refused
from ctiserver.ami.session import Session
from ctiserver.ami.translate import headers, translate
from ctiserver.model.effects import (
    AddMember,
    CallThirdParty,
    HangUpChannel,
    MoveToRoom,
    PauseMember,
    RemoveMember,
    SendTo,
)
from ctiserver.model.events import (
    BridgeEntered,
    CallerLeftQueue,
    CallerQueued,
    Channel,
    ChannelCreated,
    ChannelHungUp,
    LinkLost,
    Member,
    MemberAdded,
    MemberPaused,
    MemberRemoved,
    OriginateFailed,
    PhoneChanged,
    Resynced,
    RoomJoined,
    SeatRung,
    SwitchStopped,
)
from hotline.errors import AmiRefused, SwitchUnavailable
from hotline.secret import Secrets
from hotline.settings import Settings
from rehearsal.city import CitizenCall, City, answer, busy
from rehearsal.legs import Leg
from tests.integration.ami_tools import BadNetwork, Heard, hotline_is_empty, look

pytestmark = pytest.mark.asyncio(loop_scope="module")

SEAT, AGENT = "8001", "1001"
FAST = {"ping_every_s": 0.5, "ping_deadline_s": 0.7}


def new_link(settings: Settings, secrets: Secrets, heard: Heard, port: int = 0, **more: float) -> Link:
    return Link(
        settings.switch.host, port or settings.switch.ami_port, "cti", secrets.ami_cti,
        trunk="city", ring_s=3, on_event=heard, own_number="12345", **more,  # type: ignore[arg-type]
    )  # fmt: skip


@pytest.fixture
def heard() -> Heard:
    return Heard()


@pytest_asyncio.fixture(loop_scope="module")
async def link(
    city: City, hotline_settings: Settings, hotline_secrets: Secrets, heard: Heard
) -> AsyncIterator[Link]:
    """A link that is up; afterwards the queue is empty and nobody talks."""
    link = new_link(hotline_settings, hotline_secrets, heard)
    await link.start()
    yield link
    await city.behave(SEAT, answer())
    for leg in city.parties():
        await city.hang_up(leg)
        await leg.ended()
    if link.is_up:
        await hotline_is_empty(link, heard)
        for member in (await look(link, heard)).members:
            await link.perform(RemoveMember("r", member.queue, member.seat))
    await link.stop()


async def talk(link: Link, heard: Heard, city: City, n: int = 3) -> tuple[CitizenCall, Leg, Channel, Channel]:
    """A citizen and seat 8001 talk: the city's two legs, the hotline's two channels."""
    await link.perform(AddMember("r", "12345", SEAT, AGENT, False, ""))
    since = heard.mark()
    citizen = await city.call("13800138000", name="泰安市民热线", n=n)
    seat = await city.leg(SEAT)
    queued = (await heard.next(CallerQueued, since=since)).channel
    rung = await heard.next(SeatRung, since=since)
    await heard.next(BridgeEntered, lambda event: event.channel.uid == queued.uid, since=since)
    return citizen, seat, queued, rung.channel


def subject(event: object) -> str:
    """The Uniqueid of the citizen that an event tells of, "" for none."""
    if isinstance(event, CallerLeftQueue):
        return event.uid
    channel = getattr(event, "channel", None)
    return getattr(channel, "linkedid" if isinstance(event, SeatRung) else "uid", "")


async def phone_is_back(link: Link, heard: Heard, city: City) -> None:
    """A restarted switch may have forgotten the seat's phone: have it register, and wait for that."""
    await city.register(SEAT)
    async with asyncio.timeout(10):
        while True:
            if SEAT in (await look(link, heard)).phones_up:
                return
            await asyncio.sleep(0.1)


async def test_the_first_thing_told_is_how_the_switch_looks(
    link: Link, heard: Heard, hotline_settings: Settings
) -> None:
    first = heard.events[0]
    assert isinstance(first, Resynced)
    assert set(first.snapshot.phones_up) == set(hotline_settings.phone_ids)
    assert first.snapshot.channels == ()
    assert 0 <= first.snapshot.up_s < 600


async def test_a_seat_signs_in_pauses_with_a_reason_and_signs_out(link: Link, heard: Heard) -> None:
    await link.perform(AddMember("r", "12345", SEAT, AGENT, True, "小休"))
    assert await heard.next(MemberAdded) == MemberAdded("12345", SEAT, AGENT, True, "小休")
    assert (await look(link, heard)).members == (Member("12345", SEAT, AGENT, True, "小休"),)
    await link.perform(PauseMember("r", SEAT, True, "用餐"))
    assert await heard.next(MemberPaused) == MemberPaused("12345", SEAT, True, "用餐")
    since = heard.mark()
    await link.perform(PauseMember("r", SEAT, False, ""))
    assert await heard.next(MemberPaused, since=since) == MemberPaused("12345", SEAT, False, "")
    await link.perform(RemoveMember("r", "12345", SEAT))
    assert await heard.next(MemberRemoved) == MemberRemoved("12345", SEAT)


async def test_a_call_is_told_in_order_and_found_again_by_a_look(
    link: Link, heard: Heard, city: City
) -> None:
    citizen, seat, channel, leg = await talk(link, heard, city)
    order = [
        type(event)
        for event in heard.events
        if subject(event) == channel.uid
        and isinstance(event, ChannelCreated | CallerQueued | SeatRung | CallerLeftQueue | BridgeEntered)
    ]
    assert order == [ChannelCreated, CallerQueued, SeatRung, CallerLeftQueue, BridgeEntered]
    assert (channel.number, channel.caller_name) == ("13800138000", "泰安市民热线")
    found = await look(link, heard)
    assert {each.uid for each in found.channels} == {channel.uid, leg.uid}
    assert all(each.is_up for each in found.channels)
    assert [set(uids) for uids in found.bridges.values()] == [{channel.uid, leg.uid}]
    assert found.rooms == found.waiting == {}
    await citizen.hang_up()
    gone = await heard.next(ChannelHungUp, lambda event: event.channel.uid == channel.uid)
    assert gone.cause == 16
    await seat.ended()


async def test_a_caller_who_waits_is_found_by_a_look(link: Link, heard: Heard, city: City) -> None:
    callers = []
    for n in (1, 2, 3):
        since = heard.mark()
        await city.call(f"1380013800{n}", n=n)
        callers.append((await heard.next(CallerQueued, since=since)).channel.uid)
    assert (await look(link, heard)).waiting == {"12345": tuple(callers)}


async def test_110_joins_in_a_room_and_a_look_agrees_with_what_confbridge_says(
    link: Link, heard: Heard, city: City, hotline_settings: Settings, hotline_secrets: Secrets
) -> None:
    _, seat, channel, leg = await talk(link, heard, city)
    await link.perform(MoveToRoom("r", channel.name, leg.name, channel.uid))
    await link.perform(CallThirdParty("r", f"tp-{channel.uid}-1", "110", channel.uid, ""))
    third = await heard.next(RoomJoined, lambda event: event.channel.uid == f"tp-{channel.uid}-1")
    assert third.room == channel.uid
    found = await look(link, heard)
    session = Session(lambda _frame: None, None)
    switch = hotline_settings.switch
    await session.open(switch.host, switch.ami_port, "cti", hotline_secrets.ami_cti, 5)
    in_room = session._protocol.submit(
        [("Action", "ConfbridgeList"), ("Conference", channel.uid)], is_list=True
    )
    told = {headers(frame)["Uniqueid"] for frame in (await in_room)[1:]}
    session.close("done")
    assert set(found.rooms[channel.uid]) == told == {channel.uid, leg.uid, third.channel.uid}
    assert (await city.leg("110")).number == "110"
    since = heard.mark()
    await city.hang_up(seat)
    await link.perform(HangUpChannel("r", third.channel.name))
    await heard.next(ChannelHungUp, lambda event: event.channel.uid == third.channel.uid, since=since)
    await link.perform(SendTo("r", channel.name, "farewell", "s"))
    await heard.next(ChannelHungUp, lambda event: event.channel.uid == channel.uid, since=since)


async def test_a_busy_department_is_told_with_its_cause(link: Link, heard: Heard, city: City) -> None:
    _, _, channel, leg = await talk(link, heard, city)
    await city.behave("66610", busy())
    await link.perform(MoveToRoom("r", channel.name, leg.name, channel.uid))
    uid = f"tp-{channel.uid}-1"
    await link.perform(CallThirdParty("r", uid, "66610", channel.uid, ""))
    gone = await heard.next(ChannelHungUp, lambda event: event.channel.uid == uid)
    assert gone.cause == 17
    assert (await heard.next(OriginateFailed)).uid == uid


async def test_asterisks_refusals_come_in_its_own_words(link: Link) -> None:
    with pytest.raises(Refused, match="No such channel"):
        await link.perform(HangUpChannel("r", "PJSIP/city-ffffffff"))
    with pytest.raises(Refused, match="does not exist"):
        await link.perform(SendTo("r", "PJSIP/city-ffffffff", "farewell", "s"))
    with pytest.raises(Refused, match="Not there"):
        await link.perform(RemoveMember("r", "12345", SEAT))
    await link.perform(AddMember("r", "12345", SEAT, AGENT, False, ""))
    with pytest.raises(Refused, match="Already there"):
        await link.perform(AddMember("r", "12345", SEAT, AGENT, False, ""))


async def test_a_nasty_value_never_reaches_the_socket(link: Link, heard: Heard) -> None:
    with pytest.raises(BadValue):
        await link.perform(
            AddMember("r", "12345", SEAT, "1001\r\n\r\nAction: QueueAdd\r\nQueue: 12345", False, "")
        )
    assert (await look(link, heard)).members == ()


async def test_a_phone_that_signs_off_is_down_and_comes_back(link: Link, heard: Heard, city: City) -> None:
    await city.unregister("8057")
    assert await heard.next(PhoneChanged, lambda event: event.seat == "8057") == PhoneChanged("8057", False)
    since = heard.mark()
    await city.register("8057")
    assert await heard.next(PhoneChanged, lambda event: event.seat == "8057", since=since)
    await city.wait_registered(("8057",))


async def test_a_wrong_secret_is_refused_in_one_sentence(
    hotline_node: Node, hotline_settings: Settings, heard: Heard
) -> None:
    link = Link(
        "127.0.0.1", hotline_settings.switch.ami_port, "cti", "wrong", trunk="city", ring_s=3, on_event=heard
    )
    with pytest.raises(AmiRefused, match=r"refused the log-in of user 'cti' \(Authentication failed\)"):
        await link.start(0.5)
    assert heard.events == []


async def test_a_user_without_our_rights_is_refused_by_their_names(
    hotline_node: Node, hotline_settings: Settings, hotline_secrets: Secrets, heard: Heard
) -> None:
    link = Link(
        "127.0.0.1", hotline_settings.switch.ami_port, "system", hotline_secrets.ami_system,
        trunk="city", ring_s=3, on_event=heard,
    )  # fmt: skip
    with pytest.raises(AmiRefused, match=r"may not use [A-Za-z, ]*Originate, [A-Za-z, ]*QueueAdd"):
        await link.start(5)


async def test_without_an_asterisk_the_start_fails_in_one_sentence(
    hotline_settings: Settings, hotline_secrets: Secrets, heard: Heard, free_ports: object
) -> None:
    assert callable(free_ports)
    (port,) = free_ports(1)
    begin = time.monotonic()
    with pytest.raises(SwitchUnavailable, match=rf"no Asterisk is ready on 127\.0\.0\.1:{port} .*refused"):
        await new_link(hotline_settings, hotline_secrets, heard, port).start(0.5)
    assert time.monotonic() - begin < 1.5


async def test_a_stranger_on_the_port_is_not_taken_for_asterisk(
    hotline_settings: Settings, hotline_secrets: Secrets, heard: Heard
) -> None:
    async def greet(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"220 mail.example ESMTP\r\n")
        await writer.drain()

    async with await asyncio.start_server(greet, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        with pytest.raises(SwitchUnavailable, match="is not Asterisk's manager interface"):
            await new_link(hotline_settings, hotline_secrets, heard, port).start(0.3)


async def test_one_byte_at_a_time_tells_the_same_story(
    link: Link, heard: Heard, city: City, hotline_settings: Settings, hotline_secrets: Secrets
) -> None:
    other = Heard()
    async with BadNetwork("127.0.0.1", hotline_settings.switch.ami_port) as network:
        network.is_dripping = True
        slow = new_link(hotline_settings, hotline_secrets, other, network.port)
        await slow.start()
        since = heard.mark()
        citizen, seat, channel, _ = await talk(link, heard, city)
        await citizen.hang_up()
        await seat.ended()
        await link.perform(RemoveMember("r", "12345", SEAT))
        for ear in (heard, other):
            await ear.next(MemberRemoved)
            await ear.next(ChannelHungUp, lambda event: event.channel.uid == channel.uid)
        with contextlib.suppress(TimeoutError):  # the last bytes are still dripping
            async with asyncio.timeout(10):
                while other.events[1:] != heard.events[since:]:  # noqa: ASYNC110 - two lists that grow
                    await asyncio.sleep(0.05)
        assert other.events[1:] == heard.events[since:]
        assert slow.counters.dropped == 0
        await slow.stop()
    assert channel.caller_name == "泰安市民热线"


@pytest.mark.parametrize("direction", ["ours", "theirs", "both"])
async def test_a_half_open_connection_is_noticed_and_replaced(
    city: City, hotline_settings: Settings, hotline_secrets: Secrets, heard: Heard, direction: str
) -> None:
    async with BadNetwork("127.0.0.1", hotline_settings.switch.ami_port) as network:
        link = new_link(hotline_settings, hotline_secrets, heard, network.port, **FAST)
        await link.start()
        network.swallows_ours = direction in ("ours", "both")
        network.swallows_theirs = direction in ("theirs", "both")
        begin = time.monotonic()
        await heard.next(LinkLost)
        assert time.monotonic() - begin < 0.5 + 3 * 0.7 + 1
        with pytest.raises(NotSent):
            await link.perform(HangUpChannel("r", "PJSIP/city-1"))
        network.swallows_ours = network.swallows_theirs = False
        network.cut()
        await heard.next(Resynced, since=heard.mark() - 1, within_s=8)
        assert (len(heard.all(LinkLost)), len(heard.all(Resynced))) == (1, 2)
        await link.stop()


async def test_the_deadlines_in_force_notice_a_dead_link_within_ten_seconds() -> None:
    assert PING_EVERY_S + PING_DEADLINE_S < 10


async def test_what_was_asked_before_a_loss_is_never_sent_after_it(
    link: Link, heard: Heard, city: City, hotline_settings: Settings, hotline_secrets: Secrets
) -> None:
    _, _, channel, _ = await talk(link, heard, city)
    mine = Heard()
    async with BadNetwork("127.0.0.1", hotline_settings.switch.ami_port) as network:
        other = new_link(hotline_settings, hotline_secrets, mine, network.port, **FAST)
        await other.start()
        network.swallows_ours = True
        call = asyncio.create_task(
            other.perform(CallThirdParty("r", f"tp-{channel.uid}-9", "110", channel.uid, ""))
        )
        await asyncio.sleep(0.1)
        network.cut()
        network.swallows_ours = False
        with pytest.raises(OutcomeUnknown):
            await call
        await mine.next(LinkLost)
        await mine.next(Resynced, since=2)
        await other.perform(PauseMember("r", SEAT, True, "会议"))
        await mine.next(MemberPaused)
        await other.stop()
    assert not [event for event in heard.all(ChannelCreated) if event.channel.uid.startswith("tp-")]
    assert not [leg for leg in city.parties() if leg.number == "110"]


async def test_looks_asked_for_at_once_are_few_and_events_keep_their_order(
    link: Link, heard: Heard, city: City
) -> None:
    since = heard.mark()
    await asyncio.gather(*(link.resync() for _ in range(50)))
    assert 1 <= len(heard.all(Resynced, since)) <= 2


async def test_a_killed_asterisk_is_a_lost_link_and_its_return_a_fresh_look(
    link: Link, heard: Heard, city: City, hotline_node: Node, hotline_settings: Settings,
    hotline_secrets: Secrets,
) -> None:  # fmt: skip
    citizen, _, channel, _ = await talk(link, heard, city)
    since = heard.mark()
    hotline_node.kill()
    await heard.next(LinkLost, since=since, within_s=5)
    assert not link.is_up
    with pytest.raises(NotSent):
        await link.perform(HangUpChannel("r", channel.name))
    await hotline_node.wait()
    files = render(hotline_settings, hotline_secrets, hotline_node.paths)
    await hotline_node.start(files, hotline_ports(hotline_settings))
    again = await heard.next(Resynced, since=since, within_s=10)
    assert again.snapshot.channels == ()
    assert again.snapshot.up_s < 10
    # Whether the membership came back depends on whether Asterisk had written it: it does so once a second.
    assert {member.agent for member in again.snapshot.members} <= {AGENT}
    assert (len(heard.all(LinkLost)), link.counters.losses) == (1, 1)
    await citizen.hang_up()


async def test_an_asterisk_that_stops_in_good_order_says_so_before_the_link_is_lost(
    link: Link, heard: Heard, hotline_node: Node, hotline_settings: Settings, hotline_secrets: Secrets
) -> None:
    await hotline_node.stop()
    await heard.next(LinkLost)
    kinds = [type(event) for event in heard.events if isinstance(event, SwitchStopped | LinkLost)]
    assert kinds == [SwitchStopped, LinkLost]
    files = render(hotline_settings, hotline_secrets, hotline_node.paths)
    await hotline_node.start(files, hotline_ports(hotline_settings))
    await heard.next(Resynced, since=2)


async def test_the_capture_command_records_a_call_without_its_callers_number(
    link: Link, heard: Heard, city: City, hotline_settings: Settings, tmp_path: Path
) -> None:
    await phone_is_back(link, heard, city)
    settings, out = tmp_path / "hotline.toml", tmp_path / "call.ami.gz"
    state, port = hotline_settings.state_dir, hotline_settings.switch.ami_port
    settings.write_text(f'state_dir = "{state}"\n[switch]\nami_port = {port}\n')
    recording = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "ctiserver.ami.capture", "--settings", str(settings), "--out", str(out),
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    assert recording.stdout is not None
    async with asyncio.timeout(10):
        while b"link up" not in await recording.stdout.readline():
            pass
    citizen, seat, channel, _ = await talk(link, heard, city)
    await citizen.hang_up()
    await heard.next(ChannelHungUp, lambda event: event.channel.uid == channel.uid)
    await seat.ended()
    await asyncio.sleep(1)  # the recording has a connection of its own, which may hear of the end later
    recording.send_signal(signal.SIGINT)
    _, words = await recording.communicate()
    assert recording.returncode == 0
    frames = [frame for _, frame in read_trace(out)]
    assert words.decode() == f"{len(frames)} frames in {out}\n"
    told = [event for event in map(translate, frames) if isinstance(event, ChannelCreated | ChannelHungUp)]
    assert [type(event) for event in told if event.channel.uid == channel.uid] == [
        ChannelCreated,
        ChannelHungUp,
    ]
    assert not any(b"13800138000" in frame or "热线".encode() in frame for frame in frames)
