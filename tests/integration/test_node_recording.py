"""Owns the tests of what Asterisk keeps of a call: the recording (录音) and the channel event log."""

import asyncio
import csv
import time
from pathlib import Path

import pytest

from asterisk_conf.node import Node
from asterisk_conf.render import CEL_FIELDS
from rehearsal import tones
from rehearsal.city import City, answer
from rehearsal.switchboard import Switchboard

pytestmark = pytest.mark.asyncio(loop_scope="module")

SETTLE_S = 0.4


async def closed(recording: Path) -> tones.Recording:
    """The recording, once its call has ended and Asterisk has finished the file."""
    async with asyncio.timeout(5):
        while not tones.is_complete(recording):  # noqa: ASYNC110 - another process writes it
            await asyncio.sleep(0.05)
    return tones.read(recording)


async def test_a_recording_goes_on_from_the_queue_into_a_room_and_after_the_seat_has_left(
    city: City, hotline_node: Node, cti_ami: Switchboard
) -> None:
    await cti_ami.act("QueueAdd", Queue="12345", Interface="PJSIP/8001", MemberName="1001")
    await city.behave("110", answer(0.1))
    citizen = await city.call("13800138000", n=5)
    seat = await city.leg("8001")
    await seat.answered()
    await asyncio.sleep(1.0)
    uniqueid = await into_a_room_with_110(cti_ami)
    police = await city.leg("110")
    await police.answered()
    await asyncio.sleep(1.0)
    await city.hang_up(seat)
    await seat.ended()
    await asyncio.sleep(1.0)
    await citizen.hang_up()
    ended = time.time()
    await police.ended()
    await cti_ami.act("QueueRemove", Queue="12345", Interface="PJSIP/8001")
    folder = hotline_node.paths.recordings
    said = await closed(folder / f"{uniqueid}-citizen.wav")
    heard = await closed(folder / f"{uniqueid}-hotline.wav")
    assert abs(said.seconds - heard.seconds) < 0.2
    assert abs(said.seconds - (ended - citizen.answered_at)) < 1.0
    assert tones.share(said, citizen.hz, start_s=SETTLE_S, end_s=said.seconds - SETTLE_S) > 0.97
    assert tones.share(said, seat.hz) == tones.share(heard, citizen.hz) == 0.0
    assert tones.share(heard, seat.hz) > 0.3
    assert tones.share(heard, police.hz, start_s=heard.seconds - 1.0, end_s=heard.seconds - SETTLE_S) > 0.9


async def into_a_room_with_110(cti_ami: Switchboard) -> str:
    """Make the one conversation a room and call the police into it; returns the citizen's Uniqueid."""
    channels = {c["Channel"].split("-")[0]: c for c in await cti_ami.list("CoreShowChannels")}
    caller, phone = channels["PJSIP/city"], channels["PJSIP/8001"]
    room = caller["Uniqueid"]
    await cti_ami.act(
        "Redirect", Channel=caller["Channel"], Context="room-citizen", Exten=room, Priority="1",
        ExtraChannel=phone["Channel"], ExtraContext="room-seat", ExtraExten=room, ExtraPriority="1",
    )  # fmt: skip
    await cti_ami.act(
        "Originate", Channel="PJSIP/110@city", ChannelId=f"tp-{room}-1", Context="room-third", Exten=room,
        Priority="1", CallerID="<12345>", Timeout="30000", Async="true",
    )  # fmt: skip
    return room


async def test_when_the_seat_hangs_up_the_citizen_is_thanked_and_let_go(
    city: City, hotline_node: Node, cti_ami: Switchboard
) -> None:
    await cti_ami.act("QueueAdd", Queue="12345", Interface="PJSIP/8002", MemberName="1002")
    citizen = await city.call("13800138001", n=6)
    seat = await city.leg("8002")
    await seat.answered()
    await cti_ami.act("QueueRemove", Queue="12345", Interface="PJSIP/8002")
    await city.hang_up(seat)
    await citizen.ended()
    last = await last_event(hotline_node, "13800138001")
    assert (last["CHANNEL(context)"], last["CHANNEL(exten)"]) == ("farewell", "s")


@pytest.mark.parametrize("name", [rb"He said \"hi\", twice", b"${SHELL(id)}", b"a;b|c,d", "市民".encode()])
async def test_a_name_with_marks_in_it_breaks_no_line_of_the_channel_event_log(
    city: City, hotline_node: Node, name: bytes
) -> None:
    before = {row["CHANNEL(uniqueid)"] for row in events(hotline_node)}
    caller = await city.raw_call(b'"' + name + b'" <sip:13800138002@127.0.0.2>')
    await caller.settled()
    await caller.hang_up()
    added = [row for row in events(hotline_node) if row["CHANNEL(uniqueid)"] not in before]
    assert added[0]["eventtype"] == "CHAN_START"
    assert {row["CALLERID(num)"] for row in added} == {"13800138002"}
    assert all(abs(float(row["eventtime"]) - time.time()) < 10 for row in added)


async def last_event(node: Node, number: str) -> dict[str, str]:
    """The row with which the caller's channel ended; the city hears of the end before that row is written."""
    async with asyncio.timeout(5):
        while True:
            rows = [row for row in events(node) if row["CALLERID(num)"] == number]
            if rows and rows[-1]["eventtype"] in ("CHAN_END", "LINKEDID_END"):
                return rows[-1]
            await asyncio.sleep(0.05)


def events(node: Node) -> list[dict[str, str]]:
    with node.paths.cel.open(newline="", encoding="utf-8") as file:
        rows = list(csv.reader(file))
    assert {len(row) for row in rows} == {len(CEL_FIELDS)}
    return [dict(zip(CEL_FIELDS, row, strict=True)) for row in rows]
