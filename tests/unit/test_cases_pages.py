"""The pages of casework: each post its list, the case and what can be done, nothing for those outside."""

from __future__ import annotations

import io
import json
import re
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import aiohttp
import pytest
from openpyxl import load_workbook

from agent_desk.app import serve
from casework.faq import seed_knowledge
from casework.history import move_of
from casework.moves import Actor
from casework.service import NewCase, history_of, open_case
from casework.store.posts import BadPost, Post, give_posts, posts_of
from casework.store.tables import CaseRow
from casework.words import PLATFORM, Part
from ctiserver.archive.rules import Direction
from hotline import audit, clock
from hotline.db.engine import Database
from hotline.identity.people import NewPerson, create_person, find_person, set_enabled
from hotline.identity.roles import Role
from hotline.local_time import local_day
from hotline.settings import DeskSettings, Settings
from tests.unit.archive_room import Room
from tests.unit.desk_city import ADMIN, AGENT, PASSWORD, STAFF, UNITS
from tests.unit.test_desk import KEYS, Browser, free_port

pytestmark = pytest.mark.slow

DISPATCHER, REVIEWER, VISITOR, SUPERVISOR = "8101", "8201", "8301", "8401"
HANDLERS = {member.post.unit: member.person.number for member in STAFF if member.post.unit}
CITIZEN = "13805386987"
ID = re.compile(r"/cases/([a-z0-9_]+-[0-9A-Z]{26})")


@pytest.fixture
def database(city_database: Database) -> Database:
    return city_database


class Door:
    """People come in at the desk's door, each with a browser of their own."""

    def __init__(self, base: str) -> None:
        self.base = base
        self._open: list[aiohttp.ClientSession] = []

    async def of(self, number: str) -> Browser:
        http = aiohttp.ClientSession(cookie_jar=aiohttp.CookieJar(unsafe=True))
        self._open.append(http)
        browser = Browser(http, self.base)
        answer = await browser.log_in(number)
        assert answer.status == 303
        await browser.get("/cases/catalogue" if number == ADMIN else "/cases")
        return browser

    async def close(self) -> None:
        for http in self._open:
            await http.close()


@pytest.fixture
async def door(database: Database, tmp_path: Path) -> AsyncIterator[Door]:
    settings = Settings(state_dir=str(tmp_path), desk=DeskSettings(port=free_port()))
    runner = await serve(settings, KEYS, database)
    door = Door(f"http://127.0.0.1:{settings.desk.port}")
    yield door
    await door.close()
    await runner.cleanup()


async def taken_in(browser: Browser, **fields: str) -> str:
    form = {
        "kind": "求助",
        "title": "路灯不亮",
        "text": "三晚了",
        "place": "泰山区岱庙街道",
        "number": CITIZEN,
        "is_other": "on",
    }
    await browser.get("/cases/new")
    answer = await browser.post("/cases/new", **(form | fields))
    found = ID.search(answer.headers["Location"])
    assert answer.status == 303 and found
    return found[1]


async def made(browser: Browser, id_: str, move: str, **fields: str) -> None:
    answer = await browser.post(f"/cases/{id_}/{move}", **({"reason": "按规定"} | fields))
    assert answer.status == 303, (move, await answer.text())


async def test_a_case_goes_the_whole_way_through_the_hands_of_six_people(door: Door) -> None:
    agent, dispatcher = await door.of(AGENT), await door.of(DISPATCHER)
    handler, reviewer = await door.of(HANDLERS["urban-management"]), await door.of(REVIEWER)
    visitor, supervisor = await door.of(VISITOR), await door.of(SUPERVISOR)
    id_ = await taken_in(agent)
    _, text = await dispatcher.get(f"/cases/{id_}")
    assert "建议转办：<b>市城市管理局</b>" in text and "归口管理：派单目录“城市管理·路灯维修”" in text
    await made(dispatcher, id_, "dispatch", unit="urban-management", profile="five_days")
    _, text = await handler.get("/cases")
    assert "路灯不亮" in text and "●</span>正常" in text
    await made(handler, id_, "accept")
    await made(handler, id_, "start")
    await made(handler, id_, "reply", reason="已修复", is_citizen_told="on")
    _, text = await reviewer.get("/cases")
    assert "待审核（1）" in text
    await made(reviewer, id_, "pass_review")
    _, text = await visitor.get(f"/cases/{id_}")
    assert "回访话术" in text and CITIZEN not in text and "138****6987" in text
    grade = {"satisfaction": "4", "is_solved": "on", "is_in_time": "on"}
    await made(visitor, id_, "visited", **grade)
    await made(visitor, id_, "close")
    await made(supervisor, id_, "archive")
    _, text = await agent.get(f"/cases/{id_}")
    assert "已归档" in text and text.count("<li>") == 9


async def test_to_those_outside_a_case_looks_like_one_that_does_not_exist(door: Door) -> None:
    agent, dispatcher = await door.of(AGENT), await door.of(DISPATCHER)
    id_ = await taken_in(agent)
    await made(dispatcher, id_, "dispatch", unit="urban-management", profile="one_day")
    other = await door.of(HANDLERS["heating"])
    foreign = await other.get(f"/cases/{id_}")
    missing = await other.get(f"/cases/n1-{'0' * 26}")
    assert foreign == missing and foreign[0] == 403
    for path in (f"/cases/{id_}/accept", f"/cases/{id_}/number", f"/cases/n1-{'0' * 26}/accept"):
        answer = await other.post(path, reason="x", why="x")
        assert answer.status == 403
    _, text = await other.get("/cases/find?q=路灯")
    assert "没有符合条件的工单" in text


async def test_without_a_post_there_are_no_cases_and_a_post_taken_away_is_gone_at_once(
    door: Door, database: Database
) -> None:
    supervisor = await door.of("9001")
    assert (await supervisor.get("/cases"))[0] == 403
    visitor = await door.of(VISITOR)
    assert (await visitor.get("/cases"))[0] == 200
    async with database.begin() as session:
        await give_posts(session, VISITOR, [])
    assert (await visitor.get("/cases"))[0] == 403
    dispatcher = await door.of(DISPATCHER)
    async with database.begin() as session:
        await set_enabled(session, DISPATCHER, False)
    assert (await dispatcher.get("/cases"))[0] == 403


