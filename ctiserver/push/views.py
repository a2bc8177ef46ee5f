"""Owns who sees what of the floor. Pure.

Agents see their own seat, its conversations and every queue, and nothing of what supervisors do or may do;
supervisors and administrators everything; a wall (大屏) seats and queues, without names or conversations. For
every viewer, the visible part of a snapshot plus the visible part of the pushes after it is the visible part
of a fresh snapshot.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import assert_never

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
    Seen,
    Snapshot,
)
from ctiserver.api.states import Conversation, Seat
from hotline.identity.roles import Role


class Viewer(msgspec.Struct, frozen=True):
    """Whose eyes: a role, and for an agent the seat."""

    role: Role
    seat: str = ""


def visible(snapshot: Snapshot, viewer: Viewer) -> Snapshot:
    """The part of the floor that the viewer may see."""
    match viewer.role:
        case Role.SUPERVISOR | Role.ADMIN:
            return snapshot
        case Role.WALL:
            return Snapshot(
                seats=tuple(_on_wall(seat) for seat in snapshot.seats),
                queues=snapshot.queues,
                linked=snapshot.linked,
            )
        case Role.OFFICE:
            return Snapshot(linked=snapshot.linked)
        case Role.AGENT:
            own = tuple(_to_agent(call) for call in snapshot.conversations if _concerns(call, viewer.seat))
            ids = {call.id for call in own}
            return Snapshot(
                seats=tuple(_plain(seat) for seat in snapshot.seats if seat.id == viewer.seat),
                queues=snapshot.queues,
                conversations=own,
                contexts=tuple(known for known in snapshot.contexts if known.conversation in ids),
                linked=snapshot.linked,
            )
        case _:
            assert_never(viewer.role)


class View:
    """The pushes that one kind of viewer gets. `world`: the whole floor, with the push folded in already."""

    def __init__(self, viewer: Viewer, world: Seen) -> None:
        self.viewer = viewer
        self._world = world
        self._shown: dict[str, Conversation | None] = {}
        """Conversations that the agent has been shown and not yet seen end, as they were told last."""
        self._seat: Seat | None = None
        """The agent's seat as it was told last."""
        self._remember(world.conversations.values(), world.seats.values())

    def of(self, push: Push) -> tuple[Push, ...]:
        """What of a push the viewer gets: mostly itself or nothing."""
        match self.viewer.role:
            case Role.SUPERVISOR | Role.ADMIN:
                return (push,)
            case Role.WALL:
                return self._for_wall(push)
            case Role.OFFICE:
                return self._for_office(push)
            case Role.AGENT:
                return self._for_agent(push)
            case _:
                assert_never(self.viewer.role)

    def _for_office(self, push: Push) -> tuple[Push, ...]:
        if isinstance(push, Snapshot):
            return (visible(push, self.viewer),)
        return (push,) if isinstance(push, LinkPush) else ()

    def _for_wall(self, push: Push) -> tuple[Push, ...]:
        match push:
            case SeatPush(seat):
                return (SeatPush(_on_wall(seat)),)
            case QueuePush() | LinkPush():
                return (push,)
            case Snapshot():
                return (visible(push, self.viewer),)
            case _:
                return ()

    def _for_agent(self, push: Push) -> tuple[Push, ...]:
        seat = self.viewer.seat
        match push:
            case QueuePush() | LinkPush():
                return (push,)
            case SeatPush(changed):
                return self._own_seat(push, changed)
            case ConversationPush(call):
                return self._conversation(push, call)
            case Pop(at, context):
                if at == seat:
                    self._shown.setdefault(context.conversation, None)
                    return (push,)
                # Another seat rings for a call of ours: the same news about the caller, without the pop.
                return (ContextPush(context),) if context.conversation in self._shown else ()
            case ContextPush(context):
                return (push,) if context.conversation in self._shown else ()
            case ConversationGone(gone):
                return self._leave(gone)
            case Notice(at):
                return (push,) if at == seat else ()
            case Message():
                return (push,) if push.seat in ("", seat) else ()
            case Alarm() | CallbackPush() | CallbackGone():
                return ()
            case Snapshot():
                own = visible(push, self.viewer)
                self._remember(own.conversations, own.seats)
                return (own,)

    def _conversation(self, push: Push, call: Conversation) -> tuple[Push, ...]:
        if not _concerns(call, self.viewer.seat):
            return self._leave(call.id)
        shown = _to_agent(call)
        told = push if shown is call else ConversationPush(shown)
        is_new, before = call.id not in self._shown, self._shown.get(call.id)
        self._shown[call.id] = shown
        context = self._world.contexts.get(call.id) if is_new else None
        # A push without news would tell the agent that a supervisor came or went.
        news: tuple[Push, ...] = () if shown == before else (told,)
        return news if context is None else (*news, ContextPush(context))

    def _own_seat(self, push: Push, changed: Seat) -> tuple[Push, ...]:
        plain = _plain(changed)
        if changed.id != self.viewer.seat or plain == self._seat:
            return ()
        self._seat = plain
        return (push if plain is changed else SeatPush(plain),)

    def _remember(self, calls: Iterable[Conversation], seats: Iterable[Seat]) -> None:
        own = self.viewer.seat
        self._shown = {call.id: _to_agent(call) for call in calls if _concerns(call, own)}
        self._seat = next((_plain(seat) for seat in seats if seat.id == own), None)

    def _leave(self, call_id: str) -> tuple[Push, ...]:
        if call_id not in self._shown:
            return ()
        del self._shown[call_id]
        return (ConversationGone(call_id),)


def _concerns(call: Conversation, seat: str) -> bool:
    return seat in call.seats


def _to_agent(call: Conversation) -> Conversation:
    """Without the supervisors whom agents are not told of, and without what supervisors may do."""
    if not call.supervise and not any(part.is_hidden for part in call.participants):
        return call
    open_parts = tuple(part for part in call.participants if not part.is_hidden)
    return msgspec.structs.replace(call, participants=open_parts, supervise=())


def _plain(seat: Seat) -> Seat:
    return msgspec.structs.replace(seat, supervise=()) if seat.supervise else seat


def _on_wall(seat: Seat) -> Seat:
    return msgspec.structs.replace(seat, agent_name="", conversation="", actions=(), supervise=())
