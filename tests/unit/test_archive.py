"""The archive on real files, with the real encoder, on SQLite and PostgreSQL: nothing lost, nothing twice."""

from __future__ import annotations

import asyncio
import itertools
import json
import resource
import shutil
import sqlite3
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text, update

from ctiserver.archive import flac, health
from ctiserver.archive.archive import Archive
from ctiserver.archive.errors import EncodingFailed, NoEncoder, OutOfPlace, SoundDiffers
from ctiserver.archive.process import Keeper
from ctiserver.archive.rules import Direction
from ctiserver.archive.shelf import inside
from ctiserver.archive.tables import RecordingRow
from hotline import clock
from hotline.db.engine import Database
from hotline.errors import HotlineError
from hotline.local_time import DAY_US
from hotline.settings import RecordingSettings, Settings
from tests.unit.archive_room import KEEP_DAYS, Room, decoded, sha256, write_wav

pytestmark = pytest.mark.slow

UID = "1764000000.7"
WAYS = tuple(Direction)


@pytest.fixture
def room(tmp_path: Path, database: Database) -> Room:
    return Room(tmp_path, database)


@pytest.fixture
def sqlite_url(new_database: Callable[[str], str]) -> str:
    return new_database("sqlite")


@pytest.fixture
async def sqlite_room(tmp_path: Path, sqlite_url: str) -> AsyncIterator[Room]:
    """For what does not depend on the kind of database."""
    database = await Database.open(sqlite_url)
    yield Room(tmp_path, database)
    await database.close()


async def test_both_directions_become_flac_with_the_very_same_samples(room: Room) -> None:
    await room.call(UID, 2.0)
    sounds = {way: room.wav(UID, way, 2.0) for way in WAYS}
    done = await room.archive().run_once()
    assert (done.kept, done.missing, done.waiting, done.troubles) == (2, 0, 0, [])
    rows = await room.rows()
    assert [row.direction for row in rows] == ["citizen", "hotline"]
    for row in rows:
        path = room.root / row.path
        assert decoded(path) == sounds[Direction(row.direction)]
        assert (row.sha256, row.bytes, row.duration_ms) == (sha256(path), path.stat().st_size, 2000)
        assert (row.is_missing, row.gap_ms, row.removed_us) == (False, 0, 0)
        assert row.expires_us == row.from_us + KEEP_DAYS * DAY_US
        assert path.stat().st_mode & 0o077 == 0
    assert room.wavs() == []
    assert room.files() == sorted(row.path for row in rows)


async def test_a_second_pass_changes_nothing(room: Room) -> None:
    await room.call(UID)
    for way in WAYS:
        room.wav(UID, way)
    archive = room.archive()
    await archive.run_once()
    before = [row.kept_us for row in await room.rows()], room.files()
    done = await archive.run_once()
    assert (done.kept, done.missing) == (0, 0)
    assert before == ([row.kept_us for row in await room.rows()], room.files())


async def test_a_call_under_way_or_not_known_yet_is_left_alone(sqlite_room: Room) -> None:
    await sqlite_room.call(UID, outcome="", ended_us=0)
    for uid in (UID, f"{clock.now().utc_us // 1_000_000}.8"):
        sqlite_room.wav(uid, Direction.CITIZEN)
    done = await sqlite_room.archive().run_once()
    assert (done.kept, done.waiting, len(sqlite_room.wavs())) == (0, 2, 2)
    assert await sqlite_room.rows() == []


async def test_a_recording_whose_call_never_came_into_the_database_is_kept(sqlite_room: Room) -> None:
    for way in WAYS:
        sqlite_room.wav("1700000000.3", way)
    done = await sqlite_room.archive().run_once()
    assert (done.kept, sqlite_room.wavs()) == (2, [])
    assert {row.path[:10] for row in await sqlite_room.rows()} == {"2023/11/15"}


async def test_a_file_torn_by_the_switchs_death_is_kept_as_far_as_it_goes(sqlite_room: Room) -> None:
    await sqlite_room.call(UID, 5.0, outcome="switch_lost")
    sounds = {way: sqlite_room.wav(UID, way, 2.0, is_closed=False) for way in WAYS}
    await sqlite_room.archive().run_once()
    for row in await sqlite_room.rows():
        assert decoded(sqlite_room.root / row.path) == sounds[Direction(row.direction)]
        assert row.gap_ms == 3000


async def test_a_call_without_any_recording_is_said_to_have_none(room: Room) -> None:
    await room.call(UID, 30.0, wait_ms=5000)
    await room.call("1764000000.9", queued_us=0, answered_us=0, outcome="short_abandon")
    done = await room.archive().run_once()
    assert (done.kept, done.missing) == (0, 2)
    for row in await room.rows():
        assert (row.conversation, row.is_missing, row.gap_ms) == (f"n1-{UID}", True, 35_000)
        assert (row.path, row.sha256, row.bytes) == ("", "", 0)


