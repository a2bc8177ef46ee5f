"""Owns the invented inhabitants of a demo or a rehearsal: people, directory, a few old cases."""

from __future__ import annotations

import secrets
from pathlib import Path

from casework import city
from casework.demo import seed_cases
from casework.faq import seed_knowledge
from casework.staff import seed_staff, staff
from casework.store.matters import save_matters
from casework.store.posts import Post, give_posts
from casework.words import Part
from hotline import clock, directory
from hotline.db.engine import Database
from hotline.identity.demo import demo_people
from hotline.identity.people import seed_people
from hotline.secret import write_private
from hotline.settings import Settings

KNOWN_CITIZENS = 5
"""Citizens of the demo who have called before."""
KNOWN_ANSWERS = 40
"""Entries of its knowledge base: enough to look around, and it starts at once."""

_VISITORS = ("1001", "1003")
"""Agents who also visit back, as far as there are so many."""


def demo_number(n: int) -> str:
    """The n-th invented citizen's number."""
    return f"1380538{n:04d}"


def demo_password(settings: Settings) -> str:
    """One password for all invented people, made at first start and kept beside the database (mode 0600)."""
    path: Path = settings.state / "demo-password"
    if not path.exists():
        write_private(path, secrets.token_urlsafe(9))
    return path.read_text()


async def seed(settings: Settings) -> None:
    """Put them into the database, as far as they are missing."""
    database = await Database.open(settings.database)
    try:
        now_us = clock.now().utc_us
        units, password = city.demo_units(), demo_password(settings)
        async with database.begin() as session:
            await directory.save_units(session, units)
            people = demo_people(settings.seats.count)
            made = await seed_people(session, people, password, now_us)
            await session.flush()
            for person in people if made else ():
                if person.number in _VISITORS:
                    await give_posts(session, person.number, [Post(Part.VISITOR)])
            await save_matters(session, city.matters(units))
            await seed_staff(session, staff(units), password, now_us)
            await seed_knowledge(session, units, settings.node, now_us, KNOWN_ANSWERS)
        citizens = tuple(f"+86{demo_number(n)}" for n in range(1, KNOWN_CITIZENS + 1))
        await seed_cases(database, citizens, settings.node, now_us)
    finally:
        await database.close()
