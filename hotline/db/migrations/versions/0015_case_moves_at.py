"""The histories of cases are read by period, for scores."""

from __future__ import annotations

from alembic import op

revision = "0015"
down_revision = "0014"


def upgrade() -> None:
    op.create_index("ix_case_moves_at_us", "case_moves", ["at_us"])
