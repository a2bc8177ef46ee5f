"""Owns how a unit of the directory is shown beside a call: with whether it is open now."""

from __future__ import annotations

from casework.calendar import is_workday
from hotline.directory import Unit
from hotline.office_hours import form_zh, read, standing, standing_zh


def shown(unit: Unit, now_us: int) -> dict[str, object]:
    """What the page is told; `is_open` None and `changes_us` 0 when the unit's hours are not known."""
    listed: dict[str, object] = {
        "id": unit.id,
        "name": unit.name,
        "initials": unit.initials,
        "numbers": unit.numbers,
    }
    if not unit.office_hours:
        return {**listed, "hours": unit.office_remark, "standing": "", "is_open": None, "changes_us": 0}
    clauses = read(unit.office_hours)
    now = standing(clauses, now_us, is_workday)
    return {
        **listed,
        "hours": "，".join(filter(None, (form_zh(clauses), unit.office_remark))),
        "standing": standing_zh(now, now_us),
        "is_open": now.is_open,
        "changes_us": now.changes_us,
    }
