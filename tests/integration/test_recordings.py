"""Recordings of real calls, from Asterisk's WAVs to what a supervisor hears; an archive killed at work."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import aiohttp
import msgspec
import pytest
import pytest_asyncio
from sqlalchemy import select

from asterisk_conf.paths import NodePaths
from cli import audit as audit_of
from cli.run import home_of_switch
from cli.seed import demo_password
from cli.stage import Stage, stage, stage_settings
from cli.status import Part, look
from ctiserver.archive import health
from ctiserver.archive.rules import Direction
from ctiserver.archive.tables import RecordingRow
from ctiserver.client import Client
from ctiserver.store.tables import CallRow
from hotline import audit
from hotline.db.engine import Database
from hotline.db.migrate import upgrade
from hotline.settings import QueueSettings, Settings
from rehearsal import tones
from rehearsal.city import CitizenCall
from rehearsal.legs import Leg
from rehearsal.ports import free_ports
from tests.integration.test_whole_hotline import AGENT, SEAT, at_seat, quiet, records, talking
from tests.unit.archive_room import Room, decoded, sha256
from tests.unit.test_audit import meddle, run
from tests.unit.test_desk import Browser

pytestmark = pytest.mark.asyncio(loop_scope="module")

ROOT = Path(__file__).parents[2]
TALK_S = 3.0
SETTLE_S = 0.6
EDGE_S = 0.4
"""A tone's edge lies somewhere in here."""


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def there(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Stage]:
    site = Settings(queue=QueueSettings(wrapup_s=2, short_abandon_s=1))
    state = tmp_path_factory.mktemp("stage")
    async with stage(stage_settings(site, state, seats=8, ports=free_ports(7)), quiet) as standing:
        yield standing


async def recordings(there: Stage, conversation: str, within_s: float = 20) -> dict[str, RecordingRow]:
    """What the archive has written about a conversation, by direction, once it has."""
    database = await Database.open(there.settings.database)
    try:
        deadline = time.monotonic() + within_s
        while True:
            async with database.read() as session:
                query = select(RecordingRow).where(RecordingRow.conversation == conversation)
                rows = {row.direction: row for row in await session.scalars(query)}
            if rows or time.monotonic() > deadline:
                return rows
            await asyncio.sleep(0.1)
    finally:
        await database.close()


async def a_call(there: Stage, n: int) -> tuple[CitizenCall, Leg, CallRow]:
    """A whole call: waited, talked, hung up by the citizen."""
    async with at_seat(there) as client:
        citizen, seat = await talking(there, client, n)
        await asyncio.sleep(TALK_S)
        await citizen.hang_up()
        await seat.ended()
    (row,) = await records(there, citizen.number)
    return citizen, seat, row


def heard(there: Stage, row: RecordingRow, folder: Path) -> tones.Recording:
    """A recording as the judge of tones takes it."""
    flac, wav = there.settings.recordings / row.path, folder / f"{row.direction}.wav"
    subprocess.run(["flac", "--silent", "--force", "--decode", str(flac), f"--output-name={wav}"], check=True)
    return tones.read(wav)


def archive_part(parts: tuple[Part, ...]) -> Part:
    (part,) = (part for part in parts if part.name == "archive")
    return part


async def test_a_call_becomes_two_flac_files_that_hold_what_was_said_and_heard(
    there: Stage, tmp_path: Path
) -> None:
    citizen, seat, call = await a_call(there, 21)
    rows = await recordings(there, call.conversation)
    assert set(rows) == {"citizen", "hotline"}
    for row in rows.values():
        path = there.settings.recordings / row.path
        assert (row.sha256, row.bytes) == (sha256(path), path.stat().st_size)
        assert (row.is_missing, row.gap_ms) == (False, 0)
        assert abs(row.duration_ms - (call.ended_us - call.started_us) / 1000) < 1000
    said, listened = (heard(there, rows[way], tmp_path) for way in ("citizen", "hotline"))
    end = said.seconds - EDGE_S
    assert tones.share(said, citizen.hz, start_s=end - TALK_S + SETTLE_S, end_s=end) > 0.95
    assert tones.share(listened, seat.hz, start_s=end - TALK_S + SETTLE_S, end_s=end) > 0.95
    assert tones.share(said, seat.hz) == tones.share(listened, citizen.hz) == 0.0
    spool = NodePaths(home_of_switch(there.settings)).recordings
    assert not [path.name for path in spool.iterdir() if path.name.startswith(f"{call.uid}-")]


async def test_a_call_given_up_in_the_queue_is_kept_too(there: Stage) -> None:
    citizen = await there.city.call("13905380022", n=22)
    await citizen.answered()
    await asyncio.sleep(0.5)
    await citizen.press("1")
    async with Client(there.push_url, lambda: there.token_for(AGENT, SEAT)) as client:
        await client.until(lambda seen: seen.linked and seen.queues["12345"].waiting == 1, 30)
    await citizen.hang_up()
    (call,) = await records(there, "13905380022")
    assert (call.answered_us, call.queued_us > 0) == (0, True)
    rows = await recordings(there, call.conversation)
    assert {row.gap_ms for row in rows.values()} == {0}
    assert {row.is_missing for row in rows.values()} == {False}


