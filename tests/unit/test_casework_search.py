"""Search over cases: the same words find the same cases on SQLite and on PostgreSQL, whatever is typed."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from casework.grams import for_fts5, for_tsquery, grams, phrases
from casework.store import lists
from casework.store.lists import Wanted, found
from casework.words import CaseState
from hotline.db.engine import Database
from hotline.local_time import DAY_US
from tests.unit.test_casework_rules import MONDAY, dispatch
from tests.unit.test_casework_supervision import moved, opened

CASES = (
    {"title": "小区供暖温度不达标", "text": "室温仅14度，联系物业ABC未果", "place": "泰山区岱庙街道"},
    {"title": "路灯不亮", "text": "东岳大街三晚不亮", "topic": "路灯维修"},
    {"title": "暖气漏水", "text": "管道漏水", "place": "新泰市"},
)
ODD = ("", "  ", "，。", '"', "a AND", "NEAR(", "*", "供*", "':*", "& | !", "()", "\0", "😀", "-", "x" * 500)


async def titles(database: Database, words: str, **fields: object) -> list[str]:
    async with database.read() as session:
        cases = await found(session, Wanted(words=words, **fields), 10)  # type: ignore[arg-type]
    return [case.title for case in cases]


def names(*places: int) -> list[str]:
    return [CASES[place]["title"] for place in places]


@pytest.mark.slow
async def test_words_find_their_cases_newest_first(database: Database) -> None:
    cases = [await opened(database, MONDAY + n, **fields) for n, fields in enumerate(CASES)]
    for words, places in (
        ("供暖", (0,)),
        ("供暖温度", (0,)),
        ("温度供暖", ()),
        ("供暖 岱庙", (0,)),
        ("暖", (2, 0)),
        ("漏水", (2,)),
        ("路灯维修", (1,)),
        ("14", (0,)),
        ("abc", (0,)),
        ("ＡＢＣ", (0,)),
        ("电梯", ()),
        (cases[1].number, (1,)),
    ):
        assert await titles(database, words) == names(*places), words
    for words in ODD:
        await titles(database, words)


@pytest.mark.slow
async def test_words_and_filters_must_hold_together(database: Database) -> None:
    first, *_ = [await opened(database, MONDAY + n, **fields) for n, fields in enumerate(CASES)]
    await moved(database, first, dispatch(), at_us=MONDAY + 9)
    assert await titles(database, "暖", states=(CaseState.DISPATCHED,)) == names(0)
    assert await titles(database, "暖", unit="泰山区政府") == names(0)
    assert await titles(database, "亮", states=(CaseState.DISPATCHED,)) == []


@pytest.mark.slow
async def test_the_newest_case_comes_first_whenever_it_was_written_and_days_are_a_part_of_all(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lists, "_NEAR", 1)  # what stands further back is found all the same
    for days in (5, 0, 9):
        await opened(database, MONDAY + days * DAY_US, title=f"路灯{days}")
    assert await titles(database, "路灯") == ["路灯9", "路灯5", "路灯0"]
    for since, until, wanted in (
        (4, 6, "5"),
        (0, 1, "0"),
        (6, 0, "9"),
        (0, 6, "50"),
        (5, 0, "95"),
        (1, 5, ""),
    ):
        period = {
            "since_us": since and MONDAY + since * DAY_US,
            "until_us": until and MONDAY + until * DAY_US,
        }
        assert await titles(database, "路灯", **period) == [f"路灯{day}" for day in wanted], (since, until)


@given(words=st.text(), more=st.text())
@pytest.mark.slow
def test_a_text_holds_the_grams_of_whatever_stands_in_it(words: str, more: str) -> None:
    kept = f" {grams(f'{more} {words} {more}')} "
    for phrase in phrases(words):
        assert f" {' '.join(phrase)} " in kept


@given(words=st.text())
def test_a_query_holds_no_operator_that_somebody_typed(words: str) -> None:
    wanted: Sequence[list[str]] = phrases(words)
    plain = for_fts5(wanted).replace('"', "").replace("*", "").split()
    assert [word for word in plain if word != "AND"] == [gram for phrase in wanted for gram in phrase]
    assert set(for_tsquery(wanted)) - set("".join(map("".join, wanted))) <= set(" &()<->:*")
