"""Owns an agent's and a supervisor's day in a real browser on a real hotline: pop, talk, three-way, wall."""

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from cli.stage import Stage
from hotline.directory import demo_directory
from rehearsal.city import CitizenCall, City, answer, busy, no_answer
from tests.browser.conftest import AGENT, LAPTOP, LARGE, SEAT, Visit, Visitor

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.usefixtures("silence")]

SUPERVISOR = "9001"
NUMBERS = {unit.name: unit.numbers[0] for unit in demo_directory()}
EDUCATION, HOUSING = NUMBERS["市教育局"], NUMBERS["市住房和城乡建设局"]
STATE = "#seat-state"
TILE = f".tile[data-key='{SEAT}']"


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def supervisor(visit: Visit) -> AsyncIterator[Visitor]:
    """A supervisor before the wall."""
    visitor = await visit(LARGE)
    await visitor.log_in(SUPERVISOR)
    await visitor.page.wait_for_url("**/wall")
    await visitor.until(TILE, SEAT)
    yield visitor
    assert visitor.complaints == []


async def be_ready(agent: Visitor) -> None:
    await agent.page.keyboard.press("F2")
    await agent.until(STATE, "示闲")


async def dial(city: City, number: str, n: int, name: str = "") -> CitizenCall:
    """An impatient citizen calls: skips the greeting by a key and so comes straight into the queue."""
    call = await city.call(number, name=name, n=n)
    await call.answered()
    await call.press("111")
    return call


async def finish(agent: Visitor) -> None:
    """Hang up and go back to not ready, so that the next test begins as this one did."""
    await agent.page.keyboard.press("F10")
    await agent.until(STATE, "整理")
    await agent.until("#call-line", "上一通")
    await agent.page.keyboard.press("F3")
    await agent.page.keyboard.press("1")
    await agent.until(STATE, "小休")


async def three_way(agent: Visitor, initials: str) -> None:
    """By keyboard alone: F8, the initials, Enter to the first hit, Enter to call."""
    await agent.page.keyboard.press("F8")
    await agent.page.keyboard.type(initials)
    await agent.page.keyboard.press("Enter")
    await agent.page.keyboard.press("Enter")


async def test_a_call_pops_while_it_rings_and_is_talked_through(
    agent: Visitor, supervisor: Visitor, city: City
) -> None:
    await city.behave(SEAT, answer(after_s=3.0))
    await be_ready(agent)
    await supervisor.until(TILE, "示闲")
    await agent.page.fill("#find-unit", "jyj")
    call = await dial(city, "13800005678", 1, "Zhang San")
    await agent.until(STATE, "振铃")
    await agent.until("#call-number", "138****5678")
    await agent.until("#call-place", "中国移动")
    await agent.until("#citizen-name", "Zhang San")
    assert "138****5678" in await agent.page.inner_text("#say")
    # The pop takes nothing from who is typing.
    assert await agent.page.evaluate("document.activeElement.id") == "find-unit"
    assert await agent.page.input_value("#find-unit") == "jyj"
    await agent.until(STATE, "通话")
    await supervisor.until(TILE, "通话")
    await supervisor.until(TILE, "138****5678")
    await agent.until("#participants", "我")
    await finish(agent)
    await call.ended()


async def test_a_hold_on_the_desk_phone_itself_stands_beside_the_seat(agent: Visitor, city: City) -> None:
    await city.behave(SEAT, answer(after_s=0.3))
    await be_ready(agent)
    call = await dial(city, "13800005690", 16)
    await agent.until(STATE, "通话")
    async with city.held(await city.leg(SEAT)):
        await agent.until("#participants .party", "话机保持")
    await agent.page.locator("#participants").filter(has_not_text="话机保持").wait_for()
    await finish(agent)
    await call.ended()


async def test_a_department_comes_in_by_keyboard_and_is_put_out_again(
    agent: Visitor, supervisor: Visitor, city: City
) -> None:
    await city.behave(SEAT, answer(after_s=0.3))
    await be_ready(agent)
    await dial(city, "13800005679", 2)
    await agent.until(STATE, "通话")
    await city.behave(EDUCATION, answer(after_s=1.5))
    await three_way(agent, "sjyj")
    await agent.until("#attempts", "市教育局")
    await agent.until(STATE, "三方")
    await agent.until("#participants", "市教育局")
    await supervisor.until(TILE, "三方")
    await supervisor.until(TILE, "市教育局")
    await agent.page.click("#participants button:visible")
    await agent.until(STATE, "通话")
    await agent.until("#attempts", "已离开")
    await finish(agent)


