"""Every recorded trace, told to the floor: whole, with its head cut off, with events twice, in one flood."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable
from functools import cache
from itertools import groupby

import msgspec
import pytest

from ctiserver.ami.capture import read_trace
from ctiserver.api.history import (
    CallAnswered,
    CallEnded,
    CallQueued,
    CallStarted,
    History,
    SeatChanged,
    SeatLeft,
    SeatMissed,
    SeatRang,
    ThirdPartyCalled,
    ThirdPartyChanged,
)
from ctiserver.api.pushes import Seen
from ctiserver.api.states import SeatState
from ctiserver.model.effects import Effect, PauseMember, Record, SwitchEffect, Tell
from ctiserver.model.events import ChannelHungUp, Event
from ctiserver.model.floor import Floor
from ctiserver.model.state import WRAP_UP_REASON
from hotline.moment import Moment
from tests.replay import load
from tests.unit.time_sheet import times_of
from tests.unit.world import RULES

Timed = tuple[int, Event]

BEGAN_US = 1_700_000_000_000_000
IMPATIENT = msgspec.structs.replace(RULES, short_abandon_ms=1)
"""In a trace nobody waits long: any wait that was given up counts."""
IN_CALL = (SeatState.RINGING, SeatState.TALKING, SeatState.CONFERENCE)

SIGNED_IN = ["8001 ready"]
TALKING = [
    *SIGNED_IN,
    "call 1 started 12345",
    "call 1 queued 12345",
    "call 1 rings 8001 of 1001",
    "8001 ringing",
    "call 1 answered by 8001 of 1001",
    "8001 talking",
]
SEAT_DONE = ["call 1 left by 8001 of 1001", "8001 wrap_up"]
THIRD_TALKS = ["call 1 third party 1 ringing", "call 1 third party 1 answered", "8001 conference"]
STORIES = {
    "a_look_in_the_middle": [
        *TALKING,
        *THIRD_TALKS,
        "call 1 third party 1 left",
        "8001 talking",
        "call 1 ended answered",
        *SEAT_DONE,
    ],
    "a_seat_at_work": [
        *SIGNED_IN,
        "8001 not_ready 小休",
        "8001 ready",
        "8001 phone_down",
        "8001 ready",
        "8001 signed_out",
    ],
    "abandoned_in_queue": ["call 1 started 12345", "call 1 queued 12345", "call 1 ended abandoned_queue"],
    "abandoned_while_ringing": [*TALKING[:5], "8001 ready", "call 1 ended abandoned_ringing"],
    "answered": [*TALKING, *SEAT_DONE, "call 1 ended answered"],
    "emergency_110_citizen_leaves": [
        *TALKING,
        *THIRD_TALKS,
        "call 1 third party 1 left",
        "8001 talking",
        "call 1 ended answered",
        *SEAT_DONE,
    ],
    "seat_does_not_answer": [
        *TALKING[:5],
        "call 1 missed by 8001 of 1001",
        "8001 ready",
        *TALKING[3:],
        *SEAT_DONE,
        "call 1 ended answered",
    ],
    "seat_hangs_up": [*TALKING, *SEAT_DONE, "call 1 ended answered"],
    "third_busy_then_another": [
        *TALKING,
        "call 1 third party 1 busy",
        "call 1 third party 2 ringing",
        "call 1 third party 2 answered",
        "8001 conference",
        "call 1 third party 2 left",
        "8001 talking",
        *SEAT_DONE,
        "call 1 ended answered",
    ],
    "third_does_not_answer": [
        *TALKING,
        "call 1 third party 1 ringing",
        "call 1 third party 1 no_answer",
        "call 1 ended answered",
        *SEAT_DONE,
    ],
    "three_way_seat_leaves": [
        *TALKING,
        *THIRD_TALKS,
        *SEAT_DONE,
        "call 1 ended answered",
        "call 1 third party 1 left",
    ],
    "two_calls_at_once": [
        "8001 ready",
        "8002 ready",
        "call 1 started 12345",
        "call 2 started 12345",
        "call 1 queued 12345",
        "call 2 queued 12345",
        "call 2 rings 8001 of 1001",
        "8001 ringing",
        "call 1 rings 8002 of 1002",
        "8002 ringing",
        "call 1 answered by 8002 of 1002",
        "8002 talking",
        "call 2 answered by 8001 of 1001",
        "8001 talking",
        "call 2 ended answered",
        "call 1 ended answered",
        "call 1 left by 8002 of 1002",
        "8002 wrap_up",
        "call 2 left by 8001 of 1001",
        "8001 wrap_up",
    ],
}
every_trace = pytest.mark.parametrize("name", load.names())


class Replay:
    """A floor that hears a trace, and a client that folds what the floor tells."""

    def __init__(self) -> None:
        self.floor = Floor(IMPATIENT)
        self.seen = Seen()
        self.seen.apply(self.floor.snapshot())
        self.history: list[History] = []
        self.asked: list[SwitchEffect] = []
        self.gone: set[str] = set()

    def hear(self, events: Iterable[Timed]) -> Replay:
        """Show everything after each event."""
        for at, event in events:
            self.step(at, event)
            self.settle(at)
        return self

    def hear_by_reads(self, events: Iterable[Timed]) -> Replay:
        """Show everything once for all that came at one moment, as the service does."""
        for at, read in groupby(events, key=lambda timed: timed[0]):
            for _, event in read:
                self.step(at, event)
            self.settle(at)
        return self

    def hear_in_a_flood(self, events: list[Timed]) -> Replay:
        """Show everything once, at the end."""
        for at, event in events:
            self.step(at, event)
        self.settle(events[-1][0])
        return self

    def step(self, at: int, event: Event) -> None:
        if isinstance(event, ChannelHungUp):
            self.gone.add(event.channel.uid)
        self._take(self.floor.step(event, _moment(at)))

    def settle(self, at: int) -> None:
        self._take(self.floor.settle(_moment(at)))
        self.check()

    def check(self) -> None:
        """What holds at every moment: screens show the floor, and nobody who has hung up is on it."""
        fresh = self.floor.snapshot()
        assert self.seen.seats == {seat.id: seat for seat in fresh.seats}
        assert self.seen.queues == {queue.name: queue for queue in fresh.queues}
        assert self.seen.conversations == {view.id: view for view in fresh.conversations}
        assert self.seen.linked is fresh.linked
        on_the_floor = {part.leg for view in fresh.conversations for part in view.participants}
        assert not on_the_floor & self.gone

    def _take(self, effects: list[Effect]) -> None:
        for effect in effects:
            if isinstance(effect, Tell):
                self.seen.apply(effect.push)
            elif isinstance(effect, Record):
                self.history.append(effect.event)
            elif isinstance(effect, SwitchEffect):
                self.asked.append(effect)

    def story(self) -> list[str]:
        return story(self.history)


def _moment(at: int) -> Moment:
    return Moment(BEGAN_US + at, 1_000_000 + at)


def story(history: Iterable[History]) -> list[str]:
    """History in words; conversations are counted in the order in which they began."""
    names: dict[str, str] = {}
    return [_words(event, names) for event in history]


def _words(event: History, names: dict[str, str]) -> str:
    if isinstance(event, SeatChanged):
        return f"{event.seat} {event.state} {event.reason}".strip()
    call = names.setdefault(event.conversation, f"call {len(names) + 1}")
    match event:
        case CallStarted():
            return f"{call} started {event.dnis}"
        case CallQueued():
            return f"{call} queued {event.queue}"
        case SeatRang():
            return f"{call} rings {event.seat} of {event.agent}"
        case SeatMissed():
            return f"{call} missed by {event.seat} of {event.agent}"
        case CallAnswered():
            return f"{call} answered by {event.seat} of {event.agent}"
        case ThirdPartyCalled() | ThirdPartyChanged():
            return f"{call} third party {event.n} {getattr(event, 'state', 'called')}"
        case SeatLeft():
            return f"{call} left by {event.seat} of {event.agent}"
        case CallEnded():
            return f"{call} ended {event.outcome}"


@cache
def events(name: str) -> tuple[Timed, ...]:
    return tuple(load.timed_events(name))


def ended(history: Iterable[History]) -> Counter[str]:
    return Counter(event.conversation for event in history if isinstance(event, CallEnded))


def without_seats(told: list[str]) -> list[str]:
    return [line for line in told if line.startswith("call ")]


def test_every_trace_has_its_story_written_down() -> None:
    assert load.names() == sorted(STORIES)


@every_trace
def test_a_trace_is_the_story_that_was_played(name: str) -> None:
    replay = Replay().hear(events(name))
    assert replay.story() == STORIES[name]
    assert replay.seen.conversations == {}


@every_trace
def test_whoever_watches_a_trace_hangs_nobody_up_and_only_begins_wrap_up(name: str) -> None:
    asked = Replay().hear(events(name)).asked
    assert {type(effect) for effect in asked} <= {PauseMember}
    assert {effect.reason for effect in asked if isinstance(effect, PauseMember)} <= {WRAP_UP_REASON}


@every_trace
def test_times_in_a_trace_fit_each_other(name: str) -> None:
    history = Replay().hear(events(name)).history
    first = {
        event.conversation: event.at_us for event in reversed(history) if not isinstance(event, SeatChanged)
    }
    for event in history:
        if isinstance(event, CallEnded):
            assert (event.wait_ms + event.talk_ms) * 1_000 <= event.at_us - first[event.conversation]
        if isinstance(event, SeatLeft):
            answers = [
                before.at_us
                for before in history
                if isinstance(before, CallAnswered) and before.leg == event.leg
            ]
            assert event.talk_ms == (event.at_us - answers[0]) // 1_000


@every_trace
def test_with_any_head_cut_off_nobody_is_left_behind(name: str) -> None:
    whole = events(name)
    for n in range(1, len(whole) + 1):
        replay = Replay().hear(whole[n:])
        snapshot = replay.floor.snapshot()
        assert snapshot.conversations == (), f"from event {n}"
        assert replay.floor.open_calls() == [], f"from event {n}"
        assert not [seat.id for seat in snapshot.seats if seat.state in IN_CALL], f"from event {n}"
        assert max(ended(replay.history).values(), default=1) == 1, f"from event {n}"
        begun = {event.conversation for event in replay.history if isinstance(event, CallStarted)}
        assert set(ended(replay.history)) == begun, f"from event {n}"


@every_trace
def test_an_event_told_twice_changes_nothing(name: str) -> None:
    whole = events(name)
    for n in range(len(whole)):
        replay = Replay().hear([*whole[: n + 1], whole[n], *whole[n + 1 :]])
        assert replay.story() == STORIES[name], f"event {n}: {type(whole[n][1]).__name__}"


@every_trace
def test_every_event_told_twice_changes_nothing(name: str) -> None:
    replay = Replay().hear(timed for timed in events(name) for _ in range(2))
    assert replay.story() == STORIES[name]


@every_trace
def test_showing_once_for_each_read_comes_to_the_same(name: str) -> None:
    by_event, by_read = Replay().hear(events(name)), Replay().hear_by_reads(events(name))
    assert by_read.floor.snapshot() == by_event.floor.snapshot()
    assert without_seats(by_read.story()) == without_seats(by_event.story())
    kept = [event for event in by_event.history if not isinstance(event, SeatChanged)]
    assert [event for event in by_read.history if not isinstance(event, SeatChanged)] == kept


@every_trace
def test_a_whole_trace_in_one_flood_keeps_every_call(name: str) -> None:
    flood = Replay().hear_in_a_flood(list(events(name)))
    assert without_seats(flood.story()) == without_seats(STORIES[name])
    assert flood.seen.conversations == {}


IN_TALK = (SeatState.TALKING, SeatState.HELD, SeatState.CONSULTING, SeatState.CONFERENCE)
QUEUES_OWN = b"Event: AgentComplete"


def retold(name: str, lie: Callable[[list[tuple[int, bytes]]], list[tuple[int, bytes]]]) -> Replay:
    """The trace as the floor hears it when app_queue tells another story of its own."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(load, "read_trace", lambda path: lie(list(read_trace(path))))
        return Replay().hear(load.timed_events(name))


