"""Owns one citizen in the hands of an exercise: what can be done, and what must be heard and kept of it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from itertools import permutations

import msgspec

from ctiserver.api.states import AttemptState, Conversation, LegState, Role, SeatState
from rehearsal.city import CitizenCall, City
from rehearsal.crew import DRILL_REASON, Crew, Extra
from rehearsal.legs import CallEnded, Leg
from rehearsal.seats import SimulatedAgent

SETTLE_S = 0.6
"""From a change of place until sound flows as it should."""
SPAN_S = 1.0
"""How long nothing changes while the ear listens."""
WITHIN_S = 15.0
_ANSWERED_WITHIN_S = 40.0
"""A call that a killed CTI server left to the queue."""
_LONGEST_SILENCE_MS = 600
"""In music there are rests."""

TALK = frozenset({"citizen<seat", "seat<citizen"})
CallThird = Callable[[SimulatedAgent, str, str], Awaitable[tuple[int, Leg]]]
"""(agent, op, number) -> the attempt's n, and the third party's phone."""


class Claim(msgspec.Struct, frozen=True, kw_only=True):
    """For that time exactly those `pairs` of `legs` hear: "citizen<seat" is the citizen who hears the seat.

    Moments are seconds since 1970.
    """

    what: str
    legs: dict[str, Leg]
    pairs: frozenset[str]
    begin: float
    end: float
    has_music: bool = False
    """The citizen hears something though nobody speaks to them."""

    async def fault(self) -> str:
        """What was heard otherwise, "" when all is as claimed."""
        for a, b in permutations(self.legs, 2):
            hears = await self.legs[a].heard(self.legs[b].hz, self.begin, self.end)
            if hears is not (f"{a}<{b}" in self.pairs):
                return f"{self.what}: {a} {'hears' if hears else 'does not hear'} {b}"
        if self.has_music:
            silence_ms = await self.legs["citizen"].longest_silence_ms(self.begin, self.end)
            if silence_ms > _LONGEST_SILENCE_MS:
                return f"{self.what}: the citizen hears nothing for {silence_ms} ms"
        return ""


class Recorded(msgspec.Struct, frozen=True, kw_only=True):
    """What the hotline kept of a call: the outcome's word, and whether it has ended."""

    number: str
    outcome: str
    seat: str = ""
    """The seat that answered last."""
    thirds: tuple[str, ...] = ()
    """The third parties who answered, by number."""
    supervised: tuple[str, ...] = ()
    """What supervisors did, in order."""
    rating: int | None = None
    """What the citizen answered in the rating; None when they were not asked."""
    is_outbound: bool = False
    """The hotline called the citizen."""


