"""The knowledge base: entries, their versions that nobody can change, the index of words, what was missed."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0018"
down_revision = "0017"

_REPLACES = (
    " WHEN EXISTS (SELECT 1 FROM knowledge_versions WHERE (entry, seq) = (NEW.entry, NEW.seq) OR id = NEW.id)"
)
_RAISE = " BEGIN SELECT RAISE(ABORT, 'the versions of knowledge are append-only'); END"


def upgrade() -> None:
    entries()
    versions()
    misses()
    if op.get_bind().dialect.name == "sqlite":
        op.execute("CREATE VIRTUAL TABLE knowledge_search USING fts5 (entry UNINDEXED, grams)")
        guard_sqlite()
    else:
        op.execute("CREATE TABLE knowledge_search (entry varchar(80) PRIMARY KEY, grams tsvector NOT NULL)")
        op.execute("CREATE INDEX ix_knowledge_search_grams ON knowledge_search USING gin (grams)")
        guard_postgresql()


def entries() -> None:
    op.create_table(
        "knowledge_entries",
        sa.Column("id", sa.String(80), nullable=False),
        sa.Column("unit", sa.String(60), nullable=False),
        sa.Column("stage", sa.String(8), nullable=False),
        sa.Column("last", sa.Integer(), nullable=False),
        sa.Column("live", sa.Integer(), nullable=False),
        sa.Column("until_us", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_knowledge_entries"),
    )
    op.create_index("ix_knowledge_entries_stage_unit", "knowledge_entries", ["stage", "unit"])
    op.create_index("ix_knowledge_entries_until_us", "knowledge_entries", ["until_us"])


def versions() -> None:
    op.create_table(
        "knowledge_versions",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("entry", sa.String(80), nullable=False),
        sa.Column("seq", sa.Integer(), nullable=False),
        sa.Column("act", sa.String(8), nullable=False),
        sa.Column("stage", sa.String(8), nullable=False),
        sa.Column("unit", sa.String(60), nullable=False),
        sa.Column("question", sa.String(120), nullable=False),
        sa.Column("answer", sa.Text(), nullable=False),
        sa.Column("topic", sa.String(60), nullable=False),
        sa.Column("since_us", sa.BigInteger(), nullable=False),
        sa.Column("until_us", sa.BigInteger(), nullable=False),
        sa.Column("writer", sa.String(16), nullable=False),
        sa.Column("actor", sa.String(16), nullable=False),
        sa.Column("at_us", sa.BigInteger(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["entry"], ["knowledge_entries.id"], name="fk_knowledge_versions_entry_knowledge_entries"
        ),
        sa.PrimaryKeyConstraint("id", name="pk_knowledge_versions"),
    )
    op.create_index("ix_knowledge_versions_entry_seq", "knowledge_versions", ["entry", "seq"], unique=True)


def misses() -> None:
    op.create_table(
        "knowledge_misses",
        sa.Column("words", sa.String(60), nullable=False),
        sa.Column("day", sa.String(8), nullable=False),
        sa.Column("person", sa.String(16), nullable=False),
        sa.Column("answered", sa.String(80), nullable=False),
        sa.PrimaryKeyConstraint("words", "day", "person", name="pk_knowledge_misses"),
    )
    op.create_index("ix_knowledge_misses_answered_words", "knowledge_misses", ["answered", "words"])


def guard_sqlite() -> None:
    for verb in ("UPDATE", "DELETE"):
        op.execute(f"CREATE TRIGGER knowledge_no_{verb.lower()} BEFORE {verb} ON knowledge_versions" + _RAISE)
    # INSERT OR REPLACE deletes without waking a DELETE trigger
    op.execute("CREATE TRIGGER knowledge_no_replace BEFORE INSERT ON knowledge_versions" + _REPLACES + _RAISE)


def guard_postgresql() -> None:
    op.execute(
        "CREATE FUNCTION refuse_knowledge_change() RETURNS trigger LANGUAGE plpgsql AS"
        " $$ BEGIN RAISE EXCEPTION 'the versions of knowledge are append-only'; END $$"
    )
    op.execute(
        "CREATE TRIGGER knowledge_no_change BEFORE UPDATE OR DELETE OR TRUNCATE ON knowledge_versions"
        " FOR EACH STATEMENT EXECUTE FUNCTION refuse_knowledge_change()"
    )
