"""Owns how the hotline's standing and the figures of the IVR look on pages."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path

from ctiserver.api import way
from hotline.ivr_settings import NORMAL, IvrSettings
from hotline.local_time import date_time
from hotline.numbers import mask
from hotline.standing import Announcement, Restricted, Standing

_TERMINAL = "命令行"
_FAILURES = {"unreachable": "连不上", "late": "没有按时应答", "broken": "中途断开"}


def mode(now: Standing, ivr: IvrSettings, names: Mapping[str, str]) -> dict[str, object]:
    """The mode in force. `names`: number (工号) -> name."""
    known = next((each for each in ivr.modes if each.id == now.mode), None)
    label = "平时" if now.mode == NORMAL else (known.label or known.id) if known is not None else now.mode
    return {
        "id": now.mode,
        "label": label,
        "is_on": now.mode != NORMAL,
        "is_known": now.mode == NORMAL or known is not None,
        "since": date_time(now.mode_us)[:16] if now.mode_us else "",
        "by": _who(now.mode_by, names),
    }


def modes(now: Standing, ivr: IvrSettings, queues: Mapping[str, str]) -> list[dict[str, str]]:
    """The modes that the hotline can be switched to, with what each changes for callers."""
    offered = [
        {
            "id": each.id,
            "label": each.label or each.id,
            "greeting": each.greeting,
            "queue": queues.get(each.queue, each.queue),
        }
        for each in ivr.modes
        if each.id != now.mode
    ]
    if now.mode != NORMAL:
        offered.insert(0, {"id": NORMAL, "label": "平时", "greeting": "", "queue": ""})
    return offered


def news(
    each: Announcement, queues: Mapping[str, str], names: Mapping[str, str], now_us: int, sounds: Path
) -> dict[str, object]:
    """One announcement; `is_made`: whether its sound is there, so that it can be heard."""
    whom = (f"去“{queues.get(each.queue, each.queue)}”的来电" if each.queue else "", each.district)
    return {
        "id": each.id,
        "text": each.text,
        "whom": "，".join(filter(None, whom)) or "所有来电",
        "from": date_time(each.from_us)[:16],
        "until": date_time(each.until_us)[:16],
        "is_on": each.from_us <= now_us,
        "is_recorded": bool(each.recording),
        "is_made": (sounds / f"{each.prompt}.wav").is_file(),
        "by": _who(each.person, names),
    }


def restricted(each: Restricted, names: Mapping[str, str]) -> dict[str, object]:
    """One nuisance caller, the number masked."""
    return {
        "mark": mark(each.citizen),
        "number": mask(each.citizen),
        "until": date_time(each.until_us)[:16],
        "why": each.why,
        "since": date_time(each.at_us)[:16] if each.at_us else "",
        "by": _who(each.person, names),
    }


def mark(citizen: str) -> str:
    """Stands for a number in a form."""
    return hashlib.sha256(citizen.encode()).hexdigest()[:16]


def figures(counted: way.Figures) -> dict[str, object]:
    """The table of figures: each step that anybody came to."""
    of = (counted.reached, counted.pressed_0, counted.hung_up, counted.looped)
    return {
        "calls": counted.calls,
        "steps": [
            (name, [each.get(code, 0) for each in of])
            for code, name in way.LETTERS_ZH.items()
            if counted.reached.get(code)
        ],
        "failed": [(_FAILURES.get(why, why), often) for why, often in sorted(counted.failed.items())],
    }


def _who(number: str, names: Mapping[str, str]) -> str:
    return f"{names.get(number, '')} {number}".strip() or _TERMINAL
