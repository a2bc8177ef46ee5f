"""Who supervised whom, when and why."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    op.create_table(
        "supervisions",
        sa.Column("event_id", sa.String(80), nullable=False),
        sa.Column("node", sa.String(31), nullable=False),
        sa.Column("at_us", sa.BigInteger(), nullable=False),
        sa.Column("until_us", sa.BigInteger(), nullable=False),
        sa.Column("person", sa.String(16), nullable=False),
        sa.Column("what", sa.String(24), nullable=False),
        sa.Column("conversation", sa.String(80), nullable=False),
        sa.Column("seat", sa.String(16), nullable=False),
        sa.Column("agent", sa.String(16), nullable=False),
        sa.Column("detail", sa.Text(), nullable=False),
        sa.Column("why", sa.Text(), nullable=False),
        sa.Column("leg", sa.String(100), nullable=False),
        sa.PrimaryKeyConstraint("event_id", name="pk_supervisions"),
    )
    op.create_index("ix_supervisions_seat_at_us", "supervisions", ["seat", "at_us"])
    op.create_index("ix_supervisions_person_at_us", "supervisions", ["person", "at_us"])
    op.create_index("ix_supervisions_node_leg", "supervisions", ["node", "leg"])
    op.create_index("ix_supervisions_conversation", "supervisions", ["conversation"])
