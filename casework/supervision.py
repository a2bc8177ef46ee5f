"""Owns when supervision (督办) starts by itself: the documents' rules, and the level of each. Pure."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from casework.case import Case, cause_of
from casework.deadlines import Light
from casework.moves import JINAN, REFORM, TAIAN, Actor, Supervise
from casework.words import AT_UNIT, PLATFORM, Kind, Level, Part, Trigger

SYSTEM = Actor("system", Part.SUPERVISOR, PLATFORM)
"""Who acts where a rule does."""
TWICE, THRICE, MANY = 2, 3, 10
DAYS = 30
"""How far back people with the same matter, or against the same unit, are counted; the house's own."""


class Cause(msgspec.Struct, frozen=True):
    """What a trigger leads to, and the sentence that it comes from."""

    level: Level
    text: str


CAUSES = {
    Trigger.OVERDUE: Cause(Level.INTERNAL, f"对未按时办结的事项，建立督办台账（{TAIAN}五（二）2）"),
    Trigger.UNSATISFIED: Cause(Level.INTERNAL, f"多次办理不满意的事项，内部督办（{TAIAN}五（二）2）"),
    Trigger.SENT_AGAIN: Cause(Level.INTERNAL, f"重复交办3次以上工单即进入重点督办环节（{REFORM}二）"),
    Trigger.MANY_ALIKE: Cause(Level.ESCALATED, f"同一事项10人次以上集中投诉，提级联合督办（{REFORM}二）"),
    Trigger.MANY_AGAINST: Cause(Level.ESCALATED, f"同一单位10人次以上投诉，提级联合督办（{REFORM}二）"),
    Trigger.PRESSED: Cause(Level.DISCIPLINE, f"催办、退办累计3次以上仍不办理，责任追究（{JINAN}四（五））"),
}


class Crowd(msgspec.Struct, frozen=True):
    """How many people in the last DAYS days have the same matter, or complain about the same unit."""

    alike: int = 0
    against: int = 0


def begun(case: Case, crowd: Crowd) -> Supervise | None:
    """The supervision that starts now by rule, at the highest level that is due; None for none."""
    due = [
        trigger
        for trigger in _met(case, crowd)
        if cause_of(case, trigger) not in case.triggers and _is_higher(case, CAUSES[trigger].level)
    ]
    if not due:
        return None
    trigger = max(due, key=lambda one: CAUSES[one].level.rank)
    cause = CAUSES[trigger]
    return Supervise(actor=SYSTEM, reason=cause.text, level=cause.level, trigger=trigger)


def _met(case: Case, crowd: Crowd) -> Iterator[Trigger]:
    if case.warned is Light.OVERDUE and case.warned_due_us == case.due_us:
        yield Trigger.OVERDUE
    if case.unsatisfied >= TWICE:
        yield Trigger.UNSATISFIED
    if case.sent >= THRICE:
        yield Trigger.SENT_AGAIN
    if crowd.alike >= MANY:
        yield Trigger.MANY_ALIKE
    if crowd.against >= MANY and case.kind is Kind.COMPLAINT:
        yield Trigger.MANY_AGAINST
    if case.urged + case.returned >= THRICE and case.state in AT_UNIT:
        yield Trigger.PRESSED


def _is_higher(case: Case, level: Level) -> bool:
    return case.supervision is None or level.rank > case.supervision.level.rank
