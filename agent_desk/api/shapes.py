"""Owns what the API's answers look like: cases, histories, units, matters, knowledge, scores on the wire.

Times are RFC 3339 in UTC with microseconds, null where there is none. Units are named as people know them;
`/units` has their ids.
"""

from __future__ import annotations

from typing import Any

import msgspec

from agent_desk.cases.forms import is_offered
from casework.allowed import possible
from casework.attachments import Attachment
from casework.case import Case
from casework.catalogue import Matter as CatalogueMatter
from casework.history import OPEN, Entry
from casework.knowledge import Version
from casework.moves import BY_TAG, LABELS, Actor, Unreached, Urge, Visited, tag_of
from casework.scoring import FORMULAS, Measure
from casework.scoring import Score as CountedScore
from casework.store.lists import Load
from casework.words import CaseState, Ending, Kind
from ctiserver import handovers
from ctiserver.recordings import Track
from hotline.directory import Unit as DirectoryUnit
from hotline.local_time import rfc3339
from hotline.numbers import CallerNumber, mask


class CaseLine(msgspec.Struct, frozen=True, kw_only=True):
    """A case (工单) in a list."""

    id: str
    number: str
    """What the citizen is told: 20261124-0001."""
    title: str
    kind: Kind
    state: CaseState
    state_label: str
    """The state in Chinese."""
    is_open: bool
    is_secret: bool
    unit: str
    """The unit that has the case; before the dispatch the one that was suggested at intake."""
    topic: str
    """A matter's name in the catalogue, or "" for none."""
    place: str
    created: str
    due: str | None
    """When the unit must have replied."""
    urged: int
    """How often the citizen has asked again (催办)."""


class Asked(msgspec.Struct, frozen=True):
    """What the unit has asked of the tier above."""

    what: str
    """return or extension."""
    due: str | None
    """To when, of an extension."""


class SupervisionShape(msgspec.Struct, frozen=True):
    """督办 that is not discharged."""

    level: str
    trigger: str
    due: str


class WholeCase(CaseLine, frozen=True, kw_only=True):
    """A case as it stands. The citizen's number is masked."""

    text: str
    citizen: str
    """The number, masked: 138****6987; "" when there is none, or it is not for this system."""
    conversation: str
    """The call in which it was taken in; "" when it was none, or is not for this system."""
    chain: tuple[str, ...]
    """From the platform down to the unit that has the case."""
    assisting: tuple[str, ...]
    accept_due: str | None
    closed: str | None
    ending: Ending
    master: str
    """The id of the case into which it was merged, or ""."""
    asked: Asked | None
    supervision: SupervisionShape | None
    returned: int
    reworked: int
    satisfaction: int | None
    """What the citizen said of the last reply, 1 to 5."""
    is_solved: bool | None
    moves: tuple[str, ...]
    """What this system may do with it now: the last part of the address of each."""


class CaseList(msgspec.Struct, frozen=True):
    """Cases, newest first. `next`: the `cursor` of the page that follows, null on the last."""

    items: list[CaseLine]
    next: str | None


class HistoryEntry(msgspec.Struct, frozen=True, kw_only=True):
    """One move as it was kept (流转记录)."""

    seq: int
    move: str
    label: str
    """The move in Chinese."""
    at: str
    actor: str
    """The number (工号) or the system's name."""
    reason: str
    rule: str
    """What the move rests on, with its source."""
    state: CaseState
    unit: str
    due: str | None
    is_late: bool


class History(msgspec.Struct, frozen=True):
    """A case's history, from its beginning."""

    items: list[HistoryEntry]


class Contact(msgspec.Struct, frozen=True, kw_only=True):
    """Once that the citizen and the hotline met about the case."""

    what: str
    """open (受理), urge (催办), visited (回访) or unreached (回访未接通)."""
    at: str
    actor: str
    conversation: str
    """The call, "" when it was none or is not known."""
    words: str
    """What was said, as it was taken down."""


class Contacts(msgspec.Struct, frozen=True):
    """The contacts of a case, from the first."""

    items: list[Contact]


class Citizen(msgspec.Struct, frozen=True):
    """Who asked. All are "" when the number was withheld."""

    number: str
    place: str
    """The number's home place (归属地)."""
    carrier: str


class File(msgspec.Struct, frozen=True, kw_only=True):
    """A file of a case (附件)."""

    id: str
    name: str
    media_type: str
    size: int
    """Bytes."""
    sha256: str
    at: str


class Files(msgspec.Struct, frozen=True):
    """A case's files, oldest first."""

    items: list[File]


