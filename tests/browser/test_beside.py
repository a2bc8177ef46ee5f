"""Owns what stands beside a call on the agent's page: the case form, knowledge, missed calls, visits."""

import asyncio
import re

import pytest

from cli.seed import demo_number
from rehearsal.city import City, answer
from tests.browser.conftest import LAPTOP, SEAT, SHOTS, Visit, Visitor
from tests.browser.test_day import STATE, be_ready, dial, finish

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.usefixtures("silence")]

DISPATCHER, KNOWN_CITIZEN = "8101", demo_number(1)
TOLD = "路灯三天不亮。晚上很黑，"
DRAFTS = "Object.keys(localStorage).filter(k => k.startsWith('draft:')).map(k => k.slice(6))"


async def test_who_gave_up_is_on_the_list_of_missed_calls_and_is_called_back_from_it(
    agent: Visitor, city: City
) -> None:
    await city.behave(SEAT, answer(after_s=0.3))
    call = await dial(city, "13800005692", 14)
    await agent.until("#q-waiting", "1")
    await asyncio.sleep(5.2)  # sooner would be a short abandon, which nobody calls back
    await call.hang_up()
    await agent.until("#q-waiting", "0")
    await agent.page.click("#tab-missed")
    for _ in range(20):
        await agent.page.click("#tab-missed")
        if await agent.page.locator("#missed .unit", has_text="138****5692").count():
            break
        await asyncio.sleep(0.25)
    await agent.until("#missed", "排队中放弃")
    await agent.page.locator("#missed .unit", has_text="138****5692").locator("text=回拨").click()
    await agent.until(STATE, "通话")
    await agent.until("#call-line", "外呼")
    await finish(agent)
    for _ in range(20):
        await agent.page.click("#tab-missed")
        if not await agent.page.locator("#missed .unit", has_text="138****5692").count():
            break
        await asyncio.sleep(0.25)
    assert await agent.page.locator("#missed .unit", has_text="138****5692").count() == 0
    await agent.page.click("#tab-units")


async def test_a_missed_call_becomes_a_case_and_nobody_else_works_on_it(
    agent: Visitor, visit: Visit, city: City
) -> None:
    call = await dial(city, "13800005697", 15)
    await agent.until("#q-waiting", "1")
    await asyncio.sleep(5.2)
    await call.hang_up()
    row = agent.page.locator("#missed .unit", has_text="138****5697")
    for _ in range(40):
        await agent.page.click("#tab-missed")
        if await row.count():
            break
        await asyncio.sleep(0.25)
    await row.locator("text=登记").click()
    await agent.until("#drafts, #case-form", re.compile("诉求"))
    colleague = await visit(LAPTOP)
    await colleague.sit_down("1002", "8002")
    await colleague.page.click("#tab-missed")
    other = colleague.page.locator("#missed .unit", has_text="138****5697")
    await colleague.until("#missed", "工号 1001 正在处理")
    await other.locator("select").select_option("广告骚扰")
    await colleague.until("#toast", "工号 1001 正在处理或已处理")
    await agent.page.fill("#case-text", "打进来没人接，路灯不亮")
    await agent.page.keyboard.press("Control+Enter")
    await agent.until("#case-note", "已受理")
    await row.wait_for(state="detached")
    await colleague.page.click("#tab-missed")
    await other.wait_for(state="detached")
    await colleague.context.close()


async def test_a_citizen_is_visited_back_by_one_click_and_the_call_stands_in_the_case(
    agent: Visitor, visit: Visit, city: City
) -> None:
    await city.behave(SEAT, answer(after_s=0.3))
    await agent.page.click("#tab-visits")
    row = agent.page.locator("#visits .unit", has_text="公交 4 路")
    await row.locator("text=呼叫").click()
    await agent.until("#visits .script", "您反映的“公交 4 路候车时间过长”，公交公司已经答复")
    await agent.until(STATE, "通话")
    await agent.until("#call-line", "外呼")
    await agent.page.screenshot(path=SHOTS / "visit.png")
    await finish(agent)
    await row.locator("select").select_option("满意")
    await row.locator("text=问题已解决").click()
    await row.locator("textarea").fill("班次加密了")
    await row.locator("text=记录回访").click()
    await agent.until("#toast", "回访中")
    await row.wait_for(state="detached")
    reviewer = await visit(LAPTOP)
    await reviewer.log_in("8201")
    await reviewer.page.goto(f"{reviewer.base}/cases/find?q=公交")
    await reviewer.page.click(".case-rows a")
    await reviewer.until("#calls", "回访 · 外呼")
    for _ in range(60):
        if await reviewer.page.locator("#calls audio").count():
            break
        await asyncio.sleep(0.25)
        await reviewer.page.reload()
    await reviewer.page.screenshot(path=SHOTS / "case-calls.png", full_page=True)
    player = reviewer.page.locator("#calls audio").first
    await player.evaluate("(player) => player.play()")
    assert await player.evaluate("(player) => player.duration") > 0
    await reviewer.context.close()


