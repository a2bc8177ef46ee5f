"""What Asterisk's events mean: real frames of Asterisk 22 in, typed events out; odd ones harm nobody."""

from __future__ import annotations

import contextlib
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ctiserver.ami.translate import Malformed, event_name, snapshot, translate
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
    Member,
    MemberAdded,
    MemberPaused,
    MemberRemoved,
    OriginateFailed,
    PhoneChanged,
    RoomJoined,
    RoomLeft,
    SeatNotAnswered,
    SeatRung,
    SwitchStopped,
)

CITIZEN = {
    "Channel": "PJSIP/city-00000000",
    "ChannelState": "6",
    "ChannelStateDesc": "Up",
    "CallerIDNum": "13800138000",
    "CallerIDName": "市民",
    "ConnectedLineNum": "<unknown>",
    "ConnectedLineName": "<unknown>",
    "Language": "zh",
    "AccountCode": "",
    "Context": "queue",
    "Exten": "12345",
    "Priority": "1",
    "Uniqueid": "1795490995.0",
    "Linkedid": "1795490995.0",
    "ChanVariable": "HOTLINE_DNIS=12345",
}
SEAT = CITIZEN | {
    "Channel": "PJSIP/8001-00000001",
    "ChannelState": "5",
    "CallerIDNum": "12345",
    "CallerIDName": "<unknown>",
    "Context": "from-seat",
    "Uniqueid": "1795490995.1",
}
CITIZEN_IS = Channel(
    "1795490995.0",
    "PJSIP/city-00000000",
    "1795490995.0",
    True,
    False,
    "13800138000",
    "市民",
    "queue",
    "12345",
)
SEAT_IS = Channel(
    "1795490995.1", "PJSIP/8001-00000001", "1795490995.0", False, True, "12345", "", "from-seat", "12345"
)
DEST = {f"Dest{name}": text for name, text in SEAT.items()}
MEMBER = {
    "Queue": "12345",
    "MemberName": "1001",
    "Interface": "PJSIP/8001",
    "StateInterface": "PJSIP/8001",
    "Penalty": "3",
    "Status": "1",
    "Paused": "1",
    "PausedReason": "小休",
}
BRIDGE = {"BridgeUniqueid": "b-1", "BridgeType": "basic"}
ROOM = {"Conference": "1795490995.0", "BridgeUniqueid": "b-2"}


def frame(name: str, headers: dict[str, str]) -> bytes:
    return "\r\n".join([f"Event: {name}", *(f"{key}: {text}" for key, text in headers.items())]).encode()


