"""Owns the API's addresses: every operation; the contract and the list of problems, open to anybody."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec
from aiohttp import web

from agent_desk.api import openapi
from agent_desk.api.door import Door
from agent_desk.problems import API, PATH, Details, What


def routes(door: Door) -> Iterable[web.AbstractRouteDef]:
    """All of them."""
    contract = openapi.text().encode()
    problems = [Details(type=what.uri, title=what.name_zh, status=what.status) for what in What]

    async def read_contract(_request: web.Request) -> web.Response:
        return web.Response(body=contract, content_type="application/json")

    async def read_problems(_request: web.Request) -> web.Response:
        return web.Response(body=msgspec.json.encode(problems), content_type="application/json")

    return (
        web.get(f"{API}/openapi.json", read_contract),
        web.get(PATH, read_problems),
        *map(door.route, openapi.operations()),
    )
