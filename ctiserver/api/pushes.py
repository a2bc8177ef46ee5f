"""Owns what the server says: pushes, the snapshot, and how a client folds them into a state.

A push on the wire (JSON) is `{"seq": 12, "push": {"type": "seat", …}}`, an answer `{"re": 7, "ok": {…}}` or
`{"re": 7, "error": {"code": …, "message": …}}`.
"""

from __future__ import annotations

import msgspec

from ctiserver.api.states import Callback, CallerContext, Conversation, Queue, Seat


class Snapshot(msgspec.Struct, frozen=True, kw_only=True, tag="snapshot"):
    """Everything that this client may see, at once. `linked`: whether the switch is in sight."""

    seats: tuple[Seat, ...] = ()
    queues: tuple[Queue, ...] = ()
    conversations: tuple[Conversation, ...] = ()
    contexts: tuple[CallerContext, ...] = ()
    callbacks: tuple[Callback, ...] = ()
    linked: bool = False


class SeatPush(msgspec.Struct, frozen=True, tag="seat", gc=False):
    """A seat has this state now."""

    seat: Seat


class QueuePush(msgspec.Struct, frozen=True, tag="queue", gc=False):
    """A queue has these figures now."""

    queue: Queue


class ConversationPush(msgspec.Struct, frozen=True, tag="conversation", gc=False):
    """A conversation looks so now."""

    conversation: Conversation


class ConversationGone(msgspec.Struct, frozen=True, tag="conversation_gone", gc=False):
    """A conversation has ended and left the floor."""

    id: str


class Pop(msgspec.Struct, frozen=True, tag="pop", gc=False):
    """来电弹屏: `seat` begins to ring for `context.conversation`. Sent once per ring."""

    seat: str
    context: CallerContext


class ContextPush(msgspec.Struct, frozen=True, tag="context", gc=False):
    """More is known about a caller whose call has popped already."""

    context: CallerContext


class CallbackPush(msgspec.Struct, frozen=True, tag="callback", gc=False):
    """A callback that keeps its place (保位回呼) looks so now."""

    callback: Callback


class CallbackGone(msgspec.Struct, frozen=True, tag="callback_gone", gc=False):
    """A callback is done, has failed, or is wanted no more."""

    id: str


class LinkPush(msgspec.Struct, frozen=True, tag="link", gc=False):
    """The switch has come into sight or gone out of it."""

    linked: bool


class Notice(msgspec.Struct, frozen=True, tag="notice", gc=False):
    """Something asked for at `seat` was accepted, then failed at the switch."""

    seat: str
    code: str
    message: str


class Alarm(msgspec.Struct, frozen=True, kw_only=True, tag="alarm", gc=False):
    """告警: supervisors must look. `kind`: emergency_called, emergency_failed (no route answered)."""

    kind: str
    seat: str
    conversation: str
    number: str = ""


class Message(msgspec.Struct, frozen=True, kw_only=True, tag="message", gc=False):
    """消息: a supervisor writes to the agent at `seat`, or to all with "". `by`: the supervisor's name."""

    seat: str
    text: str
    by: str
    at_us: int


Push = (
    Snapshot
    | SeatPush
    | QueuePush
    | ConversationPush
    | ConversationGone
    | Pop
    | ContextPush
    | CallbackPush
    | CallbackGone
    | LinkPush
    | Notice
    | Alarm
    | Message
)


class Seen(msgspec.Struct):
    """A client's folded state. The same rule stands in the desk's script: snapshot, then pushes in order."""

    seats: dict[str, Seat] = msgspec.field(default_factory=dict)
    queues: dict[str, Queue] = msgspec.field(default_factory=dict)
    conversations: dict[str, Conversation] = msgspec.field(default_factory=dict)
    contexts: dict[str, CallerContext] = msgspec.field(default_factory=dict)
    callbacks: dict[str, Callback] = msgspec.field(default_factory=dict)
    linked: bool = False

    def apply(self, push: Push) -> None:
        """Fold one push in."""
        match push:
            case Snapshot():
                self.seats = {seat.id: seat for seat in push.seats}
                self.queues = {queue.name: queue for queue in push.queues}
                self.conversations = {conversation.id: conversation for conversation in push.conversations}
                self.contexts = {context.conversation: context for context in push.contexts}
                self.callbacks = {callback.id: callback for callback in push.callbacks}
                self.linked = push.linked
            case SeatPush(seat):
                self.seats[seat.id] = seat
            case QueuePush(queue):
                self.queues[queue.name] = queue
            case ConversationPush(conversation):
                self.conversations[conversation.id] = conversation
            case ConversationGone(gone):
                self.conversations.pop(gone, None)
                self.contexts.pop(gone, None)
            case Pop(_, context) | ContextPush(context):
                self.contexts[context.conversation] = context
            case CallbackPush(callback):
                self.callbacks[callback.id] = callback
            case CallbackGone(gone):
                self.callbacks.pop(gone, None)
            case LinkPush(linked):
                self.linked = linked
            case Notice() | Alarm() | Message():
                pass


class Frame(msgspec.Struct, frozen=True):
    """A numbered push, as a client reads it."""

    seq: int
    push: Push


class Answer(msgspec.Struct, frozen=True, omit_defaults=True):
    """The answer to request `re`: `ok` or `error`, never both."""

    re: int
    ok: dict[str, str] | None = None
    error: dict[str, str] | None = None
