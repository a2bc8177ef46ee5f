"""Owns how a case looks on pages: words, lights, time line. What may be shown is decided elsewhere."""

from __future__ import annotations

from collections.abc import Mapping

from casework.calendar import china
from casework.case import Case
from casework.deadlines import Light, NoCalendarYear, weekdays
from casework.history import OPEN, Entry
from casework.lights import light_of
from casework.moves import LABELS, tag_of
from casework.words import CaseState
from hotline.local_time import date_time, local
from hotline.numbers import mask

_LOOKS = {Light.GREEN: "s-ready", Light.AMBER: "s-ring", Light.RED: "s-alarm", Light.OVERDUE: "s-alarm"}
_MARKS = {Light.GREEN: "●", Light.AMBER: "▲", Light.RED: "◆", Light.OVERDUE: "■"}
_LABELS = {OPEN: "受理"} | {tag_of(kind): label for kind, label in LABELS.items()}


def lamp(case: Case, now_us: int) -> dict[str, str] | None:
    """The case's light by colour, shape and word; None when nobody's time runs."""
    try:
        light = light_of(case, now_us, china())
    except NoCalendarYear:
        years = (local(case.created_us).year, local(case.due_us).year + 1)
        light = light_of(case, now_us, weekdays(*years))
    if light is None:
        return None
    return {"look": _LOOKS[light], "mark": _MARKS[light], "word": light.label}


def line(case: Case, now_us: int) -> dict[str, object]:
    """A case as a list shows it."""
    return {
        "id": case.id,
        "number": case.number,
        "title": case.title,
        "kind": case.kind.value,
        "state": case.state.label,
        "unit": case.unit,
        "place": case.place,
        "created": date_time(case.created_us)[:16],
        "due": date_time(case.due_us)[:16] if case.due_us else "",
        "lamp": lamp(case, now_us),
        "asked": "" if case.asked is None else "申请退回" if case.asked.is_return else "申请延期",
        "urged": case.urged,
        "visit_due": date_time(case.visit_due_us)[:16] if case.visit_due_us else "",
        "supervision": case.supervision.level.value if case.supervision else "",
        "answer_due": date_time(case.supervision.due_us)[:16] if case.supervision else "",
        "trigger": case.supervision.trigger.value if case.supervision else "",
    }


def whole(case: Case, now_us: int) -> dict[str, object]:
    """A case as its own page shows it. The citizen's number is masked."""
    return line(case, now_us) | {
        "text": case.text,
        "topic": case.topic,
        "profile": case.profile.label if case.due_us else "",
        "chain": case.chain,
        "assisting": case.assisting,
        "is_first_assigned": case.is_first_assigned,
        "is_secret": case.is_secret,
        "citizen": mask(case.citizen) if case.citizen else "",
        "conversation": case.conversation,
        "is_urgent_to_accept": case.state is CaseState.DISPATCHED,
        "accept_due": date_time(case.accept_due_us)[:16] if case.accept_due_us else "",
        "asked_due": date_time(case.asked.due_us)[:16] if case.asked and case.asked.due_us else "",
        "counts": [
            (word, count)
            for word, count in (
                ("催办", case.urged),
                ("退回", case.returned),
                ("重办", case.reworked),
                ("不满意", case.unsatisfied),
                ("未接通", len(case.attempts)),
            )
            if count
        ],
        "ending": case.ending.value,
        "closed": date_time(case.closed_us)[:16] if case.closed_us else "",
        "satisfaction": case.visited.satisfaction.label if case.visited else "",
    }


def move_label(tag: str) -> str:
    """What a move is called on pages, by its name in the history."""
    return _LABELS.get(tag, tag)


def time_line(entries: list[Entry], names: Mapping[str, str]) -> list[dict[str, object]]:
    """The history, newest first. `names`: number (工号) -> name."""
    return [
        {
            "time": date_time(entry.at_us),
            "label": move_label(entry.move),
            "actor": f"{names.get(entry.actor, '')} {entry.actor}".strip(),
            "reason": entry.reason,
            "rule": entry.rule,
            "state": entry.state.label,
            "unit": entry.unit,
            "is_late": entry.is_late,
        }
        for entry in reversed(entries)
    ]
