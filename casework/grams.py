"""Owns how Chinese words are cut for search: pairs of characters, words of letters, numbers. Pure.

Pairs need no dictionary, so that names of villages and new words are found like all others.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable

_RUN = re.compile(r"[\u3400-\u9fff\uf900-\ufaff]+|[0-9a-z]+")
_MOST_RUNS = 12
"""Words of a query that are looked for; nobody types more."""


def grams(text: str) -> str:
    """The text as the index keeps it: its pairs and words, with blanks between."""
    return " ".join(gram for run in _runs(text) for gram in _cut(run))


def phrases(query: str) -> list[list[str]]:
    """What is looked for: each run of the query as its grams, which stand side by side; [] for nothing."""
    return [_cut(run) for run in _runs(query)[:_MOST_RUNS]]


def single(wanted: Iterable[Iterable[str]]) -> list[list[str]]:
    """Each gram of a query by itself: what to look for where not all of them need be there."""
    return [[gram] for gram in dict.fromkeys(gram for phrase in wanted for gram in phrase)]


def covered(text: str, query: str) -> float:
    """The share of the query's grams, from 0 to 1, that stand in the text; 0 for a query without any."""
    wanted, kept = single(phrases(query)), grams(text).split()
    found = sum(any(gram.startswith(one) for gram in kept) for (one,) in wanted)
    return found / len(wanted) if wanted else 0.0


def for_fts5(wanted: Iterable[Iterable[str]], *, any_of: bool = False) -> str:
    """The query in the language of SQLite's FTS5; grams hold nothing that it could take for an operator."""
    joint = " OR " if any_of else " AND "
    return joint.join(f'"{" ".join(phrase)}"{_star(phrase)}' for phrase in map(list, wanted))


def for_tsquery(wanted: Iterable[Iterable[str]], *, any_of: bool = False) -> str:
    """The query in the language of PostgreSQL's to_tsquery."""
    joint = " | " if any_of else " & "
    return joint.join(
        f"({' <-> '.join(phrase)}{':*' if _star(phrase) else ''})" for phrase in map(list, wanted)
    )


def _runs(text: str) -> list[str]:
    return _RUN.findall(unicodedata.normalize("NFKC", text).lower())


def _cut(run: str) -> list[str]:
    if run.isascii() or len(run) == 1:
        return [run]
    return [run[at : at + 2] for at in range(len(run) - 1)]


def _star(phrase: list[str]) -> str:
    """A single character, or the beginning of a number or word, stands for all that begins so."""
    last = phrase[-1]
    return "*" if last.isascii() or len(last) == 1 else ""
