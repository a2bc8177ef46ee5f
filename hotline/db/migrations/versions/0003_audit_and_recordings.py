"""The audit trail, chained and unchangeable, and the recordings that were archived."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"

_REPLACES = " WHEN EXISTS (SELECT 1 FROM audit WHERE seq = NEW.seq OR prev_hash = NEW.prev_hash)"
_RAISE = " BEGIN SELECT RAISE(ABORT, 'the audit trail is append-only'); END"


def upgrade() -> None:
    audit()
    if op.get_bind().dialect.name == "sqlite":
        guard_sqlite()
    else:
        guard_postgresql()
    recordings()


def audit() -> None:
    op.create_table(
        "audit",
        sa.Column("seq", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("at_us", sa.BigInteger(), nullable=False),
        sa.Column("person", sa.String(16), nullable=False),
        sa.Column("role", sa.String(16), nullable=False),
        sa.Column("what", sa.String(40), nullable=False),
        sa.Column("whom", sa.String(120), nullable=False),
        sa.Column("why", sa.Text(), nullable=False),
        sa.Column("prev_hash", sa.String(64), nullable=False),
        sa.Column("hash", sa.String(64), nullable=False),
        sa.PrimaryKeyConstraint("seq", name="pk_audit"),
        sa.UniqueConstraint("prev_hash", name="uq_audit_prev_hash"),
    )


def recordings() -> None:
    op.create_table(
        "recordings",
        sa.Column("conversation", sa.String(80), nullable=False),
        sa.Column("direction", sa.String(16), nullable=False),
        sa.Column("path", sa.String(200), nullable=False),
        sa.Column("bytes", sa.BigInteger(), nullable=False),
        sa.Column("duration_ms", sa.BigInteger(), nullable=False),
        sa.Column("sha256", sa.String(64), nullable=False),
        sa.Column("from_us", sa.BigInteger(), nullable=False),
        sa.Column("is_missing", sa.Boolean(), nullable=False),
        sa.Column("gap_ms", sa.BigInteger(), nullable=False),
        sa.Column("kept_us", sa.BigInteger(), nullable=False),
        sa.Column("expires_us", sa.BigInteger(), nullable=False),
        sa.Column("removed_us", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("conversation", "direction", name="pk_recordings"),
    )
    op.create_index("ix_recordings_removed_us_expires_us", "recordings", ["removed_us", "expires_us"])


def guard_sqlite() -> None:
    for verb in ("UPDATE", "DELETE"):
        op.execute(f"CREATE TRIGGER audit_no_{verb.lower()} BEFORE {verb} ON audit" + _RAISE)
    # INSERT OR REPLACE deletes without waking a DELETE trigger
    op.execute("CREATE TRIGGER audit_no_replace BEFORE INSERT ON audit" + _REPLACES + _RAISE)


def guard_postgresql() -> None:
    op.execute(
        "CREATE FUNCTION refuse_audit_change() RETURNS trigger LANGUAGE plpgsql AS"
        " $$ BEGIN RAISE EXCEPTION 'the audit trail is append-only'; END $$"
    )
    op.execute(
        "CREATE TRIGGER audit_no_change BEFORE UPDATE OR DELETE OR TRUNCATE ON audit"
        " FOR EACH STATEMENT EXECUTE FUNCTION refuse_audit_change()"
    )
