"""A whole hotline's IVR with real calls and real keys: every way through it, and what it leaves behind."""

from __future__ import annotations

import asyncio
import os
import re
import shutil
import signal
import time
from collections.abc import AsyncIterator

import msgspec
import pytest
import pytest_asyncio
from sqlalchemy import select

from casework.service import cases_of, history_of
from cli.rehearse import ivr_stage_rules
from cli.rehearse_ivr import walk_the_ivr
from cli.stage import Stage, stage, stage_settings
from ctiserver import missed
from ctiserver.api.states import Outcome, SeatState
from ctiserver.client import Client
from ctiserver.store.tables import CallbackRow, CallRow
from hotline.db.engine import Database
from hotline.identity.roles import Role
from hotline.ivr_applied import write_applied
from hotline.ivr_settings import DIALECT, IvrSettings, KeySettings
from hotline.settings import QueueSettings, Settings
from ivr.flows.busy import BUSY
from ivr.flows.busy import CALLBACK as WAIT_CALLBACK
from ivr.flows.greeting import RECORDING as NOTICE
from ivr.outlook import EVERY_S, apply
from ivr.prompts import length_s
from rehearsal.hearing import ALIKE, likeness, prompt_course, what_was_heard
from rehearsal.ports import free_ports
from rehearsal.report import Report, Tried
from rehearsal.walk import number_of
from rehearsal.ways import ELSEWHERE, WAYS
from tests.integration.test_whole_hotline import at_seat, quiet, records

pytestmark = pytest.mark.asyncio(loop_scope="module")

SEAT = "8001"


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def there(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Stage]:
    queue = QueueSettings(wrapup_s=2, short_abandon_s=1)
    site = ivr_stage_rules(Settings(queue=queue, ivr=IvrSettings(wait_s=1)))
    settings = stage_settings(site, tmp_path_factory.mktemp("stage"), seats=1, ports=free_ports(7))
    async with stage(settings, quiet) as standing_there:
        yield standing_there


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def walked(there: Stage) -> Report:
    return await walk_the_ivr(there, 4.0, quiet)


@pytest_asyncio.fixture(loop_scope="module")
async def database(there: Stage) -> AsyncIterator[Database]:
    opened = await Database.open(there.settings.database)
    yield opened
    await opened.close()
    await there.city.hang_up_all()


async def test_an_agent_reads_in_the_pop_what_the_caller_did_before(there: Stage) -> None:
    async with at_seat(there) as client:
        call = await there.city.call("13805390001", n=1)
        await call.answered()
        await asyncio.sleep(0.6)
        await call.press("0")
        await client.until(lambda seen: seen.seats[SEAT].state is SeatState.TALKING, 30)
        (context,) = client.seen.contexts.values()
        assert context.way.endswith("按 0")
        await call.hang_up()


async def test_every_way_through_the_ivr_is_heard_and_kept_as_it_should(walked: Report) -> None:
    assert walked.exercises == dict.fromkeys(WAYS, Tried(1, 1))
    assert (walked.offered, walked.records) == (len(WAYS) + 1, len(WAYS) + 1), (
        "the nuisance caller is not alone"
    )
    assert walked.audio_ok == walked.audio_checked > len(WAYS)
    assert walked.is_right, walked.rows()


async def test_callers_leave_an_urged_case_a_message_on_the_list_and_a_promised_callback(
    there: Stage, walked: Report, database: Database
) -> None:
    async with database.read() as session:
        (case,) = await cases_of(session, f"+86{number_of('case_of_caller')}")
        urged = (await history_of(session, case.id))[-1]
        listed = await missed.waiting(session, 0, 50)
        place = await session.scalar(
            select(CallbackRow)
            .join(CallRow, CallRow.conversation == CallbackRow.conversation)
            .where(CallRow.number == number_of("callback"))
        )
    assert (urged.move, urged.actor) == ("urge", "ivr")
    assert [each.outcome for each in listed if each.number == number_of("message")] == [Outcome.MESSAGE]
    assert place is not None
    assert (place.queue, place.state) == (there.settings.queue.number, "waiting")
    async with Client(there.push_url, lambda: there.token_for("9001", "8901", Role.SUPERVISOR)) as boss:
        await boss.until(lambda seen: seen.linked, 30)
        assert ELSEWHERE in {kept.number for kept in boss.seen.callbacks.values()}


async def test_an_ivr_that_dies_in_a_prompt_gives_the_caller_to_the_queue_and_the_record_says_why(
    there: Stage, database: Database
) -> None:
    call = await there.city.call("13805390009", n=9)
    await call.answered()
    await asyncio.sleep(0.6)
    died = time.time()
    there.hotline.children["ivr"].kill()
    assert await queued_at(database, "13805390009") - died < 3
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