KNOWN: list[tuple[str, dict[str, str], Event | None]] = [
    ("Newchannel", CITIZEN, ChannelCreated(CITIZEN_IS)),
    ("Newstate", SEAT, ChannelChanged(SEAT_IS)),
    ("Hangup", CITIZEN | {"Cause": "16", "Cause-txt": "Normal Clearing"}, ChannelHungUp(CITIZEN_IS, 16)),
    ("BridgeEnter", BRIDGE | CITIZEN, BridgeEntered(CITIZEN_IS, "b-1")),
    ("BridgeLeave", BRIDGE | CITIZEN, BridgeLeft(CITIZEN_IS.uid, "b-1")),
    ("ConfbridgeJoin", ROOM | CITIZEN | {"Admin": "No"}, RoomJoined(CITIZEN_IS, "1795490995.0", "b-2")),
    ("ConfbridgeLeave", ROOM | CITIZEN | {"Admin": "No"}, RoomLeft(CITIZEN_IS.uid, "1795490995.0")),
    ("QueueCallerJoin", CITIZEN | {"Queue": "12345", "Position": "1"}, CallerQueued(CITIZEN_IS, "12345")),
    (
        "QueueCallerLeave",
        CITIZEN | {"Queue": "12345", "Count": "0"},
        CallerLeftQueue(CITIZEN_IS.uid, "12345"),
    ),
    ("AgentCalled", CITIZEN | DEST | {"Interface": "PJSIP/8001"}, SeatRung(SEAT_IS, "8001")),
    ("AgentRingNoAnswer", CITIZEN | DEST | {"Interface": "PJSIP/8001"}, SeatNotAnswered(CITIZEN_IS, "8001")),
    ("QueueMemberAdded", MEMBER, MemberAdded("12345", "8001", "1001", True, "小休", 3)),
    ("QueueMemberRemoved", MEMBER, MemberRemoved("12345", "8001")),
    ("QueueMemberPause", MEMBER, MemberPaused("12345", "8001", True, "小休")),
    (
        "QueueMemberPause",
        MEMBER | {"Paused": "0", "PausedReason": ""},
        MemberPaused("12345", "8001", False, ""),
    ),
    ("QueueMemberAdded", MEMBER | {"Interface": "Local/8001@x"}, None),
    ("QueueMemberStatus", MEMBER, None),
    ("DeviceStateChange", {"Device": "PJSIP/8001", "State": "BUSY"}, PhoneChanged("8001", True)),
    ("DeviceStateChange", {"Device": "PJSIP/8001", "State": "UNAVAILABLE"}, PhoneChanged("8001", False)),
    ("DeviceStateChange", {"Device": "PJSIP/8001", "State": "INVALID"}, PhoneChanged("8001", False)),
    ("DeviceStateChange", {"Device": "Queue:12345_pause_PJSIP/8001", "State": "INUSE"}, None),
    ("DeviceStateChange", {"Device": "PJSIP/city", "State": "INUSE"}, None),
    (
        "OriginateResponse",
        {"Response": "Failure", "Reason": "5", "Uniqueid": "tp-1.0-1"},
        OriginateFailed("tp-1.0-1", 5),
    ),
    ("OriginateResponse", {"Response": "Success", "Reason": "4", "Uniqueid": "tp-1.0-1"}, None),
    ("Shutdown", {"Shutdown": "Cleanly"}, SwitchStopped()),
    ("VarSet", {"Variable": "X"}, None),
]


@pytest.mark.parametrize("name, headers, event", KNOWN)
def test_each_event_says_what_happened(name: str, headers: dict[str, str], event: Event | None) -> None:
    assert translate(frame(name, headers)) == event


@pytest.mark.parametrize("name, headers, event", KNOWN)
def test_the_order_of_headers_does_not_matter(
    name: str, headers: dict[str, str], event: Event | None
) -> None:
    keys = list(headers)
    random.Random(name).shuffle(keys)
    assert translate(frame(name, {key: headers[key] for key in keys})) == event


@pytest.mark.parametrize("name, headers", [(n, h) for n, h, event in KNOWN if event is not None and h])
def test_a_frame_without_what_it_needs_is_malformed_or_tells_no_less(
    name: str, headers: dict[str, str]
) -> None:
    whole = translate(frame(name, headers))
    lost = 0
    for key in headers:
        try:
            assert translate(frame(name, {k: v for k, v in headers.items() if k != key})) == whole
        except Malformed:
            lost += 1
    assert lost >= 1 or name == "Shutdown"


@pytest.mark.parametrize("shown", ["<unknown>", "", "anonymous", "Anonymous", "restricted", "unavailable"])
def test_a_withheld_number_is_no_number(shown: str) -> None:
    event = translate(frame("Newchannel", CITIZEN | {"CallerIDNum": shown}))
    assert isinstance(event, ChannelCreated)
    assert event.channel.number == ""


@pytest.mark.parametrize("cause", ["", "sixteen", "-1", "9" * 12, "１６"])
def test_a_cause_that_is_no_number_is_malformed(cause: str) -> None:
    with pytest.raises(Malformed):
        translate(frame("Hangup", CITIZEN | {"Cause": cause}))


