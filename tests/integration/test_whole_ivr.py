"""A whole hotline's IVR with real calls and real keys: what is heard is told by the prompt's own sound."""

from __future__ import annotations

import asyncio
import os
import signal
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio
from sqlalchemy import select

from asterisk_conf.paths import NodePaths
from casework.calendar import china
from casework.case import Case
from casework.deadlines import ProfileName
from casework.moves import Actor, Dispatch
from casework.service import NewCase, history_of, move_case, open_case
from casework.words import Part
from cli.people import give_skills
from cli.run import home_of_switch
from cli.seed import seed
from cli.stage import Stage, stage, stage_settings
from ctiserver import missed
from ctiserver.api.states import Outcome, SeatState
from ctiserver.client import Client
from ctiserver.store.tables import CallbackRow, CallRow
from hotline import clock, standing
from hotline.audit import Deed
from hotline.db import migrate
from hotline.db.engine import Database
from hotline.ivr_settings import IvrSettings, KeySettings, ModeSettings
from hotline.settings import LineSettings, QueueSettings, Settings, SkillSettings
from ivr.catalogue import sounds_of
from ivr.outlook import EVERY_S
from rehearsal import tones
from rehearsal.city import CitizenCall
from rehearsal.ports import free_ports
from tests.integration.hearing import ALIKE, likeness, loudness, what_was_heard
from tests.integration.queue_tools import ENTERPRISE, GENERAL, MERGED
from tests.integration.test_whole_hotline import at_seat, quiet, records

pytestmark = pytest.mark.asyncio(loop_scope="module")

SEAT, AGENT = "8001", "1001"
DEED = Deed(person="9001", role="supervisor", what="ivr.test", whom="test")
KEYS = (
    KeySettings(key="2", does="case", text="查询诉求进度", text_en="your case"),
    KeySettings(key="3", does="queue", queue=ENTERPRISE, text="企业服务"),
    KeySettings(key="4", does="message", text="留言"),
    KeySettings(key="5", does="callback", text="预约回呼"),
    KeySettings(key="9", does="language", language="en", text="For English, press 9"),
)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def there(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Stage]:
    site = Settings(
        queue=QueueSettings(wrapup_s=2, short_abandon_s=1),
        skills=(SkillSettings(id="enterprise", name="企业专席", number=ENTERPRISE),),
        lines=(LineSettings(number=MERGED, queue=GENERAL, label="城建", greeting="您好，这里是城建热线。"),),
        ivr=IvrSettings(
            languages=("zh", "en"),
            keys=KEYS,
            modes=(ModeSettings(id="storm", greeting="强降雨期间，险情请拨119。", queue=ENTERPRISE),),
        ),
    )
    settings = stage_settings(site, tmp_path_factory.mktemp("stage"), seats=2, ports=free_ports(7))
    await migrate.upgrade(settings.database)
    await seed(settings)
    await give_skills(settings, AGENT, {GENERAL: 0, ENTERPRISE: 0})
    async with stage(settings, quiet) as standing_there:
        yield standing_there


@pytest_asyncio.fixture(loop_scope="module")
async def database(there: Stage) -> AsyncIterator[Database]:
    opened = await Database.open(there.settings.database)
    yield opened
    await opened.close()
    await there.city.hang_up_all()


def sounds(there: Stage, language: str = "zh") -> Path:
    return sounds_of(NodePaths(home_of_switch(there.settings)).sounds, language)


async def heard(there: Stage, call: CitizenCall, *prompts: str, language: str = "zh") -> dict[str, float]:
    """At what second of the call each of these prompts was heard; the call is ended for that."""
    played = await what_was_heard(call)
    found = {}
    for prompt in prompts:
        like, at = likeness(played, loudness(tones.read(sounds(there, language) / f"{prompt}.wav")))
        assert like > ALIKE, f"{prompt} was not heard"
        found[prompt] = at
    return found


async def to_the_menu(call: CitizenCall) -> None:
    """A key skips the greeting; the notice is waited for, so that the next key answers the menu."""
    await call.answered()
    await asyncio.sleep(0.6)
    await call.press("#")
    await asyncio.sleep(2.2)


async def a_case(database: Database, citizen: str, *, is_sent: bool = True) -> Case:
    new = NewCase(citizen=citizen, title="路灯不亮", text="东岳大街", unit="住建局", actor=AGENT)
    case = await open_case(database, new, "n1", clock.now().utc_us)
    assert isinstance(case, Case)
    if is_sent:
        move = Dispatch(
            actor=Actor("3001", Part.DISPATCHER), reason="派单", unit="住建局", profile=ProfileName.ONE_DAY
        )
        moved = await move_case(database, case.id, move, clock.now().utc_us, china())
        assert isinstance(moved, Case), moved
        return moved
    return case


