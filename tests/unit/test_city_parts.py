"""The city's parts without a switch: a leg's life and what it heard, the files, the AMI wire."""

from __future__ import annotations

import asyncio
import math
import re
import time
import wave
from array import array
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from asterisk_conf.paths import NodePaths
from asterisk_conf.render import seat_password
from hotline.errors import AmiRefused, SwitchUnavailable
from hotline.secret import Secrets
from hotline.settings import SeatSettings, Settings
from rehearsal import tones
from rehearsal.city import answer, busy
from rehearsal.config import CityPlan, render_city
from rehearsal.legs import CallEnded, Kind, Leg, State
from rehearsal.switchboard import Event, Switchboard

PLAN = CityPlan(host="127.0.0.2", sip_port=5070, ami_port=5071, rtp_first=12000, rtp_last=12999)
SECRETS = Secrets(
    ami_cti="c" * 9, ami_system="s" * 9, push_key="p" * 9, seat_key="k" * 9, session_key="z" * 9
)


def leg(path: Path = Path("none.wav"), answered_at: float | None = None) -> Leg:
    made = Leg("u.1", Kind.SEAT, "8001", 1000, path)
    made.on_event({"Event": "Newchannel", "Channel": "PJSIP/hotline-1"})
    if answered_at is not None:
        made.on_event({"Event": "UserEvent", "UserEvent": "Talking", "Since": str(answered_at)})
    return made


def record(path: Path, *stretches: tuple[int, float]) -> Path:
    """A recording of one tone after the other, each (hz, seconds); it is never seen half written."""
    samples = array("h")
    for hz, seconds in stretches:
        count = round(seconds * tones.RATE)
        samples.extend(round(7000 * math.sin(math.tau * hz * i / tones.RATE)) for i in range(count))
    aside = path.with_suffix(".new")
    with wave.open(str(aside), "wb") as file:
        file.setparams((1, 2, tones.RATE, 0, "NONE", ""))
        file.writeframes(samples.tobytes())
    return aside.replace(path)


async def test_a_leg_is_called_talks_and_ends() -> None:
    one = leg()
    assert (one.state, one.channel) == (State.CALLING, "PJSIP/hotline-1")
    one.on_event({"Event": "UserEvent", "UserEvent": "Talking", "Since": "1700000000.250"})
    assert one.state is State.TALKING
    assert await one.answered() == 1700000000.25
    one.on_event({"Event": "Hangup", "Cause": "16"})
    assert await one.ended() == 16
    assert await one.answered() == 1700000000.25, "that it was answered stays true"
    one.on_event({"Event": "Hangup", "Cause": "26"})
    assert one.cause == 16


async def test_everyone_who_waits_for_a_leg_is_told_at_once() -> None:
    one = leg()
    waiting = [
        asyncio.create_task(one.answered(1)),
        asyncio.create_task(one.ended(1)),
        asyncio.create_task(one.pressed("1", 1)),
    ]
    await asyncio.sleep(0)
    one.on_event({"Event": "DTMFEnd", "Direction": "Sent", "Digit": "1"})
    assert one.keys == ""
    one.on_event({"Event": "Hangup", "Cause": "17"})
    first, second, third = await asyncio.gather(*waiting, return_exceptions=True)
    assert isinstance(first, CallEnded)
    assert second == 17
    assert isinstance(third, CallEnded)


async def test_a_call_that_never_came_to_be_is_over() -> None:
    one = Leg("citizen-1-1", Kind.CITIZEN, "138", 420, Path("none.wav"))
    one.on_event({"Event": "OriginateResponse", "Response": "Success"})
    assert one.state is State.CALLING
    one.on_event({"Event": "OriginateResponse", "Response": "Failure"})
    assert await one.ended() == 0
    with pytest.raises(CallEnded):
        await one.present()


