"""Owns the dialect's set of prompts (方言提示音): recordings alone, and Mandarin where one is missing."""

from __future__ import annotations

from pathlib import Path

import msgspec

from hotline.ivr_settings import DIALECT
from hotline.settings import Settings
from ivr.catalogue import load_catalogue

ENOUGH = 0.8
"""Of the sentences so many must be spoken in the dialect, or callers are not offered it."""
_SENTENCES = "hotline/"


def missing(settings: Settings) -> list[str]:
    """The catalogue's sentences that nobody has recorded in the dialect, in its order."""
    studio = Path(settings.ivr.studio) / DIALECT
    return [name for name in _sentences() if not (studio / f"{name}.wav").is_file()]


def is_complete(settings: Settings) -> bool:
    """Whether callers can be offered it: a caller who hears Mandarin after all was promised too much."""
    return len(missing(settings)) <= (1 - ENOUGH) * len(_sentences())


def usable(settings: Settings) -> Settings:
    """The settings without the keys that lead to a dialect of which too little is spoken."""
    ivr = settings.ivr
    if DIALECT not in ivr.languages or is_complete(settings):
        return settings
    keys = tuple(key for key in ivr.keys if key.language != DIALECT)
    return msgspec.structs.replace(settings, ivr=msgspec.structs.replace(ivr, keys=keys))


def _sentences() -> list[str]:
    return [name for name in load_catalogue().names() if name.startswith(_SENTENCES)]
