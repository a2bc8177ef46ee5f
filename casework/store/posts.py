"""Owns who holds which post in casework (岗位): a part, and for a unit's people the unit."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec
from sqlalchemy import ForeignKey, String, delete, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Mapped, mapped_column

from casework.moves import Actor
from casework.words import PLATFORM, Part
from hotline.db.base import Base
from hotline.directory import UnitRow
from hotline.errors import HotlineError
from hotline.identity.people import Person, find_person
from hotline.identity.roles import Role


class CasePostRow(Base):
    """A post that somebody holds. `unit` is a unit's id, "" for the platform's own posts."""

    __tablename__ = "case_posts"

    person: Mapped[str] = mapped_column(String(16), ForeignKey("people.number"), primary_key=True)
    part: Mapped[str] = mapped_column(String(16), primary_key=True)
    unit: Mapped[str] = mapped_column(String(31), primary_key=True)


class Post(msgspec.Struct, frozen=True):
    """A post to be given: `unit` is a unit's id, for Part.UNIT alone."""

    part: Part
    unit: str = ""


class BadPost(HotlineError):
    """A post that cannot be given, or nobody to give it to."""


async def posts_of(session: AsyncSession, person: Person) -> tuple[Actor, ...]:
    """As what the person acts on cases; an agent takes cases in without being given a post.

    A unit's people act under its former names too: on cases that came before it was renamed.
    """
    held = [Actor(person.number, Part.AGENT)] if person.role is Role.AGENT else []
    query = (
        select(CasePostRow.part, UnitRow.name, UnitRow.former)
        .outerjoin(UnitRow, UnitRow.id == CasePostRow.unit)
        .where(CasePostRow.person == person.number)
        .order_by(CasePostRow.part, CasePostRow.unit)
    )
    for part, unit, former in await session.execute(query):
        if part == Part.UNIT.value and unit is None:
            continue  # their unit is no longer in the directory
        for name in (unit or PLATFORM, *(former or "").splitlines()):
            actor = Actor(person.number, Part(part), name)
            if actor not in held:
                held.append(actor)
    return tuple(held)


async def give_posts(session: AsyncSession, number: str, posts: Iterable[Post]) -> None:
    """Replace a person's posts; BadPost when one cannot be, or there is no such person."""
    if await find_person(session, number) is None:
        raise BadPost(f"there is nobody with number {number!r}")
    wanted = set(posts)
    for post in wanted:
        await check_post(session, post)
    await session.execute(delete(CasePostRow).where(CasePostRow.person == number))
    session.add_all(CasePostRow(person=number, part=post.part.value, unit=post.unit) for post in wanted)


async def check_post(session: AsyncSession, post: Post) -> None:
    """BadPost unless the post is one that can be given."""
    if (post.part is Part.UNIT) != bool(post.unit):
        raise BadPost("a unit's people, and nobody else, have a post at a unit")
    if post.unit and await session.get(UnitRow, post.unit) is None:
        raise BadPost(f"there is no unit {post.unit!r} in the directory")
