"""Owns how a filled-in form becomes a move: every value checked, units only from those that can be meant."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date, timedelta
from typing import Any

import msgspec
from multidict import MultiMapping

from casework import moves as m
from casework.case import Case
from casework.deadlines import ProfileName
from casework.moves import LABELS, Actor, Move
from casework.organisation import Tree
from casework.words import PLATFORM, Level, OutOfScope, Satisfaction
from hotline.directory import Unit
from hotline.local_time import day_start_us

Typed = MultiMapping[Any]

FIELDS: dict[str, str] = {
    "unit": "承办单位",
    "assisting": "协办单位",
    "profile": "办理时限",
    "is_first_assigned": "首办负责（权属不清，先办后议）",
    "ground": "不予受理的原因",
    "way": "向市民指明的办理途径",
    "suggestion": "建议由哪个单位办理",
    "days": "从收到工单起共需几个工作日",
    "is_citizen_told": "已将结果反馈市民",
    "is_explained": "未解决，已向市民解释说明",
    "is_sms": "短信回访",
    "is_solved": "问题已解决",
    "satisfaction": "满意度",
    "is_in_time": "联系及时",
    "master": "主工单编号",
    "level": "督办级别",
}
"""The fields of moves as pages name them."""
REASONS: dict[type[Move], str] = {
    m.Accept: "已签收",
    m.Start: "已安排人员办理",
    m.PassReview: "答复具体，审核达标",
    m.Close: "回访完毕",
    m.Archive: "办理完毕",
    m.Unreached: "无人接听",
}
"""What stands in the reason's field already."""
REASON_LABELS: dict[type[Move], str] = {m.Reply: "办理结果", m.Answer: "答复内容", m.Visited: "市民的说法"}
OPTIONS = {
    "profile": [(one.value, one.label) for one in ProfileName],
    "level": [(one.value, one.value) for one in Level],
    "ground": [(one.value, one.value) for one in OutOfScope],
    "satisfaction": [(str(int(one)), one.label) for one in reversed(Satisfaction)],
}
_FIRST: tuple[type[Move], ...] = (
    m.GrantReturn, m.RefuseReturn, m.GrantExtension, m.RefuseExtension, m.Dispatch, m.Accept, m.Reply,
    m.Start, m.PassReview, m.SendBack, m.Visited, m.Unreached, m.Close, m.Archive,
)  # fmt: skip
"""What a case mostly waits for; the rest comes behind, in the rules' order."""
_BY_SYSTEM = frozenset({m.Attach, m.CloseWithMaster, m.HandOver, m.Warn, m.Remind})


class BadForm(ValueError):
    """A value that no page of ours offers; the text is for the person who sent it."""


class Field(msgspec.Struct, frozen=True):
    """One field of a move's form. `shape`: how it is filled in."""

    name: str
    label: str
    shape: str
    options: list[tuple[str, str]] = []


class Offer(msgspec.Struct, frozen=True):
    """A move that the person can make now, with its form."""

    tag: str
    label: str
    reason_label: str
    reason: str
    fields: list[Field]


def is_offered(kind: type[Move]) -> bool:
    """Whether people make this move; some only follow from others."""
    return kind not in _BY_SYSTEM


def in_order(kinds: Iterable[type[Move]]) -> list[type[Move]]:
    """The moves as a page lists them, the likeliest first."""
    rank = {kind: place for place, kind in enumerate(_FIRST)}
    return sorted(kinds, key=lambda kind: rank.get(kind, len(rank)))


def targets(kind: type[Move], case: Case, tree: Tree) -> list[Unit]:
    """The units to which this move can send the case: one tier below who sends it."""
    if kind is m.Dispatch:
        return tree.below(PLATFORM)
    if kind is m.PassDown:
        return tree.below(case.chain[-1])
    if kind is m.GrantReturn:
        return [unit for unit in tree.below(case.chain[-2]) if unit.name not in case.chain]
    return []


def offer(kind: type[Move], case: Case, tree: Tree) -> Offer:
    """The form of a move."""
    names = [name for name in kind.__struct_fields__ if name in FIELDS]
    units = [(unit.id, unit.name) for unit in targets(kind, case, tree)]
    return Offer(
        tag=m.tag_of(kind),
        label=LABELS[kind],
        reason_label=REASON_LABELS.get(kind, "说明" if kind in REASONS else "原因"),
        reason=REASONS.get(kind, ""),
        fields=[_field(name, units) for name in names],
    )


def read(kind: type[Move], form: Typed, actor: Actor, case: Case, tree: Tree, master: str) -> Move:
    """The move that was filled in; BadForm when a value is none of those offered.

    `master` is the id of the case whose number stands in the form, "" when there is none.
    """
    values: dict[str, Any] = {"actor": actor, "reason": text(form, "reason").strip(), "move": m.tag_of(kind)}
    for name in kind.__struct_fields__:
        if name in FIELDS:
            values[name] = _value(name, form, kind, case, tree, master)
    try:
        move: Move = msgspec.convert(values, kind)
    except msgspec.ValidationError as error:
        raise BadForm("提交的内容有误，请刷新页面后重试") from error
    return move


def text(form: Typed, name: str) -> str:
    """A field's text; "" when it is missing. A file in its place is none."""
    value = form.get(name, "")
    return value if isinstance(value, str) else ""


def day_us(day: str, later: int) -> int:
    """When the day (2026-11-24) or one so many days later begins; 0 for none, BadForm for a wrong one."""
    if not day:
        return 0
    try:
        return day_start_us(date.fromisoformat(day) + timedelta(days=later))
    except (ValueError, OverflowError):
        raise BadForm("日期格式不对") from None


def _field(name: str, units: list[tuple[str, str]]) -> Field:
    label = FIELDS[name]
    if name.startswith("is_"):
        return Field(name, label, "check")
    if name == "unit":
        return Field(name, label, "select", units)
    if name == "assisting":
        return Field(name, label, "many", units)
    if name in OPTIONS:
        return Field(name, label, "select", OPTIONS[name])
    return Field(name, label, "number" if name == "days" else "text")


def _value(name: str, form: Typed, kind: type[Move], case: Case, tree: Tree, master: str) -> Any:
    given = text(form, name).strip()
    if name.startswith("is_"):
        return given != ""
    match name:
        case "unit":
            return _unit(given, kind, case, tree)
        case "assisting":
            return tuple(_unit(str(id_), kind, case, tree) for id_ in form.getall(name, []) if id_)
        case "days" | "satisfaction":
            if not (given.isascii() and given.isdigit() and len(given) < 4):
                raise BadForm(f"{FIELDS[name]}：请填写数字")
            return int(given)
        case "master":
            return master
        case _:
            return given


def _unit(id_: str, kind: type[Move], case: Case, tree: Tree) -> str:
    if not id_:
        return ""
    for unit in targets(kind, case, tree):
        if unit.id == id_:
            return unit.name
    raise BadForm("只能转给直接下级的承办单位，请从列表中选择")
