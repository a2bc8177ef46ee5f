"""What we ask of Asterisk: each effect's action, and no value that could mean more than itself."""

from __future__ import annotations

import json

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ctiserver.ami.actions import MAX_LINE, action, checked_line
from ctiserver.ami.errors import BadValue
from ctiserver.model.effects import (
    AddMember,
    AdmitPhone,
    CallSupervisor,
    CallThirdParty,
    ChangePenalty,
    HangUpChannel,
    MoveToRoom,
    PauseMember,
    RaiseCaller,
    RemoveMember,
    SendTo,
    SwitchEffect,
)

ADD = AddMember("r", "12345", "8001", "1001", True, "小休")
REMOVE = RemoveMember("r", "12345", "8001")
PENALTY = ChangePenalty("r", "12346", "8001", 2)
RAISE = RaiseCaller("r", "12345", "PJSIP/city-0000001a", 5)
PAUSE = PauseMember("r", "8001", True, "用餐")
MOVE = MoveToRoom("r", "PJSIP/city-0000001a", "PJSIP/8001-0000001b", "1795490995.0")
SEND = SendTo("r", "PJSIP/city-0000001a", "farewell", "s")
CALL = CallThirdParty("r", "tp-1795490995.0-1", "05386991001", "1795490995.0", "")
HANG_UP = HangUpChannel("r", "PJSIP/city-0000001a")
SPY = CallSupervisor(
    "r", "sp-1795490995.0-1", "8901", "spy-listen", "8001", "PJSIP/8001-0000001b", caller_id="8001"
)
ADMIT = AdmitPhone("r", "8001", "0123456789abcdef" * 2)
EFFECTS: list[SwitchEffect] = [ADD, REMOVE, PENALTY, PAUSE, RAISE, MOVE, SEND, CALL, HANG_UP, SPY, ADMIT]


def asked(effect: SwitchEffect) -> dict[str, str]:
    return dict(action(effect, trunk="city", ring_s=30, own_number="12345"))


def test_a_seat_joins_the_queue_under_its_agents_number_and_paused_with_a_reason() -> None:
    assert asked(ADD) == {
        "Action": "QueueAdd",
        "Queue": "12345",
        "Interface": "PJSIP/8001",
        "StateInterface": "PJSIP/8001",
        "MemberName": "1001",
        "Penalty": "0",
        "Paused": "true",
        "Reason": "小休",
    }
    assert "Reason" not in asked(msgspec.structs.replace(ADD, is_paused=False))


def test_a_phone_in_the_page_is_admitted_with_its_secret_and_shut_out_by_a_name_that_nobody_has() -> None:
    told = asked(ADMIT)
    assert (told["Action"], told["Family"], told["Key"]) == ("DBPut", "hotline/auth", "8001")
    assert json.loads(told["Val"]) == {
        "auth_type": "userpass",
        "username": "8001",
        "password": ADMIT.secret,
    }
    shut = json.loads(asked(msgspec.structs.replace(ADMIT, secret=""))["Val"])
    assert shut["username"] == "-"
    for odd in ('a","username":"8002', "A" * 32, "0" * 31):
        with pytest.raises(BadValue):
            asked(msgspec.structs.replace(ADMIT, secret=odd))


def test_a_pause_names_no_queue_and_holds_in_all() -> None:
    assert asked(PAUSE) == {
        "Action": "QueuePause",
        "Interface": "PJSIP/8001",
        "Paused": "true",
        "Reason": "用餐",
    }


def test_a_seats_penalty_changes_in_one_queue() -> None:
    assert asked(PENALTY) == {
        "Action": "QueuePenalty",
        "Interface": "PJSIP/8001",
        "Penalty": "2",
        "Queue": "12346",
    }


def test_a_waiting_caller_goes_before_others_at_once() -> None:
    assert asked(RAISE) == {
        "Action": "QueueChangePriorityCaller",
        "Queue": "12345",
        "Caller": "PJSIP/city-0000001a",
        "Priority": "5",
        "Immediate": "yes",
    }


def test_citizen_and_seat_move_into_the_room_in_one_action() -> None:
    assert asked(MOVE) == {
        "Action": "Redirect",
        "Channel": "PJSIP/city-0000001a",
        "Context": "room-citizen",
        "Exten": "1795490995.0",
        "Priority": "1",
        "ExtraChannel": "PJSIP/8001-0000001b",
        "ExtraContext": "room-seat",
        "ExtraExten": "1795490995.0",
        "ExtraPriority": "1",
    }


