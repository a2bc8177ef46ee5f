"""Owns the order of things: one queue, one consumer. Everything that changes the floor passes `Service.put`
or `command`.

The consumer runs where the event arrives, in the same tick: from an AMI byte to a push there is no task to
wait for.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Coroutine, Sequence
from itertools import groupby

import msgspec
import structlog

from ctiserver.api.commands import Actor, Command, Refusal
from ctiserver.api.history import History
from ctiserver.api.pushes import Push, QueuePush, Snapshot
from ctiserver.model.effects import (
    AskResync,
    Effect,
    LookUpCaller,
    Record,
    StartTimer,
    StopTimer,
    SwitchEffect,
    Tell,
)
from ctiserver.model.events import ActionFailed, ContextFound, Event, Resynced
from ctiserver.model.floor import Floor
from ctiserver.model.memory import fold, remember
from ctiserver.model.reconcile import Eyes, reconcile
from ctiserver.model.state import Rules
from ctiserver.service.ports import Account, Audience, Clock, Keeper, Memory, Switch, SwitchRefused
from ctiserver.service.timers import Timers

log = structlog.get_logger("ctiserver")

FIGURES_EVERY_S = 0.25
"""A queue's figures go to every screen, and nobody reads more than four a second."""
RESYNC_PAUSE_S = 1.0
"""Doubts within this time are one doubt."""


def actions_of(effects: list[Effect]) -> list[SwitchEffect]:
    """Those that the switch does."""
    return [effect for effect in effects if isinstance(effect, SwitchEffect)]


