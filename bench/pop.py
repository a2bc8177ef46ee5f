"""Measures the way of a ring from the CTI server's AMI socket to the pop on the seat's WebSocket.

The real CTI server, with its journal, projector and database, hears recorded calls at all 57 seats: whenever
one ends, the seat's next one begins. One process tells the calls and reads the screens; a delay counts from
just before AgentCalled is written to just after the pop is read.
"""

from __future__ import annotations

import re
import time

from bench.rig import SEATS, Rig, rig
from bench.stories import KINDS, Told, story
from rehearsal.report import spread

CALLS_PER_S = 8.0
"""Tai'an's 2,700 calls a day bring one in nine seconds in a busy hour; this is far more than twice that."""
P50_BAR_MS, P99_BAR_MS = 5.0, 25.0
_UID = re.compile(rb"\r\nUniqueid: ([0-9.]+)")
_SEAT = re.compile(rb"\r\nInterface: PJSIP/([0-9]+)")
_POP = re.compile(rb'"type":"pop","seat":"([0-9]+)","context":{"conversation":"[a-z0-9_]+-([0-9.]+)"')


class _Screens:
    """Pops, matched with their rings."""

    def __init__(self) -> None:
        self.rung: dict[tuple[bytes, bytes], float] = {}
        self.delays_ms: list[float] = []

    def __call__(self, body: bytes, now: float) -> None:
        found = _POP.search(body, 0, 200)
        if found is not None:
            self.delays_ms.append((now - self.rung.pop(found.groups())) * 1000)  # type: ignore[arg-type]


def plan(calls_per_seat: int) -> Told:
    """Every frame with its second, for 57 seats that are never idle."""
    turn_s = SEATS / CALLS_PER_S
    told = [
        (n * turn_s + at + seat / CALLS_PER_S, frame)
        for seat in range(SEATS)
        for n in range(calls_per_seat)
        for at, frame in story(KINDS[(n + seat) % len(KINDS)], 8001 + seat, turn_s - 0.1)
    ]
    return sorted(told, key=lambda each: each[0])


def _play(stage: Rig, told: Told, screens: _Screens) -> None:
    begin = time.monotonic() + 0.1
    for at, frame in told:
        while (left := begin + at - time.monotonic()) > 0:
            stage.turn(left)
        if frame.startswith(b"Event: AgentCalled"):
            uid, seat = _UID.search(frame), _SEAT.search(frame)
            assert uid is not None
            assert seat is not None
            screens.rung[seat.group(1), uid.group(1)] = time.monotonic()
        stage.switch.tell(frame)


def measure(calls_per_seat: int = 8) -> dict[str, float]:
    """p50 and p99 in milliseconds of all pops; every ring must have had one."""
    told, screens = plan(calls_per_seat), _Screens()
    with rig(screens) as stage:
        _play(stage, told, screens)
        stage.until(lambda: not screens.rung, 10)
        calls = SEATS * calls_per_seat
        stage.until(lambda: stage.records() == calls, 30)
    found = spread(screens.delays_ms)
    return {"calls": calls, "pops": len(screens.delays_ms), "p50_ms": found.p50, "p99_ms": found.p99}
