"""Owns the local journal: what happened, appended for ever, in an SQLite file of its own beside the process.

`append` only puts entries on a list; a thread writes them with one fsync for each batch. When the disk is
full or the file cannot be written, the entries wait in memory, the trouble is reported, and the thread tries
again: callers never notice. Entries dropped because too many waited are marked by an entry of kind `GAP`.
"""

from __future__ import annotations

import asyncio
import sqlite3
import threading
import time
import uuid
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import TypeVar

import msgspec

from hotline import _journal_file as file
from hotline import broken_file

GAP = "journal_gap"
"""Kind of the entry that stands where others were lost; its body is a `Gap`."""
CAPACITY = 100_000
"""Entries that may wait in memory: some 100 MB, the events of many hours."""
_BATCH = 2_000
_LINGER_S = 0.005
"""How long the writer gathers entries before an fsync."""
_RETRY_FIRST_S, _RETRY_LAST_S = 0.1, 5.0
_INTEGER = 1 << 63

_Result = TypeVar("_Result")


class JournalEntry(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that happened. `body` is JSON; `seq` is 0 until the entry has been read back."""

    event_id: str
    at_us: int
    kind: str
    body: bytes
    seq: int = 0


class Gap(msgspec.Struct, frozen=True, kw_only=True):
    """Body of a `GAP` entry: how many entries are lost, from when to when (UTC microseconds), and why."""

    lost: int
    from_us: int
    to_us: int
    why: str


class JournalHealth(msgspec.Struct, frozen=True, kw_only=True):
    """Whether entries reach the disk; if not, why, how many wait in memory; how many are lost so far."""

    is_well: bool
    why: str = ""
    waiting: int = 0
    lost: int = 0


class _Chore(msgspec.Struct):
    """What the writer does after the entries before it, in the same transaction."""

    step: file.Step
    done: asyncio.Future[None]


class Journal:
    """One journal, open. Made inside a running event loop, on which reports and wake-ups arrive."""

    def __init__(self, path: Path, report: Callable[[JournalHealth], None], capacity: int) -> None:
        self.path = path
        self._report = report
        self._capacity = capacity
        self._loop = asyncio.get_running_loop()
        self._changed = threading.Condition()
        self._pending: deque[JournalEntry | _Chore] = deque()
        self._batch: list[JournalEntry | _Chore] = []
        self._gap: Gap | None = None
        self._lost = 0
        self._closing = False
        self._is_well = True
        self._written: dict[str, asyncio.Event] = {}
        self._tried = asyncio.Event()
        self._reader = ThreadPoolExecutor(max_workers=1, thread_name_prefix="journal-reader")
        self._writer = threading.Thread(target=self._write_forever, name="journal-writer", daemon=True)

    @classmethod
    def open(cls, path: Path, report: Callable[[JournalHealth], None], capacity: int = CAPACITY) -> Journal:
        """Start writing to `path`, made if need be. Trouble with the disk is reported, not raised."""
        journal = cls(path, report, capacity)
        journal._writer.start()
        return journal

    def append(self, entries: Sequence[JournalEntry]) -> None:
        """Have the entries written, in order. Returns at once, whatever the disk does; never raises."""
        with self._changed:
            for entry in entries:
                if not _is_storable(entry):
                    self._lose(entry, "an entry could not be stored")
                elif len(self._pending) >= self._capacity or self._closing:
                    self._lose(entry, "too many entries waited for the disk")
                else:
                    self._mark_gap()
                    self._pending.append(entry)
            self._changed.notify()

    async def flushed(self) -> None:
        """Return when everything appended so far is on the disk; waits as long as that takes."""
        await self._ordered(lambda _: None)

    async def read(self, after: int, limit: int) -> list[JournalEntry]:
        """At most `limit` entries with a `seq` above `after`, in order; sqlite3.Error if unreadable."""
        query = "SELECT event_id, at_us, kind, body, seq FROM entries WHERE seq > ? ORDER BY seq LIMIT ?"
        return await self._entries(query, after, limit)

    async def since(self, event_id: str, kind: str) -> list[JournalEntry]:
        """Entries of that kind whose id does not sort before `event_id`, in the order of their ids, which
        within a node is that of time; sqlite3.Error if unreadable.
        """
        query = (
            "SELECT event_id, at_us, kind, body, seq FROM entries"
            " WHERE event_id >= ? AND kind = ? ORDER BY event_id"
        )
        return await self._entries(query, event_id, kind)

    async def last(self) -> int:
        """The `seq` of the newest entry on the disk; 0 when there is none."""
        row = await self._asked(lambda found: found.execute("SELECT MAX(seq) FROM entries").fetchone(), None)
        return int(row[0] or 0) if row else 0

    async def written(self, reader: str) -> None:
        """Return when something has been written since that reader's last call; its first returns at once."""
        news = self._written.get(reader)
        if news is None:
            self._written[reader] = asyncio.Event()
            return
        await news.wait()
        news.clear()

    async def identity(self) -> str:
        """The file's random name: a checkpoint in one journal says nothing of another. "" if not made."""
        row = await self._asked(lambda found: found.execute("SELECT id FROM identity").fetchone(), None)
        return str(row[0]) if row else ""

    async def checkpoint(self, projector: str) -> int:
        """Up to which `seq` the projector has said that it holds everything; 0 when it never has."""
        query = "SELECT seq FROM checkpoints WHERE projector = ?"
        row = await self._asked(lambda found: found.execute(query, (projector,)).fetchone(), None)
        return int(row[0]) if row else 0

    async def behind(self, projector: str) -> int:
        """How many entries on the disk the projector does not hold yet."""
        query = (
            "SELECT COUNT(*) FROM entries WHERE seq >"
            " COALESCE((SELECT seq FROM checkpoints WHERE projector = ?), 0)"
        )
        row = await self._asked(lambda found: found.execute(query, (projector,)).fetchone(), None)
        return int(row[0]) if row else 0

    @property
    def waiting(self) -> int:
        """Entries in memory, not on the disk yet."""
        with self._changed:
            return sum(isinstance(item, JournalEntry) for item in (*self._batch, *self._pending))

    async def save_checkpoint(self, projector: str, seq: int) -> None:
        """Note that the projector holds everything up to `seq` for good, so that `prune` may remove it."""
        statement = "INSERT OR REPLACE INTO checkpoints VALUES (?, ?)"
        await self._ordered(lambda connection: _run(connection, statement, projector, seq))

    async def prune(self, before_us: int) -> None:
        """Remove entries older than that which every projector holds; none as long as none has said so."""
        statement = "DELETE FROM entries WHERE at_us < ? AND seq <= (SELECT MIN(seq) FROM checkpoints)"
        await self._ordered(lambda connection: _run(connection, statement, before_us))

    async def close(self, patience_s: float = 3.0) -> None:
        """Write what waits and stop; gives up when the disk does not take it."""
        with self._changed:
            self._closing = True
            self._changed.notify()
        await asyncio.to_thread(self._writer.join, patience_s)
        self._reader.shutdown(wait=False)
        for item in (*self._batch, *self._pending):
            if isinstance(item, _Chore):
                item.done.cancel()

    async def _ordered(self, step: file.Step) -> None:
        done: asyncio.Future[None] = self._loop.create_future()
        with self._changed:
            if self._closing:
                raise RuntimeError("the journal is closed")
            self._mark_gap()
            self._pending.append(_Chore(step, done))
            self._changed.notify()
        await done

    async def _entries(self, query: str, *values: object) -> list[JournalEntry]:
        rows: list[tuple[str, int, str, bytes, int]] = await self._asked(
            lambda found: found.execute(query, values).fetchall(), []
        )
        return [JournalEntry(event_id=i, at_us=at, kind=k, body=b, seq=seq) for i, at, k, b, seq in rows]

    async def _asked(self, question: Callable[[sqlite3.Connection], _Result], otherwise: _Result) -> _Result:
        await self._tried.wait()  # a broken file has been set aside by then
        return await self._loop.run_in_executor(self._reader, file.ask, self.path, question, otherwise)

    def _lose(self, entry: JournalEntry, why: str) -> None:
        """Count an entry that will never be written. Holds the lock."""
        self._lost += 1
        at_us = max(-_INTEGER, min(entry.at_us, _INTEGER - 1))
        before = self._gap or Gap(lost=0, from_us=at_us, to_us=at_us, why=why)
        self._gap = msgspec.structs.replace(before, lost=before.lost + 1, to_us=at_us)

    def _mark_gap(self) -> None:
        """Put the mark of lost entries in their place, if there are any. Holds the lock."""
        if self._gap is not None:
            self._pending.append(_gap_entry(self._gap))
            self._gap = None

    def _write_forever(self) -> None:
        """The writer thread: one batch after another, each until the disk has taken it."""
        connection: sqlite3.Connection | None = None
        delay = _RETRY_FIRST_S
        while True:
            is_last_try = self._closing
            try:
                connection = connection or file.connect(self.path)
                file.write(connection, self._rows(), self._steps())
            except (sqlite3.Error, OSError) as error:
                _drop(connection)
                connection = None
                self._on_trouble(error)
                self._call(self._tried.set)
                if is_last_try:
                    return
                self._wait(delay)
                delay = min(delay * 2, _RETRY_LAST_S)
                continue
            delay = _RETRY_FIRST_S
            self._on_written()
            self._call(self._tried.set)
            self._next_batch()
            if not self._batch:
                _drop(connection)
                return

    def _next_batch(self) -> None:
        """Wait for something to write and take it; nothing when the journal is closed and empty."""
        with self._changed:
            self._changed.wait_for(lambda: self._pending or self._gap or self._closing)
        time.sleep(_LINGER_S)
        with self._changed:
            self._mark_gap()
            self._batch = [self._pending.popleft() for _ in range(min(_BATCH, len(self._pending)))]

    def _rows(self) -> list[file.Row]:
        entries = (item for item in self._batch if isinstance(item, JournalEntry))
        return [(entry.event_id, entry.at_us, entry.kind, entry.body) for entry in entries]

    def _steps(self) -> list[file.Step]:
        return [item.step for item in self._batch if isinstance(item, _Chore)]

    def _on_written(self) -> None:
        if not self._is_well:
            self._is_well = True
            self._call(self._report, JournalHealth(is_well=True, lost=self._lost))
        for item in self._batch:
            if isinstance(item, _Chore):
                self._call(_finish, item.done)
        self._batch = []
        self._call(self._wake_readers)

    def _wake_readers(self) -> None:
        for news in self._written.values():
            news.set()

    def _on_trouble(self, error: sqlite3.Error | OSError) -> None:
        why = str(error) or type(error).__name__
        if broken_file.is_unreadable(error):
            why = self._start_anew(why)
        self._is_well = False
        with self._changed:
            waiting = len(self._batch) + len(self._pending)
        self._call(self._report, JournalHealth(is_well=False, why=why, waiting=waiting, lost=self._lost))

    def _start_anew(self, why: str) -> str:
        """The file is broken: keep it under another name, and let the new one begin with a mark."""
        try:
            why = f"{why}; kept as {broken_file.set_aside(self.path)}"
        except OSError as error:
            return f"{why}; cannot be set aside: {error.strerror}"
        at_us = time.time_ns() // 1000
        self._batch.insert(0, _gap_entry(Gap(lost=0, from_us=0, to_us=at_us, why=why)))
        return why

    def _wait(self, delay: float) -> None:
        """Wait before the next try, but not when the journal is being closed."""
        with self._changed:
            self._changed.wait_for(lambda: self._closing, timeout=delay)

    def _call(self, callback: Callable[..., object], *values: object) -> None:
        """Call back on the event loop, unless it has ended before us."""
        with suppress(RuntimeError):
            self._loop.call_soon_threadsafe(callback, *values)


def _gap_entry(gap: Gap) -> JournalEntry:
    return JournalEntry(
        event_id=f"gap-{uuid.uuid4().hex}", at_us=gap.to_us, kind=GAP, body=msgspec.json.encode(gap)
    )


def _is_storable(entry: JournalEntry) -> bool:
    return entry.event_id.isascii() and entry.kind.isascii() and -_INTEGER <= entry.at_us < _INTEGER


def _run(connection: sqlite3.Connection, statement: str, *values: object) -> None:
    connection.execute(statement, values)


def _drop(connection: sqlite3.Connection | None) -> None:
    """Close without complaint: what was not committed is still in the batch."""
    if connection is not None:
        with suppress(sqlite3.Error):
            connection.close()


def _finish(done: asyncio.Future[None]) -> None:
    if not done.done():
        done.set_result(None)
