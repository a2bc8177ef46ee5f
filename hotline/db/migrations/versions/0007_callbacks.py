"""Who asked to be called back without losing their place in line, and what became of it."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"


def upgrade() -> None:
    op.create_table(
        "callbacks",
        sa.Column("conversation", sa.String(80), nullable=False),
        sa.Column("node", sa.String(31), nullable=False),
        sa.Column("queue", sa.String(40), nullable=False),
        sa.Column("since_us", sa.BigInteger(), nullable=False),
        sa.Column("asked_us", sa.BigInteger(), nullable=False),
        sa.Column("closed_us", sa.BigInteger(), nullable=False),
        sa.Column("state", sa.String(24), nullable=False),
        sa.Column("tries", sa.Integer(), nullable=False),
        sa.Column("call", sa.String(80), nullable=False),
        sa.Column("seat", sa.String(16), nullable=False),
        sa.Column("agent", sa.String(16), nullable=False),
        sa.Column("person", sa.String(16), nullable=False),
        sa.ForeignKeyConstraint(
            ["conversation"], ["calls.conversation"], name="fk_callbacks_conversation_calls"
        ),
        sa.PrimaryKeyConstraint("conversation", name="pk_callbacks"),
    )
    op.create_index("ix_callbacks_node_asked_us", "callbacks", ["node", "asked_us"])
    op.create_index("ix_callbacks_state", "callbacks", ["state"])
