"""Owns what a unit and a matter of the catalogue may become (组织和派单目录的变更). Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from enum import StrEnum

from casework.case import NAME_LIMIT, TIERS
from casework.catalogue import Matter
from casework.organisation import Tree
from hotline.directory import Unit


class EditRefusal(StrEnum):
    """Why a change is not possible; the text is for the administrator."""

    NO_WHY = "请填写变更原因"
    NO_NAME = "请填写名称，不超过 60 字"
    NAME_TAKEN = "这个名称已是别的单位的现名或曾用名"
    NO_PARENT = "没有这个上级单位，或上级已停用"
    CIRCLE = "不能移到自己或自己的下级之下"
    TOO_DEEP = "移动后超过四级"
    HAS_BELOW = "还有未停用的下级单位，请先移走或停用"
    HAS_MATTERS = "派单目录里还有由它负责的事项，请先改派"
    NO_UNIT = "请选择未停用的负责单位"
    MATTER_TAKEN = "目录里已有同名事项"
    NO_CATEGORY = "请填写类别，不超过 30 字"
    UNCHANGED = "没有改动"
    NOT_LAST = "之后又有变更，只能撤销最近一次"
    FIRST = "新增的单位不能撤销，请停用"


def check_unit(units: Sequence[Unit], matters: Iterable[Matter], new: Unit) -> EditRefusal | None:
    """Why the unit cannot be as `new` says, among these units and with these matters; None when it can."""
    others = [unit for unit in units if unit.id != new.id]
    if not new.name.strip() or len(new.name) > NAME_LIMIT:
        return EditRefusal.NO_NAME
    if any(new.name in (unit.name, *unit.former) for unit in others):
        return EditRefusal.NAME_TAKEN
    if new.parent and not any(unit.id == new.parent and not unit.is_closed for unit in others):
        return EditRefusal.CIRCLE if new.parent == new.id else EditRefusal.NO_PARENT
    if (refusal := _check_place(others, new)) is not None:
        return refusal
    if new.is_closed and any(unit.parent == new.id and not unit.is_closed for unit in others):
        return EditRefusal.HAS_BELOW
    if new.is_closed and any(matter.unit == new.id for matter in matters):
        return EditRefusal.HAS_MATTERS
    return None


def check_matter(tree: Tree, matters: Iterable[Matter], new: Matter) -> EditRefusal | None:
    """Why the matter cannot be as `new` says; None when it can."""
    if not new.name.strip() or len(new.name) > NAME_LIMIT:
        return EditRefusal.NO_NAME
    if not new.category.strip() or len(new.category) > NAME_LIMIT // 2:
        return EditRefusal.NO_CATEGORY
    if any(one.name == new.name and one.id != new.id for one in matters):
        return EditRefusal.MATTER_TAKEN
    named = (new.unit, *new.assisting)
    return None if all(tree.open_unit(id_) for id_ in named) else EditRefusal.NO_UNIT


def _check_place(others: list[Unit], new: Unit) -> EditRefusal | None:
    """Four tiers with the platform, wherever the unit is moved with all that lies below it."""
    by_id = {unit.id: unit for unit in others} | {new.id: new}
    for unit in by_id.values():
        seen = [unit.id]
        while (unit := by_id.get(unit.parent, unit)).id != seen[-1]:
            if unit.id in seen:
                return EditRefusal.CIRCLE
            seen.append(unit.id)
        if new.id in seen and len(seen) >= TIERS:
            return EditRefusal.TOO_DEEP
    return None