async def test_many_calls_without_a_recording_are_all_found_and_only_once(room: Room) -> None:
    for n in range(130):
        await room.call(f"1764000000.{n}", started_us=clock.now().utc_us - DAY_US * (n % 3))
    archive = room.archive()
    assert (await archive.run_once()).missing == 260
    await room.call("1764000001.1")
    assert (await archive.run_once()).missing == 2


async def test_one_direction_alone_is_kept_and_the_other_said_to_be_missing(sqlite_room: Room) -> None:
    await sqlite_room.call(UID, 4.0)
    sqlite_room.wav(UID, Direction.CITIZEN, 1.5)
    await sqlite_room.archive().run_once()
    citizen, hotline = await sqlite_room.rows()
    assert (citizen.is_missing, citizen.gap_ms) == (False, 2500)
    assert (hotline.is_missing, hotline.gap_ms) == (True, 4000)


async def test_a_recording_that_turns_up_late_takes_the_place_of_the_mark(sqlite_room: Room) -> None:
    await sqlite_room.call(UID)
    archive = sqlite_room.archive()
    await archive.run_once()
    assert {row.is_missing for row in await sqlite_room.rows()} == {True}
    for way in WAYS:
        sqlite_room.wav(UID, way)
    await archive.run_once()
    assert {(row.is_missing, row.gap_ms) for row in await sqlite_room.rows()} == {(False, 0)}


async def test_a_file_without_sound_is_missing_and_goes(sqlite_room: Room) -> None:
    await sqlite_room.call(UID)
    for way, seconds in zip(WAYS, (0.0, 1.0), strict=True):
        sqlite_room.wav(UID, way, seconds)
    await sqlite_room.archive().run_once()
    assert [row.is_missing for row in await sqlite_room.rows()] == [True, False]
    assert sqlite_room.wavs() == []


@pytest.mark.parametrize(
    "data", [b"no sound at all", b"RIFF\0\0\0\0WAVEdata", b"RIFF\0\0\0\0WAVE" + b"\0" * 99]
)
async def test_what_is_no_wav_stays_for_a_person_to_look_at_and_holds_up_nobody(
    sqlite_room: Room, data: bytes
) -> None:
    await sqlite_room.call(UID)
    odd = sqlite_room.spool / f"{UID}-citizen.wav"
    odd.write_bytes(data)
    await sqlite_room.call("1764000000.8")
    for way in WAYS:
        sqlite_room.wav("1764000000.8", way)
    archive = sqlite_room.archive()
    done = await archive.run_once()
    assert (done.kept, done.missing, sqlite_room.wavs()) == (2, 2, [odd.name])
    assert f"{odd.name} " in done.troubles[0]
    assert (await archive.run_once()).missing == 0


async def test_a_kept_file_that_was_changed_or_lost_is_made_again_from_the_wav(sqlite_room: Room) -> None:
    await sqlite_room.call(UID)
    sounds = {way: sqlite_room.wav(UID, way) for way in WAYS}
    archive = sqlite_room.archive()
    await archive.run_once()
    citizen, hotline = await sqlite_room.rows()
    (sqlite_room.root / citizen.path).write_bytes(b"fLaC?")
    (sqlite_room.root / hotline.path).unlink()
    for way in WAYS:
        sqlite_room.wav(UID, way)
    await archive.run_once()
    for row in await sqlite_room.rows():
        assert decoded(sqlite_room.root / row.path) == sounds[Direction(row.direction)]
    assert sqlite_room.wavs() == []


class Killed(BaseException):
    """The process dies here."""


class Mine:
    """Whatever it stands before works, until the n-th step: there the process dies, before or after it."""

    STEPS = ("encode", "compare", "publish", "write", "discard", "remove", "removed")

    def __init__(self, real: object, count: Iterator[int], at: int) -> None:
        self._real, self._count, self._at = real, count, at

    def __getattr__(self, name: str) -> Any:
        step = getattr(self._real, name)
        if name not in self.STEPS:
            return step
        if asyncio.iscoroutinefunction(step):

            async def aside(*args: Any) -> Any:
                self._tick()
                result = await step(*args)
                self._tick()
                return result

            return aside

        def inline(*args: Any) -> Any:
            self._tick()
            result = step(*args)
            self._tick()
            return result

        return inline

    def _tick(self) -> None:
        if next(self._count) == self._at:
            raise Killed


def mined(archive: Archive, at: int) -> Archive:
    count = itertools.count()
    shelf, records = Mine(archive._shelf, count, at), Mine(archive._records, count, at)
    return Archive(shelf, records, "n1", KEEP_DAYS)  # type: ignore[arg-type]


