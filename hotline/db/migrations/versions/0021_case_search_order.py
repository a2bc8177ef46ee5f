"""The index of words keeps cases in the order of their numbers, so that the last come first and a day is a
part of it.
"""

from __future__ import annotations

from alembic import op

revision = "0021"
down_revision = "0020"


def upgrade() -> None:
    if op.get_bind().dialect.name != "sqlite":
        op.execute("ALTER TABLE case_search ADD COLUMN place bigint")
        op.execute(
            "UPDATE case_search SET place = CAST(substr(cases.number, 1, 8) AS bigint) * 10000000"
            " + CAST(substr(cases.number, 10) AS bigint) FROM cases WHERE cases.id = case_search.case_id"
        )
        op.execute("ALTER TABLE case_search ALTER COLUMN place SET NOT NULL")
        op.execute("CREATE INDEX ix_case_search_place ON case_search (place)")
        return
    op.execute("ALTER TABLE case_search RENAME TO case_search_before")
    op.execute("CREATE VIRTUAL TABLE case_search USING fts5 (case_id UNINDEXED, grams)")
    op.execute(
        "INSERT INTO case_search (rowid, case_id, grams) SELECT CAST(substr(cases.number, 1, 8) AS bigint)"
        " * 10000000 + CAST(substr(cases.number, 10) AS bigint) AS place, before.case_id, before.grams"
        " FROM case_search_before AS before JOIN cases ON cases.id = before.case_id ORDER BY place"
    )
    op.execute("DROP TABLE case_search_before")
