"""The calls about a case are found by it; who works on a missed call or on a visit says so first."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0024"
down_revision = "0023"


def upgrade() -> None:
    about = sa.text("about <> ''")
    op.create_index("ix_calls_about", "calls", ["about"], sqlite_where=about, postgresql_where=about)
    op.create_table(
        "work_claims",
        sa.Column("subject", sa.String(80), nullable=False),
        sa.Column("person", sa.String(16), nullable=False),
        sa.Column("at_us", sa.BigInteger(), nullable=False),
        sa.Column("done", sa.String(8), nullable=False, server_default=""),
        sa.Column("case_id", sa.String(80), nullable=False, server_default=""),
        sa.Column("why", sa.Text(), nullable=False, server_default=""),
        sa.PrimaryKeyConstraint("subject", name="pk_work_claims"),
    )
    zero = sa.text("0")
    op.add_column("cases", sa.Column("visit_due_us", sa.BigInteger(), nullable=False, server_default=zero))
    op.execute("UPDATE cases SET visit_due_us = created_us WHERE state IN ('reviewed', 'visiting')")
    due, columns = sa.text("visit_due_us > 0"), ["visit_due_us", "id"]
    op.create_index("ix_cases_to_visit", "cases", columns, sqlite_where=due, postgresql_where=due)
