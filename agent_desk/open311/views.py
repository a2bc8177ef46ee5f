"""Owns the addresses of GeoReport v2: services, requests, tokens; errors as the standard writes them."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence

import structlog
from aiohttp import web
from sqlalchemy.ext.asyncio import AsyncSession

from agent_desk.api.door import Door, bearer
from agent_desk.api.operation import ID_FORM, USUAL_S
from agent_desk.cases.intake import FRONT, citizen_of
from agent_desk.open311 import mapping, wire
from agent_desk.open311.mapping import MOST, OTHER, BadRequest
from agent_desk.problems import OPEN311, Problem, What
from casework.case import Case
from casework.catalogue import Matter
from casework.rights import Right, may_see, units_of
from casework.service import case_of_number, open_in
from casework.store import cases as store
from casework.store import lists
from casework.store.lists import Wanted
from casework.store.matters import all_matters
from casework.store.systems import System
from casework.words import Refusal
from hotline import clock
from hotline.db.engine import FAILURES, Database, reason
from hotline.settings import Settings

_FORM = "{form:xml|json}"
_SPECIFICATION = "http://wiki.open311.org/GeoReport_v2"
_CHANGESET = "2026-11-25T00:00:00Z"
_NOTICE = "已受理，请记住编号，可凭编号查询办理情况"
_UNKNOWN = "没有这个编号的诉求"

log = structlog.get_logger()

Handler = Callable[[web.Request, str], Awaitable[bytes]]


class Open311:
    """The handlers."""

    def __init__(self, settings: Settings, database: Database, door: Door) -> None:
        self._settings = settings
        self._database = database
        self._door = door

    def routes(self) -> Iterable[web.AbstractRouteDef]:
        """All of them, each in both forms."""
        at = OPEN311
        number = "{number:[0-9]{8}-[0-9]{4,9}}"
        return (
            web.get(f"{at}/discovery.{_FORM}", self._answered(self.discovery)),
            web.get(f"{at}/services.{_FORM}", self._answered(self.services)),
            web.get(f"{at}/services/{{code:[a-z][a-z0-9-]*}}.{_FORM}", self._answered(self.service)),
            web.get(f"{at}/requests.{_FORM}", self._answered(self.requests)),
            web.post(f"{at}/requests.{_FORM}", self._answered(self.ask, 201)),
            web.get(f"{at}/requests/{number}.{_FORM}", self._answered(self.request)),
            web.get(f"{at}/tokens/{{id:{ID_FORM}}}.{_FORM}", self._answered(self.token)),
        )

    async def discovery(self, _request: web.Request, form: str) -> bytes:
        """Where what is spoken (Service Discovery)."""
        base = (
            self._settings.desk.public_url or f"http://{self._settings.desk.host}:{self._settings.desk.port}"
        )
        endpoint = {
            "specification": _SPECIFICATION,
            "url": base + OPEN311,
            "changeset": _CHANGESET,
            "type": "production",
            "formats": list(wire.TYPES.values()),
        }
        found = {
            "changeset": _CHANGESET,
            "contact": f"{self._settings.city} 12345",
            "key_service": "令牌由热线运维人员发放（hotline token create）",
            "endpoints": [endpoint],
        }
        return wire.single("discovery", found, form)

    async def services(self, request: web.Request, form: str) -> bytes:
        """The catalogue (派单目录) as services."""
        self._check_jurisdiction(request.query)
        async with self._database.read() as session:
            found = [mapping.service(one) for one in await all_matters(session, clock.now().utc_us)]
        return wire.listed("services", "service", [*found, mapping.OTHER_SERVICE], form)

    async def service(self, request: web.Request, form: str) -> bytes:
        """What may be said about a request of one service."""
        self._check_jurisdiction(request.query)
        code = request.match_info["code"]
        async with self._database.read() as session:
            await _matter(session, code)
        return wire.single("service_definition", mapping.definition(code), form)

    async def ask(self, request: web.Request, form: str) -> bytes:
        """Take a request in: it is a case with a number at once."""
        sent = [(name, value) for name, value in (await request.post()).items() if isinstance(value, str)]
        fields = dict(sent)
        system = await self._admitted(request, fields, Right.WRITE)
        if not any(post.part in FRONT for post in system.posts):
            raise Problem(What.FORBIDDEN, "api_key 的岗位不能受理诉求")
        self._check_jurisdiction(fields)
        if not fields.get("service_code"):
            raise BadRequest("service_code 没有填写")
        citizen = citizen_of(self._settings, fields.get("phone", ""))
        async with self._database.begin() as session:
            matter = await _matter(session, fields["service_code"])
            new = mapping.new_case(sent, matter, citizen, system.name)
            case = await open_in(session, new, self._settings.node, clock.now().utc_us)
        if isinstance(case, Refusal):
            raise BadRequest(case.value)
        row = {"service_request_id": case.number, "service_notice": _NOTICE, "account_id": None}
        return wire.listed("service_requests", "request", [row], form)

    async def requests(self, request: web.Request, form: str) -> bytes:
        """Requests that the key's posts may see, newest first, within 90 days and a thousand."""
        query = request.query
        system = await self._admitted(request, query, Right.READ)
        self._check_jurisdiction(query)
        numbers = mapping.comma(query.get("service_request_id", ""))
        async with self._database.read() as session:
            matters = await all_matters(session, clock.now().utc_us)
            if numbers:
                wanted = Wanted(numbers=numbers[:MOST])
            else:
                since_us, until_us = mapping.window(
                    query.get("start_date", ""), query.get("end_date", ""), clock.now().utc_us
                )
                wanted = Wanted(
                    states=mapping.states(query.get("status", "")),
                    topics=_topics(mapping.comma(query.get("service_code", "")), matters),
                    since_us=since_us,
                    until_us=until_us,
                    units=units_of(system.posts),
                )
            found = await lists.found(session, wanted, MOST)
            return await _told(session, system, found, matters, form)

    async def request(self, request: web.Request, form: str) -> bytes:
        """One request by its number."""
        system = await self._admitted(request, request.query, Right.READ)
        self._check_jurisdiction(request.query)
        async with self._database.read() as session:
            case = await case_of_number(session, request.match_info["number"])
            if case is None or not _is_shown(case, system):
                raise Problem(What.NOT_FOUND, _UNKNOWN)
            return await _told(session, system, [case], await all_matters(session, clock.now().utc_us), form)

    async def token(self, request: web.Request, form: str) -> bytes:
        """The number of a request whose token is known: the case's own id, as `/api/v1` says it."""
        system = await self._admitted(request, request.query, Right.READ)
        self._check_jurisdiction(request.query)
        async with self._database.read() as session:
            case = await store.load(session, request.match_info["id"])
        if case is None or not _is_shown(case, system):
            raise Problem(What.NOT_FOUND, _UNKNOWN)
        row = {"service_request_id": case.number, "token": case.id}
        return wire.listed("service_requests", "request", [row], form)

    async def _admitted(self, request: web.Request, fields: Mapping[str, str], right: Right) -> System:
        return await self._door.admitted(fields.get("api_key", "") or bearer(request), right)

    def _check_jurisdiction(self, fields: Mapping[str, str]) -> None:
        ours, given = self._settings.desk.jurisdiction_id, fields.get("jurisdiction_id", "")
        if ours and given and given != ours:
            raise Problem(What.NOT_FOUND, f"没有 jurisdiction_id {given}")

    def _answered(
        self, handler: Handler, status: int = 200
    ) -> Callable[[web.Request], Awaitable[web.Response]]:
        async def answer(request: web.Request) -> web.Response:
            form = request.match_info["form"]
            try:
                async with asyncio.timeout(USUAL_S):
                    return _response(await handler(request, form), form, status)
            except BadRequest as error:
                return _error(400, str(error), form)
            except Problem as problem:
                # the standard knows 403 for a key that is missing or not approved
                code = 403 if problem.what is What.UNAUTHENTICATED else problem.what.status
                return _error(code, problem.detail, form)
            except FAILURES as error:
                log.warning("open311_without_database", why=reason(error))
                return _error(503, What.UNAVAILABLE.name_zh, form)

        return answer


