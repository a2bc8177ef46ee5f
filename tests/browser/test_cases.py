"""Casework in a real browser: one case through the whole loop, by people who each have their own page."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Awaitable, Callable

import pytest
import pytest_asyncio
from playwright.async_api import Browser

from agent_desk.app import serve
from casework import city
from casework.staff import seed_staff, staff
from casework.store.matters import save_matters
from hotline.db.engine import Database
from hotline.db.migrate import upgrade
from hotline.directory import save_units
from hotline.identity.people import NewPerson, seed_people
from hotline.identity.roles import Role
from hotline.numbers import warm_up
from hotline.settings import DeskSettings, Settings
from rehearsal.ports import free_ports
from tests.browser.conftest import LAPTOP, Visitor, look_at
from tests.unit.test_desk import KEYS, PASSWORD

pytestmark = pytest.mark.asyncio(loop_scope="module")

PHONE = {"width": 360, "height": 800}
AGENT, DISPATCHER, REVIEWER, VISITOR, SUPERVISOR = "1001", "8101", "8201", "8301", "8401"
ADMIN = "9901"
UNITS = city.demo_units()
STAFF = staff(UNITS)
WIDER = "() => document.documentElement.scrollWidth > document.documentElement.clientWidth"


def handler_of(unit: str) -> str:
    return next(member.person.number for member in STAFF if member.post.unit == unit)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def base(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[str]:
    """A desk by itself: casework needs no telephone."""
    state = tmp_path_factory.mktemp("cases")
    url = f"sqlite+aiosqlite:///{state / 'hotline.db'}"
    await upgrade(url)
    warm_up()
    database = await Database.open(url)
    async with database.begin() as session:
        await save_units(session, UNITS)
        await save_matters(session, city.matters(UNITS))
        agent = NewPerson(number=AGENT, name="王丽", role=Role.AGENT)
        admin = NewPerson(number=ADMIN, name="管理员", role=Role.ADMIN)
        await seed_people(session, (agent, admin), PASSWORD, 1)
        await session.flush()
        await seed_staff(session, STAFF, PASSWORD, 1)
    settings = Settings(state_dir=str(state), desk=DeskSettings(port=free_ports(1)[0]))
    runner = await serve(settings, KEYS, database)
    yield f"http://127.0.0.1:{settings.desk.port}"
    await runner.cleanup()
    await database.close()


Come = Callable[..., Awaitable[Visitor]]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def come(chromium: Browser, base: str) -> AsyncIterator[Come]:
    """`await come("8101")`: that person, logged in; without scripts, for these pages need none."""
    contexts = []

    async def enter(number: str, size: dict[str, int] = LAPTOP) -> Visitor:
        context = await chromium.new_context(
            viewport={"width": size["width"], "height": size["height"]}, java_script_enabled=False
        )
        contexts.append(context)
        visitor = Visitor(context, await context.new_page(), base, PASSWORD)
        await visitor.log_in(number)
        return visitor

    yield enter
    for context in contexts:
        await context.close()


async def do(person: Visitor, number: str, move: str, **fields: str) -> None:
    """Find the case on the person's own list or by its number, and make the move by its form."""
    page = person.page
    await page.goto(f"{person.base}/cases/find?q={number}")
    await page.click(".case-rows a")
    form = page.locator(f"#move-{move}")
    if await form.get_attribute("open") is None:
        await form.locator("summary").click()
    for name, value in fields.items():
        field = form.locator(f"[name={name}]")
        if value == "on":
            await field.check()
        elif await field.evaluate("field => field.tagName") == "SELECT":
            await field.select_option(label=value)
        else:
            await field.fill(value)
    await form.locator("button.primary").click()


async def points(supervisor: Visitor) -> float:
    """The score of the only unit that has one yet."""
    await supervisor.page.goto(f"{supervisor.base}/cases/scores")
    return float(await supervisor.page.inner_text("#scores td b"))