def test_a_byte_that_is_no_utf8_spoils_only_its_own_character() -> None:
    raw = frame("Newchannel", CITIZEN | {"CallerIDName": "MARK"}).replace(
        b"MARK", b"\xe5\xb8\x82\xff\xe6\xb0"
    )
    event = translate(raw)
    assert isinstance(event, ChannelCreated)
    assert event.channel.caller_name == "市\ufffd\ufffd"
    assert event.channel.context == "queue"


def as_asterisk_writes(name: str) -> str:
    """`ast_escape_c`, which a channel's names pass on their way into AMI."""
    letters = dict(zip("\a\b\f\n\r\t\v\\'\"?", "abfnrtv\\'\"?", strict=True))
    return "".join(f"\\{letters[c]}" if c in letters else c for c in name)


@given(st.text(st.characters(blacklist_characters="\0", blacklist_categories=("Cs",)), max_size=80))
def test_a_callers_name_is_only_ever_a_name(name: str) -> None:
    event = translate(frame("Newchannel", CITIZEN | {"CallerIDName": as_asterisk_writes(name)}))
    assert isinstance(event, ChannelCreated)
    assert event.channel.caller_name == ("" if name == "<unknown>" else name)
    assert (event.channel.uid, event.channel.number) == (CITIZEN_IS.uid, CITIZEN_IS.number)


@given(st.binary(max_size=300), st.sampled_from([name for name, _, _ in KNOWN]))
def test_garbage_is_malformed_or_nothing_and_never_another_error(garbage: bytes, name: str) -> None:
    with contextlib.suppress(Malformed):
        translate(b"Event: " + name.encode() + b"\r\n" + garbage)


def test_an_answer_has_no_event_name() -> None:
    assert event_name(b"Response: Success\r\nEvent: Hangup") == b""


def test_a_look_at_the_switch_adds_up_its_lists() -> None:
    at_bridge = {"Application": "Queue", "ApplicationData": "12345,cC", "BridgeId": "b-1"}
    in_room = {"Application": "ConfBridge", "ApplicationData": "1795490995.7,room,citizen", "BridgeId": "b-2"}
    waiting = {"Application": "Queue", "ApplicationData": "12345,cC", "BridgeId": ""}
    channels = [
        frame("CoreShowChannel", CITIZEN | at_bridge),
        frame("CoreShowChannel", SEAT | at_bridge),
        frame("CoreShowChannel", CITIZEN | in_room | {"Uniqueid": "1795490995.7"}),
        frame("CoreShowChannel", CITIZEN | waiting | {"Uniqueid": "1795490995.8"}),
        frame("CoreShowChannel", {"Channel": "PJSIP/city-9"}),
    ]
    queues = [
        frame("QueueParams", {"Queue": "12345", "Max": "0"}),
        frame("QueueMember", {"Name": "1001", "Location": "PJSIP/8001"} | MEMBER),
        frame("QueueEntry", {"Queue": "12345", "Position": "10", "Uniqueid": "u-10"}),
        frame("QueueEntry", {"Queue": "12345", "Position": "2", "Uniqueid": "u-2"}),
    ]
    devices = [
        frame("DeviceStateChange", {"Device": "PJSIP/8002", "State": "UNAVAILABLE"}),
        frame("DeviceStateChange", {"Device": "PJSIP/8001", "State": "INUSE"}),
        frame("DeviceStateChange", {"Device": "PJSIP/city", "State": "NOT_INUSE"}),
    ]
    found, unread = snapshot(channels, queues, devices, up_s=77)
    assert unread == 1
    assert [channel.uid for channel in found.channels] == [
        "1795490995.0", "1795490995.1", "1795490995.7", "1795490995.8",
    ]  # fmt: skip
    assert found.channels[0] == CITIZEN_IS
    assert found.bridges == {"b-1": ("1795490995.0", "1795490995.1"), "b-2": ("1795490995.7",)}
    assert found.rooms == {"1795490995.7": ("1795490995.7",)}
    assert found.waiting == {"12345": ("u-2", "u-10")}
    assert found.members == (Member("12345", "8001", "1001", True, "小休", 3),)
    assert found.phones_up == ("8001",)
    assert found.up_s == 77
