"""Owns the agents of a rehearsal: each signs in at a seat by the push protocol, and does at the desk what
an agent does.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Coroutine

import structlog

from ctiserver.api.pushes import Pop
from ctiserver.api.states import AttemptState, Conversation, Seat, SeatState
from ctiserver.client import Client, Refused, Unanswered

log = structlog.get_logger("rehearsal")

TokenFor = Callable[[str, str], Awaitable[str]]
"""(agent, seat) -> a fresh push token."""


class Popped:
    """One screen pop as the desk saw it. Moments are seconds since 1970."""

    def __init__(self, seat: str, conversation: str, number: str) -> None:
        self.seat = seat
        self.conversation = conversation
        self.number = number
        self.at = time.time()


class SimulatedAgent:
    """One agent at one seat. `on_pop` is told each pop at once; `on_talk` begins when the seat and a
    citizen talk.
    """

    def __init__(
        self,
        agent: str,
        seat: str,
        url: str,
        token_for: TokenFor,
        *,
        on_pop: Callable[[Popped], None],
        on_talk: Callable[[SimulatedAgent, Conversation], Awaitable[None]],
        wrap_up_s: float = 0.0,
    ) -> None:
        self.agent = agent
        self.seat = seat
        self._on_pop = on_pop
        self._on_talk = on_talk
        self._wrap_up_s = wrap_up_s
        self._client = Client(url, lambda: token_for(agent, seat))
        self._tasks: set[asyncio.Task[None]] = set()
        self._talked: set[str] = set()
        self._wrap_up_since = 0
        self._watch: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Connect and sign in, ready for calls."""
        self._client.start()
        self._watch = asyncio.create_task(self._follow())
        await self._client.ask("seat.sign_in", timeout=20, ready=True)
        await self._client.ask("seat.ready")
        await self.until(lambda: self.state is SeatState.READY, 15)

    async def stop(self) -> None:
        """Sign out if nobody talks, and go."""
        if self._watch is not None:
            self._watch.cancel()
        for task in tuple(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        try:
            async with asyncio.timeout(2):
                await self._client.ask("seat.sign_out")
        except (Refused, Unanswered, TimeoutError):
            log.info("agent left without signing out", seat=self.seat)
        await self._client.close()

    @property
    def state(self) -> SeatState:
        """The seat's state as the desk shows it."""
        seat = self._client.seen.seats.get(self.seat)
        return seat.state if seat is not None else SeatState.SIGNED_OUT

    @property
    def is_muted(self) -> bool:
        """Whether the desk shows that nobody hears the seat."""
        seat = self._client.seen.seats.get(self.seat)
        return seat is not None and seat.is_muted

    def conversation(self, conversation: str) -> Conversation | None:
        """That conversation as the desk shows it."""
        return self._client.seen.conversations.get(conversation)

    async def ask(self, op: str, **args: str | int | bool) -> dict[str, str]:
        """A command; Refused with the server's code."""
        return await self._client.ask(op, timeout=10.0, **args)

    async def attempt_becomes(self, conversation: str, n: int, state: AttemptState, within_s: float) -> bool:
        """Wait for the n-th third party to reach `state`; False when it closes otherwise or the call ends."""

        def settled() -> bool:
            view = self.conversation(conversation)
            attempts = view.attempts if view is not None else ()
            mine = next((attempt for attempt in attempts if attempt.n == n), None)
            return view is None or (mine is not None and (mine.state is state or not mine.state.is_open))

        try:
            await self.until(settled, within_s)
        except TimeoutError:
            return False
        view = self.conversation(conversation)
        return view is not None and any(a.n == n and a.state is state for a in view.attempts)

    async def until(self, is_so: Callable[[], bool], within_s: float) -> None:
        """Wait until the screen shows it."""
        await self._client.until(lambda _seen: is_so(), within_s)

    async def _follow(self) -> None:
        """Act on what the screen shows, not on how it came to be: after a break a snapshot shows it too."""
        shown: Seat | None = None
        async for push in self._client.pushes():
            if isinstance(push, Pop) and push.seat == self.seat:
                self._on_pop(Popped(push.seat, push.context.conversation, push.context.number))
            seat = self._client.seen.seats.get(self.seat)
            if seat is not None and seat != shown:
                self._look(seat)
            shown = seat

    def _look(self, seat: Seat) -> None:
        if seat.state is SeatState.WRAP_UP and seat.since_us != self._wrap_up_since:
            self._wrap_up_since = seat.since_us
            self._spawn(self._ready())
        is_talking = seat.state in (SeatState.TALKING, SeatState.CONFERENCE)
        if is_talking and seat.conversation and seat.conversation not in self._talked:
            self._talked.add(seat.conversation)
            self._spawn(self._talk(seat.conversation))

    async def _ready(self) -> None:
        await asyncio.sleep(self._wrap_up_s)
        try:
            await self._client.ask("seat.ready")
        except (Refused, Unanswered) as error:
            log.info("not ready", seat=self.seat, why=str(error))

    async def _talk(self, conversation: str) -> None:
        await self.until(lambda: self.conversation(conversation) is not None, 5)
        view = self.conversation(conversation)
        if view is not None:
            await self._on_talk(self, view)

    def _spawn(self, work: Coroutine[None, None, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._done)

    def _done(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            log.warning("agent's work failed", seat=self.seat, why=f"{type(error).__name__}: {error}")
