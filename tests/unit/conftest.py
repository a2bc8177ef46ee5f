"""Owns the city that tests of the desk start from: filled once for each worker, copied for each test."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from hotline.db.engine import Database
from hotline.numbers import warm_up
from tests.unit.desk_city import fill


@pytest.fixture(scope="session")
def city_file(sqlite_template: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A demo's city in an SQLite file; the tables of places, which take seconds, are read too."""
    path = tmp_path_factory.mktemp("city") / "hotline.db"
    shutil.copy(sqlite_template, path)
    asyncio.run(fill(f"sqlite+aiosqlite:///{path}"))
    warm_up()
    return path


@pytest.fixture
async def city_database(city_file: Path, tmp_path: Path) -> AsyncIterator[Database]:
    """The city, a test's own."""
    shutil.copy(city_file, tmp_path / "hotline.db")
    opened = await Database.open(f"sqlite+aiosqlite:///{tmp_path / 'hotline.db'}")
    yield opened
    await opened.close()
