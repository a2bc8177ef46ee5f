"""What happened while nobody looked is read from Asterisk's own account: each call once, its end true."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ctiserver.api.history import (
    CallAnswered,
    CallEnded,
    CallQueued,
    CallStarted,
    History,
    SeatLeft,
    SeatMissed,
    SeatRang,
    ThirdPartyCalled,
    ThirdPartyChanged,
)
from ctiserver.api.states import AttemptState, Outcome
from ctiserver.model.memory import Memory, remember
from ctiserver.model.reconcile import CelRow, Eyes, reconcile
from ctiserver.store.cel import SwitchAccount

CITIZEN, SEAT = "1700000000.1", "1700000000.2"
S = 1_000_000


def eyes(*live: str) -> Eyes:
    return Eyes(
        node="n1",
        trunks=("city",),
        seats=("8001", "8002"),
        agents={"8001": "1001"},
        live=frozenset(live),
        short_abandon_ms=5_000,
    )


def row(at_s: float, kind: str, uid: str = CITIZEN, app: str = "", context: str = "") -> CelRow:
    channel = "PJSIP/city-00000001" if uid == CITIZEN else "PJSIP/8001-00000002"
    return CelRow(
        at_us=int(at_s * S),
        kind=kind,
        uid=uid,
        linkedid=CITIZEN,
        channel=channel,
        number="13805380001",
        name="甲",
        exten="12345",
        app=app,
        context=context,
    )


BEGIN = [row(1, "CHAN_START"), row(1, "ANSWER")]
QUEUED = [*BEGIN, row(10, "APP_START", app="Queue")]
RINGS = [*QUEUED, row(12, "CHAN_START", SEAT)]
TALKS = [*RINGS, row(15, "ANSWER", SEAT), row(15, "BRIDGE_ENTER", SEAT), row(15, "BRIDGE_ENTER")]
OVER = [*TALKS, row(40, "CHAN_END", SEAT), row(41, "CHAN_END")]


def told(rows: list[CelRow], memory: Memory | None = None, *live: str) -> list[History]:
    return reconcile(rows, memory or Memory(), eyes(*live))


def kinds(events: list[History]) -> list[type]:
    return [type(event) for event in events]


def test_a_call_that_was_never_seen_is_told_from_its_beginning_to_its_end() -> None:
    events = told(OVER)
    assert kinds(events) == [CallStarted, CallQueued, SeatRang, CallAnswered, SeatLeft, CallEnded]
    started, _, rang, answered, left, ended = events
    assert isinstance(started, CallStarted)
    assert (started.number, started.dnis, started.at_us) == ("13805380001", "12345", 1 * S)
    assert isinstance(rang, SeatRang)
    assert (rang.seat, rang.agent) == ("8001", "1001")
    assert isinstance(answered, CallAnswered)
    assert answered.wait_ms == 5_000
    assert isinstance(left, SeatLeft)
    assert left.talk_ms == 25_000
    assert isinstance(ended, CallEnded)
    assert (ended.outcome, ended.talk_ms, ended.is_seen) == (Outcome.ANSWERED, 26_000, False)


@pytest.mark.parametrize(
    ("rows", "outcome"),
    [
        ([*BEGIN, row(9, "CHAN_END")], Outcome.ABANDONED_IVR),
        ([*QUEUED, row(12, "CHAN_END")], Outcome.SHORT_ABANDON),
        ([*QUEUED, row(30, "CHAN_END")], Outcome.ABANDONED_QUEUE),
        ([*RINGS, row(30, "CHAN_END", SEAT), row(30, "CHAN_END")], Outcome.ABANDONED_RINGING),
    ],
)
def test_an_unseen_caller_who_gave_up_is_counted_by_where(rows: list[CelRow], outcome: Outcome) -> None:
    (ended,) = [event for event in told(rows) if isinstance(event, CallEnded)]
    assert ended.outcome is outcome


@pytest.mark.parametrize(
    ("context", "outcome"),
    [("closed", Outcome.CLOSED), ("full", Outcome.OVERFLOW), ("message-record", Outcome.MESSAGE)],
)
def test_an_unseen_caller_who_was_turned_away_is_told_as_such(context: str, outcome: Outcome) -> None:
    (_, ended) = told([*BEGIN, row(9, "CHAN_END", context=context)])
    assert isinstance(ended, CallEnded)
    assert (ended.outcome, ended.queue, ended.wait_ms) == (outcome, "12345", 0)


@pytest.mark.parametrize(
    ("context", "exten", "rating"),
    [
        ("rated", "4", 4),
        ("rated", "0", 0),
        ("rating", "s", 0),
        ("farewell", "s", None),
        ("rated", "9", None),
        ("rated-remark", "5", 5),
    ],
)
def test_an_unseen_rating_is_told_by_where_the_call_ended(
    context: str, exten: str, rating: int | None
) -> None:
    last = msgspec.structs.replace(row(41, "CHAN_END", context=context), exten=exten)
    ended = told([*OVER[:-1], last])[-1]
    assert isinstance(ended, CallEnded)
    assert (ended.rating, ended.has_remark) == (rating, context == "rated-remark")


def test_what_the_journal_knows_is_not_told_again() -> None:
    memory = remember(told(OVER), 0)
    assert told(OVER, memory) == []


@pytest.mark.parametrize("seen", range(len(OVER) + 1))
def test_wherever_the_server_died_journal_and_account_together_tell_each_thing_once(seen: int) -> None:
    """It saw the first rows, kept what they mean, and reads the whole account when it is back."""
    before = told(OVER[:seen], None, CITIZEN, SEAT)
    memory = remember(before, 0)
    after = told(OVER, memory)
    assert kinds([*before, *after]) == kinds(told(OVER))


MISSED = [*RINGS, row(32, "CHAN_END", SEAT)]


def test_a_phone_that_rang_in_vain_unseen_is_a_miss_and_no_reason_why_the_caller_gave_up() -> None:
    events = told([*MISSED, row(45, "CHAN_END")])
    assert kinds(events) == [CallStarted, CallQueued, SeatRang, SeatMissed, CallEnded]
    missed, ended = events[-2:]
    assert isinstance(missed, SeatMissed)
    assert (missed.seat, missed.agent, missed.leg, missed.at_us) == ("8001", "1001", SEAT, 32 * S)
    assert isinstance(ended, CallEnded)
    assert ended.outcome is Outcome.ABANDONED_QUEUE


def test_a_miss_that_the_journal_knows_is_not_told_again() -> None:
    before = told(MISSED, None, CITIZEN)
    assert kinds(before)[-1] is SeatMissed
    assert told(MISSED, remember(before, 0), CITIZEN) == []
    assert kinds(told([*MISSED, row(45, "CHAN_END")], remember(before, 0))) == [CallEnded]


THIRD = f"tp-{CITIZEN}-1"


def third(at_s: float, kind: str) -> CelRow:
    """A row of a third party whom we called: its Linkedid is its own, its room is the citizen's."""
    made = row(at_s, kind)
    return msgspec.structs.replace(made, uid=THIRD, linkedid=THIRD, channel="PJSIP/city-00000003", exten="s")


