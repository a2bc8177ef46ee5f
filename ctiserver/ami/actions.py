"""Owns the form of what we ask of Asterisk: effect in, AMI headers out, every value checked. Pure.

The names of contexts and extensions are the contract with the dialplan in docs/design.md.
"""

from __future__ import annotations

import re
from typing import assert_never

from ctiserver.ami.errors import BadValue
from ctiserver.model.effects import (
    AddMember,
    AdmitPhone,
    CallSeat,
    CallSupervisor,
    CallThirdParty,
    ChangePenalty,
    HangUpChannel,
    MoveToRoom,
    MuteSeat,
    PauseMember,
    PauseRecorder,
    RaiseCaller,
    RemoveMember,
    SendKey,
    SendTo,
    StopBeforeQueue,
    SwitchEffect,
)

Headers = list[tuple[str, str]]
"""An action: its name first, then its headers in order."""

MAX_LINE = 1_000
"""Bytes. Asterisk refuses an input line of 1,024."""
MAX_HEADERS = 128
"""Asterisk drops an action with more."""

_SEAT = re.compile(r"[0-9]{3,5}")
_QUEUE = re.compile(r"[0-9A-Za-z_-]{1,40}")
_KEY = re.compile(r"[0-9*#]")
_PRIORITY = re.compile(r"[0-9]{1,2}")
_PENALTY = re.compile(r"[0-9]")
_NUMBER = re.compile(r"\+?[0-9*#]{1,32}")
_ROOM = re.compile(r"[0-9][0-9.]{2,63}")
_UID = re.compile(r"[0-9A-Za-z][0-9A-Za-z.-]{0,99}")
# A leading slash would make it a pattern to Hangup, that hangs up every channel it fits.
_CHANNEL = re.compile(r"[A-Za-z][0-9A-Za-z_.+-]{0,20}/[0-9A-Za-z_.@+:-]{1,120}")
_CONTEXT = re.compile(r"[a-z][a-z0-9-]{0,39}")
_EXTEN = re.compile(r"[0-9A-Za-z.*#+]{1,64}")
_PRIORITY = re.compile(r"[0-9]{1,3}")
_AGENT = re.compile(r"[0-9A-Za-z._-]{1,32}")
_TRUNK = re.compile(r"[a-z][a-z0-9_]{0,30}")
# app_queue writes a reason into its database between ; and | and into its log between | and |.
_REASON = re.compile(r"[^\x00-\x1f\x7f-\x9f\u2028\u2029;|,\"\\]*")
_MAX_REASON = 40
_SECRET = re.compile(r"[0-9a-f]{32}")


def action(effect: SwitchEffect, *, trunk: str, ring_s: int, own_number: str = "") -> Headers:
    """The action that does `effect`; BadValue when a value of it could mean more than itself.

    `trunk` carries calls to third parties, which ring for `ring_s` seconds and see `own_number` when the
    effect names no other.
    """
    match effect:
        case AddMember():
            return _add(effect)
        case RemoveMember(_, queue, seat):
            return [("Action", "QueueRemove"), ("Queue", _ok(_QUEUE, queue)), ("Interface", _phone(seat))]
        case ChangePenalty(_, queue, seat, penalty):
            return [
                ("Action", "QueuePenalty"),
                ("Interface", _phone(seat)),
                ("Penalty", _ok(_PENALTY, str(penalty))),
                ("Queue", _ok(_QUEUE, queue)),
            ]
        case PauseMember():
            return _pause(effect)
        case RaiseCaller(_, queue, channel, priority):
            return [
                ("Action", "QueueChangePriorityCaller"),
                ("Queue", _ok(_QUEUE, queue)),
                ("Caller", _ok(_CHANNEL, channel)),
                ("Priority", _ok(_PRIORITY, str(priority))),
                ("Immediate", "yes"),
            ]
        case MoveToRoom():
            return _move(effect)
        case SendTo(_, channel, context, exten):
            return [
                ("Action", "Redirect"),
                ("Channel", _ok(_CHANNEL, channel)),
                ("Context", _ok(_CONTEXT, context)),
                ("Exten", _ok(_EXTEN, exten)),
                ("Priority", "1"),
            ]
        case CallThirdParty():
            far_end = f"PJSIP/{_ok(_NUMBER, effect.number)}@{_ok(_TRUNK, effect.trunk or trunk)}"
            return _call(effect, far_end, ring_s, own_number)
        case CallSeat():
            return _call(effect, _phone(effect.seat), ring_s, own_number)
        case CallSupervisor():
            return _supervise(effect, ring_s)
        case SendKey(_, channel, digit):
            return [
                ("Action", "PlayDTMF"),
                ("Channel", _ok(_CHANNEL, channel)),
                ("Digit", _ok(_KEY, digit)),
                ("Duration", "120"),
            ]
        case MuteSeat(_, channel, is_muted):
            # MuteAudio itself needs the right `system`, which the CTI server has not.
            return _set(channel, "MUTEAUDIO(in)", "on" if is_muted else "off")
        case AdmitPhone():
            return _admit(effect)
        case StopBeforeQueue(_, channel):
            return _set(channel, "HOTLINE_LAST_AGENT", "1")
        case PauseRecorder(_, channel, is_paused):
            return [
                ("Action", "MixMonitorMute"),
                ("Channel", _ok(_CHANNEL, channel)),
                ("Direction", "both"),
                ("State", "1" if is_paused else "0"),
            ]
        case HangUpChannel(_, channel):
            return [("Action", "Hangup"), ("Channel", _ok(_CHANNEL, channel)), ("Cause", "16")]
        case _:
            assert_never(effect)


