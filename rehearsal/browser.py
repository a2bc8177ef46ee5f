"""Owns a browser's part at the desk without one: cookies, the Origin header, the word of the last form."""

from __future__ import annotations

import re

import aiohttp

WORD = re.compile(r'name="form_word" value="([0-9a-f]{64})"')
"""How a form carries the word without which the desk takes nothing."""


class Browser:
    """One person's browser. `base` is the desk's address, `http` a session with a cookie jar of its own."""

    def __init__(self, http: aiohttp.ClientSession, base: str) -> None:
        self.http, self.base, self.word = http, base, ""

    async def get(self, path: str, **headers: str) -> tuple[int, str]:
        """A page: status and text."""
        async with self.http.get(self.base + path, headers=headers) as answer:
            text = await answer.text()
            if found := WORD.search(text):
                self.word = found[1]
            return answer.status, text

    async def post(self, path: str, origin: str | None = None, **form: str) -> aiohttp.ClientResponse:
        """Send a form, with the word of the page seen last."""
        headers = {"Origin": origin if origin is not None else self.base}
        data = {"form_word": self.word, **form}
        return await self.http.post(self.base + path, data=data, headers=headers, allow_redirects=False)

    async def log_in(self, number: str, password: str) -> aiohttp.ClientResponse:
        """Fill the form of the door."""
        await self.get("/login")
        return await self.post("/login", number=number, password=password)
