"""Owns the desk's doors for WebSockets, behind which others listen on loopback: what passes is not read.

`/sip` leads the phone in the page (网页话机) to the switch; its speech goes from browser to switch. `/push`
leads a page to the CTI server where the desk has a certificate of its own and no proxy does so.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable

import structlog
from aiohttp import ClientError, ClientSession, ClientWebSocketResponse, WSCloseCode, WSMsgType, web

from agent_desk.floor import push_url
from agent_desk.guard import api_session_of
from asterisk_conf.ports import ami_host
from hotline.identity.roles import Role
from hotline.settings import Settings

MOST_BYTES = 64 * 1024
"""Of one SIP message; a browser's longest offer has some six thousand."""
_MOST_PUSHED = 16 << 20
"""A snapshot of a floor with two thousand seats."""
_SIP = "sip"
_CONNECT_S = 3.0
_BEAT_S = 20.0

log = structlog.get_logger()


class Doors:
    """The handlers."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._phones = frozenset(settings.softphone_ids)
        self._switch = f"http://{ami_host(settings)}:{settings.switch.http_port}/ws"
        self._push = push_url(settings)

    def routes(self) -> Iterable[web.AbstractRouteDef]:
        """The doors that there are."""
        yield web.get("/sip", self.sip, allow_head=False)
        if self._settings.desk.certificate:
            yield web.get("/push", self.push, allow_head=False)

    async def sip(self, request: web.Request) -> web.WebSocketResponse:
        """To the switch, for nobody but the agent whose log-in chose that seat."""
        session = api_session_of(request)
        if session.person.role is not Role.AGENT or session.seat not in self._phones:
            raise web.HTTPForbidden
        log.info("desk_sip_opened", seat=session.seat)
        page = await _joined(request, self._switch, MOST_BYTES, _SIP)
        log.info("desk_sip_closed", seat=session.seat)
        return page

    async def push(self, request: web.Request) -> web.WebSocketResponse:
        """To the CTI server, which lets in whoever shows a token of ours and tells them what they may see."""
        return await _joined(request, f"{self._push}?{request.query_string}", _MOST_PUSHED)


async def _joined(request: web.Request, url: str, most_bytes: int, *protocols: str) -> web.WebSocketResponse:
    """Join the page's socket with one to that address until either closes; it closes as the other did."""
    page = web.WebSocketResponse(protocols=protocols, max_msg_size=most_bytes, heartbeat=_BEAT_S)
    async with ClientSession() as client:
        try:
            async with asyncio.timeout(_CONNECT_S):
                behind = await client.ws_connect(url, protocols=protocols, max_msg_size=most_bytes)
        except (ClientError, OSError, TimeoutError) as error:
            log.warning("desk_door_leads_nowhere", door=request.path, why=type(error).__name__)
            raise web.HTTPServiceUnavailable from error
        async with behind:
            await page.prepare(request)
            ways = [asyncio.ensure_future(_pass_on(*way)) for way in ((page, behind), (behind, page))]
            try:
                await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
            finally:
                for way in ways:
                    way.cancel()
                await asyncio.gather(*ways, return_exceptions=True)
                await behind.close()
                await page.close(code=behind.close_code or WSCloseCode.GOING_AWAY)
    return page


async def _pass_on(
    source: web.WebSocketResponse | ClientWebSocketResponse,
    sink: web.WebSocketResponse | ClientWebSocketResponse,
) -> None:
    async for message in source:
        if message.type is WSMsgType.TEXT:
            await sink.send_str(message.data)
        elif message.type is WSMsgType.BINARY:
            await sink.send_bytes(message.data)
