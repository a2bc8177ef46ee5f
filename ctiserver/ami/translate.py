"""Owns the meaning of AMI's frames: headers in, typed events out. Pure; no header's name goes further inward.

Events that we do not use cost one look at their name. The order of a channel's headers is Asterisk's own and
is matched in one go; a frame in another order is read header by header.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable, Iterable

from ctiserver.model.events import (
    BridgeEntered,
    BridgeLeft,
    CallerLeftQueue,
    CallerQueued,
    Channel,
    ChannelChanged,
    ChannelCreated,
    ChannelHungUp,
    Event,
    IvrLeft,
    Member,
    MemberAdded,
    MemberPaused,
    MemberRemoved,
    OriginateFailed,
    PhoneChanged,
    PhoneHeld,
    RoomJoined,
    RoomLeft,
    SeatNotAnswered,
    SeatRung,
    SwitchSnapshot,
    SwitchStopped,
)


class Malformed(ValueError):
    """A frame of an event that we use lacks a header or has an impossible value in it."""


_UP, _RINGING = "6", "5"
"""AST_STATE_UP and AST_STATE_RINGING, as ChannelState has them."""
_UNKNOWN = "<unknown>"
_WITHHELD = frozenset((_UNKNOWN, "", "anonymous", "unknown", "restricted", "unavailable", "private"))
_DOWN = frozenset(("UNAVAILABLE", "INVALID", "UNKNOWN"))
"""Device states of a phone that cannot be rung."""
_DOWN_BYTES = frozenset(state.encode() for state in _DOWN)
_DEVICE_STATE = b"Event: DeviceStateChange\r\n"
_SEAT = re.compile(r"PJSIP/([0-9]{1,10})")


_FIELDS = (
    "Channel", "ChannelState", "CallerIDNum", "CallerIDName", "Context", "Exten", "Uniqueid", "Linkedid",
)  # fmt: skip
"""What we want of a channel."""
_ORDER = (
    "Channel", "ChannelState", "ChannelStateDesc", "CallerIDNum", "CallerIDName", "ConnectedLineNum",
    "ConnectedLineName", "Language", "AccountCode", "Context", "Exten", "Priority", "Uniqueid", "Linkedid",
)  # fmt: skip
"""How Asterisk writes a channel."""


def _channel_pattern(prefix: str) -> re.Pattern[str]:
    lines = (rf"\r\n{prefix}{key}: " + ("([^\r]*+)" if key in _FIELDS else "[^\r]*+") for key in _ORDER)
    return re.compile("".join(lines))


_CHANNEL = _channel_pattern("")
_UID_MARK = "\r\nUniqueid: "
_DEST = _channel_pattern("Dest")


def event_name(frame: bytes) -> bytes:
    """The name of an event's frame, b"" for an answer's."""
    if not frame.startswith(b"Event: "):
        return b""
    end = frame.find(b"\r\n")
    return frame[7:end] if end >= 0 else frame[7:]


def translate(frame: bytes) -> Event | None:
    """What happened, or None for what we do not use; Malformed when it cannot be told."""
    # `event_name`, in line: nearly all that arrives passes here, and most of it goes no further. No answer
    # has an event's name at that place.
    end = frame.find(b"\r\n")
    make = _EVENTS.get(frame[7:end] if end >= 0 else frame[7:])
    if make is None:
        return _device_state(frame) if frame.startswith(_DEVICE_STATE) else None
    try:
        text = frame.decode()
    except UnicodeDecodeError:
        # Byte by byte a bad character becomes U+FFFD; it never swallows the line end behind it.
        text = frame.decode("utf-8", "replace")
    return make(text)


def headers(frame: bytes) -> dict[str, str]:
    """All headers of a frame; of several with one name, the last."""
    lines = (line.partition(": ") for line in frame.decode("utf-8", "replace").split("\r\n"))
    return {name: value for name, _, value in lines}


class _Marks(dict[str, str]):
    """Where a header's value begins, by its name; the few names that there are, are put together once."""

    def __missing__(self, name: str) -> str:
        mark = self[name] = f"\r\n{name}: "
        return mark


_MARKS = _Marks()


def value(text: str, name: str) -> str:
    """One header's value; Malformed when it is not there."""
    mark = _MARKS[name]
    begin = text.find(mark)
    if begin < 0:
        raise Malformed(f"no {name}")
    begin += len(mark)
    end = text.find("\r\n", begin)
    return text[begin:end] if end >= 0 else text[begin:]


def number(text: str) -> str:
    """A caller's number, "" when it is withheld or unknown."""
    return "" if text.lower() in _WITHHELD else text


def seat_of(interface: str) -> str:
    """The seat whose phone that is, "" for anything else."""
    found = _SEAT.fullmatch(interface)
    return found.group(1) if found is not None else ""


