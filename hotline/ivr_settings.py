"""Owns the settings of the IVR (自动语音): what callers hear and which keys they may press. Pure checks."""

from __future__ import annotations

import re
from collections.abc import Collection

import msgspec

from hotline import office_hours
from hotline.errors import BadSettings

DIALECT = "dialect"
"""方言: recordings of `ivr.studio` alone, for no engine speaks it."""
LANGUAGES = ("zh", "en", DIALECT)
"""What callers can be spoken to in: 普通话, English, 方言."""


DOES = ("queue", "case", "message", "callback", "language")
"""What a key of the menu can do."""
NORMAL = "normal"
"""The hotline's mode when it is in none."""
PERSON = "0"
"""The key that leads to a person at any time."""


class KeySettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """One key of the main menu (主菜单)."""

    key: str
    does: str
    """`queue`: to that queue; `case`: where is my case (查询诉求); `message`: leave one (留言);
    `callback`: be called back (回呼); `language`: go on in that language.
    """
    text: str
    """What the caller hears before 请按: 企业服务. For a language the whole sentence, in that language."""
    text_en: str = ""
    """The same in English, for who has chosen it; "": the key is not offered there."""
    queue: str = ""
    language: str = ""


class ModeSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """An emergency mode of the whole hotline (应急模式): another greeting, another queue, no menu."""

    id: str
    greeting: str
    label: str = ""
    """What supervisors call it: 强降雨; "": its id."""
    greeting_en: str = ""
    queue: str = ""
    """Where everybody goes while it is on; "": where they would go anyway."""


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
    keys: tuple[KeySettings, ...] = ()
    """The main menu, in the order in which it is spoken; empty: the greeting leads straight to the queue."""
    wait_s: int = 4
    """How long the menu waits for a key, seconds; then the caller goes to the queue."""
    hours: str = "always"
    """When people answer (`hotline.office_hours`); else the greeting says so and offers a message."""
    message_s: int = 120
    """A message is at most so long, seconds."""
    remark_s: int = 0
    """How long a citizen may say why they rated as they did (评价意见), seconds; 0: they are not asked."""
    offer_from_s: int = 0
    """From which expected wait on a caller is offered a callback or a message before the queue; 0: never."""
    modes: tuple[ModeSettings, ...] = ()
    studio: str = ""
    """Absolute: recordings `<language>/<name>.wav` in it replace the engine's voice; "": there are none."""


LONGEST_TEXT = 200
"""Characters of a sentence to callers."""
_WORD = 60
_ID = re.compile(r"[a-z]{1,31}")
_MOST_KEYS = 6
"""GB/T 33358-2016: a menu is short."""


def check_ivr(
    ivr: IvrSettings, queues: Collection[str], emergency: Collection[str], has_callback: bool
) -> None:
    """Raise BadSettings for what callers could not be offered. `queues`: the numbers of those there are."""
    _check_voices(ivr)
    _check_keys(ivr, queues, has_callback)
    for key in ivr.keys:
        if key.does == "case" and any(number.startswith(key.key) for number in emergency):
            raise BadSettings(
                f"ivr.keys: key {key.key!r} begins an emergency number, and no case number may follow it"
            )
    if not 1 <= ivr.wait_s <= 20:
        raise BadSettings("ivr.wait_s is 1 to 20 seconds")
    if not 10 <= ivr.message_s <= 600:
        raise BadSettings("ivr.message_s is 10 to 600 seconds")
    if ivr.remark_s and not 10 <= ivr.remark_s <= 300:
        raise BadSettings("ivr.remark_s is 10 to 300 seconds, or 0 to ask for no remark")
    if ivr.offer_from_s and not 30 <= ivr.offer_from_s <= 3600:
        raise BadSettings("ivr.offer_from_s is 30 to 3600 seconds, or 0 to offer nothing")
    try:
        office_hours.read(ivr.hours)
    except office_hours.BadHours as error:
        raise BadSettings(f"ivr.hours: {error}") from error
    for mode in ivr.modes:
        if not _ID.fullmatch(mode.id) or mode.id == NORMAL:
            raise BadSettings(f"ivr.modes: id {mode.id!r} must be lower-case letters, and not {NORMAL}")
        check_spoken(f"ivr.modes: greeting of {mode.id}", mode.greeting)
        if mode.label:
            check_spoken(f"ivr.modes: label of {mode.id}", mode.label, _WORD)
        if mode.queue and mode.queue not in queues:
            raise BadSettings(f"ivr.modes: {mode.id} leads to {mode.queue!r}, which is no queue's number")
    if len({mode.id for mode in ivr.modes}) != len(ivr.modes):
        raise BadSettings("ivr.modes: two have one id")


