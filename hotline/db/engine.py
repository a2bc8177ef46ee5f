"""Owns the connection to the database: SQLite by default, PostgreSQL in production. Knows no table."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing, suppress
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, event, make_url
from sqlalchemy.engine import URL
from sqlalchemy.exc import ArgumentError, DBAPIError, InterfaceError, OperationalError, SQLAlchemyError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession, async_sessionmaker, create_async_engine

from hotline.db import schema
from hotline.errors import DatabaseUnavailable

BUSY_MS = 5000
"""How long SQLite waits for another process's write before it gives up."""
_CONNECT_S = 5
_COMMAND_S = 30
_WRITES = "hotline_writes"
FAILURES = (
    SQLAlchemyError,
    OSError,
    TimeoutError,
)
"""All that a database can raise; `is_passing` tells which of it may mend itself."""
_PASSING_STATES = {"08", "40", "53", "55", "57", "58"}
"""PostgreSQL's SQLSTATE classes: connection, rollback, resources, not ready, intervention, system."""


class Database:
    """One database, open. Made by `Database.open`; closed by `close`."""

    def __init__(self, engine: AsyncEngine) -> None:
        self.engine = engine
        self._readers = async_sessionmaker(engine, expire_on_commit=False)
        writing = engine.execution_options(**{_WRITES: True})
        self._writers = async_sessionmaker(writing, expire_on_commit=False)

    @classmethod
    async def open(cls, url: str, *, is_durable: bool = False) -> Database:
        """Connect and check that the schema is this version's; DatabaseUnavailable says what is wrong.

        `is_durable`: what is committed survives a power cut too. PostgreSQL always does that; SQLite then
        waits for the disk at each commit.
        """
        engine = make_engine(url)
        if is_durable and engine.dialect.name == "sqlite":
            event.listen(engine.sync_engine, "connect", _be_durable)
        database = cls(engine)
        try:
            await database.check()
        except BaseException:
            await database.close()
            raise
        return database

    async def check(self) -> None:
        """Raise DatabaseUnavailable unless the database answers and has this version's schema."""
        shown = shown_url(self.engine.url)
        await probe(self.engine.url)
        try:
            async with self.engine.connect() as connection:
                found = await connection.run_sync(schema.revision_of)
        except FAILURES as error:
            raise DatabaseUnavailable(f"cannot open the database {shown}: {reason(error)}") from error
        wanted = schema.head()
        if found != wanted:
            state = f"is at schema {found}" if found else "has no schema yet"
            message = f"the database {shown} {state}, this version needs {wanted}; upgrade it first"
            raise DatabaseUnavailable(message)

    @asynccontextmanager
    async def read(self) -> AsyncIterator[AsyncSession]:
        """A session that only reads; holds up nobody who writes."""
        async with self._readers() as session:
            yield session

    @asynccontextmanager
    async def begin(self) -> AsyncIterator[AsyncSession]:
        """A session in one writing transaction: committed at the end, rolled back when the block raises."""
        async with self._writers.begin() as session:
            yield session

    async def close(self) -> None:
        """Close every connection."""
        await self.engine.dispose()


def make_engine(url: str, *, is_patient: bool = False) -> AsyncEngine:
    """An engine for the URL, not yet connected; DatabaseUnavailable if no driver of ours can read it.

    `is_patient`: a statement on PostgreSQL may take as long as it does.
    """
    try:
        parsed = make_url(url)
    except ArgumentError as error:
        raise DatabaseUnavailable("database_url is not an SQLAlchemy URL") from error
    if parsed.drivername == "sqlite+aiosqlite":
        return _sqlite(parsed)
    if parsed.drivername == "postgresql+asyncpg":
        return _postgresql(parsed, None if is_patient else _COMMAND_S)
    raise DatabaseUnavailable(
        f"database_url: {parsed.drivername} is not served; use sqlite+aiosqlite or postgresql+asyncpg"
    )


async def probe(url: URL) -> None:
    """Raise DatabaseUnavailable if SQLite's file is missing or is none; other databases are left to `check`.

    The driver's thread outlives a failed connect, and would complain once the event loop has gone.
    """
    if url.get_backend_name() == "sqlite" and url.database not in {None, "", ":memory:"}:
        await asyncio.to_thread(_probe_file, Path(str(url.database)), shown_url(url))


def _probe_file(path: Path, shown: str) -> None:
    if not path.exists():
        raise DatabaseUnavailable(f"there is no database {shown} yet; upgrade it first")
    try:
        with closing(sqlite3.connect(path, timeout=BUSY_MS / 1000)) as connection:
            connection.execute("PRAGMA schema_version").fetchone()
    except sqlite3.Error as error:
        raise DatabaseUnavailable(f"cannot open the database {shown}: {error}") from error


def shown_url(url: URL) -> str:
    """The URL for a message: without password and query, which may hold one."""
    return url.set(query={}).render_as_string(hide_password=True)


def reason(error: BaseException) -> str:
    """One line that says why the database failed, without the statement and its values."""
    if isinstance(error, DBAPIError) and error.orig is not None:
        error = error.orig.__cause__ or error.orig
    text = str(error).splitlines()
    return text[0] if text and text[0] else type(error).__name__


def _sqlite(url: URL) -> AsyncEngine:
    engine = create_async_engine(url, connect_args={"timeout": BUSY_MS / 1000})
    event.listen(engine.sync_engine, "connect", _on_sqlite_connect)
    event.listen(engine.sync_engine, "begin", _on_sqlite_begin)
    event.listen(engine.sync_engine, "invalidate", _on_sqlite_invalidate)
    return engine


def _postgresql(url: URL, command_s: float | None) -> AsyncEngine:
    return create_async_engine(
        url,
        pool_pre_ping=True,
        pool_size=5,
        max_overflow=10,
        pool_timeout=_CONNECT_S,
        connect_args={"timeout": _CONNECT_S, "command_timeout": command_s},
    )


def _on_sqlite_connect(connection: Any, _record: Any) -> None:
    """Transactions are begun by us, not by the driver; that the file has a WAL is the upgrade's work."""
    connection.isolation_level = None
    cursor = connection.cursor()
    for pragma in (
        "synchronous=NORMAL",
        "foreign_keys=ON",
        "cache_size=-512",  # kB for each connection; the system's own cache is beneath
        f"busy_timeout={BUSY_MS}",
    ):
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()


def _be_durable(connection: Any, _record: Any) -> None:
    connection.execute("PRAGMA synchronous=FULL").close()


def _on_sqlite_begin(connection: Connection) -> None:
    """A writer takes the lock at once: a reader that becomes a writer would fail without waiting its turn."""
    writes = connection.get_execution_options().get(_WRITES, False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")


def _on_sqlite_invalidate(connection: Any, _record: Any, _error: Any) -> None:
    """Let go of the lock before a connection is thrown away, as happens to one whose task is cancelled.

    SQLite keeps a closed connection's transaction for as long as a statement of it is open, and a cancelled
    task leaves its last one open: without this, nobody could write until the garbage collector came by.
    """
    with suppress(sqlite3.Error):
        connection.rollback()


def is_passing(error: BaseException) -> bool:
    """Whether trying again later may help: locked, full, down, restarted; not a broken value or statement."""
    if isinstance(error, DBAPIError):
        state = getattr(error.orig, "sqlstate", None)
        if isinstance(state, str):
            return state[:2] in _PASSING_STATES
        return error.connection_invalidated or isinstance(error, OperationalError | InterfaceError)
    return isinstance(error, OSError | TimeoutError | PoolTimeout)
