"""The greeting as a citizen hears it, from a real Asterisk and a real IVR; afterwards the queue."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio
from structlog.testing import capture_logs

from asterisk_conf.node import Node
from hotline.secret import Secrets
from hotline.settings import Settings
from ivr.app import IvrServer, serve
from ivr.prompts import render_all
from rehearsal import tones
from rehearsal.city import City
from rehearsal.hearing import ALIKE, course, likeness, what_was_heard
from rehearsal.lobby import Lobby

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest.fixture(scope="module")
def sounds(hotline_node: Node, hotline_settings: Settings) -> Path:
    """The hotline's sounds, with all prompts in them."""
    render_all(hotline_node.paths.sounds, city=hotline_settings.city)
    return hotline_node.paths.sounds


@pytest_asyncio.fixture(loop_scope="module")
async def ivr(hotline_settings: Settings, sounds: Path) -> AsyncIterator[IvrServer]:
    server = await serve(hotline_settings)
    yield server
    await server.stop()


@pytest_asyncio.fixture(loop_scope="module")
async def queue(city: City, hotline_settings: Settings, hotline_secrets: Secrets) -> AsyncIterator[Lobby]:
    """The queue, watched; when the test is over nobody is on the line."""
    switch = hotline_settings.switch
    async with Lobby.open(switch.host, switch.ami_port, hotline_secrets.ami_cti) as seen:
        yield seen
        await city.hang_up_all()


async def test_a_citizen_hears_the_greeting_then_the_notice_then_waits_in_the_queue(
    city: City, ivr: IvrServer, queue: Lobby, sounds: Path
) -> None:
    with capture_logs() as logs:
        call = await city.call("13800138001", n=1)
        answered = await call.answered()
        joined = await queue.has("13800138001", within_s=16)
    heard = await what_was_heard(call)
    greeting = tones.read(sounds / "hotline/greeting.wav")
    notice = tones.read(sounds / "hotline/recording.wav")
    like_greeting, greeting_at = likeness(heard, course(greeting))
    like_notice, notice_at = likeness(heard, course(notice))
    assert like_greeting > ALIKE
    assert like_notice > ALIKE
    assert greeting_at < 1
    assert notice_at == pytest.approx(greeting_at + greeting.seconds, abs=0.3)
    assert joined - answered == pytest.approx(greeting.seconds + notice.seconds, abs=1)
    outcomes = [entry["outcome"] for entry in logs if entry["event"] == "call_served"]
    assert outcomes == ["heard"]


async def test_a_key_skips_to_the_notice_which_is_heard_whole_whatever_is_pressed(
    city: City, ivr: IvrServer, queue: Lobby, sounds: Path
) -> None:
    notice = tones.read(sounds / "hotline/recording.wav")
    with capture_logs() as logs:
        call = await city.call("13800138002", n=2)
        await call.answered()
        await asyncio.sleep(0.8)
        pressed = time.time()
        await call.press("555")
        joined = await queue.has("13800138002", within_s=8)
    heard = await what_was_heard(call)
    assert joined - pressed == pytest.approx(notice.seconds, abs=0.8)
    assert likeness(heard, course(notice))[0] > ALIKE
    assert [entry["outcome"] for entry in logs if entry["event"] == "call_served"] == ["skipped"]


async def test_who_types_110_comes_before_everybody_who_waits(
    city: City, ivr: IvrServer, queue: Lobby
) -> None:
    waiting = await city.call("13800138020", n=20)
    await queue.has("13800138020", within_s=16)
    with capture_logs() as logs:
        call = await city.call("13800138021", n=21)
        await call.answered()
        await asyncio.sleep(0.5)
        await call.press("110")
        await queue.has("13800138021", within_s=3)
    assert queue.place["13800138021"] == "1"
    (line,) = [entry for entry in logs if entry["event"] == "ivr_emergency"]
    assert line["path"].endswith(".e110")
    await waiting.hang_up()


