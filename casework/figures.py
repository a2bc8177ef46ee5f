"""Owns the figures of cases (统计): how many by kind, matter, unit, place and time, and their rates. Pure.

One way of counting for all: the cases taken in during the window, as they stand now. Each number is a list of
cases that can be opened, and each rate says how many of how many.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from enum import StrEnum

import msgspec

from casework.organisation import Tree, ground_name
from casework.scoring import Mark, Measure, Rate
from casework.words import AT_UNIT, FINISHED, PLATFORM, CaseState
from hotline.local_time import local

NONE = "未填"


class By(StrEnum):
    """What cases are grouped by."""

    KIND = "诉求类型"
    TOPIC = "事项"
    UNIT = "承办单位"
    PLACE = "地点"
    DAY = "受理日期"
    HOUR = "受理钟点"


class Count(StrEnum):
    """What is counted of a group."""

    TAKEN_IN = "受理"
    CLOSED = "办结"
    OPEN = "在办"
    OVERDUE = "逾期"
    SUPERVISED = "督办中"
    URGED = "被催办"


RATES = (Measure.CLOSED, Measure.SUBSTANTIAL, Measure.SATISFIED, Measure.SOLVED)
"""The rates of a group, as scores count them."""
FORMULAS = {
    Measure.CLOSED: "期限内的反馈 ÷（反馈 + 到期未反馈）",
    Measure.SUBSTANTIAL: "未被发回重办的反馈 ÷ 反馈",
    Measure.SATISFIED: "基本满意以上 ÷ 回访到的",
    Measure.SOLVED: "市民认为已解决 ÷ 回访到的",
}


class Taken(msgspec.Struct, frozen=True, gc=False):
    """What of a case counts."""

    id: str
    kind: str
    topic: str
    unit: str
    place: str
    created_us: int
    state: str
    due_us: int
    urged: int
    level: str


class Group(msgspec.Struct, frozen=True):
    """One line of figures: its name, its counts, its rates; and the cases behind each."""

    name: str
    counts: dict[Count, list[str]]
    marks: dict[Measure, list[Mark]]

    def number(self, count: Count) -> int:
        """How many."""
        return len(self.counts.get(count, ()))

    def rate(self, measure: Measure) -> Rate | None:
        """Good of all; None when there is nothing to rate."""
        found = self.marks.get(measure, [])
        return Rate(sum(mark.is_good for mark in found), len(found)) if found else None

    def behind(self, name: str) -> list[str]:
        """The ids of the cases behind a count, or behind a rate, those that count against it first."""
        if name in Count.__members__:
            return self.counts.get(Count[name], [])
        if name in Measure.__members__:
            found = sorted(self.marks.get(Measure[name], []), key=lambda mark: mark.is_good)
            return list(dict.fromkeys(mark.case_id for mark in found))
        return []


def grouped(cases: Iterable[Taken], found: Iterable[Mark], by: By, tree: Tree, now_us: int) -> list[Group]:
    """The groups; by time in its order, else the largest first."""
    key = _key(by, tree)
    groups: dict[str, Group] = {}
    home: dict[str, Group] = {}
    for case in cases:
        name = key(case) or NONE
        group = groups.setdefault(name, Group(name, {}, {}))
        home[case.id] = group
        for count in _counts_of(case, now_us):
            group.counts.setdefault(count, []).append(case.id)
    for mark in found:
        if mark.case_id in home:
            home[mark.case_id].marks.setdefault(mark.measure, []).append(mark)
    if by in (By.DAY, By.HOUR):
        return sorted(groups.values(), key=lambda group: group.name)
    return sorted(groups.values(), key=lambda group: (-group.number(Count.TAKEN_IN), group.name))


def total(groups: Iterable[Group]) -> Group:
    """All of them together."""
    whole = Group("合计", {}, {})
    for group in groups:
        _join(whole.counts, group.counts)
        _join(whole.marks, group.marks)
    return whole


def _join(into: dict, more: Mapping) -> None:  # type: ignore[type-arg]
    for name, values in more.items():
        into.setdefault(name, []).extend(values)


def _counts_of(case: Taken, now_us: int) -> Iterable[Count]:
    state = CaseState(case.state)
    yield Count.TAKEN_IN
    yield Count.CLOSED if state in FINISHED else Count.OPEN
    if state in AT_UNIT and 0 < case.due_us <= now_us:
        yield Count.OVERDUE
    if case.level:
        yield Count.SUPERVISED
    if case.urged:
        yield Count.URGED


def _key(by: By, tree: Tree) -> Callable[[Taken], str]:
    match by:
        case By.KIND:
            return lambda case: case.kind
        case By.TOPIC:
            return lambda case: case.topic
        case By.UNIT:
            return _remembered(lambda case: case.unit, lambda name: _first_tier(tree, name))
        case By.PLACE:
            return _remembered(lambda case: case.place, lambda place: _county(tree, place))
        case By.DAY:
            return lambda case: f"{local(case.created_us):%Y-%m-%d}"
        case By.HOUR:
            return lambda case: f"{local(case.created_us):%H}:00"


def _remembered(of: Callable[[Taken], str], ask: Callable[[str], str]) -> Callable[[Taken], str]:
    """Each unit and each place is looked for in the tree once."""
    known: dict[str, str] = {}

    def answer(case: Taken) -> str:
        value = of(case)
        if value not in known:
            known[value] = ask(value)
        return known[value]

    return answer


def _first_tier(tree: Tree, name: str) -> str:
    """The unit right below the platform under which it stands."""
    unit = tree.named(name)
    return tree.chain(unit)[1] if unit is not None else name or PLATFORM


def _county(tree: Tree, place: str) -> str:
    """On whose ground of the first tier the place lies."""
    ground = tree.ground(place)
    first = tree.named(tree.chain(ground)[1]) if ground is not None else None
    return ground_name(first) if first is not None else ("其他" if place else "")
