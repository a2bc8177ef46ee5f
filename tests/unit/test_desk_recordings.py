"""Recordings at the desk: who finds and hears what, and never without an entry in the audit trail."""

from __future__ import annotations

import asyncio
import re
import shutil
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import text

from agent_desk.app import serve
from agent_desk.recordings import MOST, ONE_PLAYING_US, Playing, Playings
from ctiserver.archive.rules import Direction
from hotline import audit, clock
from hotline.audit import Entry
from hotline.db.engine import Database
from hotline.identity.people import NewPerson, create_person, set_enabled
from hotline.identity.roles import Role
from hotline.local_time import local_day
from hotline.settings import DeskSettings, Settings
from tests.unit.archive_room import AGO_US, Room
from tests.unit.test_desk import KEYS, PASSWORD, Browser, free_port

pytestmark = pytest.mark.slow

UID, OTHER = "1764000000.7", "1764000000.8"
CONVERSATION, FOREIGN = f"n1-{UID}", f"n1-{OTHER}"
SOUND = f"/api/recordings/{CONVERSATION}/citizen"
PEOPLE = (
    NewPerson(number="1001", name="王丽", role=Role.AGENT),
    NewPerson(number="1002", name="李静", role=Role.AGENT),
    NewPerson(number="9001", name="张班长", role=Role.SUPERVISOR),
    NewPerson(number="9901", name="管理员", role=Role.ADMIN),
    NewPerson(number="9902", name="大屏", role=Role.WALL),
)


