"""The database: opening, refusing, upgrading, on SQLite and PostgreSQL alike."""

from __future__ import annotations

import asyncio
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import Connection, func, make_url, select, text
from sqlalchemy.exc import SQLAlchemyError

import casework.store.answered
import casework.store.files
import casework.store.knowledge
import casework.store.matters
import casework.store.posts
import casework.store.systems
import ctiserver.archive.tables
import ctiserver.store.tables
import hotline.audit
import hotline.directory
import hotline.identity.tables
import hotline.standing
from casework.store.tables import CaseMoveRow
from hotline.db.base import Base
from hotline.db.engine import Database, is_passing, make_engine, shown_url
from hotline.db.migrate import upgrade
from hotline.directory import UnitRow
from hotline.errors import DatabaseUnavailable

ROOMS = (
    casework.store.answered,
    casework.store.files,
    casework.store.knowledge,
    casework.store.matters,
    casework.store.posts,
    casework.store.systems,
    CaseMoveRow,
    ctiserver.archive.tables,
    ctiserver.store.tables,
    hotline.audit,
    hotline.standing,
    hotline.directory,
    hotline.identity.tables,
)


def differences(connection: Connection) -> list[object]:
    options = {"compare_type": True, "compare_server_default": True, "include_name": is_a_table_of_ours}
    return list(compare_metadata(MigrationContext.configure(connection, opts=options), Base.metadata))


def is_a_table_of_ours(name: str | None, kind: str, _parents: object) -> bool:
    """The indexes of words are made by each database's own means, and no tables of SQLAlchemy's."""
    return kind != "table" or not str(name).startswith(("case_search", "knowledge_search"))


def unit(number: int) -> UnitRow:
    name = f"单位{number}"
    return UnitRow(
        id=f"u{number}",
        name=name,
        initials="dw",
        kind="city",
        numbers=[],
        office_hours="",
        office_remark="",
        position=0,
    )


async def test_the_migrated_schema_is_what_the_tables_say(database: Database) -> None:
    assert all(room.__name__ for room in ROOMS)
    async with database.engine.connect() as connection:
        assert await connection.run_sync(differences) == []


async def test_the_comparison_would_notice_a_missing_index(database: Database) -> None:
    async with database.engine.begin() as connection:
        await connection.execute(text("DROP INDEX ix_calls_started_us"))
    async with database.engine.connect() as connection:
        assert len(await connection.run_sync(differences)) == 1


@pytest.mark.slow
async def test_upgrading_twice_and_at_once_is_harmless(tmp_path: Path) -> None:
    url = f"sqlite+aiosqlite:///{tmp_path / 'deep' / 'down' / 'hotline.db'}"
    await asyncio.gather(upgrade(url), upgrade(url), upgrade(url))
    await upgrade(url)
    await (await Database.open(url)).close()


