"""Units keep their former names and may be closed; who changed a unit or a matter, from when on, is kept."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0025"
down_revision = "0024"


def upgrade() -> None:
    op.add_column("units", sa.Column("former", sa.Text(), nullable=False, server_default=""))
    no = sa.text("false")
    op.add_column("units", sa.Column("is_closed", sa.Boolean(), nullable=False, server_default=no))
    op.create_table(
        "register_edits",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("subject", sa.String(40), nullable=False),
        sa.Column("from_us", sa.BigInteger(), nullable=False),
        sa.Column("before", sa.Text(), nullable=False),
        sa.Column("after", sa.Text(), nullable=False),
        sa.Column("person", sa.String(16), nullable=False),
        sa.Column("at_us", sa.BigInteger(), nullable=False),
        sa.Column("why", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_register_edits"),
    )
    op.create_index("ix_register_edits_subject_from_us", "register_edits", ["subject", "from_us"])