@pytest.mark.parametrize("at", range(18))
async def test_death_between_any_two_steps_loses_nothing_and_keeps_nothing_twice(
    sqlite_room: Room, at: int
) -> None:
    await sqlite_room.call(UID)
    sounds = {way: sqlite_room.wav(UID, way) for way in WAYS}
    with pytest.raises(Killed):
        await mined(sqlite_room.archive(), at).run_once()
    for way in WAYS:
        rows = {row.direction: row.path for row in await sqlite_room.rows()}
        assert f"{UID}-{way.value}.wav" in sqlite_room.wavs() or (sqlite_room.root / rows[way.value]).exists()
    await sqlite_room.archive().run_once()
    rows = await sqlite_room.rows()
    assert len(rows) == 2
    for row in rows:
        assert not row.is_missing
        assert sha256(sqlite_room.root / row.path) == row.sha256
        assert decoded(sqlite_room.root / row.path) == sounds[Direction(row.direction)]
    assert sqlite_room.files() == sorted(row.path for row in rows)
    assert sqlite_room.wavs() == []


async def test_an_undisturbed_pass_has_as_many_steps_as_were_broken(sqlite_room: Room) -> None:
    await sqlite_room.call(UID)
    for way in WAYS:
        sqlite_room.wav(UID, way)
    assert (await mined(sqlite_room.archive(), 18).run_once()).kept == 2


async def age(room: Room, days: int) -> None:
    """Let so many days go by for every recording."""
    shift = days * DAY_US
    row = RecordingRow
    async with room.database.begin() as session:
        aged = update(row).values(from_us=row.from_us - shift, expires_us=row.expires_us - shift)
        await session.execute(aged)


async def test_files_go_when_their_time_is_over_and_their_rows_stay(room: Room) -> None:
    await room.call(UID)
    for way in WAYS:
        room.wav(UID, way)
    archive = room.archive()
    await archive.run_once()
    await age(room, KEEP_DAYS - 1)
    assert (await archive.run_once()).removed == 0
    await age(room, 2)
    assert (await archive.run_once()).removed == 2
    assert room.files() == []
    assert all(row.removed_us and row.sha256 and row.path for row in await room.rows())
    assert (await archive.run_once()).removed == 0


@pytest.mark.parametrize("at", range(8))
async def test_death_while_removing_leaves_no_file_behind(sqlite_room: Room, at: int) -> None:
    await sqlite_room.call(UID)
    for way in WAYS:
        sqlite_room.wav(UID, way)
    await sqlite_room.archive().run_once()
    await age(sqlite_room, KEEP_DAYS + 1)
    with pytest.raises(Killed):
        await mined(sqlite_room.archive(), at).run_once()
    await sqlite_room.archive().run_once()
    assert sqlite_room.files() == []
    assert all(row.removed_us for row in await sqlite_room.rows())


async def test_a_path_in_the_database_that_leads_elsewhere_removes_nothing(sqlite_room: Room) -> None:
    await sqlite_room.call(UID)
    for way in WAYS:
        sqlite_room.wav(UID, way)
    archive = sqlite_room.archive()
    await archive.run_once()
    await age(sqlite_room, KEEP_DAYS + 1)
    precious = sqlite_room.root.parent / "precious"
    precious.touch()
    async with sqlite_room.database.begin() as session:
        await session.execute(text("UPDATE recordings SET path = '../precious' WHERE direction = 'citizen'"))
    done = await archive.run_once()
    assert (done.removed, len(done.troubles), precious.exists()) == (1, 1, True)


def test_a_path_stays_inside_the_directory_of_recordings(tmp_path: Path) -> None:
    root = tmp_path / "recordings"
    (root / "2026").mkdir(parents=True)
    (root / "2026" / "way-out").symlink_to(tmp_path)
    assert inside(root, "2026/a.flac") == root / "2026" / "a.flac"
    for path in ("", "../x", "/etc/passwd", "2026/../../x", "2026/way-out/x", "2026/way-out"):
        with pytest.raises(OutOfPlace):
            inside(root, path)


async def test_a_full_disk_is_said_and_nothing_is_lost(
    sqlite_room: Room, monkeypatch: pytest.MonkeyPatch
) -> None:
    await sqlite_room.call(UID)
    for way in WAYS:
        sqlite_room.wav(UID, way)
    full = shutil.disk_usage(sqlite_room.root.parent)._replace(free=100)
    archive = sqlite_room.archive()
    with monkeypatch.context() as patch, pytest.raises(OSError, match="No space left"):
        patch.setattr(shutil, "disk_usage", lambda _path: full)
        await archive.run_once()
    assert len(sqlite_room.wavs()) == 2
    assert await sqlite_room.rows() == []
    assert (await archive.run_once()).kept == 2