async def test_who_works_on_cases_alone_sees_nothing_of_the_floor(door: Door) -> None:
    dispatcher = await door.of(DISPATCHER)
    for path in ("/wall", "/agent", "/seats", "/recordings"):
        assert (await dispatcher.get(path))[0] == 403
    headers = {"Origin": dispatcher.base, "X-Form-Word": dispatcher.word}
    async with dispatcher.http.post(dispatcher.base + "/api/token", headers=headers) as answer:
        assert answer.status == 403


async def test_a_secret_cases_number_is_hidden_from_its_unit_and_shown_for_a_reason_elsewhere(
    door: Door, database: Database
) -> None:
    """GB/T 33358-2016: who asks for secrecy is not named to the department."""
    agent, dispatcher = await door.of(AGENT), await door.of(DISPATCHER)
    id_ = await taken_in(agent, is_secret="on")
    await made(dispatcher, id_, "dispatch", unit="urban-management", profile="one_day")
    handler = await door.of(HANDLERS["urban-management"])
    _, text = await handler.get(f"/cases/{id_}")
    assert "<dt>市民</dt><dd>已保密</dd>" in text and CITIZEN not in text and "****" not in text
    answer = await handler.post(f"/cases/{id_}/number", why="想看")
    assert answer.status == 400 and CITIZEN not in await answer.text()
    answer = await dispatcher.post(f"/cases/{id_}/number", why="")
    assert answer.status == 400 and CITIZEN not in await answer.text()
    answer = await dispatcher.post(f"/cases/{id_}/number", why="核实地址")
    assert answer.status == 200 and CITIZEN in await answer.text()
    async with database.read() as session:
        (deed,) = await audit.newest(session, 5)
    assert (deed.person, deed.what, deed.whom, deed.why) == (DISPATCHER, "case.number", id_, "核实地址")


async def test_a_return_and_an_extension_are_asked_by_the_unit_and_decided_above(door: Door) -> None:
    """永审服发〔2017〕30号三（二）（三）."""
    agent, dispatcher = await door.of(AGENT), await door.of(DISPATCHER)
    county, town = await door.of(HANDLERS["taishan-district"]), await door.of(HANDLERS["daimiao"])
    id_ = await taken_in(agent)
    await made(dispatcher, id_, "dispatch", unit="taishan-district", profile="one_day")
    await made(county, id_, "ask_return", reason="不属本区", suggestion="市城市管理局")
    _, text = await dispatcher.get("/cases")
    assert "待审批的退回和延期（1）" in text and "申请退回" in text
    await made(dispatcher, id_, "refuse_return", reason="属地优先")
    await made(county, id_, "pass_down", unit="daimiao")
    await made(town, id_, "ask_extension", days="3", reason="需要采购灯杆")
    assert "待审批的退回和延期（0）" in (await dispatcher.get("/cases"))[1]
    assert "待审批的退回和延期（1）" in (await county.get("/cases"))[1]
    before = (await town.get(f"/cases/{id_}"))[1]
    await made(county, id_, "grant_extension", reason="情况属实")
    due = re.compile(r'<b id="due">([^<]+)</b>')
    was, now = due.search(before), due.search((await town.get(f"/cases/{id_}"))[1])
    assert was and now and now[1] > was[1]


async def test_what_a_form_cannot_mean_is_refused_and_what_was_typed_comes_back(door: Door) -> None:
    agent, dispatcher = await door.of(AGENT), await door.of(DISPATCHER)
    id_ = await taken_in(agent)
    for fields, message in (
        ({"unit": "daimiao", "profile": "one_day"}, "只能转给直接下级"),
        ({"unit": "police", "profile": "one_day"}, "只能转给直接下级"),
        ({"unit": "heating", "profile": "never"}, "提交的内容有误"),
        ({"unit": "", "profile": "one_day"}, "请填写承办单位"),
        ({"unit": "heating", "profile": "one_day", "reason": " "}, "请填写原因"),
    ):
        answer = await dispatcher.post(f"/cases/{id_}/dispatch", **({"reason": "保留<这句>"} | fields))
        text = await answer.text()
        assert answer.status == 409 and message in text
        assert "保留&lt;这句&gt;" in text or not fields.get("reason", "x").strip()
    answer = await agent.post(f"/cases/{id_}/archive", reason="x")
    assert answer.status == 409 and "工单当前环节不能进行此操作" in await answer.text()
    answer = await dispatcher.post(f"/cases/{id_}/close_with_master", reason="x")
    assert answer.status == 404
    answer = await dispatcher.post(f"/cases/{id_}/merge", reason="x", master="20261124-9999")
    assert answer.status == 409


async def test_what_a_citizen_said_is_text_on_every_page(door: Door) -> None:
    agent, dispatcher = await door.of(AGENT), await door.of(DISPATCHER)
    id_ = await taken_in(agent, title="<script>alert(1)</script>", text="<b>粗</b>", place='"><i>')
    for path in ("/cases", f"/cases/{id_}", "/cases/find?q=script"):
        _, text = await dispatcher.get(path)
        assert "<script>alert" not in text and "&lt;script&gt;" in text and "<i>" not in text


async def test_the_next_case_is_the_most_urgent_of_the_first_list(door: Door) -> None:
    agent, dispatcher = await door.of(AGENT), await door.of(DISPATCHER)
    first = await taken_in(agent)
    second = await taken_in(agent)
    async with dispatcher.http.get(dispatcher.base + "/cases/next", allow_redirects=False) as answer:
        assert answer.headers["Location"] == f"/cases/{first}"
    done = await dispatcher.post(
        f"/cases/{first}/dispatch", unit="heating", profile="one_day", reason="归口", then="next"
    )
    assert done.headers["Location"] == "/cases/next"
    async with dispatcher.http.get(dispatcher.base + "/cases/next", allow_redirects=False) as answer:
        assert answer.headers["Location"] == f"/cases/{second}"


