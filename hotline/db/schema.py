"""Owns the question which schema a database has and which this version needs."""

from __future__ import annotations

from pathlib import Path

from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection


def head() -> str:
    """The revision that this version of the hotline needs."""
    found = ScriptDirectory.from_config(config()).get_current_head()
    if found is None:
        raise LookupError("the migrations are missing from this installation")
    return found


def revision_of(connection: Connection) -> str | None:
    """The revision that the database is at, None for an empty one."""
    return MigrationContext.configure(connection).get_current_revision()


def config() -> Config:
    """Alembic's configuration, without a file of its own."""
    made = Config()
    made.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
    made.set_main_option("path_separator", "newline")
    return made