async def _told(
    session: AsyncSession, system: System, found: Iterable[Case], matters: Iterable[Matter], form: str
) -> bytes:
    shown = [case for case in found if _is_shown(case, system)]
    codes = {matter.name: matter.id for matter in matters}
    updated = await store.last_moves(session, [case.id for case in shown])
    rows = [mapping.request(case, codes, updated[case.id]) for case in shown]
    return wire.listed("service_requests", "request", rows, form)


def _is_shown(case: Case, system: System) -> bool:
    """What is secret is nothing for a standard that knows no secrets."""
    return not case.is_secret and may_see(case, system.posts)


async def _matter(session: AsyncSession, code: str) -> Matter | None:
    """The matter behind a service, None for the service of all others; Problem for none."""
    found = {matter.id: matter for matter in await all_matters(session, clock.now().utc_us)}
    if code not in found and code != OTHER:
        raise Problem(What.NOT_FOUND, f"没有 service_code {code}")
    return found.get(code)


def _topics(codes: Sequence[str], matters: Iterable[Matter]) -> tuple[str, ...]:
    names = {matter.id: matter.name for matter in matters} | {OTHER: ""}
    if unknown := [code for code in codes if code not in names]:
        raise Problem(What.NOT_FOUND, f"没有 service_code {unknown[0]}")
    return tuple(names[code] for code in codes)


def _response(body: bytes, form: str, status: int) -> web.Response:
    return web.Response(body=body, status=status, content_type=wire.TYPES[form], charset="utf-8")


def _error(status: int, description: str, form: str) -> web.Response:
    row = {"code": status, "description": description}
    return _response(wire.listed("errors", "error", [row], form), form, status)
