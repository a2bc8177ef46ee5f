"""Owns who else takes part in a full rehearsal: supervisors with phones, colleagues who take transfers, and a
screen that sees every call.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import msgspec

from ctiserver.api.states import SeatState
from ctiserver.client import Client
from rehearsal.city import City
from rehearsal.seats import TokenFor

COLLEAGUES = 3
"""Seats that a full rehearsal needs beside those which serve the queue."""
_SEATED_WITHIN_S = 20.0


class Cast(msgspec.Struct, frozen=True, kw_only=True):
    """Whom a full rehearsal may use. Pairs of a person's number and their seat or phone."""

    colleagues: tuple[tuple[str, str], ...]
    supervisors: tuple[tuple[str, str], ...]
    supervisor_token: TokenFor
    not_ready: str
    """The reason for which colleagues take no calls from the queue; one of the settings'."""
    node: str
    recordings: Path
    """Where the hotline's switch writes a call's recording while the call lasts."""


class Extra:
    """A colleague or a supervisor: a screen and a phone."""

    def __init__(self, client: Client, phone: str) -> None:
        self.client = client
        self.phone = phone


class Crew:
    """The cast at work: everybody is lent to one call at a time."""

    def __init__(self, city: City, cast: Cast, wall: Client) -> None:
        self.cast = cast
        self.wall = wall
        self.supervisors: asyncio.Queue[Extra] = asyncio.Queue()
        self.colleagues: asyncio.Queue[Extra] = asyncio.Queue()
        self._city = city

    @asynccontextmanager
    async def lent(self, pool: asyncio.Queue[Extra]) -> AsyncIterator[Extra]:
        """Somebody of the pool, as soon as one is free. Whatever happens, their phone is quiet at the end."""
        extra = await pool.get()
        try:
            yield extra
        finally:
            for leg in self._city.parties():
                if leg.number == extra.phone:
                    await self._city.hang_up(leg)
                    await leg.ended()
            pool.put_nowait(extra)


@asynccontextmanager
async def crew_of(city: City, cast: Cast, url: str, token_for: TokenFor) -> AsyncIterator[Crew]:
    """Everybody in their places: colleagues signed in and not ready, supervisors connected."""
    async with AsyncExitStack() as stack:

        async def screen(token: TokenFor, person: str, place: str) -> Client:
            client = Client(url, lambda: token(person, place))
            return await stack.enter_async_context(client)

        crew = Crew(city, cast, await screen(cast.supervisor_token, cast.supervisors[0][0], ""))
        for person, phone in cast.supervisors:
            crew.supervisors.put_nowait(Extra(await screen(cast.supervisor_token, person, phone), phone))
        for person, seat in cast.colleagues:
            client = await screen(token_for, person, seat)
            await client.until(lambda seen, seat=seat: seat in seen.seats, _SEATED_WITHIN_S)  # type: ignore[misc]
            await client.ask("seat.sign_in")
            crew.colleagues.put_nowait(Extra(client, seat))
        await crew.wall.until(
            lambda seen: all(seen.seats[seat].state is SeatState.NOT_READY for _, seat in cast.colleagues),
            _SEATED_WITHIN_S,
        )
        yield crew
