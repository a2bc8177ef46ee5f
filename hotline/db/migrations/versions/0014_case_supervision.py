"""Supervision of cases and the clock's work on them; the kind becomes a column that lists are asked by."""

from __future__ import annotations

import json

import sqlalchemy as sa
from alembic import op

revision = "0014"
down_revision = "0013"


def upgrade() -> None:
    zero = sa.text("0")
    for column in (
        sa.Column("kind", sa.String(8), nullable=False, server_default=""),
        sa.Column("wake_us", sa.BigInteger(), nullable=False, server_default=zero),
        sa.Column("level", sa.String(8), nullable=False, server_default=""),
        sa.Column("trigger", sa.String(16), nullable=False, server_default=""),
        sa.Column("answer_due_us", sa.BigInteger(), nullable=False, server_default=zero),
    ):
        op.add_column("cases", column)
    carry_over()
    op.create_index("ix_cases_wake_us", "cases", ["wake_us"])
    op.create_index("ix_cases_level_answer_due_us", "cases", ["level", "answer_due_us"])
    op.create_index("ix_cases_unit_created_us", "cases", ["unit", "created_us"])
    op.create_index(
        "ix_case_moves_supervision",
        "case_moves",
        ["id"],
        sqlite_where=sa.text("move IN ('supervise', 'discharge')"),
        postgresql_where=sa.text("move IN ('supervise', 'discharge')"),
    )


def carry_over() -> None:
    """The kind stood in `progress`; the clock looks once at every case that a unit has."""
    connection = op.get_bind()
    for id_, progress in connection.execute(sa.text("SELECT id, progress FROM cases")).all():
        connection.execute(
            sa.text("UPDATE cases SET kind = :kind WHERE id = :id"),
            {"kind": json.loads(progress).get("kind", "求助"), "id": id_},
        )
    connection.execute(
        sa.text(
            "UPDATE cases SET wake_us = 1 WHERE due_us > 0 AND state IN ('dispatched', 'accepted', 'working')"
        )
    )