async def test_a_page_files_a_case_during_the_call_and_is_told_its_number(door: Door) -> None:
    agent = await door.of(AGENT)
    headers = {"Origin": agent.base, "X-Form-Word": agent.word}
    filing = {"title": "暖气不热", "text": "室温14度", "number": CITIZEN, "conversation": "n1-1.1"}
    for path in ("/api/cases", "/api/cases/suggestion"):
        async with agent.http.post(agent.base + path, json=filing | {"evil": 1}, headers=headers) as answer:
            assert answer.status == 400
        async with agent.http.post(agent.base + path, json=filing) as answer:
            assert answer.status == 403
    async with agent.http.post(
        agent.base + "/api/cases/suggestion", json=filing | {"topic": "室温"}, headers=headers
    ) as answer:
        told = await answer.json()
    assert told["unit"] == {"id": "heating", "name": "热力公司"} and "归口管理" in told["reason"]
    assert told["matters"] == [{"name": "室温不达标", "category": "供热"}]
    async with agent.http.post(agent.base + "/api/cases", json=filing, headers=headers) as answer:
        assert answer.status == 201
        filed = await answer.json()
    assert re.fullmatch(r"[0-9]{8}-0001", filed["number"]) and filed["state"] == "intake"
    async with agent.http.post(
        agent.base + "/api/cases", json=filing | {"title": " "}, headers=headers
    ) as answer:
        assert answer.status == 422 and await answer.json() == {"code": "no_title", "message": "请填写标题"}
    handler = await door.of(HANDLERS["heating"])
    headers = {"Origin": handler.base, "X-Form-Word": handler.word}
    async with handler.http.post(handler.base + "/api/cases", json=filing, headers=headers) as answer:
        assert answer.status == 403


async def test_an_answer_that_was_lost_on_the_way_costs_no_second_case_and_no_second_urging(
    door: Door, database: Database
) -> None:
    agent, dispatcher = await door.of(AGENT), await door.of(DISPATCHER)
    headers = {"Origin": agent.base, "X-Form-Word": agent.word}
    filing = {"title": "路灯不亮", "text": "三晚了", "number": CITIZEN, "conversation": "n1-1.1"}

    async def sent(path: str, **body: str) -> tuple[int, dict[str, object]]:
        async with agent.http.post(agent.base + path, json=body, headers=headers) as answer:
            return answer.status, await answer.json()

    _, first = await sent("/api/cases", **filing)
    _, again = await sent("/api/cases", **filing)
    _, other = await sent("/api/cases", **filing | {"text": "路面也坏了"})
    assert first["id"] == again["id"] != other["id"]
    path, words = f"/api/cases/{first['id']}/urge", {"text": "还没来修", "conversation": "n1-2.1"}
    assert await sent(path, **words) == await sent(path, **words)
    status, told = await sent(path, **words | {"conversation": "n1-3.1"})
    assert (status, told["number"], told["urged"]) == (200, first["number"], 2)
    assert await sent(path, **words | {"text": " "}) == (422, {"code": "no_reason", "message": "请填写原因"})
    assert (await sent(path, evil="1"))[0] == 400
    assert (await sent(f"/api/cases/n1-{'0' * 26}/urge", **words))[0] == 403
    async with database.read() as session:
        moves = [entry.move for entry in await history_of(session, str(first["id"]))]
    assert moves == ["open", "urge", "urge"]
    _, text = await dispatcher.get(f"/cases/{first['id']}")
    assert "n1-1.1" in text and "还没来修" in text


async def test_posts_are_checked_when_they_are_given(database: Database) -> None:
    async with database.begin() as session:
        await create_person(session, NewPerson(number="8999", name="新人", role=Role.OFFICE), PASSWORD, 1)
        wrong = (
            ("0000", Post(Part.VISITOR)),
            ("8999", Post(Part.UNIT)),
            ("8999", Post(Part.UNIT, "x")),
        )
        for number, post in wrong:
            with pytest.raises(BadPost):
                await give_posts(session, number, [post])
        await give_posts(session, "8999", [Post(Part.VISITOR), Post(Part.UNIT, "heating")])
        person = await find_person(session, "8999")
        assert person is not None
        held = await posts_of(session, person)
    assert set(held) == {Actor("8999", Part.VISITOR, PLATFORM), Actor("8999", Part.UNIT, "热力公司")}


async def test_a_case_filed_long_ago_is_found_by_number_and_by_words_of_its_title(
    door: Door, database: Database
) -> None:
    new = NewCase(citizen="", title="小区供暖温度不达标", text="", unit="", actor=AGENT)
    case = await open_case(database, new, "n1", clock.now().utc_us)
    agent = await door.of(AGENT)
    for query in (f"q={case.number}", "q=供暖", "state=intake", "from=2020-01-01"):
        assert new.title in (await agent.get(f"/cases/find?{query}"))[1]
    for query in (
        "q=100%25",
        "state=closed",
        "to=2020-01-01",
        "unit=x",
        "from=nonsense",
        "from=9999-12-31&to=9999-12-31",
    ):
        assert new.title not in (await agent.get(f"/cases/find?{query}"))[1]


async def test_the_ledger_is_the_platforms_and_names_what_is_open_and_what_was_discharged(door: Door) -> None:
    agent, dispatcher = await door.of(AGENT), await door.of(DISPATCHER)
    supervisor, handler = await door.of(SUPERVISOR), await door.of(HANDLERS["heating"])
    id_ = await taken_in(agent)
    await made(dispatcher, id_, "dispatch", unit="heating", profile="one_day")
    for _ in range(3):
        await made(agent, id_, "urge", reason="又来电")
    _, text = await supervisor.get("/cases")
    assert "督办中（1）" in text and "监察问责" in text
    assert (await handler.get("/cases/ledger"))[0] == 403
    assert (await handler.post(f"/cases/{id_}/discharge", reason="x")).status == 409
    await made(supervisor, id_, "discharge", reason="已约谈负责人")
    _, text = await supervisor.get("/cases/ledger")
    assert "督办中（0）" in text and "已约谈负责人" in text and "催办、退办累计3次以上" in text
    assert (await supervisor.post(f"/cases/{id_}/warn", reason="x")).status == 404


async def test_a_unit_sees_its_own_score_and_nobody_elses(door: Door) -> None:
    agent, dispatcher = await door.of(AGENT), await door.of(DISPATCHER)
    heating, lights = await door.of(HANDLERS["heating"]), await door.of(HANDLERS["urban-management"])
    for unit, handler in (("heating", heating), ("urban-management", lights)):
        id_ = await taken_in(agent, title=f"{unit}的工单")
        await made(dispatcher, id_, "dispatch", unit=unit, profile="one_day")
        await made(handler, id_, "accept")
        await made(handler, id_, "reply", reason="已修复", is_citizen_told="on")
    _, text = await dispatcher.get("/cases/scores")
    assert "热力公司" in text and "市城市管理局" in text and text.count("<b>100.00</b>") == 2
    assert "公式 2026.1" in text
    _, text = await heating.get("/cases/scores")
    assert "热力公司" in text and "市城市管理局" not in text
    _, text = await heating.get("/cases/scores.csv")
    assert "热力公司,100.00,2026.1" in text and "市城市管理局" not in text
    _, text = await heating.get("/cases/scores/heating?measure=CLOSED")
    assert "heating的工单" in text and "得分" in text
    assert (await heating.get("/cases/scores/urban-management"))[0] == 403
    assert (await heating.get("/cases/scores/nobody"))[0] == 403
    for month, status in (("1999-01", 200), ("9999-12", 200), ("2026-13", 400), ("x", 400)):
        assert (await dispatcher.get(f"/cases/scores?month={month}"))[0] == status
    assert (await dispatcher.get("/cases/scores/heating?measure=X"))[0] == 404


