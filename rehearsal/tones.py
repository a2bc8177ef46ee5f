"""Owns the rehearsal's tones: which frequency each party plays, and who is heard in a recording."""

from __future__ import annotations

import math
import re
import sys
from array import array
from collections.abc import Iterable
from functools import lru_cache
from operator import mul
from pathlib import Path
from statistics import median
from typing import NamedTuple

RATE = 8000
WINDOW_S = 0.2
"""Tones lie on a 10 Hz grid: over 200 ms a Hann window is deaf to every neighbour on it."""

_FAINTEST = 400.0
"""Amplitude (of 32767) below which nothing counts as a tone; a party plays at about 7200."""
_HEADER = 44
_STILL = 200
"""Samples that stay within so much of each other are silence: A-law's own is 16, soft music a thousand."""
_FRAME_MS = 20
_LEAST_SHARE = 0.05
"""A tone carries at least this share of its window's power: noise and speech seldom do at one frequency."""
EMERGENCY_HZ = {"110": 2000, "119": 2100, "120": 2200, "122": 2300}
OUTSIDE_HZ = range(1700, 1901, 10)
"""A department's tone is the one at the place of its number's last four digits, modulo their count."""


def citizen_hz(n: int) -> int:
    """The tone of the n-th citizen's call: 400 to 900 Hz."""
    return 400 + 20 * (n % 26)


def seat_hz(index: int) -> int:
    """The tone of the seat with this index, 0 for the first: 1000 to 1560 Hz."""
    return 1000 + 10 * (index % 57)


def supervisor_hz(index: int) -> int:
    """The tone of the supervisor's phone with this index, 0 for the first: 2400 to 2790 Hz."""
    return 2400 + 10 * (index % 40)


def outside_hz(number: str) -> int:
    """The tone of a number outside: one each for 110, 119, 120, 122; a department's is 1700 to 1900 Hz."""
    digits = re.sub("[^0-9]", "", number)
    return EMERGENCY_HZ.get(number) or OUTSIDE_HZ[int(digits[-4:] or "0") % len(OUTSIDE_HZ)]


class Recording(NamedTuple):
    """What one leg heard: 16-bit samples, one channel, `RATE` a second."""

    samples: array[int]

    @property
    def seconds(self) -> float:
        """Its length."""
        return len(self.samples) / RATE

    def cut(self, start: int, length: int) -> array[int]:
        """`length` samples from `start`; silence where the recording has none."""
        head = array("h", bytes(2 * min(max(0, -start), length)))
        body = self.samples[max(0, start) : max(0, start + length)]
        return head + body + array("h", bytes(2 * (length - len(head) - len(body))))


def read(wav: Path) -> Recording:
    """Read a WAV file, also one still being written, whose header says too little; ValueError for others."""
    data = wav.read_bytes()
    if len(data) < _HEADER or data[:4] != b"RIFF" or data[8:12] != b"WAVE":
        raise ValueError(f"{wav.name} is not a WAV file")
    at = 12
    while data[at : at + 4] != b"data":
        if data[at : at + 4] == b"fmt " and data[at + 8 : at + 24] != _FORMAT:
            raise ValueError(f"{wav.name} is not {RATE} Hz, 16 bit, one channel")
        at += 8 + int.from_bytes(data[at + 4 : at + 8], "little")
        if at + 8 > len(data):
            raise ValueError(f"{wav.name} has no sound in it")
    body = data[at + 8 :]
    samples = array("h", body[: len(body) & ~1])
    if sys.byteorder == "big":
        samples.byteswap()
    return Recording(samples)


def is_begun(wav: Path) -> bool:
    """Whether the file is there, at least with its header."""
    return wav.exists() and wav.stat().st_size >= _HEADER


def is_complete(wav: Path) -> bool:
    """Whether the writer has closed the file: only then does Asterisk put its length into the header."""
    if not is_begun(wav):
        return False
    with wav.open("rb") as file:
        head = file.read(_HEADER)
    return int.from_bytes(head[-4:], "little") == wav.stat().st_size - _HEADER


_FORMAT = b"".join(
    n.to_bytes(size, "little") for n, size in ((1, 2), (1, 2), (RATE, 4), (2 * RATE, 4), (2, 2), (16, 2))
)