async def test_a_caller_hears_where_their_case_stands_urges_it_and_the_agent_sees_the_way(
    there: Stage, database: Database
) -> None:
    case = await a_case(database, "+8613805390001")
    async with at_seat(there, SEAT, AGENT) as client:
        call = await there.city.call("13805390001", n=1)
        await to_the_menu(call)
        await call.press("2")
        await asyncio.sleep(1.5)
        await call.press("1")
        await client.until(lambda seen: seen.seats[SEAT].state is SeatState.TALKING, 30)
        (context,) = client.seen.contexts.values()
        assert f"查询案件 {case.number}" in context.way
        assert context.way.endswith("已催办")
        await call.hang_up()
    async with database.read() as session:
        history = await history_of(session, case.id)
    assert (history[-1].move, history[-1].actor) == ("urge", "ivr")
    (row,) = await records(there, "13805390001")
    assert f".s{case.number}" in row.ivr_path
    assert (row.ivr_path[-2:], row.ivr_failure) == (".q", "")


async def test_another_case_is_found_by_its_number_and_the_last_digits_of_its_phone(
    there: Stage, database: Database
) -> None:
    case = await a_case(database, "+8613805395678")
    call = await there.city.call("13805390002", n=2)
    await to_the_menu(call)
    await call.press("2")
    await asyncio.sleep(0.5)
    await call.press(case.number.replace("-", ""))
    await call.press("5678")
    told = lengths(there, "hotline/case-is", "hotline/case-since", "hotline/case-dispatched")
    await asyncio.sleep(sum(told) + 7)
    said = await heard(there, call, "hotline/case-since", "hotline/case-dispatched")
    assert said["hotline/case-since"] < said["hotline/case-dispatched"]


def lengths(there: Stage, *prompts: str) -> list[float]:
    return [tones.read(sounds(there) / f"{prompt}.wav").seconds for prompt in prompts]


async def test_a_kind_of_matter_leads_to_its_queue_and_0_to_a_person(
    there: Stage, database: Database
) -> None:
    async with at_seat(there, SEAT, AGENT) as client:
        for key, queue in (("3", ENTERPRISE), ("0", GENERAL)):
            call = await there.city.call(f"1380539010{key}", n=3)
            await call.answered()
            await asyncio.sleep(0.6)
            await call.press(key)
            await client.until(lambda seen: seen.seats[SEAT].state is SeatState.TALKING, 30)
            (context,) = client.seen.contexts.values()
            assert [c.queue for c in client.seen.conversations.values()] == [queue], context.way
            await call.hang_up()
            await client.until(lambda seen: seen.seats[SEAT].state is SeatState.READY, 15)


async def test_a_message_is_on_the_list_of_those_to_be_called_back(there: Stage, database: Database) -> None:
    call = await there.city.call("13805390004", n=4)
    await to_the_menu(call)
    await call.press("4")
    await asyncio.sleep(lengths(there, "hotline/message")[0] + 3)
    await call.hang_up()
    (row,) = await records(there, "13805390004")
    assert (row.outcome, row.queue, row.ivr_path[-2:]) == (Outcome.MESSAGE.value, GENERAL, ".v")
    async with database.read() as session:
        listed = await missed.waiting(session, 0, 50)
    assert [each.outcome for each in listed if each.number == "13805390004"] == ["message"]


async def test_english_is_spoken_to_whoever_asks_for_it_and_a_merged_line_greets_as_itself(
    there: Stage, database: Database
) -> None:
    call = await there.city.call("13805390006", dial=MERGED, n=6)
    await call.answered()
    await asyncio.sleep(lengths(there, f"hotline/line-{MERGED}")[0] + 0.5)
    await asyncio.sleep(lengths(there, "hotline/recording")[0] + 0.3)
    await call.press("9")
    length = tones.read(sounds(there, "en") / "hotline/menu.wav").seconds
    await asyncio.sleep(length + 1)
    played = await what_was_heard(call)
    for language, prompt in (("zh", f"hotline/line-{MERGED}"), ("en", "hotline/menu")):
        like, _ = likeness(played, loudness(tones.read(sounds(there, language) / f"{prompt}.wav")))
        assert like > ALIKE, prompt


async def test_110_goes_straight_through_also_out_of_the_menu(there: Stage, database: Database) -> None:
    async with at_seat(there, SEAT, AGENT) as client:
        call = await there.city.call("13805390008", n=8)
        await to_the_menu(call)
        await call.press("110")
        await client.until(lambda seen: seen.seats[SEAT].state is SeatState.TALKING, 30)
        (context,) = client.seen.contexts.values()
        assert context.way == "输入 110"
        await call.hang_up()


