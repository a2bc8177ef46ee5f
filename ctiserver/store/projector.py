"""Owns the copying of the journal into a store: in order, each event once, however long the store is away."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Callable, Sequence

import msgspec

from ctiserver.store.port import PROJECTOR, Store
from hotline import clock
from hotline.db.engine import FAILURES, is_passing, reason
from hotline.journal import Journal, JournalEntry
from hotline.local_time import SECOND_US

KEEP_US = 7 * 86_400 * SECOND_US
"""How long projected entries stay in the journal, should the database be restored from an older copy."""
_BATCH = 100
"""Entries in one transaction: few enough that the calls, which share this thread, wait some 10 ms at most."""
_LINGER_S = 1.0
"""How long a batch gathers: the database is asked to commit once a second at most."""
_RETRY_FIRST_S, _RETRY_LAST_S = 0.2, 15.0
_PRUNE_EVERY_US = 3600 * SECOND_US


class ProjectorHealth(msgspec.Struct, frozen=True, kw_only=True):
    """Whether the store takes what the journal holds; if not, why."""

    is_well: bool
    why: str = ""


class Projector:
    """Copies one node's journal. `report` hears of trouble, of each vain try, and of its end."""

    def __init__(
        self, journal: Journal, store: Store, node: str, report: Callable[[ProjectorHealth], None]
    ) -> None:
        self._journal = journal
        self._store = store
        self._node = node
        self._report = report
        self._is_well = True
        self._pruned_us = 0

    async def run(self) -> None:
        """Copy for ever; ends only when cancelled, losing nothing by it."""
        delay = _RETRY_FIRST_S
        while True:
            try:
                await self.catch_up()
            except (*FAILURES, sqlite3.Error) as error:
                self._is_well = False
                self._report(ProjectorHealth(is_well=False, why=reason(error)))
                await asyncio.sleep(delay)
                delay = min(delay * 2, _RETRY_LAST_S)
                continue
            delay = _RETRY_FIRST_S
            if not self._is_well:
                self._is_well = True
                self._report(ProjectorHealth(is_well=True))
            await self._journal.written(PROJECTOR)
            await asyncio.sleep(_LINGER_S)

    async def catch_up(self) -> int:
        """Copy all that the journal holds now; how many entries that was. Raises what the store raises."""
        identity = await self._journal.identity()
        if not identity:
            return 0
        copied, after = 0, await self._store.checkpoint(identity)
        while entries := await self._journal.read(after, _BATCH):
            await self._copy(identity, entries)
            copied, after = copied + len(entries), entries[-1].seq
        if copied:
            await self._journal.save_checkpoint(PROJECTOR, after)
        await self._prune()
        return copied

    async def _copy(self, identity: str, entries: Sequence[JournalEntry]) -> None:
        try:
            await self._store.project(identity, self._node, entries)
        except FAILURES as error:
            if is_passing(error):
                raise
            await self._copy_singly(identity, entries)

    async def _copy_singly(self, identity: str, entries: Sequence[JournalEntry]) -> None:
        """One of them upsets the store: find it, keep it aside with the reason, and go on with the others."""
        for entry in entries:
            try:
                await self._store.project(identity, self._node, [entry])
            except FAILURES as error:
                if is_passing(error):
                    raise
                await self._store.refuse(identity, self._node, entry, reason(error))

    async def _prune(self) -> None:
        now = clock.now()
        if now.mono_us - self._pruned_us > _PRUNE_EVERY_US:
            self._pruned_us = now.mono_us
            await self._journal.prune(now.utc_us - KEEP_US)
