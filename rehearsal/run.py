"""Owns the rehearsal: real calls at a steady rate, agents who answer them, three-way calls, and the ear
that checks.
"""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Coroutine
from contextlib import AsyncExitStack
from itertools import cycle

import msgspec
import structlog

from ctiserver.api.states import AttemptState, Conversation
from ctiserver.client import Refused, Unanswered
from rehearsal.city import City
from rehearsal.crew import Cast, Crew, crew_of
from rehearsal.exercises import DRILLS, EXERCISES, NEEDS_IVR, TWO_TALK_ON
from rehearsal.judge import Ear, Trial, is_kept, is_popped_in_time
from rehearsal.legs import CallEnded, Kind, Leg
from rehearsal.report import Report, Tried, spread
from rehearsal.scene import Recorded, Scene
from rehearsal.seats import Popped, SimulatedAgent, TokenFor
from rehearsal.switchboard import Event, Switchboard

log = structlog.get_logger("rehearsal")

SETTLE_S = 0.6
"""From an answer until sound flows both ways."""
PATIENCE_S = 180.0
"""How long a citizen waits for a person."""
_BACK_S = 3.0
"""From a CTI server's return until every screen follows it again."""


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """How many calls, how many a second, at how many seats, and what is said how long."""

    calls: int
    rate: float
    seats: int
    talk_s: float = 2.0
    departments: tuple[str, ...]
    emergency: str = "110"
    numbers_from: int = 0
    """The first citizen's number is the one after this, so that two rehearsals in one database differ."""
    kill: tuple[str, ...] = ()
    """Which of our processes are killed in the middle, one after the other, spread over the calls."""


Kill = Callable[[str], Awaitable[None]]
"""Kill that process of ours; returns when it serves again."""
Records = Callable[[], Awaitable[list[Recorded]]]


