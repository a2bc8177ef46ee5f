"""Owns how knowledge entries look on pages and how a filled-in form becomes the words of one."""

from __future__ import annotations

from collections.abc import Mapping

from agent_desk.cases import forms
from agent_desk.cases.forms import Typed
from casework.knowledge import Stage, Version, Words, is_expired, is_valid
from casework.store.knowledge import MISS_LIMIT
from hotline.local_time import date_time, local_day

ANSWER_TOLD = 300
"""Characters of an answer that a script is told; the rest stands on the entry's page."""
FIELDS = ("question", "answer", "topic", "since", "until")


def asked(words: str) -> str:
    """What is searched for, as long as anybody means it."""
    return words.strip()[:MISS_LIMIT]


def read_words(form: Typed) -> Words:
    """The words of an entry; BadForm for a day that is none. Both days are within the validity."""
    until = forms.text(form, "until")
    return Words(
        question=clean(form, "question"),
        answer=clean(form, "answer"),
        topic=clean(form, "topic"),
        since_us=forms.day_us(forms.text(form, "since"), 0),
        until_us=forms.day_us(until, 1),
    )


def read_seq(form: Typed) -> int:
    """The version that the person has read; 0, which is none, for what no page of ours sends."""
    given = forms.text(form, "seq")
    return int(given) if given.isascii() and given.isdigit() and len(given) < 8 else 0


def typed_of(version: Version) -> Mapping[str, str]:
    """The form of a version's words."""
    words = version.words
    return {
        "question": words.question,
        "answer": words.answer,
        "topic": words.topic,
        "since": local_day(words.since_us).isoformat() if words.since_us else "",
        "until": _last_day(words),
        "unit": version.unit,
        "seq": str(version.seq),
    }


def shown(version: Version, now_us: int) -> dict[str, object]:
    """A version as a page shows it; only what is published and in its time is called valid."""
    is_published = version.stage is Stage.PUBLISHED
    standing = version.stage.value
    if is_published:
        is_over = is_expired(version, now_us)
        standing = "有效" if is_valid(version, now_us) else "已过期" if is_over else "尚未生效"
    return {
        **typed_of(version),
        "id": version.entry,
        "standing": standing,
        "is_valid": is_published and is_valid(version, now_us),
        "reason": version.reason,
    }


def line(version: Version, names: Mapping[str, str]) -> dict[str, object]:
    """A version in the list of all versions. `names`: number (工号) -> name."""
    return {
        **typed_of(version),
        "label": version.act.value,
        "stage": version.stage.value,
        "time": date_time(version.at_us),
        "actor": f"{names.get(version.actor, '')} {version.actor}".strip(),
        "reason": version.reason,
    }


def told(version: Version) -> dict[str, object]:
    """As the agent's page is told of it."""
    words = version.words
    return {
        "id": version.entry,
        "question": words.question,
        "answer": words.answer[:ANSWER_TOLD],
        "is_cut": len(words.answer) > ANSWER_TOLD,
        "topic": words.topic,
        "unit": version.unit,
        "until": _last_day(words),
    }


def _last_day(words: Words) -> str:
    return local_day(words.until_us - 1).isoformat() if words.until_us else ""


def clean(form: Typed, name: str) -> str:
    """A field's text without blanks around it, and without NUL, which PostgreSQL cannot keep."""
    return forms.text(form, name).replace("\0", "").strip()
