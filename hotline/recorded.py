"""Owns announcements that somebody has spoken (公告录音): WAV files, checked, kept by what they hold."""

from __future__ import annotations

import hashlib
import io
import re
import time
from collections.abc import Collection
from enum import StrEnum
from pathlib import Path

from hotline.settings import Settings
from hotline.standing import prompt_of
from hotline.wav import BadWav, inspect

MOST_BYTES = 12 * 1024 * 1024
"""A minute of stereo at 48 kHz."""
LONGEST_S = 60.0
_SHORTEST_S = 0.5
_RATES = range(8000, 48001)
_UNUSED_S = 24 * 3600.0
"""How long a file waits for the announcement that it was brought for."""
_DIGEST = re.compile(r"[0-9a-f]{64}")


class Unfit(StrEnum):
    """Why callers cannot be played a file; the value is for whoever brought it."""

    TOO_LARGE = "录音文件超过 12 MB"
    NO_WAV = "不是 16 位 PCM 的 WAV 录音"
    BAD_FORM = "录音须为单声道或立体声，采样率 8 至 48 kHz"
    BAD_LENGTH = "录音须在 0.5 秒至 60 秒之间"
    SILENT = "录音没有声音或音量过低"
    CLIPPED = "录音音量过大，声音失真，请重新录制"


def directory_of(settings: Settings) -> Path:
    """Where they are kept: a place of recordings by prompts' names, as a studio's is."""
    return settings.state / "announcements"


def fault_of(content: bytes) -> Unfit | None:
    """Why callers cannot be played that; None when they can."""
    if len(content) > MOST_BYTES:
        return Unfit.TOO_LARGE
    try:
        sound = inspect(io.BytesIO(content))
    except BadWav:
        return Unfit.NO_WAV
    if sound.channels not in (1, 2) or sound.rate not in _RATES:
        return Unfit.BAD_FORM
    if not _SHORTEST_S <= sound.seconds <= LONGEST_S:
        return Unfit.BAD_LENGTH
    if sound.is_silent:
        return Unfit.SILENT
    return Unfit.CLIPPED if sound.is_clipped else None


def keep(directory: Path, content: bytes, in_use: Collection[str]) -> str:
    """Keep it and return its digest; throw away what was brought long ago and is not `in_use`. OSError."""
    digest = hashlib.sha256(content).hexdigest()
    path = _path(directory, digest)
    path.parent.mkdir(parents=True, exist_ok=True)
    used = {_path(directory, each) for each in in_use}
    for old in path.parent.glob("*.wav"):
        if old not in used and old.stat().st_mtime < time.time() - _UNUSED_S:
            old.unlink(missing_ok=True)
    fresh = path.with_suffix(".new")
    fresh.write_bytes(content)
    fresh.replace(path)
    return digest


def is_kept(directory: Path, digest: str) -> bool:
    """Whether there is one of that digest."""
    return _DIGEST.fullmatch(digest) is not None and _path(directory, digest).is_file()


def _path(directory: Path, digest: str) -> Path:
    return directory / f"{prompt_of(digest)}.wav"
