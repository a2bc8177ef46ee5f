"""Owns the list of deliveries, waiting and dead, in an SQLite file of its own: `hooks.db` in the state
directory.

Each change is on the disk (fsync) when its method returns. All of them run on one thread of their own, so
that a slow disk holds up webhooks only. Any of them raises sqlite3.Error when the disk does not take it.
"""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Callable, Collection, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import TypeVar

import msgspec
import structlog

from ctiserver.hooks.retry import LONGEST_US
from hotline import broken_file
from hotline.local_time import SECOND_US

log = structlog.get_logger("hooks")

NAME = "hooks.db"
CALLS, CASES = "calls", "cases"
"""Where events come from: the journal of calls, the histories of cases."""
MOST_WAITING = 10_000
"""Deliveries that may wait for one webhook; the oldest beyond that are given up."""
MOST_DEAD = 10_000
KEEP_DEAD_US = 30 * 86_400 * SECOND_US
"""How long a dead delivery is kept for `hotline hooks retry`."""
_BUSY_S = 1.0
_TABLES = (
    "CREATE TABLE IF NOT EXISTS places (source TEXT NOT NULL, hook TEXT NOT NULL, journal TEXT NOT NULL,"
    " seq INTEGER NOT NULL, PRIMARY KEY (source, hook))",
    "CREATE TABLE IF NOT EXISTS deliveries (n INTEGER PRIMARY KEY, hook TEXT NOT NULL, id TEXT NOT NULL,"
    " kind TEXT NOT NULL, conversation TEXT NOT NULL, is_urgent INTEGER NOT NULL, body BLOB NOT NULL,"
    " made_us INTEGER NOT NULL, tries INTEGER NOT NULL, due_us INTEGER NOT NULL, why TEXT NOT NULL,"
    " dead_us INTEGER NOT NULL, UNIQUE (hook, id))",
    "CREATE INDEX IF NOT EXISTS waiting ON deliveries (hook, dead_us, is_urgent, due_us, n)",
    "CREATE INDEX IF NOT EXISTS about ON deliveries (hook, conversation, n)",
)
_HAS_OLD = "SELECT 1 FROM sqlite_master WHERE name = 'positions'"
_FROM_OLD = (
    "BEGIN IMMEDIATE",
    "INSERT OR IGNORE INTO places SELECT 'calls', hook, journal, seq FROM positions",
    "DROP TABLE positions",
    "COMMIT",
)
"""A file of before there were events of cases."""
_INSERT = (
    "INSERT OR IGNORE INTO deliveries (hook, id, kind, conversation, is_urgent, body, made_us, tries, due_us,"
    " why, dead_us) VALUES (?, ?, ?, ?, ?, ?, ?, 0, 0, '', 0)"
)
_SELECT = (
    "SELECT hook, id, kind, conversation, is_urgent, body, made_us, tries, due_us, why, dead_us"
    " FROM deliveries"
)
_DUE = (
    " WHERE hook = ? AND dead_us = 0 AND is_urgent = ? AND (due_us <= ? OR due_us > ?)"
    " AND conversation NOT IN (SELECT value FROM json_each(?))"
    " AND NOT (kind LIKE 'case.%' AND EXISTS (SELECT 1 FROM deliveries AS before WHERE"
    " before.hook = deliveries.hook AND before.conversation = deliveries.conversation"
    " AND before.n < deliveries.n AND before.dead_us = 0)) ORDER BY due_us, n LIMIT ?"
)
"""Of one case nothing is sent while something earlier waits; what a call does is of use even out of turn."""
_NEXT = "SELECT MIN(due_us) FROM deliveries WHERE hook = ? AND dead_us = 0 AND is_urgent = ? AND due_us > ?"
_FORGET = "DELETE FROM places WHERE hook NOT IN (SELECT value FROM json_each(?))"
_RETIRE = (
    "UPDATE deliveries SET dead_us = ?, why = 'no such webhook in the settings'"
    " WHERE dead_us = 0 AND hook NOT IN (SELECT value FROM json_each(?))"
)
_TRY_NOW = (
    "UPDATE deliveries SET tries = 0, due_us = 0, dead_us = 0 WHERE (dead_us > 0 OR due_us > 0)"
    " AND hook IN (SELECT value FROM json_each(?)) AND (id = ? OR ? IS NULL)"
)

_Result = TypeVar("_Result")


