"""Owns what a rehearsal has found: its figures, whether they are good enough, and the table people read.
Pure.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec


class Spread(msgspec.Struct, frozen=True):
    """Median and 99th percentile, in milliseconds; 0 when nothing was measured."""

    p50: float = 0.0
    p99: float = 0.0


def spread(values: Sequence[float]) -> Spread:
    """The spread of `values` (nearest rank)."""
    if not values:
        return Spread()
    ordered = sorted(values)
    return Spread(round(_rank(ordered, 0.5), 2), round(_rank(ordered, 0.99), 2))


def _rank(ordered: list[float], part: float) -> float:
    return ordered[min(len(ordered) - 1, int(part * len(ordered)))]


class Tried(msgspec.Struct, frozen=True):
    """How often something was tried, and how often it came right: heard by tone, and kept."""

    asked: int
    right: int


class Report(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A rehearsal's result. `lost`: offered calls without exactly one finished record that says what
    happened.
    """

    offered: int
    answered: int
    abandoned: int
    pops: int
    pops_before_answer: int
    three_way_ok: int
    three_way_asked: int
    emergency_ok: int
    emergency_asked: int
    audio_ok: int
    audio_checked: int
    records: int
    lost: int
    pop_ms: Spread
    """From the seat's ring in Asterisk's event stream to the pop on the seat's WebSocket."""
    three_way_invite_ms: Spread
    """From the agent's key to the third party's phone being called."""
    exercises: dict[str, Tried] = {}
    """What a full rehearsal tried beside three-way calls, by name."""
    killed: tuple[str, ...] = ()
    """Our processes that were killed in the middle, in that order."""
    disturbed: int = 0
    """What was under way while the CTI server was dead and came to nothing; counted nowhere else."""

    @property
    def is_right(self) -> bool:
        """Nothing was lost, and everything asked for was right."""
        return (
            self.lost == 0
            and self.records == self.offered
            and self._is_popped
            and all(tried.right == tried.asked for tried in self.exercises.values())
            and self.three_way_ok == self.three_way_asked
            and self.emergency_ok == self.emergency_asked
            and self.audio_ok == self.audio_checked
        )

    @property
    def _is_popped(self) -> bool:
        """Each answered call popped in time; nobody pops while the CTI server is dead."""
        is_each_popped = self.pops >= self.answered and self.pops_before_answer == self.pops
        return is_each_popped or "cti" in self.killed

    def rows(self) -> list[tuple[str, str]]:
        """The table: what, how much."""
        return [
            ("calls offered", str(self.offered)),
            ("answered / abandoned", f"{self.answered} / {self.abandoned}"),
            ("records / lost", f"{self.records} / {self.lost}"),
            ("pops, before the answer", f"{self.pops}, {self.pops_before_answer}"),
            ("three-way right / asked", f"{self.three_way_ok} / {self.three_way_asked}"),
            ("emergency right / asked", f"{self.emergency_ok} / {self.emergency_asked}"),
            ("audio right / checked", f"{self.audio_ok} / {self.audio_checked}"),
            ("ring to pop, p50 / p99", f"{self.pop_ms.p50} / {self.pop_ms.p99} ms"),
            (
                "key to invite, p50 / p99",
                f"{self.three_way_invite_ms.p50} / {self.three_way_invite_ms.p99} ms",
            ),
            *(
                (f"{name.replace('_', ' ')} right / asked", f"{tried.right} / {tried.asked}")
                for name, tried in self.exercises.items()
            ),
            *([("killed in the middle", " ".join(self.killed))] if self.killed else []),
            *([("under way at a kill, not judged", str(self.disturbed))] if self.disturbed else []),
        ]
