"""Owns the settings of the IVR (自动语音): what callers hear and which keys they may press. Pure checks."""

from __future__ import annotations

from pathlib import Path

import msgspec

from hotline.errors import BadSettings

LANGUAGES = ("zh", "en")
"""What callers can be spoken to in: 普通话, English."""


class IvrSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The FastAGI endpoint that greets callers, and what it says."""

    host: str = "127.0.0.1"
    port: int = 4573
    languages: tuple[str, ...] = ("zh",)
    """In which languages prompts are made; "zh" first."""
    voice: tuple[str, ...] = ()
    """A speech engine of the site's own: a command that reads a text from its standard input and writes the
    WAV file `{out}`. Empty: espeak-ng.
    """
    studio: str = ""
    """Absolute: recordings `<language>/<name>.wav` in it replace the engine's voice; "": there are none."""


def check_ivr(ivr: IvrSettings) -> None:
    """Raise BadSettings for what callers could not be offered."""
    if ivr.languages[:1] != LANGUAGES[:1] or len(set(ivr.languages)) != len(ivr.languages):
        raise BadSettings('ivr.languages begins with "zh" and names no language twice')
    if unknown := [language for language in ivr.languages if language not in LANGUAGES]:
        raise BadSettings(f"ivr.languages: {unknown[0]!r} is none of {', '.join(LANGUAGES)}")
    if ivr.voice and not any("{out}" in part for part in ivr.voice[1:]):
        raise BadSettings("ivr.voice must name the file to write as {out} in one of its arguments")
    if any("\0" in part for part in ivr.voice) or (ivr.voice and not ivr.voice[0]):
        raise BadSettings("ivr.voice must be a program and its arguments")
    if ivr.studio and (not Path(ivr.studio).is_absolute() or "\0" in ivr.studio):
        raise BadSettings('ivr.studio must be an absolute path, or "" for none')
