"""Owns the check of the prompts: which are missing, which nobody plays, which are clipped or silent."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from pathlib import Path

from asterisk_conf import render
from hotline.wav import BadWav, inspect
from ivr.catalogue import MANDARIN, Catalogue, sounds_of
from ivr.flows.lookup import STATES
from ivr.prompts import RATES, file_of
from ivr.script import MENU

_OURS = re.compile(r"\b(?:hotline|say)/[a-z0-9]+(?:-[a-z0-9]+)*\b(?![-a-z0-9]*\{)")
_PLAYED_BY_ASTERISK = ("queue-", "digits/")
"""app_queue asks for these by names of its own; tests hold them against its source."""


def spoken_of(sources: Iterable[str]) -> set[str]:
    """The names of our own prompts that stand in these texts of programs and dialplans."""
    return {name for source in sources for name in _OURS.findall(source)}


def sources() -> list[str]:
    """Everything that plays prompts: the flows, and the templates of Asterisk's files."""
    here, templates = Path(__file__).parent, Path(render.__file__).parent / "templates"
    return [path.read_text() for path in (*here.rglob("*.py"), *templates.glob("*.j2"))]


def texts(catalogue: Catalogue, played: set[str]) -> list[str]:
    """What is wrong with the catalogue itself, a sentence for each fault."""
    ours = {name for name in catalogue.prompts if not name.startswith(_PLAYED_BY_ASTERISK)}
    faults = [f"{name} is played and has no text" for name in sorted(played - ours)]
    faults += [f"{name} is never played" for name in sorted(ours - played)]
    faults += [
        f"{name} has no Mandarin text" for name in sorted(ours) if MANDARIN not in catalogue.prompts[name]
    ]
    return faults


def sounds(out: Path, names: Iterable[str]) -> list[str]:
    """What is wrong with the sound files below `out`, a sentence for each fault."""
    return [
        f"{file_of(out, name, ending)} {fault}"
        for name in names
        for ending, rate in RATES.items()
        if (fault := sound(file_of(out, name, ending), rate))
    ]


def sound(path: Path, rate: int) -> str:
    """What is wrong with one sound file, "" for nothing."""
    try:
        found = inspect(path)
    except FileNotFoundError:
        return "is missing"
    except BadWav as error:
        return str(error)
    if (found.rate, found.channels) != (rate, 1):
        return f"is not {rate} Hz, mono, 16 bit"
    if found.is_silent:
        return "is silent"
    return "is clipped" if found.is_clipped else ""


def all_of(catalogue: Catalogue, out: Path, more: Mapping[str, Iterable[str]]) -> list[str]:
    """Every fault of the catalogue and of the sounds in `out` (sounds/zh) and beside it; `more`: by language,
    the names of a site's own prompts.
    """
    played = spoken_of(sources()) | set(STATES.values())
    faults = texts(catalogue, played - {MENU})
    for language, names in more.items():
        faults += sounds(sounds_of(out, language), (*catalogue.names(language), *names))
    return faults