async def test_a_department_is_consulted_with_the_citizen_on_hold_and_gets_the_call(
    agent: Visitor, supervisor: Visitor, city: City
) -> None:
    await city.behave(SEAT, answer(after_s=0.3))
    await be_ready(agent)
    call = await dial(city, "13800005688", 12)
    await agent.until(STATE, "通话")
    await agent.page.keyboard.press("F6")
    await agent.until(STATE, "保持")
    await supervisor.until(TILE, "保持")
    await agent.page.fill("#find-unit", "sjyj")
    await agent.page.click("[data-way='call.consult']:not([disabled])")
    await agent.until(STATE, "咨询")
    await agent.page.click("#do-merge")
    await agent.until(STATE, "三方")
    await agent.page.click("#do-hold")
    await agent.until(STATE, "咨询")
    await agent.page.click("#do-complete")
    await agent.until(STATE, "整理")
    await call.hang_up()
    await finish(agent)


async def test_the_agent_mutes_pauses_the_recording_raises_a_hand_and_types_keys(
    agent: Visitor, city: City
) -> None:
    await city.behave(SEAT, answer(after_s=0.3))
    await be_ready(agent)
    await dial(city, "13800005689", 13)
    await agent.until(STATE, "通话")
    press = agent.page.keyboard.press
    for key, then in (("Shift+F6", "取消静音"), ("Shift+F7", "恢复录音")):
        await press(key)
        await agent.until(".acts .btn:visible", then)
    await press("Shift+F4")
    await agent.until(".bar .btn:visible", "放下")
    for key, then in (("Shift+F6", "静音"), ("Shift+F7", "暂停录音")):
        await press(key)
        await agent.until(".acts .btn:visible", then)
    await press("Shift+F4")
    await agent.until(".bar .btn:visible", "举手")
    assert await agent.page.is_hidden("#keypad")
    await three_way(agent, "sjyj")
    await agent.until(STATE, "三方")
    third = await city.leg(EDUCATION)
    # As people type: a key sounds for 120 ms, and a pause must follow.
    await agent.page.locator("#keys").press_sequentially("1x#", delay=300)
    await third.pressed("1#")
    assert await agent.page.input_value("#keys") == "1#"
    await finish(agent)


async def test_an_agent_calls_a_citizen_by_typing_the_number(agent: Visitor, city: City) -> None:
    await city.behave(SEAT, answer(after_s=0.3))
    await agent.page.keyboard.press("F8")
    await agent.page.keyboard.type("139 0538 0091")
    await agent.page.keyboard.press("Enter")
    await agent.page.keyboard.press("Enter")
    await agent.until(STATE, "外呼")
    await agent.until("#call-line", "外呼")
    await agent.until(STATE, "通话")
    await agent.until("#call-number", "139****0091")
    await finish(agent)


async def test_a_citizen_is_passed_on_to_a_queue_of_the_directory_and_at_last_left_to_the_rating(
    agent: Visitor, city: City
) -> None:
    await city.behave(SEAT, answer(after_s=0.3))
    await be_ready(agent)
    call = await dial(city, "13800005690", 16)
    await agent.until(STATE, "通话")
    await agent.page.fill("#find-unit", "12345")
    await agent.page.click("#units >> text=转队列")
    await agent.until(STATE, "整理")
    await be_ready_again(agent)
    await agent.until("#call-number", "138****5690")
    await agent.page.click("#do-rate")
    await agent.until(STATE, "整理")
    assert not call.ended_at, "the question is being put"
    await call.hang_up()
    await agent.page.fill("#find-unit", "")
    await agent.page.keyboard.press("F3")
    await agent.page.keyboard.press("1")
    await agent.until(STATE, "小休")


async def be_ready_again(agent: Visitor) -> None:
    """Out of the wrap-up, into the call that waits."""
    await agent.page.keyboard.press("F2")
    await agent.until(STATE, "通话")


async def test_a_busy_department_is_said_to_be_busy_and_the_call_goes_on(agent: Visitor, city: City) -> None:
    await city.behave(SEAT, answer(after_s=0.3))
    await city.behave(HOUSING, busy())
    await be_ready(agent)
    await dial(city, "13800005680", 3)
    await agent.until(STATE, "通话")
    await three_way(agent, "szfhcx")
    await agent.until("#attempts", "对方占线")
    await agent.until(STATE, "通话")
    await finish(agent)


async def test_110_is_two_keys_away_raises_an_alarm_and_can_be_withdrawn(
    agent: Visitor, supervisor: Visitor, city: City
) -> None:
    await city.behave(SEAT, answer(after_s=0.3))
    await city.behave("110", no_answer())
    await be_ready(agent)
    await dial(city, "13800005681", 4)
    await agent.until(STATE, "通话")
    await agent.page.focus("#find-unit")
    await agent.page.keyboard.press("F9")
    await agent.page.keyboard.press("1")
    await agent.until("#attempts", "110")
    await supervisor.until("#alarms", SEAT)
    await supervisor.until(f"{TILE}.is-alarm", "110")
    await agent.page.click("#attempts button:visible")
    await agent.until("#attempts", "已撤回")
    await supervisor.until("#no-alarms", "目前没有告警")
    await finish(agent)


