"""Owns what every request must pass and every answer must carry: origin, form word, headers, error pages."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import structlog
from aiohttp import BodyPartReader, MultipartReader, web

from agent_desk.pages import error_page
from agent_desk.problems import API, OPEN311, of_status
from agent_desk.sessions import COOKIE, Session, Sessions
from hotline import clock
from hotline.identity.roles import Role
from hotline.settings import Settings

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

SESSION_ID = web.RequestKey("session_id", str)
SESSION = web.RequestKey[Session | None]("session", Session)
UPLOAD = web.RequestKey("upload", MultipartReader)
FORM_FIELD = "form_word"
FORM_HEADER = "X-Form-Word"

_WORD_BYTES = 64
_SAFE = frozenset({"GET", "HEAD"})
_MESSAGE = {
    400: "请求不完整或格式不正确",
    401: "请先登录",
    403: "您没有查看此页的权限，或页面已过期，请刷新后重试",
    404: "没有这个页面",
    405: "不支持这种请求方式",
    413: "提交的内容过大",
    503: "交换机暂时连不上，请稍后重试",
    500: "系统出错，请稍后重试；通话不受影响",
}

log = structlog.get_logger()


def security_headers(settings: Settings) -> dict[str, str]:
    """What every answer carries: nothing from elsewhere, nothing inline, no frame."""
    push = settings.page_push_url.rpartition("/")[0]
    microphone = "(self)" if settings.softphone_ids else "()"
    policy = (
        f"default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; font-src 'self'; "
        f"media-src 'self'; connect-src 'self' {push}; form-action 'self'; frame-ancestors 'none'; "
        f"base-uri 'none'"
    )
    always_tls = {"Strict-Transport-Security": "max-age=31536000"} if settings.desk.certificate else {}
    return always_tls | {
        "Content-Security-Policy": policy,
        "Server": "hotline",
        "X-Content-Type-Options": "nosniff",
        "X-Frame-Options": "DENY",
        "Referrer-Policy": "same-origin",  # with no-referrer a browser hides the Origin of our own forms
        "Cross-Origin-Opener-Policy": "same-origin",
        "Cross-Origin-Resource-Policy": "same-origin",
        "Permissions-Policy": f"camera=(), microphone={microphone}, geolocation=(), payment=()",
    }


class Guard:
    """The middleware around every handler."""

    def __init__(self, settings: Settings, sessions: Sessions) -> None:
        self._origins = frozenset(settings.desk_origins)
        self._hosts = frozenset(origin.partition("://")[2] for origin in self._origins)
        self._headers = security_headers(settings)
        self._sessions = sessions

    async def __call__(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """Check, handle, and dress the answer; whatever goes wrong, the answer is a page of ours."""
        try:
            await self._admit(request)
            response = await handler(request)
        except web.HTTPException as error:
            if error.status < 400:
                self._dress(request, error)
                raise
            response = _refused(request, error.status)
        except Exception:
            resource = request.match_info.route.resource  # its form: an address may hold a secret
            log.exception("desk_request_failed", path=resource.canonical if resource else "")
            response = _refused(request, 500)
        self._dress(request, response)
        return response

    def _dress(self, request: web.Request, response: web.StreamResponse) -> None:
        response.headers.update(self._headers)
        # Scripts are asked for again each time, mostly answered "not modified": no page meets an old one.
        is_static = request.path.startswith("/static/")
        if is_by_token(request):
            response.headers["Cache-Control"] = (
                "private, no-cache"  # an ETag is of use to who keeps the answer
            )
        else:
            response.headers["Cache-Control"] = "no-cache" if is_static else "no-store"

    async def _admit(self, request: web.Request) -> None:
        if request.host not in self._hosts:
            # A foreign name that resolves to us is how a web site reaches a desk from inside (DNS rebinding).
            raise web.HTTPBadRequest
        if is_by_token(request):
            return  # no cookie lets anybody in there, so that no other site's page can use one
        now_us = clock.now().utc_us
        sid = self._sessions.from_cookie(request.cookies.get(COOKIE, ""))
        request[SESSION_ID] = sid or ""
        request[SESSION] = self._sessions.find(sid, now_us) if sid else None
        is_upgrade = request.headers.get("Upgrade", "").lower() == "websocket"
        if is_upgrade and request.headers.get("Origin") not in self._origins:
            raise web.HTTPForbidden  # other sites' pages may open a WebSocket to anywhere, cookies included
        if request.method not in _SAFE:
            await self._check_form(request)

    async def _check_form(self, request: web.Request) -> None:
        if request.headers.get("Origin") not in self._origins:
            raise web.HTTPForbidden
        word = request.headers.get(FORM_HEADER, "")
        if not word and request.content_type == "multipart/form-data":
            word = await _first_part(request)
        if not word and request.content_type == "application/x-www-form-urlencoded":
            given = (await request.post()).get(FORM_FIELD, "")
            word = given if isinstance(given, str) else ""
        sid = request[SESSION_ID]
        if not sid or not self._sessions.is_form_word(sid, word):
            raise web.HTTPForbidden


async def _first_part(request: web.Request) -> str:
    """The form word where a form brings a file: its first part. What follows is left to the handler."""
    reader = request[UPLOAD] = await request.multipart()
    part = await reader.next()
    if not isinstance(part, BodyPartReader) or part.name != FORM_FIELD:
        return ""
    return (await part.read_chunk(_WORD_BYTES)).decode(errors="replace")


def session_of(request: web.Request, *roles: Role) -> Session:
    """The session behind a page: none leads to the log-in, a wrong role is refused."""
    session = request[SESSION]
    if session is None:
        raise web.HTTPSeeOther("/login")
    if roles and session.person.role not in roles:
        raise web.HTTPForbidden
    return session


def api_session_of(request: web.Request) -> Session:
    """The session behind a script's request."""
    session = request[SESSION]
    if session is None:
        raise web.HTTPUnauthorized
    return session


def is_by_token(request: web.Request) -> bool:
    """Whether other systems come in here, by their tokens alone."""
    return request.path.startswith((f"{API}/", f"{OPEN311}/"))


def _refused(request: web.Request, status: int) -> web.Response:
    if is_by_token(request):
        return of_status(status).answer()
    message = _MESSAGE.get(status, _MESSAGE[400])
    if request.path.startswith("/api/"):
        return web.json_response({"message": message}, status=status)
    return error_page(status, message)
