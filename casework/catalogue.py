"""Owns the responsibility catalogue (派单目录): whose duty a matter is, the unit to suggest and why. Pure.

泰政发〔2016〕1号六（二）: 分级负责、归口管理、属地优先. The catalogue says which leads.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import msgspec

from casework.case import Case
from casework.deadlines import ProfileName
from casework.moves import TAIAN
from casework.organisation import Tree, ground_name
from hotline.directory import Unit

WORD = 2
"""Letters of a keyword that are worth one point when it is found in what the citizen said."""


class Matter(msgspec.Struct, frozen=True, kw_only=True):
    """One matter (事项). Units by id; `is_local`: the county leads (属地), the unit helps."""

    id: str
    name: str
    category: str
    unit: str
    keywords: tuple[str, ...] = ()
    assisting: tuple[str, ...] = ()
    profile: ProfileName = ProfileName.FIVE_DAYS
    is_local: bool = False


class Suggestion(msgspec.Struct, frozen=True, kw_only=True):
    """Whom to send a case to, and why. `then`: the tiers below `unit` on whose ground it lies."""

    unit: Unit
    reason: str
    matter: str = ""
    assisting: tuple[Unit, ...] = ()
    profile: ProfileName = ProfileName.FIVE_DAYS
    then: tuple[str, ...] = ()


def suggest(
    tree: Tree, matters: Iterable[Matter], *, topic: str, place: str, words: str
) -> Suggestion | None:
    """The unit to send the case to; None when neither matter nor place says anything.

    `topic` is a matter's name if somebody chose one; else the matter is read from the words.
    """
    matter = find(matters, topic, words)
    ground = tree.ground(place)
    first = _top(tree, ground) if ground is not None else None
    if matter is None:
        return _by_ground(tree, ground, first)
    unit = tree.open_unit(matter.unit)
    helpers = tuple(found for id_ in matter.assisting if (found := tree.open_unit(id_)) is not None)
    if matter.is_local and ground is not None and first is not None:
        reason = f"属地优先：{ground_name(ground)}境内的“{matter.name}”由{first.name}办理（{TAIAN}六（二））"
        trade = (unit,) if unit is not None and unit != first else ()
        return Suggestion(
            unit=first,
            reason=reason,
            matter=matter.name,
            assisting=tuple(one for one in (*trade, *helpers) if one != first),
            profile=matter.profile,
            then=tree.chain(ground)[2:],
        )
    if unit is None:
        return _by_ground(tree, ground, first)
    reason = f"归口管理：派单目录“{matter.category}·{matter.name}”由{unit.name}负责（{TAIAN}六（二））"
    return Suggestion(unit=unit, reason=reason, matter=matter.name, assisting=helpers, profile=matter.profile)


def find(matters: Iterable[Matter], topic: str, words: str) -> Matter | None:
    """The matter of that name, or the one most of whose keywords were said; None when none was."""
    best, most = None, 0
    for matter in matters:
        if topic and matter.name == topic:
            return matter
        points = sum(len(word) // WORD for word in (matter.name, *matter.keywords) if word and word in words)
        if points > most:
            best, most = matter, points
    return best


def alike(cases: Iterable[Case], matters: Sequence[Matter], *, topic: str, words: str) -> list[Case]:
    """Those of the cases that are about the matter of these words; none where no matter is known.

    国办发〔2025〕66号: the same matter of the same citizen is not sent out twice.
    """
    wanted = find(matters, topic, words)
    if wanted is None:
        return []
    return [case for case in cases if find(matters, case.topic, f"{case.title} {case.text}") == wanted]


def _by_ground(tree: Tree, ground: Unit | None, first: Unit | None) -> Suggestion | None:
    if ground is None or first is None:
        return None
    reason = f"属地优先：地点在{ground_name(ground)}，派单目录没有相应事项（{TAIAN}六（二））"
    return Suggestion(unit=first, reason=reason, then=tree.chain(ground)[2:])


def _top(tree: Tree, unit: Unit) -> Unit | None:
    return tree.named(tree.chain(unit)[1])
