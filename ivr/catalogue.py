"""Owns the catalogue of prompts (语音提示): what each says in each language, and how it is to be read."""

from __future__ import annotations

import re
from pathlib import Path

import msgspec

from hotline.errors import BadSettings
from hotline.ivr_settings import DIALECT
from hotline.settings import CallbackSettings
from ivr.errors import PromptFailed
from ivr.speech import reading

CATALOGUE = Path(__file__).with_name("catalogue.yaml")
MANDARIN = "zh"
"""The language that every caller hears unless they choose another; each of our own sentences has it."""
CALLBACK_KEY = CallbackSettings().key
"""What callers are asked to press where nothing else is said."""

SWITCH_LANGUAGES = {MANDARIN: "zh", "en": "en_CN", DIALECT: "zh_FY"}
"""What Asterisk calls each language, and the directory of its sounds. Plain `en` are the sounds that come
with Asterisk; it looks there for what `en_CN` lacks, and in `zh` for what `zh_FY` (方言) lacks.
"""

_NAME = re.compile(r"[a-z0-9][a-z0-9-]*(/[a-z0-9][a-z0-9-]*)?")
_CITY = re.compile(r"[^\W_]{1,20}")
_FIGURES = re.compile(r"[0-9]")


class Voice(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """How espeak-ng reads one language."""

    voice: str
    words_per_minute: int


class Catalogue(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The texts by sound name and language."""

    voices: dict[str, Voice]
    readings: dict[str, str]
    prompts: dict[str, dict[str, str]]

    def names(self, language: str = MANDARIN) -> tuple[str, ...]:
        """The sounds that there are in that language, in the catalogue's order."""
        return tuple(name for name, texts in self.prompts.items() if language in texts)

    def text(self, name: str, city: str, callback_key: str = CALLBACK_KEY, language: str = MANDARIN) -> str:
        """The sentence as a person would read it aloud in the studio."""
        text = self.prompts[name][language]
        return text.replace("{city}", city).replace("{callback_key}", callback_key)

    def pronounced(self, text: str, language: str = MANDARIN) -> str:
        """A text as the synthesiser gets it: in Mandarin with pinyin where it would misread, and figures as
        a speaker reads them.
        """
        if language != MANDARIN:
            return text
        for written, pinyin in self.readings.items():
            text = text.replace(written, f" {pinyin} ")
        return " ".join(word if _is_pinyin(word) else reading(word) for word in text.split(" "))

    def spoken(self, name: str, city: str, callback_key: str = CALLBACK_KEY, language: str = MANDARIN) -> str:
        """The sentence as the synthesiser gets it."""
        return self.pronounced(self.text(name, city, callback_key, language), language)


def load_catalogue(path: Path = CATALOGUE) -> Catalogue:
    """Read and check the catalogue; PromptFailed says what is wrong with it."""
    try:
        catalogue = msgspec.yaml.decode(path.read_bytes(), type=Catalogue)
    except (OSError, msgspec.DecodeError, UnicodeDecodeError) as error:
        raise PromptFailed(f"prompt catalogue {path}: {error}") from error
    for name, texts in catalogue.prompts.items():
        if not _NAME.fullmatch(name):
            raise PromptFailed(f"prompt catalogue {path}: {name!r} cannot be a sound file's name")
        if unknown := texts.keys() - catalogue.voices.keys():
            raise PromptFailed(
                f"prompt catalogue {path}: {name} has a language without a voice: {min(unknown)}"
            )
    return catalogue


def sounds_of(sounds: Path, language: str) -> Path:
    """The directory of that language's sounds, beside those of Mandarin (`sounds`)."""
    return sounds.with_name(SWITCH_LANGUAGES[language])


def check_city(city: str) -> None:
    """Raise BadSettings for a city whose name no voice could speak."""
    if not _CITY.fullmatch(city):
        raise BadSettings(f"city: {city!r} must be 1 to 20 letters, for callers hear it")


def _is_pinyin(word: str) -> bool:
    return word.isascii() and bool(_FIGURES.search(word)) and word[:1].isalpha()