@pytest.fixture(scope="module")
def template(sqlite_template: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A state directory, made once: people, and two archived calls, one answered by 1001, one by 1002."""
    state = tmp_path_factory.mktemp("desk")
    shutil.copy(sqlite_template, state / "hotline.db")
    asyncio.run(fill(state))
    return state


async def fill(state: Path) -> None:
    database = await Database.open(f"sqlite+aiosqlite:///{state / 'hotline.db'}")
    async with database.begin() as session:
        for person in PEOPLE:
            await create_person(session, person, PASSWORD, clock.now().utc_us)
    room = Room(state, database)
    await room.call(UID, 2.0)
    await room.call(OTHER, 2.0, seat="8002", agent="1002", citizen="+865388220000", number="8220000")
    for uid in (UID, OTHER):
        for way in Direction:
            room.wav(uid, way, 2.0)
    await room.archive().run_once()
    await database.close()


@pytest.fixture
async def room(template: Path, tmp_path: Path) -> AsyncIterator[Room]:
    """A copy of it."""
    state = tmp_path / "state"
    shutil.copytree(template, state)
    database = await Database.open(f"sqlite+aiosqlite:///{state / 'hotline.db'}")
    yield Room(state, database)
    await database.close()


@pytest.fixture
async def browser(room: Room) -> AsyncIterator[Browser]:
    settings = Settings(state_dir=str(room.root.parent), desk=DeskSettings(port=free_port()))
    runner = await serve(settings, KEYS, room.database)
    async with aiohttp.ClientSession(cookie_jar=aiohttp.CookieJar(unsafe=True)) as http:
        yield Browser(http, f"http://127.0.0.1:{settings.desk.port}")
    await runner.cleanup()


async def fetch(browser: Browser, path: str, **headers: str) -> tuple[int, bytes, dict[str, str]]:
    async with browser.http.get(browser.base + path, headers=headers) as answer:
        return answer.status, await answer.read(), dict(answer.headers)


async def trail(room: Room) -> list[Entry]:
    async with room.database.read() as session:
        assert not (await audit.verify(session)).broken_seq
        return (await audit.newest(session, 100))[::-1]


async def shown(browser: Browser, **form: str) -> str:
    """The page after a search; on the calls' day unless the form says something else."""
    day = "" if form.get("number") else local_day(clock.now().utc_us - AGO_US).isoformat()
    await browser.get("/recordings")
    answer = await browser.post("/recordings", **{"day": day, **form})
    assert answer.status == 200
    return await answer.text()


async def found(browser: Browser, **form: str) -> list[str]:
    """The conversations on that page."""
    return re.findall(r'data-conversation="([^"]+)"', await shown(browser, **form))


def file_of(room: Room) -> bytes:
    (path,) = room.root.rglob(f"{CONVERSATION}-citizen.flac")
    return path.read_bytes()


async def test_a_remark_after_the_rating_is_found_beside_the_recording_that_ends_with_it(
    browser: Browser, room: Room
) -> None:
    assert await browser.log_in("9001")
    assert "意见在录音末尾" not in await shown(browser)
    async with room.database.begin() as session:
        rated = text("UPDATE calls SET rating = 4, has_remark = true WHERE conversation = :one")
        await session.execute(rated, {"one": CONVERSATION})
    page = await shown(browser)
    assert page.count("意见在录音末尾") == 1
    assert "<td>不满意<br>" in page


@pytest.mark.parametrize("number", ["9001", "9901", "1001"])
async def test_who_may_hear_a_recording_gets_it_whole_and_it_is_written_down(
    browser: Browser, room: Room, number: str
) -> None:
    await browser.log_in(number)
    status, body, headers = await fetch(browser, SOUND)
    assert (status, body) == (200, file_of(room))
    assert headers["Content-Type"] == "audio/flac"
    assert headers["Cache-Control"] == "no-store"
    (entry,) = await trail(room)
    assert (entry.person, entry.what, entry.whom) == (number, "recording.play", f"{CONVERSATION}-citizen")
    assert entry.role == {"9001": "supervisor", "9901": "admin", "1001": "agent"}[number]


async def test_a_part_of_a_recording_is_given_for_a_range(browser: Browser, room: Room) -> None:
    await browser.log_in("9001")
    whole = file_of(room)
    status, body, headers = await fetch(browser, SOUND, Range="bytes=100-199")
    assert (status, body) == (206, whole[100:200])
    assert headers["Content-Range"] == f"bytes 100-199/{len(whole)}"
    assert (await fetch(browser, SOUND, Range="bytes=-50"))[1] == whole[-50:]
    assert (await fetch(browser, SOUND, Range=f"bytes={len(whole)}-"))[0] == 416


async def test_one_playing_is_one_entry_however_many_parts_the_player_asks_for(
    browser: Browser, room: Room
) -> None:
    await browser.log_in("9001")
    for part in ("bytes=0-", "bytes=500-", "bytes=900-1000", "bytes=-10"):
        await fetch(browser, SOUND, Range=part)
    assert len(await trail(room)) == 1
    await fetch(browser, SOUND, Range="bytes=0-")
    await fetch(browser, SOUND.replace("citizen", "hotline"), Range="bytes=7-")
    await browser.log_in("9001")
    await fetch(browser, SOUND, Range="bytes=7-")
    assert [entry.whom[-7:] for entry in await trail(room)] == ["citizen", "citizen", "hotline", "citizen"]


@given(st.lists(st.tuples(st.integers(0, 9), st.integers(0, ONE_PLAYING_US)), min_size=1, max_size=12))
def test_no_part_is_given_without_an_entry_of_the_last_half_hour(asked: list[tuple[int, int]]) -> None:
    playings, playing = Playings(), Playing("s", CONVERSATION, "citizen")
    now_us, written_us = 0, None
    for first_byte, later_us in asked:
        now_us += later_us
        is_new = playings.is_new(playing, first_byte, now_us)
        if is_new:
            playings.note(playing, now_us)
            written_us = now_us
        assert written_us is not None
        assert is_new or (first_byte and now_us - written_us <= ONE_PLAYING_US)


async def test_to_an_agent_a_foreign_recording_looks_like_one_that_is_not_there(
    browser: Browser, room: Room
) -> None:
    await browser.log_in("1001")
    absent = await fetch(browser, "/api/recordings/n1-1764000000.9/citizen")
    foreign = await fetch(browser, f"/api/recordings/{FOREIGN}/citizen")
    asked = await fetch(browser, f"/api/recordings/{FOREIGN}/citizen?download=1")
    assert absent[:2] == foreign[:2] == asked[:2]
    assert absent[0] == 404
    assert await trail(room) == []


async def test_a_message_that_was_left_is_for_every_agent_to_hear(browser: Browser, room: Room) -> None:
    async with room.database.begin() as session:
        await session.execute(
            text("UPDATE calls SET outcome = 'message' WHERE conversation = :id"), {"id": FOREIGN}
        )
    await browser.log_in("1001")
    assert (await fetch(browser, f"/api/recordings/{FOREIGN}/citizen"))[0] == 200
    assert [entry.what for entry in await trail(room)] == ["recording.play"]


async def test_a_call_that_rang_here_and_was_answered_elsewhere_is_foreign(
    browser: Browser, room: Room
) -> None:
    async with room.database.begin() as session:
        await session.execute(
            text("UPDATE legs SET answered_us = 0, is_missed = true WHERE conversation = :c"),
            {"c": CONVERSATION},
        )
    await browser.log_in("1001")
    assert (await fetch(browser, SOUND))[0] == 404
    assert await found(browser) == []


@pytest.mark.parametrize(
    "path",
    [
        "n1-1764000000.7/third",
        "n1-1764000000.7/citizen.flac",
        "../../hotline.db/citizen",
        "..%2f..%2fhotline.db/citizen",
        "n1-1764000000.7%00/citizen",
        "%27%20OR%201=1--/citizen",
        "n1-%/citizen",
        "x" * 3000 + "/citizen",
    ],
)
async def test_a_guessed_address_leads_nowhere(browser: Browser, room: Room, path: str) -> None:
    await browser.log_in("9001")
    assert (await fetch(browser, f"/api/recordings/{path}"))[0] in (400, 404)
    assert await trail(room) == []


@pytest.mark.parametrize("path", ["../hotline.db", "/etc/hostname", "", "2026/none.flac"])
async def test_a_path_in_the_database_that_leads_elsewhere_is_not_followed(
    browser: Browser, room: Room, path: str
) -> None:
    (room.root.parent / "hotline.db").touch()
    async with room.database.begin() as session:
        await session.execute(text("UPDATE recordings SET path = :path"), {"path": path})
    await browser.log_in("9001")
    assert (await fetch(browser, SOUND))[0] == 404
    assert await trail(room) == []


async def test_a_stranger_and_a_wall_hear_nothing(browser: Browser, room: Room) -> None:
    assert (await fetch(browser, SOUND))[0] == 401
    await browser.log_in("9902")
    assert (await fetch(browser, SOUND))[0] == 404
    assert (await browser.get("/recordings"))[0] == 403
    assert "/recordings" not in (await browser.get("/wall"))[1]
    assert await trail(room) == []


async def test_only_supervisors_and_administrators_may_download(browser: Browser, room: Room) -> None:
    await browser.log_in("1001")
    assert (await fetch(browser, f"{SOUND}?download=1"))[0] == 403
    assert "download=1" not in await shown(browser)
    assert await trail(room) == []
    await browser.log_in("9001")
    status, body, headers = await fetch(browser, f"{SOUND}?download=1")
    assert (status, body) == (200, file_of(room))
    assert headers["Content-Disposition"] == f'attachment; filename="{CONVERSATION}-citizen.flac"'
    (entry,) = await trail(room)
    assert entry.what == "recording.download"
    assert "download=1" in await shown(browser)


async def test_what_cannot_be_written_down_is_not_played(browser: Browser, room: Room) -> None:
    await browser.log_in("9001")
    async with room.database.begin() as session:
        await session.execute(text("ALTER TABLE audit RENAME TO elsewhere"))
    for path in (SOUND, f"{SOUND}?download=1"):
        status, body, _ = await fetch(browser, path)
        assert status == 503
        assert b"fLaC" not in body
    async with room.database.begin() as session:
        await session.execute(text("ALTER TABLE elsewhere RENAME TO audit"))
    assert (await fetch(browser, SOUND, Range="bytes=5-"))[0] == 206
    assert len(await trail(room)) == 1


async def test_a_person_who_was_shut_out_hears_nothing_any_more(browser: Browser, room: Room) -> None:
    await browser.log_in("9001")
    assert (await fetch(browser, SOUND))[0] == 200
    async with room.database.begin() as session:
        await set_enabled(session, "9001", False)
    assert (await fetch(browser, SOUND))[0] == 401


async def test_recordings_are_found_by_number_agent_and_day(browser: Browser) -> None:
    await browser.log_in("9001")
    assert set(await found(browser)) == {CONVERSATION, FOREIGN}
    for number in ("13805381234", "+8613805381234", "013805381234"):
        assert await found(browser, number=number) == [CONVERSATION]
    assert await found(browser, number="05388220000") == await found(browser, number="8220000") == [FOREIGN]
    assert await found(browser, number="13805381235") == []
    assert await found(browser, agent="1002") == [FOREIGN]
    assert await found(browser, agent="1001", number="8220000") == []
    assert await found(browser, day="2020-01-01") == []


async def test_an_agent_finds_the_calls_they_answered_and_no_other(browser: Browser) -> None:
    await browser.log_in("1001")
    assert await found(browser) == [CONVERSATION]
    assert await found(browser, number="8220000") == await found(browser, agent="1002") == []


async def test_the_page_opens_with_todays_calls_and_a_number_is_looked_for_on_every_day(
    browser: Browser, room: Room
) -> None:
    long_ago_us = 1_700_000_000_000_000
    await room.call("1700000000.1", started_us=long_ago_us, ended_us=long_ago_us, number="8220001")
    await room.archive().run_once()
    await browser.log_in("9001")
    assert "n1-1700000000.1" not in (await browser.get("/recordings"))[1]
    assert "n1-1700000000.1" in await found(browser, number="13805381234")
    assert await found(browser, day="2023-11-15") == ["n1-1700000000.1"]


async def test_the_page_shows_no_whole_number_and_no_inline_script(browser: Browser) -> None:
    await browser.log_in("9001")
    page = await shown(browser)
    assert "138****1234" in page
    assert "13805381234" not in page
    assert "media-src 'self'" in (await fetch(browser, "/recordings"))[2]["Content-Security-Policy"]
    assert re.findall(r"<script(?![^>]*src=)|<style|\sstyle=|\son[a-z]+=", page) == []


@pytest.mark.parametrize(
    ("form", "says"),
    [
        ({"number": "138x"}, "号码只填数字"),
        ({"number": "1" * 30}, "号码只填数字"),
        ({"agent": "' OR 1=1"}, "工号是四位数字"),
        ({"day": "yesterday"}, "日期格式不对"),
        ({"number": '"><script>x</script>'}, "号码只填数字"),
    ],
)
async def test_what_cannot_be_looked_for_is_said(browser: Browser, form: dict[str, str], says: str) -> None:
    await browser.log_in("9001")
    page = await shown(browser, **form)
    assert says in page
    assert "<script>x" not in page


async def test_what_is_missing_or_over_is_said_on_the_page(browser: Browser, room: Room) -> None:
    changes = {
        "gap_ms = 83000": f"conversation = '{CONVERSATION}'",
        "removed_us = 1": f"conversation = '{FOREIGN}' AND direction = 'hotline'",
        "is_missing = true, path = ''": f"conversation = '{FOREIGN}' AND direction = 'citizen'",
    }
    async with room.database.begin() as session:
        for change, which in changes.items():
            await session.execute(text(f"UPDATE recordings SET {change} WHERE {which}"))
    await browser.log_in("9001")
    page = await shown(browser)
    assert page.count("缺 1:23") == 2
    assert page.count("没有录音") == page.count("已到期删除") == 1
    assert page.count("<audio") == 2
    assert (await fetch(browser, f"/api/recordings/{FOREIGN}/hotline"))[0] == 404


async def test_a_long_list_is_cut_and_says_so(browser: Browser, room: Room) -> None:
    await asyncio.gather(*(room.call(f"1764000100.{n}") for n in range(MOST)))
    await room.archive().run_once()
    await browser.log_in("9001")
    page = await shown(browser)
    assert page.count("data-conversation=") == MOST
    assert "只列出最近 100 通" in page


async def test_without_the_database_the_page_says_so(browser: Browser, room: Room) -> None:
    await browser.log_in("9001")
    async with room.database.begin() as session:
        await session.execute(text("DROP TABLE recordings"))
    assert "暂时查不到录音" in (await browser.get("/recordings"))[1]
    assert (await fetch(browser, SOUND))[0] == 503
