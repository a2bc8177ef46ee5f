"""Owns a hotline's own rules in a real browser: a rest by approval, and units that are closed."""

from collections.abc import AsyncIterator
from datetime import timedelta

import pytest
import pytest_asyncio

from cli.stage import Stage, stage, stage_settings
from hotline import clock
from hotline.db.engine import Database
from hotline.directory import Unit, UnitKind, save_units
from hotline.local_time import local_day
from hotline.settings import QueueSettings, RestSettings, Settings
from rehearsal.ports import free_ports
from tests.browser.conftest import AGENT, LAPTOP, LARGE, SEAT, Visit, Visitor
from tests.browser.test_day import STATE, SUPERVISOR, TILE, be_ready

pytestmark = pytest.mark.asyncio(loop_scope="module")

COLLEAGUE, OTHER = "1002", "8002"


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def there(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Stage]:
    site = Settings(queue=QueueSettings(wrapup_s=300), rest=RestSettings(reasons=("小休",), most=1))
    state = tmp_path_factory.mktemp("rules")
    async with stage(stage_settings(site, state, seats=57, ports=free_ports(7)), print) as raised:
        await add_units(raised)
        yield raised


async def add_units(there: Stage) -> None:
    """One unit that never closes, and one that opens for a minute two days from now."""
    later = f"{local_day(clock.now().utc_us) + timedelta(days=2):%a}".lower()
    hours = {"open": ("全天值班室", "always"), "closed": ("两天后才开的办公室", f"{later} 09:00-09:01")}
    units = tuple(
        Unit(
            id=id_, name=name, initials=id_, kind=UnitKind.CITY, numbers=("053800019999",), office_hours=form
        )
        for id_, (name, form) in hours.items()
    )
    database = await Database.open(there.settings.database)
    try:
        async with database.begin() as session:
            await save_units(session, units)
    finally:
        await database.close()


async def sitting(visit: Visit, number: str, seat: str) -> Visitor:
    visitor = await visit(LAPTOP)
    await visitor.sit_down(number, seat)
    await be_ready(visitor)
    return visitor


async def asks_to_rest(agent: Visitor) -> None:
    await agent.page.keyboard.press("F3")
    await agent.page.click("[data-reason='小休']")
    await agent.until("#rest-asked", "已申请小休")


async def test_a_rest_is_asked_for_by_key_and_decided_with_one_click_on_the_wall(
    visit: Visit, there: Stage
) -> None:
    agent, other = await sitting(visit, AGENT, SEAT), await sitting(visit, COLLEAGUE, OTHER)
    supervisor = await visit(LARGE)
    await supervisor.log_in(SUPERVISOR)
    await supervisor.until(TILE, SEAT)
    await asks_to_rest(agent)
    await agent.until(STATE, "示闲")
    for where in ("html", ".bar"):
        assert await agent.page.locator(where).evaluate("e => e.scrollWidth <= e.clientWidth"), where
    await supervisor.until("#rests", "在休 0 / 1")
    await supervisor.until(f"{TILE}.is-warned", "申请小休")
    await supervisor.page.click(f"#rest-asked [data-key='{SEAT}'] >> text=批准")
    await agent.until("#toast", "班长已批准您的休息")
    await agent.until(STATE, "小休")
    await asks_to_rest(other)
    await supervisor.until("#rests", "在休 1 / 1")
    await supervisor.page.click(f"#rest-asked [data-key='{OTHER}'] >> text=批准")
    await supervisor.until("#toast", "在休人数已达上限")
    await supervisor.page.click(f".tile[data-key='{OTHER}']")
    await supervisor.page.fill("#oversee-why", "身体不适")
    await supervisor.page.click("[data-act='grant_rest_over']")
    await other.until(STATE, "小休")
    await supervisor.page.locator("#rests").wait_for(state="hidden")
    assert not await supervisor.page.is_visible("[data-act='grant_rest']")
    await be_ready(agent)
    await asks_to_rest(agent)
    await agent.page.click("#do-withdraw-rest")
    await supervisor.page.locator("#rests").wait_for(state="hidden")
    await asks_to_rest(agent)
    await supervisor.page.click(f"#rest-asked [data-key='{SEAT}'] >> text=驳回")
    await agent.until("#toast", "班长未批准您的休息")
    await agent.until(STATE, "示闲")
    assert agent.complaints == other.complaints == supervisor.complaints == []


async def test_the_directory_says_who_is_open_and_calls_the_closed_all_the_same(visit: Visit) -> None:
    agent = await visit(LAPTOP)
    await agent.sit_down("1003", "8003")
    await agent.page.fill("#find-unit", "全天值班")
    await agent.until("#units .hours", "上班中 · 每天 00:00-24:00")
    await agent.page.fill("#find-unit", "两天后才开")
    await agent.until("#units .hours.is-closed", "09:00 上班")
    await agent.page.click("#units [data-way='call.dial']")
    await agent.until("#toast", "两天后才开的办公室已下班")
    await agent.until(STATE, "外呼")
    assert agent.complaints == []
