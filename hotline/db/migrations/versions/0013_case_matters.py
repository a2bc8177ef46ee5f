"""The responsibility catalogue of cases."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0012"


def upgrade() -> None:
    op.create_table(
        "case_matters",
        sa.Column("id", sa.String(31), nullable=False),
        sa.Column("name", sa.String(60), nullable=False),
        sa.Column("category", sa.String(30), nullable=False),
        sa.Column("unit", sa.String(31), nullable=False),
        sa.Column("keywords", sa.JSON(), nullable=False),
        sa.Column("assisting", sa.JSON(), nullable=False),
        sa.Column("profile", sa.String(16), nullable=False),
        sa.Column("is_local", sa.Boolean(), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_case_matters"),
        sa.UniqueConstraint("name", name="uq_case_matters_name"),
    )