PNG = b"\x89PNG\r\n\x1a\n" + b"0" * 100


async def sent(browser: Browser, id_: str, name: str, content: bytes, word: str | None = None) -> int:
    form = aiohttp.FormData(quote_fields=False)  # as browsers do
    form.add_field("form_word", browser.word if word is None else word)
    form.add_field("file", content, filename=name, content_type="text/html")
    address = f"{browser.base}/cases/{id_}/files"
    headers = {"Origin": browser.base}
    async with browser.http.post(address, data=form, headers=headers, allow_redirects=False) as answer:
        return answer.status


async def test_a_file_goes_to_those_who_may_see_the_case_and_to_nobody_else(
    door: Door, database: Database, tmp_path: Path
) -> None:
    agent, dispatcher = await door.of(AGENT), await door.of(DISPATCHER)
    handler, other = await door.of(HANDLERS["heating"]), await door.of(HANDLERS["gas"])
    id_ = await taken_in(agent)
    await made(dispatcher, id_, "dispatch", unit="heating", profile="one_day")
    assert await sent(handler, id_, "../../现场<1>.png", PNG) == 303
    assert await sent(other, id_, "x.png", PNG) == 403
    assert await sent(handler, id_, "x.png", PNG, word="0" * 64) == 403
    for name, content in (("x.png", b""), ("x.png", b"<script>"), ("x.html", PNG), ("x", PNG)):
        assert await sent(handler, id_, name, content) == 409
    assert await sent(handler, id_, "x.pdf", b"%PDF-" + b"0" * (10 * 1024 * 1024)) == 409
    _, text = await dispatcher.get(f"/cases/{id_}")
    found = re.search(rf"/cases/{id_}/files/[a-z0-9_]+-[0-9A-Z]{{26}}", text)
    assert found and "现场1.png" in text and "上传附件" in text
    async with dispatcher.http.get(dispatcher.base + found[0]) as answer:
        assert await answer.read() == PNG and answer.headers["Content-Type"] == "image/png"
        assert answer.headers["Content-Disposition"].startswith("attachment")
    assert (await other.get(found[0]))[0] == 403
    foreign = await taken_in(agent)
    assert (await dispatcher.get(found[0].replace(id_, foreign)))[0] == 403
    (kept,) = [path for path in (tmp_path / "attachments").rglob("*") if path.is_file()]
    assert kept.stat().st_mode & 0o077 == 0 and kept.name in await history_text(database, id_)


async def test_who_is_not_logged_in_is_led_to_the_door_before_a_byte_is_read(door: Door) -> None:
    async with aiohttp.ClientSession(cookie_jar=aiohttp.CookieJar(unsafe=True)) as http:
        stranger = Browser(http, door.base)
        await stranger.get("/login")
        form = aiohttp.FormData({"form_word": stranger.word})
        form.add_field("file", PNG, filename="x.png")
        address = f"{door.base}/cases/n1-{'0' * 26}/files"
        headers = {"Origin": door.base}
        async with http.post(address, data=form, headers=headers, allow_redirects=False) as answer:
            assert (answer.status, answer.headers["Location"]) == (303, "/login")


async def history_text(database: Database, id_: str) -> str:
    async with database.read() as session:
        return " ".join(entry.body for entry in await history_of(session, id_))


async def test_everybody_with_a_post_reads_the_tree_of_units_and_whose_duty_a_matter_is(door: Door) -> None:
    handler, supervisor = await door.of(HANDLERS["heating"]), await door.of("9001")
    _, text = await handler.get("/cases/catalogue")
    assert (
        "岱庙街道东关社区居委会" in text and "<td>室温不达标</td><td>热力公司</td><td>归口管理</td>" in text
    )
    assert "公安报警" not in text
    assert (await supervisor.get("/cases/catalogue"))[0] == 403


async def test_who_calls_again_about_the_same_matter_is_not_given_a_second_case_by_oversight(
    door: Door,
) -> None:
    """国办发〔2025〕66号: never two dispatches for one matter."""
    agent = await door.of(AGENT)
    first = await taken_in(agent)
    again = {"kind": "求助", "title": "门口的路灯还是没亮", "text": "<i>", "number": CITIZEN}
    answer = await agent.post("/cases/new", **again)
    text = await answer.text()
    assert answer.status == 400 and "已有在办工单" in text and f'href="/cases/{first}"' in text
    assert again["title"] in text and "<i>" not in text
    headers = {"Origin": agent.base, "X-Form-Word": agent.word}
    path = agent.base + "/api/cases/suggestion"
    for change, ids in (
        ({}, [first]),
        ({"number": "13805380000"}, []),
        ({"number": ""}, []),
        ({"title": "公交太慢", "text": ""}, []),
        ({"title": "那件事", "text": "", "topic": "路灯维修"}, [first]),
    ):
        async with agent.http.post(path, json=again | change, headers=headers) as told:
            assert [one["id"] for one in (await told.json())["open"]] == ids, change
    second = await taken_in(agent)
    assert second != first
    for id_ in (first, second):
        await made(agent, id_, "turn_away", ground="其他不属受理范围", way="市民自行处理")
    answer = await agent.post("/cases/new", **again)
    assert answer.status == 303, "what is closed stands in nobody's way"


SOCIAL = "social-security"
EVIL = "<script>alert(1)</script>"
ENTRY = re.compile(r"/knowledge/([a-z0-9_]+-[0-9A-Z]{26})")


async def written(browser: Browser, **fields: str) -> str:
    await browser.get("/knowledge/new")
    form = {"question": "养老金怎么认证？", "answer": "手机或社区均可办理。"}
    answer = await browser.post("/knowledge/new", **(form | fields))
    found = ENTRY.search(answer.headers.get("Location", ""))
    assert answer.status == 303 and found, await answer.text()
    return found[1]


