"""The daily counts of cases."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0026"
down_revision = "0025"

_COUNTS = (
    "taken_in", "closed", "replied", "in_time", "visited", "satisfied", "solved", "urged", "supervised",
)  # fmt: skip


def upgrade() -> None:
    op.create_table(
        "case_days",
        sa.Column("day", sa.String(10), nullable=False),
        sa.Column("at_us", sa.BigInteger(), nullable=False),
        *(sa.Column(name, sa.Integer(), nullable=False) for name in _COUNTS),
        sa.PrimaryKeyConstraint("day", name="pk_case_days"),
    )