def test_a_third_party_is_called_under_our_own_id_straight_into_the_room() -> None:
    assert asked(CALL) == {
        "Action": "Originate",
        "Channel": "PJSIP/05386991001@city",
        "ChannelId": "tp-1795490995.0-1",
        "Context": "room-third",
        "Exten": "1795490995.0",
        "Priority": "1",
        "Timeout": "30000",
        "Async": "true",
        "CallerID": "12345",
    }
    assert asked(msgspec.structs.replace(CALL, caller_id="13800138000"))["CallerID"] == "13800138000"


def test_the_other_effects_have_their_actions() -> None:
    assert asked(REMOVE) == {"Action": "QueueRemove", "Queue": "12345", "Interface": "PJSIP/8001"}
    assert asked(PAUSE)["Reason"] == "用餐"
    assert "Reason" not in asked(msgspec.structs.replace(PAUSE, is_paused=False, reason=""))
    assert asked(SEND) == {
        "Action": "Redirect",
        "Channel": "PJSIP/city-0000001a",
        "Context": "farewell",
        "Exten": "s",
        "Priority": "1",
    }
    assert asked(HANG_UP) == {"Action": "Hangup", "Channel": "PJSIP/city-0000001a", "Cause": "16"}


def test_a_supervisors_phone_is_called_with_the_channel_to_hear_as_a_variable() -> None:
    assert asked(SPY) == {
        "Action": "Originate",
        "Channel": "PJSIP/8901",
        "ChannelId": "sp-1795490995.0-1",
        "Context": "spy-listen",
        "Exten": "8001",
        "Priority": "1",
        "Timeout": "30000",
        "Async": "true",
        "CallerID": "8001",
        "Variable": "HOTLINE_SPY=PJSIP/8001-0000001b",
    }


HARMLESS_WORDS = ("${SHELL(id)}", "/^PJSIP/", "8001&PJSIP/110")
"""A reason is words: app_queue keeps and shows them, and evaluates nothing."""
FIELDS = [
    (effect, field)
    for effect in EFFECTS
    for field in effect.__struct_fields__
    if field not in ("ref", "is_paused")
]


@pytest.mark.parametrize("effect, field", FIELDS)
@pytest.mark.parametrize(
    "bad",
    [
        "8001\r\nAction: Originate", "8001\n", "\r", "8001\0", "x" * 2000, "号" * 400, "a;b", "a|b",
        "${SHELL(id)}", "/^PJSIP/", "8001&PJSIP/110", "\ud800", "a\u2028b", "a,b",
    ],
)  # fmt: skip
def test_no_field_of_any_effect_lets_a_nasty_value_through(
    effect: SwitchEffect, field: str, bad: str
) -> None:
    nasty = msgspec.structs.replace(effect, **{field: bad})
    if field == "reason" and bad in HARMLESS_WORDS:
        assert asked(nasty)["Reason"] == bad
        return
    with pytest.raises(BadValue) as refused:
        asked(nasty)
    assert bad not in str(refused.value)


@given(st.sampled_from(FIELDS), st.text(max_size=60))
def test_whatever_the_value_the_action_stays_one_action(choice: tuple[SwitchEffect, str], text: str) -> None:
    effect, field = choice
    try:
        headers = action(msgspec.structs.replace(effect, **{field: text}), trunk="city", ring_s=30)
    except BadValue:
        return
    wire = "\r\n".join(checked_line(*header) for header in headers)
    assert len(wire.splitlines()) == len(headers)
    assert wire.count("Action: ") == 1
    assert all(len(line.encode()) <= MAX_LINE for line in wire.split("\r\n"))


@pytest.mark.parametrize("trunk", ["", "City", "city/x", "city\r\nX: y"])
def test_a_trunk_is_a_plain_name(trunk: str) -> None:
    with pytest.raises(BadValue):
        action(CALL, trunk=trunk, ring_s=30)


@pytest.mark.parametrize("text", ["a\rb", "a\nb", "a\0b", "x" * MAX_LINE])
def test_the_last_gate_before_the_socket_lets_no_second_line_through(text: str) -> None:
    with pytest.raises(BadValue):
        checked_line("Secret", text)
