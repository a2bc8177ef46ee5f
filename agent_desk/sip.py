"""Owns the way of a phone in the page (网页话机) to the switch: SIP over WebSocket, passed on unread.

The switch's own port stays on loopback, and nobody comes to it but the agent whose log-in chose that seat.
Speech does not pass here: it goes from browser to switch.
"""

from __future__ import annotations

import asyncio

import structlog
from aiohttp import ClientError, ClientSession, ClientWebSocketResponse, WSMsgType, web

from agent_desk.guard import api_session_of
from asterisk_conf.ports import ami_host
from hotline.identity.roles import Role
from hotline.settings import Settings

MOST_BYTES = 64 * 1024
"""Of one SIP message; a browser's longest offer has some six thousand."""
_PROTOCOL = "sip"
_CONNECT_S = 3.0
_BEAT_S = 20.0

log = structlog.get_logger()


class SipDoor:
    """The handler of `/sip`."""

    def __init__(self, settings: Settings) -> None:
        self._phones = frozenset(settings.softphone_ids)
        self._switch = f"http://{ami_host(settings)}:{settings.switch.http_port}/ws"

    async def open(self, request: web.Request) -> web.WebSocketResponse:
        """Join the page's socket with one to the switch until either closes."""
        session = api_session_of(request)
        if session.person.role is not Role.AGENT or session.seat not in self._phones:
            raise web.HTTPForbidden
        page = web.WebSocketResponse(protocols=(_PROTOCOL,), max_msg_size=MOST_BYTES, heartbeat=_BEAT_S)
        async with ClientSession() as client:
            try:
                async with asyncio.timeout(_CONNECT_S):
                    switch = await client.ws_connect(
                        self._switch, protocols=(_PROTOCOL,), max_msg_size=MOST_BYTES
                    )
            except (ClientError, OSError, TimeoutError) as error:
                log.warning("desk_sip_without_switch", seat=session.seat, why=type(error).__name__)
                raise web.HTTPServiceUnavailable from error
            async with switch:
                await page.prepare(request)
                log.info("desk_sip_opened", seat=session.seat)
                await _join(page, switch)
        log.info("desk_sip_closed", seat=session.seat)
        return page


async def _join(page: web.WebSocketResponse, switch: ClientWebSocketResponse) -> None:
    """Pass messages both ways; when one side ends, so does the other."""
    ways = [asyncio.ensure_future(_pass_on(*way)) for way in ((page, switch), (switch, page))]
    try:
        await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for way in ways:
            way.cancel()
        await asyncio.gather(*ways, return_exceptions=True)
        await switch.close()
        await page.close()


async def _pass_on(
    source: web.WebSocketResponse | ClientWebSocketResponse,
    sink: web.WebSocketResponse | ClientWebSocketResponse,
) -> None:
    async for message in source:
        if message.type is WSMsgType.TEXT:
            await sink.send_str(message.data)
        elif message.type is WSMsgType.BINARY:
            await sink.send_bytes(message.data)