def test_an_encoder_that_cannot_write_is_told_with_its_own_words(tmp_path: Path) -> None:
    wav = tmp_path / "x.wav"
    write_wav(wav, 500, 3.0)
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100, hard))
    try:
        with pytest.raises(EncodingFailed, match=r"x\.wav was not encoded: flac ended with status"):
            flac.encode(wav, flac.look(wav), tmp_path / "x.flac")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_a_machine_without_the_encoder_is_told_what_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    wav = tmp_path / "x.wav"
    write_wav(wav, 500, 0.1)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(NoEncoder, match="make setup"):
        flac.encode(wav, flac.look(wav), tmp_path / "x.flac")


@pytest.mark.parametrize("what", ["another sound", "a shorter one", "a longer one", "a torn file", "no file"])
def test_a_flac_that_holds_anything_else_is_found_out(tmp_path: Path, what: str) -> None:
    wav, other, made = tmp_path / "x.wav", tmp_path / "y.wav", tmp_path / "x.flac"
    write_wav(wav, 500, 2.0)
    seconds = {"a shorter one": 1.9, "a longer one": 2.1}.get(what, 2.0)
    write_wav(other, 510 if what == "another sound" else 500, seconds)
    flac.encode(other, flac.look(other), made)
    if what == "a torn file":
        made.write_bytes(made.read_bytes()[:-500])
    if what == "no file":
        made.unlink()
    with pytest.raises(SoundDiffers, match=r"x\.flac does not decode to the samples of x\.wav"):
        flac.compare(wav, flac.look(wav), made)


@pytest.mark.parametrize("size", [2, 65_534, 65_536, 65_538, 131_072])
def test_sound_of_any_length_comes_back_whole(tmp_path: Path, size: int) -> None:
    wav, made = tmp_path / "x.wav", tmp_path / "x.flac"
    write_wav(wav, 500, size / 16_000)
    source = flac.look(wav)
    assert (source.size, source.is_closed) == (size, True)
    flac.encode(wav, source, made)
    flac.compare(wav, source, made)
    assert decoded(made) == wav.read_bytes()[44:]


async def test_a_database_that_is_away_is_said_and_waited_for_ever_longer(
    sqlite_room: Room, tmp_path: Path
) -> None:
    settings = Settings(state_dir=str(tmp_path), database_url=f"sqlite+aiosqlite:///{tmp_path}/not-yet.db")
    keeper = Keeper(settings)
    await sqlite_room.call(UID)
    for way in WAYS:
        sqlite_room.wav(UID, way)
    assert [await keeper.turn() for _ in range(6)] == [6.0, 12.0, 24.0, 48.0, 60.0, 60.0]
    told = health.told(tmp_path)
    assert told is not None
    assert "there is no database" in told.why
    assert len(sqlite_room.wavs()) == 2
    with closing(sqlite3.connect(str(sqlite_room.database.engine.url.database))) as connection:
        connection.execute(f"VACUUM INTO '{tmp_path}/not-yet.db'")
    assert await keeper.turn() == 3.0
    await keeper.close()
    told = health.told(tmp_path)
    assert told is not None
    assert (told.why, told.kept, sqlite_room.wavs()) == ("", 2, [])


async def test_a_directory_that_cannot_be_written_is_said_and_the_wavs_stay(
    sqlite_room: Room, tmp_path: Path
) -> None:
    (tmp_path / "in-the-way").touch()
    settings = Settings(
        state_dir=str(tmp_path),
        database_url=str(sqlite_room.database.engine.url),
        recording=RecordingSettings(directory=str(tmp_path / "in-the-way" / "recordings")),
    )
    sqlite_room.wav(UID, Direction.CITIZEN)
    keeper = Keeper(settings)
    assert await keeper.turn() == 6.0
    await keeper.close()
    told = health.told(tmp_path)
    assert told is not None
    assert "in-the-way" in told.why
    assert len(sqlite_room.wavs()) == 1


async def test_the_archives_commits_wait_for_the_disk(sqlite_url: str) -> None:
    for is_durable, level in ((False, 1), (True, 2)):
        database = await Database.open(sqlite_url, is_durable=is_durable)
        async with database.engine.connect() as connection:
            assert await connection.scalar(text("PRAGMA synchronous")) == level
        await database.close()


def test_one_archive_for_each_state_directory(tmp_path: Path) -> None:
    assert not health.is_running(tmp_path)
    with health.alone(tmp_path):
        assert health.is_running(tmp_path)
        with pytest.raises(HotlineError, match="runs already"), health.alone(tmp_path):
            pass
    assert not health.is_running(tmp_path)


def test_what_others_wrote_into_its_file_is_nothing_that_the_archive_said(tmp_path: Path) -> None:
    assert health.told(tmp_path) is None
    (tmp_path / "archive.json").write_text(json.dumps({"at_us": "soon"}))
    assert health.told(tmp_path) is None