@pytest.mark.slow
@pytest.mark.slow
@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
async def test_an_upgrade_on_postgresql_waits_longer_than_any_other_statement_may_take(
    database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("hotline.db.engine._COMMAND_S", 0.2)
    other = make_engine(database_url)
    async with other.begin() as holding:
        await holding.execute(text("SELECT pg_advisory_xact_lock(12345)"))
        upgrading = asyncio.create_task(upgrade(database_url))
        await asyncio.sleep(0.6)
        assert not upgrading.done()
    await upgrading
    await other.dispose()


async def test_a_new_file_that_another_process_is_making_is_waited_for(tmp_path: Path) -> None:
    path = tmp_path / "hotline.db"
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        upgrading = asyncio.create_task(upgrade(f"sqlite+aiosqlite:///{path}"))
        await asyncio.wait([upgrading], timeout=0.2)
        assert not upgrading.done()
        other.execute("COMMIT")
        await upgrading


async def test_nobody_else_may_read_the_file(tmp_path: Path) -> None:
    path = tmp_path / "hotline.db"
    await upgrade(f"sqlite+aiosqlite:///{path}")
    assert path.stat().st_mode & 0o077 == 0


async def test_a_path_that_cannot_be_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(DatabaseUnavailable, match="cannot make the database"):
        await upgrade(f"sqlite+aiosqlite:///{tmp_path / 'file' / 'hotline.db'}")


async def test_a_block_that_raises_leaves_nothing_behind(database: Database) -> None:
    with pytest.raises(ZeroDivisionError):
        async with database.begin() as session:
            session.add(unit(1))
            await session.flush()
            raise ZeroDivisionError
    async with database.read() as session:
        assert await session.scalar(select(func.count()).select_from(UnitRow)) == 0


async def test_many_writers_at_once_all_get_their_turn(database: Database) -> None:
    async def write(number: int) -> None:
        async with database.begin() as session:
            count = await session.scalar(select(func.count()).select_from(UnitRow))
            assert count is not None
            session.add(unit(number))

    await asyncio.gather(*(write(number) for number in range(20)))
    async with database.read() as session:
        assert await session.scalar(select(func.count()).select_from(UnitRow)) == 20


async def test_a_writer_who_is_cancelled_holds_up_nobody(database: Database) -> None:
    is_sqlite = database.engine.dialect.name == "sqlite"
    numbers = "WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c WHERE x < 500000)"
    slow = f"{numbers} SELECT max(x) FROM c UNION ALL SELECT 1" if is_sqlite else "SELECT pg_sleep(30)"
    kept = []

    async def write() -> None:
        try:
            async with database.begin() as session:
                session.add(unit(1))
                await session.flush()
                await session.execute(text(slow))
        except asyncio.CancelledError as error:
            kept.append(error)  # and with it the frames, the cursor, the open statement

    task = asyncio.create_task(write())
    await asyncio.sleep(0.1)
    task.cancel()
    await task
    assert kept
    async with asyncio.timeout(3), database.begin() as session:
        session.add(unit(2))
    async with database.read() as session:
        assert list(await session.scalars(select(UnitRow.id))) == ["u2"]


async def test_foreign_keys_hold(database: Database) -> None:
    with pytest.raises(SQLAlchemyError) as caught:
        async with database.begin() as session:
            session.add(CaseMoveRow(case_id="none", move="open", actor="", at_us=0, reason="", rule=""))
    assert not is_passing(caught.value)


async def test_an_empty_database_is_refused_with_a_sentence(tmp_path: Path) -> None:
    path = tmp_path / "empty.db"
    with pytest.raises(DatabaseUnavailable, match=r"there is no database .* yet; upgrade it first"):
        await Database.open(f"sqlite+aiosqlite:///{path}")
    assert not path.exists()
    path.touch()
    with pytest.raises(
        DatabaseUnavailable, match=r"has no schema yet, this version needs [0-9]{4}; upgrade it"
    ):
        await Database.open(f"sqlite+aiosqlite:///{path}")


async def test_another_versions_schema_is_refused(database: Database) -> None:
    async with database.engine.begin() as connection:
        await connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    with pytest.raises(DatabaseUnavailable, match=r"is at schema 9999, this version needs [0-9]{4}"):
        await database.check()


async def test_a_file_that_is_no_database_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "hotline.db"
    path.write_bytes(b"not a database at all " * 100)
    with pytest.raises(DatabaseUnavailable, match="file is not a database"):
        await Database.open(f"sqlite+aiosqlite:///{path}")
    with pytest.raises(DatabaseUnavailable, match="file is not a database"):
        await upgrade(f"sqlite+aiosqlite:///{path}")


async def test_a_missing_directory_is_named(tmp_path: Path) -> None:
    with pytest.raises(DatabaseUnavailable, match="there is no database"):
        await Database.open(f"sqlite+aiosqlite:///{tmp_path / 'none' / 'hotline.db'}")


async def test_a_server_that_does_not_answer_is_refused_without_the_password() -> None:
    url = "postgresql+asyncpg://hotline:geheim@127.0.0.1:1/hotline?password=geheim"
    with pytest.raises(DatabaseUnavailable) as caught:
        await Database.open(url)
    assert "postgresql+asyncpg://hotline:***@127.0.0.1:1/hotline: " in str(caught.value)
    assert "geheim" not in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("url", ["", "nonsense", "mysql://x/y", "sqlite:///x.db", "postgresql://h/x"])
def test_a_url_that_we_do_not_serve_is_refused(url: str) -> None:
    with pytest.raises(DatabaseUnavailable, match="database_url"):
        make_engine(url)


def test_a_shown_url_has_no_query() -> None:
    shown = shown_url(make_url("postgresql+asyncpg://u:p@h/d?password=p&sslkey=k"))
    assert shown == "postgresql+asyncpg://u:***@h/d"


def test_what_passes_and_what_does_not() -> None:
    assert is_passing(OSError()) and is_passing(TimeoutError())
    assert not is_passing(ValueError())
