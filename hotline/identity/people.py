"""Owns the people in the database: making, listing, and log-in with constant work and a lock."""

from __future__ import annotations

import asyncio
import functools
import re
from concurrent.futures import ThreadPoolExecutor
from enum import StrEnum

import msgspec
from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError
from argon2.profiles import RFC_9106_LOW_MEMORY
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from hotline.db.engine import Database
from hotline.errors import HotlineError
from hotline.identity.lock import Attempts, attempt
from hotline.identity.roles import Role
from hotline.identity.tables import PersonRow

_NUMBER = re.compile(r"[0-9]{4}")
_LONGEST_PASSWORD = 128
_SHORTEST_PASSWORD = 8
_HASHERS = ThreadPoolExecutor(max_workers=2, thread_name_prefix="argon2")
"""argon2id takes 64 MiB and a core for some 50 ms: two at a time, off the event loop."""


class Person(msgspec.Struct, frozen=True, kw_only=True):
    """A person without secrets."""

    number: str
    name: str
    role: Role
    enabled: bool


class NewPerson(msgspec.Struct, frozen=True, kw_only=True):
    """What it takes to make a person, apart from the password."""

    number: str
    name: str
    role: Role


class LogInRefusal(StrEnum):
    """Why a log-in was refused. `label` is all that the person at the door may learn."""

    WRONG = "wrong"
    LOCKED = "locked"

    @property
    def label(self) -> str:
        """The sentence for the log-in page."""
        if self is LogInRefusal.LOCKED:
            return "连续输错 5 次，账号已锁定 5 分钟，请稍后再试或联系管理员"
        return "工号或密码不正确"


class BadPerson(HotlineError):
    """A person's number, name or password that cannot be accepted."""


async def create_person(session: AsyncSession, new: NewPerson, password: str, now_us: int) -> Person:
    """Add a person; BadPerson when a value is wrong or the number is taken."""
    _check(new)
    if not _SHORTEST_PASSWORD <= len(password) <= _LONGEST_PASSWORD:
        raise BadPerson(f"a password has {_SHORTEST_PASSWORD} to {_LONGEST_PASSWORD} characters")
    if await session.get(PersonRow, new.number) is not None:
        raise BadPerson(f"number {new.number} belongs to somebody already")
    return _add(session, new, await hash_password(password), now_us)


async def seed_people(
    session: AsyncSession, people: tuple[NewPerson, ...], password: str, now_us: int
) -> int:
    """Add those who are missing, all with one password (for a demo: hashed once); returns how many."""
    known = set((await session.scalars(select(PersonRow.number))).all())
    missing = [new for new in people if new.number not in known]
    if missing:
        hashed = await hash_password(password)
        for new in missing:
            _check(new)
            _add(session, new, hashed, now_us)
    return len(missing)


async def list_people(session: AsyncSession) -> list[Person]:
    """Everybody, by number."""
    rows = await session.scalars(select(PersonRow).order_by(PersonRow.number))
    return [_person(row) for row in rows]


async def names_of_all(session: AsyncSession) -> dict[str, str]:
    """Everybody's name by number, for pages that tell who did what."""
    rows = await session.execute(select(PersonRow.number, PersonRow.name))
    return {number: name for number, name in rows}


async def find_person(session: AsyncSession, number: str) -> Person | None:
    """The person with that number, enabled or not."""
    row = await session.get(PersonRow, number) if _NUMBER.fullmatch(number) else None
    return _person(row) if row is not None else None


async def set_enabled(session: AsyncSession, number: str, enabled: bool) -> bool:
    """Let a person in or keep them out; False when there is none with that number."""
    row = await session.get(PersonRow, number)
    if row is not None:
        row.enabled = enabled
    return row is not None


async def authenticate(database: Database, number: str, password: str, now_us: int) -> Person | LogInRefusal:
    """The person, if number and password match. Unknown, disabled and known people cost the same work.

    Five failures lock the number for five minutes; no transaction is open while the password is hashed.
    """
    hashed, refusal = await _admit(database, number, now_us)
    matches = await _matches(hashed, password)
    if refusal is not None:
        return refusal
    if not matches or hashed is None:
        return LogInRefusal.WRONG
    async with database.begin() as session:
        row = await session.get(PersonRow, number)
        if row is None or not row.enabled or row.password_hash != hashed:
            return LogInRefusal.WRONG
        row.attempts, row.locked_until_us = 0, 0
        return _person(row)


async def hash_password(password: str) -> str:
    """The argon2id hash, made off the event loop."""
    return await asyncio.get_running_loop().run_in_executor(_HASHERS, _hasher().hash, password)


async def _admit(database: Database, number: str, now_us: int) -> tuple[str | None, LogInRefusal | None]:
    """Count the attempt; the hash to compare with (None: nobody's), and LOCKED when no attempt is left."""
    if not _NUMBER.fullmatch(number):
        return None, None
    async with database.begin() as session:
        row = await session.get(PersonRow, number, with_for_update=True)
        if row is None or not row.enabled:
            return None, None
        after = attempt(Attempts(row.attempts, row.locked_until_us), now_us)
        if after is None:
            return None, LogInRefusal.LOCKED
        row.attempts, row.locked_until_us = after.count, after.locked_until_us
        return row.password_hash, None


async def _matches(hashed: str | None, password: str) -> bool:
    return await asyncio.get_running_loop().run_in_executor(_HASHERS, _verify, hashed, password)


def _verify(hashed: str | None, password: str) -> bool:
    """Compare; with nobody's hash too, for silence and speed would tell which numbers exist."""
    usable = len(password) <= _LONGEST_PASSWORD
    try:
        _hasher().verify(hashed or _nobodys_hash(), password if usable else "")
    except (VerificationError, InvalidHashError):
        return False
    return usable and hashed is not None


@functools.cache
def _hasher() -> PasswordHasher:
    """RFC 9106's choice where memory is short: argon2id, three passes over 64 MiB in four lanes."""
    return PasswordHasher.from_parameters(RFC_9106_LOW_MEMORY)


@functools.cache
def _nobodys_hash() -> str:
    return _hasher().hash("nobody's password")


def _check(new: NewPerson) -> None:
    if not _NUMBER.fullmatch(new.number):
        raise BadPerson(f"{new.number!r} is not a number of four digits")
    if not 1 <= len(new.name) <= 40 or not new.name.isprintable():
        raise BadPerson("a name has 1 to 40 printable characters")


def _add(session: AsyncSession, new: NewPerson, hashed: str, now_us: int) -> Person:
    row = PersonRow(
        number=new.number,
        name=new.name,
        role=new.role.value,
        enabled=True,
        password_hash=hashed,
        attempts=0,
        locked_until_us=0,
        created_us=now_us,
    )
    session.add(row)
    return _person(row)


def _person(row: PersonRow) -> Person:
    return Person(number=row.number, name=row.name, role=Role(row.role), enabled=row.enabled)
