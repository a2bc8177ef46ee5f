"""Owns what each address of the desk answers: log-in, choice of seat, live pages, push token, directory."""

from __future__ import annotations

import asyncio
import hmac
import secrets
from collections.abc import Awaitable, Callable, Iterable
from typing import TypeVar

import msgspec
import structlog
from aiohttp import web
from sqlalchemy.ext.asyncio import AsyncSession

from agent_desk import listing, pages
from agent_desk.floor import TOKEN_US, Floor
from agent_desk.guard import SESSION, SESSION_ID
from agent_desk.guard import api_session_of as _api_session
from agent_desk.guard import session_of as _session
from agent_desk.sessions import COOKIE, LIFETIME_US, Session, Sessions
from casework.case import NAME_LIMIT, TEXT_LIMIT
from casework.store.claims import HELD_US
from casework.words import Kind
from ctiserver import missed
from ctiserver.curves import curves
from ctiserver.workday import workday
from hotline import clock, secret
from hotline.db.engine import FAILURES, Database, reason
from hotline.directory import UnitKind, all_units
from hotline.identity import token
from hotline.identity.people import LogInRefusal, Person, authenticate, find_person
from hotline.identity.roles import Role
from hotline.local_time import SECOND_US
from hotline.numbers import describe
from hotline.secret import Secrets
from hotline.settings import Settings

MOST_LOG_INS = 20
"""Log-ins under way at once: each costs a core some 50 ms, and those who work must not wait."""
MISSED_DAYS = 3
"""Later than this nobody calls back: the citizen has called again, or given up."""
MOST_MISSED = 200
_DATABASE_S = 1.0
_HOMES = {Role.AGENT: "/agent", Role.OFFICE: "/cases"}
_SCREEN = Person(number="screen", name=Role.WALL.label, role=Role.WALL, enabled=True)
_OVERSEERS = frozenset({Role.SUPERVISOR, Role.ADMIN, Role.WALL})
_BUSY = "登录人数较多，请稍候几秒再试"
_DATABASE_DOWN = "暂时无法核对密码，请稍后再试；已登录的座席不受影响"

T = TypeVar("T")

log = structlog.get_logger()


