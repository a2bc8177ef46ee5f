"""Owns the check of a person's rights as they are now, not as they were at the log-in."""

from __future__ import annotations

from aiohttp import web
from sqlalchemy.ext.asyncio import AsyncSession

from agent_desk.sessions import Session
from hotline.identity.people import find_person


async def check_person(reading: AsyncSession, session: Session) -> None:
    """Refuse (401) somebody who has been locked out or given another role since."""
    person = await find_person(reading, session.person.number)
    if person is None or not person.enabled or person.role is not session.person.role:
        raise web.HTTPUnauthorized
