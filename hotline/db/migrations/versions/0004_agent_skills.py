"""Which queues an agent serves, and with which penalty."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    op.create_table(
        "agent_skills",
        sa.Column("person", sa.String(16), nullable=False),
        sa.Column("queue", sa.String(16), nullable=False),
        sa.Column("penalty", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("person", "queue", name="pk_agent_skills"),
        sa.ForeignKeyConstraint(["person"], ["people.number"], name="fk_agent_skills_person"),
    )
