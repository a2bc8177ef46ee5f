"""Owns a supervisor's work before the wall in a real browser: one click on a seat, then one on a word."""

import asyncio
import re
from collections.abc import AsyncIterator
from datetime import timedelta

import msgspec
import pytest
import pytest_asyncio
from playwright.async_api import Page

from cli.stage import Stage
from ctiserver.client import Client
from hotline import clock
from hotline.ivr_applied import write_applied
from hotline.ivr_settings import IvrSettings, ModeSettings
from hotline.local_time import local
from hotline.secret import screen_word
from rehearsal.city import answer
from tests.browser.conftest import AGENT, LAPTOP, LARGE, SEAT, SHOTS, Visit, Visitor, look_at
from tests.browser.test_day import STATE, SUPERVISOR, TILE, be_ready, dial, finish

pytestmark = pytest.mark.asyncio(loop_scope="module")

PHONE = "8901"


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def supervisor(visit: Visit) -> AsyncIterator[Visitor]:
    """A supervisor before the wall, with a phone."""
    visitor = await visit(LARGE)
    await visitor.log_in(SUPERVISOR)
    await visitor.until(TILE, SEAT)
    await visitor.page.click(TILE)
    assert await visitor.page.is_disabled("[data-act='listen']")
    await visitor.page.select_option("#phone", PHONE)
    await visitor.page.wait_for_url("**/wall")
    await visitor.until(TILE, SEAT)
    assert await visitor.page.input_value("#phone") == PHONE
    yield visitor
    assert visitor.complaints == []


async def test_a_click_on_a_seat_opens_what_may_be_done_and_a_listener_switches_while_it_runs(
    agent: Visitor, supervisor: Visitor, there: Stage
) -> None:
    await there.city.behave(SEAT, answer(after_s=0.3))
    await there.city.behave(PHONE, answer(after_s=0.3))
    page = supervisor.page
    await be_ready(agent)
    await dial(there.city, "13800006001", 1)
    await supervisor.until(TILE, "通话")
    await page.click(TILE)
    await supervisor.until("#oversee-title", SEAT)
    await page.fill("#oversee-why", "新员工")
    await page.click("[data-act='listen']")
    await supervisor.until("#hearing", f"正在监听 {SEAT}")
    await page.click("[data-act='whisper']")
    await supervisor.until("#hearing", f"正在密语 {SEAT}")
    assert await page.get_attribute("[data-act='whisper']", "aria-pressed") == "true"
    assert await agent.page.locator("#participants .party").count() == 2, "the agent is not told"
    await page.click("#stop-hearing")
    await page.locator("#hearing").wait_for(state="hidden")
    await page.click("[data-act='take_over']")
    await agent.until("#toast", "班长已接管该通话")
    await agent.until(STATE, "整理")
    await supervisor.until("#hearing", f"正在拦截 {SEAT}")
    await page.click("#stop-hearing")
    await page.locator("#hearing").wait_for(state="hidden")
    await there.city.hang_up_all()


async def test_a_message_comes_to_the_agents_page_and_stays_in_its_list(
    agent: Visitor, supervisor: Visitor
) -> None:
    page = supervisor.page
    await page.click("#to-all")
    await supervisor.until("#oversee-title", "群发消息")
    await page.fill("#oversee-text", "今天 17 点停水，<b>来电增多</b>")
    await page.keyboard.press("Enter")
    await agent.until("#toast", "今天 17 点停水，<b>来电增多</b>")
    await supervisor.until("#toast", "消息已发送")
    await agent.page.click("#messages-open")
    await agent.until("#messages", "今天 17 点停水")
    await agent.page.keyboard.press("Escape")


async def test_a_raised_hand_is_seen_on_the_wall_and_answered(
    agent: Visitor, supervisor: Visitor, there: Stage
) -> None:
    async with Client(there.push_url, lambda: there.token_for(AGENT, SEAT)) as beside:
        await beside.until(lambda seen: SEAT in seen.seats)
        await beside.ask("seat.raise_hand")
    await supervisor.until(f"{TILE}.is-warned", "举手")
    await supervisor.page.click("#alarms .line")
    await supervisor.page.click("[data-act='answer_hand']")
    await agent.until("#toast", "班长已看到您的举手")
    await supervisor.until("#no-alarms", "目前没有告警")


async def test_a_seat_is_made_not_ready_and_a_waiting_caller_is_put_first_and_picked_for_it(
    agent: Visitor, supervisor: Visitor, there: Stage
) -> None:
    page = supervisor.page
    await page.click(TILE)
    await page.click("#oversee-reasons >> text=培训")
    await agent.until(STATE, "培训")
    await agent.until("#toast", "班长已将您示忙")
    await dial(there.city, "13800006002", 2)
    await supervisor.until("#waiting", "138****6002")
    await page.click("#waiting >> text=提前")
    await supervisor.until("#waiting", "已提前")
    await page.click("#waiting >> text=指派")
    await supervisor.until("#oversee-title", "138****6002")
    await page.click(f"#oversee-free button:has-text('{SEAT}')")
    await agent.until("#call-number", "138****6002")
    await agent.until(STATE, "通话")
    await page.locator("#oversee").wait_for(state="hidden")
    await finish(agent)