async def test_an_ivr_that_hangs_after_its_first_prompt_costs_the_caller_three_seconds(
    city: City, ivr: IvrServer, queue: Lobby, sounds: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def hangs(*_: object) -> None:
        await asyncio.Event().wait()

    monkeypatch.setattr("ivr.call.Call.tell", hangs)
    call = await city.call("13800138022", n=22)
    answered = await call.answered()
    joined = await queue.has("13800138022", within_s=16)
    assert joined - answered < tones.read(sounds / "hotline/greeting.wav").seconds + 3.2


async def test_the_queue_tells_its_second_caller_the_place_in_mandarin(
    city: City, ivr: IvrServer, queue: Lobby, sounds: Path
) -> None:
    calls = [await city.call(f"1380013801{n}", n=n) for n in (1, 2)]
    for call in calls:
        await call.answered()
        await asyncio.sleep(0.5)
        await call.press("#")
        await queue.has(call.number, within_s=5)
    place, thanks = (tones.read(sounds / f"{name}.wav") for name in ("queue-thereare", "queue-thankyou"))
    number = sum(tones.read(sounds / f"{name}.wav").seconds for name in ("digits/2", "queue-callswaiting"))
    await asyncio.sleep(place.seconds + number + thanks.seconds + 1.5)
    first, second = [await what_was_heard(call) for call in calls]
    assert likeness(first, course(tones.read(sounds / "queue-youarenext.wav")))[0] > ALIKE
    like_place, place_at = likeness(second, course(place))
    like_thanks, thanks_at = likeness(second, course(thanks))
    assert like_place > ALIKE
    assert like_thanks > ALIKE
    assert thanks_at - place_at - place.seconds == pytest.approx(number, abs=0.3)


async def test_a_citizen_who_hangs_up_inside_the_greeting_leaves_nothing_behind(
    city: City, ivr: IvrServer, queue: Lobby
) -> None:
    with capture_logs() as logs:
        call = await city.call("13800138003", n=3)
        await call.answered()
        await asyncio.sleep(1)
        assert ivr.calls == 1
        await call.hang_up()
        async with asyncio.timeout(3):
            while ivr.calls:  # noqa: ASYNC110 - the server tells nobody when a call ends
                await asyncio.sleep(0.02)
    assert [entry["outcome"] for entry in logs if entry["event"] == "call_served"] == ["caller_gone"]
    assert "13800138003" not in queue.joined


async def test_a_greeting_that_is_missing_costs_the_citizen_only_that_sentence(
    city: City, ivr: IvrServer, queue: Lobby, sounds: Path
) -> None:
    away = sounds / "hotline/greeting.away"
    (sounds / "hotline/greeting.wav").rename(away)
    try:
        call = await city.call("13800138004", n=4)
        await call.answered()
        await queue.has("13800138004", within_s=16)
        heard = await what_was_heard(call)
    finally:
        away.rename(sounds / "hotline/greeting.wav")
    like, at = likeness(heard, course(tones.read(sounds / "hotline/recording.wav")))
    assert like > ALIKE
    assert at < 1


async def test_an_ivr_that_stops_inside_the_greeting_gives_the_citizen_to_the_queue_at_once(
    city: City, ivr: IvrServer, queue: Lobby
) -> None:
    call = await city.call("13800138006", n=6)
    await call.answered()
    await asyncio.sleep(1)
    assert ivr.calls == 1
    stopped = time.time()
    await ivr.stop(grace_s=0)
    assert await queue.has("13800138006", within_s=5) - stopped < 1


async def test_a_hotline_without_its_ivr_takes_the_call_to_the_queue_at_once(
    city: City, hotline_settings: Settings, queue: Lobby, sounds: Path
) -> None:
    call = await city.call("13800138005", n=5)
    answered = await call.answered()
    assert await queue.has("13800138005", within_s=5) - answered < 1


async def test_no_prompt_was_missing_but_the_one_we_hid(hotline_node: Node) -> None:
    lines = hotline_node.log.read_text().splitlines()
    missing = [line for line in lines if "does not exist" in line or "Unable to open" in line]
    assert [line for line in missing if "hotline/greeting" not in line] == []
