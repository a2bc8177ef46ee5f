"""The day's curves: who came in which quarter of an hour, and how they fared."""

from __future__ import annotations

from ctiserver.api.states import Outcome
from ctiserver.curves import SLOT_S, Slot, curves
from hotline.db.engine import Database
from hotline.local_time import SECOND_US
from tests.unit.test_missed import ANNA, call
from tests.unit.test_workday import MORNING, NOW, answered

SLOT_US = SLOT_S * SECOND_US


async def test_each_quarter_of_an_hour_tells_of_those_who_joined_a_queue_in_it(database: Database) -> None:
    rows = [
        answered(MORNING + 4 * SLOT_US, 9_000),
        answered(MORNING + 5 * SLOT_US - SECOND_US, 21_000),
        call(ANNA, MORNING + 6 * SLOT_US, Outcome.ABANDONED_QUEUE),
        call(ANNA, MORNING + 6 * SLOT_US, Outcome.ABANDONED_IVR),
        answered(MORNING - SLOT_US, 1_000),
        answered(MORNING + 7 * SLOT_US, 1_000, is_outbound=True),
    ]
    for row in rows:
        row.queued_us = 0 if row.outcome == Outcome.ABANDONED_IVR else row.started_us
    async with database.begin() as session:
        session.add_all(rows)
    async with database.read() as session:
        found = await curves(session, NOW, 15)
        none = await curves(session, NOW - 86_400 * SECOND_US * 3, 15)
    hour = MORNING + 4 * SLOT_US
    assert found == [
        Slot(at_us=hour, calls=2, answered=2, in_time=1, abandoned=0, wait_ms=15_000),
        Slot(at_us=hour + SLOT_US, calls=0, answered=0, in_time=0, abandoned=0, wait_ms=0),
        Slot(at_us=hour + 2 * SLOT_US, calls=1, answered=0, in_time=0, abandoned=1, wait_ms=0),
    ]
    assert none == []
