"""Owns `hotline seed`: a made-up city in an empty database, and a year of its cases as many as are wanted."""

from __future__ import annotations

from collections.abc import Callable

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
    units, now_us = city.city_units(), clock.now().utc_us
    made_up = City(units, city.matters(units), node)
    for day, wanted in days_of(count, local_day(now_us)):
        async with database.begin() as session:
            first = await bulk.last_count(session, f"{day:%Y%m%d}") + 1
            lives = made_up.day(day, wanted, first, now_us, china())
            await bulk.add_day(session, f"{day:%Y%m%d}", ((one.case, one.entries) for one in lives))
        progress(wanted)
