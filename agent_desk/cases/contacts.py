"""Owns how missed calls and messages (漏接、留言) are worked on the agent's page: by one, and once."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec
from aiohttp import web
from sqlalchemy.ext.asyncio import AsyncSession

from agent_desk.cases.desk import Asker, Desk, decoded, refused, taken, with_database
from agent_desk.guard import api_session_of
from casework.service import cases_of
from casework.store import claims
from casework.store.claims import Done
from casework.words import Part, Refusal
from ctiserver import missed
from hotline import clock
from hotline.numbers import mask

_CONTACT = "/api/missed/{conversation:[a-z][a-z0-9_]*-[0-9.]+}"
_WHY_LIMIT = 200


class Voiding(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a page sends when there is nothing to do about a missed call."""

    why: str


class ContactViews:
    """The handlers; for agents."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    def routes(self) -> Iterable[web.AbstractRouteDef]:
        """What the agent's page asks for."""
        return (
            web.post(_CONTACT + "/take", with_database(self.take)),
            web.post(_CONTACT + "/void", with_database(self.void)),
        )

    async def take(self, request: web.Request) -> web.Response:
        """Begin: 200 with the citizen's open cases, for one of them may be urged; 409 when another has it."""
        async with self._desk.database.begin() as session:
            asker, citizen = await self._missed(request, session)
            claim = await self._take(request, session, asker)
            if claim.person != asker.person.number or claim.done is not None:
                return taken(claim.person)
            cases = await cases_of(session, citizen, is_open=True)
        told = [
            {"id": one.id, "number": one.number, "title": one.title, "unit": one.unit,
             "state": "open", "opened_us": one.created_us}
            for one in cases
        ]  # fmt: skip
        return web.json_response({"masked": mask(citizen) if citizen else "", "cases": told})

    async def void(self, request: web.Request) -> web.Response:
        """Nothing to do about it, and why: 200, 422 without a reason, 409 when another has it."""
        why = decoded(await request.read(), Voiding).why.strip()
        if not why:
            return refused(Refusal.NO_REASON)
        async with self._desk.database.begin() as session:
            asker, _ = await self._missed(request, session)
            claim = await self._take(request, session, asker)
            if claim.person != asker.person.number or claim.done is not None:
                return taken(claim.person)
            subject, person = request.match_info["conversation"], asker.person.number
            await claims.finish(session, subject, person, Done.VOID, why=why[:_WHY_LIMIT])
        return web.json_response({})

    async def _missed(self, request: web.Request, session: AsyncSession) -> tuple[Asker, str]:
        """Who asks, and the number (`CallerNumber.key`) of whoever called; 404 for what is no missed call."""
        api_session_of(request)
        asker = await self._desk.asker(request, session)
        if not any(post.part is Part.AGENT for post in asker.posts):
            raise web.HTTPForbidden
        citizen = await missed.citizen_of(session, request.match_info["conversation"])
        if citizen is None:
            raise web.HTTPNotFound
        return asker, citizen

    async def _take(self, request: web.Request, session: AsyncSession, asker: Asker) -> claims.Claim:
        subject, person = request.match_info["conversation"], asker.person.number
        return await claims.take(session, subject, person, clock.now().utc_us)