class Unit(msgspec.Struct, frozen=True, kw_only=True):
    """A unit of the directory (承办单位)."""

    id: str
    name: str
    kind: str
    """emergency, city, county, town, village or service."""
    parent: str
    """The id of the unit one tier above, "" right below the platform."""
    numbers: tuple[str, ...]
    office_hours: str


class Units(msgspec.Struct, frozen=True):
    """The directory, in its order."""

    items: list[Unit]


class Matter(msgspec.Struct, frozen=True, kw_only=True):
    """A matter of the responsibility catalogue (派单目录). Units by id."""

    id: str
    name: str
    category: str
    unit: str
    assisting: tuple[str, ...]
    profile: str
    """The deadline profile that is suggested."""
    is_local: bool
    """属地: the county on whose ground it lies leads."""


class Matters(msgspec.Struct, frozen=True):
    """The catalogue, in its order."""

    items: list[Matter]


class Knowledge(msgspec.Struct, frozen=True, kw_only=True):
    """A knowledge entry (知识词条) as it is valid now."""

    id: str
    question: str
    answer: str
    topic: str
    unit: str
    """The unit that answers for it."""
    version: int
    until: str | None
    """The first instant at which it is valid no more."""


class KnowledgeList(msgspec.Struct, frozen=True):
    """What answers the question, the likeliest first."""

    items: list[Knowledge]


class RateShape(msgspec.Struct, frozen=True):
    """One counted rate: `good` of `all`, and its weight in points."""

    measure: str
    good: int
    all: int
    weight: int


class UnitScore(msgspec.Struct, frozen=True, kw_only=True):
    """A unit's score (考核得分) out of 100, by the formula's version, with the counts behind it."""

    unit: str
    points: str
    version: str
    rates: list[RateShape]


class Scores(msgspec.Struct, frozen=True):
    """A month's scores of the units that this system may see, the best first."""

    month: str
    items: list[UnitScore]


class UnitLoad(msgspec.Struct, frozen=True):
    """What lies at a unit now."""

    unit: str
    open: int
    overdue: int


class Loads(msgspec.Struct, frozen=True):
    """What lies at each unit now, the fullest first."""

    items: list[UnitLoad]


class HandOver(msgspec.Struct, frozen=True, kw_only=True):
    """A citizen was put through to an emergency service (移交). What was said is read one at a time."""

    conversation: str
    n: int
    """The n-th third party of that call."""
    service: str
    """The number that was called: 110, 119, 120 or 122."""
    state: str
    """calling, ringing, answered, busy, no_answer, rejected, unreachable, withdrawn or left."""
    at: str
    answered: str | None
    ended: str | None
    seat: str
    agent: str


class HandOvers(msgspec.Struct, frozen=True):
    """Hand-overs, newest first. `next`: the `cursor` of the page that follows, null on the last."""

    items: list[HandOver]
    next: str | None


class HandedCase(msgspec.Struct, frozen=True, kw_only=True):
    """What the agent took down in the call: the citizen's words."""

    id: str
    number: str
    kind: Kind
    topic: str
    title: str
    text: str
    place: str
    created: str


class RecordingTrack(msgspec.Struct, frozen=True):
    """One direction of the call's recording, as the archive has settled it after the call."""

    direction: str
    """citizen or hotline."""
    is_there: bool
    """It can be played on the page of recordings, under the conversation."""
    is_missing: bool
    gap_ms: int


class WholeHandOver(HandOver, frozen=True, kw_only=True):
    """All that is handed over with a citizen, also of a secret case."""

    number: str
    """The citizen's, as it came; "" when withheld."""
    place: str
    """The number's home place (归属地)."""
    carrier: str
    dialled: str
    """The number that the citizen dialled."""
    cases: list[HandedCase]
    recording: list[RecordingTrack]


def _when(us: int) -> str | None:
    return rfc3339(us) if us else None


def line_of(case: Case) -> CaseLine:
    """A case in a list."""
    return CaseLine(**_line(case))


def _line(case: Case) -> dict[str, Any]:
    return {
        "id": case.id,
        "number": case.number,
        "title": case.title,
        "kind": case.kind,
        "state": case.state,
        "state_label": case.state.label,
        "is_open": case.is_open,
        "is_secret": case.is_secret,
        "unit": case.unit,
        "topic": case.topic,
        "place": case.place,
        "created": rfc3339(case.created_us),
        "due": _when(case.due_us),
        "urged": case.urged,
    }


