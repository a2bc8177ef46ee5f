"""Agents' skills in the database: set whole, read for the queues that exist, refused in one sentence."""

from __future__ import annotations

import pytest

from hotline.db.engine import Database
from hotline.identity.people import NewPerson, seed_people
from hotline.identity.roles import Role
from hotline.identity.skills import BadSkill, all_skills, set_skills

QUEUES = ("12345", "12346")
PEOPLE = (
    NewPerson(number="1001", name="王丽娟", role=Role.AGENT),
    NewPerson(number="1012", name="李晓燕", role=Role.AGENT),
)


async def test_skills_are_set_whole_and_an_empty_set_is_the_general_queue(database: Database) -> None:
    async with database.begin() as session:
        await seed_people(session, PEOPLE, "correct horse", 1)
    async with database.begin() as session:
        await set_skills(session, "1012", {"12346": 0, "12345": 1})
        await set_skills(session, "1001", {"12399": 2})
    async with database.read() as session:
        assert await all_skills(session, QUEUES) == {"1012": (("12345", 1), ("12346", 0))}
    async with database.begin() as session:
        await set_skills(session, "1012", {"12346": 3})
    async with database.read() as session:
        assert await all_skills(session, QUEUES) == {"1012": (("12346", 3),)}
    async with database.begin() as session:
        await set_skills(session, "1012", {})
    async with database.read() as session:
        assert await all_skills(session, QUEUES) == {}


@pytest.mark.parametrize(
    ("person", "penalty", "says"),
    [("9999", 0, "nobody with number '9999'"), ("1001", -1, "not 0 to 9"), ("1001", 10, "not 0 to 9")],
)
async def test_a_skill_that_cannot_be_is_refused(
    database: Database, person: str, penalty: int, says: str
) -> None:
    async with database.begin() as session:
        await seed_people(session, PEOPLE, "correct horse", 1)
    with pytest.raises(BadSkill, match=says):
        async with database.begin() as session:
            await set_skills(session, person, {"12345": penalty})
