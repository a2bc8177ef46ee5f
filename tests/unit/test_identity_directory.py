"""The directory: whom an agent finds, and at which number."""

from __future__ import annotations

from pathlib import Path

import pytest
from alembic import command
from alembic.script import ScriptDirectory
from msgspec.structs import replace
from sqlalchemy import create_engine, text

from hotline.db import schema
from hotline.db.engine import Database
from hotline.directory import BadUnit, UnitKind, all_units, demo_directory, find_units, numbers_of, save_units


async def test_the_directory_comes_back_as_it_was_saved_and_can_be_changed(database: Database) -> None:
    units = demo_directory()
    async with database.begin() as session:
        await save_units(session, units)
    changed = (replace(units[0], office_hours="always", office_remark="节假日值班"), *units[1:])
    async with database.begin() as session:
        await save_units(session, changed)
    async with database.read() as session:
        assert tuple(await all_units(session)) == changed


@pytest.mark.parametrize(
    ("words", "first"),
    [
        ("szfm", "city-office"),
        ("住房", "housing"),
        ("YLBZ", "medical-insurance"),
        ("110", "police"),
        ("热力", "heating"),
    ],
)
def test_a_unit_is_found_by_name_initials_or_number(words: str, first: str) -> None:
    assert find_units(list(demo_directory()), words)[0].id == first


def test_what_is_not_there_is_not_found() -> None:
    assert find_units(list(demo_directory()), "火星") == []


def test_no_words_show_the_emergency_services_first() -> None:
    found = find_units(list(demo_directory()), " ", limit=4)
    assert [unit.kind for unit in found] == [UnitKind.EMERGENCY] * 4


def test_the_demos_numbers_are_nobodys() -> None:
    for number in numbers_of(list(demo_directory())):
        assert number in {"110", "119", "120", "122"} or number.startswith("05380")


@pytest.mark.parametrize(
    "change",
    [
        {"id": "Bad Id"},
        {"name": ""},
        {"name": "a\nb"},
        {"numbers": ("1;2",)},
        {"numbers": ("12",)},
        {"initials": "市"},
        {"office_hours": "工作日 9:00"},
        {"office_remark": "a\nb"},
    ],
)
async def test_a_wrong_unit_is_refused(database: Database, change: dict[str, object]) -> None:
    with pytest.raises(BadUnit):
        async with database.begin() as session:
            await save_units(session, (replace(demo_directory()[5], **change),))


def test_hours_written_before_they_had_a_form_become_the_remark(tmp_path: Path) -> None:
    with create_engine(f"sqlite:///{tmp_path / 'old.db'}").begin() as connection:
        config = schema.config()
        config.attributes["connection"] = connection
        command.upgrade(config, str(ScriptDirectory.from_config(config).get_revision("0009").down_revision))
        connection.execute(
            text(
                "INSERT INTO units VALUES ('tax', '市税务局', 'sswj', 'city', '[]', '工作日 9 点至 5 点', 0)"
            )
        )
        command.upgrade(config, "0009")
        row = connection.execute(text("SELECT office_hours, office_remark FROM units")).one()
    assert tuple(row) == ("", "工作日 9 点至 5 点")
