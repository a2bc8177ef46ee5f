"""The closed loop of a case: its progress, and a history that is chained and cannot be changed."""

from __future__ import annotations

import hashlib
import json

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"

PLATFORM = "12345热线平台"
_REPLACES = (
    " WHEN EXISTS (SELECT 1 FROM case_moves WHERE id = NEW.id OR (case_id, seq) = (NEW.case_id, NEW.seq))"
)
_RAISE = " BEGIN SELECT RAISE(ABORT, 'the history of cases is append-only'); END"


def upgrade() -> None:
    columns()
    carry_over()
    op.create_index("ix_case_moves_case_id_seq", "case_moves", ["case_id", "seq"], unique=True)
    if op.get_bind().dialect.name == "sqlite":
        guard_sqlite()
    else:
        guard_postgresql()


def columns() -> None:
    zero = sa.text("0")
    for column in (
        sa.Column("topic", sa.String(60), nullable=False, server_default=""),
        sa.Column("place", sa.String(60), nullable=False, server_default=""),
        sa.Column("due_us", sa.BigInteger(), nullable=False, server_default=zero),
        sa.Column("master", sa.String(80), nullable=False, server_default=""),
        sa.Column("progress", sa.Text(), nullable=False, server_default="{}"),
        sa.Column("moves", sa.Integer(), nullable=False, server_default=zero),
        sa.Column("head", sa.String(64), nullable=False, server_default=""),
    ):
        op.add_column("cases", column)
    for column in (
        sa.Column("seq", sa.Integer(), nullable=False, server_default=zero),
        sa.Column("body", sa.Text(), nullable=False, server_default="{}"),
        sa.Column("state", sa.String(16), nullable=False, server_default=""),
        sa.Column("unit", sa.String(60), nullable=False, server_default=""),
        sa.Column("due_us", sa.BigInteger(), nullable=False, server_default=zero),
        sa.Column("is_late", sa.Boolean(), nullable=False, server_default=sa.text("false")),
        sa.Column("digest", sa.String(64), nullable=False, server_default=""),
    ):
        op.add_column("case_moves", column)
    op.create_index("ix_cases_state_due_us", "cases", ["state", "due_us"])
    op.create_index("ix_cases_topic_place", "cases", ["topic", "place"])
    op.create_index("ix_cases_master", "cases", ["master"])


def carry_over() -> None:
    """Cases of the first schema were open or closed, and their moves had no order but the row's."""
    connection = op.get_bind()
    cases = connection.execute(sa.text("SELECT id, unit, state FROM cases")).all()
    for case_id, unit, old in cases:
        state = "closed" if old == "closed" else "working"
        progress = {"chain": [PLATFORM, unit]}
        head, seq = "", 0
        moves = connection.execute(
            sa.text(
                "SELECT id, move, actor, at_us, reason, rule FROM case_moves"
                " WHERE case_id = :case ORDER BY id"
            ),
            {"case": case_id},
        ).all()
        for seq, (row, move, actor, at_us, reason, rule) in enumerate(moves, start=1):
            after = {"close": "closed", "open": "intake"}.get(move, "working")
            values = [head, case_id, seq, move, actor, at_us, reason, rule, "{}", after, unit, 0, False]
            head = digest(values)
            connection.execute(
                sa.text(
                    "UPDATE case_moves SET seq = :seq, state = :state, unit = :unit, digest = :digest"
                    " WHERE id = :row"
                ),
                {"seq": seq, "state": after, "unit": unit, "digest": head, "row": row},
            )
        connection.execute(
            sa.text(
                "UPDATE cases SET state = :state, progress = :progress, moves = :moves, head = :head"
                " WHERE id = :case"
            ),
            {"state": state, "progress": json.dumps(progress), "moves": seq, "head": head, "case": case_id},
        )


def digest(values: list[object]) -> str:
    return hashlib.sha256(json.dumps(values, ensure_ascii=False, separators=(",", ":")).encode()).hexdigest()


def guard_sqlite() -> None:
    for verb in ("UPDATE", "DELETE"):
        op.execute(f"CREATE TRIGGER case_moves_no_{verb.lower()} BEFORE {verb} ON case_moves" + _RAISE)
    # INSERT OR REPLACE deletes without waking a DELETE trigger
    op.execute("CREATE TRIGGER case_moves_no_replace BEFORE INSERT ON case_moves" + _REPLACES + _RAISE)


def guard_postgresql() -> None:
    op.execute(
        "CREATE FUNCTION refuse_history_change() RETURNS trigger LANGUAGE plpgsql AS"
        " $$ BEGIN RAISE EXCEPTION 'the history of cases is append-only'; END $$"
    )
    op.execute(
        "CREATE TRIGGER case_moves_no_change BEFORE UPDATE OR DELETE OR TRUNCATE ON case_moves"
        " FOR EACH STATEMENT EXECUTE FUNCTION refuse_history_change()"
    )