async def test_one_case_goes_the_whole_loop_through_the_hands_of_six_people(come: Come) -> None:
    agent, dispatcher = await come(AGENT), await come(DISPATCHER)
    handler, reviewer = await come(handler_of("taishan-district"), PHONE), await come(REVIEWER)
    visitor, supervisor = await come(VISITOR), await come(SUPERVISOR)

    await agent.page.goto(f"{agent.base}/cases/new")
    await agent.page.select_option("#kind", label="投诉")
    for field, value in {"title": "摆摊占道", "text": "早市占道经营", "place": "泰山区岱庙街道"}.items():
        await agent.page.fill(f"#{field}", value)
    await agent.page.fill("#number", "13805386987")
    await agent.page.click("text=受理并编号")
    await agent.until("#state", "受理")
    found = re.search(r"[0-9]{8}-[0-9]{4}", await agent.page.title())
    assert found
    number = found[0]

    await dispatcher.page.goto(f"{dispatcher.base}/cases/next")
    await dispatcher.until("#suggestion", "泰山区政府")
    await dispatcher.until("#suggestion", "属地优先")
    await dispatcher.page.select_option("#dispatch-profile", label="一个工作日")
    await dispatcher.page.click("#move-dispatch button.primary")
    await dispatcher.until("#state", "已转办")

    await do(handler, number, "ask_return", suggestion="市城市管理局", reason="不属本区职责")
    await do(dispatcher, number, "refuse_return", reason="属地优先，理由不充分")
    await do(handler, number, "accept")
    before = await handler.page.inner_text("#due")
    await do(handler, number, "ask_extension", days="4", reason="需多部门联合执法")
    await do(dispatcher, number, "grant_extension", reason="情况属实")
    await handler.page.reload()
    assert await handler.page.inner_text("#due") > before
    await do(handler, number, "start")
    png = {"name": "现场.png", "mimeType": "image/png", "buffer": b"\x89PNG\r\n\x1a\n0"}
    await handler.page.set_input_files("#files input[type=file]", png)
    await handler.page.click("text=上传 >> nth=-1")
    await handler.until("#files", "现场.png")
    await do(handler, number, "reply", reason="已劝离", is_citizen_told="on")

    await do(reviewer, number, "pass_review")
    before_visit = await points(supervisor)
    await do(visitor, number, "visited", satisfaction="不满意", reason="第二天又来了")
    assert await points(supervisor) < before_visit
    await visitor.until("#state", "办理中")
    for _ in range(3):
        await do(agent, number, "urge", reason="又来电催问")
    await supervisor.page.goto(f"{supervisor.base}/cases/ledger")
    await supervisor.until(".ledger", "监察问责")
    await do(handler, number, "reply", reason="已设固定摊位，安排专人值守", is_citizen_told="on")
    await do(reviewer, number, "pass_review")
    await do(visitor, number, "visited", satisfaction="满意", is_solved="on", is_in_time="on", reason="好了")
    await do(visitor, number, "close")
    await do(supervisor, number, "archive")
    await supervisor.until("[role=alert]", "督办尚未销号")
    await do(supervisor, number, "discharge", reason="已设固定摊位")
    await do(supervisor, number, "archive")
    await supervisor.until("#state", "已归档")
    assert await supervisor.page.locator(".time-line > li").count() == 22
    await supervisor.page.click("text=考核")
    await supervisor.until("#scores", "1/2")
    await supervisor.page.click("#scores a")
    await supervisor.page.click("text=回访满意率")
    await supervisor.until(".case-rows", "失分")
    assert 0 < float(await supervisor.page.inner_text("#points")) < 100
    for person in (agent, dispatcher, handler, reviewer, visitor):
        assert person.complaints == []
    assert [line for line in supervisor.complaints if "409" not in line] == []


async def knowledge_is_written_on_a_phone(writer: Visitor, reviewer: Visitor) -> None:
    """The platform's own entry, from an empty form to what everybody finds."""
    page, base = writer.page, writer.base
    await page.goto(f"{base}/knowledge?q=共享单车押金")
    await page.click("text=写这个词条")
    assert await page.input_value("#question") == "共享单车押金"
    await page.fill("#answer", "W" * 300)
    assert not await page.evaluate(WIDER)
    await page.click("text=存为草稿")
    await page.click("#act-submit button")
    await writer.until("#standing", "待审核")
    await reviewer.page.goto(f"{base}/knowledge")
    assert not await reviewer.page.evaluate(WIDER)
    await reviewer.page.click("text=共享单车押金")
    await reviewer.page.click("#act-publish button")
    await reviewer.until("#standing", "有效")
    assert not await reviewer.page.evaluate(WIDER)
    await page.goto(f"{base}/knowledge?q=单车押金怎么退")
    await writer.until("#found", "共享单车押金")
    assert not await page.evaluate(WIDER)
    await page.goto(f"{base}/knowledge/missed")
    await writer.until("main", "没有。")
    assert writer.complaints == reviewer.complaints == []


async def test_a_handler_works_at_360_pixels(chromium: Browser, base: str, come: Come) -> None:
    agent = await come(AGENT)
    await agent.page.goto(f"{agent.base}/cases/new")
    await agent.page.fill("#title", "很长的标题" * 20)
    await agent.page.fill("#text", "W" * 300)
    await agent.page.click("text=受理并编号")
    context = await chromium.new_context(viewport={"width": 360, "height": 800})
    visitor = Visitor(context, await context.new_page(), base, PASSWORD)
    await visitor.log_in(DISPATCHER)
    for path in ("/cases", "/cases/find", "/cases/new", "/cases/next"):
        await visitor.page.goto(f"{base}{path}")
        assert not await visitor.page.evaluate(WIDER), path
    assert visitor.complaints == []
    await knowledge_is_written_on_a_phone(visitor, await come(REVIEWER, PHONE))
    await context.close()


async def test_axe_finds_nothing_on_the_pages_of_casework_in_any_light(
    chromium: Browser, base: str, come: Come
) -> None:
    agent = await come(AGENT)
    await agent.page.goto(f"{agent.base}/cases/new")
    await agent.page.fill("#title", "路灯不亮")
    await agent.page.fill("#text", "小区门口的路灯三天不亮")
    await agent.page.click("text=受理并编号")
    context = await chromium.new_context()
    visitor = Visitor(context, await context.new_page(), base, PASSWORD)
    await visitor.log_in(DISPATCHER)
    found: list[str] = []
    for name in (
        "cases", "cases/find?q=路灯", "cases/new", "cases/next", "cases/ledger", "cases/scores",
        "cases/figures?by=UNIT", "cases/days",
        "cases/catalogue", "knowledge", "knowledge?q=路灯", "knowledge/new", "knowledge/missed",
    ):  # fmt: skip
        await visitor.page.goto(f"{base}/{name}")
        found += await look_at(visitor, re.sub("[^a-z]+", "-", name))
    await visitor.log_in_anew(ADMIN)
    for name in ("cases/catalogue", "cases/units/urban-management", "cases/matters/new"):
        await visitor.page.goto(f"{base}/{name}")
        found += await look_at(visitor, re.sub("[^a-z]+", "-", f"admin-{name}"))
    await context.close()
    if found:
        pytest.fail("\n".join(found), pytrace=False)