def checked_line(name: str, text: str) -> str:
    """`Name: text` as one line of an action; BadValue when it is none. The last gate before the socket."""
    line = f"{name}: {text}"
    if any(mark in line for mark in "\r\n\0"):
        raise BadValue(f"{name} has a line break or NUL in it")
    if len(line.encode("utf-8", "surrogatepass")) > MAX_LINE:
        raise BadValue(f"{name} is longer than a line of AMI may be")
    return line


def _add(effect: AddMember) -> Headers:
    headers = [
        ("Action", "QueueAdd"),
        ("Queue", _ok(_QUEUE, effect.queue)),
        ("Interface", _phone(effect.seat)),
        ("StateInterface", _phone(effect.seat)),
        ("MemberName", _ok(_AGENT, effect.agent)),
        ("Penalty", _ok(_PENALTY, str(effect.penalty))),
        ("Paused", _flag(effect.is_paused)),
    ]
    return headers + ([("Reason", _reason(effect.reason))] if effect.is_paused else [])


def _pause(effect: PauseMember) -> Headers:
    """Without a queue's name, app_queue pauses the phone in every queue that it is a member of."""
    headers = [
        ("Action", "QueuePause"),
        ("Interface", _phone(effect.seat)),
        ("Paused", _flag(effect.is_paused)),
    ]
    return headers + ([("Reason", _reason(effect.reason))] if effect.is_paused else [])


def _move(effect: MoveToRoom) -> Headers:
    room = _ok(_ROOM, effect.room)
    return [
        ("Action", "Redirect"),
        ("Channel", _ok(_CHANNEL, effect.citizen_channel)),
        ("Context", "held" if effect.holds else "room-citizen"),
        ("Exten", _ok(_ROOM, effect.holds) if effect.holds else room),
        ("Priority", "1"),
        ("ExtraChannel", _ok(_CHANNEL, effect.seat_channel)),
        ("ExtraContext", "room-seat"),
        ("ExtraExten", room),
        ("ExtraPriority", "1"),
    ]


def _admit(effect: AdmitPhone) -> Headers:
    """What chan_pjsip finds as the seat's `auth` (sorcery.conf). Nobody is called "-"."""
    seat = _ok(_SEAT, effect.seat)
    user, word = (seat, _ok(_SECRET, effect.secret)) if effect.secret else ("-", "-")
    value = f'{{"auth_type":"userpass","username":"{user}","password":"{word}"}}'
    return [("Action", "DBPut"), ("Family", "hotline/auth"), ("Key", seat), ("Val", value)]


def _set(channel: str, variable: str, value: str) -> Headers:
    return [
        ("Action", "Setvar"),
        ("Channel", _ok(_CHANNEL, channel)),
        ("Variable", variable),
        ("Value", value),
    ]


def _call(effect: CallThirdParty | CallSeat, far_end: str, ring_s: int, own_number: str) -> Headers:
    shown = effect.caller_id or own_number
    headers = [
        ("Action", "Originate"),
        ("Channel", far_end),
        ("ChannelId", _ok(_UID, effect.uid)),
        ("Context", _ok(_CONTEXT, effect.context)),
        ("Exten", _ok(_ROOM, effect.room)),
        ("Priority", "1"),
        ("Timeout", str(ring_s * 1000)),
        ("Async", "true"),
    ]
    return headers + ([("CallerID", _ok(_NUMBER, shown))] if shown else [])


def _supervise(effect: CallSupervisor, ring_s: int) -> Headers:
    return [
        ("Action", "Originate"),
        ("Channel", _phone(effect.phone)),
        ("ChannelId", _ok(_UID, effect.uid)),
        ("Context", _ok(_CONTEXT, effect.context)),
        ("Exten", _ok(_ROOM, effect.exten)),
        ("Priority", "1"),
        ("Timeout", str(ring_s * 1000)),
        ("Async", "true"),
        ("CallerID", _ok(_NUMBER, effect.caller_id)),
        ("Variable", f"HOTLINE_SPY={_ok(_CHANNEL, effect.spied_channel)}"),
    ]


def _ok(pattern: re.Pattern[str], text: str) -> str:
    """The value itself when all of it is as it should be. The error hides it: it may be a citizen's."""
    if not pattern.fullmatch(text):
        raise BadValue(f"a value does not fit {pattern.pattern}")
    return text


def _phone(seat: str) -> str:
    return f"PJSIP/{_ok(_SEAT, seat)}"


def _reason(text: str) -> str:
    try:
        text.encode()
    except UnicodeEncodeError:
        raise BadValue("the reason holds half a character") from None
    if len(text) > _MAX_REASON or not _REASON.fullmatch(text) or text != text.strip():
        raise BadValue("the reason is too long or has a character that app_queue cannot keep")
    return text


def _flag(is_so: bool) -> str:
    return "true" if is_so else "false"