def heard(wav: Path | Recording, hz: float, *, start_s: float = 0.0, end_s: float | None = None) -> bool:
    """Whether the tone is there for at least half of the time from `start_s` to `end_s` (None: the end)."""
    return share(wav, hz, start_s=start_s, end_s=end_s) >= 0.5


def share(wav: Path | Recording, hz: float, *, start_s: float = 0.0, end_s: float | None = None) -> float:
    """The part, 0 to 1, of the 200 ms windows between the two moments that hold the tone."""
    recording = _recording(wav)
    windows = list(_windows(recording, start_s, end_s, WINDOW_S))
    if not windows:
        if end_s is None:
            return 0.0
        raise ValueError(f"{start_s} to {end_s} s is shorter than one window of {WINDOW_S} s")
    return sum(_holds(window, hz) for _, window in windows) / len(windows)


def tones_in(
    wav: Path | Recording, candidates: Iterable[int], window: float = WINDOW_S
) -> list[tuple[float, frozenset[int]]]:
    """For each window of at least 200 ms: its start in seconds, and which of the candidates sound in it."""
    if window < WINDOW_S:
        raise ValueError(f"a window of {window} s cannot tell tones apart that lie 10 Hz from each other")
    wanted = tuple(candidates)
    return [
        (start, frozenset(hz for hz in wanted if _holds(samples, hz)))
        for start, samples in _windows(_recording(wav), 0.0, None, window)
    ]


def longest_gap_ms(
    wav: Path | Recording, hz: float, start_s: float = 0.0, end_s: float | None = None, step_ms: int = 20
) -> int:
    """The longest time for which the tone is missing between the two moments; half a step is the least seen.

    A window of one step slides by a quarter of it; missing is less than half of the tone's usual strength.
    The whole stretch counts as a gap when the tone is never there.
    """
    recording = _recording(wav)
    last = recording.seconds if end_s is None else end_s
    size, hop = RATE * step_ms // 1000, max(1, RATE * step_ms // 4000)
    starts = range(round(start_s * RATE), round(last * RATE) - size + 1, hop)
    levels = [_amplitude(recording.cut(start, size), hz, hann=False) for start in starts]
    sounding = [level for level in levels if level >= _FAINTEST]
    if not sounding:
        return round((last - start_s) * 1000)
    least = median(sounding) / 2
    longest = run = 0
    for level in levels:
        run = run + 1 if level < least else 0
        longest = max(longest, run)
    return round(longest * hop * 1000 / RATE)


def longest_silence_ms(wav: Path | Recording, start_s: float = 0.0, end_s: float | None = None) -> int:
    """The longest time between the two moments in which nothing at all is to be heard, in steps of 20 ms."""
    longest = run = 0
    for _, frame in _windows(_recording(wav), start_s, end_s, _FRAME_MS / 1000):
        run = run + 1 if max(frame) - min(frame) < _STILL else 0
        longest = max(longest, run)
    return longest * _FRAME_MS


def _recording(wav: Path | Recording) -> Recording:
    return wav if isinstance(wav, Recording) else read(wav)


def _windows(
    recording: Recording, start_s: float, end_s: float | None, window_s: float
) -> Iterable[tuple[float, array[int]]]:
    size = round(window_s * RATE)
    last = len(recording.samples) if end_s is None else round(end_s * RATE)
    for start in range(round(start_s * RATE), last - size + 1, size):
        yield start / RATE, recording.cut(start, size)


def _holds(window: array[int], hz: float) -> bool:
    amplitude = _amplitude(window, hz, hann=True)
    if amplitude < _FAINTEST:
        return False
    power = sum(map(mul, window, window)) / len(window)
    return bool(amplitude * amplitude / 2 >= _LEAST_SHARE * power)


def _amplitude(window: array[int], hz: float, *, hann: bool) -> float:
    cosine, sine = _wave(hz, len(window), hann)
    return math.hypot(sum(map(mul, window, cosine)), sum(map(mul, window, sine)))


@lru_cache(maxsize=512)
def _wave(hz: float, size: int, hann: bool) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """One line of a Fourier transform, scaled so that a pure tone gives its own amplitude."""
    weights = [(1 - math.cos(math.tau * i / size)) / 2 if hann else 1.0 for i in range(size)]
    scale = 2 / sum(weights)
    turn = math.tau * hz / RATE
    return (
        tuple(scale * w * math.cos(turn * i) for i, w in enumerate(weights)),
        tuple(scale * w * math.sin(turn * i) for i, w in enumerate(weights)),
    )
