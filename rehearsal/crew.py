"""Owns who else takes part in a full rehearsal: supervisors with phones, colleagues who take transfers, and a
screen that sees every call.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import msgspec

from ctiserver.api.states import SeatState
from ctiserver.client import Client, Refused, Unanswered
from rehearsal.city import City
from rehearsal.seats import TokenFor

COLLEAGUES = 3
"""Seats to which calls are transferred."""
DRILLS = 3
"""Queues in which nobody but two colleagues each serves."""
EXTRA_SEATS = COLLEAGUES + 2 * DRILLS
"""Seats that a full rehearsal needs beside those which serve the queue."""
_WITHIN_S = 20.0
_TIDY_S = 30.0
"""A killed CTI server is back by then, and everything that was begun is over."""
_TIDY_AGAIN_S = 1.0
DRILL_REASON = "演练"
"""Why supervisors do what they do in a rehearsal."""


class Cast(msgspec.Struct, frozen=True, kw_only=True):
    """Whom a full rehearsal may use. Pairs of a person's number and their seat or phone."""

    colleagues: tuple[tuple[str, str], ...]
    """`EXTRA_SEATS` of them: those who take transfers, then two for each of `queues`."""
    queues: tuple[str, ...]
    """The numbers of the drills' queues, which nobody else serves."""
    callback_key: str
    supervisors: tuple[tuple[str, str], ...]
    supervisor_token: TokenFor
    not_ready: str
    """The reason for which colleagues take no calls from the queue; one of the settings'."""
    node: str
    recordings: Path
    """Where the hotline's switch writes a call's recording while the call lasts."""


class Extra:
    """A colleague or a supervisor: a screen and a phone."""

    def __init__(self, client: Client, phone: str, reason: str) -> None:
        self.client = client
        self.phone = phone
        self._reason = reason

    async def ready(self) -> None:
        """示闲. The state may never be seen: what waits for the seat comes at once."""
        await self.client.ask("seat.ready")

    async def not_ready(self) -> None:
        """示忙: at once, or from the end of the call."""
        await self.client.ask("seat.not_ready", reason=self._reason)

    async def becomes(self, state: SeatState) -> None:
        """Wait until the screen shows that state of the seat."""
        await self.client.until(lambda seen: seen.seats[self.phone].state is state, _WITHIN_S)

    @property
    def is_idle(self) -> bool:
        """Not ready, in no call."""
        return self.client.is_up and self.client.seen.seats[self.phone].state is SeatState.NOT_READY


class Drill(msgspec.Struct, frozen=True, kw_only=True):
    """A queue that nobody but these two serves."""

    queue: str
    one: Extra
    other: Extra


class Crew:
    """The cast at work: everybody is lent to one call at a time."""

    def __init__(self, city: City, cast: Cast, wall: Client) -> None:
        self.cast = cast
        self.wall = wall
        self.supervisors: asyncio.Queue[Extra] = asyncio.Queue()
        self.colleagues: asyncio.Queue[Extra] = asyncio.Queue()
        self.drills: list[Drill] = []
        """Those that nobody uses now."""
        self._city = city

    @asynccontextmanager
    async def lent(self, pool: asyncio.Queue[Extra]) -> AsyncIterator[Extra]:
        """Somebody of the pool, as soon as one is free. Whatever happens, their phone is quiet at the end."""
        extra = await pool.get()
        try:
            yield extra
        finally:
            await self._quiet(extra.phone)
            pool.put_nowait(extra)

    @asynccontextmanager
    async def drilled(self) -> AsyncIterator[Drill]:
        """One of `drills`, which must not be empty. One that cannot be tidied up is not lent again."""
        drill = self.drills.pop()
        try:
            yield drill
        finally:
            async with asyncio.timeout(_TIDY_S):
                while not await self._is_tidy(drill):  # noqa: ASYNC110 - it does what leads there
                    await asyncio.sleep(_TIDY_AGAIN_S)
            self.drills.append(drill)

    async def sees(self, is_so: Callable[[], bool], within_s: float) -> bool:
        """Whether the wall shows it within that time."""
        try:
            await self.wall.until(lambda _seen: is_so(), within_s)
        except TimeoutError:
            return False
        return True

    async def _is_tidy(self, drill: Drill) -> bool:
        """Nobody is to be called back from the drill's queue, and both colleagues are idle; else does what
        leads there.
        """
        promises = [kept for kept in self.wall.seen.callbacks.values() if kept.queue == drill.queue]
        try:
            for kept in promises:
                await self.wall.ask("supervise.cancel_callback", conversation=kept.id)
            for colleague in (drill.one, drill.other):
                await self._quiet(colleague.phone)
                if not colleague.is_idle:
                    await colleague.not_ready()
        except (Refused, Unanswered, TimeoutError):
            return False
        return not promises and self.wall.is_up and drill.one.is_idle and drill.other.is_idle

    async def _quiet(self, phone: str) -> None:
        """End the phone's calls."""
        for leg in self._city.parties():
            if leg.number == phone:
                await self._city.hang_up(leg)
                await leg.ended()


@asynccontextmanager
async def crew_of(city: City, cast: Cast, url: str, token_for: TokenFor) -> AsyncIterator[Crew]:
    """Everybody in their places: colleagues signed in and not ready, supervisors connected."""
    async with AsyncExitStack() as stack:

        async def screen(token: TokenFor, person: str, place: str) -> Client:
            client = Client(url, lambda: token(person, place))
            return await stack.enter_async_context(client)

        crew = Crew(city, cast, await screen(cast.supervisor_token, cast.supervisors[0][0], ""))
        for person, phone in cast.supervisors:
            client = await screen(cast.supervisor_token, person, phone)
            crew.supervisors.put_nowait(Extra(client, phone, cast.not_ready))
        seated = []
        for person, seat in cast.colleagues:
            client = await screen(token_for, person, seat)
            await client.until(lambda seen, seat=seat: seat in seen.seats, _WITHIN_S)  # type: ignore[misc]
            await client.ask("seat.sign_in")
            seated.append(Extra(client, seat, cast.not_ready))
        for extra in seated:
            await extra.becomes(SeatState.NOT_READY)
        for extra in seated[:COLLEAGUES]:
            crew.colleagues.put_nowait(extra)
        pairs = zip(seated[COLLEAGUES::2], seated[COLLEAGUES + 1 :: 2], strict=True)
        for queue, (one, other) in zip(cast.queues, pairs, strict=True):
            for extra in (one, other):
                await crew.wall.ask("supervise.queues", seat=extra.phone, queues={queue: 0}, why=DRILL_REASON)
            crew.drills.append(Drill(queue=queue, one=one, other=other))
        yield crew
