"""Other systems: their tokens, and what they were answered under a key of theirs."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0022"
down_revision = "0021"


def upgrade() -> None:
    op.create_table(
        "system_tokens",
        sa.Column("id", sa.String(12), nullable=False),
        sa.Column("system", sa.String(16), nullable=False),
        sa.Column("hash", sa.String(64), nullable=False),
        sa.Column("rights", sa.JSON(), nullable=False),
        sa.Column("posts", sa.JSON(), nullable=False),
        sa.Column("per_minute", sa.Integer(), nullable=False),
        sa.Column("created_us", sa.BigInteger(), nullable=False),
        sa.Column("used_us", sa.BigInteger(), nullable=False),
        sa.Column("revoked_us", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_system_tokens"),
    )
    op.create_index("ix_system_tokens_system", "system_tokens", ["system"])
    op.create_table(
        "system_answers",
        sa.Column("system", sa.String(16), nullable=False),
        sa.Column("key", sa.String(128), nullable=False),
        sa.Column("fingerprint", sa.String(64), nullable=False),
        sa.Column("answer", sa.Text(), nullable=False),
        sa.Column("at_us", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("system", "key", name="pk_system_answers"),
    )
    op.create_index("ix_system_answers_at_us", "system_answers", ["at_us"])
