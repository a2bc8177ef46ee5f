"""Owns what a full rehearsal tries with a call, and what must be heard and kept of each trial."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from itertools import permutations

import msgspec

from ctiserver.api.states import AttemptState, Conversation, LegState, Role, SeatState
from rehearsal import tones
from rehearsal.city import CitizenCall, City
from rehearsal.crew import Crew, Extra
from rehearsal.legs import CallEnded, Leg
from rehearsal.seats import SimulatedAgent

SETTLE_S = 0.6
"""From a change of place until sound flows as it should."""
SPAN_S = 1.0
"""How long nothing changes while the ear listens."""
PAUSE_S = 1.5
"""How long the recording is paused."""
_WITHIN_S = 15.0
_LONGEST_SILENCE_MS = 600
"""In music there are rests."""
_PAUSE_SLACK_S = 1.0
_LOOK_AGAIN_S = 0.1

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


class Scene:
    """One call in the hands of one exercise. What must be kept of it stands in `kept_…` at the end."""

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
    ) -> None:
        self.city, self.crew, self.agent, self.conversation = city, crew, agent, conversation
        self.citizen, self.seat, self.unit, self._call_third = citizen, seat, unit, call_third
        self.legs: dict[str, Leg] = {"citizen": citizen, "seat": seat}
        self.claims: list[Claim] = []
        self.faults: list[str] = []
        self.kept_seat = seat.number
        self.kept_thirds: tuple[str, ...] = ()
        self.kept_supervised: tuple[str, ...] = ()

    async def ask(self, op: str, **args: str | int | bool) -> None:
        """The agent's command."""
        await self.agent.ask(op, **args)

    async def becomes(self, state: SeatState) -> None:
        """Wait until the agent's screen shows that state."""
        await self.agent.until(lambda: self.agent.state is state, _WITHIN_S)

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
        if not await self.agent.attempt_becomes(self.conversation, n, AttemptState.ANSWERED, _WITHIN_S):
            raise CallEnded(f"third party {n} did not join")
        self.kept_thirds = (self.unit,)

    async def transfer_out(self) -> None:
        """Send the citizen to the unit, which answers."""
        _, self.legs["third"] = await self._call_third(self.agent, "call.transfer", self.unit)
        self.kept_thirds = (self.unit,)
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
        await extra.client.ask(f"supervise.{what}", seat=self.seat.number, why="演练")
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

        await self.crew.wall.until(lambda _seen: does(), _WITHIN_S)
        self.kept_supervised = (*self.kept_supervised, what)

    async def over(self) -> None:
        """The citizen hangs up, and everybody's phone is quiet."""
        await self.citizen.hang_up()
        for leg in self.legs.values():
            await leg.ended()
        await self.crew.wall.until(lambda _seen: self.wall_view is None, _WITHIN_S)


async def hold(scene: Scene) -> None:
    """保持、取回."""
    await scene.ask("call.hold")
    await scene.becomes(SeatState.HELD)
    await scene.hear("held", frozenset(), has_music=True)
    await scene.ask("call.retrieve")
    await scene.becomes(SeatState.TALKING)
    await scene.hear("retrieved", TALK)


async def consult_merge(scene: Scene) -> None:
    """咨询、切换、转三方."""
    await scene.bring("call.consult")
    await scene.becomes(SeatState.CONSULTING)
    await scene.hear("consulting", {"third<seat", "seat<third"}, has_music=True)
    await scene.ask("call.retrieve")
    await scene.becomes(SeatState.TALKING)
    await scene.hear("switched", TALK)
    await scene.ask("call.hold")
    await scene.becomes(SeatState.CONSULTING)
    await scene.ask("call.merge")
    await scene.becomes(SeatState.CONFERENCE)
    await scene.all_hear("merged")


async def consult_complete(scene: Scene) -> None:
    """咨询、完成转接."""
    await scene.bring("call.consult")
    await scene.becomes(SeatState.CONSULTING)
    await scene.hear("consulting", {"third<seat", "seat<third"}, has_music=True)
    await scene.ask("call.complete")
    await scene.seat.ended()
    await scene.all_hear("completed")


async def transfer_unit(scene: Scene) -> None:
    """盲转 to a department."""
    await scene.transfer_out()
    await scene.all_hear("transferred")


async def transfer_seat(scene: Scene) -> None:
    """盲转 to a colleague's seat."""
    async with scene.crew.lent(scene.crew.colleagues) as colleague:
        await scene.ask("call.transfer", seat=colleague.phone)
        await scene.seat.ended()
        scene.legs["colleague"] = await scene.city.leg(colleague.phone)
        await scene.legs["colleague"].answered()
        await _seat_is(colleague, SeatState.TALKING)
        await colleague.client.ask("seat.not_ready", reason=scene.crew.cast.not_ready)
        await scene.all_hear("transferred")
        scene.kept_seat, scene.kept_thirds = colleague.phone, (colleague.phone,)
        await scene.over()
        await _seat_is(colleague, SeatState.NOT_READY)


