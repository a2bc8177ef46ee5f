"""Measures whether the CTI server grows: its memory after 10,000 recorded calls against that after 500.

The calls come as fast as the database keeps their records; the memory is read when every record is there.
"""

from __future__ import annotations

from pathlib import Path

from bench.rig import SEATS, Rig, rig
from bench.stories import KINDS, story

BAR = 1.05
FIRST, LAST = 500, 10_000
_AHEAD = 3 * SEATS
"""Calls that may be told before their records are there."""


def resident_kb(pid: int) -> int:
    """Resident memory of a process in kB."""
    text = Path(f"/proc/{pid}/status").read_text()
    return int(text.partition("VmRSS:")[2].split()[0])


def _tell(stage: Rig, since: int, calls: int) -> int:
    """Tell the calls up to that number; the memory in kB when all of them are kept."""
    for n in range(since, calls):
        frames = story(KINDS[n % len(KINDS)], 8001 + n % SEATS, 0.0)
        stage.switch.tell(b"".join(frame for _, frame in frames))
        stage.turn(0)
        if n % SEATS == 0:
            stage.until(lambda told=n: stage.records() >= told - _AHEAD, 60)  # type: ignore[misc]
    stage.until(lambda: stage.records() == calls, 60)
    return resident_kb(stage.pid)


def measure(first: int = FIRST, last: int = LAST) -> dict[str, float]:
    """Both figures in MB, and their ratio."""
    with rig() as stage:
        early = _tell(stage, 0, first)
        late = _tell(stage, first, last)
    return {
        "first_calls": first,
        "calls": last,
        "early_mb": early / 1024,
        "late_mb": late / 1024,
        "ratio": late / early,
    }
