"""How the hotline stands, switched at the desk: by whom, with which traces, and what a mistake costs."""

from __future__ import annotations

import asyncio
import io
import json
import math
import re
import shutil
import struct
import wave
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import aiohttp
import pytest

from agent_desk.app import serve
from agent_desk.ivr import forms, shown
from agent_desk.ivr.forms import BadFields
from casework import city
from ctiserver.api import way
from hotline import audit, clock, recorded, standing
from hotline.db.engine import Database
from hotline.directory import save_units
from hotline.identity.people import NewPerson, create_person, set_enabled
from hotline.identity.roles import Role
from hotline.ivr_applied import write_applied
from hotline.ivr_settings import IvrSettings, ModeSettings
from hotline.local_time import instant_us, local
from hotline.recorded import Unfit, fault_of
from hotline.settings import DeskSettings, Settings, SkillSettings
from hotline.standing import Standing
from ivr.outlook import Outlook
from tests.unit.test_desk import KEYS, PASSWORD, Browser, free_port

slow = pytest.mark.slow
STORM = ModeSettings(id="storm", label="强降雨", greeting="险情请拨119。", queue="12346")
SITE = Settings(
    skills=(SkillSettings(id="enterprise", name="企业专席", number="12346"),), ivr=IvrSettings(modes=(STORM,))
)
PEOPLE = (
    NewPerson(number="1001", name="王丽", role=Role.AGENT),
    NewPerson(number="9001", name="李班长", role=Role.SUPERVISOR),
    NewPerson(number="9901", name="管理员", role=Role.ADMIN),
    NewPerson(number="9902", name="大屏", role=Role.WALL),
    NewPerson(number="8101", name="办件员", role=Role.OFFICE),
)
CHANGES = ("mode", "announce", "withdraw", "restrict", "pardon")
NOW_US = instant_us(local(clock.now().utc_us).replace(tzinfo=None, second=0, microsecond=0))


def at(hours: float) -> str:
    """A browser's word for the time in so many hours."""
    return (local(NOW_US) + timedelta(hours=hours)).strftime("%Y-%m-%dT%H:%M")


