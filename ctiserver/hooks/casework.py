"""Owns which webhook event an entry of a case's history makes, and how much a receiver may know. Pure."""

from __future__ import annotations

import msgspec

from casework.allowed import concerns
from casework.case import Case
from casework.deadlines import Light
from casework.history import OPEN, Entry
from casework.moves import BY_TAG, LABELS, Actor, HandOver, tag_of
from casework.words import Part
from ctiserver.api.hooks import (
    CaseAcceptedHook,
    CaseChangedHook,
    CaseClosedHook,
    CaseDispatchedHook,
    CaseFiledHook,
    CaseHook,
    CaseOverdueHook,
    CaseRepliedHook,
    CaseReviewedHook,
    CaseVisitedHook,
    EmergencyCaseHook,
    HookEvent,
    kind_of,
)
from ctiserver.hooks.mapping import hook_id
from hotline.local_time import rfc3339
from hotline.numbers import CallerNumber
from hotline.settings import WebhookSettings

_HAND_OVER = tag_of(HandOver)
_KINDS: dict[str, type[CaseHook]] = {
    OPEN: CaseFiledHook,
    **dict.fromkeys(("dispatch", "pass_down", "grant_return"), CaseDispatchedHook),
    "accept": CaseAcceptedHook,
    "reply": CaseRepliedHook,
    **dict.fromkeys(("pass_review", "send_back"), CaseReviewedHook),
    **dict.fromkeys(("visited", "unreached"), CaseVisitedHook),
    **dict.fromkeys(("answer", "turn_away", "close", "close_signed", "close_with_master"), CaseClosedHook),
}
"""The event of each move; of all others: `case.changed`, and `case.overdue` of the last warning."""


def hook_of(entry: Entry, case: Case, node: str, hook: WebhookSettings) -> CaseHook:
    """What this webhook is told of the entry; `case` is the case as it stands now."""
    kind = _KINDS.get(entry.move, CaseChangedHook)
    if entry.move == "warn" and msgspec.json.decode(entry.body)["light"] == Light.OVERDUE:
        kind = CaseOverdueHook
    words = hook.with_words and not case.is_secret
    tag = str(kind.__struct_config__.tag)
    return kind(
        id=hook_id(f"{case.id}-{entry.seq}", tag),
        at=rfc3339(entry.at_us),
        node=node,
        case=case.id,
        seq=entry.seq,
        number=case.number,
        move=entry.move,
        label="受理" if entry.move == OPEN else LABELS[BY_TAG[entry.move]],
        state=entry.state.value,
        unit=entry.unit,
        due=rfc3339(entry.due_us) if entry.due_us else "",
        is_late=entry.is_late,
        actor=entry.actor,
        kind=case.kind.value,
        topic=case.topic,
        title=case.title if words else msgspec.UNSET,
        reason=entry.reason if words else msgspec.UNSET,
        citizen=case.citizen if hook.with_numbers and not case.is_secret else msgspec.UNSET,
    )


def handed_over(entry: Entry, case: Case, node: str, known: CallerNumber) -> EmergencyCaseHook | None:
    """What the emergency centre is told, if the entry is a hand-over; `known`: the citizen's number."""
    if entry.move != _HAND_OVER:
        return None
    move = msgspec.json.decode(entry.body)
    return EmergencyCaseHook(
        id=hook_id(f"{case.id}-{entry.seq}", str(EmergencyCaseHook.__struct_config__.tag)),
        at=rfc3339(entry.at_us),
        node=node,
        conversation=move["conversation"],
        n=move["n"],
        service=move["service"],
        number=known.national or known.raw,
        place=known.place,
        carrier=known.carrier,
        case=case.id,
        case_number=case.number,
        kind=case.kind.value,
        topic=case.topic,
        title=case.title,
        text=case.text,
        address=case.place,
    )


def concerned(entry: Entry, case: Case, hook: WebhookSettings) -> bool:
    """Whether the case is one of those that the webhook is to hear of: its units have it, had it or help."""
    if not hook.units or entry.unit in hook.units:
        return True
    return any(concerns(case, Actor(hook.name, Part.UNIT, unit)) for unit in hook.units)


def wants(hook: WebhookSettings, event: HookEvent) -> bool:
    """Whether the webhook asked for such events."""
    return not hook.events or kind_of(event) in hook.events
