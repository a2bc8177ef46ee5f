"""The history of a case is found by its place in it; an index of the case alone only cost time."""

from __future__ import annotations

from alembic import op

revision = "0025"
down_revision = "0018"


def upgrade() -> None:
    op.drop_index("ix_case_moves_case_id", "case_moves")