def _by_name(text: str, prefix: str) -> Iterable[str]:
    """The same as the pattern finds, in whatever order the headers stand."""
    return [value(text, prefix + name) for name in _FIELDS]


_ESCAPED = re.compile(r"\\(.)")
_ESCAPES = {"a": "\a", "b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t", "v": "\v"}


def unescaped(text: str) -> str:
    """A caller's name as it came: Asterisk writes quotes, backslashes and control characters as C does."""
    return _ESCAPED.sub(lambda found: _ESCAPES.get(found[1], found[1]), text)


def _channel(text: str, prefix: str = "") -> Channel:
    found = (_DEST if prefix else _CHANNEL).search(text)
    name, state, num, caller, context, exten, uid, linkedid = (
        _by_name(text, prefix) if found is None else found.groups()
    )
    if not uid:
        raise Malformed("a channel without Uniqueid")
    if not num.isdecimal():
        num = number(num)
    if caller == _UNKNOWN:
        caller = ""
    elif "\\" in caller:
        caller = unescaped(caller)
    return Channel(uid, name, linkedid, state == _UP, state == _RINGING, num, caller, context, exten)


def _uid(text: str) -> str:
    """The channel's id alone, where nothing else of it is wanted."""
    begin = text.rfind(_UID_MARK) + len(_UID_MARK)  # it stands near the end
    end = text.find("\r\n", begin)
    uid = (text[begin:end] if end >= 0 else text[begin:]) if begin >= len(_UID_MARK) else ""
    if not uid:
        raise Malformed("a channel without Uniqueid")
    return uid


def _user_event(text: str) -> Event | None:
    """Of the dialplan's own events there is one that we use."""
    if value(text, "UserEvent") != "IvrLeft":
        return None
    return IvrLeft(_channel(text), value(text, "Path"), value(text, "Status"), value(text, "CallAt"))


def _whole(text: str, name: str) -> int:
    digits = value(text, name)
    if not (digits.isascii() and digits.isdigit() and len(digits) < 10):
        raise Malformed(f"{name} is no number")
    return int(digits)


def _created(text: str) -> Event:
    return ChannelCreated(_channel(text))


def _changed(text: str) -> Event:
    return ChannelChanged(_channel(text))


def _hangup(text: str) -> Event:
    return ChannelHungUp(_channel(text), _whole(text, "Cause"))


def _bridge_enter(text: str) -> Event:
    return BridgeEntered(_channel(text), value(text, "BridgeUniqueid"))


def _bridge_leave(text: str) -> Event:
    return BridgeLeft(_uid(text), value(text, "BridgeUniqueid"))


def _room_join(text: str) -> Event:
    return RoomJoined(_channel(text), value(text, "Conference"), value(text, "BridgeUniqueid"))


def _room_leave(text: str) -> Event:
    return RoomLeft(_uid(text), value(text, "Conference"))


def _caller_join(text: str) -> Event:
    return CallerQueued(_channel(text), value(text, "Queue"))


def _caller_leave(text: str) -> Event:
    return CallerLeftQueue(_uid(text), value(text, "Queue"))


def _agent_called(text: str) -> Event | None:
    seat = seat_of(value(text, "Interface"))
    return SeatRung(_channel(text, "Dest"), seat) if seat else None


def _agent_ring_no_answer(text: str) -> Event | None:
    seat = seat_of(value(text, "Interface"))
    return SeatNotAnswered(_channel(text), seat) if seat else None


def _member_added(text: str) -> Event | None:
    seat = seat_of(value(text, "Interface"))
    if not seat:
        return None
    agent, is_paused = value(text, "MemberName"), value(text, "Paused") == "1"
    reason, penalty = value(text, "PausedReason"), _whole(text, "Penalty")
    return MemberAdded(value(text, "Queue"), seat, agent, is_paused, reason, penalty)


def _member_removed(text: str) -> Event | None:
    seat = seat_of(value(text, "Interface"))
    return MemberRemoved(value(text, "Queue"), seat) if seat else None


def _member_pause(text: str) -> Event | None:
    seat = seat_of(value(text, "Interface"))
    if not seat:
        return None
    return MemberPaused(value(text, "Queue"), seat, value(text, "Paused") == "1", value(text, "PausedReason"))


_DEVICE = re.compile(rb"\r\nDevice: (?:PJSIP/([0-9]++)\r\nState: ([A-Z_]++)(?=\r\n|\Z)|(?!PJSIP/[0-9]))")


