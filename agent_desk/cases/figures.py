"""Owns the pages of figures (统计): a window, a way to group, every number with the cases behind it."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from datetime import timedelta

import msgspec
from aiohttp import web
from sqlalchemy.ext.asyncio import AsyncSession

from agent_desk.cases import forms, sheets, shown
from agent_desk.cases.desk import Asker, Desk, with_database
from agent_desk.cases.forms import BadForm
from agent_desk.cases.sheets import Sheet
from casework.figures import FORMULAS, RATES, By, Count, Group, grouped, total
from casework.scoring import Measure
from casework.store import days, lists
from casework.store import figures as counted_of
from hotline import clock
from hotline.local_time import DAY_US, local_day

MOST_CASES = 200
MOST_DAYS = 370
_PATIENCE_S = 60.0


class Asked(msgspec.Struct, frozen=True):
    """The window, from and to (both days within), and what to group by."""

    since: str
    until: str
    since_us: int
    until_us: int
    by: By

    @property
    def query(self) -> str:
        """As it stands in an address."""
        return f"from={self.since}&to={self.until}&by={self.by.name}"

    @property
    def notes(self) -> list[str]:
        """What the numbers mean, for whoever has only the sheet."""
        window = f"口径：{self.since} 至 {self.until} 受理的工单，按现在的状态统计"
        return [window, *(f"{one.value} = {FORMULAS[one]}" for one in RATES)]


class FigureViews:
    """The handlers; for the platform's people."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    def routes(self) -> Iterable[web.AbstractRouteDef]:
        """Every address of the figures."""
        return (
            web.get("/cases/figures", with_database(self.table, _PATIENCE_S)),
            web.get("/cases/figures.{ending:csv|xlsx}", with_database(self.export, _PATIENCE_S)),
            web.get("/cases/figures/behind", with_database(self.behind, _PATIENCE_S)),
            web.get("/cases/days", with_database(self.days)),
            web.get("/cases/days.{ending:csv|xlsx}", with_database(self.export_days)),
        )

    async def table(self, request: web.Request) -> web.Response:
        """The groups with their counts and rates."""
        async with self._desk.database.read() as session:
            asker = await self._desk.platform(request, session)
            asked, message = _asked(request)
            groups = await self._groups(session, asked)
        return self._page(request, asker, asked, groups, message)

    async def export(self, request: web.Request) -> web.Response:
        """The same as a sheet, with what it means below."""
        async with self._desk.database.read() as session:
            await self._desk.platform(request, session)
            asked, _ = _asked(request)
            groups = await self._groups(session, asked)
        return await sheets.answer(_sheet(asked, groups), request.match_info["ending"])

    async def behind(self, request: web.Request) -> web.Response:
        """The cases behind one number."""
        now_us, what = clock.now().utc_us, request.query.get("what", "")
        if what not in {*Count.__members__, *Measure.__members__}:
            raise web.HTTPNotFound
        async with self._desk.database.read() as session:
            asker = await self._desk.platform(request, session)
            asked, _ = _asked(request)
            groups = await self._groups(session, asked)
            name = request.query.get("group", "")
            group = next((one for one in groups if one.name == name), total(groups))
            ids = group.behind(what)
            cases = await lists.by_ids(session, ids[:MOST_CASES])
        return self._desk.page(
            request,
            "behind",
            asker,
            asked=asked,
            group=group.name,
            what=(Count[what] if what in Count.__members__ else Measure[what]).value,
            cases=[shown.line(cases[id_], now_us) for id_ in ids[:MOST_CASES]],
            total=len(ids),
        )

    async def days(self, request: web.Request) -> web.Response:
        """The daily counts (日报) of the last year, the newest first."""
        async with self._desk.database.read() as session:
            asker = await self._desk.platform(request, session)
            counted = await days.newest(session, MOST_DAYS)
        return self._desk.page(request, "days", asker, sheet=_day_sheet(counted))

    async def export_days(self, request: web.Request) -> web.Response:
        """The same as a sheet."""
        async with self._desk.database.read() as session:
            await self._desk.platform(request, session)
            counted = await days.newest(session, MOST_DAYS)
        return await sheets.answer(_day_sheet(counted), request.match_info["ending"])

    async def _groups(self, session: AsyncSession, asked: Asked) -> list[Group]:
        tree, now_us = await self._desk.tree(session), clock.now().utc_us
        cases = await counted_of.taken_in(session, asked.since_us, asked.until_us)
        facts = await counted_of.facts_of_taken(session, asked.since_us, asked.until_us)
        return await asyncio.to_thread(grouped, cases, counted_of.marks_of(facts), asked.by, tree, now_us)

    def _page(
        self, request: web.Request, asker: Asker, asked: Asked, groups: list[Group], message: str
    ) -> web.Response:
        return self._desk.page(
            request,
            "figures",
            asker,
            400 if message else 200,
            asked=asked,
            groups=groups,
            whole=total(groups),
            counts=list(Count),
            rates=RATES,
            ways=list(By),
            most=max((group.number(Count.TAKEN_IN) for group in groups), default=1),
            message=message,
        )


def _asked(request: web.Request) -> tuple[Asked, str]:
    """What is asked for, and what is wrong with it; the last thirty days by kind when nothing is said."""
    today = local_day(clock.now().utc_us)
    since = request.query.get("from") or (today - timedelta(days=29)).isoformat()
    until = request.query.get("to") or today.isoformat()
    by = request.query.get("by", By.KIND.name)
    message = ""
    try:
        since_us, until_us = forms.day_us(since, 0), forms.day_us(until, 1)
    except BadForm as error:
        since_us, until_us, message = 0, 0, str(error)
    if until_us - since_us > MOST_DAYS * DAY_US:
        since_us, until_us, message = 0, 0, "一次最多统计一年"
    way = By[by] if by in By.__members__ else By.KIND
    return Asked(since[:10], until[:10], since_us, until_us, way), message


def _sheet(asked: Asked, groups: list[Group]) -> Sheet:
    head = [asked.by.value, *(count.value for count in Count)]
    for measure in RATES:
        head += [measure.value, f"{measure.value}（分子）", f"{measure.value}（分母）"]
    rows = [_row(group) for group in (*groups, total(groups))]
    return Sheet(f"figures-{asked.since}-{asked.until}-{asked.by.name.lower()}", head, rows, asked.notes)


def _row(group: Group) -> list[sheets.Cell]:
    line: list[sheets.Cell] = [group.name, *(group.number(count) for count in Count)]
    for measure in RATES:
        rate = group.rate(measure)
        line += [rate.percent, rate.good, rate.all] if rate is not None else ["", 0, 0]
    return line


def _day_sheet(counted: list[days.DayCount]) -> Sheet:
    head = ["日期", "受理", "办结", "反馈", "按时反馈", "回访", "满意", "解决", "催办", "进入督办"]
    rows: list[list[sheets.Cell]] = [
        [one.day, one.taken_in, one.closed, one.replied, one.in_time, one.visited, one.satisfied, one.solved,
         one.urged, one.supervised]
        for one in counted
    ]  # fmt: skip
    notes = ["口径：当天（北京时间）发生的次数，次日零点后由流转记录统计一次"]
    return Sheet("days", head, rows, notes)
