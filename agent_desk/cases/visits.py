"""Owns the visit back (回访) on the agent's page: whom to call now, the number, what they said."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec
from aiohttp import web
from sqlalchemy.ext.asyncio import AsyncSession

from agent_desk.cases.desk import CASE_PATH, Asker, Desk, decoded, refused, taken, with_database
from agent_desk.guard import api_session_of
from casework.calendar import china
from casework.case import Case
from casework.moves import Actor, Move, Unreached, Visited
from casework.service import move_case
from casework.store import claims, lists
from casework.visits import ATTEMPTS
from casework.words import Part, Refusal, Satisfaction
from ctiserver import recordings
from hotline import audit, clock
from hotline.audit import Deed
from hotline.local_time import date_time
from hotline.numbers import describe, mask

MOST = 100
_WHY = "回访"


class Heard(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag="visited"):
    """What a page sends when the citizen has answered."""

    satisfaction: Satisfaction
    is_solved: bool
    is_in_time: bool
    reason: str


class NotHeard(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag="unreached"):
    """What a page sends when nobody was reached."""

    reason: str


class Told(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a page sends after a visit."""

    outcome: Heard | NotHeard


class VisitViews:
    """The handlers. A visitor who calls sits at a seat: an agent with a visitor's post."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    def routes(self) -> Iterable[web.AbstractRouteDef]:
        """What the agent's page asks for."""
        return (
            web.get("/api/visits", with_database(self.due)),
            web.post("/api" + CASE_PATH + "/visit/take", with_database(self.take)),
            web.post("/api" + CASE_PATH + "/visit", with_database(self.told)),
        )

    async def due(self, request: web.Request) -> web.Response:
        """Whom to call now, the longest due first, and who has begun; null for whoever visits nobody."""
        api_session_of(request)
        now_us = clock.now().utc_us
        async with self._desk.database.read() as session:
            asker = await self._desk.asker(request, session)
            if _as_visitor(asker) is None:
                return web.json_response({"visits": None})
            cases = await lists.visits_due(session, now_us, MOST)
            held = await claims.claims_on(session, [case.id for case in cases])
        holders = {id_: claim.person for id_, claim in held.items() if claim.is_held(now_us)}
        return web.json_response({"visits": [self._told(case, holders.get(case.id, "")) for case in cases]})

    async def take(self, request: web.Request) -> web.Response:
        """Begin a visit: the number to call, in the audit trail first; 409 when another has it."""
        now_us = clock.now().utc_us
        async with self._desk.database.begin() as session:
            asker, actor = await self._visitor(request, session)
            case = await self._desk.seen(request, session, asker)
            if not case.visit_due_us:
                return refused(Refusal.WRONG_STATE)
            claim = await claims.take(session, case.id, actor.number, now_us)
            if claim.person != actor.number:
                return taken(claim.person)
            who = asker.person
            deed = Deed(person=who.number, role=who.role.value, what="case.number", whom=case.id, why=_WHY)
            await audit.record(session, deed, now_us)
        known = describe(case.citizen, self._desk.settings.area_code, self._desk.settings.city)
        return web.json_response({"number": (known.national or known.raw) if case.citizen else ""})

    async def told(self, request: web.Request) -> web.Response:
        """Keep the outcome with the call in which it came: 200 with the case's state, or 422."""
        heard = decoded(await request.read(), Told).outcome
        async with self._desk.database.read() as session:
            asker, actor = await self._visitor(request, session)
            case = await self._desk.seen(request, session, asker)
            move = await with_call(session, case, _move(heard, actor))
        after = await move_case(self._desk.database, case.id, move, clock.now().utc_us, china())
        if isinstance(after, Refusal):
            return refused(after)
        case = after or case
        return web.json_response({"state": case.state.label, "next": _next(case)})

    async def _visitor(self, request: web.Request, session: AsyncSession) -> tuple[Asker, Actor]:
        api_session_of(request)
        asker = await self._desk.asker(request, session)
        actor = _as_visitor(asker)
        if actor is None:
            raise web.HTTPForbidden
        return asker, actor

    def _told(self, case: Case, holder: str) -> dict[str, object]:
        settings = self._desk.settings
        return {
            "id": case.id,
            "number": case.number,
            "title": case.title,
            "unit": case.unit,
            "masked": mask(case.citizen) if case.citizen else "",
            "tries": len(case.attempts),
            "most": ATTEMPTS,
            "due_us": case.visit_due_us,
            "taken_by": holder,
            "script": settings.visit.script_for(settings.city, case.title, case.unit),
        }


async def with_call(session: AsyncSession, case: Case, move: Move) -> Move:
    """The outcome of a visit with the call that this person made for it, unless that is an earlier one's."""
    if not isinstance(move, Visited | Unreached):
        return move
    last = await recordings.last_about(session, case.id, move.actor.number)
    if last in {attempt.conversation for attempt in case.attempts}:
        return move
    return msgspec.structs.replace(move, conversation=last)


def _as_visitor(asker: Asker) -> Actor | None:
    return next((post for post in asker.posts if post.part is Part.VISITOR), None)


def _move(heard: Heard | NotHeard, actor: Actor) -> Move:
    if isinstance(heard, NotHeard):
        return Unreached(actor=actor, reason=heard.reason)
    return Visited(
        actor=actor,
        reason=heard.reason,
        is_solved=heard.is_solved,
        satisfaction=heard.satisfaction,
        is_in_time=heard.is_in_time,
    )


def _next(case: Case) -> str:
    """When the citizen is called again, in words; "" when they are not."""
    return date_time(case.visit_due_us)[:16] if case.visit_due_us else ""