async def test_moments_become_places_in_the_recording(tmp_path: Path) -> None:
    begin = time.time() - 3
    one = leg(record(tmp_path / "a.wav", (500, 1.0), (1200, 1.0), (500, 0.4)), begin)
    one.end(16)
    assert await one.share(500, begin, begin + 1) == 1.0
    assert await one.share(500, begin + 1, begin + 2) == 0.0
    assert await one.heard(1200, begin + 1, begin + 2)
    assert await one.longest_gap_ms(500) in range(980, 1021)
    assert await one.longest_gap_ms(500, begin, begin + 0.9) == 0
    assert await one.share(1200) == pytest.approx(5 / 12)


@pytest.mark.slow
async def test_sound_that_a_busy_machine_lost_moves_no_moment_of_a_long_call(tmp_path: Path) -> None:
    begin = time.time() - 300
    one = leg(record(tmp_path / "a.wav", (500, 299.5)), begin)
    one.end(16)
    one.ended_at = begin + 300
    assert await one.share(500, begin + 299, begin + 300) == 1.0


async def test_a_leg_still_talking_is_waited_for(tmp_path: Path) -> None:
    path = tmp_path / "a.wav"
    one = leg(path, time.time() - 1)
    judging = asyncio.create_task(one.heard(500, until=one.answered_at + 0.8 if one.answered_at else None))
    await asyncio.sleep(0.15)
    record(path, (500, 0.2))
    await asyncio.sleep(0.15)
    assert not judging.done()
    record(path, (500, 1.0))
    assert await judging


async def test_who_was_never_answered_has_heard_nothing() -> None:
    with pytest.raises(CallEnded, match="never answered"):
        await leg().heard(500)


def test_the_citys_files_are_the_same_each_time_and_hold_a_phone_for_every_seat_and_supervisor() -> None:
    paths, settings = (
        NodePaths(Path("/srv/city")),
        Settings(state_dir="/srv", seats=SeatSettings(first=7000, count=12)),
    )
    files = render_city(paths, settings, SECRETS, PLAN, "w" * 9)
    assert files == render_city(paths, settings, SECRETS, PLAN, "w" * 9)
    for seat in settings.phone_ids:
        assert f"password={seat_password(SECRETS, seat)}\n" in files["pjsip.conf"]
        assert f"contact_user={seat}\n" in files["pjsip.conf"]
    assert files["pjsip.conf"].count("type=registration") == 16
    assert "bind=127.0.0.2:5070\n" in files["pjsip.conf"]
    assert "exten => 7011,1,Set(HZ=1110)" in files["extensions.conf"]
    assert "exten => 110,1,Set(HZ=2000)" in files["extensions.conf"]
    assert "rtpstart=12000\nrtpend=12999\n" in files["rtp.conf"]


def test_secrets_stand_only_where_asterisk_needs_them() -> None:
    files = render_city(NodePaths(Path("/srv/city")), Settings(state_dir="/srv"), SECRETS, PLAN, "w" * 9)
    assert [name for name, text in files.items() if "w" * 9 in text] == ["manager.conf"]
    assert [name for name, text in files.items() if seat_password(SECRETS, "8001") in text] == ["pjsip.conf"]
    assert not any(
        word in text for text in files.values() for word in ("ccccccccc", "kkkkkkkkk", "zzzzzzzzz")
    )


def test_a_city_that_keeps_no_sound_still_plays_its_tones() -> None:
    silent = CityPlan(host="127.0.0.2", sip_port=1, ami_port=2, rtp_first=3, rtp_last=4, recording=False)
    texts = [
        render_city(NodePaths(Path("/srv/city")), Settings(state_dir="/srv"), SECRETS, plan, "w")[
            "extensions.conf"
        ]
        for plan in (PLAN, silent)
    ]
    assert ["MixMonitor(" in text for text in texts] == [True, False]
    assert all("PlayTones(" in text for text in texts)


def test_behaviour_is_written_as_the_dialplan_reads_it() -> None:
    assert answer().text() == "answer,0.8,0,0"
    assert answer(2, slow_s=1.5, hang_up_after_s=30).text() == "answer,2,1.5,30"
    assert busy(slow_s=0.25).text() == "busy,0,0.25,0"


Reply = Callable[[dict[str, str]], bytes]


