"""Owns the way from the journal to the list of deliveries: each entry once for each webhook, in order, as
soon as it is on the disk.
"""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Awaitable, Callable, Sequence

import msgspec
import structlog

from ctiserver.api.history import History, SeatChanged
from ctiserver.api.hooks import CallHook, kind_of, without_number
from ctiserver.api.states import CaseBrief
from ctiserver.hooks.casework import wants
from ctiserver.hooks.ledger import Delivery, Ledger
from ctiserver.hooks.mapping import Caller, Facts, Origin, hooks_of, is_emergency_call, learn
from ctiserver.store.port import decode
from hotline import clock
from hotline.journal import Journal, JournalEntry
from hotline.numbers import CallerNumber
from hotline.settings import WebhookSettings

log = structlog.get_logger("hooks")

READER = "hooks"
"""Our name among the journal's readers."""
CASES_S = 1.0
"""How long the database may take to tell a caller's cases; then the emergency centre hears without."""
LOOK_BACK = 50_000
"""Journal entries read at start for what is known of calls that go on: those of some hours."""
_CALLS = 2_000
"""Calls remembered, those that something happened to last."""
_BATCH = 200
_RETRY_FIRST_S, _RETRY_LAST_S = 0.2, 15.0

Cases = Callable[[str], Awaitable[tuple[CaseBrief, ...]]]
"""From a number's key (`CallerNumber.key`) to its open cases, newest first; an OSError when unknown."""


class Consumer:
    """Lists what `hooks` are to be sent of one node's journal. `wake` is called when there is something new,
    `lost` hears how many deliveries were given up for want of room.
    """

    def __init__(
        self,
        journal: Journal,
        ledger: Ledger,
        hooks: Sequence[WebhookSettings],
        node: str,
        *,
        describe: Callable[[str], CallerNumber],
        cases: Cases,
        wake: Callable[[], None],
        lost: Callable[[int], None],
    ) -> None:
        self._journal = journal
        self._ledger = ledger
        self._hooks = hooks
        self._node = node
        self._describe = describe
        self._cases = cases
        self._wake = wake
        self._lost = lost
        self._facts: dict[str, Facts] = {}
        self._identity = ""
        self._begins: dict[str, int] = {}
        self._seq = 0
        self._asking: set[asyncio.Future[tuple[CaseBrief, ...]]] = set()

    async def run(self) -> None:
        """List for ever; ends only when cancelled, losing nothing by it."""
        delay = _RETRY_FIRST_S
        while True:
            try:
                await self.catch_up()
            except sqlite3.Error as error:
                log.error("webhooks wait: journal or list not at hand", why=str(error))
                self._identity = ""
                await asyncio.sleep(delay)
                delay = min(delay * 2, _RETRY_LAST_S)
                continue
            delay = _RETRY_FIRST_S
            await self._journal.written(READER)

    async def catch_up(self) -> None:
        """List all that the journal holds now."""
        identity = await self._journal.identity()
        if not identity:
            return
        if identity != self._identity:
            await self._begin(identity)
        while entries := await self._journal.read(self._seq, _BATCH):
            deliveries = await self._deliveries(entries)
            lost = await self._ledger.add(deliveries, entries[-1].seq, clock.now().utc_us)
            self._seq = entries[-1].seq
            if lost:
                self._lost(lost)
            if deliveries:
                self._wake()

    async def _begin(self, identity: str) -> None:
        """Find where we were, and know of the calls before that."""
        names = [hook.name for hook in self._hooks]
        end = await self._journal.last()
        self._begins = await self._ledger.positions(identity, end, names, clock.now().utc_us)
        self._seq = min(self._begins.values())
        self._facts.clear()
        after = max(0, self._seq - LOOK_BACK)
        while entries := await self._journal.read(after, min(_BATCH, self._seq - after)):
            for entry in entries:
                if (event := decode(entry).event) is not None:
                    self._learn(event)
            after = entries[-1].seq
        self._identity = identity

    async def _deliveries(self, entries: Sequence[JournalEntry]) -> list[Delivery]:
        """What the webhooks are to be sent of these entries."""
        known = [
            (entry, event, self._learn(event))
            for entry in entries
            if (event := decode(entry).event) is not None
        ]
        callers = await asyncio.gather(*(self._caller(event, facts) for _, event, facts in known))
        made_us = clock.now().utc_us
        return [
            _delivery(hook, happened, made_us)
            for (entry, event, facts), caller in zip(known, callers, strict=True)
            for happened in hooks_of(event, facts, caller, Origin(event_id=entry.event_id, node=self._node))
            for hook in self._hooks
            if entry.seq > self._begins[hook.name] and wants(hook, happened)
        ]

    def _learn(self, event: History) -> Facts:
        """What is known of the event's call after it. Of many calls the one least in use is forgotten."""
        if isinstance(event, SeatChanged):
            return Facts()
        facts = learn(self._facts.pop(event.conversation, Facts()), event)
        self._facts[event.conversation] = facts
        if len(self._facts) > _CALLS:
            del self._facts[next(iter(self._facts))]
        return facts

    async def _caller(self, event: History, facts: Facts) -> Caller:
        """Who calls, for an emergency; within CASES_S whatever the database does."""
        if not is_emergency_call(event):
            return Caller()
        number = self._describe(facts.number)
        cases = await self._cases_of(number.key) if number.key else ()
        return Caller(place=number.place, carrier=number.carrier, cases=cases)

    async def _cases_of(self, key: str) -> tuple[CaseBrief, ...] | None:
        """Asked in a task that is left to itself when it is late: to stop a question takes time as well."""
        asking = asyncio.ensure_future(self._cases(key))
        self._asking.add(asking)
        asking.add_done_callback(self._asked)
        await asyncio.wait([asking], timeout=CASES_S)
        if not asking.done():
            asking.cancel()
            log.warning("webhook goes without the caller's cases: the database is late")
            return None
        return None if asking.exception() else asking.result()

    def _asked(self, asking: asyncio.Future[tuple[CaseBrief, ...]]) -> None:
        self._asking.discard(asking)
        if not asking.cancelled() and (error := asking.exception()) is not None:
            log.warning("webhook goes without the caller's cases", why=type(error).__name__)


def _delivery(hook: WebhookSettings, event: CallHook, made_us: int) -> Delivery:
    kind = kind_of(event)
    return Delivery(
        hook=hook.name,
        id=event.id,
        kind=kind,
        conversation=event.conversation,
        is_urgent=kind.startswith("emergency."),
        body=msgspec.json.encode(event if hook.with_numbers else without_number(event)),
        made_us=made_us,
    )