class Views:
    """The handlers, with what they share."""

    def __init__(
        self, settings: Settings, keys: Secrets, database: Database, sessions: Sessions, floor: Floor
    ) -> None:
        self._settings = settings
        self._floor = floor
        self._push_key = keys.push_key
        self._database = database
        self._sessions = sessions
        self._log_ins = 0

    def routes(self) -> Iterable[web.AbstractRouteDef]:
        """Every address of the desk."""
        return (
            web.get("/", self.home),
            web.get("/login", self.log_in_page),
            web.post("/login", self.log_in),
            web.post("/logout", self.log_out),
            web.get("/seats", self.seats_page),
            web.post("/seats", self.choose_seat),
            web.get("/agent", self.agent_page),
            web.get("/wall", self.wall_page),
            web.get("/screen/{word}", self.screen, allow_head=False),
            web.post("/phone", self.choose_phone),
            web.post("/api/token", self.push_token),
            web.get("/api/directory", self.directory),
            web.get("/api/missed", self.missed),
            web.get("/api/workday", self.workday),
            web.get("/api/curves", self.curves),
            web.get("/healthz", self.health),
            web.static("/static", pages.HERE / "static"),
        )

    async def home(self, request: web.Request) -> web.Response:
        """To each role its page."""
        session = _session(request)
        raise web.HTTPSeeOther(_HOMES.get(session.person.role, "/wall"))

    async def log_in_page(self, request: web.Request) -> web.Response:
        """The form; whoever is logged in already goes on."""
        if request[SESSION] is not None:
            raise web.HTTPSeeOther("/")
        return self._log_in_form(request)

    async def log_in(self, request: web.Request) -> web.Response:
        """Check number and password; on success under a new session id."""
        form = await request.post()
        number, password = form.get("number", ""), form.get("password", "")
        if not isinstance(number, str) or not isinstance(password, str):
            raise web.HTTPBadRequest
        if self._log_ins >= MOST_LOG_INS:
            return self._log_in_form(request, number, _BUSY, 503)
        now_us = clock.now().utc_us
        self._log_ins += 1
        try:
            found = await authenticate(self._database, number, password, now_us)
        except FAILURES as error:
            log.warning("desk_log_in_without_database", why=reason(error))
            return self._log_in_form(request, number, _DATABASE_DOWN, 503)
        finally:
            self._log_ins -= 1
        if isinstance(found, LogInRefusal):
            log.warning("desk_log_in_refused", reason=found.value)
            return self._log_in_form(request, number, found.label, 403)
        self._sessions.close(request[SESSION_ID])
        sid = self._sessions.open(found, now_us)
        log.info("desk_logged_in", person=found.number, role=found.role.value)
        response = web.HTTPSeeOther("/")
        self._set_cookie(response, sid, LIFETIME_US // SECOND_US)
        raise response

    async def log_out(self, request: web.Request) -> web.Response:
        """End the session here, not only in the browser."""
        self._sessions.close(request[SESSION_ID])
        response = web.HTTPSeeOther("/login")
        response.del_cookie(COOKIE, path="/")
        raise response

    async def seats_page(self, request: web.Request) -> web.Response:
        """Which seat an agent sits at."""
        session = _session(request, Role.AGENT)
        places = self._floor.places()
        return self._page(request, "seats.html", session, places=places, is_known=self._floor.is_known)

    async def choose_seat(self, request: web.Request) -> web.Response:
        """Sit down: the agent's page then signs in at the CTI server, which has the last word."""
        session = _session(request, Role.AGENT)
        seat = (await request.post()).get("seat", "")
        if seat not in self._settings.seat_ids or not isinstance(seat, str):
            raise web.HTTPBadRequest
        session.seat = seat
        raise web.HTTPSeeOther("/agent?sign_in=1")

    async def agent_page(self, request: web.Request) -> web.Response:
        """The agent's one page, live over the push server."""
        session = _session(request, Role.AGENT)
        if not session.seat:
            raise web.HTTPSeeOther("/seats")
        limits = {"text": TEXT_LIMIT, "name": NAME_LIMIT}
        kinds = [kind.value for kind in Kind]
        return self._live_page(request, "agent.html", session, kinds=kinds, limits=limits)

    async def wall_page(self, request: web.Request) -> web.Response:
        """The seat wall (座席墙)."""
        return self._live_page(request, "wall.html", _session(request, *_OVERSEERS))

    async def screen(self, request: web.Request) -> web.Response:
        """A wall display (大屏) comes by an address that is its right to look, and to nothing else."""
        word = request.match_info["word"]
        if not self._is_screen(word):
            raise web.HTTPNotFound
        self._sessions.close(request[SESSION_ID])
        sid = self._sessions.open(_SCREEN, clock.now().utc_us, screen=word)
        response = web.HTTPSeeOther("/wall")
        self._set_cookie(response, sid, LIFETIME_US // SECOND_US)
        raise response

    def _is_screen(self, word: str) -> bool:
        """Whether that is the word of now; another one may have been made since."""
        return hmac.compare_digest(word.encode(), secret.screen_word(self._settings.state).encode())

    async def choose_phone(self, request: web.Request) -> web.Response:
        """Which phone a supervisor listens with, "" for none; bound into their next push token."""
        session = _session(request, Role.SUPERVISOR, Role.ADMIN)
        phone = (await request.post()).get("phone")
        if phone not in ("", *self._settings.supervisor_ids) or not isinstance(phone, str):
            raise web.HTTPBadRequest
        session.seat = phone
        raise web.HTTPSeeOther("/wall")

    async def push_token(self, request: web.Request) -> web.Response:
        """A token for one connection to the push server, with the server's time, which the page shows."""
        session = _api_session(request)
        if session.person.role is Role.OFFICE:
            raise web.HTTPForbidden
        if not await self._is_welcome(session):
            self._sessions.close(request[SESSION_ID])
            raise web.HTTPUnauthorized
        person, now_us = session.person, clock.now().utc_us
        minted = token.mint(
            self._push_key,
            person.number,
            person.role,
            session.seat or None,
            now_us + TOKEN_US,
            secrets.token_urlsafe(16),
        )
        return web.json_response({"token": minted, "now_us": clock.now().utc_us})

    async def directory(self, request: web.Request) -> web.Response:
        """The departments, in their order; emergency services have buttons of their own."""
        _api_session(request)
        units = await self._known("directory", all_units)
        if units is None:
            return web.json_response({"message": "通讯录暂不可用，稍后自动重试"}, status=503)
        now_us = clock.now().utc_us
        listed = [listing.shown(unit, now_us) for unit in units if unit.kind is not UnitKind.EMERGENCY]
        return web.json_response({"units": listed})

    async def missed(self, request: web.Request) -> web.Response:
        """Who called in vain of late and waits to be called back (漏接)."""
        _api_session(request)
        now_us = clock.now().utc_us
        since_us = now_us - MISSED_DAYS * 86_400 * SECOND_US
        callers = await self._known("missed", lambda asked: missed.waiting(asked, since_us, MOST_MISSED))
        if callers is None:
            return web.json_response({"message": "漏接列表暂不可用，稍后自动重试"}, status=503)
        area, city = self._settings.area_code, self._settings.city
        listed = [_told(each, describe(each.number, area, city).masked, now_us) for each in callers]
        return web.json_response({"callers": listed})

    async def workday(self, request: web.Request) -> web.Response:
        """The agent's own figures of the day; nobody else's are to be had here."""
        agent, now_us = _api_session(request).person.number, clock.now().utc_us
        level_s = self._settings.queue.service_level_s
        day = await self._known("workday", lambda asked: workday(asked, agent, now_us, level_s))
        if day is None:
            return web.json_response({"message": "今日统计暂不可用，稍后自动重试"}, status=503)
        return web.json_response(msgspec.structs.asdict(day))

    async def curves(self, request: web.Request) -> web.Response:
        """The queues' day so far, by quarters of an hour: counts, and nobody's name."""
        _api_session(request)
        now_us, level_s = clock.now().utc_us, self._settings.queue.service_level_s
        slots = await self._known("curves", lambda asked: curves(asked, now_us, level_s))
        if slots is None:
            return web.json_response({"message": "今日走势暂不可用，稍后自动重试"}, status=503)
        return web.json_response({"slots": msgspec.to_builtins(slots)})

    async def health(self, _request: web.Request) -> web.Response:
        """That this process answers; says nothing else to nobody in particular."""
        return web.json_response({"desk": "ok"})

    async def _known(self, what: str, ask: Callable[[AsyncSession], Awaitable[T]]) -> T | None:
        """What the database says within its second; None when it fails or is late."""
        try:
            async with asyncio.timeout(_DATABASE_S), self._database.read() as session:
                return await ask(session)
        except FAILURES as error:
            log.warning("desk_list_without_database", what=what, why=reason(error))
            return None

    async def _is_welcome(self, session: Session) -> bool:
        """Whether the person is still let in. A silent database locks nobody out in mid-shift."""
        if session.screen:
            return self._is_screen(session.screen)
        try:
            async with asyncio.timeout(_DATABASE_S), self._database.read() as reading:
                person = await find_person(reading, session.person.number)
        except FAILURES as error:
            log.warning("desk_token_without_database", why=reason(error))
            return True
        return person is not None and person.enabled and person.role is session.person.role

    def _log_in_form(
        self, request: web.Request, number: str = "", message: str = "", status: int = 200
    ) -> web.Response:
        """The form under an id that means nothing yet, so that its word can be checked when it comes back."""
        sid = request[SESSION_ID] or self._sessions.new_id()
        values = {"form_word": self._sessions.form_word(sid), "number": number, "message": message}
        response = pages.html(pages.render("login.html", city=self._settings.city, **values), status)
        if sid != request[SESSION_ID]:
            self._set_cookie(response, sid, None)
        return response

    def _live_page(self, request: web.Request, name: str, session: Session, **values: object) -> web.Response:
        word = self._sessions.form_word(request[SESSION_ID])
        config = pages.live_config(self._settings, session, word)
        return self._page(request, name, session, config=config, settings=self._settings, **values)

    def _page(self, request: web.Request, name: str, session: Session, **values: object) -> web.Response:
        word = self._sessions.form_word(request[SESSION_ID])
        shared = {"city": self._settings.city, "person": session.person, "seat": session.seat}
        return pages.html(pages.render(name, form_word=word, **shared, **values))

    def _set_cookie(self, response: web.StreamResponse, sid: str, max_age: int | None) -> None:
        value = self._sessions.to_cookie(sid)
        is_secure = self._settings.desk.public_url.startswith("https:")
        response.set_cookie(
            COOKIE, value, max_age=max_age, path="/", httponly=True, samesite="Strict", secure=is_secure
        )


def _told(caller: missed.MissedCaller, masked: str, now_us: int) -> dict[str, object]:
    """A missed caller as the page is told; whoever began long ago has given it up."""
    holder = caller.taken_by if caller.taken_us + HELD_US > now_us else ""
    return msgspec.structs.asdict(caller) | {"masked": masked, "taken_by": holder}