def whole_of(case: Case, posts: tuple[Actor, ...]) -> WholeCase:
    """A case by itself, as far as it was left to be shown, with what these posts may do."""
    watched, visited, asked = case.supervision, case.visited, case.asked
    open_to = {tag_of(kind) for post in posts for kind in possible(case, post) if is_offered(kind)}
    return WholeCase(
        **_line(case),
        text=case.text,
        citizen=mask(case.citizen) if case.citizen else "",
        conversation=case.conversation,
        chain=case.chain,
        assisting=case.assisting,
        accept_due=_when(case.accept_due_us),
        closed=_when(case.closed_us),
        ending=case.ending,
        master=case.master,
        asked=Asked("return" if asked.is_return else "extension", _when(asked.due_us)) if asked else None,
        supervision=SupervisionShape(watched.level.value, watched.trigger.value, rfc3339(watched.due_us))
        if watched
        else None,
        returned=case.returned,
        reworked=case.reworked,
        satisfaction=int(visited.satisfaction) if visited else None,
        is_solved=visited.is_solved if visited else None,
        moves=tuple(sorted(open_to)),
    )


def entry_of(entry: Entry) -> HistoryEntry:
    """One entry of a history."""
    return HistoryEntry(
        seq=entry.seq,
        move=entry.move,
        label="受理" if entry.move == OPEN else LABELS[BY_TAG[entry.move]],
        at=rfc3339(entry.at_us),
        actor=entry.actor,
        reason=entry.reason,
        rule=entry.rule,
        state=entry.state,
        unit=entry.unit,
        due=_when(entry.due_us),
        is_late=entry.is_late,
    )


_MEETINGS = {OPEN, *(tag_of(kind) for kind in (Urge, Visited, Unreached))}


def contacts_of(case: Case, entries: list[Entry]) -> list[Contact]:
    """When citizen and hotline met, read from the history; of a hidden citizen without the calls."""
    is_hidden = case.is_secret and not case.conversation
    calls = [
        case.conversation if entry.move == OPEN else msgspec.json.decode(entry.body).get("conversation", "")
        for entry in entries
    ]
    return [
        Contact(
            what=entry.move,
            at=rfc3339(entry.at_us),
            actor=entry.actor,
            conversation="" if is_hidden else call,
            words=case.text if entry.move == OPEN else entry.reason,
        )
        for entry, call in zip(entries, calls, strict=True)
        if entry.move in _MEETINGS
    ]


def hand_over_of(one: handovers.HandOver) -> HandOver:
    """A hand-over in a list."""
    return HandOver(**_hand_over(one))


def _hand_over(one: handovers.HandOver) -> dict[str, Any]:
    return {
        "conversation": one.conversation,
        "n": one.n,
        "service": one.service,
        "state": one.state,
        "at": rfc3339(one.at_us),
        "answered": _when(one.answered_us),
        "ended": _when(one.ended_us),
        "seat": one.seat,
        "agent": one.agent,
    }


def whole_hand_over_of(
    one: handovers.HandOver, known: CallerNumber, cases: list[Case], tracks: list[Track]
) -> WholeHandOver:
    """A hand-over by itself; `known`: what the citizen's number says."""
    return WholeHandOver(
        **_hand_over(one),
        number=one.number,
        place=known.place,
        carrier=known.carrier,
        dialled=one.dialled,
        cases=[
            HandedCase(
                id=case.id,
                number=case.number,
                kind=case.kind,
                topic=case.topic,
                title=case.title,
                text=case.text,
                place=case.place,
                created=rfc3339(case.created_us),
            )
            for case in cases
        ],
        recording=[RecordingTrack(t.direction.value, t.is_there, t.is_missing, t.gap_ms) for t in tracks],
    )


def file_of(one: Attachment) -> File:
    """A file in a list."""
    return File(
        id=one.id,
        name=one.name,
        media_type=one.media_type,
        size=one.size,
        sha256=one.sha256,
        at=rfc3339(one.at_us),
    )


def unit_of(unit: DirectoryUnit) -> Unit:
    """A unit of the directory."""
    return msgspec.convert(unit, Unit, from_attributes=True)


def matter_of(matter: CatalogueMatter) -> Matter:
    """A matter of the catalogue."""
    return msgspec.convert(matter, Matter, from_attributes=True)


def knowledge_of(version: Version) -> Knowledge:
    """An entry that is in force."""
    words = version.words
    return Knowledge(
        id=version.entry,
        question=words.question,
        answer=words.answer,
        topic=words.topic,
        unit=version.unit,
        version=version.seq,
        until=_when(words.until_us),
    )


def score_of(score: CountedScore) -> UnitScore:
    """A unit's score."""
    weights = next(one.weights for one in FORMULAS if one.version == score.version)
    rates = [
        RateShape(one.value, score.rates[one].good, score.rates[one].all, weights[one])
        for one in Measure
        if one in score.rates
    ]
    return UnitScore(unit=score.unit, points=score.points, version=score.version, rates=rates)


def load_of(load: Load) -> UnitLoad:
    """What lies at a unit."""
    return UnitLoad(load.unit, load.open, load.overdue)
