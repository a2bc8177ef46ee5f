"""Owns which moves are open to whom: by the case's state, the person's part and their unit. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from casework import moves as m
from casework.moves import RULES, By, Move
from casework.words import PLATFORM, CaseState, Part, Refusal

if TYPE_CHECKING:
    from casework.case import Case


def possible(case: Case, actor: m.Actor) -> list[type[Move]]:
    """What this person may do with the case now, as far as state, part and unit decide it."""
    return [kind for kind in RULES if barred(case, kind, actor) is None and _is_pending(case, kind)]


def post_for(case: Case, kind: type[Move], posts: Sequence[m.Actor]) -> m.Actor:
    """The post by which somebody makes this move: the first that may, or any, whose refusal says why not."""
    return next((post for post in posts if barred(case, kind, post) is None), posts[0])


def concerns(case: Case, actor: m.Actor) -> bool:
    """Every case concerns the platform's people; a unit's those that it has, passed on or helps with."""
    return actor.part is not Part.UNIT or actor.unit in case.chain[1:] or actor.unit in case.assisting


def _is_pending(case: Case, kind: type[Move]) -> bool:
    """Whether a decision has something to decide, and a request is not made twice."""
    if kind in (m.GrantReturn, m.RefuseReturn):
        return case.asked is not None and case.asked.is_return
    if kind in (m.GrantExtension, m.RefuseExtension):
        return case.asked is not None and not case.asked.is_return
    if kind is m.Discharge:
        return case.supervision is not None
    if kind is m.AskReturn and (case.is_first_assigned or case.is_return_refused):
        return False
    return case.asked is None or kind not in (m.AskReturn, m.AskExtension, m.PassDown)


def barred(case: Case, kind: type[Move], actor: m.Actor) -> Refusal | None:
    """Why a move of this kind is not for the case's state, or not for this person."""
    rule = RULES[kind]
    if case.state not in rule.states:
        return _BY_STATE.get(case.state, Refusal.WRONG_STATE)
    match rule.by:
        case By.OWNER:
            is_theirs = actor.part is Part.UNIT and actor.unit == case.chain[-1]
            return None if is_theirs else Refusal.NOT_YOUR_UNIT
        case By.ABOVE:
            return None if _is_above(case, actor) else Refusal.NOT_ABOVE
        case By.CONCERNED:
            return None if concerns(case, actor) else Refusal.NOT_CONCERNED
        case parts:
            is_theirs = actor.unit == PLATFORM and actor.part in parts
            return None if is_theirs else Refusal.NOT_YOUR_PART


_BY_STATE = {
    CaseState.CLOSED: Refusal.CLOSED,
    CaseState.ARCHIVED: Refusal.ARCHIVED,
    CaseState.MERGED: Refusal.MERGED,
}


def _is_above(case: Case, actor: m.Actor) -> bool:
    deciders = {Part.DISPATCHER, Part.SUPERVISOR} if len(case.chain) == 2 else {Part.UNIT}
    return actor.unit == case.chain[-2] and actor.part in deciders
