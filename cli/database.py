"""Owns how a command works on the database: opened, closed whatever happens, and failing in one sentence."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from sqlalchemy.ext.asyncio import AsyncSession

from hotline.db import migrate
from hotline.db.engine import FAILURES, Database, reason
from hotline.errors import DatabaseUnavailable
from hotline.settings import Settings


@asynccontextmanager
async def reading(settings: Settings, trouble: str) -> AsyncIterator[AsyncSession]:
    """Look into the database; DatabaseUnavailable begins with `trouble` ("the people cannot be read")."""
    async with _opened(settings, trouble) as database, database.read() as session:
        yield session


@asynccontextmanager
async def writing(settings: Settings, trouble: str) -> AsyncIterator[AsyncSession]:
    """All of what is done in it is kept, or none; DatabaseUnavailable begins with `trouble`."""
    async with _opened(settings, trouble) as database, database.begin() as session:
        yield session


async def ensure(settings: Settings) -> None:
    """Make the database and bring its schema up to date, where the hotline has not run yet."""
    await migrate.upgrade(settings.database)


@asynccontextmanager
async def _opened(settings: Settings, trouble: str) -> AsyncIterator[Database]:
    database = await Database.open(settings.database)
    try:
        yield database
    except FAILURES as error:
        raise DatabaseUnavailable(f"{trouble}: {reason(error)}") from error
    finally:
        await database.close()
