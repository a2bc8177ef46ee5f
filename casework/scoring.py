"""Owns the scores of units (考核): marks read from the journal, and versions of the formula. Pure.

泰政发〔2016〕1号五（二）3: 百分制，以热线系统真实的统计数据为评分基础，由系统自动生成，人工无法改动.
A score is never stored: whoever asks for it has it computed from the histories, which nobody can change, so
that the same question has the same answer.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from enum import StrEnum
from fractions import Fraction
from itertools import groupby
from typing import Any

import msgspec

from casework import moves as m
from casework.deadlines import Light
from casework.words import Satisfaction


class Measure(StrEnum):
    """What is counted: each mark is good or bad, and the rate is good ÷ all."""

    ACCEPTED = "签收及时率"
    """Signed for before the time for it was over."""
    CLOSED = "按时办结率"
    """Replied within the deadline ÷ replies and deadlines that passed without one."""
    KEPT = "退回合规率"
    """Cases received ÷ those and returns that were refused."""
    SUBSTANTIAL = "一次办结率"
    """Replies that were neither sent back by review nor worked again after the visit (1 − 发回重办率)."""
    SATISFIED = "回访满意率"
    """Satisfied ÷ rated."""
    SOLVED = "解决率"
    """Solved ÷ visited."""
    CONTACTED = "联系及时率"
    """Contacted in time, as the citizen says ÷ visited."""


class Fact(msgspec.Struct, frozen=True, gc=False):
    """What of an entry of the journal counts. `unit`: which had the case after the move."""

    case_id: str
    move: str
    unit: str
    is_late: bool
    body: str


class Mark(msgspec.Struct, frozen=True, gc=False):
    """One case's part in one rate of one unit."""

    unit: str
    measure: Measure
    case_id: str
    is_good: bool


class Formula(msgspec.Struct, frozen=True):
    """The weights of a version, in points; their sum is 100."""

    version: str
    weights: dict[Measure, int]


FORMULAS = (
    Formula(
        "2026.1",
        {
            Measure.ACCEPTED: 10,
            Measure.CLOSED: 30,
            Measure.KEPT: 5,
            Measure.SUBSTANTIAL: 15,
            Measure.SATISFIED: 20,
            Measure.SOLVED: 15,
            Measure.CONTACTED: 5,
        },
    ),
)
"""Every version that scores were ever given by; the last is in force. A version is never changed."""


class Rate(msgspec.Struct, frozen=True):
    """A counted rate: `good` of `all`, at least one."""

    good: int
    all: int

    @property
    def percent(self) -> str:
        """96.30%, cut and not rounded up: 100 % means all of them."""
        return f"{self.good * 10_000 // self.all / 100:.2f}%"


class Score(msgspec.Struct, frozen=True, kw_only=True):
    """A unit's score in a period, with all that it was made of."""

    unit: str
    version: str
    rates: dict[Measure, Rate]

    @property
    def points(self) -> str:
        """Out of 100, two places. What did not occur is not weighed, neither for the unit nor against it."""
        weights = next(one.weights for one in FORMULAS if one.version == self.version)
        weighed = sum(weights[measure] for measure in self.rates)
        reached = sum(Fraction(weights[one] * rate.good, rate.all) for one, rate in self.rates.items())
        hundredths = int(reached * 10_000 / weighed)
        return f"{hundredths // 100}.{hundredths % 100:02}"


(_DISPATCH, _PASS_DOWN, _GRANT, _REFUSE, _ACCEPT, _REPLY, _SIGNED, _SEND_BACK, _VISITED, _WARN) = (
    m.tag_of(kind)
    for kind in (
        m.Dispatch, m.PassDown, m.GrantReturn, m.RefuseReturn, m.Accept, m.Reply, m.CloseSigned, m.SendBack,
        m.Visited, m.Warn,
    )
)  # fmt: skip
MOVES_OF = {
    Measure.ACCEPTED: (_ACCEPT,),
    Measure.CLOSED: (_REPLY, _SIGNED),
    Measure.KEPT: (_DISPATCH, _PASS_DOWN, _GRANT, _REFUSE),
    Measure.SUBSTANTIAL: (_SEND_BACK, _VISITED),
    Measure.SATISFIED: (_VISITED,),
    Measure.SOLVED: (_VISITED,),
    Measure.CONTACTED: (_VISITED,),
}
"""The moves of which a rate consists; CLOSED also counts the deadlines that are `owed`."""
DEADLINE_MOVES = (_WARN, _REPLY, _SIGNED)
"""Those that decide what is `owed`."""


def owed(facts: Iterable[Fact]) -> Iterator[Mark]:
    """The marks for deadlines that passed without a reply to this day.

    The facts are of `DEADLINE_MOVES`, case by case, in each case in order.
    """
    for case_id, group in groupby(facts, lambda fact: fact.case_id):
        unit = ""
        for fact in group:
            if fact.move == _WARN and msgspec.json.decode(fact.body)["light"] == Light.OVERDUE:
                unit = fact.unit
            elif fact.move in (_REPLY, _SIGNED):
                unit = ""
        if unit:
            yield Mark(unit, Measure.CLOSED, case_id, False)


def told(alike: Iterable[tuple[Fact, int]]) -> Iterator[tuple[Mark, int]]:
    """The marks of facts, each with how often it occurred; those that are `owed` come beside them."""
    for fact, count in alike:
        for mark in _marks_of(fact):
            yield mark, count


def scores(found: Iterable[tuple[Mark, int]], formula: Formula) -> list[Score]:
    """Every unit that has any mark, the best first; the same marks give the same scores in whatever order.

    Each mark comes with how often it occurred; of which case it is does not matter here.
    """
    counted: dict[str, dict[Measure, list[int]]] = {}
    for mark, times in found:
        count = counted.setdefault(mark.unit, {}).setdefault(mark.measure, [0, 0])
        count[0] += times * mark.is_good
        count[1] += times
    made = [
        Score(
            unit=unit,
            version=formula.version,
            rates={one: Rate(*measures[one]) for one in Measure if one in measures},
        )
        for unit, measures in counted.items()
    ]
    return sorted(made, key=lambda one: (-float(one.points), one.unit))


def _marks_of(fact: Fact) -> Iterator[Mark]:
    unit, case_id = fact.unit, fact.case_id
    match fact.move:
        case m_ if m_ in (_DISPATCH, _PASS_DOWN, _GRANT):
            yield Mark(unit, Measure.KEPT, case_id, True)
        case m_ if m_ == _REFUSE:
            yield Mark(unit, Measure.KEPT, case_id, False)
        case m_ if m_ == _ACCEPT:
            yield Mark(unit, Measure.ACCEPTED, case_id, not fact.is_late)
        case m_ if m_ in (_REPLY, _SIGNED):
            yield Mark(unit, Measure.CLOSED, case_id, not fact.is_late)
        case m_ if m_ == _SEND_BACK:
            yield Mark(unit, Measure.SUBSTANTIAL, case_id, False)
        case m_ if m_ == _VISITED:
            yield from _visit_marks(fact, msgspec.json.decode(fact.body))


def _visit_marks(fact: Fact, visited: dict[str, Any]) -> Iterator[Mark]:
    is_satisfied = Satisfaction(visited["satisfaction"]).is_satisfied
    for measure, is_good in (
        (Measure.SUBSTANTIAL, is_satisfied),
        (Measure.SATISFIED, is_satisfied),
        (Measure.SOLVED, visited["is_solved"]),
        (Measure.CONTACTED, visited["is_in_time"]),
    ):
        yield Mark(fact.unit, measure, fact.case_id, is_good)