async def test_a_case_typed_in_a_call_outlives_reload_and_the_next_call_and_reaches_the_dispatcher(
    agent: Visitor, visit: Visit, city: City
) -> None:
    page, press = agent.page, agent.page.keyboard.press
    await city.behave(SEAT, answer(after_s=0.3))
    await be_ready(agent)
    first = await dial(city, "13800005693", 17)
    await agent.until(STATE, "通话")
    await press("F1")
    await page.keyboard.type(TOLD)
    for key in ("Tab", "Tab"):
        await press(key)
    await page.keyboard.type("泰山区岱庙街道")
    await agent.until("#case-suggestion", "市城市管理局")
    await page.reload()
    await agent.until(STATE, "通话")
    assert await page.input_value("#case-text") == TOLD
    (conversation,) = await page.evaluate(DRAFTS)
    await first.hang_up()
    await agent.until(STATE, "整理")
    await be_ready(agent)
    await page.click("#do-sign-out")
    await agent.until("#toast", "还有 1 件登记没有提交")
    await page.focus("#case-text")
    await dial(city, KNOWN_CITIZEN, 18)
    await agent.until(STATE, "通话")
    await agent.until("#drafts", "未提交")
    await press("End")
    await page.keyboard.type("有老人摔倒。")
    await page.route("**/api/cases", lambda route: route.abort("connectionreset"))
    await press("Control+Enter")
    await agent.until("#case-note", "草稿还在")
    await page.unroute("**/api/cases")
    assert await page.input_value("#case-text") == TOLD + "有老人摔倒。"
    await press("Control+Enter")
    await agent.until("#case-note", "已受理，编号")
    number = (await page.inner_text("#case-note"))[-13:]

    # The caller of now has open cases: one is urged, unless somebody says that it is another matter.
    assert await page.input_value("#case-text") == ""
    await page.fill("#case-text", "还没有人来修")
    await press("Control+Enter")
    await agent.until("#case-note", "请先选催办哪一件")
    await press("Space")
    await agent.until("#case-file", "催办")
    await press("Control+Enter")
    await agent.until("#case-note", "已催办")
    await finish(agent)
    assert await page.evaluate(DRAFTS) == []
    await agent.until("#day-calls", re.compile("[1-9]"))

    dispatcher = await visit(LAPTOP)
    await dispatcher.log_in(DISPATCHER)
    await dispatcher.page.click(f".case-rows li:has-text('{number}') a")
    await dispatcher.until("h1", TOLD.partition("。")[0])
    await dispatcher.until("#conversation", conversation)
    assert dispatcher.complaints == []


async def test_an_answer_is_found_as_one_types_and_a_vain_search_is_counted(agent: Visitor) -> None:
    page = agent.page
    await page.keyboard.press("Shift+F8")
    await page.keyboard.type("路灯维修")
    await agent.until("#knowledge .unit", "路灯维修由哪个部门负责")
    await page.fill("#find-knowledge", "外星飞船")
    await page.keyboard.press("Enter")
    await agent.until("#no-knowledge", "没有检索到，已记入未检索到清单")
    await page.fill("#find-knowledge", "13805386987")
    await page.keyboard.press("Enter")
    await agent.until("#no-knowledge", re.compile("^没有检索到$"))
    assert await page.locator("#knowledge .unit").count() == 0
    await page.click("#tab-units")
    assert await page.is_hidden("#knowledge-panel")