class Delivery(msgspec.Struct, frozen=True, kw_only=True):
    """One event for one webhook. `due_us` 0: at once; `dead_us` 0: still to be delivered; `why`: what the
    last try met; `conversation`: what it is about, a call's or a case's id.
    """

    hook: str
    id: str
    kind: str
    conversation: str
    is_urgent: bool
    body: bytes
    made_us: int
    tries: int = 0
    due_us: int = 0
    why: str = ""
    dead_us: int = 0


class Waiting(msgspec.Struct, frozen=True):
    """How many deliveries wait for a webhook, and since when the oldest (UTC microseconds, 0: none)."""

    count: int = 0
    oldest_us: int = 0


class Ledger:
    """The file at `path`, opened when first needed."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._connection: sqlite3.Connection | None = None
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="hooks")

    async def positions(
        self, journal: str, end: int, hooks: Collection[str], now_us: int, source: str = CALLS
    ) -> dict[str, int]:
        """Up to which `seq` of the journal of this `source` each webhook has its deliveries listed. A new
        webhook begins at the journal's `end`; one that knew another journal at the start of this; what waits
        for one that the settings lack is dead. None is beyond the end: a journal may be an older copy.
        """
        return await self._do(_positions, journal, end, tuple(hooks), now_us, source)

    async def add(self, deliveries: Sequence[Delivery], seq: int, now_us: int, source: str = CALLS) -> int:
        """List them, and move every position in this source up to `seq`: all or nothing. How many were given
        up for want of room.
        """
        return await self._do(_add, deliveries, seq, now_us, source)

    async def due(
        self, hook: str, is_urgent: bool, now_us: int, limit: int, busy: Collection[str]
    ) -> tuple[list[Delivery], int]:
        """At most `limit` deliveries to try now, one for each conversation and none of the `busy` ones, in
        order; and when the next will be due (0: none waits).
        """
        return await self._do(_due, hook, is_urgent, now_us, limit, tuple(busy))

    async def delivered(self, one: Delivery) -> None:
        """Strike it off."""
        await self._do(_run, "DELETE FROM deliveries WHERE hook = ? AND id = ?", one.hook, one.id)

    async def put_off(self, one: Delivery, tries: int, due_us: int, why: str) -> None:
        """Try it again at `due_us`."""
        statement = "UPDATE deliveries SET tries = ?, due_us = ?, why = ? WHERE hook = ? AND id = ?"
        await self._do(_run, statement, tries, due_us, why, one.hook, one.id)

    async def bury(self, one: Delivery, tries: int, why: str, now_us: int) -> None:
        """Give it up."""
        statement = "UPDATE deliveries SET tries = ?, dead_us = ?, why = ? WHERE hook = ? AND id = ?"
        await self._do(_run, statement, tries, now_us, why, one.hook, one.id)

    async def try_now(self, hooks: Collection[str], id_: str | None) -> int:
        """Have what is dead or waits for its next try tried at once, as if it were new: the deliveries of one
        event, or all (None), for these webhooks. How many there were.
        """
        return await self._do(_run, _TRY_NOW, _json(hooks), id_, id_)

    async def all(self, *, only_dead: bool) -> list[Delivery]:
        """Everything listed, oldest first."""
        return await self._do(_all, only_dead)

    async def waiting(self) -> dict[str, Waiting]:
        """How much waits for each webhook that something waits for."""
        return await self._do(_waiting)

    async def close(self) -> None:
        """Let go of the file."""
        await asyncio.get_running_loop().run_in_executor(self._thread, self._drop)
        self._thread.shutdown(wait=False)

    async def _do(self, work: Callable[..., _Result], *values: object) -> _Result:
        return await asyncio.get_running_loop().run_in_executor(self._thread, self._work, work, values)

    def _work(self, work: Callable[..., _Result], values: Sequence[object]) -> _Result:
        """One piece of work in a transaction of its own."""
        try:
            connection = self._connection = self._connection or _open(self.path)
            connection.execute("BEGIN IMMEDIATE")
            result = work(connection, *values)
            connection.execute("COMMIT")
        except sqlite3.Error:
            self._drop()
            raise
        return result

    def _drop(self) -> None:
        if self._connection is not None:
            with suppress(sqlite3.Error):
                self._connection.close()
        self._connection = None


def _open(path: Path) -> sqlite3.Connection:
    """The file, made if need be; one that is broken is kept aside."""
    try:
        return _connect(path)
    except sqlite3.Error as error:
        if not broken_file.is_unreadable(error):
            raise
        log.error("list of webhook deliveries is broken; a new one begins", kept=broken_file.set_aside(path))
    return _connect(path)


def _connect(path: Path) -> sqlite3.Connection:
    try:
        path.touch(mode=0o600)
    except OSError as error:
        raise sqlite3.OperationalError(f"cannot make {path}: {error.strerror}") from error
    connection = sqlite3.connect(path, timeout=_BUSY_S, isolation_level=None)
    try:
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("PRAGMA synchronous=FULL")
        for statement in _TABLES:
            connection.execute(statement)
        for statement in _FROM_OLD if connection.execute(_HAS_OLD).fetchone() else ():
            connection.execute(statement)
    except sqlite3.Error:
        connection.close()
        raise
    return connection


def _json(words: Collection[str]) -> str:
    return msgspec.json.encode(list(words)).decode()


def _run(connection: sqlite3.Connection, statement: str, *values: object) -> int:
    return connection.execute(statement, values).rowcount


def _positions(
    connection: sqlite3.Connection,
    journal: str,
    end: int,
    hooks: tuple[str, ...],
    now_us: int,
    source: str,
) -> dict[str, int]:
    known = _json(hooks)
    _run(connection, _FORGET, known)
    _run(connection, _RETIRE, now_us, known)
    for hook in hooks:
        _run(connection, "INSERT OR IGNORE INTO places VALUES (?, ?, ?, ?)", source, hook, journal, end)
    other = "UPDATE places SET journal = ?, seq = 0 WHERE journal <> ? AND source = ?"
    _run(connection, other, journal, journal, source)
    _run(connection, "UPDATE places SET seq = MIN(seq, ?) WHERE source = ?", end, source)
    return dict(connection.execute("SELECT hook, seq FROM places WHERE source = ?", (source,)).fetchall())


def _add(
    connection: sqlite3.Connection, deliveries: Sequence[Delivery], seq: int, now_us: int, source: str
) -> int:
    rows = [(d.hook, d.id, d.kind, d.conversation, d.is_urgent, d.body, d.made_us) for d in deliveries]
    connection.executemany(_INSERT, rows)
    _run(connection, "UPDATE places SET seq = MAX(seq, ?) WHERE source = ?", seq, source)
    return sum(_make_room(connection, hook, now_us) for hook in {one.hook for one in deliveries})


def _make_room(connection: sqlite3.Connection, hook: str, now_us: int) -> int:
    """Give up the oldest of what is too much, ordinary before urgent; forget the oldest dead."""
    beyond = (
        "UPDATE deliveries SET dead_us = ?, why = 'too many waited' WHERE n IN (SELECT n FROM deliveries"
        " WHERE hook = ? AND dead_us = 0 ORDER BY is_urgent DESC, n DESC LIMIT -1 OFFSET ?)"
    )
    lost = _run(connection, beyond, now_us, hook, MOST_WAITING)
    _run(
        connection,
        "DELETE FROM deliveries WHERE hook = ? AND dead_us > 0 AND (dead_us < ? OR n IN (SELECT n FROM"
        " deliveries WHERE hook = ? AND dead_us > 0 ORDER BY dead_us DESC, n DESC LIMIT -1 OFFSET ?))",
        *(hook, now_us - KEEP_DEAD_US, hook, MOST_DEAD),
    )
    return lost


def _due(
    connection: sqlite3.Connection,
    hook: str,
    is_urgent: bool,
    now_us: int,
    limit: int,
    busy: tuple[str, ...],
) -> tuple[list[Delivery], int]:
    """A delivery due later than any wait can last is due: the clock was set back."""
    values = (hook, is_urgent, now_us, now_us + LONGEST_US, _json(busy), 8 * limit)
    rows = connection.execute(_SELECT + _DUE, values)
    first: dict[str, Delivery] = {}
    for row in rows:
        one = _delivery(row)
        first.setdefault(one.conversation, one)
    (next_us,) = connection.execute(_NEXT, (hook, is_urgent, now_us)).fetchone()
    return list(first.values())[:limit], next_us or 0


def _all(connection: sqlite3.Connection, only_dead: bool) -> list[Delivery]:
    which = " WHERE dead_us > 0" if only_dead else ""
    return [_delivery(row) for row in connection.execute(f"{_SELECT}{which} ORDER BY n")]


def _waiting(connection: sqlite3.Connection) -> dict[str, Waiting]:
    query = "SELECT hook, COUNT(*), MIN(made_us) FROM deliveries WHERE dead_us = 0 GROUP BY hook"
    return {hook: Waiting(count, oldest_us) for hook, count, oldest_us in connection.execute(query)}


def _delivery(row: Sequence[object]) -> Delivery:
    return msgspec.convert(dict(zip(Delivery.__struct_fields__, row, strict=True)), Delivery, strict=False)
