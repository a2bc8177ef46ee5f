"""How the hotline stands towards its callers: its mode, its announcements, nuisance callers."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"


def upgrade() -> None:
    op.create_table(
        "ivr_switches",
        sa.Column("name", sa.String(80), nullable=False),
        sa.Column("value", sa.String(40), nullable=False),
        sa.PrimaryKeyConstraint("name", name="pk_ivr_switches"),
    )
    op.create_table(
        "ivr_announcements",
        sa.Column("id", sa.String(80), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("queue", sa.String(40), nullable=False),
        sa.Column("from_us", sa.BigInteger(), nullable=False),
        sa.Column("until_us", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_ivr_announcements"),
    )
    op.create_table(
        "ivr_restricted",
        sa.Column("citizen", sa.String(80), nullable=False),
        sa.Column("until_us", sa.BigInteger(), nullable=False),
        sa.Column("why", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("citizen", name="pk_ivr_restricted"),
    )