def _device_state(frame: bytes) -> Event | None:
    """Of a phone. Queues, rooms and trunks are devices too, and change their state more often: no other kind
    of event comes in such numbers, so neither has to be decoded.
    """
    found = _DEVICE.search(frame)
    if found is None:
        text = frame.decode("utf-8", "replace")
        seat = seat_of(value(text, "Device"))
        return PhoneChanged(seat, value(text, "State") not in _DOWN) if seat else None
    seat_id, now = found.groups()
    return None if seat_id is None else PhoneChanged(seat_id.decode(), now not in _DOWN_BYTES)


def _originate_response(text: str) -> Event | None:
    """An Originate without Async has no Uniqueid of ours; a success shows in the channel's own events."""
    if value(text, "Response") != "Failure":
        return None
    return OriginateFailed(value(text, "Uniqueid"), _whole(text, "Reason"))


_EVENTS: dict[bytes, Callable[[str], Event | None]] = {
    b"Newchannel": _created,
    b"Newstate": _changed,
    b"MusicOnHoldStart": _changed,
    b"ChanSpyStart": lambda text: ChannelChanged(_channel(text, "Spyer")),
    b"Hangup": _hangup,
    b"Hold": lambda text: PhoneHeld(_channel(text), True),
    b"Unhold": lambda text: PhoneHeld(_channel(text), False),
    b"BridgeEnter": _bridge_enter,
    b"BridgeLeave": _bridge_leave,
    b"ConfbridgeJoin": _room_join,
    b"ConfbridgeLeave": _room_leave,
    b"QueueCallerJoin": _caller_join,
    b"QueueCallerLeave": _caller_leave,
    b"AgentCalled": _agent_called,
    b"AgentRingNoAnswer": _agent_ring_no_answer,
    b"QueueMemberAdded": _member_added,
    b"QueueMemberRemoved": _member_removed,
    b"QueueMemberPause": _member_pause,
    b"OriginateResponse": _originate_response,
    b"UserEvent": _user_event,
    b"Shutdown": lambda _text: SwitchStopped(),
}


def snapshot(
    channels: Iterable[bytes], queues: Iterable[bytes], devices: Iterable[bytes], up_s: int
) -> tuple[SwitchSnapshot, int]:
    """The switch, from the items of CoreShowChannels, QueueStatus and DeviceStateList; and how many of these
    could not be read.

    CoreShowChannels tells each channel together with its bridge and its room: these cannot contradict each
    other.
    """
    look = _Look()
    for frame in (*channels, *queues, *devices):
        look.take(frame)
    waiting = {queue: tuple(uid for _, uid in sorted(places)) for queue, places in look.lines.items()}
    found = SwitchSnapshot(
        channels=tuple(look.channels),
        bridges={bridge: tuple(uids) for bridge, uids in look.bridges.items()},
        rooms={room: tuple(uids) for room, uids in look.rooms.items()},
        waiting=waiting,
        members=tuple(look.members),
        phones_up=tuple(sorted(look.phones_up)),
        up_s=up_s,
    )
    return found, look.unread


class _Look:
    """What the items of the lists add up to."""

    def __init__(self) -> None:
        self.channels: list[Channel] = []
        self.bridges: defaultdict[str, list[str]] = defaultdict(list)
        self.rooms: defaultdict[str, list[str]] = defaultdict(list)
        self.members: list[Member] = []
        self.lines: defaultdict[str, list[tuple[int, str]]] = defaultdict(list)
        self.phones_up: list[str] = []
        self.unread = 0

    def take(self, frame: bytes) -> None:
        """Add one item."""
        text = frame.decode("utf-8", "replace")
        try:
            match event_name(frame):
                case b"CoreShowChannel":
                    self._channel(text)
                case b"QueueMember":
                    self._member(text)
                case b"QueueEntry":
                    place = (_whole(text, "Position"), value(text, "Uniqueid"))
                    self.lines[value(text, "Queue")].append(place)
                case b"DeviceStateChange":
                    phone = _device_state(frame)
                    if isinstance(phone, PhoneChanged) and phone.is_up:
                        self.phones_up.append(phone.seat)
        except Malformed:
            self.unread += 1

    def _channel(self, text: str) -> None:
        channel, bridge = _channel(text), value(text, "BridgeId")
        self.channels.append(channel)
        if bridge:
            self.bridges[bridge].append(channel.uid)
            if value(text, "Application") == "ConfBridge":
                self.rooms[value(text, "ApplicationData").partition(",")[0]].append(channel.uid)

    def _member(self, text: str) -> None:
        seat = seat_of(value(text, "Location"))
        is_paused, reason = value(text, "Paused") == "1", value(text, "PausedReason")
        if seat:
            queue, agent, penalty = value(text, "Queue"), value(text, "Name"), _whole(text, "Penalty")
            self.members.append(Member(queue, seat, agent, is_paused, reason, penalty))
