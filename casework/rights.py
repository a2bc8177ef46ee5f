"""Owns who may see which case, and how much of it; what another system may be let do. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from enum import StrEnum

import msgspec

from casework.allowed import concerns
from casework.case import Case
from casework.moves import Actor
from casework.words import Part

_HEARERS = frozenset({Part.DISPATCHER, Part.REVIEWER, Part.VISITOR, Part.SUPERVISOR})


def may_hear(posts: Iterable[Actor]) -> bool:
    """Whether they may hear the calls of a case that they see: the platform's people, who check the work.

    A voice tells more of the citizen than a unit may know (GB/T 33358-2016); agents hear their own calls.
    """
    return any(post.part in _HEARERS for post in posts)


class Right(StrEnum):
    """What a system's token opens (权限), within the cases that its posts may see."""

    READ = "cases.read"
    """工单: lists, cases, histories, files."""
    WRITE = "cases.write"
    """受理 and every move that the posts allow."""
    NUMBERS = "cases.numbers"
    """市民号码: one case at a time, with a reason, into the audit trail."""
    SECRET = "cases.secret"  # noqa: S105 - a right's name
    """保密工单: also of these, the citizen and the conversation."""
    EMERGENCY = "emergency.read"
    """移交紧急服务的记录: number, place and words of whoever was handed over, for 110 and its like."""
    DIRECTORY = "directory.read"
    """承办单位 and 派单目录."""
    KNOWLEDGE = "knowledge.read"
    """知识库: what is valid now."""
    FIGURES = "figures.read"
    """考核得分 and what lies at each unit."""


def may_see(case: Case, posts: Iterable[Actor]) -> bool:
    """Whether it concerns the person by any of their posts."""
    return any(concerns(case, post) for post in posts)


def units_of(posts: Sequence[Actor]) -> tuple[str, ...] | None:
    """The units whose cases alone somebody may see; None for one who may see everybody's."""
    is_unit = all(post.part is Part.UNIT for post in posts)
    return tuple(post.unit for post in posts) if is_unit else None


def shown_to(case: Case, posts: Iterable[Actor], *, keeps_secrets: bool = True) -> Case:
    """The case as somebody may see it: a secret one without the citizen for units (GB/T 33358-2016), and for
    whoever is not trusted with secrets.
    """
    is_hidden = case.is_secret and (not keeps_secrets or all(post.part is Part.UNIT for post in posts))
    return msgspec.structs.replace(case, citizen="", conversation="") if is_hidden else case