def asked(*changes: AttemptState) -> Memory:
    """A call that talks and has asked for 110, as the journal has it."""
    journal: list[History] = told(TALKS, None, CITIZEN, SEAT)
    call = f"n1-{CITIZEN}"
    journal.append(
        ThirdPartyCalled(
            conversation=call,
            at_us=20 * S,
            n=1,
            number="110",
            label="110",
            is_emergency=True,
            seat="8001",
            agent="1001",
        )
    )
    journal += [ThirdPartyChanged(conversation=call, at_us=21 * S, n=1, state=state) for state in changes]
    return remember(journal, 0)


CAME = [third(20, "CHAN_START"), third(25, "BRIDGE_ENTER")]


@pytest.mark.parametrize(
    ("known", "rows", "changes"),
    [
        ((), [third(20, "CHAN_START")], [(AttemptState.WITHDRAWN, 41)]),
        ((AttemptState.RINGING,), [], [(AttemptState.WITHDRAWN, 41)]),
        ((), CAME, [(AttemptState.ANSWERED, 25), (AttemptState.LEFT, 41)]),
        ((), [*CAME, third(30, "CHAN_END")], [(AttemptState.ANSWERED, 25), (AttemptState.LEFT, 30)]),
        ((AttemptState.ANSWERED,), [*CAME, third(30, "CHAN_END")], [(AttemptState.LEFT, 30)]),
        ((AttemptState.BUSY,), [third(20, "CHAN_START"), third(21, "CHAN_END")], []),
        ((AttemptState.ANSWERED, AttemptState.LEFT), [*CAME, third(30, "CHAN_END")], []),
    ],
)
def test_what_became_of_a_third_party_is_told_with_the_unseen_end_of_the_call(
    known: tuple[AttemptState, ...], rows: list[CelRow], changes: list[tuple[AttemptState, int]]
) -> None:
    events = told([*TALKS, *rows, *OVER[len(TALKS) :]], asked(*known))
    found = [event for event in events if isinstance(event, ThirdPartyChanged)]
    assert [(change.state, change.at_us // S) for change in found] == changes
    assert kinds(events)[0] is SeatLeft
    assert kinds(events)[-1] is CallEnded


@pytest.mark.parametrize("end", range(1, 4))
def test_a_third_party_is_no_conversation(end: int) -> None:
    rows = [*CAME, third(30, "CHAN_END")][:end]
    assert told(rows) == []
    assert told([*TALKS, *rows], asked(), CITIZEN, SEAT) == []


ACCOUNT = Path(__file__).parents[1] / "replay" / "accounts" / "a_killed_server.csv"
"""Written by Asterisk in test_after_a_crash.py: three talks, one of them a three-way, and four others."""


def recorded() -> list[CelRow]:
    rows = SwitchAccount(ACCOUNT, ACCOUNT.with_suffix(".mark")).rows()
    assert len(rows) > 50
    return rows


def test_a_real_account_holds_each_citizens_call_once() -> None:
    events = reconcile(recorded(), Memory(), REAL_EYES)
    ended = {event.conversation: event.outcome for event in events if isinstance(event, CallEnded)}
    started = [event.conversation for event in events if isinstance(event, CallStarted)]
    assert len(started) == len(set(started)) == len(ended) == 7
    assert Counter(ended.values()) == {
        Outcome.ANSWERED: 5,
        Outcome.ABANDONED_QUEUE: 1,
        Outcome.ABANDONED_IVR: 1,
    }
    assert Counter(kinds(events))[CallAnswered] == Counter(kinds(events))[SeatLeft] == 5


REAL_EYES = Eyes(
    node="n1",
    trunks=("city",),
    seats=("8001", "8002", "8003", "8004"),
    agents={},
    live=frozenset(),
    short_abandon_ms=1_000,
)


@given(data=st.data())
def test_a_real_account_read_in_any_two_looks_tells_the_same(data: st.DataObject) -> None:
    rows = recorded()
    cut = data.draw(st.integers(0, len(rows)))
    ended = {row.uid for row in rows[:cut] if row.kind == "CHAN_END"}
    live = frozenset(row.uid for row in rows[:cut]) - ended
    first = reconcile(rows[:cut], Memory(), msgspec.structs.replace(REAL_EYES, live=live))
    second = reconcile(rows, remember(first, 0), REAL_EYES)
    whole = reconcile(rows, Memory(), REAL_EYES)
    assert Counter(map(repr, without_late(first + second))) == Counter(map(repr, without_late(whole)))


def without_late(events: list[History]) -> list[History]:
    """Without the seats whose channel ended a moment after the citizen's."""
    over = {event.conversation: event.at_us for event in events if isinstance(event, CallEnded)}
    return [
        event for event in events if not isinstance(event, SeatLeft) or event.at_us < over[event.conversation]
    ]


def test_a_call_that_still_lives_is_told_so_far_and_ends_later() -> None:
    assert kinds(told(TALKS, None, CITIZEN, SEAT)) == [CallStarted, CallQueued, SeatRang, CallAnswered]


def test_rows_without_a_beginning_tell_nothing() -> None:
    assert told([row(40, "CHAN_END", SEAT), row(41, "CHAN_END")]) == []


def test_a_phones_own_test_call_is_no_citizens_call() -> None:
    echo = CelRow(
        at_us=S,
        kind="CHAN_START",
        uid=SEAT,
        linkedid=SEAT,
        channel="PJSIP/8001-00000002",
        number="",
        name="",
        exten="600",
        app="",
    )
    assert told([echo]) == []