async def _seat_is(colleague: Extra, state: SeatState) -> None:
    await colleague.client.until(lambda seen: seen.seats[colleague.phone].state is state, _WITHIN_S)


async def requeue(scene: Scene) -> None:
    """转回排队: another seat answers, or the same one again."""
    before = scene.legs_of(Role.SEAT)
    await scene.ask("call.requeue")
    await scene.seat.ended()
    scene.legs["again"] = await scene.other_seat(before)
    scene.kept_seat = scene.legs["again"].number
    await scene.all_hear("queued again")


async def mute(scene: Scene) -> None:
    """静音、取消静音."""
    await scene.ask("call.mute")
    await scene.agent.until(lambda: scene.agent.is_muted, _WITHIN_S)
    await scene.hear("muted", {"seat<citizen"})
    await scene.ask("call.unmute")
    await scene.agent.until(lambda: not scene.agent.is_muted, _WITHIN_S)
    await scene.hear("unmuted", TALK)


async def recording(scene: Scene) -> None:
    """暂停录音、恢复录音: the hotline's own file has the gap, and only it."""
    await scene.ask("recording.pause")
    await asyncio.sleep(PAUSE_S)
    await scene.ask("recording.resume")
    await scene.hear("recorded again", TALK)
    uid = scene.conversation.removeprefix(f"{scene.crew.cast.node}-")
    path = scene.crew.cast.recordings / f"{uid}-citizen.wav"
    for _ in range(round(_WITHIN_S / _LOOK_AGAIN_S)):
        kept = await asyncio.to_thread(tones.read, path)
        if tones.heard(kept, scene.citizen.hz, start_s=max(0.0, kept.seconds - 0.5)):
            gap_s = (await asyncio.to_thread(tones.longest_gap_ms, kept, scene.citizen.hz, 0.5)) / 1000
            if abs(gap_s - PAUSE_S) <= _PAUSE_SLACK_S:
                return
        await asyncio.sleep(_LOOK_AGAIN_S)
    scene.faults.append("the recording has no gap where it was paused")


async def supervise(scene: Scene) -> None:
    """监听、密语、插入、停止."""
    async with scene.crew.lent(scene.crew.supervisors) as extra:
        listens = TALK | {"supervisor<citizen", "supervisor<seat"}
        await scene.supervises(extra, "listen")
        await scene.hear("listening", listens)
        await scene.supervises(extra, "whisper")
        await scene.hear("whispering", listens | {"seat<supervisor"})
        await scene.supervises(extra, "barge")
        await scene.all_hear("barging")
        await extra.client.ask("supervise.stop")
        await scene.legs["supervisor"].ended()
        await scene.hear("after the supervisor", TALK)


async def take_over(scene: Scene) -> None:
    """拦截: supervisor and citizen talk, the seat is out."""
    async with scene.crew.lent(scene.crew.supervisors) as extra:
        await scene.supervises(extra, "take_over")
        await scene.seat.ended()
        await scene.all_hear("taken over")
        await scene.over()


async def leave(scene: Scene) -> None:
    """The seat leaves, citizen and department talk on."""
    await scene.bring("call.three_way")
    await scene.becomes(SeatState.CONFERENCE)
    await scene.all_hear("three")
    await scene.ask("call.leave")
    await scene.seat.ended()
    await scene.all_hear("without the seat")


async def drop(scene: Scene) -> None:
    """The department is taken out, citizen and seat talk on."""
    await scene.bring("call.three_way")
    await scene.becomes(SeatState.CONFERENCE)
    await scene.all_hear("three")
    view = scene.agent.conversation(scene.conversation)
    parts = view.participants if view is not None else ()
    (third,) = (part.leg for part in parts if part.role is Role.THIRD_PARTY)
    await scene.ask("call.drop", leg=third)
    await scene.legs["third"].ended()
    await scene.becomes(SeatState.TALKING)
    await scene.hear("dropped", TALK)


EXERCISES: dict[str, Callable[[Scene], Awaitable[None]]] = {
    each.__name__: each
    for each in (
        hold,
        consult_merge,
        consult_complete,
        transfer_unit,
        transfer_seat,
        requeue,
        mute,
        recording,
        supervise,
        take_over,
        leave,
        drop,
    )
}
"""In the order in which a rehearsal takes its turns."""
TWO_TALK_ON = frozenset({"hold", "mute", "recording", "supervise", "drop"})
"""After these, citizen and seat are alone with each other as before."""
