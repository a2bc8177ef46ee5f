"""Owns the hold music (等待音乐), a slow piece of our own, and the ringing tone: computed, not recorded."""

from __future__ import annotations

import array
import functools
import io
import math
import os
import sys
import wave
from collections.abc import Callable
from pathlib import Path

RATE = 8000
_BEAT_S = 0.6
_PEAK = 4200
"""About -18 dBFS: music that one can wait with, and speak over."""

# The pentatonic scale on C, 宫商角徵羽: any two of its tones sound well together.
_SCALE_HZ = (261.63, 293.66, 329.63, 392.00, 440.00, 523.25, 587.33, 659.26)
_MELODY = (
    2, 3, 4, 3, 2, 1, 0, None, 1, 2, 3, 2, 1, 0, 1, None,
    2, 3, 5, 4, 3, 2, 3, None, 4, 3, 2, 1, 2, 1, 0, None,
    4, 5, 6, 5, 4, 3, 4, None, 3, 4, 5, 4, 3, 2, 1, None,
    2, 3, 4, 5, 4, 3, 2, None, 1, 2, 1, 0, 1, 0, None, None,
)  # fmt: skip
_BASS_HZ = (130.81, 196.00, 146.83, 196.00)
"""One for each four beats, in turn."""


RING_HZ, RING_S, RING_PAUSE_S = 450, 1, 4
"""回铃音: what a caller hears while the other side rings (GB/T 3380: 450 Hz, 1 s on, 4 s off)."""


def ensure(directory: Path) -> Path:
    """Write piece and ringing tone into `directory` unless they are there; return the piece's file."""
    target = directory / "hold.wav"
    _keep(target, compose)
    _keep(directory / "ringing" / "ringing.wav", ringing)
    return target


def _keep(target: Path, make: Callable[[], bytes]) -> None:
    if target.exists():
        return
    target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    fresh = target.with_name(f".{target.stem}.{os.getpid()}")
    fresh.write_bytes(make())
    fresh.replace(target)


def ringing() -> bytes:
    """One ring and its pause as a WAV file: 8 kHz, mono, 16 bit."""
    on = [math.sin(2 * math.pi * RING_HZ * i / RATE) for i in range(RING_S * RATE)]
    return _wave(array.array("d", [*on, *([0.0] * (RING_PAUSE_S * RATE))]))


def compose() -> bytes:
    """The piece as a WAV file: 8 kHz, mono, 16 bit, some 40 s, ending as quietly as it begins."""
    beat = round(_BEAT_S * RATE)
    mix = array.array("d", bytes(8 * beat * len(_MELODY)))
    for position, step in enumerate(_MELODY):
        if step is not None:
            _add(mix, position * beat, _string(_SCALE_HZ[step], seconds=3 * _BEAT_S, loudness=1.0))
        if position % 4 == 0:
            hz = _BASS_HZ[position // 4 % len(_BASS_HZ)]
            _add(mix, position * beat, _string(hz, seconds=4 * _BEAT_S, loudness=0.6))
    return _wave(mix)


def _add(mix: array.array[float], start: int, tone: list[float]) -> None:
    for i, value in enumerate(tone[: len(mix) - start], start):
        mix[i] += value


@functools.cache
def _string(hz: float, *, seconds: float, loudness: float) -> list[float]:
    """A plucked string that dies away; its overtones die sooner."""
    count, turn = round(seconds * RATE), 2 * math.pi * hz / RATE
    tone = []
    for i in range(count):
        rest = 1 - i / count
        attack = min(1.0, i / 160)
        first, second, third = (math.sin(overtone * turn * i) for overtone in (1, 2, 3))
        tone.append(loudness * attack * rest**2 * (first + 0.3 * rest * second + 0.1 * rest**2 * third))
    return tone


def _wave(mix: array.array[float]) -> bytes:
    scale = _PEAK / max(abs(value) for value in mix)
    samples = array.array("h", (round(value * scale) for value in mix))
    if sys.byteorder == "big":
        samples.byteswap()
    out = io.BytesIO()
    with wave.open(out, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(RATE)
        file.writeframes(samples.tobytes())
    return out.getvalue()
