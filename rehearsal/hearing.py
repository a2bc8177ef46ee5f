"""Owns how a prompt is recognised in what a citizen's phone played: by the prompt's own course of sound."""

from __future__ import annotations

import asyncio
import math
from itertools import accumulate
from operator import mul
from pathlib import Path

from rehearsal import tones
from rehearsal.city import CitizenCall

FRAME = 80
"""Samples in 10 ms."""
ALIKE = 0.8
"""Another sentence comes to 0.6 at most, unless it begins with the same words."""
PIECE, SLACK = 200, 50
"""A prompt is compared in pieces of 2 s, each within half a second of its place; a tail of less than 1 s is
not: keys and busy machines cut prompts there.
"""
FLOOR = 100
"""Mean amplitude below which sound is silence: hiss of the codec is no sound."""
_NOTHING = 1e-6
"""Below this there is no course of sound, but one level and what adding up floats leaves of it."""
_CLOSED_S = 5.0
_LOOK_AGAIN_S = 0.05


def loudness(recording: tones.Recording) -> list[float]:
    """The course of the sound: its energy in steps of 10 ms, as the ear counts it."""
    samples = recording.samples
    return [
        math.log(FLOOR + sum(map(abs, samples[at : at + FRAME])) / FRAME)
        for at in range(0, len(samples) - FRAME, FRAME)
    ]


def likeness(heard: list[float], prompt: list[float]) -> tuple[float, float]:
    """How like the prompt the best matching stretch is (1: the same course), and at what second it begins.

    Compared in pieces, each of which may lie a little off: a busy machine loses or repeats a packet.
    """
    begin = best(heard, prompt, range(len(heard) - len(prompt) + 1))[1]
    pieces = [prompt[at : at + PIECE] for at in range(0, max(1, len(prompt) - PIECE // 2), PIECE)]
    found = [
        best(heard, piece, range(max(0, begin + n * PIECE - SLACK), begin + n * PIECE + SLACK))[0]
        for n, piece in enumerate(pieces)
    ]
    return sum(found) / len(found), begin / 100


def best(heard: list[float], part: list[float], places: range) -> tuple[float, int]:
    """The best match of `part` by correlation, and where; 0 when `heard` is too short for any."""
    size = len(part)
    sums = list(accumulate(heard, initial=0.0))
    squares = list(accumulate((value * value for value in heard), initial=0.0))
    mean = sum(part) / size
    centred = [value - mean for value in part]
    power = sum(map(mul, centred, centred))

    def match(at: int) -> float:
        total = sums[at + size] - sums[at]
        spread = power * (squares[at + size] - squares[at] - total * total / size)
        if spread <= _NOTHING:
            return 0.0
        return math.fsum(map(mul, heard[at : at + size], centred)) / math.sqrt(spread)

    whole = (at for at in places if at + size <= len(heard))
    return max(((match(at), at) for at in whole), default=(0.0, 0))


def prompt_loudness(sounds: Path, prompt: str) -> list[float]:
    """The course of a prompt below that directory of one language."""
    return loudness(tones.read(sounds / f"{prompt}.wav"))


async def what_was_heard(call: CitizenCall) -> list[float]:
    """End the call and read what the citizen's phone played."""
    await call.hang_up()
    await call.ended()
    async with asyncio.timeout(_CLOSED_S):
        while not tones.is_complete(call.heard_path):  # noqa: ASYNC110 - Asterisk closes it and tells nobody
            await asyncio.sleep(_LOOK_AGAIN_S)
    return await asyncio.to_thread(lambda: loudness(tones.read(call.heard_path)))