async def test_a_storm_greets_otherwise_and_a_typed_announcement_is_heard_within_seconds(
    there: Stage, database: Database
) -> None:
    now_us = clock.now().utc_us
    news = standing.Announcement(
        id="n1", text="泰山区明天8点至17点停水。", queue="", from_us=0, until_us=now_us + 600_000_000
    )
    async with database.begin() as session:
        await standing.announce(session, news, DEED, now_us)
        await standing.switch_mode(session, "storm", DEED, now_us)
    async with asyncio.timeout(20):
        while not (sounds(there) / f"{news.prompt}.wav").is_file():  # noqa: ASYNC110 - a file tells nobody
            await asyncio.sleep(0.1)
    await asyncio.sleep(0.5)
    try:
        call = await there.city.call("13805390007", n=7)
        await call.answered()
        await asyncio.sleep(sum(lengths(there, "hotline/mode-storm", "hotline/recording", news.prompt)) + 1.5)
        said = await heard(there, call, "hotline/mode-storm", news.prompt)
        assert said["hotline/mode-storm"] < said[news.prompt]
        (row,) = await records(there, "13805390007")
        assert (row.queue, ".w" in row.ivr_path) == (ENTERPRISE, True)
    finally:
        async with database.begin() as session:
            await standing.switch_mode(session, "normal", DEED, now_us)
            await standing.withdraw(session, news.id, DEED, now_us)


async def test_an_ivr_that_dies_in_a_prompt_gives_the_caller_to_the_queue_and_the_record_says_why(
    there: Stage, database: Database
) -> None:
    call = await there.city.call("13805390009", n=9)
    await to_the_menu(call)
    died = time.time()
    there.hotline.children["ivr"].kill()
    queued = await queued_at(database, "13805390009")
    assert queued - died < 3
    await call.hang_up()
    (row,) = await records(there, "13805390009")
    assert row.ivr_failure == "broken"
    await there.hotline.children["ivr"].back()


async def test_an_ivr_that_hangs_costs_three_seconds_and_the_record_says_so(
    there: Stage, database: Database
) -> None:
    pid = there.hotline.children["ivr"].pid
    assert pid is not None
    os.kill(pid, signal.SIGSTOP)
    try:
        call = await there.city.call("13805390012", n=12)
        answered = await call.answered()
        assert await queued_at(database, "13805390012") - answered < 3
    finally:
        os.kill(pid, signal.SIGCONT)
    await call.hang_up()
    (row,) = await records(there, "13805390012")
    assert (row.ivr_failure, row.ivr_path) == ("late", "")


async def test_a_nuisance_caller_is_told_so_and_served_after_those_who_came_later(
    there: Stage, database: Database
) -> None:
    now_us = clock.now().utc_us
    async with database.begin() as session:
        await standing.restrict(session, "+8613805390010", now_us + 600_000_000, DEED, now_us)
    await asyncio.sleep(EVERY_S + 1)
    nuisance = await there.city.call("13805390010", n=10)
    await queued_at(database, "13805390010")
    later = await there.city.call("13805390011", n=11)
    await later.answered()
    await asyncio.sleep(0.6)
    await later.press("0")
    await queued_at(database, "13805390011")
    async with Client(there.push_url, lambda: there.token_for(AGENT, SEAT)) as client:
        await client.until(lambda seen: SEAT in seen.seats)
        await client.ask("seat.sign_in", ready=True)
        await client.until(lambda seen: seen.seats[SEAT].state is SeatState.TALKING, 30)
        talks = [
            c.number
            for c in client.seen.contexts.values()
            if c.conversation == client.seen.seats[SEAT].conversation
        ]
        assert talks == ["13805390011"]
        await client.ask("seat.not_ready", reason="小休")
        await later.hang_up()
        await nuisance.hang_up()
    (row,) = await records(there, "13805390010")
    assert ".b@" in row.ivr_path


async def test_a_callback_is_promised_after_the_number_was_read_and_confirmed(
    there: Stage, database: Database
) -> None:
    call = await there.city.call("13805390005", n=5)
    await to_the_menu(call)
    await call.press("5")
    await asyncio.sleep(lengths(there, "hotline/callback-number")[0] + 2)
    await call.press("1")
    await asyncio.wait_for(call.ended(), 20)
    (row,) = await records(there, "13805390005")
    assert row.outcome == Outcome.CALLBACK.value
    async with database.read() as session:
        place = await session.scalar(select(CallbackRow).where(CallbackRow.conversation == row.conversation))
    assert place is not None
    assert (place.queue, place.state) == (GENERAL, "waiting")


async def queued_at(database: Database, number: str) -> float:
    async with asyncio.timeout(20):
        while True:
            async with database.read() as session:
                row = await session.scalar(select(CallRow).where(CallRow.number == number))
            if row is not None and row.queued_us:
                return row.queued_us / 1e6
            await asyncio.sleep(0.05)
