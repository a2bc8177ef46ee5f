"""The visit back: when it is due, that it is not forgotten, and that nobody is called by two at once."""

from __future__ import annotations

import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st

from casework import moves as m
from casework.calendar import china
from casework.case import Case
from casework.clockwork import tick
from casework.service import history_of, move_case
from casework.store import claims
from casework.store.claims import HELD_US, Done
from casework.store.lists import due, visits_due
from casework.visits import APART_US, HOURS, LATE_US, Attempt, due_us
from casework.words import Refusal, Satisfaction
from hotline.db.engine import Database
from hotline.local_time import DAY_US, SECOND_US, date_time, local
from tests.unit.test_casework_rules import ACCEPT, MONDAY, REPLY, REVIEW, VISITOR, after, dispatch, visited
from tests.unit.test_casework_rules import REPLIED as REPLIED_MOVES
from tests.unit.test_casework_supervision import moved, opened

OTHER = m.Actor("1014", VISITOR.part)


@given(now_us=st.integers(MONDAY, MONDAY + 400 * DAY_US), first=st.integers(0, 48))
def test_nobody_is_called_at_night_nor_twice_at_the_same_hour(now_us: int, first: int) -> None:
    attempts: tuple[Attempt, ...] = ()
    at_us = due_us(attempts, now_us)
    assert at_us >= now_us
    while at_us:
        assert local(at_us).hour in HOURS
        assert local(at_us).hour not in {local(one.at_us).hour for one in attempts}
        attempts = (*attempts, Attempt(at_us + first * 60 * SECOND_US))
        now_us = attempts[-1].at_us
        at_us = due_us(attempts, now_us)
        assert not at_us or at_us >= now_us + APART_US
    assert len(attempts) == 3


def test_a_case_reviewed_at_night_is_visited_in_the_morning() -> None:
    night = MONDAY + 12 * 3600 * SECOND_US
    case = after(*REPLIED_MOVES, REVIEW, at=night)
    assert date_time(case.visit_due_us) == "2026-11-24 09:00:00"
    missed = m.Unreached(actor=VISITOR, reason="无人接听")
    again = after(missed, case=case, at=case.visit_due_us)
    assert date_time(again.visit_due_us) == "2026-11-24 12:00:00"
    assert after(visited(Satisfaction.GOOD), case=again).visit_due_us == 0


@pytest.mark.slow
async def test_a_late_visit_is_told_of_once_by_whichever_node_and_after_an_outage_too(
    database: Database,
) -> None:
    reviewed = [
        await moved(database, await opened(database), dispatch(), ACCEPT, REPLY, REVIEW) for _ in range(3)
    ]
    late = MONDAY + LATE_US
    assert await tick(database, late - 1, china()) == 0
    await asyncio.gather(*(tick(database, late + 5 * DAY_US, china()) for _ in range(3)))
    for case in reviewed:
        async with database.read() as session:
            reminders = [one for one in await history_of(session, case.id) if one.move == "remind"]
            assert len(reminders) == 1 and await due(session, late + 9 * DAY_US, 9) == []
            assert case.id in [one.id for one in await visits_due(session, late, 9)]
    first = m.Unreached(actor=VISITOR, reason="无人接听")
    case = await moved(database, reviewed[0], first, at_us=late)
    async with database.read() as session:
        assert case.id not in [one.id for one in await visits_due(session, late, 9)]
        assert case.id in [one.id for one in await visits_due(session, case.visit_due_us, 9)]


async def test_of_two_who_begin_the_same_work_one_has_it_until_it_is_done_or_left(database: Database) -> None:
    async def taken(person: str, at_us: int) -> str:
        async with database.begin() as session:
            return (await claims.take(session, "n1-1.1", person, at_us)).person

    (holder,) = set(await asyncio.gather(taken("1001", 9), taken("1002", 9)))
    assert await taken(holder, 10) == holder
    other = "1002" if holder == "1001" else "1001"
    assert await taken(other, 10 + HELD_US - 1) == holder
    assert await taken(other, 10 + HELD_US) == other
    async with database.begin() as session:
        await claims.finish(session, "n1-1.1", holder, Done.VOID)
        await claims.finish(session, "n1-1.1", other, Done.CASE, case_id="n1-2")
        await claims.finish(session, "n1-1.1", other, Done.VOID)
    async with database.begin() as session:
        claim = await claims.take(session, "n1-1.1", holder, 99 * HELD_US)
    assert (claim.person, claim.done) == (other, Done.CASE)


@pytest.mark.slow
async def test_a_visit_that_another_makes_is_not_recorded_twice(database: Database) -> None:
    case = await moved(database, await opened(database), dispatch(), ACCEPT, REPLY, REVIEW)
    async with database.begin() as session:
        await claims.take(session, case.id, OTHER.number, MONDAY)
    heard = visited(Satisfaction.GOOD)
    assert await move_case(database, case.id, heard, MONDAY, china()) is Refusal.TAKEN
    done = await move_case(database, case.id, visited(Satisfaction.GOOD, OTHER), MONDAY, china())
    assert isinstance(done, Case)
    async with database.read() as session:
        assert await claims.claims_on(session, [case.id]) == {}