async def put_in_force(writer: Browser, reviewer: Browser, id_: str, seq: int) -> None:
    for browser, act, read in ((writer, "submit", seq), (reviewer, "publish", seq + 1)):
        answer = await browser.post(f"/knowledge/{id_}/{act}", seq=str(read))
        assert answer.status == 303, await answer.text()


async def test_what_a_unit_writes_is_reviewed_found_by_agents_and_gone_when_it_is_taken_off(
    door: Door, database: Database
) -> None:
    agent, reviewer, writer = await door.of(AGENT), await door.of(REVIEWER), await door.of(HANDLERS[SOCIAL])
    _, text = await agent.get("/knowledge?q=养老金认证")
    assert "没有有效的词条" in text
    _, text = await writer.get("/knowledge/missed")
    assert "养老金认证" in text and "1 次" in text
    id_ = await written(writer)
    assert "养老金怎么认证" in (await writer.get("/knowledge"))[1]
    answer = await reviewer.post(f"/knowledge/{id_}/publish", seq="1")
    assert answer.status == 409 and "词条当前状态不能进行此操作" in await answer.text()
    await put_in_force(writer, reviewer, id_, 1)
    _, text = await agent.get("/knowledge?q=养老金认证")
    assert id_ in text and "手机或社区均可办理。" in text
    assert "养老金认证" not in (await writer.get("/knowledge/missed"))[1]
    answer = await writer.post(f"/knowledge/{id_}/edit", seq="3", question="养老金怎么认证？", answer="新")
    assert answer.status == 303
    answer = await writer.post(f"/knowledge/{id_}/edit", seq="3", question="迟到", answer="保留这句")
    assert answer.status == 409 and "词条已被他人修改" in (text := await answer.text()) and "保留这句" in text
    assert "手机或社区均可办理。" in (await agent.get(f"/knowledge/{id_}"))[1], "the draft is not told"
    answer = await reviewer.post(f"/knowledge/{id_}/withdraw", seq="4", reason="政策\0已变")
    assert answer.status == 303
    assert (await agent.get(f"/knowledge/{id_}"))[0] == 403
    assert "没有有效的词条" in (await agent.get("/knowledge?q=养老金认证"))[1]
    async with database.read() as session:
        deeds = await audit.newest(session, 9)
    assert [deed.what for deed in deeds] == [
        f"knowledge.{act}" for act in ("withdraw", "write", "publish", "submit", "write")
    ]
    assert (deeds[0].whom, deeds[0].why) == (f"{id_} 5", "政策已变")


async def test_who_may_not_see_an_entry_is_told_no_more_than_if_there_were_none(door: Door) -> None:
    writer, other = await door.of(HANDLERS[SOCIAL]), await door.of(HANDLERS["heating"])
    agent, supervisor = await door.of(AGENT), await door.of("9001")
    id_ = await written(writer)
    for browser in (other, agent):
        foreign = await browser.get(f"/knowledge/{id_}")
        assert foreign == await browser.get(f"/knowledge/n1-{'0' * 26}") and foreign[0] == 403
        assert (await browser.get(f"/knowledge/{id_}/edit"))[0] == 403
        for act in ("submit", "publish", "withdraw", "edit"):
            assert (await browser.post(f"/knowledge/{id_}/{act}", seq="1", reason="x")).status == 403
    for path in ("/knowledge/new", "/knowledge/missed"):
        assert (await agent.get(path))[0] == 403
    assert (await agent.post("/knowledge/new", question="x", answer="y")).status == 403
    for path in ("/knowledge", "/knowledge/missed", "/api/knowledge?q=x"):
        assert (await supervisor.get(path))[0] == 403, "no post, no knowledge"
    _, text = await writer.get(f"/knowledge/{id_}")
    assert 'id="act-publish"' not in text and 'id="act-submit"' in text


async def test_an_entry_whose_time_is_over_is_never_shown_as_valid(door: Door) -> None:
    agent, reviewer, writer = await door.of(AGENT), await door.of(REVIEWER), await door.of(HANDLERS[SOCIAL])
    today = local_day(clock.now().utc_us)
    id_ = await written(writer, since="2024-01-01", until="2024-12-31")
    answer = await writer.post(f"/knowledge/{id_}/submit", seq="1")
    assert answer.status == 409 and "有效期已过" in await answer.text()
    for fields, message in (
        ({"until": "2024-02-30"}, "日期格式不对"),
        ({"since": "2025-01-02", "until": "2025-01-01"}, "有效期的终止日期不能早于起始日期"),
        ({"answer": " "}, "请填写答案"),
    ):
        form = {"question": "保留<这句>", "answer": "答", "seq": "1"} | fields
        answer = await writer.post(f"/knowledge/{id_}/edit", **form)
        assert answer.status == 409 and message in (text := await answer.text())
        assert "保留&lt;这句&gt;" in text
    later = await written(writer, since=(today + timedelta(days=1)).isoformat())
    await put_in_force(writer, reviewer, later, 1)
    assert "没有有效的词条" in (await agent.get("/knowledge?q=养老金认证"))[1]
    _, text = await agent.get(f"/knowledge/{later}")
    assert "尚未生效" in text and "此内容目前不能作为答复依据" in text
    last = await written(writer, until=today.isoformat())
    await put_in_force(writer, reviewer, last, 1)
    assert last in (await agent.get("/knowledge?q=养老金认证"))[1], "the last day is within"


async def test_the_agents_page_is_told_what_answers_the_citizen_and_reports_what_nobody_wrote(
    door: Door,
) -> None:
    agent, reviewer, writer = await door.of(AGENT), await door.of(REVIEWER), await door.of(HANDLERS[SOCIAL])
    id_ = await written(writer, answer="手机办理。" * 100, topic="养老金资格认证", until="2099-12-31")
    await put_in_force(writer, reviewer, id_, 1)
    _, text = await agent.get("/api/knowledge?q=养老金认证")
    (told,) = json.loads(text)["entries"]
    assert told == {
        "id": id_,
        "question": "养老金怎么认证？",
        "answer": ("手机办理。" * 100)[:300],
        "is_cut": True,
        "topic": "养老金资格认证",
        "unit": "市人力资源和社会保障局",
        "until": "2099-12-31",
    }
    assert json.loads((await agent.get("/api/knowledge?q="))[1]) == {"entries": [], "meant": ""}
    headers = {"Origin": agent.base, "X-Form-Word": agent.word}
    path = agent.base + "/api/knowledge/missed"
    for body, status, is_counted in (
        ({"q": "养猫"}, 200, True),
        ({"q": "养老金认证"}, 200, False),
        ({"q": CITIZEN}, 200, False),
        ({"q": 1}, 400, None),
    ):
        async with agent.http.post(path, json=body, headers=headers) as answer:
            assert answer.status == status
            assert is_counted is None or await answer.json() == {"is_counted": is_counted}
    async with agent.http.post(path, json={"q": "养猫"}) as answer:
        assert answer.status == 403
    assert "养猫" in (await reviewer.get("/knowledge/missed"))[1]
    async with aiohttp.ClientSession() as nobody, nobody.get(door.base + "/api/knowledge?q=x") as answer:
        assert answer.status == 401