async def garbage(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """What an IVR out of its mind answers, and goes on to hold the line until the switch lets go of it."""
    for line in (b"\xff\xfe\x00\r\n", b"SAY NUMBER\n", b"STREAM FILE " + b"x" * 5000 + b"\n", b"EXEC\n") * 20:
        writer.write(line)
    await reader.read()
    writer.close()


async def nothing(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """An IVR that takes the call and ends."""
    writer.close()


async def test_an_ivr_that_is_dead_talks_garbage_or_ends_at_once_costs_three_seconds_and_the_record_says_why(
    there: Stage, database: Database
) -> None:
    settings, keeper = there.settings.ivr, there.hotline.children["ivr"]
    await keeper.stop()
    try:
        for n, (answers, why) in enumerate(
            ((None, "unreachable"), (garbage, "late"), (nothing, "broken")), start=21
        ):
            number = f"138053900{n}"
            server = answers and await asyncio.start_server(answers, settings.host, settings.port)
            call = await there.city.call(number, n=n)
            answered = await call.answered()
            assert await queued_at(database, number) - answered < 3, why
            await call.hang_up()
            (row,) = await records(there, number)
            assert (row.ivr_failure, row.ivr_path) == (why, "")
            if server:
                server.close()
    finally:
        await keeper.start()


async def test_keys_that_are_tones_in_the_sound_are_understood_like_events(
    there: Stage, walked: Report, database: Database
) -> None:
    call = await there.city.call("13805390030", n=4, has_tones=True)
    await call.answered()
    await asyncio.sleep(0.8)
    await call.press("3")
    await queued_at(database, call.number)
    await call.hang_up()
    (row,) = await records(there, call.number)
    assert re.sub("@[0-9]+", "", row.ivr_path) == "g.r.m3.q"


async def test_who_presses_wrong_keys_without_end_comes_to_a_person_like_anybody(
    there: Stage, walked: Report, database: Database
) -> None:
    call = await there.city.call("13805390031", n=5)
    await call.answered()
    flood = asyncio.create_task(call.press("78*#" * 2500))
    await queued_at(database, call.number)
    flood.cancel()
    await call.hang_up()
    (row,) = await records(there, call.number)
    assert row.ended_us - row.started_us < 60_000_000
    assert (row.ivr_failure, row.queue) == ("", there.settings.queue.number)


async def test_who_would_wait_long_is_offered_a_message_and_leaves_one(
    there: Stage, walked: Report, database: Database
) -> None:
    site = there.settings
    write_applied(
        msgspec.structs.replace(site, ivr=msgspec.structs.replace(site.ivr, keys=(), offer_from_s=60))
    )
    await asyncio.sleep(EVERY_S + 0.5)
    call = await there.city.call("13805390032", n=6)
    await call.answered()
    await asyncio.sleep(0.8)
    await call.press("#")
    sounds = there.hotline.node.paths.sounds
    await asyncio.sleep(sum(length_s(sounds, name) or 99 for name in (NOTICE, BUSY, WAIT_CALLBACK)))
    await call.press("*")
    await asyncio.sleep((length_s(sounds, "hotline/message") or 99) + 3)
    heard = await what_was_heard(call)
    for prompt in (BUSY, WAIT_CALLBACK, "hotline/message"):
        assert likeness(heard, prompt_course(sounds, prompt))[0] > ALIKE, prompt
    (row,) = await records(there, call.number)
    assert (row.outcome, re.sub("@[0-9]+", "", row.ivr_path)) == (Outcome.MESSAGE, "g.r.f*.v")


async def test_who_chooses_the_dialect_hears_its_recordings_and_mandarin_where_there_is_none(
    there: Stage, database: Database
) -> None:
    site, sounds = there.settings, there.hotline.node.paths.sounds
    studio = site.state / "studio"
    for path in (sounds / "hotline").glob("*.wav"):
        if path.stem not in ("wait-long", "line-19903"):
            recorded = studio / DIALECT / "hotline" / path.name
            recorded.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(sounds / "hotline/rating.wav" if path.stem == "menu" else path, recorded)
    keys = (
        KeySettings(key="8", does="language", language=DIALECT, text="说方言请按8"),
        KeySettings(key="4", does="message", text="留言"),
    )
    ivr = msgspec.structs.replace(
        site.ivr, languages=(*site.ivr.languages, DIALECT), studio=str(studio), keys=keys, offer_from_s=60
    )
    await asyncio.to_thread(apply, msgspec.structs.replace(site, ivr=ivr), sounds)
    await asyncio.sleep(EVERY_S + 0.5)
    call = await there.city.call("13805390033", n=7)
    await call.answered()
    await asyncio.sleep(0.8)
    await call.press("8")
    await queued_at(database, call.number, 60)
    heard = await what_was_heard(call)
    for prompt in ("hotline/rating", BUSY):  # what was recorded as the menu; what was not recorded
        assert likeness(heard, prompt_course(sounds, prompt))[0] > ALIKE, prompt
    (row,) = await records(there, call.number)
    assert re.sub("@[0-9]+", "", row.ivr_path) == "g.r.m8.l.m.f.q"


async def queued_at(database: Database, number: str, within_s: float = 20) -> float:
    async with asyncio.timeout(within_s):
        while True:
            async with database.read() as session:
                row = await session.scalar(select(CallRow).where(CallRow.number == number))
            if row is not None and row.queued_us:
                return row.queued_us / 1e6
            await asyncio.sleep(0.05)
