"""The page of recordings in a real browser: a call just made is found, played, and written down."""

from __future__ import annotations

import asyncio

import pytest

from cli import audit as audit_of
from cli.stage import Stage
from tests.browser.conftest import AGENT, LAPTOP, SEAT, Visit
from tests.browser.test_day import STATE, be_ready, dial, finish

pytestmark = pytest.mark.asyncio(loop_scope="module")

NUMBER = "13805380041"
PLAYED = "() => [...document.querySelectorAll('audio')].map((player) => player.currentTime > 0.5)"
SPEEDS = "() => [...document.querySelectorAll('audio')].map((player) => player.playbackRate)"


async def test_a_supervisor_finds_a_call_and_hears_both_sides_together(there: Stage, visit: Visit) -> None:
    agent = await visit(LAPTOP)
    await agent.sit_down(AGENT, SEAT)
    await be_ready(agent)
    citizen = await dial(there.city, NUMBER, 7)
    await agent.until(STATE, "通话", 30)
    await asyncio.sleep(3)
    await citizen.hang_up()
    await finish(agent)
    supervisor = await visit(LAPTOP)
    await supervisor.log_in("9001")
    await supervisor.page.wait_for_url("**/wall")
    await supervisor.page.goto(f"{supervisor.base}/recordings")
    for _ in range(40):
        await supervisor.page.fill("[name=number]", NUMBER)
        await supervisor.page.click("text=查找")
        if await supervisor.page.locator("audio").count() == 2:
            break
        await asyncio.sleep(0.5)
    await supervisor.until(".tapes", "138****0041")
    await supervisor.page.select_option("#speed", "2")
    await supervisor.page.click("text=两边合放")
    for _ in range(100):
        if await supervisor.page.evaluate(PLAYED) == [True, True]:
            break
        await asyncio.sleep(0.1)
    assert await supervisor.page.evaluate(PLAYED) == [True, True]
    assert await supervisor.page.evaluate(SPEEDS) == [2, 2]
    assert supervisor.complaints == agent.complaints == []
    entries = await audit_of.last(there.settings, 10)
    assert {entry.whom.rpartition("-")[2] for entry in entries} == {"citizen", "hotline"}
    assert {(entry.person, entry.what) for entry in entries} == {("9001", "recording.play")}
