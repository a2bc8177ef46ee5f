"""Owns an invented year of cases (仿真数据): when they come, what they are about, what becomes of each.

Every case is moved by the same rules as a real one, so that history, deadlines and scores are true.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from datetime import date, timedelta
from functools import cache
from itertools import accumulate
from typing import TypeVar

import msgspec

from casework import moves as m
from casework.case import Case, case_number, step
from casework.catalogue import Matter
from casework.deadlines import Calendar, Light
from casework.history import Entry, entry_of, opening
from casework.moves import Actor, Move
from casework.organisation import Tree, ground_name
from casework.supervision import SYSTEM, Crowd, begun
from casework.words import Kind, Part, Satisfaction
from hotline import ids
from hotline.directory import Unit, UnitKind
from hotline.local_time import SECOND_US, day_start_us

T = TypeVar("T")
DAYS = 365
_MINUTE_US, _HOUR_US = 60 * SECOND_US, 3600 * SECOND_US
_HOURS = (1, 1, 1, 1, 1, 2, 4, 9, 20, 24, 22, 18, 12, 14, 20, 22, 20, 16, 12, 10, 8, 6, 3, 2)
"""How many call in each hour of the day."""
_WINTER, _SUMMER = frozenset({11, 12, 1, 2, 3}), frozenset({6, 7, 8})
_SEASONS = {
    "供热": (_WINTER, 12), "供电": (_SUMMER, 4), "排水": (_SUMMER, 5), "供水": (_SUMMER, 2),
    "城市管理": (_SUMMER, 2), "林业": (frozenset({3, 4}), 3), "教育": (frozenset({7, 8}), 3),
}  # fmt: skip
_KINDS = (
    (Kind.HELP, 36), (Kind.CONSULTATION, 24), (Kind.COMPLAINT, 25), (Kind.REPORT, 5), (Kind.SUGGESTION, 8),
    (Kind.PRAISE, 2),
)  # fmt: skip
_GRADES = (
    (Satisfaction.VERY_GOOD, 50), (Satisfaction.GOOD, 33), (Satisfaction.FAIR, 9), (Satisfaction.BAD, 5),
    (Satisfaction.VERY_BAD, 3),
)  # fmt: skip
_AGENTS = 131
_DISPATCHER, _REVIEWER = Actor("8101", Part.DISPATCHER), Actor("8201", Part.REVIEWER)
_VISITOR, _SUPERVISOR = Actor("8301", Part.VISITOR), Actor("8401", Part.SUPERVISOR)


class Life(msgspec.Struct, frozen=True):
    """An invented case as it stands at the end, and how it came there."""

    case: Case
    entries: list[Entry]


def days_of(count: int, last: date) -> list[tuple[date, int]]:
    """How many of `count` cases come on each day of the year up to `last`: fewer at weekends."""
    days = [last - timedelta(days=DAYS - 1 - n) for n in range(DAYS)]
    weights = [_weight(day) for day in days]
    bounds = [count * sum_ // sum(weights) for sum_ in accumulate(weights)]
    return [(day, bound - before) for day, bound, before in zip(days, bounds, [0, *bounds[:-1]], strict=True)]


class City:
    """What invented cases are made from."""

    def __init__(self, units: tuple[Unit, ...], matters: tuple[Matter, ...], node: str) -> None:
        self.tree = Tree(units)
        self.matters = matters
        self.node = node
        self.handlers = {unit.name: Actor(f"{8501 + n}", Part.UNIT, unit.name) for n, unit in _working(units)}
        self.villages = [unit for unit in units if unit.kind is UnitKind.VILLAGE]
        self._weights: dict[int, list[int]] = {}

    def day(self, day: date, count: int, first: int, now_us: int, calendar: Calendar) -> Iterator[Life]:
        """The cases of one day, numbered from `first`, as they stand at `now_us`; the same each time."""
        chance = random.Random(f"{day} {first}")  # noqa: S311  # invented cases, nothing secret
        start_us = day_start_us(day)
        hours = chance.choices(range(24), _HOURS, k=count)
        times = sorted(start_us + hour * _HOUR_US + chance.randrange(_HOUR_US) for hour in hours)
        for n, at_us in enumerate(times, start=first):
            if at_us >= now_us:
                return
            yield self._live(chance, f"{day:%Y%m%d}", n, at_us, now_us, calendar)

    def _live(
        self, chance: random.Random, day: str, n: int, at_us: int, now_us: int, calendar: Calendar
    ) -> Life:
        matter = chance.choices(self.matters, self._season(int(day[4:6])))[0]
        village = chance.choice(self.villages)
        place = "".join(ground_name(unit) for unit in self._ways(village))
        kind = _pick(chance, _KINDS)
        agent = Actor(f"{1001 + chance.randrange(_AGENTS)}", Part.AGENT)
        case = Case(
            id=ids.make(self.node, at_us, chance.randbytes(ids.RANDOM_BYTES)),
            number=case_number(day, n),
            citizen=f"+861380538{chance.randrange(10_000):04}",
            title=f"{village.name.removesuffix('居委会')}{matter.name}",
            text=f"市民反映{place}{'、'.join(matter.keywords)}，希望尽快处理。",
            unit="",
            conversation="",
            created_us=at_us,
            kind=kind,
            topic=matter.name,
            place=place[:60],
            is_secret=chance.random() < 0.01,
        )
        entries = [opening(case, agent.number)]
        for gap_us, move in self._moves(chance, case, matter, village, agent):
            at_us += gap_us
            if at_us >= now_us:
                break
            after = step(case, move, at_us, calendar)
            if isinstance(after, Case):
                entries.append(entry_of(case, move, after, len(entries) + 1, at_us))
                case = after
            watch = begun(case, Crowd())
            if watch is not None and isinstance(watched := step(case, watch, at_us, calendar), Case):
                entries.append(entry_of(case, watch, watched, len(entries) + 1, at_us))
                case = watched
        return Life(case, entries)

    def _moves(
        self, chance: random.Random, case: Case, matter: Matter, village: Unit, agent: Actor
    ) -> Iterator[tuple[int, Move]]:
        """Each move with the time since the one before."""
        if case.kind is Kind.PRAISE or (case.kind is Kind.CONSULTATION and chance.random() < 0.7):
            yield 5 * _MINUTE_US, m.Answer(actor=agent, reason=f"已按知识库解答“{matter.name}”。")
            return
        unit = self.tree.unit(matter.unit)
        if matter.is_local or unit is None:
            unit = self.tree.named(self.tree.chain(village)[1])
        if unit is None:
            return
        worker = self.handlers[unit.name]
        profile = matter.profile
        dispatch = m.Dispatch(actor=_DISPATCHER, reason="归口管理、属地优先", unit=unit.name, profile=profile)
        yield chance.randrange(2, 40) * _MINUTE_US, dispatch
        yield chance.randrange(1, 8) * _HOUR_US // 2, m.Accept(actor=worker, reason="已签收")
        if chance.random() < 0.06:
            yield _HOUR_US, m.Urge(actor=agent, reason="市民再次来电询问进度")
        yield from self._works(chance, worker)
        if chance.random() < 0.03:
            yield _HOUR_US, m.SendBack(actor=_REVIEWER, reason="答复空泛，请写明处理措施")
            yield from self._works(chance, worker)
        yield _HOUR_US, m.PassReview(actor=_REVIEWER, reason="答复具体，审核达标")
        grade = _pick(chance, _GRADES)
        yield chance.randrange(1, 20) * _HOUR_US, self._heard(grade, chance.random() < 0.95)
        if not grade.is_satisfied:
            yield from self._works(chance, worker)
            yield _HOUR_US, m.PassReview(actor=_REVIEWER, reason="答复具体，审核达标")
            yield 5 * _HOUR_US, self._heard(Satisfaction.GOOD, True)
        yield _MINUTE_US, m.Close(actor=_VISITOR, reason="回访完毕")
        yield _HOUR_US, m.Discharge(actor=_SUPERVISOR, reason="已办结，销号")
        yield 72 * _HOUR_US, m.Archive(actor=_DISPATCHER, reason="办理完毕")

    @staticmethod
    def _works(chance: random.Random, worker: Actor) -> Iterator[tuple[int, Move]]:
        yield chance.randrange(1, 6) * _HOUR_US, m.Start(actor=worker, reason="已安排人员办理")
        if chance.random() < 0.06:  # as late as it takes, and then the clock has said so
            warn = m.Warn(actor=SYSTEM, reason="时限逾期", light=Light.OVERDUE)
            yield 15 * 24 * _HOUR_US, warn
        reason = "经现场核实，问题已处理，市民表示认可。"
        yield chance.randrange(1, 10) * _HOUR_US, m.Reply(actor=worker, reason=reason, is_citizen_told=True)

    @staticmethod
    def _heard(grade: Satisfaction, is_in_time: bool) -> Move:
        is_good = grade.is_satisfied
        return m.Visited(
            actor=_VISITOR,
            reason="问题已解决" if is_good else "问题没有解决",
            is_solved=is_good,
            satisfaction=grade,
            is_in_time=is_in_time,
        )

    def _ways(self, village: Unit) -> Iterator[Unit]:
        for name in self.tree.chain(village)[1:2]:
            if (unit := self.tree.named(name)) is not None:
                yield unit
        yield village

    def _season(self, month: int) -> list[int]:
        if month not in self._weights:
            self._weights[month] = [_season_weight(matter.category, month) for matter in self.matters]
        return self._weights[month]


def _working(units: tuple[Unit, ...]) -> Iterator[tuple[int, Unit]]:
    return enumerate(unit for unit in units if unit.kind is not UnitKind.EMERGENCY)


@cache
def _season_weight(category: str, month: int) -> int:
    months, times = _SEASONS.get(category, (frozenset[int](), 1))
    return times if month in months else 1


def _weight(day: date) -> int:
    return (6 if day.weekday() >= 5 else 10) * (13 if day.month in _WINTER | _SUMMER else 10)


def _pick(chance: random.Random, weighed: tuple[tuple[T, int], ...]) -> T:
    return chance.choices([one for one, _ in weighed], [weight for _, weight in weighed])[0]