async def test_a_supervisor_hears_it_another_agent_does_not_and_the_trail_shows_every_change(
    there: Stage,
) -> None:
    _, _, call = await a_call(there, 23)
    rows = await recordings(there, call.conversation)
    whole = (there.settings.recordings / rows["citizen"].path).read_bytes()
    password, base = demo_password(there.settings), f"http://127.0.0.1:{there.settings.desk.port}"
    address = f"{base}/api/recordings/{call.conversation}/citizen"
    seen = {}
    for person in ("9001", "1001", "1002"):
        async with aiohttp.ClientSession(cookie_jar=aiohttp.CookieJar(unsafe=True)) as http:
            assert (await Browser(http, base).log_in(person, password)).status == 303
            async with http.get(address, headers={"Range": "bytes=10-109"}) as answer:
                seen[person] = answer.status, await answer.read()
    assert seen["9001"] == seen["1001"] == (206, whole[10:110])
    assert seen["1002"][0] == 404
    database = await Database.open(there.settings.database)
    async with database.read() as session:
        entries = await audit.newest(session, 10)
    assert [(entry.person, entry.what) for entry in entries] == [
        ("1001", "recording.play"),
        ("9001", "recording.play"),
    ]
    assert (await audit_of.verify(there.settings))[0].broken_seq == 0
    await meddle(database, "UPDATE audit SET person = '9002' WHERE seq = 1")
    await database.close()
    broken = await asyncio.to_thread(run, "verify", there.settings.state / "settings.json")
    assert (broken.exit_code, broken.output.split(";")[0]) == (1, "entry 1 was changed or removed")


async def test_status_tells_of_the_archive_and_hotline_run_brings_it_back(there: Stage) -> None:
    found = await look(there.settings)
    assert archive_part(found.parts).is_up
    assert "files kept, 0 missing" in archive_part(found.parts).detail
    before = there.hotline.children["archive"].pid
    assert before is not None
    assert os.getpriority(os.PRIO_PROCESS, before) > os.getpriority(
        os.PRIO_PROCESS, there.hotline.node.pid or 0
    )
    there.hotline.children["archive"].kill()
    await until(lambda: there.hotline.children["archive"].pid not in (None, before), 15)
    await until(lambda: health.is_running(there.settings.state), 15)
    _, _, call = await a_call(there, 24)
    assert len(await recordings(there, call.conversation)) == 2


async def test_an_archive_killed_again_and_again_keeps_every_recording_once(tmp_path: Path) -> None:
    settings = Settings(state_dir=str(tmp_path))
    file = tmp_path / "settings.json"
    file.write_bytes(msgspec.json.encode(settings))
    await upgrade(settings.database)
    database = await Database.open(settings.database)
    room = Room(tmp_path, database)
    sounds = {}
    for n in range(30):
        uid = f"1764000000.{n}"
        await room.call(uid, 20.0)
        for way in Direction:
            sounds[f"n1-{uid}-{way.value}"] = room.wav(uid, way, 20.0)
    counts = []
    for after_s in (0.0, 0.03, 0.07, 0.11):
        with archive_process(file) as archive:
            await until_fewer(room, len(room.wavs()))
            await asyncio.sleep(after_s)
            archive.kill()
            archive.wait(10)
        counts.append(len(room.wavs()))
    assert all(0 < count < 60 for count in counts), "each was killed in the middle of its work"
    with archive_process(file) as archive:
        await until_fewer(room, 1)
        archive.send_signal(signal.SIGTERM)
        assert archive.wait(10) == 0
    rows = await room.rows()
    assert len(rows) == 60
    for row in rows:
        path = room.root / row.path
        assert sha256(path) == row.sha256
        assert decoded(path) == sounds[f"{row.conversation}-{row.direction}"]
    assert room.files() == sorted(row.path for row in rows)
    await database.close()


@contextmanager
def archive_process(file: Path) -> Iterator[subprocess.Popen[bytes]]:
    """The archive as a process of its own; dead at the end."""
    command = [sys.executable, "-m", "cli.process", "archive", "--settings", str(file)]
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL)
    try:
        yield process
    finally:
        process.kill()
        process.wait(10)


async def until(what: Callable[[], bool], within_s: float) -> None:
    """Return as soon as it is so; TimeoutError when it takes longer."""
    async with asyncio.timeout(within_s):
        while not what():  # noqa: ASYNC110 - another process does it
            await asyncio.sleep(0.005)


async def until_fewer(room: Room, than: int) -> None:
    await until(lambda: len(room.wavs()) < than, 60)