@asynccontextmanager
async def ami(
    reply: Reply, piece: int = 1 << 16
) -> AsyncIterator[tuple[Switchboard, list[Event], list[str]]]:
    """A switchboard logged in to a server that answers each action by `reply`, in pieces of so many bytes."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"Asterisk Call Manager/11.0.0\r\n")
        while head := await reader.readuntil(b"\r\n\r\n"):
            action = dict(line.split(": ", 1) for line in head.decode().strip().split("\r\n"))
            answer = b"Response: Success\r\nActionID: %s\r\n\r\n" % action["ActionID"].encode()
            data = answer if action["Action"] == "Login" else reply(action)
            if not data:
                writer.close()
                return
            for at in range(0, len(data), piece):
                writer.write(data[at : at + piece])
                await writer.drain()
                await asyncio.sleep(0)

    async def until_closed(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await serve(reader, writer)
        except (asyncio.IncompleteReadError, ConnectionError):
            writer.close()

    server = await asyncio.start_server(until_closed, "127.0.0.1", 0)
    events: list[Event] = []
    lost: list[str] = []
    board = Switchboard(events.append, lambda: lost.append("lost"))
    await board.connect("127.0.0.1", server.sockets[0].getsockname()[1], "city", "word")
    yield board, events, lost
    board.close()
    server.close()
    await server.wait_closed()


async def test_names_survive_a_wire_that_delivers_single_bytes() -> None:
    event = "Event: Newchannel\r\nUniqueid: 1\r\nCallerIDName: 市民热线😀\r\n\r\n".encode()
    async with ami(
        lambda a: event + b"Response: Success\r\nActionID: %s\r\n\r\n" % a["ActionID"].encode(), 1
    ) as (board, events, _):
        await board.act("Ping")
        assert [dict(e)["CallerIDName"] for e in events] == ["市民热线😀"]


async def test_the_outcome_of_a_call_is_an_event_even_before_the_answer_to_its_action() -> None:
    def reply(action: dict[str, str]) -> bytes:
        mark = action["ActionID"].encode()
        return (
            b"Event: OriginateResponse\r\nActionID: %s\r\nResponse: Failure\r\n\r\n" % mark
            + b"Response: Success\r\nActionID: %s\r\nMessage: Originate successfully queued\r\n\r\n" % mark
        )

    async with ami(reply) as (board, events, _):
        answer = await board.act("Originate", ActionID="citizen-1-1", Async="true")
        assert answer.message == "Originate successfully queued"
        assert [(e["Event"], e["ActionID"]) for e in events] == [("OriginateResponse", "citizen-1-1")]


async def test_a_refusal_carries_asterisks_words() -> None:
    async with ami(
        lambda a: (
            b"Response: Error\r\nActionID: %s\r\nMessage: Permission denied\r\n\r\n" % a["ActionID"].encode()
        )
    ) as (board, _, lost):
        with pytest.raises(AmiRefused, match="Permission denied"):
            await board.act("Command")
        with pytest.raises(AmiRefused, match="Permission denied"):
            await board.list("PJSIPShowContacts")
        assert lost == []


async def test_no_line_break_gets_into_an_action() -> None:
    async with ami(lambda _a: b"") as (board, _, _lost):
        for mark in "\r\n\0":
            with pytest.raises(ValueError, match="one line"):
                await board.act("Setvar", Value=f"x{mark}Action: Originate")


async def test_an_action_in_flight_is_given_up_with_its_connection_and_never_sent_again() -> None:
    async with ami(lambda _a: b"") as (board, _, lost):
        with pytest.raises(SwitchUnavailable, match="Originate"):
            await board.act("Originate")
        with pytest.raises(SwitchUnavailable, match="closed"):
            await board.act("Ping")
        assert lost == ["lost"]


async def test_a_closed_switchboard_was_not_lost() -> None:
    async with ami(lambda _a: b"") as (board, _, lost):
        board.close()
        await asyncio.sleep(0.01)
        assert lost == []


async def test_where_nobody_listens_the_address_is_named() -> None:
    with pytest.raises(SwitchUnavailable, match=re.escape("127.0.0.1:1")):
        await Switchboard(lambda _event: None).connect("127.0.0.1", 1, "city", "word")