class Rehearsal:
    """One rehearsal against a running hotline; a full one with a `cast`. `observer` hears the hotline's own
    events, to time the pops.
    """

    def __init__(
        self,
        city: City,
        plan: Plan,
        url: str,
        token_for: TokenFor,
        say: Callable[[str], None],
        *,
        kill: Kill,
        cast: Cast | None = None,
    ) -> None:
        self._city = city
        self._kill = kill
        self._cast = cast
        self._crew: Crew | None = None
        self._outages: list[tuple[str, float, float]] = []
        self._killed: list[str] = []
        self._attended = 0
        self._turns = cycle(EXERCISES)
        self._at_work: set[asyncio.Task[None]] = set()
        self._plan = plan
        self._url = url
        self._token_for = token_for
        self._say = say
        self._trials: dict[str, Trial] = {}
        self._agents: list[SimulatedAgent] = []
        self._rings: dict[tuple[str, str], float] = {}
        self._pop_ms: list[float] = []
        self._waiting_pops: dict[tuple[str, str], float] = {}
        self._third_locks: dict[str, asyncio.Lock] = {}
        self._observer = Switchboard(self._on_hotline_event)
        self.done = 0

    async def run(
        self, agents: list[tuple[str, str]], hotline: tuple[str, int, str], records: Records
    ) -> Report:
        """Sign `agents` (agent, seat) in, make the calls, listen to what was heard, count what was kept.

        `hotline`: host, port and secret of the AMI user `cti`.
        """
        host, port, secret = hotline
        await self._observer.connect(host, port, "cti", secret)
        try:
            async with AsyncExitStack() as stack:
                if self._cast is not None:
                    crew = crew_of(self._city, self._cast, self._url, self._token_for)
                    self._crew = await stack.enter_async_context(crew)
                await self._sign_in(agents)
                await self._make_calls()
                await self._until_idle()
            kept = await self._kept(records)
            return await self._report(kept)
        finally:
            await asyncio.gather(*(agent.stop() for agent in self._agents), return_exceptions=True)
            self._observer.close()

    async def _sign_in(self, agents: list[tuple[str, str]]) -> None:
        self._agents = [
            SimulatedAgent(
                agent, seat, self._url, self._token_for, on_pop=self._on_pop, on_talk=self._on_talk
            )
            for agent, seat in agents
        ]
        await asyncio.gather(*(agent.start() for agent in self._agents))
        self._say(f"{len(self._agents)} agents signed in")

    async def _make_calls(self) -> None:
        begin = time.monotonic()
        tasks = []
        for n in range(1, self._plan.calls + 1):
            await asyncio.sleep(max(0.0, begin + (n - 1) / self._plan.rate - time.monotonic()))
            tasks.append(asyncio.create_task(self._one_call(n)))
        await asyncio.gather(*tasks)

    async def _until_idle(self) -> None:
        """Whoever still looks after a call that is over comes to an end."""
        async with asyncio.timeout(PATIENCE_S):
            while self._at_work:
                await asyncio.wait(self._at_work)

    def _strike_when_due(self) -> None:
        """One more call is in the hands of its agent: kill what has its turn now."""
        self._attended += 1
        plan = self._plan
        for i, name in enumerate(plan.kill, 1):
            if self._attended == max(1, plan.calls * i // (len(plan.kill) + 1)):
                self._begin(self._strike(name))

    def _begin(self, work: Coroutine[None, None, None]) -> asyncio.Task[None]:
        """Work that the rehearsal waits for at its end."""
        task = asyncio.create_task(work)
        self._at_work.add(task)
        task.add_done_callback(self._at_work.discard)
        return task

    async def _strike(self, name: str) -> None:
        """Kill -9, in the middle of whatever goes on."""
        self._say(f"killing {name}")
        self._killed.append(name)
        begin = time.time()
        place = len(self._outages)
        self._outages.append((name, begin, begin + PATIENCE_S))
        await self._kill(name)
        self._outages[place] = (name, begin, time.time() + _BACK_S)
        self._say(f"{name} serves again after {time.time() - begin:.1f} s")

    async def _one_call(self, n: int) -> None:
        trial = Trial(n=n, number=f"1380538{self._plan.numbers_from + n:04d}")
        self._trials[trial.number] = trial
        try:
            trial.citizen = await self._city.call(trial.number, name=f"市民{n}", n=n)
            await trial.citizen.ended(PATIENCE_S)
        except TimeoutError:
            trial.trouble = "nobody answered in time"
            if trial.citizen is not None:
                await trial.citizen.hang_up()
        except CallEnded as error:
            trial.trouble = str(error)
        self.done += 1
        if self.done % 10 == 0 or self.done == self._plan.calls:
            self._say(f"{self.done} of {self._plan.calls} calls over")

    def _on_hotline_event(self, event: Event) -> None:
        if event["Event"] == "AgentCalled":
            key = (event.get("Interface", "").removeprefix("PJSIP/"), event.get("CallerIDNum", ""))
            now = time.perf_counter()
            popped = self._waiting_pops.pop(key, None)
            if popped is None:
                self._rings[key] = now
            else:
                self._pop_ms.append(0.0)

    def _on_pop(self, popped: Popped) -> None:
        trial = self._trials.get(popped.number)
        if trial is None:
            return
        trial.popped.append(popped)
        key = (popped.seat, popped.number)
        rung = self._rings.pop(key, None)
        now = time.perf_counter()
        if rung is None:
            self._waiting_pops[key] = now
        else:
            self._pop_ms.append((now - rung) * 1000)

    async def _on_talk(self, agent: SimulatedAgent, view: Conversation) -> None:
        trial = self._trials.get(view.number)
        if trial is None or trial.seat is not None:
            return
        await self._begin(self._attend(agent, view, trial))

    async def _attend(self, agent: SimulatedAgent, view: Conversation, trial: Trial) -> None:
        """From the answer to the end of a call, at the seat."""
        try:
            trial.seat = await self._city.leg(agent.seat)
            begin = await trial.seat.answered() + SETTLE_S
            await asyncio.sleep(self._plan.talk_s + SETTLE_S)
            trial.talk = (begin, time.time() - 0.1)
            if trial.n % 20 == 0:
                trial.asked = "emergency"
            elif trial.n % 10 == 0:
                trial.asked = "three_way"
            trial.steps = (begin, time.time() + PATIENCE_S)
            self._strike_when_due()
            if trial.asked:
                await self._three_way(agent, view.id, trial)
            elif self._crew is not None and trial.citizen is not None:
                await self._exercise(agent, view.id, trial, self._crew)
            trial.steps = (begin, time.time())
            await self._end(agent, trial)
        except (Refused, Unanswered, CallEnded, TimeoutError) as error:
            trial.steps = (trial.steps[0], time.time())
            trial.trouble = f"{type(error).__name__}: {error}"
            log.warning("trial failed", n=trial.n, why=trial.trouble)
            if trial.citizen is not None:
                await trial.citizen.hang_up()

    async def _three_way(self, agent: SimulatedAgent, conversation: str, trial: Trial) -> None:
        """Bring the third party in, let the three talk; with an emergency, the seat leaves and two talk
        on.
        """
        is_emergency = trial.asked == "emergency"
        departments = self._plan.departments
        number = self._plan.emergency if is_emergency else departments[trial.n // 10 % len(departments)]
        op = "emergency.call" if is_emergency else "call.three_way"
        n, trial.third = await self._call_third(agent, op, number, trial)
        if not await agent.attempt_becomes(conversation, n, AttemptState.ANSWERED, 15):
            raise CallEnded(f"third party {n} did not join")
        begin = time.time() + SETTLE_S
        await asyncio.sleep(self._plan.talk_s + SETTLE_S)
        trial.room = (begin, time.time() - 0.1)
        if is_emergency:
            await agent.ask("call.leave")
            begin = time.time() + SETTLE_S
            await asyncio.sleep(1.2 + SETTLE_S)
            trial.without_seat = (begin, time.time() - 0.1)

    async def _call_third(
        self, agent: SimulatedAgent, op: str, number: str, trial: Trial | None = None
    ) -> tuple[int, Leg]:
        """Have somebody outside called: the attempt's n, and their phone. One at a time for each number."""
        async with self._third_locks.setdefault(number, asyncio.Lock()):
            known = {leg.id for leg in self._city.history() if leg.number == number}
            clicked = time.time()
            answer = await agent.ask(op, number=number)
            third = await self._new_leg(number, known)
        if trial is not None:
            trial.invite_ms = (third.started_at - clicked) * 1000
        return int(answer["n"]), third

    async def _exercise(self, agent: SimulatedAgent, conversation: str, trial: Trial, crew: Crew) -> None:
        """Try with this call what its turn is."""
        if trial.citizen is None or trial.seat is None:
            return
        trial.exercise = next(name for name in self._turns if crew.drills or name not in DRILLS)
        unit = self._plan.departments[trial.n % len(self._plan.departments)]
        trial.scene = Scene(
            self._city,
            crew,
            agent,
            conversation,
            trial.citizen,
            trial.seat,
            unit,
            self._call_third,
            trial.n,
        )
        await EXERCISES[trial.exercise](trial.scene)

    async def _new_leg(self, number: str, known: set[str]) -> Leg:
        async with asyncio.timeout(10):
            while True:
                for leg in self._city.history():
                    if leg.number == number and leg.id not in known:
                        return leg
                await asyncio.sleep(0.005)

    async def _end(self, agent: SimulatedAgent, trial: Trial) -> None:
        """Calls end in every way in which they end."""
        if trial.citizen is None or trial.seat is None:
            return
        is_alone_with_seat = trial.exercise == "" or trial.exercise in TWO_TALK_ON
        if trial.asked or trial.n % 3 == 1 or not is_alone_with_seat:
            await trial.citizen.hang_up()
        elif trial.n % 3 == 2:
            await self._city.hang_up(trial.seat)
        else:
            await agent.ask("call.hang_up")

    async def _kept(self, records: Records) -> list[Recorded]:
        """The hotline's records of our calls, once all are there or none has come for a while."""
        self._say("waiting for the last records")
        kept: list[Recorded] = []
        for _ in range(60):
            kept = [row for row in await records() if row.number in self._trials]
            if sum(bool(row.outcome) for row in kept) >= sum(map(Counter.total, self._legs().values())):
                break
            await asyncio.sleep(0.25)
        return kept

    def _legs(self) -> dict[str, Counter[Kind]]:
        """How often each citizen's phone was in a call, by who called."""
        legs: dict[str, Counter[Kind]] = {number: Counter() for number in self._trials}
        for leg in self._city.history():
            if leg.number in legs:
                legs[leg.number][leg.kind] += 1
        return legs

    async def _report(self, kept: list[Recorded]) -> Report:
        self._say("listening to what everybody heard")
        ear = Ear()
        trials = list(self._trials.values())
        heard = [trial for trial in trials if trial.talk[1]]
        audio = await asyncio.gather(*(ear.two_hear(trial) for trial in heard))
        finished: dict[str, list[Recorded]] = {}
        for row in kept:
            finished.setdefault(row.number, []).append(row)
        legs = self._legs()
        right = [t for t in trials if is_kept(t, finished.get(t.number, []), legs[t.number])]
        firsts = [rows[0] for rows in finished.values()]
        tried, disturbed = await self._tried(finished, ear)
        three, emergency = tried.pop("three_way", Tried(0, 0)), tried.pop("emergency", Tried(0, 0))
        pops = [popped for trial in trials for popped in trial.popped]
        return Report(
            offered=len(trials),
            answered=sum(row.outcome == "answered" for row in firsts),
            abandoned=sum("abandon" in row.outcome for row in firsts),
            pops=sum(bool(trial.popped) for trial in trials),
            pops_before_answer=sum(is_popped_in_time(trial) for trial in trials),
            three_way_ok=three.right,
            three_way_asked=three.asked,
            emergency_ok=emergency.right,
            emergency_asked=emergency.asked,
            audio_ok=sum(audio),
            audio_checked=len(heard),
            records=len(right),
            lost=len(trials) - len(right),
            pop_ms=spread(self._pop_ms if pops else []),
            three_way_invite_ms=spread([trial.invite_ms for trial in trials if trial.third is not None]),
            exercises=tried,
            killed=tuple(self._killed),
            disturbed=disturbed,
        )

    async def _tried(self, kept: dict[str, list[Recorded]], ear: Ear) -> tuple[dict[str, Tried], int]:
        """Each kind of thing that was tried, and how many came to nothing while what they needed was dead."""
        trials = [trial for trial in self._trials.values() if trial.asked or trial.exercise]
        heard = await asyncio.gather(
            *(
                ear.three_hear(trial) if trial.asked else ear.is_done(trial, kept.get(trial.number, []))
                for trial in trials
            )
        )
        order = [*("three_way", "emergency"), *EXERCISES]
        found: dict[str, Tried] = {}
        disturbed = 0
        for trial, is_right in sorted(
            zip(trials, heard, strict=True), key=lambda each: order.index(each[0].asked or each[0].exercise)
        ):
            if not is_right and self._is_disturbed(trial):
                disturbed += 1
                continue
            kind = trial.asked or trial.exercise
            before = found.get(kind, Tried(0, 0))
            found[kind] = Tried(before.asked + 1, before.right + is_right)
        return found, disturbed

    def _is_disturbed(self, trial: Trial) -> bool:
        """Whether a process that it needs was dead while something was tried."""
        begin, end = trial.steps
        needed = {"cti", "ivr"} if trial.exercise in NEEDS_IVR else {"cti"}
        return any(name in needed and begin < back and died < end for name, died, back in self._outages)
