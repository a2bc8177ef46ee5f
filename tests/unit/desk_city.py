"""Owns a demo's city for tests of the desk: its units, its catalogue, and people with one password."""

from __future__ import annotations

from casework import city
from casework.staff import seed_staff, staff
from casework.store.matters import save_matters
from hotline.db.engine import Database
from hotline.directory import save_units
from hotline.identity.people import NewPerson, seed_people
from hotline.identity.roles import Role

PASSWORD = "correct horse 12345"
AGENT, ADMIN = "1001", "9901"
UNITS = city.demo_units()
STAFF = staff(UNITS)


async def fill(url: str) -> None:
    database = await Database.open(url)
    async with database.begin() as session:
        await save_units(session, UNITS)
        await save_matters(session, city.matters(UNITS))
        people = (
            NewPerson(number=AGENT, name="王丽", role=Role.AGENT),
            NewPerson(number="1002", name="李静", role=Role.AGENT),
            NewPerson(number="9001", name="李班长", role=Role.SUPERVISOR),
            NewPerson(number=ADMIN, name="管理员", role=Role.ADMIN),
        )
        await seed_people(session, people, PASSWORD, 1)
        await session.flush()
        assert await seed_staff(session, STAFF, PASSWORD, 1) == len(STAFF)
    await database.close()
