"""Owns the reading of recorded traces: each is a story that a real Asterisk told (record.py made them)."""

from __future__ import annotations

from pathlib import Path

from ctiserver.ami.capture import read_trace
from ctiserver.ami.translate import event_name, headers, snapshot, translate
from ctiserver.model.events import Event, Resynced

TRACES = Path(__file__).parent / "traces"
_ITEMS = frozenset((b"CoreShowChannel", b"QueueParams", b"QueueMember", b"QueueEntry", b"DeviceStateChange"))


def names() -> list[str]:
    """The traces there are."""
    return sorted(path.name.removesuffix(".ami.gz") for path in TRACES.glob("*.ami.gz"))


def frames(name: str) -> list[bytes]:
    """Every frame, answers too, in Asterisk's order."""
    return [frame for _, frame in read_trace(TRACES / f"{name}.ami.gz")]


def events(name: str) -> list[Event]:
    """What the link's consumer heard: Resynced first, then what happened, in order."""
    return [event for _, event in timed_events(name)]


def timed_events(name: str) -> list[tuple[int, Event]]:
    """The same, each with its time in microseconds since the recording began.

    Events that came during a look at the switch stand behind its Resynced, where the link puts them.
    """
    told: list[tuple[int, Event]] = []
    held: list[tuple[int, Event]] = []
    items: list[bytes] = []
    up_s, is_looking = 0, True
    for at, frame in read_trace(TRACES / f"{name}.ami.gz"):
        kind = event_name(frame)
        is_answer = b"\r\nActionID: " in frame and kind != b"OriginateResponse"
        if kind == b"FullyBooted":
            up_s = int(headers(frame)["Uptime"])
        elif is_answer and kind in _ITEMS:
            items.append(frame)
        elif is_answer and b"\r\nMessage: Channels will follow" in frame:
            is_looking = True
        elif kind == b"DeviceStateListComplete":
            found, _ = snapshot(items, (), (), up_s + at // 1_000_000)
            told += [(at, Resynced(found)), *held]
            is_looking, items, held = False, [], []
        elif (event := translate(frame)) is not None:
            (held if is_looking else told).append((at, event))
    return told
