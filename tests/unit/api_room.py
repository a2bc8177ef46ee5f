"""Owns what the tests of the API share: a city, a serving desk, and other systems that come in by tokens."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp

from agent_desk.app import serve
from casework.rights import Right
from casework.store.posts import Post
from casework.store.systems import USUAL_PER_MINUTE, NewToken, create_token
from casework.words import Part
from hotline import clock
from hotline.db.engine import Database
from hotline.settings import DeskSettings, Settings
from tests.unit.test_desk import KEYS, free_port

CITIZEN = "13805386987"
CASE = {"title": "路灯不亮", "text": "三晚了", "place": "泰山区岱庙街道", "number": CITIZEN}


class Answer:
    """An answer of the API."""

    def __init__(self, status: int, headers: Any, body: bytes) -> None:
        self.status, self.headers, self.raw = status, headers, body

    @property
    def json(self) -> Any:
        return json.loads(self.raw)

    @property
    def etag(self) -> str:
        return str(self.headers.get("ETag", ""))

    @property
    def problem(self) -> tuple[int, str]:
        """Its status and the end of its type."""
        assert self.headers["Content-Type"] == "application/problem+json"
        assert self.json["status"] == self.status
        return self.status, self.json["type"].partition("#")[2]


class Client:
    """Another system, with a token of its own."""

    def __init__(self, http: aiohttp.ClientSession, base: str, token: str) -> None:
        self.http, self.base, self.token = http, base, token

    async def ask(self, method: str, path: str, body: object = None, **headers: str) -> Answer:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        given: dict[str, Any] = {"data": body} if isinstance(body, bytes) else {}
        if body is not None and not given:
            given = {"json": body}
        all_headers = {"Authorization": f"Bearer {self.token}"} | named
        async with self.http.request(method, self.base + path, headers=all_headers, **given) as answer:
            return Answer(answer.status, answer.headers, await answer.read())

    async def get(self, path: str, **headers: str) -> Answer:
        return await self.ask("GET", path, **headers)

    async def post(self, path: str, body: object = None, **headers: str) -> Answer:
        return await self.ask("POST", path, {} if body is None else body, **headers)


class Room:
    """The serving desk, and whom it lets in."""

    def __init__(self, database: Database, settings: Settings, http: aiohttp.ClientSession) -> None:
        self.database, self.settings, self.http = database, settings, http
        self.base = f"http://127.0.0.1:{settings.desk.port}"

    async def system(
        self, name: str, *posts: Post, rights: tuple[Right, ...] = tuple(Right), per_minute: int = 0
    ) -> Client:
        new = NewToken(system=name, rights=rights, posts=posts, per_minute=per_minute or USUAL_PER_MINUTE)
        async with self.database.begin() as session:
            token = await create_token(session, new, clock.now().utc_us)
        return Client(self.http, f"{self.base}/api/v1", token)

    async def dispatcher(self, name: str = "platform") -> Client:
        return await self.system(name, Post(Part.DISPATCHER), rights=tuple(set(Right) - {Right.SECRET}))

    async def unit(self, id_: str) -> Client:
        return await self.system(id_[:16], Post(Part.UNIT, id_))


@asynccontextmanager
async def opened(database: Database, state: Path, jurisdiction_id: str = "") -> AsyncIterator[Room]:
    """A room around this database; `state` is where files lie."""
    desk = DeskSettings(port=free_port(), jurisdiction_id=jurisdiction_id)
    settings = Settings(state_dir=str(state), desk=desk)
    runner = await serve(settings, KEYS, database)
    async with aiohttp.ClientSession() as http:
        yield Room(database, settings, http)
    await runner.cleanup()