def silent(frames: list[tuple[int, bytes]]) -> list[tuple[int, bytes]]:
    return [timed for timed in frames if not timed[1].startswith(QUEUES_OWN)]


def late(frames: list[tuple[int, bytes]]) -> list[tuple[int, bytes]]:
    """As after a Redirect: it comes long after the seat has left."""
    end = frames[-1][0] + 60_000_000
    return [*silent(frames), *((end, frame) for _, frame in frames if frame.startswith(QUEUES_OWN))]


def early_and_wrong(frames: list[tuple[int, bytes]]) -> list[tuple[int, bytes]]:
    """With the seat's answer already, of another seat, with a talk of an hour and a half."""
    told: list[tuple[int, bytes]] = []
    lies = [
        re.sub(rb"TalkTime: [0-9]+", b"TalkTime: 5400", frame).replace(b"PJSIP/8001", b"PJSIP/8003")
        for _, frame in frames
        if frame.startswith(QUEUES_OWN)
    ]
    for at, frame in silent(frames):
        told.append((at, frame))
        if frame.startswith(b"Event: AgentConnect"):
            told += [(at, lie) for lie in lies]
    return told


@every_trace
@pytest.mark.parametrize("lie", [silent, late, early_and_wrong])
def test_what_app_queue_says_of_an_end_changes_no_record_of_ours(
    name: str, lie: Callable[[list[tuple[int, bytes]]], list[tuple[int, bytes]]]
) -> None:
    assert retold(name, lie).history == Replay().hear(events(name)).history


@every_trace
def test_a_seats_times_in_a_trace_are_its_legs_own(name: str) -> None:
    """What a seat spent talking, in conference and the like is what its legs talked, to the microsecond."""
    history = Replay().hear(events(name)).history
    spent = Counter[str]()
    for row in times_of(history):
        if row.state in IN_TALK:
            spent[row.seat] += row.to_us - row.from_us
    begun = {event.leg: event.at_us for event in history if isinstance(event, CallAnswered)}
    legs = Counter[str]()
    for event in history:
        if isinstance(event, SeatLeft):
            legs[event.seat] += event.at_us - begun[event.leg]
    assert spent == legs


def test_app_queue_calls_a_conference_talk_and_ours_tells_the_two_apart() -> None:
    (told,) = [
        load.headers(frame) for frame in load.frames("three_way_seat_leaves") if frame.startswith(QUEUES_OWN)
    ]
    rows = times_of(Replay().hear(events("three_way_seat_leaves")).history)
    ours_ms = {row.state: (row.to_us - row.from_us) // 1_000 for row in rows if row.state in IN_TALK}
    assert int(told["TalkTime"]) * 1_000 > ours_ms["talking"] > 0
    assert ours_ms["conference"] > 0