def is_spoken(text: str, longest: int = LONGEST_TEXT) -> bool:
    """Whether a text can be spoken to callers; signs alone make no sound."""
    return 1 <= len(text.strip()) <= longest and text.isprintable() and any(map(str.isalnum, text))


def check_spoken(what: str, text: str, longest: int = LONGEST_TEXT) -> None:
    """Raise BadSettings for a text that cannot be spoken to callers."""
    if not is_spoken(text, longest):
        raise BadSettings(
            f"{what}: {text!r} must be 1 to {longest} printable characters, and not signs alone"
        )


def _check_keys(ivr: IvrSettings, queues: Collection[str], has_callback: bool) -> None:
    if len(ivr.keys) > _MOST_KEYS:
        raise BadSettings(f"ivr.keys: at most {_MOST_KEYS}, for callers must remember them (GB/T 33358-2016)")
    for key in ivr.keys:
        where = f"ivr.keys: key {key.key!r}"
        if len(key.key) != 1 or key.key not in "123456789*#":
            raise BadSettings(f"{where} must be one of 1 to 9, * and #; {PERSON} always leads to a person")
        if key.does not in DOES:
            raise BadSettings(f"{where} does {key.does!r}, which is none of {', '.join(DOES)}")
        check_spoken(f"{where}: text", key.text, _WORD)
        if key.text_en:
            check_spoken(f"{where}: text_en", key.text_en, _WORD)
        if (key.does == "queue") != bool(key.queue) or (key.queue and key.queue not in queues):
            raise BadSettings(f"{where}: `queue` is a queue's number if that is what it does")
        if (key.does == "language") != bool(key.language) or (
            key.language and key.language not in ivr.languages
        ):
            raise BadSettings(f"{where}: `language` is one of ivr.languages if that is what it does")
        if key.does == "callback" and not has_callback:
            raise BadSettings(f"{where}: callbacks are off (callback.key)")
    if len({key.key for key in ivr.keys}) != len(ivr.keys):
        raise BadSettings("ivr.keys: one key does two things")


def _check_voices(ivr: IvrSettings) -> None:
    if ivr.languages[:1] != LANGUAGES[:1] or len(set(ivr.languages)) != len(ivr.languages):
        raise BadSettings('ivr.languages begins with "zh" and names no language twice')
    if unknown := [language for language in ivr.languages if language not in LANGUAGES]:
        raise BadSettings(f"ivr.languages: {unknown[0]!r} is none of {', '.join(LANGUAGES)}")
    if DIALECT in ivr.languages and not ivr.studio:
        raise BadSettings(f"ivr.languages: {DIALECT!r} needs ivr.studio, for no engine speaks it")
    if ivr.voice and not any("{out}" in part for part in ivr.voice[1:]):
        raise BadSettings("ivr.voice must name the file to write as {out} in one of its arguments")
    if any("\0" in part for part in ivr.voice) or (ivr.voice and not ivr.voice[0]):
        raise BadSettings("ivr.voice must be a program and its arguments")
    if ivr.studio and (not ivr.studio.startswith("/") or "\0" in ivr.studio):
        raise BadSettings('ivr.studio must be an absolute path, or "" for none')
