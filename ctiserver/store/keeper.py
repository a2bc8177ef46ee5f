"""Owns the way of a domain event into the journal: its id, its kind, its bytes."""

from __future__ import annotations

import secrets
from collections.abc import Sequence

import msgspec

from ctiserver.api.history import History
from hotline import ids
from hotline.journal import Journal, JournalEntry


class JournalKeeper:
    """Keeps what happened on one node. The service's `Keeper`."""

    def __init__(self, journal: Journal, node: str) -> None:
        self._journal = journal
        self._node = node

    def keep(self, events: Sequence[History]) -> None:
        """Append to the journal, without waiting for the disk."""
        self._journal.append([entry_of(event, self._node) for event in events])


def entry_of(event: History, node: str) -> JournalEntry:
    """The event as a journal entry with an id of its own."""
    return JournalEntry(
        event_id=ids.make(node, event.at_us, secrets.token_bytes(ids.RANDOM_BYTES)),
        at_us=event.at_us,
        kind=str(event.__struct_config__.tag),
        body=_encode(event),
    )


def event_of(entry: JournalEntry) -> History:
    """The event back again; msgspec.DecodeError when this version does not know its kind or shape."""
    event: History = msgspec.json.decode(entry.body, type=History)
    return event


def _encode(event: History) -> bytes:
    """JSON; a caller's name that is no Unicode becomes one with question marks rather than an error."""
    try:
        return msgspec.json.encode(event)
    except UnicodeEncodeError:
        texts = {
            name: value.encode("utf-8", "replace").decode()
            for name, value in msgspec.structs.asdict(event).items()
            if isinstance(value, str)
        }
        return msgspec.json.encode(msgspec.structs.replace(event, **texts))
