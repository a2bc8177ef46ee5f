"""Owns who may see which case, and how much of it. Pure."""

from __future__ import annotations

from collections.abc import Iterable

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


def may_see(case: Case, posts: Iterable[Actor]) -> bool:
    """Whether it concerns the person by any of their posts."""
    return any(concerns(case, post) for post in posts)


def shown_to(case: Case, posts: Iterable[Actor]) -> Case:
    """The case as somebody may see it: a secret one without the citizen for units (GB/T 33358-2016)."""
    is_hidden = case.is_secret and all(post.part is Part.UNIT for post in posts)
    return msgspec.structs.replace(case, citizen="", conversation="") if is_hidden else case
