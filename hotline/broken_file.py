"""Owns what is done with an SQLite file that is broken: it is told from a passing failure, and kept aside."""

from __future__ import annotations

import sqlite3
import time
from pathlib import Path

_UNREADABLE = {sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_CORRUPT}


def is_unreadable(error: BaseException) -> bool:
    """Whether the file itself is broken, so that trying again would not help."""
    code = getattr(error, "sqlite_errorcode", None)
    return isinstance(code, int) and code & 0xFF in _UNREADABLE


def set_aside(path: Path) -> str:
    """Move a broken file and its companions out of the way, keeping them; the new name."""
    name = f"{path.name}.broken-{time.time_ns()}"
    for suffix in ("", "-wal", "-shm"):
        part = path.with_name(path.name + suffix)
        if part.exists():
            part.rename(path.with_name(name + suffix))
    return name
