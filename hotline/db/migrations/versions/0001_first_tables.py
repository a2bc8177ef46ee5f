"""First tables: people, directory, cases, and the calls' projections."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None

ROW_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    ground()
    cases()
    calls()
    seats()
    journal()


def ground() -> None:
    op.create_table(
        "people",
        sa.Column("number", sa.String(16), nullable=False),
        sa.Column("name", sa.String(40), nullable=False),
        sa.Column("role", sa.String(16), nullable=False),
        sa.Column("enabled", sa.Boolean(), nullable=False),
        sa.Column("password_hash", sa.String(200), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("locked_until_us", sa.BigInteger(), nullable=False),
        sa.Column("created_us", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("number", name="pk_people"),
    )
    op.create_table(
        "units",
        sa.Column("id", sa.String(31), nullable=False),
        sa.Column("name", sa.String(60), nullable=False),
        sa.Column("initials", sa.String(60), nullable=False),
        sa.Column("kind", sa.String(16), nullable=False),
        sa.Column("numbers", sa.JSON(), nullable=False),
        sa.Column("office_hours", sa.String(120), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_units"),
        sa.UniqueConstraint("name", name="uq_units_name"),
    )
    op.create_index("ix_units_initials", "units", ["initials"])


def cases() -> None:
    op.create_table(
        "cases",
        sa.Column("id", sa.String(80), nullable=False),
        sa.Column("number", sa.String(24), nullable=False),
        sa.Column("citizen", sa.String(64), nullable=False),
        sa.Column("title", sa.String(120), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("unit", sa.String(60), nullable=False),
        sa.Column("conversation", sa.String(80), nullable=False),
        sa.Column("created_us", sa.BigInteger(), nullable=False),
        sa.Column("closed_us", sa.BigInteger(), nullable=False),
        sa.Column("urged", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_cases"),
        sa.UniqueConstraint("number", name="uq_cases_number"),
    )
    op.create_index("ix_cases_citizen_created_us", "cases", ["citizen", "created_us"])
    op.create_index("ix_cases_conversation", "cases", ["conversation"])
    op.create_table(
        "case_moves",
        sa.Column("id", ROW_ID, autoincrement=True, nullable=False),
        sa.Column("case_id", sa.String(80), nullable=False),
        sa.Column("move", sa.String(24), nullable=False),
        sa.Column("actor", sa.String(16), nullable=False),
        sa.Column("at_us", sa.BigInteger(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("rule", sa.String(80), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_case_moves"),
        sa.ForeignKeyConstraint(["case_id"], ["cases.id"], name="fk_case_moves_case_id"),
    )
    op.create_index("ix_case_moves_case_id", "case_moves", ["case_id"])
    op.create_table(
        "case_counters",
        sa.Column("day", sa.String(8), nullable=False),
        sa.Column("last", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("day", name="pk_case_counters"),
    )


def calls() -> None:
    op.create_table(
        "calls",
        sa.Column("conversation", sa.String(80), nullable=False),
        sa.Column("node", sa.String(31), nullable=False),
        sa.Column("uid", sa.String(80), nullable=False),
        sa.Column("citizen", sa.String(64), nullable=False),
        sa.Column("number", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("dnis", sa.Text(), nullable=False),
        sa.Column("queue", sa.String(40), nullable=False),
        sa.Column("started_us", sa.BigInteger(), nullable=False),
        sa.Column("queued_us", sa.BigInteger(), nullable=False),
        sa.Column("rang_us", sa.BigInteger(), nullable=False),
        sa.Column("answered_us", sa.BigInteger(), nullable=False),
        sa.Column("ended_us", sa.BigInteger(), nullable=False),
        sa.Column("outcome", sa.String(24), nullable=False),
        sa.Column("seat", sa.String(16), nullable=False),
        sa.Column("agent", sa.String(16), nullable=False),
        sa.Column("wait_ms", sa.BigInteger(), nullable=False),
        sa.Column("talk_ms", sa.BigInteger(), nullable=False),
        sa.Column("is_seen", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("conversation", name="pk_calls"),
    )
    op.create_index("ix_calls_citizen_started_us", "calls", ["citizen", "started_us"])
    op.create_index("ix_calls_started_us", "calls", ["started_us"])
    op.create_table(
        "legs",
        sa.Column("conversation", sa.String(80), nullable=False),
        sa.Column("leg", sa.String(80), nullable=False),
        sa.Column("seat", sa.String(16), nullable=False),
        sa.Column("agent", sa.String(16), nullable=False),
        sa.Column("rang_us", sa.BigInteger(), nullable=False),
        sa.Column("answered_us", sa.BigInteger(), nullable=False),
        sa.Column("left_us", sa.BigInteger(), nullable=False),
        sa.Column("talk_ms", sa.BigInteger(), nullable=False),
        sa.Column("is_missed", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("conversation", "leg", name="pk_legs"),
        sa.ForeignKeyConstraint(["conversation"], ["calls.conversation"], name="fk_legs_conversation"),
    )
    op.create_table(
        "third_party_attempts",
        sa.Column("conversation", sa.String(80), nullable=False),
        sa.Column("n", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("number", sa.Text(), nullable=False),
        sa.Column("label", sa.Text(), nullable=False),
        sa.Column("is_emergency", sa.Boolean(), nullable=False),
        sa.Column("seat", sa.String(16), nullable=False),
        sa.Column("agent", sa.String(16), nullable=False),
        sa.Column("asked_us", sa.BigInteger(), nullable=False),
        sa.Column("answered_us", sa.BigInteger(), nullable=False),
        sa.Column("ended_us", sa.BigInteger(), nullable=False),
        sa.Column("state", sa.String(24), nullable=False),
        sa.PrimaryKeyConstraint("conversation", "n", name="pk_third_party_attempts"),
        sa.ForeignKeyConstraint(
            ["conversation"], ["calls.conversation"], name="fk_third_party_attempts_conversation"
        ),
    )


def seats() -> None:
    op.create_table(
        "seat_times",
        sa.Column("event_id", sa.String(80), nullable=False),
        sa.Column("node", sa.String(31), nullable=False),
        sa.Column("seat", sa.String(16), nullable=False),
        sa.Column("agent", sa.String(16), nullable=False),
        sa.Column("state", sa.String(24), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("from_us", sa.BigInteger(), nullable=False),
        sa.Column("to_us", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("event_id", name="pk_seat_times"),
    )
    op.create_index("ix_seat_times_node_seat_to_us", "seat_times", ["node", "seat", "to_us"])
    op.create_index("ix_seat_times_agent_from_us", "seat_times", ["agent", "from_us"])
    op.create_table(
        "pops",
        sa.Column("event_id", sa.String(80), nullable=False),
        sa.Column("conversation", sa.String(80), nullable=False),
        sa.Column("seat", sa.String(16), nullable=False),
        sa.Column("agent", sa.String(16), nullable=False),
        sa.Column("leg", sa.String(80), nullable=False),
        sa.Column("at_us", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("event_id", name="pk_pops"),
        sa.ForeignKeyConstraint(["conversation"], ["calls.conversation"], name="fk_pops_conversation"),
    )
    op.create_index("ix_pops_conversation", "pops", ["conversation"])
    op.create_index("ix_pops_seat_at_us", "pops", ["seat", "at_us"])


def journal() -> None:
    op.create_table(
        "journal_events",
        sa.Column("event_id", sa.String(80), nullable=False),
        sa.Column("node", sa.String(31), nullable=False),
        sa.Column("seq", sa.BigInteger(), nullable=False),
        sa.Column("at_us", sa.BigInteger(), nullable=False),
        sa.Column("kind", sa.String(40), nullable=False),
        sa.Column("body", sa.Text(), nullable=False),
        sa.Column("refusal", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("event_id", name="pk_journal_events"),
    )
    op.create_index("ix_journal_events_node_at_us", "journal_events", ["node", "at_us"])
    op.create_table(
        "projector_checkpoints",
        sa.Column("journal", sa.String(80), nullable=False),
        sa.Column("projector", sa.String(40), nullable=False),
        sa.Column("seq", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("journal", "projector", name="pk_projector_checkpoints"),
    )
