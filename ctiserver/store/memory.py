"""Owns the in-memory twin of the database: same rules, same tests."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from ctiserver.api.states import CaseBrief
from ctiserver.store.contacts import contact_of
from ctiserver.store.fold import Fold, Origin, Rows
from ctiserver.store.port import Decoded, Past, decode
from hotline.journal import JournalEntry


class MemoryStore:
    """A `Store` that forgets when it ends. `cases` are open cases by number key."""

    def __init__(self, key_of: Callable[[str], str]) -> None:
        self.rows = Rows()
        self.refusals: dict[str, str] = {}
        self.cases: dict[str, tuple[CaseBrief, ...]] = {}
        self._checkpoints: dict[str, int] = {}
        self._fold = Fold(self.rows, key_of)

    async def checkpoint(self, journal: str) -> int:
        """Up to which `seq` that journal has been projected."""
        return self._checkpoints.get(journal, 0)

    async def project(self, journal: str, node: str, entries: Sequence[JournalEntry]) -> None:
        """Project the entries that are new and move the checkpoint."""
        for entry in entries:
            self._take(entry, node, decode(entry))
        self._checkpoints[journal] = entries[-1].seq

    async def refuse(self, journal: str, node: str, entry: JournalEntry, why: str) -> None:
        """Keep an entry that cannot be projected, with the reason."""
        self._take(entry, node, Decoded(None, why))
        self._checkpoints[journal] = entry.seq

    async def recent(self, key: str, limit: int) -> Past:
        """Last contacts and open cases of a number."""
        if not key:
            return (), ()
        calls = [call for call in self.rows.calls.values() if call.citizen == key]
        newest = sorted(calls, key=lambda call: call.started_us, reverse=True)[:limit]
        return tuple(contact_of(call) for call in newest), self.cases.get(key, ())[:limit]

    def _take(self, entry: JournalEntry, node: str, decoded: Decoded) -> None:
        if entry.event_id in self.refusals:
            return
        self.refusals[entry.event_id] = decoded.refusal
        if decoded.event is not None:
            self._fold.apply(decoded.event, Origin(node=node, event_id=entry.event_id))
