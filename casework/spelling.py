"""Owns what somebody meant who typed pinyin, or a wrong character, in a search (拼音首字母、错别字). Pure.

The words that can be meant are those of the house: matters, keywords, units, places. What was typed is read
by its sound, so that one index serves every spelling on both databases.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterable, Iterator
from functools import lru_cache

from pypinyin import Style, lazy_pinyin

from casework.catalogue import Matter
from casework.organisation import ground_name
from hotline.directory import Unit

MOST = 5
"""Readings that are tried."""
_LETTERS = re.compile(r"[a-z]{2,30}")
_CHINESE = re.compile(r"[\u3400-\u9fff]+")
_TYPO = 3
"""Characters that a word has at least when one of them may be wrong and sound otherwise."""
_ALIKE = (("zh", "z"), ("ch", "c"), ("sh", "s"), ("ang", "an"), ("eng", "en"), ("ing", "in"))
"""Sounds that many people's keyboards and ears do not tell apart (模糊音)."""


class Vocabulary:
    """The words of the house with their sounds."""

    def __init__(self, words: Iterable[str]) -> None:
        found = {part for word in words for part in _CHINESE.findall(word) if len(part) > 1}
        self._words = sorted(found, key=lambda word: (len(word), word))
        self._sounds = {word: sounds(word) for word in self._words}

    def meant(self, query: str) -> list[str]:
        """The query as it may have been meant, the likeliest first; [] when nothing else fits."""
        choices = [self._readings(word.lower()) or [word] for word in query.split()]
        read = (" ".join(words) for words in itertools.islice(itertools.product(*choices), MOST + 1))
        return [one for one in dict.fromkeys(read) if one != " ".join(query.split())][:MOST]

    def _readings(self, word: str) -> list[str]:
        if _LETTERS.fullmatch(word):
            return list(dict.fromkeys(self._by_letters(word)))[:MOST]
        if not _CHINESE.fullmatch(word) or len(word) < 2 or any(word in known for known in self._words):
            return []
        near = itertools.chain(self._by_sound(word), self._by_shape(word), self._by_part(word))
        return list(dict.fromkeys(near))[:MOST]

    def _by_letters(self, word: str) -> Iterator[str]:
        """Words whose initials, or whose pinyin, begin so; then those that hold the initials further on."""
        initials = {known: "".join(sound[0] for sound in heard) for known, heard in self._sounds.items()}
        yield from (known for known, letters in initials.items() if letters == word)
        yield from (known for known, letters in initials.items() if letters.startswith(word))
        yield from (known for known in self._words if spelt(known).startswith(word))
        if len(word) > 2:
            for known, letters in initials.items():
                at = letters.find(word)
                if at >= 0:
                    yield known[at : at + len(word)]

    def _by_sound(self, word: str) -> Iterator[str]:
        """Parts of words that sound the same: 路登 for 路灯."""
        heard, length = sounds(word), len(word)
        for known, whole in self._sounds.items():
            for at in range(len(known) - length + 1):
                if whole[at : at + length] == heard:
                    yield known[at : at + length]

    def _by_part(self, word: str) -> Iterator[str]:
        """The word with one of its parts read as a word that sounds the same: 小区路登不亮."""
        heard = sounds(word)
        for known, whole in self._sounds.items():
            for at in range(len(word) - len(known) + 1):
                end = at + len(known)
                if heard[at:end] == whole and word[at:end] != known:
                    yield word[:at] + known + word[end:]

    def _by_shape(self, word: str) -> Iterator[str]:
        """Parts of words that differ in one character, or lack or have one more."""
        if len(word) < _TYPO:
            return
        shorter = {word[:at] + word[at + 1 :] for at in range(len(word))}
        for known in self._words:
            for length in (len(word), len(word) - 1, len(word) + 1):
                for at in range(len(known) - length + 1):
                    part = known[at : at + length]
                    if _is_near(word, part, shorter):
                        yield part


def words_of(matters: Iterable[Matter], units: Iterable[Unit]) -> tuple[str, ...]:
    """The words of the catalogue and of the organisation."""
    of_matters = ((one.name, one.category, *one.keywords) for one in matters)
    of_units = ((unit.name, ground_name(unit)) for unit in units)
    return tuple(itertools.chain.from_iterable((*of_matters, *of_units)))


@lru_cache(maxsize=20_000)
def sounds(word: str) -> tuple[str, ...]:
    """The word's syllables without tones, those that are confused made one."""
    return tuple(_plain(syllable) for syllable in lazy_pinyin(word, style=Style.NORMAL))


@lru_cache(maxsize=20_000)
def spelt(word: str) -> str:
    """The word's pinyin as people type it: ludeng."""
    return "".join(lazy_pinyin(word, style=Style.NORMAL))


def _plain(syllable: str) -> str:
    for one, other in _ALIKE:
        if syllable.startswith(one):
            syllable = other + syllable.removeprefix(one)
        if syllable.endswith(one):
            syllable = syllable.removesuffix(one) + other
    return syllable


def _is_near(word: str, part: str, shorter: set[str]) -> bool:
    if len(part) == len(word):
        return sum(one != other for one, other in zip(word, part, strict=True)) == 1
    if len(part) < len(word):
        return part in shorter
    return any(part[:at] + part[at + 1 :] == word for at in range(len(part)))
