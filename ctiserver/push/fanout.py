"""Owns who listens: sessions, what each was told, and what one that comes back has missed.

A push is written to every free connection before `tell` returns. Nothing here waits: a connection that is not
free has its pushes in its outbox, until it is free again or too far behind.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

import structlog

from ctiserver.api.pushes import Push, Seen, Snapshot
from ctiserver.push import closing
from ctiserver.push.outbox import LIMITS, Item, Limits, Outbox, item
from ctiserver.push.views import View, Viewer, visible
from hotline.identity.roles import Role

KEEP_US = 60_000_000
"""How long a session without connection is kept for its client to come back."""

log = structlog.get_logger()


class Wire(Protocol):
    """A client's connection, as the fan-out needs it."""

    paused: bool
    """Much of what was written before has not left yet."""

    def write(self, data: bytes) -> None:
        """Send one text message, without waiting; to no effect once the connection closes."""

    def end(self, code: int, reason: str) -> None:
        """Close, without waiting."""


class Session:
    """One client's place: survives its connection for a while."""

    __slots__ = ("audience", "id", "left_us", "outbox", "person", "wire")

    def __init__(self, session_id: str, person: str, audience: Audience, limits: Limits) -> None:
        self.id = session_id
        self.person = person
        self.audience = audience
        self.outbox = Outbox(limits)
        self.wire: Wire | None = None
        self.left_us = 0

    def tell(self, new: Item) -> bool:
        """Write a push, or let it wait; False when too much waits."""
        wire = self.wire
        outbox = self.outbox
        if wire is None:
            outbox.send(new)
        elif outbox.waiting or wire.paused:
            return outbox.put(new)
        else:
            wire.write(outbox.send(new))
        return True

    def flush(self) -> None:
        """Write what waits, as far as the connection takes it."""
        wire = self.wire
        while wire is not None and not wire.paused and (data := self.outbox.take()) is not None:
            wire.write(data)

    def leave(self, now_us: int) -> None:
        """The connection is gone: what waits counts as sent and missed."""
        self.wire = None
        self.left_us = now_us
        while self.outbox.take() is not None:
            pass


class Audience:
    """The sessions that see the same."""

    __slots__ = ("sessions", "view")

    def __init__(self, view: View) -> None:
        self.view = view
        self.sessions: dict[str, Session] = {}


class Fanout:
    """Every session. `snapshot` gives the whole floor as of the last push told."""

    def __init__(self, snapshot: Callable[[], Snapshot], limits: Limits = LIMITS) -> None:
        self._snapshot = snapshot
        self._limits = limits
        self._world = Seen()
        self._world.apply(snapshot())
        self._audiences: dict[Viewer, Audience] = {}
        self._in_order: tuple[Audience, ...] = ()
        self._sessions: dict[str, Session] = {}
        self._first: dict[Viewer, Item] = {}

    def tell(self, push: Push) -> None:
        """Send a push to all who may see it."""
        self._world.apply(push)
        self._first.clear()
        whole: Item | None = None
        for audience in self._in_order:
            for part in audience.view.of(push):
                if part is push:
                    whole = whole or item(push)
                    self._tell(audience, whole)
                else:
                    self._tell(audience, item(part))

    def open(self, session_id: str, person: str, viewer: Viewer, wire: Wire) -> Session:
        """A new session; its first push is a snapshot."""
        audience = self._audiences.get(viewer)
        if audience is None:
            audience = self._audiences[viewer] = Audience(View(viewer, self._world))
            self._arrange()
        session = Session(session_id, person, audience, self._limits)
        audience.sessions[session_id] = self._sessions[session_id] = session
        first = self._first.get(viewer)
        if first is None:
            first = self._first[viewer] = item(visible(self._snapshot(), viewer))
        session.wire = wire
        session.tell(first)
        return session

    def resume(
        self, session_id: str, person: str, viewer: Viewer, last_seq: int, wire: Wire
    ) -> tuple[Session, list[bytes]] | None:
        """Go on with a session over this connection. The frames after `last_seq` are the caller's to write.

        None: there is no such session of this person and viewer, or too much was missed.
        """
        session = self._sessions.get(session_id)
        if session is None or session.person != person or session.audience.view.viewer != viewer:
            return None
        old = session.wire
        session.leave(0)
        if old is not None:
            old.end(closing.REPLACED, "another connection goes on with this session")
        missed = session.outbox.resume(last_seq)
        if missed is None:
            self._forget(session)
            return None
        session.wire = wire
        return session, missed

    def leave(self, session: Session, wire: Wire, now_us: int) -> None:
        """The connection is gone; the session waits for its client, unless another connection has it."""
        if session.wire is wire:
            session.leave(now_us)

    def expire(self, now_us: int) -> None:
        """Forget the sessions whose clients have not come back in time."""
        for session in [
            s for s in self._sessions.values() if s.wire is None and s.left_us + KEEP_US <= now_us
        ]:
            self._forget(session)

    def __len__(self) -> int:
        """How many sessions there are."""
        return len(self._sessions)

    def queues(self) -> list[int]:
        """How many pushes wait for each connected client."""
        return [len(session.outbox.waiting) for session in self._sessions.values() if session.wire]

    def _tell(self, audience: Audience, new: Item) -> None:
        behind = [session for session in audience.sessions.values() if not session.tell(new)]
        for session in behind:
            wire = session.wire
            self._forget(session)
            log.warning("push_client_too_slow", session=session.id, waiting=len(session.outbox.waiting))
            if wire is not None:
                wire.end(closing.TOO_SLOW, "reads too slowly")

    def _forget(self, session: Session) -> None:
        session.wire = None
        del self._sessions[session.id]
        audience = session.audience
        del audience.sessions[session.id]
        if not audience.sessions:
            del self._audiences[audience.view.viewer]
            self._arrange()

    def _arrange(self) -> None:
        # A pop is awaited by one agent; walls and supervisors may hear of everything a millisecond later.
        self._in_order = tuple(
            sorted(self._audiences.values(), key=lambda audience: audience.view.viewer.role is not Role.AGENT)
        )
