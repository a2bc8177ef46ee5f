"""Owns the pages of scores (考核): each unit's points, its rates with their counts, the cases behind them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import date
from decimal import Decimal

import msgspec
from aiohttp import web
from sqlalchemy.ext.asyncio import AsyncSession

from agent_desk.cases import sheets, shown
from agent_desk.cases.desk import Desk, with_database
from agent_desk.cases.sheets import Sheet
from casework.moves import Actor
from casework.organisation import Tree
from casework.scoring import FORMULAS, Measure, Score, scores
from casework.store import lists, marks
from casework.words import Part
from hotline import clock
from hotline.local_time import day_start_us, local_day

_MOST_CASES = 200
_DECEMBER = 12
PATIENCE_S = 60.0
"""A great city's month has some hundred thousand moves."""


class ScoreViews:
    """The handlers. A unit's people see their own unit, all others every unit."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    def routes(self) -> Iterable[web.AbstractRouteDef]:
        """Every address of the scores."""
        return (
            web.get("/cases/scores", with_database(self.table, PATIENCE_S)),
            web.get("/cases/scores.{ending:csv|xlsx}", with_database(self.export, PATIENCE_S)),
            web.get("/cases/scores/{unit}", with_database(self.unit, PATIENCE_S)),
        )

    async def table(self, request: web.Request) -> web.Response:
        """A month's scores of all units that one may see."""
        month = _month(request)
        async with self._desk.database.read() as session:
            asker = await self._desk.asker(request, session)
            tree = await self._desk.tree(session)
            found = await month_scores(session, month, asker.posts, tree)
        ids = {score.unit: unit.id for score in found if (unit := tree.named(score.unit)) is not None}
        return self._desk.page(
            request, "scores", asker, month=f"{month:%Y-%m}", formula=FORMULAS[-1], scores=found, ids=ids
        )

    async def unit(self, request: web.Request) -> web.Response:
        """One unit's rates, and the cases behind one of them."""
        month, now_us = _month(request), clock.now().utc_us
        asked = request.query.get("measure", Measure.CLOSED.name)
        if asked not in Measure.__members__:
            raise web.HTTPNotFound
        measure = Measure[asked]
        async with self._desk.database.read() as session:
            asker = await self._desk.asker(request, session)
            tree = await self._desk.tree(session)
            unit = tree.unit(request.match_info["unit"])
            if unit is None or not may_see(asker.posts, unit.name):
                raise web.HTTPForbidden
            names = (unit.name, *unit.former)
            behind = await marks.behind(session, *_period(month), names, measure)
            found = await month_scores(session, month, asker.posts, tree)
            score = next((one for one in found if one.unit == unit.name), None)
            bad_first = sorted(behind, key=lambda mark: (mark.is_good, mark.case_id))[:_MOST_CASES]
            cases = await lists.by_ids(session, [mark.case_id for mark in bad_first])
        return self._desk.page(
            request,
            "score",
            asker,
            month=f"{month:%Y-%m}",
            unit=unit,
            score=score,
            weights=FORMULAS[-1].weights,
            measure=measure,
            marks=[(mark.is_good, shown.line(cases[mark.case_id], now_us)) for mark in bad_first],
            total=len(behind),
        )

    async def export(self, request: web.Request) -> web.Response:
        """The table as a sheet."""
        month = _month(request)
        async with self._desk.database.read() as session:
            asker = await self._desk.asker(request, session)
            found = await month_scores(session, month, asker.posts, await self._desk.tree(session))
        return await sheets.answer(_sheet(found, f"{month:%Y-%m}"), request.match_info["ending"])


async def month_scores(session: AsyncSession, month: date, posts: Sequence[Actor], tree: Tree) -> list[Score]:
    """The scores of the month that begins with the day `month`, of the units that these posts may see.

    What a unit did under a former name is its own.
    """
    counted = await marks.counted(session, *_period(month))
    seen = ((mark, count) for mark, count in counted if may_see(posts, mark.unit))
    now = ((msgspec.structs.replace(mark, unit=tree.name_now(mark.unit)), count) for mark, count in seen)
    return scores(now, FORMULAS[-1])


def may_see(posts: Sequence[Actor], unit: str) -> bool:
    """Whether these posts may see how the unit stands: a unit's people their own alone."""
    return any(post.part is not Part.UNIT or post.unit == unit for post in posts)


def month_of(asked: str, now_us: int) -> date:
    """The first day of the month 2026-11, of the running one for ""; ValueError for what is none."""
    return date.fromisoformat(f"{asked}-01") if asked else local_day(now_us).replace(day=1)


def _month(request: web.Request) -> date:
    try:
        return month_of(request.query.get("month", ""), clock.now().utc_us)
    except ValueError:
        raise web.HTTPBadRequest from None


def _period(month: date) -> tuple[int, int]:
    return day_start_us(month), day_start_us(_next(month))


def _next(month: date) -> date:
    if month.month == _DECEMBER:
        return month.replace(year=min(month.year + 1, date.max.year), month=1)
    return month.replace(month=month.month + 1)


def _sheet(found: list[Score], month: str) -> Sheet:
    rows: list[list[sheets.Cell]] = []
    for score in found:
        rates = (score.rates.get(one) for one in Measure)
        counts = (f"{rate.good} / {rate.all}" if rate else "" for rate in rates)
        rows.append([month, score.unit, Decimal(score.points), score.version, *counts])
    head = ["月份", "单位", "得分", "公式版本", *(f"{one.value}（好/总）" for one in Measure)]
    return Sheet(f"scores-{month}", head, rows)
