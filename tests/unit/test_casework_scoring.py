"""Scores: computed from the journal alone, by versioned formulas, the same whenever they are asked for."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from casework import moves as m
from casework.calendar import china
from casework.clockwork import tick
from casework.scoring import (
    DEADLINE_MOVES,
    FORMULAS,
    MOVES_OF,
    Fact,
    Mark,
    Measure,
    Rate,
    Score,
    owed,
    scores,
    told,
)
from casework.store import marks
from casework.words import Satisfaction
from hotline.db.engine import Database
from hotline.local_time import DAY_US
from tests.unit.test_casework_rules import (
    ASK_RETURN,
    COUNTY,
    DAY,
    MONDAY,
    REFUSE_RETURN,
    REPLIED,
    REVIEW,
    SEND_BACK,
    dispatch,
    visited,
)
from tests.unit.test_casework_supervision import moved, opened

RATES = st.integers(0, 50).flatmap(lambda good: st.builds(Rate, st.just(good), st.integers(max(good, 1), 60)))
MARKS = st.lists(
    st.builds(
        Mark,
        st.sampled_from(["甲", "乙", "丙"]),
        st.sampled_from(Measure),
        st.sampled_from("abc"),
        st.booleans(),
    )
)
MOVES = [m.tag_of(kind) for kind in m.RULES]


def test_taian_a_score_is_out_of_100_and_each_version_weighs_every_measure() -> None:
    """泰政发〔2016〕1号五（二）3: 百分制考核办法."""
    for formula in FORMULAS:
        assert sum(formula.weights.values()) == 100 and set(formula.weights) == set(Measure)
    assert len({formula.version for formula in FORMULAS}) == len(FORMULAS)


@given(rates=st.dictionaries(st.sampled_from(Measure), RATES, min_size=1))
def test_points_lie_between_0_and_100_and_are_full_only_without_a_fault(rates: dict[Measure, Rate]) -> None:
    score = Score(unit="甲", version=FORMULAS[-1].version, rates=rates)
    assert 0 <= float(score.points) <= 100
    assert (score.points == "100.00") == all(rate.good == rate.all for rate in rates.values())
    assert all((rate.percent == "100.00%") == (rate.good == rate.all) for rate in rates.values())


@given(found=MARKS, chance=st.randoms())
def test_the_same_marks_give_the_same_scores_in_whatever_order(found: list[Mark], chance: object) -> None:
    mixed = list(found)
    chance.shuffle(mixed)  # type: ignore[attr-defined]
    once = scored(found)
    assert scored(mixed) == once
    assert sum(rate.all for one in once for rate in one.rates.values()) == len(found)


def scored(found: Iterable[Mark]) -> list[Score]:
    return scores(Counter(found).items(), FORMULAS[-1])


@given(late=st.booleans(), replied=st.booleans())
def test_a_deadline_that_passed_without_a_reply_counts_once(late: bool, replied: bool) -> None:
    warn = Fact("c", "warn", "甲", False, '{"light":"overdue"}')
    reply = Fact("c", "reply", "甲", late, "{}")
    found = [*owed([warn, reply] if replied else [warn])]
    found += [mark for mark, _ in told([(warn, 1), *([(reply, 1)] if replied else [])])]
    assert [mark.is_good for mark in found if mark.measure is Measure.CLOSED] == [replied and not late]
    assert list(owed([Fact("c", "warn", "甲", False, '{"light":"red"}')])) == []
    assert [mark.case_id for mark in owed([reply, warn, Fact("d", "reply", "甲", False, "{}")])] == ["c"]


def test_each_rate_consists_of_the_moves_that_are_said_to_make_it() -> None:
    visit = msgspec.json.encode(visited(Satisfaction.GOOD)).decode()
    made: dict[Measure, set[str]] = {}
    for move in MOVES:
        for mark, _ in told([(Fact("c", move, "甲", False, visit if move == "visited" else ""), 1)]):
            made.setdefault(mark.measure, set()).add(move)
    assert made == {measure: set(moves) for measure, moves in MOVES_OF.items()}
    assert set(DEADLINE_MOVES) <= set(MOVES)


@pytest.mark.slow
async def test_what_a_unit_did_well_and_badly_stands_in_its_score_with_the_cases(database: Database) -> None:
    """泰政发〔2016〕1号五（二）3: 以热线系统真实的统计数据为评分基础，评分由系统自动生成."""
    good = await moved(database, await opened(database), *REPLIED, REVIEW, visited(Satisfaction.GOOD))
    bad = await moved(
        database,
        await opened(database),
        dispatch(),
        ASK_RETURN,
        REFUSE_RETURN,
        *REPLIED[1:],
        SEND_BACK,
        REPLIED[3],
        REVIEW,
        visited(Satisfaction.BAD),
    )
    late = await moved(database, await opened(database), dispatch())
    await tick(database, MONDAY + 10 * DAY_US, china())
    async with database.read() as session:
        period = MONDAY, MONDAY + 20 * DAY
        counted = await marks.counted(session, *period)
        found = [
            mark for one in Measure for mark in await marks.behind(session, *period, (COUNTY, "旧名"), one)
        ]
        assert await marks.counted(session, period[1], period[1] + 20 * DAY) == []
        assert await marks.behind(session, *period, ("不存在的单位",), Measure.CLOSED) == []
    (score,) = scores(counted, FORMULAS[-1])
    assert score.unit == COUNTY and scored(found) == [score]
    assert {one.name: (rate.good, rate.all) for one, rate in score.rates.items()} == {
        "ACCEPTED": (2, 2),
        "CLOSED": (3, 5),
        "KEPT": (3, 4),
        "SUBSTANTIAL": (1, 3),
        "SATISFIED": (1, 2),
        "SOLVED": (1, 2),
        "CONTACTED": (2, 2),
    }
    lost = {mark.case_id for mark in found if mark.measure is Measure.CLOSED and not mark.is_good}
    assert lost == {late.id, bad.id} and good.id not in lost
    assert score.points == "59.25"
