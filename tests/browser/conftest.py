"""Owns what the browser's tests stand on: a whole hotline as processes, a city, a real Chromium."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import pytest
import pytest_asyncio
from playwright.async_api import Browser, BrowserContext, ConsoleMessage, Page, async_playwright
from playwright.async_api import TimeoutError as PlaywrightTimeout

from cli.seed import demo_password
from cli.stage import Stage, stage, stage_settings
from hotline.settings import QueueSettings, Settings
from rehearsal.city import City
from rehearsal.ports import free_ports

CHROMIUM = "/usr/bin/chromium"
QUIET = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
AGENT, SEAT = "1001", "8001"
LAPTOP = {"width": 1366, "height": 768}
LARGE = {"width": 1920, "height": 1080}
AXE = (Path(__file__).parents[2] / "node_modules" / "axe-core" / "axe.min.js").read_text()
FINDINGS = """async () => (await axe.run()).violations.flatMap(
  ({ id, nodes }) => nodes.map(({ target, failureSummary }) => `${id} ${target}: ${failureSummary}`))"""
SHOTS = Path(__file__).parents[2] / "build" / "shots"


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def there(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Stage]:
    """A hotline in its own processes with a city around it, as `hotline demo` has it, but silent."""
    site = Settings(queue=QueueSettings(wrapup_s=300))
    state = tmp_path_factory.mktemp("hotline")
    async with stage(stage_settings(site, state, seats=57, ports=free_ports(7)), print) as raised:
        yield raised


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def chromium() -> AsyncIterator[Browser]:
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=CHROMIUM, args=list(QUIET))
        yield browser
        await browser.close()


class Visitor:
    """A person at a browser of their own. `complaints`: whatever the browser reported as wrong."""

    def __init__(self, context: BrowserContext, page: Page, base: str, password: str) -> None:
        self.context, self.page, self.base, self.password = context, page, base, password
        self.complaints: list[str] = []
        page.set_default_timeout(10_000)
        page.on("pageerror", lambda error: self.complaints.append(str(error)))
        page.on("console", self._note)

    def _note(self, message: ConsoleMessage) -> None:
        """A connection that breaks with a killed server is what the test wanted; all else is a complaint."""
        if message.type in ("error", "warning") and "ERR_CONNECTION" not in message.text:
            self.complaints.append(message.text)

    async def log_in(self, number: str) -> None:
        await self.page.goto(self.base)
        await self.page.fill("#number", number)
        await self.page.fill("#password", self.password)
        await self.page.click("text=登录 >> nth=-1")

    async def log_in_anew(self, number: str) -> None:
        """Another person at the same browser."""
        await self.context.clear_cookies()
        await self.log_in(number)
        await self.page.wait_for_url(lambda url: "/login" not in url)

    async def sit_down(self, number: str, seat: str) -> None:
        """Log in as an agent and sign in at the seat."""
        await self.log_in(number)
        await self.page.wait_for_url("**/seats")
        await self.page.click(f"button[value='{seat}']")
        await self.until("#seat-state", "签入")

    async def until(self, where: str, text: str | re.Pattern[str], within_s: float = 10.0) -> None:
        """Return as soon as the place shows the text; say what the page shows instead when it does not."""
        try:
            await self.page.locator(where).filter(has_text=text).first.wait_for(timeout=within_s * 1000)
        except PlaywrightTimeout:
            shown = await self.page.inner_text("body")
        else:
            return
        pytest.fail(
            f"{where} does not show {text!r} within {within_s:g} s; the page says:\n{shown}", pytrace=False
        )


Visit = Callable[[dict[str, int]], Awaitable[Visitor]]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def visit(chromium: Browser, there: Stage) -> AsyncIterator[Callable[[dict[str, int]], object]]:
    """`await visit(LAPTOP)`: a new visitor with a screen of that size."""
    contexts: list[BrowserContext] = []

    async def come(size: dict[str, int]) -> Visitor:
        context = await chromium.new_context(
            viewport={"width": size["width"], "height": size["height"]},
            ignore_https_errors=bool(there.settings.desk.certificate),  # it vouches for itself
        )
        contexts.append(context)
        base = there.settings.desk_url
        return Visitor(context, await context.new_page(), base, demo_password(there.settings))

    yield come
    for context in contexts:
        await context.close()


async def look_at(visitor: Visitor, name: str) -> list[str]:
    """What axe finds on the page, and whether it is wider than the screen; a picture stays in build/shots."""
    found: list[str] = []
    for scheme in ("light", "dark"):
        await visitor.page.emulate_media(color_scheme=scheme, reduced_motion="reduce")  # type: ignore[arg-type]
        for size in (LAPTOP, LARGE):
            await visitor.page.set_viewport_size({"width": size["width"], "height": size["height"]})
            await visitor.page.screenshot(path=SHOTS / f"{name}-{scheme}-{size['width']}.png")
            if await visitor.page.evaluate("document.documentElement.scrollWidth > innerWidth"):
                found.append(f"{name} is wider than {size['width']}")
        await visitor.page.evaluate(AXE)
        found += [f"{name} {scheme}: {finding}" for finding in await visitor.page.evaluate(FINDINGS)]
    return found


@pytest.fixture(scope="module")
def city(there: Stage) -> City:
    return there.city


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def agent(visit: Visit) -> AsyncIterator[Visitor]:
    """An agent at seat 8001, signed in, not ready."""
    visitor = await visit(LAPTOP)
    await visitor.sit_down(AGENT, SEAT)
    yield visitor
    assert visitor.complaints == []


@pytest_asyncio.fixture(loop_scope="module")
async def silence(city: City) -> AsyncIterator[None]:
    """No test leaves a call to the next one."""
    yield
    for leg in city.parties():
        await city.hang_up(leg)
