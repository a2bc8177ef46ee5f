"""Owns who sees what of the floor. Pure.

Agents see their own seat, its conversations and every queue; supervisors and administrators everything; a
wall (大屏) seats and queues, without names or conversations. For every viewer, the visible part of a snapshot
plus the visible part of the pushes after it is the visible part of a fresh snapshot.
"""

from __future__ import annotations

from typing import assert_never

import msgspec

from ctiserver.api.pushes import (
    Alarm,
    ContextPush,
    ConversationGone,
    ConversationPush,
    LinkPush,
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
        case Role.AGENT:
            own = tuple(call for call in snapshot.conversations if _concerns(call, viewer.seat))
            ids = {call.id for call in own}
            return Snapshot(
                seats=tuple(seat for seat in snapshot.seats if seat.id == viewer.seat),
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
        self._shown = {call.id for call in world.conversations.values() if _concerns(call, viewer.seat)}
        """Conversations that the agent has been shown and not yet seen end."""

    def of(self, push: Push) -> tuple[Push, ...]:
        """What of a push the viewer gets: mostly itself or nothing."""
        match self.viewer.role:
            case Role.SUPERVISOR | Role.ADMIN:
                return (push,)
            case Role.WALL:
                return self._for_wall(push)
            case Role.AGENT:
                return self._for_agent(push)
            case _:
                assert_never(self.viewer.role)

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
                return (push,) if changed.id == seat else ()
            case ConversationPush(call):
                return self._conversation(push, call)
            case Pop(at, context):
                if at == seat:
                    self._shown.add(context.conversation)
                    return (push,)
                # Another seat rings for a call of ours: the same news about the caller, without the pop.
                return (ContextPush(context),) if context.conversation in self._shown else ()
            case ContextPush(context):
                return (push,) if context.conversation in self._shown else ()
            case ConversationGone(gone):
                return self._leave(gone)
            case Notice(at):
                return (push,) if at == seat else ()
            case Alarm():
                return ()
            case Snapshot():
                own = visible(push, self.viewer)
                self._shown = {call.id for call in own.conversations}
                return (own,)

    def _conversation(self, push: Push, call: Conversation) -> tuple[Push, ...]:
        if not _concerns(call, self.viewer.seat):
            return self._leave(call.id)
        if call.id in self._shown:
            return (push,)
        self._shown.add(call.id)
        context = self._world.contexts.get(call.id)
        return (push,) if context is None else (push, ContextPush(context))

    def _leave(self, call_id: str) -> tuple[Push, ...]:
        if call_id not in self._shown:
            return ()
        self._shown.discard(call_id)
        return (ConversationGone(call_id),)


def _concerns(call: Conversation, seat: str) -> bool:
    return seat in call.seats


def _on_wall(seat: Seat) -> Seat:
    return msgspec.structs.replace(seat, agent_name="", conversation="", actions=())
