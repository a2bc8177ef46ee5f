"""Owns the life of a knowledge entry (知识词条): versions, who may do what, when it is valid. Pure.

泰政发〔2016〕1号五（三）: units write it as 一问一答 and answer for its being lawful, current, complete.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from enum import StrEnum
from typing import assert_never

import msgspec

from casework.case import NAME_LIMIT, TEXT_LIMIT, TITLE_LIMIT
from casework.grams import covered
from casework.moves import Actor
from casework.words import PLATFORM, Part

REASON_LIMIT = 500
ENOUGH = 0.5
"""The share of what was asked that question, topic and unit must hold; the answer counts if it holds all."""
_HEAD_WEIGHT = 0.1
_FILLERS = re.compile(
    "请问|怎么办理|怎么办|怎么|怎样|如何|哪个部门|哪里|哪儿|什么时候|什么|为什么|多久|多长时间|多少|需要|能否|能不能"
    "|可以|可不可以|有没有|能得到|答复|办理|负责|反映|咨询|吗|呢"
)
"""What people say around the matter in any question."""
_WRITERS = frozenset({Part.UNIT, Part.DISPATCHER})
_KEEPERS = frozenset({Part.REVIEWER, Part.SUPERVISOR})
"""They see every entry at every stage, and may take it off."""


class Stage(StrEnum):
    """How far an entry's last version has come; the value is its Chinese name."""

    DRAFT = "草稿"
    IN_REVIEW = "待审核"
    PUBLISHED = "已发布"
    WITHDRAWN = "已撤回"


class Act(StrEnum):
    """What is done with an entry; the value is its Chinese name."""

    WRITE = "编写"
    SUBMIT = "提交审核"
    PUBLISH = "发布"
    SEND_BACK = "退回修改"
    WITHDRAW = "撤回"


class Hindrance(StrEnum):
    """Why an act is not possible; the text is for the person who tried."""

    NO_QUESTION = "请填写问题"
    NO_ANSWER = "请填写答案"
    TOO_LONG = "内容过长"
    NO_REASON = "请填写原因"
    BACKWARDS = "有效期的终止日期不能早于起始日期"
    EXPIRED = "有效期已过，请先修改有效期"
    WRONG_STAGE = "词条当前状态不能进行此操作"
    NOT_YOURS = "您的岗位不能对此词条进行此操作"
    OWN_WORDS = "不能审核自己编写的词条"
    CHANGED = "词条已被他人修改，请核对后重新提交"


class Words(msgspec.Struct, frozen=True, kw_only=True):
    """What an entry says. `until_us`: the first instant at which it is valid no more, 0 for no end."""

    question: str
    answer: str
    topic: str = ""
    since_us: int = 0
    until_us: int = 0


class Version(msgspec.Struct, frozen=True, kw_only=True):
    """One version of an entry, never changed. `writer`: whose words they are; `actor`: who did `act`."""

    entry: str
    seq: int
    """1 for the first, and no number is left out."""
    act: Act
    stage: Stage
    unit: str
    """The name of the unit that answers for it (责任单位)."""
    words: Words
    writer: str
    actor: str
    at_us: int
    reason: str = ""


class Entry(msgspec.Struct, frozen=True):
    """An entry as it stands. `live`: the version that citizens are told from, None for none."""

    last: Version
    live: Version | None = None


def after(entry: Entry | None, version: Version) -> Entry:
    """The entry once this version is added; a draft leaves what is published in force."""
    match version.stage:
        case Stage.PUBLISHED:
            return Entry(version, version)
        case Stage.WITHDRAWN:
            return Entry(version)
        case Stage.DRAFT | Stage.IN_REVIEW:
            return Entry(version, entry.live if entry is not None else None)
        case stage:
            assert_never(stage)


def is_valid(version: Version, now_us: int) -> bool:
    """Whether citizens may be told so at this moment, as far as its time decides."""
    return version.words.since_us <= now_us and not is_expired(version, now_us)


def is_expired(version: Version, now_us: int) -> bool:
    """Whether its time is over."""
    return 0 < version.words.until_us <= now_us


def writes(actor: Actor) -> bool:
    """Whether the post writes entries at all: units their own, dispatchers the platform's."""
    return actor.part in _WRITERS


def sees_all(actor: Actor) -> bool:
    """Whether the post sees entries of every unit at every stage."""
    return actor.part in _KEEPERS


def is_insider(entry: Entry, actor: Actor) -> bool:
    """Whether the post sees what is not published."""
    return sees_all(actor) or (writes(actor) and actor.unit == entry.last.unit)


def first(entry: str, words: Words, actor: Actor, now_us: int) -> Version | Hindrance:
    """A new entry of the writer's own unit."""
    if not writes(actor):
        return Hindrance.NOT_YOURS
    return _checked(words) or Version(
        entry=entry,
        seq=1,
        act=Act.WRITE,
        stage=Stage.DRAFT,
        unit=actor.unit,
        words=words,
        writer=actor.number,
        actor=actor.number,
        at_us=now_us,
    )


