"""Owns the SQLite file behind the journal: tables, a writing transaction, a reader's question."""

from __future__ import annotations

import sqlite3
import uuid
from collections.abc import Callable, Iterable
from contextlib import closing
from pathlib import Path
from typing import TypeVar

Row = tuple[str, int, str, bytes]
"""event_id, at_us, kind, body"""
Step = Callable[[sqlite3.Connection], None]

_BUSY_S = 1.0
_TABLES = (
    "CREATE TABLE IF NOT EXISTS entries (seq INTEGER PRIMARY KEY AUTOINCREMENT,"
    " event_id TEXT NOT NULL UNIQUE, at_us INTEGER NOT NULL, kind TEXT NOT NULL, body BLOB NOT NULL)",
    "CREATE TABLE IF NOT EXISTS identity (one INTEGER PRIMARY KEY CHECK (one = 1), id TEXT NOT NULL)",
    "CREATE TABLE IF NOT EXISTS checkpoints (projector TEXT PRIMARY KEY, seq INTEGER NOT NULL)",
)
_INSERT = "INSERT OR IGNORE INTO entries (event_id, at_us, kind, body) VALUES (?, ?, ?, ?)"

_Result = TypeVar("_Result")


def connect(path: Path) -> sqlite3.Connection:
    """Open the file for writing, making it and its tables if need be. Each commit is on the disk (fsync)."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    path.touch(mode=0o600)
    connection = sqlite3.connect(path, timeout=_BUSY_S, isolation_level=None)
    try:
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("PRAGMA synchronous=FULL")
        connection.execute("PRAGMA cache_size=-256")  # kB: nothing is read here twice
        connection.execute("BEGIN IMMEDIATE")
        for statement in _TABLES:
            connection.execute(statement)
        connection.execute("INSERT OR IGNORE INTO identity VALUES (1, ?)", (uuid.uuid4().hex,))
        connection.execute("COMMIT")
    except sqlite3.Error:
        connection.close()
        raise
    return connection


def write(connection: sqlite3.Connection, rows: Iterable[Row], steps: Iterable[Step]) -> None:
    """All rows, then all steps, in one transaction. A row whose event id is there already is passed over."""
    connection.execute("BEGIN IMMEDIATE")
    connection.executemany(_INSERT, rows)
    for step in steps:
        step(connection)
    connection.execute("COMMIT")


def ask(path: Path, question: Callable[[sqlite3.Connection], _Result], otherwise: _Result) -> _Result:
    """The answer from the file, or `otherwise` while there is none; sqlite3.Error when it cannot be read."""
    if not path.exists():
        return otherwise
    with closing(
        sqlite3.connect(f"{path.resolve().as_uri()}?mode=rw", uri=True, timeout=_BUSY_S)
    ) as connection:
        return question(connection)
