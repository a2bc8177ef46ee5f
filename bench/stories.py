"""Owns the calls that the scripted switch tells: recorded ones, each with ids, seat and caller of its own."""

from __future__ import annotations

import functools
import re
from itertools import count, pairwise

from ctiserver.ami.capture import read_trace
from tests.replay.load import TRACES

KINDS = ("answered", "answered", "seat_does_not_answer", "answered", "three_way_seat_leaves")
"""One after the other, again and again."""
_OURS = re.compile(
    rb"(?P<uid>\b1[0-9]{9}\.[0-9]+)|(?P<number>\b10000000001\b)"
    rb"|(?P<seat>PJSIP/8001)|(?P<agent>MemberName: 1001)"
)
_serial = count()

Told = list[tuple[float, bytes]]
"""Frames, each with its second since the call began."""


def story(kind: str, seat: int, length_s: float) -> Told:
    """A call to `seat`, stretched at its longest pause to `length_s`; at its end the seat is ready again."""
    recorded = _recorded(kind)
    pauses = [later - sooner for (sooner, _), (later, _) in pairwise(recorded)]
    talk_from = pauses.index(max(pauses))
    more = max(0.0, length_s - recorded[-1][0])
    rename = _Renaming(seat)
    told = [(at + (more if n > talk_from else 0.0), rename(frame)) for n, (at, frame) in enumerate(recorded)]
    return [*told, (told[-1][0], rename(_unpaused()))]


class _Renaming:
    """One call's own names in place of the recorded ones."""

    def __init__(self, seat: int) -> None:
        self._seat = b"PJSIP/%d" % seat
        self._agent = b"MemberName: %d" % (seat - 7000)
        self._number = b"1380%07d" % (next(_serial) % 10**7)
        self._uids: dict[bytes, bytes] = {}

    def __call__(self, frame: bytes) -> bytes:
        """The frame as this call has it."""
        return _OURS.sub(self._other, frame) + b"\r\n\r\n"

    def _other(self, found: re.Match[bytes]) -> bytes:
        match found.lastgroup:
            case "uid":
                uid = found.group()
                if uid not in self._uids:
                    self._uids[uid] = b"1800000000.%d" % next(_serial)
                return self._uids[uid]
            case "seat":
                return self._seat
            case "agent":
                return self._agent
            case _:
                return self._number


@functools.cache
def _recorded(kind: str) -> tuple[tuple[float, bytes], ...]:
    """The events from the first channel on; the signing-in before it is the scripted switch's own."""
    frames = [
        (at / 1e6, frame)
        for at, frame in read_trace(TRACES / f"{kind}.ami.gz")
        if frame.startswith(b"Event: ") and (b"\r\nActionID: " not in frame or b"OriginateResp" in frame)
    ]
    first = next(n for n, (_, frame) in enumerate(frames) if frame.startswith(b"Event: Newchannel"))
    return tuple((at - frames[first][0], frame) for at, frame in frames[first:])


@functools.cache
def _unpaused() -> bytes:
    return next(
        frame
        for _, frame in read_trace(TRACES / "a_seat_at_work.ami.gz")
        if frame.startswith(b"Event: QueueMemberPause") and b"\r\nPaused: 0" in frame
    )
