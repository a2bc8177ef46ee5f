"""Owns the invented people of a demo who work on cases: the platform's desks, and a handler for each unit."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec
from sqlalchemy.ext.asyncio import AsyncSession

from casework.store.posts import Post, give_posts
from casework.words import Part
from hotline.directory import Unit, UnitKind
from hotline.identity.people import NewPerson, seed_people
from hotline.identity.roles import Role

_DESKS = (
    ("8101", "派单员", Part.DISPATCHER),
    ("8201", "审核员", Part.REVIEWER),
    ("8301", "回访员", Part.VISITOR),
    ("8401", "督办员", Part.SUPERVISOR),
)
_HANDLERS_FROM = 8501
MOST_HANDLERS = 400


class Member(msgspec.Struct, frozen=True):
    """Somebody and their post."""

    person: NewPerson
    post: Post


def staff(units: Iterable[Unit]) -> tuple[Member, ...]:
    """A dispatcher 8101, reviewer 8201, visitor 8301, supervisor 8401, and handlers from 8501, one a unit."""
    desks = [Member(_person(number, name), Post(part)) for number, name, part in _DESKS]
    working = [unit for unit in units if unit.kind is not UnitKind.EMERGENCY][:MOST_HANDLERS]
    handlers = [
        Member(_person(str(_HANDLERS_FROM + n), f"{unit.name[:30]}承办人"), Post(Part.UNIT, unit.id))
        for n, unit in enumerate(working)
    ]
    return (*desks, *handlers)


async def seed_staff(session: AsyncSession, members: tuple[Member, ...], password: str, now_us: int) -> int:
    """Add those who are missing, with their posts; returns how many. The units are in the directory."""
    made = await seed_people(session, tuple(one.person for one in members), password, now_us)
    await session.flush()
    if made:
        for one in members:
            await give_posts(session, one.person.number, [one.post])
    return made


def _person(number: str, name: str) -> NewPerson:
    return NewPerson(number=number, name=name, role=Role.OFFICE)
