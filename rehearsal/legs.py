"""Owns the legs of the rehearsal's calls: one party's channel in the city, its life, and what it heard."""

from __future__ import annotations

import asyncio
import enum
import time
from collections.abc import Callable
from pathlib import Path

from rehearsal import tones
from rehearsal.switchboard import Event

_RECORDING_LAG_S = 5.0
"""Asterisk writes a recording in pieces of about two seconds; a busy machine takes longer."""
_SLOWEST_PACE = 0.998
"""Measured: 0.5 s lost in 720 s on a busy machine. More than 0.2 % is no loss but a hang-up told late."""
_LOOK_AGAIN_S = 0.1


class Kind(enum.Enum):
    """Who sits at the far end of a leg."""

    CITIZEN = "citizen"
    SEAT = "seat"
    SUPERVISOR = "supervisor"
    OUTSIDE = "outside"
    """A department, or 110, 119, 120, 122."""


class State(enum.Enum):
    """A leg's life, in this order."""

    CALLING = "calling"
    """Set up and not yet answered; a called phone rings."""
    TALKING = "talking"
    OVER = "over"


class CallEnded(Exception):
    """The leg was over before what was waited for happened."""


class Leg:
    """One party's channel at the city's side. Moments are seconds since 1970 by the machine's clock.

    What it heard is kept from its answer on, and a moment is found there to within about 20 ms; in a call of
    many minutes on a busy machine to within 0.2 s.
    """

    def __init__(self, leg_id: str, kind: Kind, number: str, hz: int, heard_path: Path) -> None:
        self.id = leg_id
        """The channel's Uniqueid in the city; the hotline's own channel has another."""
        self.kind = kind
        self.number = number
        """The party's own number: seat, department or citizen."""
        self.hz = hz
        """The tone that this party plays from its answer on."""
        self.heard_path = heard_path
        """What it hears from its answer on: WAV, 8 kHz, 16 bit."""
        self.channel = ""
        self.state = State.CALLING
        self.started_at = time.time()
        self.answered_at: float | None = None
        self.ended_at: float | None = None
        self.cause = 0
        """Why it ended (Q.850 hang-up cause): 16 normal, 17 busy, 19 no answer, 21 rejected; 0 unknown."""
        self.keys = ""
        """The keys (DTMF) that the other side pressed, as far as this leg was told."""
        self._holds: list[tuple[float, float]] = []
        self._changed = asyncio.Event()

    def on_event(self, event: Event) -> None:
        """Take in one AMI event of this leg's channel."""
        match event["Event"]:
            case "Newchannel":
                self.channel = event["Channel"]
            case "UserEvent" if self.state is State.CALLING:
                self.state, self.answered_at = State.TALKING, float(event["Since"])
            case "DTMFEnd" if event["Direction"] == "Received":
                self.keys += event["Digit"]
            case "OriginateResponse" if event.get("Response") == "Failure":
                self.end(0)
                return
            case "Hangup":
                self.end(int(event.get("Cause") or 0))
                return
        self._tell()

    def end(self, cause: int) -> None:
        """The leg is over, or never came to be."""
        if self.state is not State.OVER:
            self.state, self.ended_at, self.cause = State.OVER, time.time(), cause
            self._tell()

    def held(self, since: float) -> None:
        """Its phone has held the call from then until now: no sound came, and no time passed in what it
        heard.
        """
        self._holds.append((since, time.time()))

    async def pressed(self, keys: str, within_s: float = 10.0) -> None:
        """Wait until all of these keys have come from the other side."""
        await self._until(lambda: keys in self.keys, within_s)

    async def present(self, within_s: float = 10.0) -> None:
        """Wait until the city has a channel for it; CallEnded when it never gets one."""
        await self._until(lambda: bool(self.channel), within_s)

    async def answered(self, within_s: float = 10.0) -> float:
        """Wait for the answer and return its moment; CallEnded when the leg ends first, else TimeoutError."""
        await self._until(lambda: self.answered_at is not None, within_s)
        return self.answered_at or 0.0

    async def ended(self, within_s: float = 10.0) -> int:
        """Wait for the end and return its cause; TimeoutError when it goes on."""
        await self._until(lambda: self.state is State.OVER, within_s)
        return self.cause

    async def heard(self, hz: float, since: float | None = None, until: float | None = None) -> bool:
        """Whether this leg heard the tone for at least half of that time (by default all of it so far)."""
        return await self.share(hz, since, until) >= 0.5

    async def share(self, hz: float, since: float | None = None, until: float | None = None) -> float:
        """The part, 0 to 1, of that time in which this leg heard the tone; 0.0 is never."""
        recording, start, end = await self._stretch(since, until)
        return await asyncio.to_thread(tones.share, recording, hz, start_s=start, end_s=end)

    async def longest_gap_ms(self, hz: float, since: float | None = None, until: float | None = None) -> int:
        """The longest time without the tone in what this leg heard."""
        recording, start, end = await self._stretch(since, until)
        return await asyncio.to_thread(tones.longest_gap_ms, recording, hz, start, end)

    async def longest_silence_ms(self, since: float | None = None, until: float | None = None) -> int:
        """The longest time in which this leg heard nothing: no tone, no voice, no music."""
        recording, start, end = await self._stretch(since, until)
        return await asyncio.to_thread(tones.longest_silence_ms, recording, start, end)

    async def _stretch(
        self, since: float | None, until: float | None
    ) -> tuple[tones.Recording, float, float]:
        """The recording and two offsets in it, in seconds."""
        if self.answered_at is None:
            raise CallEnded(f"leg {self.id} was never answered and has heard nothing")
        start = 0.0 if since is None else self._offset(since)
        end = None if until is None else self._offset(until)
        recording = await self._written(end)
        pace = self._pace(recording)
        return recording, start * pace, recording.seconds if end is None else end * pace

    def _offset(self, moment: float) -> float:
        """Where a moment is in what it heard, in seconds."""
        held = sum(min(moment, end) - begin for begin, end in self._holds if begin < moment)
        return moment - (self.answered_at or 0.0) - held

    def _pace(self, recording: tones.Recording) -> float:
        """Seconds of sound in a second of a leg that is over: what a busy machine lost moves the rest."""
        if self.ended_at is None or self.answered_at is None:
            return 1.0
        pace = recording.seconds / max(self._offset(self.ended_at), 0.001)
        return pace if _SLOWEST_PACE <= pace <= 1.0 else 1.0

    async def _written(self, end: float | None) -> tones.Recording:
        """The recording, once Asterisk has written it to that offset, or wholly when the leg is over."""
        wanted = 0.0 if end is None else end
        deadline = time.monotonic() + _RECORDING_LAG_S + max(0.0, wanted - self._age())
        while True:
            late = time.monotonic() > deadline
            if self._is_readable(late):
                recording = await asyncio.to_thread(tones.read, self.heard_path)
                if late or self.state is State.OVER or recording.seconds >= wanted:
                    return recording
            elif late:
                raise TimeoutError(f"there is no recording of leg {self.id}")
            await asyncio.sleep(_LOOK_AGAIN_S)

    def _is_readable(self, late: bool) -> bool:
        """A leg that is over has its whole recording to wait for, unless its Asterisk died."""
        if self.state is State.OVER and not late:
            return tones.is_complete(self.heard_path)
        return tones.is_begun(self.heard_path)

    def _age(self) -> float:
        return time.time() - (self.answered_at or self.started_at)

    async def _until(self, is_so: Callable[[], bool], within_s: float) -> None:
        async with asyncio.timeout(within_s):
            while not is_so():
                if self.state is State.OVER:
                    raise CallEnded(f"leg {self.id} ended with cause {self.cause}")
                self._changed.clear()
                await self._changed.wait()

    def _tell(self) -> None:
        self._changed.set()