class Scene:
    """One citizen in the hands of one exercise. What must be kept of their call stands in `kept` at the end,
    of further ones in `kept_more`.
    """

    def __init__(
        self,
        city: City,
        crew: Crew,
        agent: SimulatedAgent,
        conversation: str,
        citizen: CitizenCall,
        seat: Leg,
        unit: str,
        call_third: CallThird,
        n: int,
    ) -> None:
        self.city, self.crew, self.agent, self.conversation = city, crew, agent, conversation
        self.citizen, self.seat, self.unit, self._call_third = citizen, seat, unit, call_third
        self.legs: dict[str, Leg] = {"citizen": citizen, "seat": seat}
        self.claims: list[Claim] = []
        self.faults: list[str] = []
        self.kept = Recorded(number=citizen.number, outcome="answered", seat=seat.number)
        self.kept_more: list[Recorded] = []
        self._n = n

    def keep(self, **fields: object) -> None:
        """What else the record of the call must say."""
        self.kept = msgspec.structs.replace(self.kept, **fields)

    async def ask(self, op: str, **args: str | int | bool) -> None:
        """The agent's command."""
        await self.agent.ask(op, **args)

    async def becomes(self, state: SeatState) -> None:
        """Wait until the agent's screen shows that state."""
        await self.agent.until(lambda: self.agent.state is state, WITHIN_S)

    async def hear(self, what: str, pairs: frozenset[str] | set[str], *, has_music: bool = False) -> None:
        """Let a while pass in which just these pairs of the living legs hear."""
        begin = time.time() + SETTLE_S
        await asyncio.sleep(SETTLE_S + SPAN_S)
        legs = {name: leg for name, leg in self.legs.items() if leg.ended_at is None}
        self.claims.append(
            Claim(
                what=what,
                legs=legs,
                pairs=frozenset(pairs),
                begin=begin,
                end=time.time() - 0.1,
                has_music=has_music,
            )
        )

    async def all_hear(self, what: str) -> None:
        """Let a while pass in which everybody hears everybody."""
        living = [name for name, leg in self.legs.items() if leg.ended_at is None]
        await self.hear(what, {f"{a}<{b}" for a, b in permutations(living, 2)})

    async def bring(self, op: str) -> None:
        """Call the unit, and wait until it has answered."""
        n, third = await self._call_third(self.agent, op, self.unit)
        self.legs["third"] = third
        if not await self.agent.attempt_becomes(self.conversation, n, AttemptState.ANSWERED, WITHIN_S):
            raise CallEnded(f"third party {n} did not join")
        self.keep(thirds=(self.unit,))

    async def transfer_out(self) -> None:
        """Send the citizen to the unit, which answers."""
        _, self.legs["third"] = await self._call_third(self.agent, "call.transfer", self.unit)
        self.keep(thirds=(self.unit,))
        await self.seat.ended()
        await self.legs["third"].answered()

    async def other_seat(self, before: set[str]) -> Leg:
        """The seat that talks with the citizen now, by a leg that is not one of `before`."""

        def found() -> str:
            view = self.wall_view
            parts = view.participants if view is not None else ()
            return next(
                (
                    part.label
                    for part in parts
                    if part.role is Role.SEAT and part.leg not in before and part.state is LegState.TALKING
                ),
                "",
            )

        await self.crew.wall.until(lambda _seen: bool(found()), 60.0)
        seat = await self.city.leg(found())
        await seat.answered()
        return seat

    @property
    def wall_view(self) -> Conversation | None:
        """The conversation as a supervisor's screen shows it, whoever is in it."""
        return self.crew.wall.seen.conversations.get(self.conversation)

    def legs_of(self, role: Role) -> set[str]:
        """The hotline's ids of that role's legs."""
        view = self.wall_view
        return {part.leg for part in view.participants if part.role is role} if view is not None else set()

    async def supervises(self, extra: Extra, what: str) -> None:
        """A supervisor's command, and wait until their phone does that."""
        await extra.client.ask(f"supervise.{what}", seat=self.seat.number, why=DRILL_REASON)
        if "supervisor" not in self.legs:
            self.legs["supervisor"] = await self.city.leg(extra.phone)
            await self.legs["supervisor"].answered()

        def does() -> bool:
            view = self.wall_view
            parts = view.participants if view is not None else ()
            return any(
                part.phone == extra.phone and part.oversight == what and part.state is LegState.TALKING
                for part in parts
            )

        await self.crew.wall.until(lambda _seen: does(), WITHIN_S)
        self.keep(supervised=(*self.kept.supervised, what))

    async def over(self) -> None:
        """The citizen hangs up, and everybody's phone is quiet."""
        await self.city.hang_up(self.legs["citizen"])
        for leg in self.legs.values():
            await leg.ended()
        await self.crew.wall.until(lambda _seen: not self._calls(), WITHIN_S)

    def _calls(self) -> list[Conversation]:
        return [
            call for call in self.crew.wall.seen.conversations.values() if call.number == self.citizen.number
        ]

    async def call_again(self, queue: str) -> CitizenCall:
        """The citizen calls a second time, that queue's number, and lets the greeting be."""
        again = await self.city.call(self.citizen.number, dial=queue, n=self._n)
        self.legs = {"citizen": again}
        await again.answered()
        await asyncio.sleep(SETTLE_S)
        await again.press("0")
        return again

    async def answered_by(self, colleague: Extra) -> None:
        """A colleague answers the citizen, and takes no further call after this one."""
        leg = self.legs["colleague"] = await self.city.leg(colleague.phone, _ANSWERED_WITHIN_S)
        await leg.answered()
        await colleague.becomes(SeatState.TALKING)
        await colleague.not_ready()