@pytest.fixture(scope="module")
def template(sqlite_template: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("desk") / "hotline.db"
    shutil.copy(sqlite_template, path)
    asyncio.run(fill(f"sqlite+aiosqlite:///{path}"))
    return path


async def fill(url: str) -> None:
    database = await Database.open(url)
    async with database.begin() as session:
        await save_units(session, city.demo_units())
        for person in PEOPLE:
            await create_person(session, person, PASSWORD, clock.now().utc_us)
    await database.close()


class Room:
    """A desk with its state directory; `now` is what the next caller meets."""

    def __init__(self, settings: Settings, database: Database, http: aiohttp.ClientSession) -> None:
        self.settings, self.database = settings, database
        self.browser = Browser(http, f"http://127.0.0.1:{settings.desk.port}")

    async def now(self) -> Standing:
        async with self.database.read() as session:
            return await standing.look(session, clock.now().utc_us)

    async def trail(self) -> list[audit.Entry]:
        async with self.database.read() as session:
            return (await audit.newest(session, 20))[::-1]

    async def announce(self, content: bytes = b"", **fields: str) -> tuple[int, str]:
        """Post the form as a browser does: the form word first, then the fields, then the file."""
        await self.browser.get("/ivr")
        form = aiohttp.FormData()
        form.add_field("form_word", self.browser.word)
        for name, value in ({"text": "停水", "until": at(2)} | fields).items():
            form.add_field(name, value)
        form.add_field("file", content, filename="a.wav", content_type="audio/wav")
        async with self.browser.http.post(
            self.browser.base + "/ivr/announce",
            data=form,
            headers={"Origin": self.browser.base},
            allow_redirects=False,
        ) as answer:
            return answer.status, await answer.text()


@pytest.fixture
async def room(template: Path, tmp_path: Path) -> AsyncIterator[Room]:
    shutil.copy(template, tmp_path / "hotline.db")
    database = await Database.open(f"sqlite+aiosqlite:///{tmp_path / 'hotline.db'}")
    settings = Settings(
        state_dir=str(tmp_path), desk=DeskSettings(port=free_port()), skills=SITE.skills, ivr=SITE.ivr
    )
    runner = await serve(settings, KEYS, database)
    async with aiohttp.ClientSession(cookie_jar=aiohttp.CookieJar(unsafe=True)) as http:
        yield Room(settings, database, http)
    await runner.cleanup()
    await database.close()


def voice(seconds: float = 1.0, rate: int = 8000, loud: float = 0.4) -> bytes:
    """A WAV file with one tone."""
    out = io.BytesIO()
    with wave.open(out, "wb") as file:
        file.setparams((1, 2, rate, 0, "NONE", ""))
        top = [int(loud * 32767 * math.sin(2 * math.pi * 440 * n / rate)) for n in range(rate)]
        second = struct.pack(f"<{rate}h", *(max(-32768, min(32767, value)) for value in top))
        file.writeframes((second * (int(seconds) + 1))[: int(seconds * rate) * 2])
    return out.getvalue()


@slow
async def test_a_supervisor_switches_the_whole_hotlines_mode_and_the_wall_shows_it(room: Room) -> None:
    browser = room.browser
    await browser.log_in("9001")
    _, text = await browser.get("/ivr")
    assert "切换到“强降雨”" in text and "来电都去“企业专席”" in text
    answer = await browser.post("/ivr/mode", mode="storm", seen="normal")
    assert (answer.status, answer.headers["Location"]) == (303, "/ivr")
    now = await room.now()
    assert (now.mode, now.mode_by) == ("storm", "9001")
    _, text = await browser.get("/ivr")
    assert re.search(r'id="mode-now">.*强降雨', text) and "李班长 9001 切换" in text
    for number in ("9902", "9901"):
        await browser.log_in(number)
        status, text = await browser.get("/api/standing")
        assert (status, json.loads(text)["mode"]) == (200, "强降雨")
    (entry,) = await room.trail()
    assert (entry.person, entry.role, entry.what, entry.whom) == ("9001", "supervisor", "ivr.mode", "storm")


@slow
async def test_a_mode_that_another_has_switched_since_is_not_switched_unseen(room: Room) -> None:
    await room.browser.log_in("9001")
    await room.browser.get("/ivr")
    await room.browser.post("/ivr/mode", mode="storm", seen="normal")
    answer = await room.browser.post("/ivr/mode", mode="normal", seen="normal")
    assert answer.status == 409
    assert "模式刚刚被别人切换过" in await answer.text()
    assert (await room.now()).mode == "storm"
    assert (await room.browser.post("/ivr/mode", mode="flood", seen="storm")).status == 400


@slow
async def test_modes_that_were_applied_without_a_restart_can_be_switched_to(room: Room) -> None:
    flood = ModeSettings(id="flood", greeting="请远离河道。")
    write_applied(Settings(state_dir=room.settings.state_dir, ivr=IvrSettings(modes=(flood,))))
    await room.browser.log_in("9901")
    _, text = await room.browser.get("/ivr")
    assert "请远离河道。" in text and "强降雨" not in text
    assert (await room.browser.post("/ivr/mode", mode="flood", seen="normal")).status == 303


@slow
async def test_an_announcement_is_typed_heard_by_callers_and_withdrawn(room: Room) -> None:
    await room.browser.log_in("9001")
    fields = {"text": "明天停水 <b>", "queue": "12346", "district": "泰山区", "from": at(-1), "until": at(5)}
    assert (await room.announce(**fields))[0] == 303
    (news,) = (await room.now()).news
    assert (news.text, news.queue, news.district, news.person) == ("明天停水 <b>", "12346", "泰山区", "9001")
    assert local(news.until_us).strftime("%Y-%m-%dT%H:%M") == at(5)
    _, text = await room.browser.get("/ivr")
    assert "明天停水 &lt;b&gt;" in text and "去“企业专席”的来电，泰山区" in text and "正在制作" in text
    outlook = Outlook(room.settings)
    await outlook.look()
    await outlook.stop()
    _, text = await room.browser.get("/ivr")
    assert "试听" in text
    async with room.browser.http.get(f"{room.browser.base}/ivr/announcements/{news.id}/sound") as answer:
        assert (answer.status, (await answer.read())[:4]) == (200, b"RIFF")
    assert (await room.browser.post("/ivr/withdraw", id=news.id)).status == 303
    assert (await room.now()).news == ()
    assert [entry.what for entry in await room.trail()] == ["ivr.announce", "ivr.withdraw"]


@slow
async def test_a_recording_is_kept_when_a_field_beside_it_is_wrong_and_is_what_callers_hear(
    room: Room,
) -> None:
    await room.browser.log_in("9001")
    status, text = await room.announce(voice(2.0), text="明天停水", until=at(-1), district="泰山区")
    assert status == 409
    assert 'id="fault-until"' in text and "结束时间须在" in text
    for kept in ("明天停水", f'value="{at(-1)}"', '<option value="泰山区" selected>'):
        assert kept in text
    found = re.search(r'name="recording" value="([0-9a-f]{64})" checked', text)
    assert found and (await room.now()).news == ()
    assert (await room.announce(recording=found[1], text="明天停水"))[0] == 303
    (news,) = (await room.now()).news
    outlook = Outlook(room.settings)
    await outlook.look()
    await outlook.stop()
    made = room.settings.state / "asterisk/data/sounds/zh" / f"{news.prompt}.wav"
    assert abs(made.stat().st_size / 16000 - 2.2) < 0.1, "two seconds of the tone, not the engine's voice"
    assert (await room.announce(recording="0" * 64))[1].count("请重新上传") == 1


@slow
async def test_a_nuisance_caller_is_restricted_with_a_reason_shown_masked_and_pardoned(room: Room) -> None:
    await room.browser.log_in("9001")
    await room.browser.get("/ivr")
    answer = await room.browser.post("/ivr/restrict", number="110", days="0", why="一再骚扰")
    text = await answer.text()
    assert answer.status == 409 and "不能限制紧急号码" in text and "请填写 1 至 365 天" in text
    assert 'value="一再骚扰"' in text, "what was typed is not lost"
    assert (
        await room.browser.post("/ivr/restrict", number="13805380001", days="3", why="骚扰")
    ).status == 303
    assert (await room.now()).is_blocked("+8613805380001", clock.now().utc_us)
    _, text = await room.browser.get("/ivr")
    assert "138****0001" in text and "3805380001" not in text
    mark = re.search(r'name="mark" value="([0-9a-f]+)"', text)
    assert mark and (await room.browser.post("/ivr/pardon", mark=mark[1])).status == 303
    assert (await room.now()).restricted == {}
    assert [(entry.what, entry.why) for entry in await room.trail()] == [
        ("ivr.restrict", "骚扰"),
        ("ivr.pardon", ""),
    ]


@slow
@pytest.mark.parametrize("number", ["1001", "9902", "8101"])
async def test_nobody_else_sees_or_changes_how_the_hotline_stands(room: Room, number: str) -> None:
    browser = room.browser
    await browser.log_in(number)
    word = re.compile(r'"form_word": ?"([0-9a-f]{64})"|name="form_word" value="([0-9a-f]{64})"')
    for path in ("/", "/cases"):
        _, text = await browser.get(path)
        if found := word.search(text):
            browser.word = found[1] or found[2]
    for path in ("/ivr", "/ivr/figures", f"/ivr/announcements/n1-{'0' * 26}/sound"):
        status, text = await browser.get(path)
        assert status == 403 and "强降雨" not in text
    if number != "9902":
        assert (await browser.get("/api/standing"))[0] == 403
    for change in CHANGES:
        answer = await browser.post(f"/ivr/{change}", mode="storm", seen="normal")
        assert answer.status == 403
    assert await room.trail() == []


@slow
async def test_who_was_locked_out_since_the_log_in_changes_nothing_more(room: Room) -> None:
    await room.browser.log_in("9001")
    await room.browser.get("/ivr")
    async with room.database.begin() as session:
        await set_enabled(session, "9001", enabled=False)
    assert (await room.browser.post("/ivr/mode", mode="storm", seen="normal")).status == 401
    assert (await room.announce())[0] == 401
    assert await room.trail() == []


@slow
async def test_figures_of_the_ivr_are_a_page_for_supervisors(room: Room) -> None:
    await room.browser.log_in("9001")
    status, text = await room.browser.get("/ivr/figures?days=30")
    assert status == 200 and "0 通来电经过自动语音" in text
    assert (await room.browser.get("/ivr/figures?days=x"))[0] == 400


@slow
async def test_a_sentence_that_no_engine_can_speak_does_not_keep_a_mode_from_callers(room: Room) -> None:
    news = standing.Announcement(
        id="n1-x", text="……", queue="", from_us=0, until_us=clock.now().utc_us + 10**9
    )
    deed = audit.Deed(person="9001", role="supervisor", what="ivr.test", whom="")
    async with room.database.begin() as session:
        await standing.announce(session, news, deed, 1)
        await standing.switch_mode(session, "storm", deed, 2)
    outlook = Outlook(room.settings)
    with pytest.raises(Exception, match="only silence"):
        await outlook.look()
    assert outlook.standing.mode == "storm"
    await outlook.stop()


def test_figures_name_each_step_in_chinese_and_count_zeros_hang_ups_and_circles() -> None:
    ways = [("g@5.r@2.m0@4.q", ""), ("g@5.r@2.m", ""), ("g.r.m2.c1.c1.c1", ""), ("", "late")]
    assert shown.figures(way.count(ways)) == {
        "calls": 4,
        "steps": [
            ("问候语", [3, 0, 0, 0]),
            ("录音告知", [3, 0, 0, 0]),
            ("主菜单", [3, 1, 1, 0]),
            ("输入工单编号或确认回呼号码", [1, 0, 1, 1]),
            ("去排队", [1, 0, 0, 0]),
        ],
        "failed": [("没有按时应答", 1)],
    }
    assert set(way.LETTERS_ZH) == set(way.LETTERS)


@pytest.mark.parametrize(
    ("content", "unfit"),
    [
        (voice(), None),
        (b"RIFF", Unfit.NO_WAV),
        (b"", Unfit.NO_WAV),
        (voice(0.2), Unfit.BAD_LENGTH),
        (voice(61.0), Unfit.BAD_LENGTH),
        (voice(rate=4000), Unfit.BAD_FORM),
        (voice(loud=0.001), Unfit.SILENT),
        (voice(loud=9.0), Unfit.CLIPPED),
        (b"\0" * (recorded.MOST_BYTES + 1), Unfit.TOO_LARGE),
    ],
)
def test_a_recording_that_callers_could_not_hear_well_is_refused_with_its_reason(
    content: bytes, unfit: Unfit | None
) -> None:
    assert fault_of(content) is unfit


@pytest.mark.parametrize(
    ("fields", "faulty"),
    [
        ({"text": "。。。"}, {"text"}),
        ({"text": "长" * 201}, {"text"}),
        ({"text": "一\n二"}, {"text"}),
        ({"queue": "99", "district": "月亮区"}, {"queue", "district"}),
        ({"until": ""}, {"until"}),
        ({"until": "morgen"}, {"until"}),
        ({"from": "2026-13-01T00:00"}, {"from"}),
        ({"from": "0001-01-01T00:00"}, {"from"}),
        ({"from": "2026-11-25T08:00+00:00"}, {"from"}),
        ({"from": at(3), "until": at(2)}, {"until"}),
        ({"until": at(24 * 31)}, {"until"}),
    ],
)
def test_what_cannot_be_announced_is_told_by_its_field(fields: dict[str, str], faulty: set[str]) -> None:
    typed = dict.fromkeys(forms.ANNOUNCEMENT, "") | {"text": "停水", "until": at(2)}
    assert forms.announcement(typed, SITE, ["泰山区"], "n1-x", NOW_US).from_us == NOW_US
    with pytest.raises(BadFields) as caught:
        forms.announcement(typed | fields, SITE, ["泰山区"], "n1-x", NOW_US)
    assert set(caught.value.faults) == faulty
