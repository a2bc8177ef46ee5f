"""Owns what the pages of casework share: who asks, by which posts; the units; a failing database."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

import msgspec
import structlog
from aiohttp import web
from sqlalchemy.ext.asyncio import AsyncSession

from agent_desk import pages
from agent_desk.guard import SESSION_ID, session_of
from agent_desk.sessions import Sessions
from casework.case import Case
from casework.catalogue import Matter
from casework.moves import Actor
from casework.organisation import Tree
from casework.rights import may_see, shown_to
from casework.spelling import Vocabulary, words_of
from casework.store import cases as store
from casework.store.matters import all_matters
from casework.store.posts import posts_of
from casework.words import Part, Refusal
from hotline import clock
from hotline.db.engine import FAILURES, Database, reason
from hotline.directory import all_units
from hotline.identity.people import Person, find_person
from hotline.identity.roles import Role
from hotline.settings import Settings

ID = "{id:[a-z][a-z0-9_]*-[0-9A-Z]{26}}"
CASE_PATH = f"/cases/{ID}"
_DATABASE_S = 5.0
_DOWN = "数据库暂不可用，请稍后重试；没有内容被保存"

T = TypeVar("T")

log = structlog.get_logger()


class Asker(msgspec.Struct, frozen=True):
    """Who asks for a page, and as what they act on cases."""

    person: Person
    posts: tuple[Actor, ...]


class Desk:
    """The settings, the database and the sessions behind every page of casework."""

    def __init__(self, settings: Settings, database: Database, sessions: Sessions) -> None:
        self.settings = settings
        self.database = database
        self._sessions = sessions
        self._words: tuple[str, ...] = ()
        self._vocabulary = Vocabulary(())

    async def asker(self, request: web.Request, session: AsyncSession) -> Asker:
        """Whoever has a post, asked of the database anew: one that was taken away is gone at once."""
        person = await find_person(session, session_of(request).person.number)
        posts = await posts_of(session, person) if person is not None and person.enabled else ()
        if person is None or not posts:
            raise web.HTTPForbidden
        return Asker(person, posts)

    async def seen(self, request: web.Request, session: AsyncSession, asker: Asker) -> Case:
        """The case as the person may see it; whoever may not is told no more than if there were none."""
        case = await store.load(session, request.match_info["id"])
        if case is None or not may_see(case, asker.posts):
            raise web.HTTPForbidden
        return shown_to(case, asker.posts)

    async def platform(self, request: web.Request, session: AsyncSession) -> Asker:
        """One of the platform's people; a unit's see nothing of other units."""
        asker = await self.asker(request, session)
        if all(post.part is Part.UNIT for post in asker.posts):
            raise web.HTTPForbidden
        return asker

    async def administrator(self, request: web.Request, session: AsyncSession) -> Asker:
        """An administrator, who changes units and catalogue and needs no post for it."""
        person = await find_person(session, session_of(request, Role.ADMIN).person.number)
        if person is None or not person.enabled or person.role is not Role.ADMIN:
            raise web.HTTPForbidden
        return Asker(person, await posts_of(session, person))

    async def matters(self, session: AsyncSession) -> list[Matter]:
        """The catalogue as it is in force now."""
        return await all_matters(session, clock.now().utc_us)

    async def as_meant(
        self, session: AsyncSession, words: str, search: Callable[[str], Awaitable[list[T]]]
    ) -> tuple[list[T], str]:
        """What a search finds, and, where it finds nothing as typed, the words that were meant instead."""
        found = await search(words)
        if found or not words:
            return found, ""
        spoken = words_of(await self.matters(session), await all_units(session))
        if spoken != self._words:
            self._words, self._vocabulary = spoken, await asyncio.to_thread(Vocabulary, spoken)
        for reading in await asyncio.to_thread(self._vocabulary.meant, words):
            found = await search(reading)
            if found:
                return found, reading
        return [], ""

    async def tree(self, session: AsyncSession) -> Tree:
        """The units as they are now."""
        return Tree(await all_units(session))

    def page(
        self, request: web.Request, name: str, asker: Asker, status: int = 200, **values: object
    ) -> web.Response:
        """One page, with what all of them show."""
        text = pages.render(
            f"cases/{name}.html",
            form_word=self._sessions.form_word(request[SESSION_ID]),
            city=self.settings.city,
            person=asker.person,
            posts=asker.posts,
            **values,
        )
        return pages.html(text, status)


def decoded(body: bytes, form: type[T]) -> T:
    """A script's JSON in that form; 400 for anything else."""
    try:
        return msgspec.json.decode(body, type=form)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise web.HTTPBadRequest from None


def refused(refusal: Refusal) -> web.Response:
    """Why a script's wish was not done: 422."""
    return web.json_response({"code": refusal.name.lower(), "message": refusal.value}, status=422)


def taken(person: str) -> web.Response:
    """Another works on it, or has done it: 409 with their number (工号)."""
    return web.json_response({"message": f"工号 {person} 正在处理或已处理"}, status=409)


Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


def with_database(handler: Handler, within_s: float = _DATABASE_S) -> Handler:
    """Answers by a page of our own when the database fails or is late; what it was asked is never logged."""

    async def answer(request: web.Request) -> web.StreamResponse:
        try:
            async with asyncio.timeout(within_s):
                return await handler(request)
        except FAILURES as error:
            log.warning("desk_cases_without_database", why=reason(error))
        if request.path.startswith("/api/"):
            return web.json_response({"message": _DOWN}, status=503)
        return pages.error_page(503, _DOWN)

    return answer
