"""The journal: nothing appended is lost while the disk can be mended, and what is lost is marked."""

from __future__ import annotations

import asyncio
import resource
import sqlite3
import subprocess
import sys
import time
from collections.abc import AsyncIterator
from pathlib import Path

import msgspec
import pytest

from hotline.journal import GAP, Gap, Journal, JournalEntry, JournalHealth


def entry(number: int, body: bytes = b"{}") -> JournalEntry:
    return JournalEntry(event_id=f"n1-{number}", at_us=1000 + number, kind="call_started", body=body)


def entries(count: int, start: int = 0) -> list[JournalEntry]:
    return [entry(number) for number in range(start, start + count)]


class Open:
    def __init__(self, path: Path, capacity: int = 100_000) -> None:
        self.reports: list[JournalHealth] = []
        self.bad: asyncio.Queue[JournalHealth] = asyncio.Queue()
        self.journal = Journal.open(path, self.note, capacity)

    def note(self, report: JournalHealth) -> None:
        self.reports.append(report)
        if not report.is_well:
            self.bad.put_nowait(report)

    async def trouble(self) -> JournalHealth:
        return await asyncio.wait_for(self.bad.get(), 10)

    async def ids(self) -> list[str]:
        return [found.event_id for found in await self.journal.read(0, 1_000_000)]


@pytest.fixture
async def opened(tmp_path: Path) -> AsyncIterator[Open]:
    made = Open(tmp_path / "journal.db")
    yield made
    await made.journal.close()


async def test_what_was_appended_is_read_back_in_order(opened: Open) -> None:
    opened.journal.append(entries(3))
    opened.journal.append([entry(3, '{"姓名":"王"}'.encode())])
    await opened.journal.flushed()
    found = await opened.journal.read(0, 10)
    assert [one.event_id for one in found] == ["n1-0", "n1-1", "n1-2", "n1-3"]
    assert found[3].body.decode() == '{"姓名":"王"}'
    assert [one.seq for one in found] == sorted({one.seq for one in found})
    assert [one.event_id for one in await opened.journal.read(found[1].seq, 1)] == ["n1-2"]


async def test_entries_of_a_kind_are_found_from_an_id_on(opened: Open) -> None:
    other = msgspec.structs.replace(entry(4), kind="call_ended")
    opened.journal.append([entry(3), entry(1), entry(2), other])
    await opened.journal.flushed()
    found = await opened.journal.since("n1-2", "call_started")
    assert [one.event_id for one in found] == ["n1-2", "n1-3"]


async def test_how_far_the_disk_and_a_projector_are_behind_is_known(opened: Open) -> None:
    assert await opened.journal.behind("calls") == 0
    opened.journal.append(entries(5))
    assert opened.journal.waiting > 0
    await opened.journal.flushed()
    third = (await opened.journal.read(0, 3))[-1].seq
    assert await opened.journal.behind("calls") == 5
    await opened.journal.save_checkpoint("calls", third)
    assert (opened.journal.waiting, await opened.journal.behind("calls")) == (0, 2)


async def test_an_event_is_kept_once(opened: Open) -> None:
    opened.journal.append(entries(2))
    opened.journal.append(entries(3))
    await opened.journal.flushed()
    assert await opened.ids() == ["n1-0", "n1-1", "n1-2"]


async def test_entries_outlive_the_process(tmp_path: Path) -> None:
    for start in (0, 5):
        one = Open(tmp_path / "journal.db")
        one.journal.append(entries(5, start))
        await one.journal.close()
    again = Open(tmp_path / "journal.db")
    await again.journal.flushed()
    assert len(await again.ids()) == 10
    await again.journal.close()


async def test_flushed_entries_survive_a_kill(tmp_path: Path) -> None:
    path = tmp_path / "journal.db"
    program = f"""
import asyncio, os, signal
from pathlib import Path
from hotline.journal import Journal, JournalEntry
async def main():
    journal = Journal.open(Path({str(path)!r}), print)
    journal.append([JournalEntry(event_id=str(n), at_us=n, kind="k", body=b"") for n in range(500)])
    await journal.flushed()
    os.kill(os.getpid(), signal.SIGKILL)
asyncio.run(main())
"""
    ended = await asyncio.to_thread(subprocess.run, [sys.executable, "-c", program])
    assert ended.returncode == -9
    again = Open(path)
    await again.journal.flushed()
    assert len(await again.ids()) == 500
    await again.journal.close()


async def test_appending_costs_the_event_loop_next_to_nothing(opened: Open) -> None:
    await opened.journal.flushed()
    before = time.perf_counter()
    opened.journal.append(entries(10_000))
    took = time.perf_counter() - before
    await opened.journal.flushed()
    assert took / 10_000 < 50e-6


@pytest.mark.slow
async def test_a_locked_file_is_reported_and_nothing_is_lost(opened: Open, tmp_path: Path) -> None:
    await opened.journal.flushed()
    other = sqlite3.connect(tmp_path / "journal.db", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    opened.journal.append(entries(4))
    health = await opened.trouble()
    assert "locked" in health.why and health.waiting == 4 and health.lost == 0
    other.execute("ROLLBACK")
    other.close()
    await opened.journal.flushed()
    assert await opened.ids() == ["n1-0", "n1-1", "n1-2", "n1-3"]
    assert opened.reports[-1].is_well


async def test_a_full_disk_is_reported_and_nothing_is_lost(opened: Open) -> None:
    """The limit on file size makes the kernel itself refuse to let the file grow."""
    await opened.journal.flushed()
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 20, hard))
    try:
        opened.journal.append([entry(number, b"x" * 100_000) for number in range(30)])
        health = await opened.trouble()
        opened.journal.append(entries(2, 30))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert health.why and health.lost == 0
    await opened.journal.flushed()
    assert len(await opened.ids()) == 32
    assert opened.reports[-1] == JournalHealth(is_well=True)