async def test_what_stands_in_an_entry_or_was_sought_is_text_on_every_page(door: Door) -> None:
    agent, reviewer, writer = await door.of(AGENT), await door.of(REVIEWER), await door.of(HANDLERS[SOCIAL])
    id_ = await written(writer, question=EVIL, answer=f'"><img src=x>{EVIL}', topic=EVIL)
    await put_in_force(writer, reviewer, id_, 1)
    await agent.get("/knowledge?q=<img src=y> 甲乙丙")
    for browser, path in (
        (writer, "/knowledge"),
        (agent, "/knowledge?q=<script>alert"),
        (agent, f"/knowledge/{id_}"),
        (writer, f"/knowledge/{id_}/edit"),
        (writer, "/knowledge/missed"),
        (writer, "/knowledge/new?q=<script>"),
    ):
        _, text = await browser.get(path)
        assert "<script>" not in text and "<img" not in text and "&lt;" in text, path


async def asked(browser: Browser, path: str, body: dict[str, object]) -> tuple[int, dict[str, object]]:
    headers = {"Origin": browser.base, "X-Form-Word": browser.word}
    async with browser.http.post(browser.base + path, json=body, headers=headers) as answer:
        return answer.status, await answer.json() if answer.content_type == "application/json" else {}


async def is_played(browser: Browser, path: str) -> bool:
    async with browser.http.get(browser.base + path) as answer:
        return answer.status == 200 and (await answer.read())[:4] == b"fLaC"


async def replied(agent: Browser, dispatcher: Browser, handler: Browser, reviewer: Browser) -> str:
    id_ = await taken_in(agent)
    await made(dispatcher, id_, "dispatch", unit="urban-management", profile="five_days")
    await made(handler, id_, "accept")
    await made(handler, id_, "reply", reason="已修复", is_citizen_told="on")
    await made(reviewer, id_, "pass_review")
    return id_


async def test_a_visitor_calls_at_one_click_and_the_call_stands_in_the_case_with_its_sound(
    door: Door, database: Database, tmp_path: Path
) -> None:
    """泰政发〔2016〕1号六（四）: every case is visited; who called, when, and what came of it."""
    async with database.begin() as session:
        await give_posts(session, AGENT, [Post(Part.VISITOR)])
        await give_posts(session, "1002", [Post(Part.VISITOR)])
    agent, other, dispatcher = await door.of(AGENT), await door.of("1002"), await door.of(DISPATCHER)
    handler, reviewer = await door.of(HANDLERS["urban-management"]), await door.of(REVIEWER)
    id_ = await replied(agent, dispatcher, handler, reviewer)
    await due_now(database, id_)
    status, text = await agent.get("/api/visits")
    (visit,) = json.loads(text)["visits"]
    assert (visit["id"], visit["tries"], visit["taken_by"]) == (id_, 0, "")
    assert "路灯不亮" in visit["script"] and CITIZEN not in text
    assert json.loads((await dispatcher.get("/api/visits"))[1]) == {"visits": None}
    assert (await asked(dispatcher, f"/api/cases/{id_}/visit/take", {}))[0] == 403

    assert await asked(agent, f"/api/cases/{id_}/visit/take", {}) == (200, {"number": CITIZEN})
    status, told = await asked(other, f"/api/cases/{id_}/visit/take", {})
    assert status == 409 and AGENT in str(told["message"])
    async with database.read() as session:
        (deed,) = await audit.newest(session, 1)
    assert (deed.person, deed.what, deed.whom, deed.why) == (AGENT, "case.number", id_, "回访")

    room = Room(tmp_path, database)
    await room.call("1.1", is_outbound=True, about=id_, outcome="not_reached", answered_us=0, talk_ms=0)
    outcome = {"outcome": {"type": "unreached", "reason": "无人接听"}}
    assert (await asked(other, f"/api/cases/{id_}/visit", outcome))[1]["code"] == "taken"
    status, told = await asked(agent, f"/api/cases/{id_}/visit", outcome)
    assert status == 200 and told["state"] == "回访中" and told["next"]
    assert json.loads((await agent.get("/api/visits"))[1])["visits"] == []

    await due_now(database, id_, forget=True)
    spoken = await room.call("2.2", is_outbound=True, about=id_, rating=2)
    for way in Direction:
        room.wav("2.2", way)
    await room.archive().run_once()
    heard = {"type": "visited", "satisfaction": 2, "is_solved": False, "is_in_time": True, "reason": "又灭了"}
    assert (await asked(agent, f"/api/cases/{id_}/visit", {"outcome": heard}))[1]["state"] == "办理中"
    async with database.read() as session:
        moves = [
            move_of(one) for one in await history_of(session, id_) if one.move in ("unreached", "visited")
        ]
    assert [(move.actor.number, move.conversation) for move in moves] == [(AGENT, "n1-1.1"), (AGENT, spoken)]

    sound = f"/cases/{id_}/calls/{spoken}/citizen"
    _, text = await reviewer.get(f"/cases/{id_}")
    assert "回访 · 外呼" in text and "评价 满意" in text and "外呼未接通" in text and sound in text
    assert await is_played(reviewer, sound) and await is_played(agent, sound)
    assert not await is_played(reviewer, f"/cases/{id_}/calls/n1-9.9/citizen")
    async with database.begin() as session:
        await give_posts(session, "1002", [])
    assert not await is_played(other, sound), "an agent hears their own calls; this one is another's"
    assert not await is_played(handler, sound), "a unit's people hear nobody's voice"
    assert spoken not in (await handler.get(f"/cases/{id_}"))[1]
    async with database.read() as session:
        (deed, *_) = await audit.newest(session, 5)
    assert deed.what == "recording.play" and spoken in deed.whom


