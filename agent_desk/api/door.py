"""Owns the door for other systems: who asks, how often, under which key; errors, ETags, kept answers."""

from __future__ import annotations

import asyncio
import hashlib
import re

import msgspec
import structlog
from aiohttp import web
from sqlalchemy.ext.asyncio import AsyncSession

from agent_desk.api import pace
from agent_desk.api.operation import Call, Operation
from agent_desk.api.pace import Pace
from agent_desk.problems import API, Problem, What
from casework.attachments import MOST_BYTES
from casework.rights import Right
from casework.store import answered
from casework.store.systems import System, admit, note_use
from hotline import clock
from hotline.db.engine import FAILURES, Database, reason
from hotline.settings import Settings

KEY_HEADER = "Idempotency-Key"
_KEY = re.compile(r'"?([\x21\x23-\x7e]{1,128})"?')
_ETAG = re.compile(r'(?:W/)?"([^"]*)"')
_RETRY_S = 5

log = structlog.get_logger()


class Kept(msgspec.Struct, frozen=True, kw_only=True):
    """An answer as it is kept under its key."""

    status: int
    body: msgspec.Raw
    etag: str
    location: str


class Door:
    """Where every operation of the API is asked for."""

    def __init__(self, settings: Settings, database: Database) -> None:
        self._settings = settings
        self._database = database
        self._paces: dict[str, Pace] = {}

    def route(self, operation: Operation) -> web.AbstractRouteDef:
        """The operation's address."""

        async def answer(request: web.Request) -> web.StreamResponse:
            return await self._answer(operation, request)

        return web.route(operation.method, API + operation.route, answer)

    async def admitted(self, word: str, right: Right) -> System:
        """The system whose token this is, counted; Problem unless it may come in with this right."""
        now = clock.now()
        async with self._database.read() as session:
            system = await admit(session, word, now.utc_us)
        if system is None:
            raise Problem(What.UNAUTHENTICATED)
        self._paces[system.token], wait_s = pace.step(
            self._paces.get(system.token), system.per_minute, now.mono_us
        )
        if wait_s:
            raise Problem(What.TOO_MANY, wait_s=wait_s)
        if not system.is_use_noted:
            async with self._database.begin() as session:
                await note_use(session, system.token, now.utc_us)
        if right not in system.rights:
            raise Problem(What.FORBIDDEN, f"令牌没有权限 {right.value}")
        return system

    async def _answer(self, operation: Operation, request: web.Request) -> web.StreamResponse:
        """Whatever happens, the answer is one of those declared; what was asked is never logged."""
        try:
            async with asyncio.timeout(operation.within_s):
                system = await self.admitted(bearer(request), operation.right)
                if operation.method == "POST":
                    return await self._change(operation, request, system)
                return await self._look(operation, request, system)
        except Problem as problem:
            return problem.answer()
        except FAILURES as error:
            log.warning("api_without_database", operation=operation.name, why=reason(error))
            return Problem(What.UNAVAILABLE, wait_s=_RETRY_S).answer()

    async def _look(self, operation: Operation, request: web.Request, system: System) -> web.StreamResponse:
        query = operation.read_query(request)
        opening = self._database.begin() if operation.leaves_trace else self._database.read()
        async with opening as session:
            call = self._call(request, session, system, query, None)
            reply = await operation.handler(call)
        if reply.file is not None:
            return reply.file
        body = msgspec.json.encode(reply.body)
        etag = reply.etag or hashlib.sha256(body).hexdigest()[:32]
        if is_named(etag, request.headers.get("If-None-Match", "")):
            return web.Response(status=304, headers={"ETag": f'"{etag}"', "Vary": "Authorization"})
        return _response(Kept(status=operation.status, body=msgspec.Raw(body), etag=etag, location=""))

    async def _change(self, operation: Operation, request: web.Request, system: System) -> web.StreamResponse:
        """In one transaction: take the key, do it, keep the answer. A refusal undoes all three."""
        query = operation.read_query(request)
        content = await (_file(request) if operation.takes_file else request.read())
        body = content if operation.takes_file else operation.read_body(request, content)
        key = _key(request) if operation.keeps else ""
        asked = f"{request.method} {request.path_qs} ".encode() + content
        fingerprint = hashlib.sha256(asked).hexdigest()
        async with self._database.begin() as session:
            call = self._call(request, session, system, query, body)
            known = await answered.take(session, system.name, key, fingerprint, call.now_us) if key else None
            if known is not None:
                return _again(known, fingerprint)
            reply = await operation.handler(call)
            kept = Kept(
                status=operation.status,
                body=msgspec.Raw(msgspec.json.encode(reply.body)),
                etag=reply.etag,
                location=reply.location,
            )
            if key:
                await answered.keep(session, system.name, key, msgspec.json.encode(kept).decode())
        return _response(kept)

    def _call(
        self, request: web.Request, session: AsyncSession, system: System, query: object, body: object
    ) -> Call:
        return Call(
            request=request,
            session=session,
            settings=self._settings,
            system=system,
            query=query,
            body=body,
            now_us=clock.now().utc_us,
        )


def is_named(etag: str, header: str) -> bool:
    """Whether If-Match or If-None-Match names this version; an absent header names none."""
    return header.strip() == "*" or etag in _ETAG.findall(header)


def _again(known: tuple[str, str], fingerprint: str) -> web.Response:
    before, answer = known
    if before != fingerprint:
        raise Problem(What.KEY_REUSED)
    response = _response(msgspec.json.decode(answer, type=Kept))
    response.headers["Idempotent-Replayed"] = "true"
    return response


def _response(kept: Kept) -> web.Response:
    headers = {"Vary": "Authorization"}
    if kept.etag:
        headers["ETag"] = f'"{kept.etag}"'
    if kept.location:
        headers["Location"] = kept.location
    return web.Response(
        body=bytes(kept.body), status=kept.status, content_type="application/json", headers=headers
    )


def bearer(request: web.Request) -> str:
    """The token in `Authorization`, "" without one."""
    scheme, _, word = request.headers.get("Authorization", "").partition(" ")
    return word if scheme.lower() == "bearer" else ""


def _key(request: web.Request) -> str:
    given = request.headers.get(KEY_HEADER, "")
    form = _KEY.fullmatch(given)
    if given and form is None:
        raise Problem(What.MALFORMED, f"{KEY_HEADER} 须为 1 至 128 个可见的 ASCII 字符")
    return form[1] if form is not None else ""


async def _file(request: web.Request) -> bytes:
    """The body's bytes, within what an attachment may have: more than the server takes of a form."""
    content = bytearray()
    async for chunk in request.content.iter_any():
        content += chunk
        if len(content) > MOST_BYTES:
            raise Problem(What.TOO_LARGE, "附件不能超过 10 MB")
    return bytes(content)
