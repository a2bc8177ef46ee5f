"""Owns what can happen to the floor, in the past tense. `ctiserver.ami.translate` makes them from
Asterisk's events.

Each event of a channel that comes or changes carries its own facts (`Channel`), so that a leg never seen
before can be taken in at once.
"""

from __future__ import annotations

import msgspec

from ctiserver.api.history import History
from ctiserver.api.states import CallerContext


class Channel(msgspec.Struct, frozen=True, gc=False):
    """A channel as Asterisk describes it in each of its events."""

    uid: str
    name: str
    linkedid: str
    is_up: bool
    is_ringing: bool
    number: str
    """CallerIDNum, "" when unknown or withheld"""
    caller_name: str
    context: str
    exten: str


class ChannelCreated(msgspec.Struct, frozen=True, gc=False):
    """Newchannel."""

    channel: Channel


class ChannelChanged(msgspec.Struct, frozen=True, gc=False):
    """Newstate and the other moments at which only the channel's own state matters."""

    channel: Channel


class ChannelHungUp(msgspec.Struct, frozen=True, gc=False):
    """Hangup. `cause` is the Q.850 cause (16 normal, 17 busy, 19 no answer, 21 rejected)."""

    channel: Channel
    cause: int


class BridgeEntered(msgspec.Struct, frozen=True, gc=False):
    """BridgeEnter."""

    channel: Channel
    bridge: str


class BridgeLeft(msgspec.Struct, frozen=True, gc=False):
    """BridgeLeave of the channel `uid`. Leaving tells of no channel that is new, so the rest is not read."""

    uid: str
    bridge: str


class RoomJoined(msgspec.Struct, frozen=True, gc=False):
    """ConfbridgeJoin. `room` is the citizen's Uniqueid; `conference` tells two of that name apart."""

    channel: Channel
    room: str
    conference: str = ""


class RoomLeft(msgspec.Struct, frozen=True, gc=False):
    """ConfbridgeLeave of the channel `uid`."""

    uid: str
    room: str


class PhoneHeld(msgspec.Struct, frozen=True, gc=False):
    """Hold and Unhold: the phone itself holds the call (话机保持), or talks again."""

    channel: Channel
    is_on_hold: bool


class CallerQueued(msgspec.Struct, frozen=True, gc=False):
    """QueueCallerJoin."""

    channel: Channel
    queue: str


class CallerLeftQueue(msgspec.Struct, frozen=True, gc=False):
    """QueueCallerLeave of the channel `uid`: picked up, gave up, or was taken out."""

    uid: str
    queue: str


class IvrLeft(msgspec.Struct, frozen=True, gc=False):
    """UserEvent of the dialplan: the citizen leaves the IVR (`ctiserver.api.way`), `status` says how."""

    channel: Channel
    path: str
    status: str
    call_at: str
    """The other number at which they want to be called back, "" for none."""


class SeatRung(msgspec.Struct, frozen=True, gc=False):
    """AgentCalled: app_queue rings `seat` by `channel`, whose Linkedid is the citizen's Uniqueid."""

    channel: Channel
    seat: str


class SeatNotAnswered(msgspec.Struct, frozen=True, gc=False):
    """AgentRingNoAnswer."""

    channel: Channel
    seat: str


class MemberAdded(msgspec.Struct, frozen=True, gc=False):
    """QueueMemberAdded: `agent` is the member's name."""

    queue: str
    seat: str
    agent: str
    is_paused: bool
    reason: str
    penalty: int = 0


class MemberRemoved(msgspec.Struct, frozen=True, gc=False):
    """QueueMemberRemoved."""

    queue: str
    seat: str


class MemberPaused(msgspec.Struct, frozen=True, gc=False):
    """QueueMemberPause: paused or unpaused, with the reason."""

    queue: str
    seat: str
    is_paused: bool
    reason: str


class PhoneChanged(msgspec.Struct, frozen=True, gc=False):
    """DeviceStateChange of a seat's phone: reachable or not."""

    seat: str
    is_up: bool


class OriginateFailed(msgspec.Struct, frozen=True, gc=False):
    """OriginateResponse with Failure. `uid` is the id we gave; `reason` Asterisk's (1 no answer, 5 busy,
    8 congestion, 0 no route).
    """

    uid: str
    reason: int


class ActionFailed(msgspec.Struct, frozen=True, gc=False):
    """Asterisk refused what an effect asked; `ref` is the effect's."""

    ref: str
    message: str


class LinkLost(msgspec.Struct, frozen=True, gc=False):
    """The AMI connection is gone; calls go on unseen."""


class SwitchStopped(msgspec.Struct, frozen=True, gc=False):
    """Shutdown: Asterisk goes down and takes its calls along."""


class Member(msgspec.Struct, frozen=True, gc=False):
    """A queue member in a snapshot of the switch."""

    queue: str
    seat: str
    agent: str
    is_paused: bool
    reason: str
    penalty: int = 0


class SwitchSnapshot(msgspec.Struct, frozen=True, kw_only=True):
    """The switch as one look found it. `bridges`: bridge id -> channel uids; `rooms`: room -> channel uids;
    `waiting`: queue -> uids, first in line first.

    `up_s`: Asterisk's own uptime in seconds, which tells a lost link from a restarted switch.
    """

    channels: tuple[Channel, ...] = ()
    bridges: dict[str, tuple[str, ...]] = msgspec.field(default_factory=dict)
    rooms: dict[str, tuple[str, ...]] = msgspec.field(default_factory=dict)
    waiting: dict[str, tuple[str, ...]] = msgspec.field(default_factory=dict)
    members: tuple[Member, ...] = ()
    phones_up: tuple[str, ...] = ()
    up_s: int = 0


class Resynced(msgspec.Struct, frozen=True):
    """The link stands (again) and this is how the switch looks. `unseen`: what Asterisk's own records
    (CEL) tell of the time away.
    """

    snapshot: SwitchSnapshot
    unseen: tuple[History, ...] = ()


class TimerFired(msgspec.Struct, frozen=True, gc=False):
    """A timer that an effect started has run out."""

    key: str


class ContextFound(msgspec.Struct, frozen=True, gc=False):
    """The caller's context has been looked up."""

    context: CallerContext


ChannelEvent = (
    ChannelCreated
    | ChannelChanged
    | ChannelHungUp
    | BridgeEntered
    | BridgeLeft
    | RoomJoined
    | RoomLeft
    | PhoneHeld
    | CallerQueued
    | CallerLeftQueue
    | IvrLeft
    | SeatRung
    | SeatNotAnswered
)
SeatEvent = MemberAdded | MemberRemoved | MemberPaused | PhoneChanged
OtherEvent = OriginateFailed | ActionFailed | LinkLost | SwitchStopped | Resynced | TimerFired | ContextFound
Event = ChannelEvent | SeatEvent | OtherEvent
