"""The index of words over cases, and the list of the newest."""

from __future__ import annotations

import re
import unicodedata

import sqlalchemy as sa
from alembic import op

revision = "0016"
down_revision = "0015"

_RUN = re.compile(r"[\u3400-\u9fff\uf900-\ufaff]+|[0-9a-z]+")
_BATCH = 1000


def upgrade() -> None:
    op.create_index("ix_cases_created_us_id", "cases", ["created_us", "id"])
    is_sqlite = op.get_bind().dialect.name == "sqlite"
    if is_sqlite:
        op.execute("CREATE VIRTUAL TABLE case_search USING fts5 (case_id UNINDEXED, grams)")
    else:
        op.execute("CREATE TABLE case_search (case_id varchar(80) PRIMARY KEY, grams tsvector NOT NULL)")
        op.execute("CREATE INDEX ix_case_search_grams ON case_search USING gin (grams)")
    index_all("(:id, :grams)" if is_sqlite else "(:id, to_tsvector('simple', :grams))")


def index_all(values: str) -> None:
    connection, after = op.get_bind(), ""
    while True:
        rows = connection.execute(
            sa.text(
                "SELECT id, title, text, place, topic, number FROM cases"
                " WHERE id > :after ORDER BY id LIMIT :most"
            ),
            {"after": after, "most": _BATCH},
        ).all()
        if not rows:
            return
        after = rows[-1][0]
        found = [{"id": row[0], "grams": grams(" ".join(row[1:]))} for row in rows]
        connection.execute(sa.text(f"INSERT INTO case_search (case_id, grams) VALUES {values}"), found)  # noqa: S608


def grams(words: str) -> str:
    """As they were cut when this revision was made."""
    cut: list[str] = []
    for run in _RUN.findall(unicodedata.normalize("NFKC", words).lower()):
        is_whole = run.isascii() or len(run) == 1
        cut += [run] if is_whole else [run[at : at + 2] for at in range(len(run) - 1)]
    return " ".join(cut)