async def due_now(database: Database, id_: str, *, forget: bool = False) -> None:
    """As if the hour had come, whatever hour the test runs at; `forget` an attempt at this very hour."""
    async with database.begin() as session:
        row = await session.get_one(CaseRow, id_)
        row.visit_due_us = 1
        if forget:
            row.progress = row.progress.replace('"attempts":[{"at_us":', '"attempts":[{"at_us":1')


async def test_a_message_becomes_one_case_whoever_else_wants_to_work_on_it(
    door: Door, database: Database, tmp_path: Path
) -> None:
    room = Room(tmp_path, database)
    left = await room.call("7.7", outcome="message", answered_us=0, agent="")
    agent, other = await door.of(AGENT), await door.of("1002")
    dispatcher = await door.of(DISPATCHER)
    assert (await asked(dispatcher, f"/api/missed/{left}/take", {}))[0] == 403
    assert (await asked(agent, "/api/missed/n1-8.8/take", {}))[0] == 404
    assert (await asked(agent, f"/api/missed/{left}/take", {}))[1]["cases"] == []
    assert (await asked(other, f"/api/missed/{left}/take", {}))[0] == 409
    assert (await asked(other, f"/api/missed/{left}/void", {"why": "无声"}))[0] == 409
    (caller,) = json.loads((await other.get("/api/missed"))[1])["callers"]
    assert caller["taken_by"] == AGENT
    filing = {"title": "路灯不亮", "text": "留言说三晚了", "conversation": left, "number": "13805381234"}
    assert (await asked(other, "/api/cases", filing))[1]["code"] == "taken"
    status, case = await asked(agent, "/api/cases", filing)
    assert status == 201
    assert json.loads((await other.get("/api/missed"))[1])["callers"] == []
    assert (await asked(agent, "/api/cases", filing))[1] == case, (
        "an answer that was lost costs no second case"
    )
    _, text = await dispatcher.get(f"/cases/{case['id']}")
    assert "受理 · 来电" in text and "留言" in text

    again = await room.call("8.8", outcome="message", answered_us=0, agent="")
    status, told = await asked(other, f"/api/missed/{again}/take", {})
    assert [one["number"] for one in told["cases"]] == [case["number"]]  # type: ignore[index, union-attr]
    urging = {"text": "又留言", "conversation": again}
    assert (await asked(agent, f"/api/cases/{case['id']}/urge", urging))[1]["code"] == "taken"
    assert (await asked(other, f"/api/cases/{case['id']}/urge", urging))[1]["urged"] == 1
    assert json.loads((await other.get("/api/missed"))[1])["callers"] == []
    void = await room.call("9.9", outcome="message", answered_us=0, agent="", citizen="", number="")
    assert (await asked(agent, f"/api/missed/{void}/void", {"why": " "}))[0] == 422
    assert (await asked(agent, f"/api/missed/{void}/void", {"why": "无声或误拨"}))[0] == 200
    assert json.loads((await other.get("/api/missed"))[1])["callers"] == []


async def test_a_unit_that_is_renamed_loses_none_of_its_cases_and_every_change_can_be_undone(
    door: Door, database: Database
) -> None:
    admin, agent, dispatcher = await door.of(ADMIN), await door.of(AGENT), await door.of(DISPATCHER)
    handler = await door.of(HANDLERS["urban-management"])
    id_ = await taken_in(agent)
    await made(dispatcher, id_, "dispatch", unit="urban-management", profile="one_day")
    page = "/cases/units/urban-management"
    assert (await dispatcher.get(page))[0] == 403
    _, text = await admin.get("/cases/catalogue")
    assert page in text and page not in (await dispatcher.get("/cases/catalogue"))[1]
    form = {"name": "市综合行政执法局", "parent": "", "kind": "city", "initials": "szhxzzfj",
            "numbers": "053800010005", "why": "机构改革"}  # fmt: skip
    await admin.get(page)
    for wrong, says in (
        ({"why": " "}, "请填写变更原因"), ({"name": "市教育局"}, "现名或曾用名"),
        ({"numbers": "12<b>"}, "号码只填"),
        ({"parent": "urban-management"}, "不能移到自己"), ({"is_closed": "on"}, "还有由它负责的事项"),
        ({"parent": "village-none"}, "没有这个上级单位"), ({"name": " "}, "请填写名称"),
    ):  # fmt: skip
        answer = await admin.post(page, **(form | wrong))
        assert answer.status == 400 and says in await answer.text(), wrong
    assert (await admin.post(page, **form)).status == 303
    _, text = await admin.get(page)
    assert "曾用名：市城市管理局" in text and "市城市管理局 → 市综合行政执法局" in text and "机构改革" in text
    _, text = await handler.get("/cases")
    assert "路灯不亮" in text and "待办 · 市综合行政执法局" in text
    await made(handler, id_, "accept")
    later = await taken_in(agent)
    _, text = await dispatcher.get(f"/cases/{later}")
    assert "建议转办：<b>市综合行政执法局</b>" in text
    await made(dispatcher, later, "dispatch", unit="urban-management", profile="one_day")
    await made(handler, later, "accept")
    _, text = await dispatcher.get("/cases/scores")
    assert text.count("市综合行政执法局") == 1 and ">市城市管理局<" not in text
    async with database.read() as session:
        (deed,) = await audit.newest(session, 1)
    assert (deed.person, deed.what, deed.whom) == (ADMIN, "register.change", "unit:urban-management")

    found = re.search(r"/cases/edits/([0-9]+)/undo", (await admin.get(page))[1])
    assert found and (await admin.post(found[0], why="误操作")).status == 303
    assert (await admin.post(found[0], why="再来")).status == 409
    _, text = await admin.get(page)
    assert "<h1>市城市管理局</h1>" in text and "误操作" in text
    _, text = await handler.get("/cases")
    assert text.count("路灯不亮") == 2