async def test_a_missing_directory_that_cannot_be_made_is_reported_until_it_can(tmp_path: Path) -> None:
    in_the_way = tmp_path / "state"
    in_the_way.write_text("a file where the directory should be")
    one = Open(in_the_way / "journal.db")
    one.journal.append(entries(1))
    await one.trouble()
    assert await one.journal.read(0, 10) == []
    assert await one.journal.identity() == ""
    in_the_way.unlink()
    await one.journal.flushed()
    assert await one.ids() == ["n1-0"]
    await one.journal.close()


@pytest.mark.slow
async def test_what_did_not_fit_into_memory_is_marked_where_it_is_missing(tmp_path: Path) -> None:
    path = tmp_path / "journal.db"
    one = Open(path, capacity=10)
    await one.journal.flushed()
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    one.journal.append([entry(0)])
    await one.trouble()
    one.journal.append(entries(30, 1))
    other.execute("ROLLBACK")
    other.close()
    await one.journal.flushed()
    one.journal.append([entry(99)])
    await one.journal.flushed()
    found = await one.journal.read(0, 100)
    kept = [f"n1-{number}" for number in range(11)]
    assert [f.event_id for f in found if f.kind != GAP] == [*kept, "n1-99"]
    (mark,) = [f for f in found if f.kind == GAP]
    assert found.index(mark) == 11
    assert msgspec.json.decode(mark.body, type=Gap) == Gap(
        lost=20, from_us=1011, to_us=1030, why="too many entries waited for the disk"
    )
    await one.journal.close()


async def test_a_broken_file_is_kept_aside_and_marked(tmp_path: Path) -> None:
    path = tmp_path / "journal.db"
    path.write_bytes(b"this is not SQLite " * 500)
    one = Open(path)
    assert [f.kind for f in await one.journal.read(0, 10)] in ([], [GAP])
    one.journal.append(entries(2))
    await one.journal.flushed()
    found = await one.journal.read(0, 10)
    assert [f.kind for f in found] == [GAP, "call_started", "call_started"]
    why = (await one.trouble()).why
    assert "not a database" in why
    aside = tmp_path / why.rpartition("kept as ")[2]
    assert aside.read_bytes().startswith(b"this is not SQLite")
    await one.journal.close()


async def test_an_entry_that_no_file_can_hold_stops_nobody(opened: Open) -> None:
    opened.journal.append([entry(0), msgspec.structs.replace(entry(1), at_us=1 << 70), entry(2)])
    await opened.journal.flushed()
    found = await opened.journal.read(0, 10)
    assert [f.event_id for f in found if f.kind != GAP] == ["n1-0", "n1-2"]
    assert len(found) == 3


@pytest.mark.slow
async def test_closing_does_not_wait_for_ever_for_a_disk(opened: Open, tmp_path: Path) -> None:
    await opened.journal.flushed()
    other = sqlite3.connect(tmp_path / "journal.db", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    opened.journal.append(entries(1))
    waiter = asyncio.ensure_future(opened.journal.flushed())
    await asyncio.sleep(0)
    await opened.journal.close()
    other.close()
    assert (await asyncio.gather(waiter, return_exceptions=True))[0].__class__ is asyncio.CancelledError


async def test_only_what_every_projector_holds_is_pruned(opened: Open) -> None:
    journal = opened.journal
    journal.append(entries(6))
    await journal.prune(before_us=2000)
    assert len(await opened.ids()) == 6
    seqs = [found.seq for found in await journal.read(0, 10)]
    await journal.save_checkpoint("calls", seqs[3])
    await journal.save_checkpoint("other", seqs[1])
    assert await journal.checkpoint("calls") == seqs[3]
    assert await journal.checkpoint("unknown") == 0
    await journal.prune(before_us=1001)
    assert await opened.ids() == ["n1-1", "n1-2", "n1-3", "n1-4", "n1-5"]
    await journal.prune(before_us=2000)
    assert await opened.ids() == ["n1-2", "n1-3", "n1-4", "n1-5"]


async def test_each_file_has_its_own_identity(opened: Open, tmp_path: Path) -> None:
    other = Open(tmp_path / "other.db")
    await asyncio.gather(opened.journal.flushed(), other.journal.flushed())
    first, second = await opened.journal.identity(), await other.journal.identity()
    assert first and second and first != second
    await other.journal.close()


async def test_nobody_else_may_read_the_journal(opened: Open) -> None:
    opened.journal.append(entries(1))
    await opened.journal.flushed()
    for suffix in ("", "-wal"):
        path = opened.journal.path.with_name(opened.journal.path.name + suffix)
        assert path.stat().st_mode & 0o077 == 0


async def test_each_reader_is_woken_by_a_write(opened: Open) -> None:
    await opened.journal.flushed()
    await opened.journal.written("one")
    await opened.journal.written("other")
    waiters = [asyncio.ensure_future(opened.journal.written(reader)) for reader in ("one", "other")]
    await asyncio.sleep(0)
    assert not any(waiter.done() for waiter in waiters)
    opened.journal.append(entries(1))
    await asyncio.wait_for(asyncio.gather(*waiters), 5)


async def test_what_is_written_while_a_reader_looks_away_wakes_it_later(opened: Open) -> None:
    await opened.journal.written("one")
    opened.journal.append(entries(1))
    await opened.journal.flushed()
    await asyncio.wait_for(opened.journal.written("one"), 5)


async def test_the_newest_entry_is_known(opened: Open) -> None:
    assert await opened.journal.last() == 0
    opened.journal.append(entries(3))
    await opened.journal.flushed()
    assert await opened.journal.last() == (await opened.journal.read(0, 9))[-1].seq