async def asks_for_a_callback(supervisor: Visitor, there: Stage, number: str, n: int) -> None:
    """A citizen who waits, presses the key until it is heard, and is listed as whom the hotline will call."""
    citizen = await dial(there.city, number, n)
    masked = f"{number[:3]}****{number[-4:]}"
    await supervisor.until("#waiting", masked)
    kept = supervisor.page.locator("#callbacks").filter(has_text=masked)
    async with asyncio.timeout(20):
        while not await kept.count():
            await citizen.press("2")
            await asyncio.sleep(1)
    await citizen.ended(20)


async def test_who_keeps_a_place_is_listed_cancelled_or_called_by_the_next_ready_agent_who_is_told(
    agent: Visitor, supervisor: Visitor, there: Stage
) -> None:
    await asks_for_a_callback(supervisor, there, "13800006003", 3)
    await supervisor.page.click("#callbacks >> text=取消回呼")
    await supervisor.page.locator("#callbacks-box").wait_for(state="hidden")
    await asks_for_a_callback(supervisor, there, "13800006004", 4)
    await agent.page.keyboard.press("F2")  # ready, and called at once: 示闲 may never be shown
    await agent.until("#call-number", "138****6004")
    await agent.until("body", "保位回呼，")
    await agent.until(STATE, "通话")
    await finish(agent)
    await supervisor.page.locator("#callbacks-box").wait_for(state="hidden")


async def test_a_seat_is_given_other_queues_by_a_supervisor_and_back_to_its_skills(
    agent: Visitor, supervisor: Visitor
) -> None:
    page, penalty = supervisor.page, "#oversee-serves select[data-queue='12345']"
    await page.click(TILE)
    await supervisor.until("#oversee-assigned", "按技能")
    assert await page.input_value(penalty) == "0"
    await page.select_option(penalty, "")
    await page.click("#oversee-queues >> text=调配")
    await supervisor.until("#toast", "至少选一个排队")
    await page.select_option(penalty, "3")
    await page.fill("#oversee-why", "让新人先接")
    await page.click("#oversee-queues >> text=调配")
    await agent.until("#toast", "班长已调整您服务的排队")
    await supervisor.until("#oversee-assigned", "班长调配，至签出")
    assert await page.input_value(penalty) == "3"
    await page.click("#oversee-by-skill")
    await supervisor.until("#oversee-assigned", "按技能")
    assert await page.input_value(penalty) == "0"


async def test_the_days_curves_stand_below_the_seats(supervisor: Visitor) -> None:
    page = supervisor.page
    await page.reload()
    await supervisor.until("#curves-note", re.compile("来电 [1-9][0-9]*，接通 [1-9]"))
    await page.locator("#curve canvas").first.wait_for()
    assert "按时" in (await page.get_attribute("#curve", "aria-label") or "")
    await page.screenshot(path=SHOTS / "curves.png")
    await page.set_viewport_size(LAPTOP)  # type: ignore[arg-type]
    await page.reload()
    await supervisor.until(TILE, SEAT)
    assert await page.locator("#curve canvas").count() == 0, "there is no room beside the seats"
    await page.set_viewport_size(LARGE)  # type: ignore[arg-type]


@pytest.mark.parametrize("size", [LAPTOP, LARGE], ids=["laptop", "large"])
async def test_the_panel_fits_beside_57_seats(visit: Visit, size: dict[str, int]) -> None:
    wall = await visit(size)
    await wall.log_in(SUPERVISOR)
    await wall.until(TILE, SEAT)
    await wall.page.focus(TILE)
    await wall.page.keyboard.press("Enter")
    await wall.until("#oversee-title", SEAT)
    fits = "e => e.scrollHeight <= e.clientHeight && e.scrollWidth <= e.clientWidth"
    for where in ("html", ".bar", "aside"):
        assert await wall.page.locator(where).evaluate(fits), where
    await wall.page.keyboard.press("Escape")
    await wall.page.locator("#oversee").wait_for(state="hidden")


async def stands(page: Page, mode: str) -> None:
    """Switch the hotline's mode as a supervisor does, in one click and a word."""
    await page.goto(f"{page.url.partition('/wall')[0].partition('/ivr')[0]}/ivr")
    await page.click(f"#to-{mode} summary")
    await page.click(f"#to-{mode} button")


