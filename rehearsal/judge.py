"""Owns how a rehearsal's calls are judged: what everybody saw of a call, what they must have heard, what must
be kept of it.
"""

from __future__ import annotations

import asyncio
from collections import Counter

import msgspec
import structlog

from rehearsal.city import CitizenCall
from rehearsal.legs import CallEnded, Kind, Leg
from rehearsal.scene import Recorded, Scene
from rehearsal.seats import Popped

log = structlog.get_logger("rehearsal")

_AT_ONCE = 4


class Trial(msgspec.Struct, kw_only=True):
    """One call of the rehearsal, as everybody saw it."""

    n: int
    number: str
    citizen: CitizenCall | None = None
    seat: Leg | None = None
    popped: list[Popped] = msgspec.field(default_factory=list)
    third: Leg | None = None
    asked: str = ""
    """"", "three_way" or "emergency\""""
    invite_ms: float = 0.0
    talk: tuple[float, float] = (0.0, 0.0)
    room: tuple[float, float] = (0.0, 0.0)
    without_seat: tuple[float, float] = (0.0, 0.0)
    exercise: str = ""
    """What a full rehearsal tries with it, "" for nothing."""
    scene: Scene | None = None
    steps: tuple[float, float] = (0.0, 0.0)
    """From the seat's answer to the last thing that was tried."""
    trouble: str = ""


class Ear:
    """Listens to what was heard, to a few calls at once."""

    def __init__(self) -> None:
        self._ears = asyncio.Semaphore(_AT_ONCE)

    async def is_done(self, trial: Trial, rows: list[Recorded]) -> bool:
        """The exercise came to its end, everybody heard whom they should, and the record says so."""
        scene = trial.scene
        if scene is None or trial.trouble:
            return False
        async with self._ears:
            try:
                faults = [*scene.faults, *[await claim.fault() for claim in scene.claims]]
            except (CallEnded, TimeoutError) as error:
                faults = [str(error)]
        if rows != [scene.kept, *scene.kept_more]:
            faults.append("the record says otherwise")
        faults = [fault for fault in faults if fault]
        if faults:
            log.warning("exercise not right", n=trial.n, what=trial.exercise, why=faults)
        return not faults

    async def two_hear(self, trial: Trial) -> bool:
        """Citizen and seat heard each other."""
        citizen, seat = trial.citizen, trial.seat
        if citizen is None or seat is None:
            return False
        async with self._ears:
            is_heard = await self._all_hear([citizen, seat], trial.talk)
        if not is_heard:
            log.warning("not heard", n=trial.n, seat=seat.number)
        return is_heard

    async def three_hear(self, trial: Trial) -> bool:
        """Three heard each other, and two of them after the seat had left."""
        citizen, seat, third = trial.citizen, trial.seat, trial.third
        if citizen is None or seat is None or third is None or not trial.room[1]:
            return False
        async with self._ears:
            is_heard = await self._all_hear([citizen, seat, third], trial.room)
            if is_heard and trial.without_seat[1]:
                is_heard = await self._all_hear([citizen, third], trial.without_seat)
        if not is_heard:
            log.warning("three-way not heard", n=trial.n, seat=seat.number, third=third.number)
        return is_heard

    async def _all_hear(self, legs: list[Leg], when: tuple[float, float]) -> bool:
        """Each of the legs hears each other one's tone for that time."""
        try:
            for one in legs:
                for other in legs:
                    if one is not other and not await one.heard(other.hz, *when):
                        return False
        except (CallEnded, TimeoutError):
            return False
        return True


def is_kept(trial: Trial, rows: list[Recorded], legs: Counter[Kind]) -> bool:
    """Each call that the citizen made has one finished record, the first one says what we saw, and each call
    to them has its own. `legs`: how often the citizen's phone was in a call, by who called; a callback whose
    agent did not pick up never came so far.
    """
    made = [row for row in rows if not row.is_outbound]
    called = len(rows) - len(made)
    if not made or len(made) != legs[Kind.CITIZEN] or called < legs[Kind.OUTSIDE]:
        return False
    is_answered = trial.seat is not None and trial.seat.answered_at is not None
    return all(row.outcome for row in rows) and (made[0].outcome == "answered") == is_answered


def is_popped_in_time(trial: Trial) -> bool:
    """The pop came before the seat that talked picked up."""
    if not trial.popped or trial.seat is None or trial.seat.answered_at is None:
        return bool(trial.popped)
    return any(p.seat == trial.seat.number and p.at < trial.seat.answered_at for p in trial.popped)
