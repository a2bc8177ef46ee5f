"""Owns `hotline demo`: a hotline with life in it, for newcomers to watch and to sit down in."""

from __future__ import annotations

import asyncio
import itertools
import random

import structlog

from cli.rehearse import departments
from cli.run import Say, until_signal
from cli.seed import KNOWN_CITIZENS, demo_number, demo_password
from cli.stage import Stage, stage, stage_settings
from ctiserver.api.states import AttemptState, Conversation
from ctiserver.client import Refused, Unanswered
from hotline.settings import Settings
from rehearsal.legs import CallEnded
from rehearsal.ports import HOTLINE_HOST, free_ports, is_free
from rehearsal.seats import Popped, SimulatedAgent

log = structlog.get_logger("demo")

BUSY_SEATS = 24
"""Seats with invented agents; the others are free for whoever watches."""
_PATIENCE_S = 240.0
_NAMES = ("张先生", "李女士", "王大爷", "赵女士", "刘先生", "陈女士", "", "Mr Smith")
_PREFIXES = ("1380538", "1395486", "1855381", "1330538")


class Demo:
    """The life on the stage. `chance` decides who calls and what they need."""

    def __init__(self, there: Stage, say: Say, chance: random.Random) -> None:
        self._there = there
        self._say = say
        self._chance = chance
        self._serial = itertools.count(1)
        self._agents: list[SimulatedAgent] = []
        self.over = 0

    async def sign_in(self, seats: int) -> None:
        """Invented agents sit down."""
        there = self._there
        self._agents = [
            SimulatedAgent(
                f"{1001 + n}",
                seat,
                there.push_url,
                there.token_for,
                on_pop=self._popped,
                on_talk=self._talk,
                wrap_up_s=self._chance.uniform(3, 9),
            )
            for n, seat in enumerate(there.settings.seat_ids[:seats])
        ]
        await asyncio.gather(*(agent.start() for agent in self._agents))

    async def leave(self) -> None:
        """They go home."""
        await asyncio.gather(*(agent.stop() for agent in self._agents), return_exceptions=True)

    async def citizens(self, rate: float, calls: int) -> None:
        """Citizens call, `rate` a second; `calls` of them, or for ever with 0."""
        async with asyncio.TaskGroup() as group:
            for n in itertools.count(1):
                group.create_task(self._citizen(n))
                if n == calls:
                    return
                await asyncio.sleep(self._chance.expovariate(rate))

    async def _citizen(self, n: int) -> None:
        known = self._chance.random() < 0.4
        number = demo_number(1 + n % KNOWN_CITIZENS) if known else self._number()
        call = await self._there.city.call(number, name=self._chance.choice(_NAMES), n=n)
        try:
            await call.ended(_PATIENCE_S)
        except TimeoutError:
            await call.hang_up()
        except CallEnded as error:
            log.info("call failed", n=n, why=str(error))
        self.over += 1

    def _number(self) -> str:
        return f"{self._chance.choice(_PREFIXES)}{self._chance.randrange(10_000):04d}"

    def _popped(self, popped: Popped) -> None:
        self._say(f"call {popped.conversation}: seat {popped.seat} rings, its screen shows the caller")

    async def _talk(self, agent: SimulatedAgent, view: Conversation) -> None:
        """An invented agent's call: some talk, every few calls a department, now and then 110."""
        turn = next(self._serial)
        try:
            await asyncio.sleep(self._chance.uniform(3, 10))
            if turn % 7 == 3:
                await self._bring_in(agent, view, "emergency.call", "110")
            elif turn % 3 == 1:
                await self._bring_in(agent, view, "call.three_way", self._chance.choice(departments()))
            await asyncio.sleep(self._chance.uniform(1, 4))
            await agent.ask("call.hang_up")
        except (Refused, Unanswered) as error:
            log.info("agent was refused", seat=agent.seat, why=str(error))

    async def _bring_in(self, agent: SimulatedAgent, view: Conversation, op: str, number: str) -> None:
        answer = await agent.ask(op, number=number)
        joined = await agent.attempt_becomes(view.id, int(answer["n"]), AttemptState.ANSWERED, 20)
        state = "three talk" if joined else "it did not come to a three-way call"
        self._say(f"call {view.id}: seat {agent.seat} brought {number} in; {state}")
        await asyncio.sleep(self._chance.uniform(3, 7))


async def demo(site: Settings, *, calls: int, rate: float, say: Say) -> int:
    """Play until Ctrl+C, or until `calls` calls are over; returns how many were."""
    settings = _settings(site)
    async with stage(settings, say) as there:
        play = Demo(there, say, random.Random())  # noqa: S311  # nothing here is a secret
        busy = min(BUSY_SEATS, max(1, settings.seats.count - 1))
        await play.sign_in(busy)
        _invite(settings, busy, say)
        say("citizens call; each hears the greeting first, then a seat rings")
        life = asyncio.create_task(play.citizens(rate, calls))
        end = asyncio.create_task(until_signal())
        await asyncio.wait({life, end}, return_when=asyncio.FIRST_COMPLETED)
        for task in (life, end):
            task.cancel()
        results = await asyncio.gather(life, end, return_exceptions=True)
        say("the curtain falls")
        await play.leave()
        if isinstance(results[0], Exception):
            raise results[0]
        return play.over


def _settings(site: Settings) -> Settings:
    """The demo's stage; the desk stands on its usual port unless that is taken."""
    state = site.state / "demo"
    seats = site.seats.count
    chosen = free_ports(7)
    if is_free(HOTLINE_HOST, site.desk.port):
        chosen[-1] = site.desk.port
    return stage_settings(site, state, seats=seats, ports=chosen)


def _invite(settings: Settings, busy: int, say: Say) -> None:
    free = settings.seat_ids[busy:]
    say("")
    say(f"  the desk     {settings.desk_url}/")
    say(f"  an agent     {1001 + busy}, at a free seat: {free[0]} to {free[-1]}")
    say("  a supervisor 9001, who sees the wall of seats")
    say(
        "  cases        8101 dispatches, 8201 reviews, 8301 visits back, 8401 supervises, 8501 on do the work"
    )
    say(f"  password     {demo_password(settings)}   (for all of them)")
    say(f"  logs         {settings.state / 'log'}")
    say("  Ctrl+C ends it")
    say("")