async def test_a_supervisor_says_how_the_hotline_stands_and_the_wall_shows_it(
    visit: Visit, there: Stage
) -> None:
    storm = ModeSettings(id="storm", label="强降雨", greeting="险情请拨119。")
    write_applied(msgspec.structs.replace(there.settings, ivr=IvrSettings(modes=(storm,))))
    visitor = await visit(LAPTOP)
    page = visitor.page
    await visitor.log_in(SUPERVISOR)
    await page.wait_for_url("**/wall")
    await stands(page, "storm")
    await visitor.until("#mode-now", "强降雨")
    await visitor.until("#mode", SUPERVISOR)
    await page.fill("#text", "明天八点至十七点停水。")
    await page.fill("#until", "2020-01-01T00:00")
    await page.click("text=发布公告")
    await visitor.until("#fault-until", "结束时间须在")
    assert await page.input_value("#text") == "明天八点至十七点停水。"
    await page.fill("#until", (local(clock.now().utc_us) + timedelta(hours=2)).strftime("%Y-%m-%dT%H:%M"))
    await page.click("text=发布公告")
    await visitor.until("#news", "播放中")
    await page.fill("#number", "13805380001")
    await page.fill("#days", "3")
    await page.fill("#why", "一再骚扰")
    await page.click("#restrict button")
    await visitor.until("#nuisance", "138****0001")
    await page.set_viewport_size({"width": 360, "height": 800})
    assert not await page.evaluate("document.documentElement.scrollWidth > innerWidth")
    screen = await visit(LARGE)
    await screen.page.goto(f"{screen.base}/screen/{screen_word(there.settings.state)}")
    await screen.until("#mode", "应急模式：强降雨")
    for _ in range(40):
        await page.reload()
        if await page.locator("#news audio").count():
            break
        await asyncio.sleep(0.25)
    found = await look_at(visitor, "ivr")
    found += await look_at(screen, "big-screen-in-a-mode")
    await page.goto(f"{visitor.base}/ivr/figures")
    found += await look_at(visitor, "ivr-figures")
    await page.goto(f"{visitor.base}/ivr")
    await page.click("text=撤下")
    await visitor.until("#news", "现在没有公告")
    await page.click("text=解除")
    await stands(page, "normal")
    await visitor.until("#mode-now", "平时")
    await screen.page.locator("#mode").wait_for(state="hidden")
    assert [line for line in visitor.complaints if "409" not in line] == []
    if found:
        pytest.fail("\n".join(found), pytrace=False)


@pytest.mark.timeout(240)
async def test_axe_finds_nothing_on_any_page_in_any_light(visit: Visit, there: Stage) -> None:
    visitor = await visit(LAPTOP)
    await visitor.page.goto(visitor.base)
    found = await look_at(visitor, "login")
    await visitor.log_in("1003")
    await visitor.page.wait_for_url("**/seats")
    found += await look_at(visitor, "seats")
    await visitor.page.click("button[value='8003']")
    await visitor.until(STATE, "签入")
    await visitor.page.keyboard.press("?")
    await visitor.until("#keys-list", "挂断")
    found += await look_at(visitor, "keys")
    await visitor.page.keyboard.press("Escape")
    await there.city.behave("8003", answer(after_s=0.3))
    await be_ready(visitor)
    call = await dial(there.city, "13800006009", 9, "Zhang San")
    await visitor.until(STATE, "通话")
    found += await look_at(visitor, "agent")
    for tab in ("knowledge", "missed", "visits"):
        await visitor.page.click(f"#tab-{tab}")
        found += await look_at(visitor, f"agent-{tab}")
    for name in ("wall", "big-screen"):
        watcher = await visit(LARGE)
        if name == "wall":
            await watcher.log_in(SUPERVISOR)
        else:
            await watcher.page.goto(f"{watcher.base}/screen/{screen_word(there.settings.state)}")
        await watcher.until(".tile[data-key='8003']", "通话")
        if name == "wall":
            await watcher.page.click(".tile[data-key='8003']")
            await watcher.until("#oversee-title", "8003")
        found += await look_at(watcher, name)
        if name == "wall":
            await watcher.page.goto(f"{watcher.base}/recordings")
            found += await look_at(watcher, "recordings")
            await watcher.page.goto(f"{watcher.base}/nowhere")
            found += await look_at(watcher, "error")
    await finish(visitor)
    await call.ended()
    if found:
        pytest.fail("\n".join(found), pytrace=False)


async def test_every_key_is_listed_under_a_question_mark_and_can_be_changed(visit: Visit) -> None:
    visitor = await visit(LAPTOP)
    await visitor.sit_down("1004", "8004")
    press = visitor.page.keyboard.press
    await press("?")
    await visitor.until("#keys-list", "保持、取回")
    await visitor.page.click("#keys-list tr[data-key='ready'] button")
    await press("F5")
    await visitor.until("#keys-note", "F5 和 F9 除外")
    await press("F4")
    await press("Escape")
    await visitor.until("#do-ready kbd", "F4")
    await visitor.until("#do-wrap-up kbd", "F2")
    await press("F4")
    await visitor.until(STATE, "示闲")
    await visitor.page.reload()
    await visitor.until("#do-ready kbd", "F4")
    await press("F2")
    await visitor.until(STATE, "整理")
    await press("?")
    await visitor.page.click("#keys-reset")
    await visitor.page.click("#keys-close")
    await press("F2")
    await visitor.until(STATE, "示闲")
    await visitor.page.fill("#find-unit", "")
    await visitor.page.focus("#find-unit")
    await press("?")
    assert await visitor.page.input_value("#find-unit") == "?", "who types is not interrupted"
