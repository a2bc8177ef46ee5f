"""Owns what the projector needs of a store; the database and its in-memory twin provide it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import msgspec

from ctiserver.api.history import History
from ctiserver.api.states import CaseBrief, Contact
from ctiserver.store.keeper import event_of
from hotline.journal import GAP, JournalEntry

PROJECTOR = "calls"
"""The projector's name in checkpoints."""

Past = tuple[tuple[Contact, ...], tuple[CaseBrief, ...]]
"""A number's last contacts and open cases, each newest first."""


class Store(Protocol):
    """Where the projections are."""

    async def checkpoint(self, journal: str) -> int:
        """Up to which `seq` the journal of that identity has been projected; 0 at first."""

    async def project(self, journal: str, node: str, entries: Sequence[JournalEntry]) -> None:
        """Project the entries that are new, by their event ids, and move the checkpoint: all or nothing."""

    async def refuse(self, journal: str, node: str, entry: JournalEntry, why: str) -> None:
        """Keep an entry that cannot be projected, with the reason, and move the checkpoint past it."""

    async def recent(self, key: str, limit: int) -> Past:
        """Last contacts and open cases of a number (`CallerNumber.key`); PastUnknown if it cannot say."""


class PastUnknown(ConnectionError):
    """The database did not answer."""


class Decoded(msgspec.Struct, frozen=True):
    """A journal entry read: its event, or why there is none ("" for the mark of a gap, which is no event)."""

    event: History | None
    refusal: str


def decode(entry: JournalEntry) -> Decoded:
    """Read an entry. An entry of a kind that this version does not know is kept, not projected."""
    if entry.kind == GAP:
        return Decoded(None, "")
    try:
        return Decoded(event_of(entry), "")
    except msgspec.DecodeError as error:
        return Decoded(None, str(error))
