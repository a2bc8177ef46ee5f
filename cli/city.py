"""Owns `hotline seed`: a made-up city in an empty database, and a year of its cases as many as are wanted."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future, ProcessPoolExecutor
from datetime import date
from functools import cache
from multiprocessing import get_context

from casework import city
from casework.calendar import china
from casework.faq import seed_knowledge
from casework.staff import seed_staff, staff
from casework.store import bulk
from casework.store.matters import save_matters
from casework.year import City, days_of
from cli.database import ensure
from cli.seed import demo_password
from hotline import clock
from hotline.db.engine import FAILURES, Database, reason
from hotline.directory import all_units, save_units
from hotline.errors import DatabaseUnavailable, HotlineError
from hotline.identity.demo import demo_people
from hotline.identity.people import seed_people
from hotline.local_time import local_day
from hotline.settings import Settings

AGENTS = 131
"""57 seats with 2.3 agents each: 泰政发〔2016〕1号五（一）."""

_AHEAD = 8
"""Days that are made up before they are written."""

Progress = Callable[[int], None]
"""Told how many cases more are there."""


class RealCity(HotlineError):
    """The database has units that are none of the made-up city's: invented cases do not belong there."""


async def seed(settings: Settings, cases: int, progress: Progress) -> tuple[int, int, int, int]:
    """Units, matters, people, knowledge as far as they are missing, then cases; how many of the first."""
    await ensure(settings)
    database = await Database.open(settings.database)
    try:
        found = await _inhabit(database, settings)
        if cases:
            await _year(database, settings.node, cases, progress)
        return found
    except FAILURES as error:
        raise DatabaseUnavailable(f"the city was not seeded: {reason(error)}") from error
    finally:
        await database.close()


async def _inhabit(database: Database, settings: Settings) -> tuple[int, int, int, int]:
    units = city.city_units()
    matters, members = city.matters(units), staff(units)
    password, now_us = demo_password(settings), clock.now().utc_us
    async with database.begin() as session:
        foreign = {unit.id for unit in await all_units(session)} - {unit.id for unit in units}
        if foreign:
            raise RealCity(f"the directory has units of its own ({min(foreign)}); seed an empty database")
        await save_units(session, units)
        await seed_people(session, demo_people(AGENTS), password, now_us)
        await session.flush()
        await save_matters(session, matters)
        await seed_staff(session, members, password, now_us)
        known = await seed_knowledge(session, units, settings.node, now_us)
    return len(units), len(matters), AGENTS + len(members), known


async def _year(database: Database, node: str, count: int, progress: Progress) -> None:
    """Other processes make the next days up while this one writes a day."""
    now_us = clock.now().utc_us
    days = [(f"{day:%Y%m%d}", day, wanted) for day, wanted in days_of(count, local_day(now_us)) if wanted]
    async with database.read() as session:
        lasts = await bulk.last_counts(session)
    with ProcessPoolExecutor(mp_context=get_context("spawn")) as makers:

        def begin(name: str, day: date, wanted: int) -> Future[bulk.Rows]:
            first = lasts.get(name, 0) + 1
            return makers.submit(_made_up, node, day, wanted, first, now_us)

        coming = deque(begin(*one) for one in days[:_AHEAD])
        for place, (name, _, wanted) in enumerate(days):
            rows = await asyncio.wrap_future(coming.popleft())
            coming.extend(begin(*one) for one in days[place + _AHEAD : place + _AHEAD + 1])
            async with database.begin() as session:
                await bulk.add_day(session, name, lasts.get(name, 0) + len(rows.cases), rows)
            progress(wanted)


def _made_up(node: str, day: date, count: int, first: int, now_us: int) -> bulk.Rows:
    lives = _city(node).day(day, count, first, now_us, china())
    return bulk.rows_of((one.case, one.entries) for one in lives)


@cache
def _city(node: str) -> City:
    units = city.city_units()
    return City(units, city.matters(units), node)
