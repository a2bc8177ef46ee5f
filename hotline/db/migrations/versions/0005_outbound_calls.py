"""Calls that agents make, and seats that are called into a conversation."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    for table, column in (
        ("calls", sa.Column("is_outbound", sa.Boolean(), nullable=False, server_default=sa.text("false"))),
        ("calls", sa.Column("about", sa.String(80), nullable=False, server_default="")),
        ("third_party_attempts", sa.Column("called_seat", sa.String(16), nullable=False, server_default="")),
    ):
        op.add_column(table, column)
        with op.batch_alter_table(table) as changed:
            changed.alter_column(column.name, server_default=None)
