"""Figures: one way of counting, each number with its cases; daily counts once; sheets that run nothing."""

from __future__ import annotations

import asyncio
import csv
import io
import zipfile
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from openpyxl import load_workbook

from agent_desk.cases.sheets import Sheet, as_csv, as_xlsx, inert
from casework import city
from casework.calendar import china
from casework.clockwork import count_day, tick
from casework.figures import By, Count, grouped, total
from casework.organisation import Tree
from casework.scoring import Measure, Rate
from casework.store import days, lists
from casework.store.figures import facts_of_taken, marks_of, taken_in
from casework.words import Kind, Satisfaction
from hotline.db.engine import Database
from hotline.local_time import DAY_US, local_day
from tests.unit.test_casework_rules import ACCEPT, CLOSE, MONDAY, REPLY, REVIEW, URGE, dispatch, visited
from tests.unit.test_casework_supervision import moved, opened

TREE = Tree(city.demo_units())
WORKED = (dispatch(), ACCEPT, REPLY, REVIEW)
DANGEROUS = ("=1+1", "+1", "-1", "@SUM(A1)", "\t=1", " =cmd|' /C calc'!A0")


async def grown(database: Database) -> None:
    """Three cases of a Monday: one closed, one sent back by the citizen, one overdue; and one of Tuesday."""
    happy = await moved(
        database, await opened(database, kind=Kind.COMPLAINT, place="泰山区岱庙街道"), *WORKED
    )
    await moved(database, happy, visited(Satisfaction.GOOD), CLOSE)
    sad = await moved(database, await opened(database, topic="路灯维修", place="泰山区"), *WORKED, URGE)
    await moved(database, sad, visited(Satisfaction.BAD))
    await moved(database, await opened(database, place="肥城市"), dispatch())
    await opened(database, MONDAY + DAY_US)


@pytest.mark.slow
async def test_each_number_is_the_cases_behind_it_and_all_ways_of_grouping_add_up(database: Database) -> None:
    await grown(database)
    later = MONDAY + 9 * DAY_US
    await tick(database, later, china())
    async with database.read() as session:
        cases = await taken_in(session, MONDAY, MONDAY + DAY_US)
        facts = await facts_of_taken(session, MONDAY, MONDAY + DAY_US)
    for by in By:
        groups = grouped(cases, marks_of(facts), by, TREE, later)
        whole = total(groups)
        assert [whole.number(count) for count in Count] == [3, 1, 2, 2, 2, 1], by
        assert whole.rate(Measure.SATISFIED) == Rate(1, 2) == whole.rate(Measure.SUBSTANTIAL)
        for group in groups:
            for count in Count:
                assert len(group.behind(count.name)) == group.number(count)
    by_place = {group.name: group for group in grouped(cases, marks_of(facts), By.PLACE, TREE, later)}
    assert {name: group.number(Count.TAKEN_IN) for name, group in by_place.items()} == {
        "泰山区": 2,
        "肥城市": 1,
    }
    bad_first = by_place["泰山区"].behind("SATISFIED")
    assert len(bad_first) == 2 and by_place["泰山区"].behind("nothing") == []
    async with database.read() as session:
        assert (await lists.by_ids(session, bad_first[:1]))[bad_first[0]].topic == "路灯维修"


@pytest.mark.slow
async def test_each_day_is_counted_once_when_it_is_over_by_whichever_node_and_caught_up_one_by_one(
    database: Database,
) -> None:
    assert not await count_day(database, MONDAY)
    await grown(database)
    assert not await count_day(database, MONDAY), "the day is not over"
    after_outage = MONDAY + 3 * DAY_US
    kept = [await asyncio.gather(*(count_day(database, after_outage) for _ in range(3))) for _ in range(4)]
    assert [sum(round_) for round_ in kept] == [1, 1, 1, 0]
    async with database.read() as session:
        counted = await days.newest(session, 9)
        again = await days.count(session, local_day(MONDAY))
    assert [one.day for one in counted] == [
        (local_day(MONDAY) + timedelta(days=after)).isoformat() for after in (2, 1, 0)
    ]
    monday = counted[-1]
    assert monday == again
    assert (monday.taken_in, monday.closed, monday.replied, monday.in_time) == (3, 1, 2, 2)
    assert (monday.visited, monday.satisfied, monday.solved, monday.urged) == (2, 1, 1, 1)


@given(st.text())
def test_no_cell_begins_with_what_a_spreadsheet_runs(words: str) -> None:
    cell = inert(words)
    assert isinstance(cell, str) and not cell.strip(" ").startswith(("=", "+", "-", "@", "\t", "\r"))


def test_a_sheet_says_the_same_in_both_forms_and_holds_no_formula() -> None:
    sheet = Sheet("test", ["题", "数"], [[words, n] for n, words in enumerate(DANGEROUS)], ["口径"])
    lines = list(csv.reader(io.StringIO(as_csv(sheet).removeprefix("\ufeff"))))
    assert [line[0] for line in lines] == [
        "题",
        *(f"'{words}" for words in DANGEROUS),
        "口径",
    ]
    book = as_xlsx(sheet)
    with zipfile.ZipFile(io.BytesIO(book)) as parts:
        assert b"<f>" not in b"".join(parts.read(name) for name in parts.namelist())
    page = load_workbook(io.BytesIO(book)).active
    assert [[cell.value for cell in row] for row in page.iter_rows(max_row=3)] == [
        ["题", "数"], ["'=1+1", 0], ["'+1", 1]
    ]  # fmt: skip
