"""Owns the work that the clock does on cases: warnings about deadlines and late visits, the supervision
that follows, and the daily counts.

What is due stands in the cases themselves (`wake_us`), so that nothing is lost with a process; what was done
moves it on in the same transaction, so that it is done once, whoever comes first. After an outage only the
last light of each case is told.
"""

from __future__ import annotations

import asyncio

import structlog

from casework.calendar import china
from casework.deadlines import Calendar
from casework.service import warn_case
from casework.store import days, lists
from hotline import clock
from hotline.db.engine import FAILURES, Database, reason
from hotline.local_time import local_day

EVERY_S = 10.0
_BATCH = 200
_BREATH_S = 0.5
"""Between two full batches, so that catching up holds up nobody."""

log = structlog.get_logger()


async def tick(database: Database, now_us: int, calendar: Calendar) -> int:
    """Do what is due now, one batch of it; returns how many cases were looked at."""
    async with database.read() as session:
        due = await lists.due(session, now_us, _BATCH)
    for id_ in due:
        await warn_case(database, id_, now_us, calendar)
    return len(due)


async def count_day(database: Database, now_us: int) -> bool:
    """Count the oldest day that is over and was not counted (日报), one at a time; of two nodes one keeps it.

    Whether it was kept.
    """
    async with database.read() as session:
        day = await days.missing(session, local_day(now_us))
        if day is None:
            return False
        counted = await days.count(session, day)
    async with database.begin() as session:
        return await days.keep(session, counted, now_us)


async def run(database: Database) -> None:
    """Tick until cancelled; a database that fails is asked again."""
    while True:
        try:
            done = await tick(database, clock.now().utc_us, china())
            if done < _BATCH:
                await count_day(database, clock.now().utc_us)
        except FAILURES as error:
            log.warning("casework_clock_without_database", why=reason(error))
            done = 0
        if done:
            log.info("casework_clock", cases=done)
        await asyncio.sleep(_BREATH_S if done == _BATCH else EVERY_S)
