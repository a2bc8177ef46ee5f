"""Owns what one client has still to get, in which order and under which number. Pure: bytes in, bytes out.

A client that keeps up gets every push. For one that does not, a push that a later one overrides is left
out: the last word on each seat, queue, conversation, context and the link stays, in the order of those last
words, and a pop, a notice or an end is never left out. So what the client folds is true again as soon as it
has read all.
"""

from __future__ import annotations

from collections import deque

import msgspec

from ctiserver.api.pushes import (
    Alarm,
    CallbackGone,
    CallbackPush,
    ContextPush,
    ConversationGone,
    ConversationPush,
    LinkPush,
    Message,
    Notice,
    Pop,
    Push,
    QueuePush,
    SeatPush,
    Snapshot,
)


class Item(msgspec.Struct, frozen=True):
    """A push, encoded once for all clients. `key`: what it is the last word on, "" if never left out."""

    body: bytes
    key: str = ""
    overrides: tuple[str, ...] = ()
    """Keys of earlier pushes that have no meaning after this one."""
    overrides_all: bool = False


class Limits(msgspec.Struct, frozen=True, kw_only=True):
    """How far a client may fall behind (`waiting…`), how much is kept for one that comes back (`kept…`)."""

    waiting: int = 2000
    waiting_bytes: int = 2 << 20
    kept: int = 64
    kept_bytes: int = 1 << 18


LIMITS = Limits()


def item(push: Push) -> Item:
    """Encode a push and name what it overrides."""
    body = msgspec.json.encode(push)
    match push:
        case Snapshot():
            return Item(body, overrides_all=True)
        case SeatPush(seat):
            return Item(body, f"seat:{seat.id}")
        case QueuePush(queue):
            return Item(body, f"queue:{queue.name}")
        case ConversationPush(conversation):
            return Item(body, f"conversation:{conversation.id}")
        case ContextPush(context):
            return Item(body, f"context:{context.conversation}")
        case CallbackPush(callback):
            return Item(body, f"callback:{callback.id}")
        case CallbackGone(gone):
            return Item(body, overrides=(f"callback:{gone}",))
        case LinkPush():
            return Item(body, "link")
        case Pop(_, context):
            return Item(body, overrides=(f"context:{context.conversation}",))
        case ConversationGone(gone):
            return Item(body, overrides=(f"conversation:{gone}", f"context:{gone}"))
        case Notice() | Alarm() | Message():
            return Item(body)


def frame(seq: int, body: bytes) -> bytes:
    """A numbered push as it goes over the wire."""
    return b'{"seq":%d,"push":%b}' % (seq, body)


class Outbox:
    """One client's pushes: waiting, then numbered from 1 as they leave, then kept a while for `resume`."""

    __slots__ = ("_kept", "_kept_bytes", "_limits", "_serial", "_waiting_bytes", "last_seq", "waiting")

    def __init__(self, limits: Limits = LIMITS) -> None:
        self.last_seq = 0
        self.waiting: dict[str, Item] = {}
        self._limits = limits
        self._waiting_bytes = 0
        self._serial = 0
        self._kept: deque[bytes] = deque()
        self._kept_bytes = 0

    def put(self, new: Item) -> bool:
        """Let a push wait its turn, in place of what it overrides. False: the client is too far behind."""
        if new.overrides_all:
            for key in [key for key, old in self.waiting.items() if old.key]:
                self._forget(key)
        for key in new.overrides:
            self._forget(key)
        key = new.key
        if key:
            self._forget(key)
        else:
            self._serial += 1
            key = str(self._serial)
        self.waiting[key] = new
        self._waiting_bytes += len(new.body)
        limits = self._limits
        return len(self.waiting) <= limits.waiting and self._waiting_bytes <= limits.waiting_bytes

    def take(self) -> bytes | None:
        """The next frame to send, or None when nothing waits."""
        if not self.waiting:
            return None
        key = next(iter(self.waiting))
        new = self.waiting.pop(key)
        self._waiting_bytes -= len(new.body)
        return self.send(new)

    def send(self, new: Item) -> bytes:
        """Number a push that leaves at once; only when nothing waits, or the order would be lost."""
        body = new.body
        self.last_seq += 1
        self._kept.append(body)
        self._kept_bytes += len(body)
        while len(self._kept) > self._limits.kept or self._kept_bytes > self._limits.kept_bytes:
            self._kept_bytes -= len(self._kept.popleft())
        return frame(self.last_seq, body)

    def resume(self, last_seq: int) -> list[bytes] | None:
        """The frames after `last_seq`, again; None when some are no longer kept, or never were sent."""
        missed = self.last_seq - last_seq
        if not 0 <= missed <= len(self._kept) or last_seq < 1:
            return None
        start = len(self._kept) - missed
        return [frame(last_seq + 1 + at, self._kept[start + at]) for at in range(missed)]

    def _forget(self, key: str) -> None:
        old = self.waiting.pop(key, None)
        if old is not None:
            self._waiting_bytes -= len(old.body)
