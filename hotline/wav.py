"""Owns what is to be known of a sound file (WAV, PCM) before it is heard: form, length, silence, clipping."""

from __future__ import annotations

import sys
import wave
from array import array
from pathlib import Path
from typing import BinaryIO

import msgspec

_FULL = 32767
_CLIPPED = 0.001
"""Share of samples at full scale: above it a voice crackles."""
_QUIET = 300.0
"""Mean amplitude out of 32767: below it a telephone's noise covers a voice."""
_BYTES = 2


class BadWav(Exception):
    """No WAV file of 16 bit; the text says why not, as the reader of the file put it."""


class Sound(msgspec.Struct, frozen=True, kw_only=True):
    """What a sound file holds. `rate` in Hz."""

    rate: int
    channels: int
    seconds: float
    is_silent: bool
    is_clipped: bool


def inspect(source: Path | BinaryIO) -> Sound:
    """Look through a whole file, or one in memory. FileNotFoundError as it comes; BadWav for all else."""
    try:
        with wave.open(str(source) if isinstance(source, Path) else source) as file:
            rate, channels, size = file.getframerate(), file.getnchannels(), file.getsampwidth()
            if size != _BYTES:
                raise BadWav(f"is {size * 8} bit")
            frames = file.readframes(file.getnframes())
    except FileNotFoundError:
        raise
    except (OSError, EOFError, wave.Error) as error:
        raise BadWav(f"cannot be read: {error}") from error
    samples = array("h", frames[: len(frames) // _BYTES * _BYTES])
    if sys.byteorder == "big":
        samples.byteswap()
    count = len(samples) or 1
    full = samples.count(_FULL) + samples.count(-_FULL) + samples.count(-_FULL - 1)
    return Sound(
        rate=rate,
        channels=channels,
        seconds=len(samples) / (channels * rate),
        is_silent=sum(map(abs, samples)) / count < _QUIET,
        is_clipped=full / count > _CLIPPED,
    )
