"""Owns the upgrade of a database to this version's schema. Safe to run from several processes at once."""

from __future__ import annotations

import asyncio
import sqlite3
import time
from contextlib import closing
from pathlib import Path

from alembic import command
from sqlalchemy import Connection, text
from sqlalchemy.ext.asyncio import AsyncEngine

from hotline.db import schema
from hotline.db.engine import BUSY_MS, FAILURES, Database, make_engine, probe, reason, shown_url
from hotline.errors import DatabaseUnavailable

_UPGRADE_LOCK = 12345
"""PostgreSQL advisory lock that one upgrading process holds; SQLite's own write lock does the same."""
_TRY_AGAIN_S = 0.02


async def upgrade(url: str) -> None:
    """Bring the database to the newest schema, making SQLite's file if need be; all of it or nothing."""
    engine = make_engine(url, is_patient=True)  # a great city's year is indexed anew in minutes
    await asyncio.to_thread(_make_file, engine)
    await probe(engine.url)
    try:
        async with Database(engine).begin() as session:
            connection = await session.connection()
            if connection.dialect.name == "postgresql":
                await connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _UPGRADE_LOCK})
            await connection.run_sync(_run)
    except FAILURES as error:
        message = f"cannot upgrade the database {shown_url(engine.url)}: {reason(error)}"
        raise DatabaseUnavailable(message) from error
    finally:
        await engine.dispose()


def _run(connection: Connection) -> None:
    config = schema.config()
    config.attributes["connection"] = connection
    command.upgrade(config, "head")


def _make_file(engine: AsyncEngine) -> None:
    """Make SQLite's directory and file, if need be, so that nobody else may read them; keep it with a WAL.

    The WAL lets readers and a writer go on together, and is the file's own for good. To the change SQLite's
    busy time-out does not apply (two who want it at once would wait for each other), so we try again here.
    """
    name = engine.url.database
    if engine.dialect.name != "sqlite" or not name or name == ":memory:":
        return
    try:
        Path(name).parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        Path(name).touch(mode=0o600)
    except OSError as error:
        raise DatabaseUnavailable(f"cannot make the database {name}: {error.strerror}") from error
    give_up = time.monotonic() + BUSY_MS / 1000
    while True:
        try:
            with closing(sqlite3.connect(name, timeout=BUSY_MS / 1000)) as connection:
                connection.execute("PRAGMA journal_mode=WAL")
        except sqlite3.Error as error:
            if error.sqlite_errorcode != sqlite3.SQLITE_BUSY or time.monotonic() > give_up:
                raise DatabaseUnavailable(f"cannot open the database {name}: {error}") from error
            time.sleep(_TRY_AGAIN_S)
        else:
            return
