"""The made-up city with a year of cases: true to the rules, and never in a city that is real."""

from __future__ import annotations

from collections import Counter
from datetime import date
from pathlib import Path

import pytest
from sqlalchemy import text

from casework import city
from casework.calendar import china
from casework.case import Case, step
from casework.history import move_of
from casework.service import NewCase, open_case, verify_history
from casework.store.lists import Wanted, found
from casework.words import CaseState
from casework.year import City, days_of
from cli.audit import history_lines, verify
from cli.city import RealCity, seed
from hotline import clock
from hotline.db.engine import Database
from hotline.directory import Unit, UnitKind, save_units
from hotline.local_time import compact_day, day_start_us
from hotline.settings import Settings

UNITS = city.city_units()
TODAY = date(2026, 11, 24)
NOW = day_start_us(TODAY) + 12 * 3_600_000_000


def lives(day: date, count: int) -> list[tuple[Case, list[str]]]:
    made_up = City(UNITS, city.matters(UNITS), "n1")
    return [
        (life.case, [entry.move for entry in life.entries])
        for life in made_up.day(day, count, 1, NOW, china())
    ]


def test_a_year_has_as_many_cases_as_were_asked_for_and_fewer_at_weekends() -> None:
    days = dict(days_of(100_000, TODAY))
    assert sum(days.values()) == 100_000 and len(days) == 365
    assert days[date(2026, 11, 21)] < days[date(2026, 11, 20)] > days[date(2026, 10, 20)]


def test_winter_is_about_heating_and_summer_about_drains() -> None:
    topics = {matter.name: matter.category for matter in city.matters(UNITS)}
    winter, summer = (
        Counter(topics[case.topic] for case, _ in lives(date(2026, month, 15), 300)) for month in (1, 7)
    )
    assert winter["供热"] > 4 * summer["供热"] and summer["排水"] > 2 * winter["排水"]


def test_an_invented_case_is_what_the_rules_make_of_its_history_and_the_same_each_time() -> None:
    made_up = City(UNITS, city.matters(UNITS), "n1")
    for life in made_up.day(date(2026, 3, 3), 60, 1, NOW, china()):
        case = opened(life.case)
        for entry in life.entries[1:]:
            after = step(case, move_of(entry), entry.at_us, china())
            assert isinstance(after, Case)
            case = after
        assert case == life.case
    assert lives(date(2026, 3, 3), 60) == lives(date(2026, 3, 3), 60)


def opened(case: Case) -> Case:
    """As it was when it was taken in."""
    words = ("id", "number", "citizen", "title", "text", "conversation", "created_us", "topic", "place")
    kept = {name: getattr(case, name) for name in (*words, "kind", "is_secret")}
    return Case(unit="", **kept)


@pytest.mark.slow
async def test_a_seeded_city_stands_up_to_the_walk_along_its_histories(
    database_url: str, tmp_path: Path
) -> None:
    site = Settings(state_dir=str(tmp_path), database_url=database_url)
    told: list[int] = []
    assert await seed(site, 700, told.append) == (362, 309, 493, 500)
    assert await seed(site, 300, told.append) == (362, 309, 493, 0)
    assert sum(told) == 1000
    database = await Database.open(site.database)
    now_us = clock.now().utc_us
    new = NewCase(citizen="", title="真的", text="", unit="", actor="1001")
    case = await open_case(database, new, "n1", now_us)
    assert isinstance(case, Case) and case.number.startswith(compact_day(now_us))
    async with database.read() as session:
        assert await verify_history(session) == []
        kept = await found(session, Wanted(states=(CaseState.ARCHIVED,)), 1000)
    assert 600 < len(kept) < 1000
    async with database.begin() as session:
        await session.execute(text("UPDATE cases SET head = 'x' WHERE id = :id"), {"id": case.id})
    await database.close()
    _, broken = await verify(site)
    assert [one.case_id for one in broken] == [case.id] and case.id in history_lines(broken)[0]


@pytest.mark.slow
async def test_a_real_city_is_never_seeded(database: Database, database_url: str, tmp_path: Path) -> None:
    real = Unit(id="real", name="真单位", initials="zdw", kind=UnitKind.CITY, numbers=("12345",))
    async with database.begin() as session:
        await save_units(session, (real,))
    with pytest.raises(RealCity, match="real"):
        await seed(Settings(state_dir=str(tmp_path), database_url=database_url), 10, lambda _: None)
