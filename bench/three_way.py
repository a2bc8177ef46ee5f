"""Measures a three-way call on a real Asterisk: from the agent's click to the third party's INVITE, and the
silence between citizen and seat while their call becomes a room.

One process clicks and hears the city's switch tell of the third party's channel, which is there as soon as
the INVITE is. Silence is the longest time for which one of the two does not hear the other's tone, in the
recording of their own phone. What a busy machine swallows without us is measured beside it, just before.
"""

from __future__ import annotations

import asyncio
import tempfile
import time
from contextlib import AsyncExitStack
from pathlib import Path

import msgspec

from cli.rehearse import agents_at, departments
from cli.stage import Stage, stage, stage_settings
from ctiserver.api.states import SeatState
from ctiserver.client import Client
from hotline.settings import Settings
from rehearsal import city as city_of
from rehearsal.city import CitizenCall
from rehearsal.legs import Leg
from rehearsal.ports import free_ports
from rehearsal.report import spread

INVITE_BAR_MS, SILENCE_BAR_MS = 30.0, 40.0
SEATS, ROUNDS = 6, 5
"""In each round every seat has a citizen, and makes its call a three-way one."""
_BEFORE_S, _MARGIN_S, _AFTER_S = 0.8, 0.1, 1.6
"""From a margin before a click until after it, silence is ours; in the stretch before, the machine's."""
_SETTLE_S = 0.6
"""From the last answer until sound flows everywhere."""
_RINGS_S = 2.0
"""The third party answers after that stretch."""
_BETWEEN_S = 0.25
_WITHIN_S = 40.0


class _Room(msgspec.Struct, frozen=True, kw_only=True):
    """One click, and who was there."""

    citizen: Leg
    seat: Leg
    clicked: float
    invited: float


class _Desk:
    """One seat with its screen, and the unit that it calls."""

    def __init__(self, there: Stage, client: Client, seat: str, unit: str) -> None:
        self._there, self._client, self._seat, self._unit = there, client, seat, unit

    async def sign_in(self) -> None:
        """Ready for the round's citizen."""
        await self._there.city.behave(self._unit, city_of.answer(_RINGS_S))
        await self._client.until(lambda seen: self._seat in seen.seats, _WITHIN_S)
        await self._client.ask("seat.sign_in", ready=True)

    async def talking(self) -> Leg:
        """The seat's phone, once it talks and sound flows."""
        await self._client.until(lambda seen: seen.seats[self._seat].state is SeatState.TALKING, _WITHIN_S)
        seat = await self._there.city.leg(self._seat)
        await seat.answered()
        return seat

    async def click(self, citizens: list[CitizenCall], seat: Leg) -> _Room:
        """Bring the unit in."""
        (view,) = self._client.seen.conversations.values()
        citizen = next(call for call in citizens if call.number == view.number)
        coming = self._there.city.next_leg(self._unit)
        clicked = time.time()
        await self._client.ask("call.three_way", number=self._unit)
        third = await coming
        return _Room(citizen=citizen, seat=seat, clicked=clicked, invited=third.started_at)

    async def ready(self) -> None:
        """The call is over; the next may come."""
        await self._client.until(lambda seen: seen.seats[self._seat].state is SeatState.WRAP_UP, _WITHIN_S)
        await self._client.ask("seat.ready")


async def _round(there: Stage, desks: list[_Desk], first: int) -> list[_Room]:
    numbers = range(first, first + len(desks))
    citizens = [await there.city.call(f"1380538{n:04d}", n=n) for n in numbers]
    seats = await asyncio.gather(*(desk.talking() for desk in desks))
    await asyncio.sleep(_SETTLE_S + _BEFORE_S)
    rooms = []
    for desk, seat in zip(desks, seats, strict=True):
        rooms.append(await desk.click(citizens, seat))
        await asyncio.sleep(_BETWEEN_S)
    await asyncio.sleep(_AFTER_S)
    await there.city.hang_up_all()
    await asyncio.gather(*(desk.ready() for desk in desks))
    return rooms


async def _silence_ms(one: Leg, other: Leg, begin: float, end: float) -> int:
    return await one.longest_gap_ms(other.hz, begin, end)


async def _figures(rooms: list[_Room]) -> dict[str, float]:
    delay = spread([(room.invited - room.clicked) * 1000 for room in rooms])
    found: dict[str, float] = {
        "rooms": len(rooms),
        "invite_p50_ms": delay.p50,
        "invite_p99_ms": delay.p99,
        "citizen_silence_ms": 0,
        "seat_silence_ms": 0,
        "silence_before_ms": 0,
    }
    for room in rooms:
        for name, one, other in (("citizen", room.citizen, room.seat), ("seat", room.seat, room.citizen)):
            clicked = room.clicked
            silence = await _silence_ms(one, other, clicked - _MARGIN_S, clicked + _AFTER_S)
            before = await _silence_ms(one, other, clicked - _BEFORE_S, clicked - _MARGIN_S)
            found[f"{name}_silence_ms"] = max(found[f"{name}_silence_ms"], silence)
            found["silence_before_ms"] = max(found["silence_before_ms"], before)
    return found


async def _measure(seats: int, rounds: int) -> dict[str, float]:
    with tempfile.TemporaryDirectory(prefix="hotline-bench-") as home:
        settings = stage_settings(Settings(), Path(home), seats=seats, ports=free_ports(7))
        async with stage(settings, lambda _said: None) as there, AsyncExitStack() as stack:
            desks = []
            for (agent, seat), unit in zip(agents_at(settings.seat_ids), departments(), strict=False):
                client = Client(there.push_url, lambda agent=agent, seat=seat: there.token_for(agent, seat))  # type: ignore[misc]
                desks.append(_Desk(there, await stack.enter_async_context(client), seat, unit))
            await asyncio.gather(*(desk.sign_in() for desk in desks))
            rooms = [room for n in range(rounds) for room in await _round(there, desks, 1 + n * seats)]
            return await _figures(rooms)


def measure(seats: int = SEATS, rounds: int = ROUNDS) -> dict[str, float]:
    """Milliseconds: the click's delay, the longest silence of any citizen and of any seat, and of both before
    a click.
    """
    return asyncio.run(_measure(seats, rounds))
