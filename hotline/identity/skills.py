"""Owns which queues an agent serves (技能) in the database, and how gladly: penalty 0 first."""

from __future__ import annotations

from collections.abc import Iterable

from sqlalchemy import delete, select
from sqlalchemy.ext.asyncio import AsyncSession

from hotline.errors import HotlineError
from hotline.identity.people import find_person
from hotline.identity.tables import AgentSkillRow
from hotline.settings import WORST_PENALTY

Skills = dict[str, tuple[tuple[str, int], ...]]
"""An agent's number -> the queues they serve, each with its penalty. All others serve the general one."""


class BadSkill(HotlineError):
    """A person or a penalty that cannot be given a skill."""


async def all_skills(session: AsyncSession, queues: Iterable[str]) -> Skills:
    """Everybody's skills, as far as these queues exist."""
    known = set(queues)
    rows = await session.scalars(select(AgentSkillRow).order_by(AgentSkillRow.person, AgentSkillRow.queue))
    skills: Skills = {}
    for row in rows:
        if row.queue in known:
            skills[row.person] = (*skills.get(row.person, ()), (row.queue, row.penalty))
    return skills


async def set_skills(session: AsyncSession, person: str, penalties: dict[str, int]) -> None:
    """Replace a person's skills: queue -> penalty (0 to 9); an empty one leaves the general queue."""
    if await find_person(session, person) is None:
        raise BadSkill(f"there is nobody with number {person!r}")
    for queue, penalty in penalties.items():
        if not 0 <= penalty <= WORST_PENALTY:
            raise BadSkill(f"the penalty {penalty} for queue {queue} is not 0 to {WORST_PENALTY}")
    await session.execute(delete(AgentSkillRow).where(AgentSkillRow.person == person))
    session.add_all(
        AgentSkillRow(person=person, queue=queue, penalty=penalty) for queue, penalty in penalties.items()
    )