async def test_a_page_that_is_reloaded_in_a_call_shows_the_call_again(agent: Visitor, city: City) -> None:
    await city.behave(SEAT, answer(after_s=0.3))
    await be_ready(agent)
    await dial(city, "13800005682", 5)
    await agent.until(STATE, "通话")
    await agent.page.reload()
    await agent.until(STATE, "通话")
    await agent.until("#call-number", "138****5682")
    await finish(agent)


async def test_the_page_comes_back_by_itself_after_the_cti_server_crashed(
    agent: Visitor, supervisor: Visitor, there: Stage, city: City
) -> None:
    await city.behave(SEAT, answer(after_s=0.3))
    await be_ready(agent)
    call = await dial(city, "13800005683", 6)
    await agent.until(STATE, "通话")
    there.hotline.children["cti"].kill()
    await agent.until("#banner", "连接中断")
    assert await agent.page.is_disabled("#do-hang-up")
    await agent.page.locator("#banner").wait_for(state="hidden", timeout=20_000)
    await agent.until(STATE, "通话")
    await agent.until("#call-number", "138****5683")
    await supervisor.until(TILE, "通话")
    await finish(agent)
    await call.ended()


async def test_a_name_full_of_markup_is_shown_as_it_came_and_does_nothing(
    agent: Visitor, supervisor: Visitor, city: City
) -> None:
    name = "<img src=x onerror=alert(1)>"
    await city.behave(SEAT, answer(after_s=0.3))
    await be_ready(agent)
    call = await city.raw_call(f'"{name}" <sip:13800005684@127.0.0.2>'.encode())
    await agent.until("#citizen-name", name, within_s=40)
    await supervisor.until(TILE, "138****5684")
    for visitor in (agent, supervisor):
        assert await visitor.page.locator("img").count() == 0
    await agent.until(STATE, "通话")
    await finish(agent)
    await call.ended()


async def test_two_tabs_at_one_seat_show_the_same_and_closing_one_changes_nothing(agent: Visitor) -> None:
    second = await agent.context.new_page()
    await second.goto(agent.base)
    await second.locator(f"{STATE}:has-text('小休'), {STATE}:has-text('签入')").wait_for()
    await second.keyboard.press("F2")
    await agent.until(STATE, "示闲")
    await second.close()
    await agent.page.keyboard.press("F3")
    await agent.page.keyboard.press("1")
    await agent.until(STATE, "小休")


async def test_a_seat_that_is_taken_is_not_offered_and_refused_in_chinese(
    agent: Visitor, visit: Visit
) -> None:
    second = await visit(LAPTOP)
    await second.log_in("1002")
    await second.page.wait_for_url("**/seats")
    taken = second.page.locator(f"button[value='{SEAT}']")
    assert f"工号 {AGENT}" in await taken.inner_text()
    assert await taken.is_disabled()
    # Two agents who reach for one seat at the same moment: the CTI server has the last word.
    await taken.evaluate("button => { button.disabled = false; }")
    await taken.click()
    await second.until("#toast", "已有话务员签入")
    await second.until("#banner", f"工号 {AGENT}")
    assert await second.page.is_disabled("#do-ready")
    assert second.complaints == []


@pytest.mark.parametrize("size", [LAPTOP, LARGE], ids=["laptop", "large"])
async def test_nothing_scrolls_and_57_seats_are_in_sight(
    visit: Visit, agent: Visitor, size: dict[str, int]
) -> None:
    wall = await visit(size)
    await wall.log_in(SUPERVISOR)
    await wall.until(TILE, SEAT)
    assert await wall.page.locator(".tile").count() == 57
    fits = "e => e.scrollHeight <= e.clientHeight && e.scrollWidth <= e.clientWidth"
    for where in ("html", ".tiles"):
        assert await wall.page.locator(where).evaluate(fits), where
    await agent.page.set_viewport_size({"width": size["width"], "height": size["height"]})
    for where in ("html", ".bar", ".call"):
        assert await agent.page.locator(where).evaluate(fits), where


async def test_logging_out_signs_the_seat_out_so_that_it_rings_for_nobody(
    agent: Visitor, supervisor: Visitor
) -> None:
    await be_ready(agent)
    await supervisor.until(TILE, "示闲")
    await agent.page.click("#logout button")
    await agent.page.wait_for_url("**/login")
    await supervisor.until(TILE, "签出")
    await agent.page.goto(f"{agent.base}/agent")
    assert agent.page.url.endswith("/login")