def rewritten(entry: Entry, words: Words, actor: Actor, now_us: int) -> Version | Hindrance:
    """The entry's next version with other words; a published one stays in force meanwhile."""
    refused = barred(entry, Act.WRITE, actor) or _checked(words)
    if refused is not None:
        return refused
    version = _next(entry, Act.WRITE, actor, now_us)
    return msgspec.structs.replace(version, words=words, writer=actor.number)


def done(entry: Entry, act: Act, reason: str, actor: Actor, now_us: int) -> Version | Hindrance:
    """The entry's next version after an act other than writing."""
    refused = barred(entry, act, actor)
    if refused is not None:
        return refused
    if not reason.strip() and act in (Act.SEND_BACK, Act.WITHDRAW):
        return Hindrance.NO_REASON
    if len(reason) > REASON_LIMIT:
        return Hindrance.TOO_LONG
    if act in (Act.SUBMIT, Act.PUBLISH) and is_expired(entry.last, now_us):
        return Hindrance.EXPIRED
    return msgspec.structs.replace(_next(entry, act, actor, now_us), reason=reason.strip())


def possible(entry: Entry, actor: Actor) -> list[Act]:
    """What the post may do with the entry now."""
    return [act for act in Act if barred(entry, act, actor) is None]


def barred(entry: Entry, act: Act, actor: Actor) -> Hindrance | None:
    """Why the act is not for the entry's stage, or not for this person."""
    if entry.last.stage not in _FROM[act]:
        return Hindrance.WRONG_STAGE
    is_owner = writes(actor) and actor.unit == entry.last.unit
    match act:
        case Act.WRITE | Act.SUBMIT:
            return None if is_owner else Hindrance.NOT_YOURS
        case Act.WITHDRAW:
            return None if is_owner or sees_all(actor) else Hindrance.NOT_YOURS
        case Act.PUBLISH | Act.SEND_BACK:
            if actor.part is not Part.REVIEWER or actor.unit != PLATFORM:
                return Hindrance.NOT_YOURS
            return Hindrance.OWN_WORDS if actor.number == entry.last.writer else None
        case _:
            assert_never(act)


def matter_of(asked: str) -> str:
    """What a question is about: 供暖 of 供暖多久能得到答复. All of it when nothing else remains."""
    return _FILLERS.sub(" ", asked).strip() or asked


def ranked(versions: Iterable[Version], asked: str) -> list[Version]:
    """Those that answer what was asked, the likeliest first; nothing that merely holds a word of it."""
    matter = matter_of(asked)
    found = [(_fit(one, matter), one) for one in versions]
    fitting = [(fit, one) for fit, one in found if fit >= ENOUGH]
    return [one for _, one in sorted(fitting, key=lambda pair: (-pair[0], pair[1].entry))]


def searched(version: Version) -> str:
    """The words under which an entry is found."""
    words = version.words
    return " ".join((words.question, words.topic, version.unit, words.answer))


def _fit(version: Version, asked: str) -> float:
    words = version.words
    head = covered(f"{words.question} {words.topic} {version.unit}", asked)
    whole = covered(searched(version), asked)
    return max(head, whole if whole == 1 else 0.0) + _HEAD_WEIGHT * head


_FROM: dict[Act, frozenset[Stage]] = {
    Act.WRITE: frozenset({Stage.DRAFT, Stage.PUBLISHED, Stage.WITHDRAWN}),
    Act.SUBMIT: frozenset({Stage.DRAFT}),
    Act.PUBLISH: frozenset({Stage.IN_REVIEW}),
    Act.SEND_BACK: frozenset({Stage.IN_REVIEW}),
    Act.WITHDRAW: frozenset({Stage.DRAFT, Stage.IN_REVIEW, Stage.PUBLISHED}),
}
_TO: dict[Act, Stage] = {
    Act.WRITE: Stage.DRAFT,
    Act.SUBMIT: Stage.IN_REVIEW,
    Act.PUBLISH: Stage.PUBLISHED,
    Act.SEND_BACK: Stage.DRAFT,
    Act.WITHDRAW: Stage.WITHDRAWN,
}


def _next(entry: Entry, act: Act, actor: Actor, now_us: int) -> Version:
    return msgspec.structs.replace(
        entry.last,
        seq=entry.last.seq + 1,
        act=act,
        stage=_TO[act],
        actor=actor.number,
        at_us=now_us,
        reason="",
    )


def _checked(words: Words) -> Hindrance | None:
    if not words.question.strip():
        return Hindrance.NO_QUESTION
    if not words.answer.strip():
        return Hindrance.NO_ANSWER
    limits = ((words.question, TITLE_LIMIT), (words.answer, TEXT_LIMIT), (words.topic, NAME_LIMIT))
    if any(len(text) > limit for text, limit in limits):
        return Hindrance.TOO_LONG
    if 0 < words.until_us <= words.since_us:
        return Hindrance.BACKWARDS
    return None
