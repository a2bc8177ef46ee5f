"""Indexes for a year of a great city: what is open or asked for is a small part of it and has small indexes;
scores are counted from indexes alone; what another index covered is gone.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0020"
down_revision = "0019"

_GONE = {
    "cases": (
        "ix_cases_state_due_us", "ix_cases_unit_state_due_us", "ix_cases_above_asked",
        "ix_cases_level_answer_due_us", "ix_cases_unit_created_us", "ix_cases_wake_us",
    ),
    "case_moves": ("ix_case_moves_case_id", "ix_case_moves_at_us"),
}  # fmt: skip
_COUNTED = (
    "move IN ('dispatch', 'pass_down', 'grant_return', 'refuse_return', 'accept', 'reply', 'close_signed',"
    " 'send_back')"
)
_DEADLINES = "move IN ('warn', 'reply', 'close_signed')"
_MADE = (
    ("cases", "unit_created_us_id", "unit created_us id", ""),
    ("cases", "state_created_us_id", "state created_us id", ""),
    ("cases", "unit_state_created_us_id", "unit state created_us id", ""),
    ("cases", "open_by_state", "state due_us id", "closed_us = 0"),
    ("cases", "open_by_unit", "unit due_us id", "closed_us = 0"),
    ("cases", "asked", "above due_us id", "asked > ''"),
    ("cases", "supervised", "answer_due_us id", "level > ''"),
    ("cases", "watched", "wake_us", "wake_us > 0"),
    ("case_moves", "counted", "at_us move unit is_late", _COUNTED),
    ("case_moves", "visits", "at_us unit body", "move = 'visited'"),
    ("case_moves", "warnings", "at_us case_id", "move = 'warn'"),
    ("case_moves", "deadlines", "case_id seq", _DEADLINES),
)


def upgrade() -> None:
    for table, names in _GONE.items():
        for name in names:
            op.drop_index(name, table)
    for table, name, columns, only in _MADE:
        where = sa.text(only) if only else None
        op.create_index(
            f"ix_{table}_{name}", table, columns.split(), sqlite_where=where, postgresql_where=where
        )
