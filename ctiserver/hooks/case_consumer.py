"""Owns the way from the histories of cases to the list of deliveries: each entry once, in order.

The database says what happened, however it came there: by a page, the API, the clock. It is asked every
EVERY_S; while it is down nothing is lost, and what happened meanwhile follows.
"""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Callable, Sequence

import msgspec
import structlog

from casework.case import Case
from casework.history import Entry
from casework.store import cases as store
from ctiserver.api.hooks import EmergencyCaseHook, HookEvent, kind_of
from ctiserver.hooks.casework import concerned, handed_over, hook_of, wants
from ctiserver.hooks.ledger import CASES, Delivery, Ledger
from hotline import clock
from hotline.db.engine import FAILURES, Database, reason
from hotline.numbers import CallerNumber
from hotline.settings import WebhookSettings

log = structlog.get_logger("hooks")

EVERY_S = 1.0
_BATCH = 200
_RETRY_S = 5.0


class CaseConsumer:
    """Lists what `hooks` are to be sent of the database's cases. `wake` and `lost` as for `Consumer`."""

    def __init__(
        self,
        database: Database,
        ledger: Ledger,
        hooks: Sequence[WebhookSettings],
        node: str,
        *,
        describe: Callable[[str], CallerNumber],
        wake: Callable[[], None],
        lost: Callable[[int], None],
    ) -> None:
        self._database = database
        self._ledger = ledger
        self._hooks = hooks
        self._node = node
        self._describe = describe
        self._wake = wake
        self._lost = lost
        self._begins: dict[str, int] = {}
        self._seq = 0

    async def run(self) -> None:
        """List for ever; ends only when cancelled, losing nothing by it."""
        while True:
            try:
                await self.catch_up()
            except (sqlite3.Error, *FAILURES) as error:
                log.warning("webhooks of cases wait: database or list not at hand", why=reason(error))
                self._begins = {}
                await asyncio.sleep(_RETRY_S)
            await asyncio.sleep(EVERY_S)

    async def catch_up(self) -> None:
        """List all that the database holds now."""
        async with self._database.read() as session:
            if self._begins and not await store.has_entry_after(session, self._seq):
                return
            end = await store.last_entry(session)
        if not self._begins:
            await self._begin(end)
        while self._seq < end:
            async with self._database.read() as session:
                found = await store.entries_between(session, self._seq, end, _BATCH)
            seq = found[-1][0] if len(found) == _BATCH else end
            deliveries = [one for entry in found for one in self._deliveries(*entry)]
            lost = await self._ledger.add(deliveries, seq, clock.now().utc_us, CASES)
            self._seq = seq
            if lost:
                self._lost(lost)
            if deliveries:
                self._wake()

    async def _begin(self, end: int) -> None:
        names = [hook.name for hook in self._hooks]
        self._begins = await self._ledger.positions(CASES, end, names, clock.now().utc_us, CASES)
        self._seq = min(self._begins.values())

    def _deliveries(self, row: int, entry: Entry, case: Case) -> list[Delivery]:
        hooks = [hook for hook in self._hooks if row > self._begins[hook.name]]
        urgent = handed_over(entry, case, self._node, self._describe(case.citizen))
        told: list[tuple[WebhookSettings, HookEvent, str]] = [
            (hook, hook_of(entry, case, self._node, hook), case.id)
            for hook in hooks
            if concerned(entry, case, hook)
        ]
        if urgent is not None:
            told += [(hook, urgent, urgent.conversation) for hook in hooks]
        return [_delivery(hook, event, about) for hook, event, about in told if wants(hook, event)]


def _delivery(hook: WebhookSettings, event: HookEvent, about: str) -> Delivery:
    return Delivery(
        hook=hook.name,
        id=event.id,
        kind=kind_of(event),
        conversation=about,
        is_urgent=isinstance(event, EmergencyCaseHook),
        body=msgspec.json.encode(event),
        made_us=clock.now().utc_us,
    )
