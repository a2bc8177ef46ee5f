"""The list of missed calls: who is on it, and what takes them off."""

from __future__ import annotations

import itertools

import pytest

from casework.store import claims
from casework.store.claims import Done
from ctiserver import missed
from ctiserver.api.states import CallbackState, Outcome
from ctiserver.store.tables import CallbackRow, CallRow
from hotline.db.engine import Database

_numbers = itertools.count(1)
ANNA, BERND = "+8613805380001", "+8613805380002"


def call(
    citizen: str, at_us: int, outcome: Outcome, *, is_outbound: bool = False, answered_us: int = 0
) -> CallRow:
    n = next(_numbers)
    return CallRow(
        conversation=f"n1-{n}.1", node="n1", uid=f"{n}.1", citizen=citizen,
        number=citizen.removeprefix("+86"), name="", dnis="12345",
        is_outbound=is_outbound, about="", queue="12345", started_us=at_us,
        queued_us=at_us, rang_us=0, answered_us=answered_us, ended_us=at_us + 9, outcome=outcome.value,
        seat="", agent="", wait_ms=9, talk_ms=0, is_seen=True,
    )  # fmt: skip


async def listed(database: Database, *rows: CallRow) -> list[tuple[str, int, int]]:
    async with database.begin() as session:
        session.add_all(rows)
    async with database.read() as session:
        return [(each.number, each.calls, each.tries) for each in await missed.waiting(session, 0, 10)]


async def test_who_gave_up_is_listed_once_however_often_they_called(database: Database) -> None:
    rows = [call(ANNA, at, Outcome.ABANDONED_QUEUE) for at in (10, 30)]
    assert await listed(database, *rows, call(BERND, 20, Outcome.ABANDONED_RINGING)) == [
        ("13805380001", 2, 0),
        ("13805380002", 1, 0),
    ]


@pytest.mark.parametrize("is_outbound", [False, True], ids=["called again", "called back"])
async def test_who_was_spoken_to_since_is_off_the_list(database: Database, is_outbound: bool) -> None:
    spoken = call(ANNA, 20, Outcome.ANSWERED, is_outbound=is_outbound, answered_us=21)
    assert await listed(database, call(ANNA, 10, Outcome.ABANDONED_QUEUE), spoken) == []


async def test_who_was_called_back_in_vain_stays_and_the_tries_are_counted(database: Database) -> None:
    tries = [call(ANNA, at, Outcome.NOT_REACHED, is_outbound=True) for at in (20, 30)]
    assert await listed(database, call(ANNA, 10, Outcome.ABANDONED_QUEUE), *tries) == [("13805380001", 1, 2)]


async def test_who_was_spoken_to_before_is_listed_for_what_came_after(database: Database) -> None:
    before = call(ANNA, 5, Outcome.ANSWERED, answered_us=6)
    assert await listed(database, before, call(ANNA, 10, Outcome.ABANDONED_QUEUE)) == [("13805380001", 1, 0)]


async def test_a_short_abandon_and_a_withheld_number_are_nobody_to_call_back(database: Database) -> None:
    rows = call(ANNA, 10, Outcome.SHORT_ABANDON), call("", 10, Outcome.ABANDONED_QUEUE)
    assert await listed(database, *rows) == []


async def test_a_message_is_listed_though_the_number_is_withheld_and_each_by_itself(
    database: Database,
) -> None:
    rows = [call("", at, Outcome.MESSAGE) for at in (10, 20)]
    spoken = call("", 30, Outcome.ANSWERED, answered_us=31)
    assert await listed(database, *rows, spoken) == [("", 1, 0), ("", 1, 0)]


async def test_what_was_worked_is_off_the_list_with_all_before_it_and_what_comes_after_is_on_it(
    database: Database,
) -> None:
    first, second, third = (call(ANNA, at, Outcome.ABANDONED_QUEUE) for at in (10, 20, 30))
    async with database.begin() as session:
        await claims.take(session, second.conversation, "1001", 25)
    assert await listed(database, first, second) == [("13805380001", 2, 0)]
    async with database.read() as session:
        (waiting,) = await missed.waiting(session, 0, 10)
    assert (waiting.taken_by, waiting.taken_us) == ("1001", 25)
    async with database.begin() as session:
        await claims.finish(session, second.conversation, "1001", Done.VOID)
    assert await listed(database) == []
    assert await listed(database, third) == [("13805380001", 1, 0)]


@pytest.mark.parametrize("state", CallbackState)
async def test_who_keeps_a_place_is_listed_only_when_the_callback_has_failed(
    database: Database, state: CallbackState
) -> None:
    asked = call(ANNA, 10, Outcome.CALLBACK)
    async with database.begin() as session:
        session.add(asked)
        await session.flush()
        session.add(
            CallbackRow(
                conversation=asked.conversation,
                node="n1",
                queue="12345",
                since_us=10,
                asked_us=12,
                closed_us=0,
                state=state.value,
                tries=3,
                call="",
                seat="",
                agent="",
                person="",
            )
        )
    expected = [("13805380001", 1, 0)] if state is CallbackState.FAILED else []
    assert await listed(database) == expected


async def test_a_promise_of_which_no_record_is_left_is_kept_by_people(database: Database) -> None:
    assert await listed(database, call(ANNA, 10, Outcome.CALLBACK)) == [("13805380001", 1, 0)]


async def test_a_message_is_listed_with_the_second_at_which_it_begins(database: Database) -> None:
    left = call(ANNA, 10, Outcome.MESSAGE)
    left.ivr_path = "g@5.r@2.m4@3.v"
    assert await listed(database, left) == [("13805380001", 1, 0)]
    async with database.read() as session:
        (each,) = await missed.waiting(session, 0, 10)
    assert (each.outcome, each.message_from_s) == ("message", 10)
