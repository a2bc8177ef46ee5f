"""People's posts in casework, the tree of units, and what their lists of cases are asked by."""

from __future__ import annotations

import json

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"


def upgrade() -> None:
    op.add_column("units", sa.Column("parent", sa.String(31), nullable=False, server_default=""))
    op.create_table(
        "case_posts",
        sa.Column("person", sa.String(16), nullable=False),
        sa.Column("part", sa.String(16), nullable=False),
        sa.Column("unit", sa.String(31), nullable=False),
        sa.ForeignKeyConstraint(["person"], ["people.number"], name="fk_case_posts_person_people"),
        sa.PrimaryKeyConstraint("person", "part", "unit", name="pk_case_posts"),
    )
    op.add_column("cases", sa.Column("asked", sa.String(12), nullable=False, server_default=""))
    op.add_column("cases", sa.Column("above", sa.String(60), nullable=False, server_default=""))
    op.create_index("ix_cases_unit_state_due_us", "cases", ["unit", "state", "due_us"])
    op.create_index("ix_cases_above_asked", "cases", ["above", "asked"])
    op.create_table(
        "case_parties",
        sa.Column("unit", sa.String(60), nullable=False),
        sa.Column("case_id", sa.String(80), nullable=False),
        sa.ForeignKeyConstraint(["case_id"], ["cases.id"], name="fk_case_parties_case_id_cases"),
        sa.PrimaryKeyConstraint("unit", "case_id", name="pk_case_parties"),
    )
    op.create_index("ix_case_parties_case_id", "case_parties", ["case_id"])
    carry_over()


def carry_over() -> None:
    """Fill what is asked by from what each case says of itself."""
    connection = op.get_bind()
    for id_, state, progress in connection.execute(sa.text("SELECT id, state, progress FROM cases")).all():
        fields = json.loads(progress)
        chain, asked = fields.get("chain", []), fields.get("asked")
        word = "" if asked is None else "return" if asked["is_return"] else "extension"
        above = chain[-2] if len(chain) > 1 else ""
        connection.execute(
            sa.text("UPDATE cases SET asked = :asked, above = :above WHERE id = :id"),
            {"asked": word, "above": above, "id": id_},
        )
        if state in ("closed", "archived"):
            continue
        for unit in sorted({*chain[1:-1], *fields.get("assisting", [])}):
            connection.execute(
                sa.text("INSERT INTO case_parties (unit, case_id) VALUES (:unit, :id)"),
                {"unit": unit, "id": id_},
            )
