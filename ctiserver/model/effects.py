"""Owns what must be done in the world after a step. Each effect is a value; a shell does it, and tells
what came of it as an event.
"""

from __future__ import annotations

import msgspec

from ctiserver.api.history import History
from ctiserver.api.pushes import Push


class AddMember(msgspec.Struct, frozen=True, gc=False):
    """QueueAdd: the seat's phone joins the queue under the agent's number. Lower penalties ring first."""

    ref: str
    queue: str
    seat: str
    agent: str
    is_paused: bool
    reason: str
    penalty: int = 0


class RemoveMember(msgspec.Struct, frozen=True, gc=False):
    """QueueRemove."""

    ref: str
    queue: str
    seat: str


class ChangePenalty(msgspec.Struct, frozen=True, gc=False):
    """QueuePenalty: the seat rings sooner or later than others of that queue from now on."""

    ref: str
    queue: str
    seat: str
    penalty: int


class RaiseCaller(msgspec.Struct, frozen=True, gc=False):
    """QueueChangePriorityCaller: the waiting citizen goes before all of a lower priority, at once."""

    ref: str
    queue: str
    channel: str
    priority: int


class StopBeforeQueue(msgspec.Struct, frozen=True, gc=False):
    """Setvar HOTLINE_LAST_AGENT: the dialplan has the citizen stop at `last-agent` on the way to a queue."""

    ref: str
    channel: str


class PauseMember(msgspec.Struct, frozen=True, gc=False):
    """QueuePause in every queue that the seat serves, at once: pause with a reason, or unpause."""

    ref: str
    seat: str
    is_paused: bool
    reason: str


class MoveToRoom(msgspec.Struct, frozen=True, gc=False):
    """Redirect with ExtraChannel: citizen and seat leave their bridge together, in one action.

    The seat goes into `room`, the citizen too; with `holds`, the citizen goes to the music (held) instead.
    """

    ref: str
    citizen_channel: str
    seat_channel: str
    room: str
    holds: str = ""
    """the citizen's Uniqueid when they are to be held, else "" """


class SendTo(msgspec.Struct, frozen=True, gc=False):
    """Redirect one channel to a dialplan place."""

    ref: str
    channel: str
    context: str
    exten: str


class CallThirdParty(msgspec.Struct, frozen=True, gc=False):
    """Originate somebody outside straight into the room. Never sent twice. `uid` becomes the Uniqueid."""

    ref: str
    uid: str
    number: str
    room: str
    caller_id: str
    """number shown to the third party: digits or +, "" for the hotline's own"""
    trunk: str = ""
    """"" for the outbound trunk"""
    context: str = "room-third"


class CallSeat(msgspec.Struct, frozen=True, gc=False):
    """Originate a seat's phone into the room. Never sent twice. `uid` becomes its Uniqueid."""

    ref: str
    uid: str
    seat: str
    room: str
    caller_id: str
    """number shown on the phone: digits or +, "" for the hotline's own"""
    context: str = "room-seat"


class CallSupervisor(msgspec.Struct, frozen=True, gc=False):
    """Originate a supervisor's phone to a dialplan place. Never sent twice. `uid` becomes its Uniqueid.

    `spied_channel` becomes a variable of the new channel: whom it may spy on, now or later.
    """

    ref: str
    uid: str
    phone: str
    context: str
    exten: str
    spied_channel: str
    caller_id: str
    """number shown on the phone: the seat's"""


class SendKey(msgspec.Struct, frozen=True, gc=False):
    """PlayDTMF: whoever is at the far end of the channel hears that key."""

    ref: str
    channel: str
    digit: str


class MuteSeat(msgspec.Struct, frozen=True, gc=False):
    """Setvar MUTEAUDIO(in): nothing that the phone says goes further."""

    ref: str
    channel: str
    is_muted: bool


class AdmitPhone(msgspec.Struct, frozen=True, gc=False):
    """DBPut: the seat's phone in the page (网页话机) may register with `secret`; with "" none may."""

    ref: str
    seat: str
    secret: str


class PauseRecorder(msgspec.Struct, frozen=True, gc=False):
    """MixMonitorMute, both directions: silence is written in its place, so that both files stay in step."""

    ref: str
    channel: str
    is_paused: bool


class HangUpChannel(msgspec.Struct, frozen=True, gc=False):
    """Hangup."""

    ref: str
    channel: str


SwitchEffect = (
    AddMember
    | RemoveMember
    | ChangePenalty
    | PauseMember
    | RaiseCaller
    | StopBeforeQueue
    | MoveToRoom
    | SendTo
    | CallThirdParty
    | CallSeat
    | CallSupervisor
    | SendKey
    | MuteSeat
    | AdmitPhone
    | PauseRecorder
    | HangUpChannel
)


class Tell(msgspec.Struct, frozen=True, gc=False):
    """Push to every client that may see it."""

    push: Push


class Record(msgspec.Struct, frozen=True, gc=False):
    """Journal it."""

    event: History


class StartTimer(msgspec.Struct, frozen=True, gc=False):
    """TimerFired(key) after `after_ms`; a running timer of that key starts anew."""

    key: str
    after_ms: int


class StopTimer(msgspec.Struct, frozen=True, gc=False):
    """Forget that timer."""

    key: str


class LookUpCaller(msgspec.Struct, frozen=True, gc=False):
    """Prefetch the caller's context off the real-time path; ContextFound follows, perhaps twice."""

    conversation: str
    number: str
    name: str
    dnis: str
    started_us: int
    queued_us: int


class AskResync(msgspec.Struct, frozen=True, gc=False):
    """Something was seen that fits nothing: look at the whole switch again."""

    why: str


Effect = SwitchEffect | Tell | Record | StartTimer | StopTimer | LookUpCaller | AskResync
