"""Measures many callers in the IVR at once on a real Asterisk: what each of them does not hear, and what
they cost beside the switch's own Background().

Prompts are one tone each, from a studio's directory, so that a gap is exact, also between two prompts, where
the IVR has its say. In a second round as many callers come to an extension that plays the same files by
Background() and is recorded in the same way; its longest gap is the machine's own.
"""

from __future__ import annotations

import asyncio
import math
import tempfile
import wave
from array import array
from pathlib import Path

from bench.cost import processor_s
from cli.stage import Stage, stage, stage_settings
from hotline.ivr_settings import IvrSettings
from hotline.settings import Settings
from rehearsal import tones
from rehearsal.city import CitizenCall
from rehearsal.ports import free_ports
from rehearsal.ways import GREETING, MENU, NOTICE, menu

GAP_BAR_MS, RATIO_BAR = 200.0, 1.5
CALLERS, PROMPT_S = 100, 5.0
_HZ, _LOUD = 1650, 7000
_PROMPTS = (GREETING, NOTICE, MENU)
_RATE = 20.0
"""Callers a second."""
_HEAD_S, _TAIL_S = 0.4, 1.0
"""At the beginning and at the end of three prompts nothing need be heard yet, or any more."""
_PLAIN = "19999"
"""The extension that plays by Background()."""


def _tone(path: Path, seconds: float) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    turn = math.tau * _HZ / tones.RATE
    sound = array("h", (round(_LOUD * math.sin(turn * n)) for n in range(round(seconds * tones.RATE))))
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(tones.RATE)
        file.writeframes(sound.tobytes())


async def _play_by_itself(there: Stage) -> None:
    """The extension that plays the same prompts without us."""
    steps = (
        "Answer()",
        "MixMonitor(,r(${UNIQUEID}-citizen.wav)t(${UNIQUEID}-hotline.wav))",
        f"Background({'&'.join(_PROMPTS)})",
        "Wait(60)",
    )
    for n, step in enumerate(steps, 1):
        await there.hotline.node.console(f"dialplan add extension {_PLAIN},{n},{step} into from-pstn")


async def _round(
    there: Stage, numbers: range, dial: str | None, pids: list[int], seconds: float
) -> tuple[float, float]:
    """The longest gap of any caller in milliseconds, and the processes' seconds for all of them. `seconds`:
    how long each caller hears something.
    """
    before = sum(map(processor_s, pids))
    calls: list[CitizenCall] = []
    for n in numbers:
        calls.append(await there.city.call(f"1380536{n:04d}", dial=dial, n=n))
        await asyncio.sleep(1 / _RATE)
    begins = [await call.answered() for call in calls]
    await asyncio.sleep(seconds)
    await there.city.hang_up_all()
    spent = sum(map(processor_s, pids)) - before
    gaps = [
        await call.longest_gap_ms(_HZ, begin + _HEAD_S, begin + seconds)
        for call, begin in zip(calls, begins, strict=True)
    ]
    return max(gaps), spent


async def _measure(callers: int, prompt_s: float) -> dict[str, float]:
    with tempfile.TemporaryDirectory(prefix="hotline-bench-") as home:
        studio = Path(home) / "studio"
        for prompt in _PROMPTS:
            _tone(studio / "zh" / f"{prompt}.wav", prompt_s)
        keys = menu(Settings().queue.number)[:1]
        site = Settings(ivr=IvrSettings(keys=keys, studio=str(studio)))
        settings = stage_settings(site, Path(home) / "state", seats=1, ports=free_ports(7))
        async with stage(settings, lambda _said: None) as there:
            await _play_by_itself(there)
            ivr, asterisk = there.hotline.children["ivr"].pid, there.hotline.node.pid
            assert ivr is not None
            assert asterisk is not None
            seconds = len(_PROMPTS) * prompt_s - _TAIL_S
            first, then = range(callers), range(callers, 2 * callers)
            gap_ms, ours_s = await _round(there, first, None, [ivr, asterisk], seconds)
            plain_ms, plain_s = await _round(there, then, _PLAIN, [asterisk], seconds)
    return {
        "callers": callers,
        "gap_ms": gap_ms,
        "background_gap_ms": plain_ms,
        "ivr_cpu_ms": ours_s / callers * 1000,
        "background_cpu_ms": plain_s / callers * 1000,
        "ratio": ours_s / plain_s,
    }


def measure(callers: int = CALLERS, prompt_s: float = PROMPT_S) -> dict[str, float]:
    """Milliseconds: the longest gap that any caller heard, and processor time per caller, ours with
    Asterisk's and Asterisk's alone at Background(); and the ratio of the two. There are three prompts of
    `prompt_s` seconds.
    """
    return asyncio.run(_measure(callers, prompt_s))