class Service:
    """The floor, alive."""

    def __init__(
        self,
        rules: Rules,
        history: list[History],
        *,
        clock: Clock,
        switch: Switch,
        audience: Audience,
        keeper: Keeper,
        memory: Memory,
        account: Account,
        day: Sequence[History] = (),
    ) -> None:
        """`day`: what figures and quotas of the day are made of, however far `history` reaches back."""
        now = clock()
        self._rules = rules
        self._memory_of_calls = remember(history, now.mono_us - now.utc_us, day, rules.service_level_ms)
        self.floor = Floor(rules, self._memory_of_calls)
        self._clock = clock
        self._switch = switch
        self._audience = audience
        self._keeper = keeper
        self._memory = memory
        self._account = account
        self._timers = Timers(self.put)
        self._events: deque[Event] = deque()
        self._is_draining = False
        self._tasks: set[asyncio.Task[None]] = set()
        self._doubt: asyncio.TimerHandle | None = None
        self._settling: asyncio.Handle | None = None
        self._figures: dict[str, QueuePush] = {}
        self._telling: asyncio.TimerHandle | None = None

    def put(self, event: Event) -> None:
        """Take an event in; returns when it and all that it caused here have been stepped.

        What a person waits for (a pop) and what the switch must do goes out now; how things look, once all
        that
        came with the same read has been stepped.
        """
        self._events.append(event)
        if self._is_draining:
            return
        self._is_draining = True
        try:
            while self._events:
                self._step(self._events.popleft())
        finally:
            self._is_draining = False
        if self._settling is None and not self.floor.is_settled:
            self._settling = asyncio.get_running_loop().call_soon(self._settle)

    def _settle_now(self) -> None:
        if self._settling is not None:
            self._settling.cancel()
        self._settle()

    def _settle(self) -> None:
        self._settling = None
        self._carry_out(self.floor.settle(self._clock()))

    async def command(self, actor: Actor, command: Command, key: str) -> dict[str, str] | Refusal:
        """Answer a command at once; that it took effect, a push will say. `key` has done its work before."""
        answer, effects = self.floor.command(actor, command, self._clock())
        log.info(
            "command",
            op=type(command).__name__,
            person=actor.person,
            seat=actor.seat,
            key=key,
            refused=answer.code.value if isinstance(answer, Refusal) else "",
        )
        self._carry_out(effects)
        self._settle_now()
        return answer

    def snapshot(self) -> Snapshot:
        """Everything, for a client that connects."""
        return self.floor.snapshot()

    def change_rules(self, rules: Rules) -> None:
        """The directory, the people or their skills changed."""
        self._rules = rules
        self._carry_out(self.floor.change_rules(rules, self._clock()))
        self._settle_now()

    async def stop(self) -> None:
        """Forget timers and unfinished work; the switch goes on by itself."""
        self._timers.stop()
        for handle in (self._settling, self._telling):
            if handle is not None:
                handle.cancel()
        if self._doubt is not None:
            self._doubt.cancel()
        for task in tuple(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def _step(self, event: Event) -> None:
        if isinstance(event, Resynced):
            event = self._with_account(event)
        self._carry_out(self.floor.step(event, self._clock()))

    def _with_account(self, event: Resynced) -> Resynced:
        """Add what Asterisk itself wrote down while we did not look."""
        members = {member.seat: member.agent for member in event.snapshot.members}
        eyes = Eyes(
            node=self._rules.node,
            trunks=self._rules.trunks,
            seats=self._rules.seats,
            agents=members,
            live=frozenset(channel.uid for channel in event.snapshot.channels),
            short_abandon_ms=self._rules.short_abandon_ms,
        )
        missing = reconcile(self._account.rows(), self._memory_of_calls, eyes)
        if missing:
            log.info("history found in the switch's own account", events=len(missing))
        return msgspec.structs.replace(event, unseen=tuple(missing))

    def _carry_out(self, effects: list[Effect]) -> None:
        """Pushes first, for a person waits for them; then the switch; the journal last, it never blocks."""
        kept: list[History] = []
        later: list[Effect] = []
        for effect in effects:
            if isinstance(effect, Tell):
                self._tell(effect.push)
            elif isinstance(effect, Record):
                kept.append(effect.event)
            else:
                later.append(effect)
        for ref, actions in groupby(actions_of(later), key=lambda effect: effect.ref):
            self._spawn(self._perform(ref, list(actions)))
        for effect in later:
            if not isinstance(effect, SwitchEffect):
                self._do(effect)
        if kept:
            self._keep(kept)

    def _tell(self, push: Push) -> None:
        if not isinstance(push, QueuePush):
            self._audience.tell(push)
            return
        self._figures[push.queue.name] = push
        if self._telling is None:
            self._telling = asyncio.get_running_loop().call_later(FIGURES_EVERY_S, self._tell_figures)

    def _tell_figures(self) -> None:
        self._telling = None
        for push in self._figures.values():
            self._audience.tell(push)
        self._figures.clear()

    def _keep(self, kept: list[History]) -> None:
        self._keeper.keep(kept)
        now = self._clock()
        for event in kept:
            fold(self._memory_of_calls, event, now.mono_us - now.utc_us)

    def _do(self, effect: Effect) -> None:
        match effect:
            case StartTimer(key, after_ms):
                self._timers.start(key, after_ms)
            case StopTimer(key):
                self._timers.cancel(key)
            case LookUpCaller():
                self.put(ContextFound(self._memory.glance(effect)))
                self._spawn(self._look_up(effect))
            case AskResync(why):
                log.warning("resync asked for", why=why)
                self._ask_resync()
            case Tell() | Record():
                raise AssertionError("carried out before")
            case _:
                raise AssertionError("goes to the switch")

    def _spawn(self, work: Coroutine[None, None, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._finished)

    def _finished(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            log.error("work failed", why=type(error).__name__, exc_info=error)

    async def _perform(self, ref: str, actions: list[SwitchEffect]) -> None:
        """Do what belongs together, one after the other: nobody is called into a room that does not stand."""
        for action in actions:
            try:
                await self._switch.perform(action)
            except SwitchRefused as error:
                log.warning("switch refused", action=type(action).__name__, ref=ref, why=str(error))
                self.put(ActionFailed(ref, str(error)))
                return

    async def _look_up(self, asked: LookUpCaller) -> None:
        context = await self._memory.look_up(asked)
        if context is not None:
            self.put(ContextFound(context))

    def _ask_resync(self) -> None:
        if self._doubt is None:
            self._doubt = asyncio.get_running_loop().call_later(RESYNC_PAUSE_S, self._resync)

    def _resync(self) -> None:
        self._doubt = None
        if self.floor.is_linked:
            self._spawn(self._look_again())

    async def _look_again(self) -> None:
        try:
            await self._switch.resync()
        except SwitchRefused as error:
            log.warning("resync failed; the next connect will do it", why=str(error))
