"""The audit trail: one chain, whoever writes, and every change shows, on SQLite and PostgreSQL alike."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError
from typer.testing import CliRunner, Result

from cli.main import app
from hotline import audit
from hotline.audit import Deed, Entry, Verdict, is_next, sealed
from hotline.db.engine import Database

PLAYED = Deed(person="9001", role="supervisor", what="recording.play", whom="n1-1700000000.1", why="投诉复核")
words = st.text(st.characters(codec="utf-8"), max_size=12)
deeds = st.builds(Deed, person=words, role=words, what=words, whom=words, why=words)
FIELDS = ("at_us", "person", "role", "what", "whom", "why", "seq", "prev_hash", "hash")


def chain(written: list[Deed]) -> list[Entry]:
    entries: list[Entry] = []
    for at_us, deed in enumerate(written):
        entries.append(sealed(entries[-1] if entries else None, deed, at_us))
    return entries


def is_whole(entries: list[Entry]) -> bool:
    return all(is_next(last, entry) for last, entry in zip([None, *entries], entries, strict=False))


async def write(database: Database, count: int, deed: Deed = PLAYED) -> None:
    for at_us in range(count):
        async with database.begin() as session:
            await audit.record(session, deed, at_us)


async def verdict(database: Database) -> Verdict:
    async with database.read() as session:
        return await audit.verify(session)


async def meddle(database: Database, statement: str) -> None:
    """Change the table as somebody with the rights of the database's owner can."""
    is_sqlite = database.engine.dialect.name == "sqlite"
    async with database.begin() as session:
        if is_sqlite:
            for name in ("update", "delete", "replace"):
                await session.execute(text(f"DROP TRIGGER audit_no_{name}"))
        else:
            await session.execute(text("ALTER TABLE audit DISABLE TRIGGER ALL"))
        await session.execute(text(statement))


@given(st.lists(deeds, min_size=1, max_size=6), st.data())
def test_no_field_of_any_entry_can_change_unseen(written: list[Deed], data: st.DataObject) -> None:
    entries = chain(written)
    assert is_whole(entries)
    at = data.draw(st.integers(0, len(entries) - 1))
    field = data.draw(st.sampled_from(FIELDS))
    old = getattr(entries[at], field)
    new = data.draw(
        (st.integers(0, 99) if isinstance(old, int) else words).filter(lambda value: value != old)
    )
    entries[at] = msgspec.structs.replace(entries[at], **{field: new})
    assert not is_whole(entries)


@given(st.lists(deeds, min_size=2, max_size=6), st.data())
def test_no_entry_can_be_taken_out_or_change_places_unseen(written: list[Deed], data: st.DataObject) -> None:
    entries = chain(written)
    at = data.draw(st.integers(0, len(entries) - 2))
    assert not is_whole([*entries[:at], *entries[at + 1 :]])
    assert not is_whole([*entries[:at], entries[at + 1], entries[at], *entries[at + 2 :]])


async def test_a_deed_is_kept_with_who_what_whom_when_and_why(database: Database) -> None:
    await write(database, 3)
    async with database.read() as session:
        found = await audit.newest(session, 2)
    assert [entry.seq for entry in found] == [3, 2]
    assert {name: getattr(found[0], name) for name in Deed.__struct_fields__} == msgspec.structs.asdict(
        PLAYED
    )
    assert found[0].at_us == 2
    assert await verdict(database) == Verdict(right=3, head=found[0].hash)


async def test_an_empty_trail_is_right(database: Database) -> None:
    assert await verdict(database) == Verdict(right=0, head="")


async def test_a_transaction_that_fails_leaves_no_entry(database: Database) -> None:
    with pytest.raises(ZeroDivisionError):
        async with database.begin() as session:
            await audit.record(session, PLAYED, 1)
            raise ZeroDivisionError
    await write(database, 1)
    assert (await verdict(database)).right == 1


async def test_many_writers_at_once_make_one_chain(database_url: str) -> None:
    desks = [await Database.open(database_url) for _ in range(3)]
    await asyncio.gather(*(write(desk, 8) for desk in desks for _ in range(2)))
    assert await verdict(desks[0]) == Verdict(right=48, head=(await verdict(desks[1])).head)
    for desk in desks:
        await desk.close()


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE audit SET why = 'nothing' WHERE seq = 2",
        "UPDATE audit SET person = person",
        "DELETE FROM audit WHERE seq = 3",
        "DELETE FROM audit",
    ],
)
async def test_the_database_refuses_to_change_or_delete_an_entry(database: Database, statement: str) -> None:
    await write(database, 3)
    with pytest.raises(SQLAlchemyError, match="append-only"):
        async with database.begin() as session:
            await session.execute(text(statement))
    assert (await verdict(database)).right == 3


async def test_an_entry_cannot_be_replaced_or_followed_twice(database: Database) -> None:
    await write(database, 2)
    values = "SELECT {}, at_us, person, role, what, whom, why, prev_hash, hash FROM audit WHERE seq = 2"
    is_sqlite = database.engine.dialect.name == "sqlite"
    verb = "INSERT OR REPLACE INTO" if is_sqlite else "INSERT INTO"
    for seq in (2, 3):
        with pytest.raises(SQLAlchemyError):
            async with database.begin() as session:
                await session.execute(text(f"{verb} audit {values.format(seq)}"))
    assert (await verdict(database)).right == 2


@pytest.mark.parametrize(
    ("statement", "broken"),
    [
        ("UPDATE audit SET whom = 'n1-1700000000.2' WHERE seq = 3", 3),
        ("UPDATE audit SET at_us = at_us + 1 WHERE seq = 1", 1),
        ("DELETE FROM audit WHERE seq = 4", 4),
        ("DELETE FROM audit WHERE seq = 1", 1),
        ("UPDATE audit SET hash = 'x' WHERE seq = 5", 5),
    ],
)
async def test_what_was_done_behind_the_databases_back_is_found(
    database: Database, statement: str, broken: int
) -> None:
    await write(database, 5)
    await meddle(database, statement)
    found = await verdict(database)
    assert (found.right, found.broken_seq) == (broken - 1, broken)


@pytest.fixture
def sqlite_url(new_database: Callable[[str], str]) -> str:
    return new_database("sqlite")


async def test_the_command_tells_right_from_broken(sqlite_url: str, tmp_path: Path) -> None:
    file = tmp_path / "hotline.toml"
    file.write_text(f'database_url = "{sqlite_url}"\n')
    database = await Database.open(sqlite_url)
    await write(database, 4)
    right = await asyncio.to_thread(run, "verify", file)
    assert (right.exit_code, right.output.splitlines()[0]) == (0, "4 entries are right")
    listed = (await asyncio.to_thread(run, "list", file, "--last", "2")).output.splitlines()
    assert [line.split()[0] for line in listed] == ["3", "4"]
    assert "1970-01-01 08:00:00  9001 (supervisor)  recording.play  n1-1700000000.1  投诉复核" in listed[1]
    await meddle(database, "UPDATE audit SET why = '' WHERE seq = 2")
    await database.close()
    broken = await asyncio.to_thread(run, "verify", file)
    assert (broken.exit_code, broken.output.splitlines()) == (
        1,
        [
            "entry 2 was changed or removed; before it 1 entries are right",
            "the histories of all cases are right",
        ],
    )


def run(command: str, file: Path, *words: str) -> Result:
    return CliRunner().invoke(app, ["audit", command, "--settings", str(file), *words])