async def test_a_matter_changes_from_its_day_on_and_a_closed_unit_gets_nothing_new(door: Door) -> None:
    admin, agent, dispatcher = await door.of(ADMIN), await door.of(AGENT), await door.of(DISPATCHER)
    _, text = await admin.get("/cases/catalogue")
    lights = re.search(r'<a href="(/cases/matters/[^"]+)">路灯维修</a>', text)
    taken = re.search(r'<a href="/cases/matters/[^"]+">([^<]+)</a>', text)
    assert lights and taken and taken[1] != "路灯维修"
    id_ = await taken_in(agent)
    form = {"name": "路灯维修", "category": "城市管理", "unit": "housing", "profile": "one_day",
            "keywords": "路灯", "why": "职责调整"}  # fmt: skip
    tomorrow = (local_day(clock.now().utc_us) + timedelta(days=1)).isoformat()
    await admin.get(lights[1])
    for wrong, says in (
        ({"unit": "police-none"}, "请选择未停用的负责单位"), ({"from": "2026-13-01"}, "日期格式不对"),
        ({"profile": "never"}, "请选择办理时限"), ({"category": ""}, "请填写类别"),
        ({"name": taken[1]}, "已有同名事项"),
    ):  # fmt: skip
        answer = await admin.post(lights[1], **(form | wrong))
        assert answer.status == 400 and says in await answer.text(), wrong
    assert (await admin.post(lights[1], **(form | {"from": tomorrow}))).status == 303
    assert "<b>市城市管理局</b>" in (await dispatcher.get(f"/cases/{id_}"))[1], "not before its day"
    assert (await admin.post(lights[1], **form)).status == 303
    assert "<b>市住房和城乡建设局</b>" in (await dispatcher.get(f"/cases/{id_}"))[1]

    answer = await admin.post("/cases/units/new", **{
        "name": "市数据局", "parent": "", "kind": "city", "numbers": "053800010099", "why": "新设"
    })  # fmt: skip
    new = answer.headers["Location"]
    assert answer.status == 303 and "市数据局" in (await dispatcher.get(f"/cases/{id_}"))[1]
    closing = {"name": "市数据局", "kind": "city", "numbers": "", "is_closed": "on", "why": "并入别局"}
    assert (await admin.post(new, **closing)).status == 303
    assert "市数据局" not in (await dispatcher.get(f"/cases/{id_}"))[1]
    assert '市数据局</a> <span class="chip warn">停用' in (await admin.get("/cases/catalogue"))[1]
    ended = await admin.post(lights[1], is_ended="on", why="取消")
    assert ended.status == 303 and lights[1] not in (await admin.get("/cases/catalogue"))[1]
    undo = re.search(r"/cases/edits/[0-9]+/undo", (await admin.get(lights[1]))[1])
    assert undo and (await admin.post(undo[0], why="恢复")).status == 303
    assert lights[1] in (await admin.get("/cases/catalogue"))[1]


async def test_figures_lead_to_their_cases_and_leave_as_sheets_that_run_nothing(door: Door) -> None:
    agent, dispatcher = await door.of(AGENT), await door.of(DISPATCHER)
    handler = await door.of(HANDLERS["urban-management"])
    evil = await taken_in(agent, title="=cmd|' /C calc'!A0", topic="=1+1", text="<i>字</i>")
    await made(dispatcher, evil, "dispatch", unit="urban-management", profile="one_day")
    for path in ("figures", "figures.xlsx", "figures.csv", "figures/behind?what=OPEN", "days", "days.xlsx"):
        assert (await handler.get(f"/cases/{path}"))[0] == 403, path
        assert (await raw(dispatcher, f"/cases/{path}"))[0] == 200, path
    _, text = await dispatcher.get("/cases/figures?by=UNIT")
    found = re.search(r'href="(/cases/figures/behind[^"]+what=OPEN)">1</a>', text)
    assert found and "市城市管理局" in text and "口径：" in text and "÷" in text
    _, text = await dispatcher.get(found[1].replace("&amp;", "&"))
    assert "市城市管理局 · 在办（1 件）" in text and f"/cases/{evil}" in text
    assert (await dispatcher.get("/cases/figures/behind?what=EVIL"))[0] == 404
    for wrong in ("from=2026-13-01", "from=2020-01-01&to=2026-11-01"):
        assert (await dispatcher.get(f"/cases/figures?{wrong}"))[0] == 400
    _, body = await raw(dispatcher, "/cases/figures.csv?by=TOPIC")
    assert b"'=1+1," in body and b"\n=1+1" not in body
    _, body = await raw(dispatcher, "/cases/figures.xlsx?by=TOPIC")
    assert load_workbook(io.BytesIO(body)).active["A2"].value == "'=1+1"
    _, body = await raw(dispatcher, "/cases/scores.xlsx")
    assert load_workbook(io.BytesIO(body)).active["A1"].value == "月份"

    _, text = await dispatcher.get(f"/cases/{evil}/print")
    assert "流转记录" in text and "&lt;i&gt;字" in text and CITIZEN not in text and "138****6987" in text
    assert (await (await door.of(HANDLERS["heating"])).get(f"/cases/{evil}/print"))[0] == 403


async def raw(browser: Browser, path: str) -> tuple[int, bytes]:
    async with browser.http.get(browser.base + path) as answer:
        return answer.status, await answer.read()


async def test_pinyin_and_slips_find_what_was_meant_and_filters_hold_together(
    door: Door, database: Database
) -> None:
    agent, dispatcher = await door.of(AGENT), await door.of(DISPATCHER)
    lights = await taken_in(agent, topic="路灯维修", kind="投诉")
    await taken_in(agent, title="停水", text="两天了", topic="停水", kind="咨询")
    for typed in ("路灯", "ludeng", "ldwx", "路登"):
        _, text = await dispatcher.get(f"/cases/find?q={typed}")
        assert f"/cases/{lights}" in text and text.count("<b>停水</b>") == 0, typed
        assert ("按“路灯" in text) == (typed != "路灯"), typed
    for query, is_found in (
        ("kind=投诉", True), ("kind=咨询", False), ("topic=路灯维修", True), ("topic=停水", False),
        ("kind=投诉&topic=路灯维修&q=ldwx&state=intake", True), ("q=ldwx&overdue=on", False),
        ("supervised=on", False),
    ):  # fmt: skip
        assert (f"/cases/{lights}" in (await dispatcher.get(f"/cases/find?{query}"))[1]) == is_found, query
    async with database.begin() as session:
        await seed_knowledge(session, UNITS, "n1", clock.now().utc_us, 40)
    _, text = await agent.get("/api/knowledge?q=ldwx")
    told = json.loads(text)
    assert told["entries"] and told["meant"].startswith("路灯")
    assert json.loads((await agent.get("/api/knowledge?q=qqq"))[1]) == {"entries": [], "meant": ""}
