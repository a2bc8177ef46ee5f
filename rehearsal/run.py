"""Owns the rehearsal: real calls at a steady rate, agents who answer them, three-way calls, and the ear
that checks.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable

import msgspec
import structlog

from ctiserver.api.states import AttemptState, Conversation
from ctiserver.client import Refused, Unanswered
from rehearsal.city import CitizenCall, City
from rehearsal.legs import CallEnded, Leg
from rehearsal.report import Report, spread
from rehearsal.seats import Popped, SimulatedAgent, TokenFor
from rehearsal.switchboard import Event, Switchboard

log = structlog.get_logger("rehearsal")

SETTLE_S = 0.6
"""From an answer until sound flows both ways."""
PATIENCE_S = 180.0
"""How long a citizen waits for a person."""
_EARS = 4


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


class Recorded(msgspec.Struct, frozen=True, kw_only=True):
    """What the hotline kept of a call: the outcome's word, and whether it has ended."""

    number: str
    outcome: str


Records = Callable[[], Awaitable[list[Recorded]]]


class Trial(msgspec.Struct, kw_only=True):
    """One call of the rehearsal, as everybody saw it."""

    n: int
    number: str
    citizen: CitizenCall | None = None
    seat: Leg | None = None
    popped: list[Popped] = msgspec.field(default_factory=list)
    third: Leg | None = None
    asked: str = ""
    """"", "three_way" or "emergency\""""
    invite_ms: float = 0.0
    talk: tuple[float, float] = (0.0, 0.0)
    room: tuple[float, float] = (0.0, 0.0)
    without_seat: tuple[float, float] = (0.0, 0.0)
    trouble: str = ""


class Rehearsal:
    """One rehearsal against a running hotline. `observer` hears the hotline's own events, to time the
    pops.
    """

    def __init__(
        self, city: City, plan: Plan, url: str, token_for: TokenFor, say: Callable[[str], None]
    ) -> None:
        self._city = city
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
            await self._sign_in(agents)
            await self._make_calls()
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
        try:
            trial.seat = await self._city.leg(agent.seat)
            begin = await trial.seat.answered() + SETTLE_S
            await asyncio.sleep(self._plan.talk_s + SETTLE_S)
            trial.talk = (begin, time.time() - 0.1)
            if trial.n % 20 == 0:
                trial.asked = "emergency"
            elif trial.n % 10 == 0:
                trial.asked = "three_way"
            if trial.asked:
                await self._three_way(agent, view.id, trial)
            await self._end(agent, trial)
        except (Refused, Unanswered, CallEnded, TimeoutError) as error:
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
        async with self._third_locks.setdefault(number, asyncio.Lock()):
            known = {leg.id for leg in self._city.history() if leg.number == number}
            clicked = time.time()
            op = "emergency.call" if is_emergency else "call.three_way"
            answer = await agent.ask(op, number=number)
            trial.third = await self._new_leg(number, known)
        trial.invite_ms = (trial.third.started_at - clicked) * 1000
        if not await agent.attempt_becomes(conversation, int(answer["n"]), AttemptState.ANSWERED, 15):
            raise CallEnded(f"third party {answer['n']} did not join")
        begin = time.time() + SETTLE_S
        await asyncio.sleep(self._plan.talk_s + SETTLE_S)
        trial.room = (begin, time.time() - 0.1)
        if is_emergency:
            await agent.ask("call.leave")
            begin = time.time() + SETTLE_S
            await asyncio.sleep(1.2 + SETTLE_S)
            trial.without_seat = (begin, time.time() - 0.1)

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
        if trial.asked or trial.n % 3 == 1:
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
            if len({row.number for row in kept if row.outcome}) == len(self._trials):
                break
            await asyncio.sleep(0.25)
        return kept

    async def _report(self, kept: list[Recorded]) -> Report:
        self._say("listening to what everybody heard")
        ears = asyncio.Semaphore(_EARS)
        trials = list(self._trials.values())
        heard = [trial for trial in trials if trial.talk[1]]
        audio = await asyncio.gather(*(self._two_hear(trial, ears) for trial in heard))
        three = [trial for trial in trials if trial.asked == "three_way"]
        emergency = [trial for trial in trials if trial.asked == "emergency"]
        finished: dict[str, list[Recorded]] = {}
        for row in kept:
            finished.setdefault(row.number, []).append(row)
        right = [t for t in trials if _is_kept(t, finished.get(t.number, []))]
        pops = [popped for trial in trials for popped in trial.popped]
        return Report(
            offered=len(trials),
            answered=sum(row.outcome == "answered" for row in kept),
            abandoned=sum("abandon" in row.outcome for row in kept),
            pops=sum(bool(trial.popped) for trial in trials),
            pops_before_answer=sum(_popped_in_time(trial) for trial in trials),
            three_way_ok=sum(await asyncio.gather(*(self._three_hear(trial, ears) for trial in three))),
            three_way_asked=len(three),
            emergency_ok=sum(await asyncio.gather(*(self._three_hear(trial, ears) for trial in emergency))),
            emergency_asked=len(emergency),
            audio_ok=sum(audio),
            audio_checked=len(heard),
            records=len(right),
            lost=len(trials) - len(right),
            pop_ms=spread(self._pop_ms if pops else []),
            three_way_invite_ms=spread([trial.invite_ms for trial in trials if trial.third is not None]),
        )

    async def _two_hear(self, trial: Trial, ears: asyncio.Semaphore) -> bool:
        citizen, seat = trial.citizen, trial.seat
        if citizen is None or seat is None:
            return False
        async with ears:
            is_heard = await self._all_hear([citizen, seat], trial.talk)
        if not is_heard:
            log.warning("not heard", n=trial.n, seat=seat.number)
        return is_heard

    async def _three_hear(self, trial: Trial, ears: asyncio.Semaphore) -> bool:
        citizen, seat, third = trial.citizen, trial.seat, trial.third
        if citizen is None or seat is None or third is None or not trial.room[1]:
            return False
        async with ears:
            is_heard = await self._all_hear([citizen, seat, third], trial.room)
            if is_heard and trial.without_seat[1]:
                is_heard = await self._all_hear([citizen, third], trial.without_seat)
        if not is_heard:
            log.warning("three-way not heard", n=trial.n, seat=seat.number, third=third.number)
        return is_heard

    async def _all_hear(self, legs: list[Leg], when: tuple[float, float]) -> bool:
        """Each of the legs hears each other one's tone for that time."""
        try:
            for one in legs:
                for other in legs:
                    if one is not other and not await one.heard(other.hz, *when):
                        return False
        except (CallEnded, TimeoutError):
            return False
        return True


def _is_kept(trial: Trial, rows: list[Recorded]) -> bool:
    """Exactly one finished record, which says what we saw."""
    if len(rows) != 1 or not rows[0].outcome:
        return False
    return (rows[0].outcome == "answered") == (trial.seat is not None and trial.seat.answered_at is not None)


def _popped_in_time(trial: Trial) -> bool:
    """The pop came before the seat that talked picked up."""
    if not trial.popped or trial.seat is None or trial.seat.answered_at is None:
        return bool(trial.popped)
    return any(p.seat == trial.seat.number and p.at < trial.seat.answered_at for p in trial.popped)
