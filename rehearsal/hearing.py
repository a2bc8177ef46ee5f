"""Owns how a prompt is recognised in what a citizen's phone played: by the prompt's own course of sound."""

from __future__ import annotations

import asyncio
import math
from itertools import accumulate, pairwise
from pathlib import Path
from typing import TypeAlias

from rehearsal import tones
from rehearsal.city import CitizenCall

ALIKE = 0.63
"""A sentence heard with a packet in twenty lost, or with gaps of 60 ms, comes to 0.66 at least; another one
to 0.60 at most.
"""
HOP = 80
"""Samples in 10 ms."""
_FLOOR = 100
"""Mean amplitude below which sound is silence: hiss of the codec is no sound."""
_STEP = 0.2
"""How finely loudness is told, in nepers."""
_FAR = 1.2
"""Two moments that lie so far apart, loudness and hiss together, have nothing in common."""
_WORST = -0.6
"""What a moment counts that does not fit at all: a lost packet must not outweigh ten that came."""
_SLIP = 0.5
"""What it costs when 20 ms were lost or came twice, in moments that fit."""
_STILL, _QUIET = 0.2, 2
"""A pause fits any other: so much counts a moment that is not louder than so many steps."""
_MOST_SLIPS = 4
"""Steps of 10 ms that the sound may stand still between two moments of the prompt."""
_TAIL, _LONGEST_TAIL = 10, 50
"""A tenth of the prompt, and 1 s at most, need not be heard: keys and busy machines cut prompts there."""
_NEVER = -1e9
_CLOSED_S = 5.0
_LOOK_AGAIN_S = 0.05

Course: TypeAlias = list[tuple[int, int]]
"""The course of a sound each 10 ms: how loud it is, and how loud its hiss, as the ear counts it."""
Row: TypeAlias = list[float]


def course(recording: tones.Recording) -> Course:
    """The course of a recording, over 20 ms each."""
    samples = recording.samples
    levels = list(map(abs, samples))
    changes = [abs(b - a) for a, b in pairwise(samples)]
    starts = range(0, len(samples) - HOP, HOP)
    sums = [(sum(levels[at : at + HOP]), sum(changes[at : at + HOP])) for at in starts]
    return [(_heard(a[0] + b[0]), _heard(a[1] + b[1])) for a, b in pairwise(sums)]


def _heard(total: int) -> int:
    return round(math.log1p(total / (2 * HOP) / _FLOOR) / _STEP)


def likeness(heard: Course, prompt: Course) -> tuple[float, float]:
    """How like the prompt the best matching stretch is (1: the same), and at what second it begins.

    Laid along the prompt moment by moment (20 ms), as one spells two words over each other: a moment may be
    lost or come late, for a price, so that a busy machine's lost packets do not shift all that follows.
    """
    moments = prompt[::2]
    weights = [1.0 if loud > _QUIET else _STILL for loud, _ in moments]
    rows = _rows(heard, moments, weights)
    totals = list(accumulate(weights))
    last = len(moments) - 1
    ends = range(last - min(len(moments) // _TAIL, _LONGEST_TAIL), last + 1)
    like, end = max((max(rows[at], default=0.0) / totals[at], at) for at in ends)
    return (max(0.0, like), _begin(rows, end) / 100) if heard else (0.0, 0.0)


def _rows(heard: Course, moments: Course, weights: Row) -> list[Row]:
    """For each moment of the prompt how well it and those before it fit when it is heard at each place."""
    places = {sound: n for n, sound in enumerate(sorted(set(heard)))}
    coded, sounds = [places[sound] for sound in heard], list(places)
    known: dict[tuple[tuple[int, int], float], Row] = {}
    rows: list[Row] = []
    for moment, weight in zip(moments, weights, strict=True):
        if (moment, weight) not in known:
            known[moment, weight] = [weight * _fit(moment, sound) for sound in sounds]
        fits = list(map(known[moment, weight].__getitem__, coded))
        before = _before(rows)
        rows.append(list(map(float.__add__, map(max, *before), fits)) if before else fits)
    return rows


def _before(rows: list[Row]) -> list[Row]:
    """For each place the scores from which it can be reached: 20 ms on as it should be, or with a slip."""
    if not rows:
        return []
    size, wait = len(rows[-1]), [_NEVER] * (2 + _MOST_SLIPS)
    costs = [0.0, _SLIP, _SLIP, *([2 * _SLIP] * (_MOST_SLIPS - 2))]
    reached = [_shifted(rows[-1], wait, 1, _SLIP)[:size]]
    reached += [_shifted(rows[-1], wait, 2 + slip, cost)[:size] for slip, cost in enumerate(costs)]
    lost = rows[-2:-4:-1]
    return reached + [_shifted(row, wait, 2, n * _SLIP)[:size] for n, row in enumerate(lost, start=1)]


def _shifted(row: Row, wait: Row, places: int, cost: float) -> Row:
    return wait[:places] + ([score - cost for score in row] if cost else row)


def _begin(rows: list[Row], end: int) -> int:
    """Where the best way to that moment begins: each step back goes to the best place within reach."""
    at = rows[end].index(max(rows[end]))
    for row in reversed(rows[:end]):
        near = range(max(0, at - 2 - _MOST_SLIPS), max(1, at))
        at = max(near, key=lambda place: (row[place] - _SLIP * (place != at - 2), place))
    return at


def _fit(moment: tuple[int, int], sound: tuple[int, int]) -> float:
    distance = (abs(moment[0] - sound[0]) + abs(moment[1] - sound[1])) * _STEP
    return max(_WORST, 1 - distance / _FAR)


def prompt_course(sounds: Path, prompt: str) -> Course:
    """The course of a prompt below that directory of one language."""
    return course(tones.read(sounds / f"{prompt}.wav"))


async def what_was_heard(call: CitizenCall) -> Course:
    """End the call and read what the citizen's phone played."""
    await call.hang_up()
    await call.ended()
    async with asyncio.timeout(_CLOSED_S):
        while not tones.is_complete(call.heard_path):  # noqa: ASYNC110 - Asterisk closes it and tells nobody
            await asyncio.sleep(_LOOK_AGAIN_S)
    return await asyncio.to_thread(lambda: course(tones.read(call.heard_path)))
