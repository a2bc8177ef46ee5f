"""What a citizen's phone played, told by the prompt's own course of sound; and who joined the queue when."""

from __future__ import annotations

import asyncio
import math
import time

from rehearsal import tones
from rehearsal.city import CitizenCall
from rehearsal.switchboard import Event

FRAME = 80
"""Samples in 10 ms."""
ALIKE = 0.8
"""Another sentence comes to 0.6 at most, unless it begins with the same words."""
PIECE, SLACK = 200, 50
"""A prompt is compared in pieces of 2 s, each within half a second of its place."""
FLOOR = 100
"""Mean amplitude below which sound is silence: hiss of the codec is no sound."""


class Queue:
    """Who entered the queue and when, as the hotline's AMI tells it."""

    def __init__(self) -> None:
        self.joined: dict[str, float] = {}
        self.place: dict[str, str] = {}
        self._news = asyncio.Event()

    def on_event(self, event: Event) -> None:
        if event["Event"] == "QueueCallerJoin":
            self.joined[event["CallerIDNum"]] = time.time()
            self.place[event["CallerIDNum"]] = event["Position"]
            self._news.set()

    async def has(self, number: str, within_s: float) -> float:
        """The moment in which that caller joined."""
        async with asyncio.timeout(within_s):
            while number not in self.joined:
                self._news.clear()
                await self._news.wait()
        return self.joined[number]


def loudness(recording: tones.Recording) -> list[float]:
    """The course of the sound: its energy in steps of 10 ms, as the ear counts it."""
    samples = recording.samples
    return [
        math.log(FLOOR + sum(abs(sample) for sample in samples[at : at + FRAME]) / FRAME)
        for at in range(0, len(samples) - FRAME, FRAME)
    ]


def likeness(heard: list[float], prompt: list[float]) -> tuple[float, float]:
    """How like the prompt the best matching stretch is (1: the same course), and at what second it begins.

    Compared in pieces, each of which may lie a little off: a busy machine loses or repeats a packet.
    """
    begin = best(heard, prompt, range(len(heard) - len(prompt)))[1]
    pieces = [prompt[at : at + PIECE] for at in range(0, max(1, len(prompt) - PIECE // 2), PIECE)]
    found = [
        best(heard, piece, range(max(0, begin + n * PIECE - SLACK), begin + n * PIECE + SLACK))[0]
        for n, piece in enumerate(pieces)
    ]
    return sum(found) / len(found), begin / 100


def best(heard: list[float], part: list[float], places: range) -> tuple[float, int]:
    """The best match of `part`, and where; 0 when `heard` is too short for any."""
    whole = (at for at in places if at + len(part) <= len(heard))
    return max(((correlation(heard[at : at + len(part)], part), at) for at in whole), default=(0.0, 0))


def correlation(one: list[float], other: list[float]) -> float:
    mean_one, mean_other = sum(one) / len(one), sum(other) / len(other)
    both = sum((a - mean_one) * (b - mean_other) for a, b in zip(one, other, strict=True))
    power = sum((a - mean_one) ** 2 for a in one) * sum((b - mean_other) ** 2 for b in other)
    return both / math.sqrt(power) if power else 0.0


async def what_was_heard(call: CitizenCall) -> list[float]:
    """End the call and read what the citizen's phone played."""
    await call.hang_up()
    await call.ended()
    async with asyncio.timeout(5):
        while not tones.is_complete(call.heard_path):  # noqa: ASYNC110 - Asterisk closes it and tells nobody
            await asyncio.sleep(0.05)
    return loudness(tones.read(call.heard_path))
