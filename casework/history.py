"""Owns the form of a case's history (流转记录): entries, the chain of digests, its breaks. Pure."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping

import msgspec

from casework.case import Case, is_late
from casework.moves import OPENING, RULES, Move, tag_of
from casework.words import CaseState

OPEN = "open"
"""The first entry of every history."""


class Entry(msgspec.Struct, frozen=True, kw_only=True):
    """One move as it is kept: who, when, why, by which rule, and how the case stood afterwards."""

    case_id: str
    seq: int
    """1 for the opening, and no number is left out."""
    move: str
    actor: str
    at_us: int
    reason: str
    rule: str
    body: str = "{}"
    """The move's own fields as JSON; never a citizen's number or name."""
    state: CaseState
    unit: str = ""
    due_us: int = 0
    is_late: bool = False


class Link(msgspec.Struct, frozen=True):
    """An entry and the digest kept beside it."""

    entry: Entry
    digest: str


class BrokenLink(msgspec.Struct, frozen=True):
    """Where a history is not what was written: the case's id (or a day), the entry's place, and how."""

    case_id: str
    seq: int
    why: str


def opening(case: Case, actor: str) -> Entry:
    """The entry of a case just taken in."""
    return Entry(
        case_id=case.id,
        seq=1,
        move=OPEN,
        actor=actor,
        at_us=case.created_us,
        reason="",
        rule=OPENING,
        state=case.state,
        unit=case.unit,
    )


def entry_of(before: Case, move: Move, after: Case, seq: int, at_us: int) -> Entry:
    """The entry of a move that was accepted."""
    fields = msgspec.to_builtins(move)
    del fields["reason"]
    return Entry(
        case_id=after.id,
        seq=seq,
        move=tag_of(move),
        actor=move.actor.number,
        at_us=at_us,
        reason=move.reason,
        rule=str(RULES[type(move)]),
        body=msgspec.json.encode(fields, order="sorted").decode(),
        state=after.state,
        unit=after.unit,
        due_us=after.due_us,
        is_late=is_late(before, move, at_us),
    )


def move_of(entry: Entry) -> Move:
    """The move that an entry keeps, for playing a history again; not for an opening."""
    fields = msgspec.json.decode(entry.body)
    move: Move = msgspec.convert(fields | {"reason": entry.reason}, Move)
    return move


def spoken_in(case: Case, entries: Iterable[Entry]) -> dict[str, str]:
    """The conversations that the case came about and was moved in, each with its first move's name."""
    found = {case.conversation: OPEN}
    for entry in entries:
        if entry.move != OPEN:
            found.setdefault(getattr(move_of(entry), "conversation", ""), entry.move)
    found.pop("", None)
    return found


def digest(previous: str, entry: Entry) -> str:
    """SHA-256 over the entry and the digest before it ("" for the first)."""
    values = [previous, *msgspec.structs.astuple(entry)]
    return hashlib.sha256(msgspec.json.encode(values)).hexdigest()


def broken_links(links: Iterable[Link], heads: Mapping[str, tuple[int, str]]) -> list[BrokenLink]:
    """What is wrong with these histories, in the order of case and place.

    `heads` gives for each case how many entries it has and the last one's digest. At most one break
    for each case is told: after it nothing can be trusted.
    """
    broken: dict[str, BrokenLink] = {}
    last: dict[str, tuple[int, str]] = {}
    for link in links:
        case_id = link.entry.case_id
        seq, previous = last.get(case_id, (0, ""))
        last[case_id] = (link.entry.seq, link.digest)
        if link.entry.seq != seq + 1:
            broken.setdefault(case_id, BrokenLink(case_id, seq + 1, "缺少记录"))
        elif digest(previous, link.entry) != link.digest:
            broken.setdefault(case_id, BrokenLink(case_id, link.entry.seq, "记录被改动"))
    for case_id, (count, head) in heads.items():
        seq, found = last.get(case_id, (0, ""))
        if (seq, found) != (count, head):
            broken.setdefault(case_id, BrokenLink(case_id, seq + 1, "末尾记录缺失或被改动"))
    for case_id in last.keys() - heads.keys():
        broken.setdefault(case_id, BrokenLink(case_id, 1, "工单缺失"))
    return [broken[case_id] for case_id in sorted(broken)]
