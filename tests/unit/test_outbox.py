"""What waits for a slow client folds to the truth; no pop is left out and no number skipped."""

from __future__ import annotations

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from ctiserver.api.pushes import (
    ContextPush,
    ConversationGone,
    ConversationPush,
    Frame,
    LinkPush,
    Notice,
    Pop,
    Push,
    QueuePush,
    SeatPush,
    Seen,
    Snapshot,
)
from ctiserver.api.states import Queue
from ctiserver.push.outbox import Limits, Outbox, item
from tests.unit.push_room import call, context, seat

IDS = st.sampled_from(["a", "b", "c"])
TIMES = st.integers(1, 1000)
PUSHES = st.one_of(
    st.builds(lambda one, at: SeatPush(seat(one, at)), st.sampled_from(["8001", "8002"]), TIMES),
    st.builds(lambda n: QueuePush(Queue(name="12345", waiting=n)), TIMES),
    st.builds(lambda one, at: ConversationPush(call(one, started_us=at)), IDS, TIMES),
    st.builds(ConversationGone, IDS),
    st.builds(lambda one, at: Pop("8001", context(one, str(at))), IDS, TIMES),
    st.builds(lambda one, at: ContextPush(context(one, str(at))), IDS, TIMES),
    st.builds(LinkPush, st.booleans()),
    st.builds(lambda n: Notice("8001", "switch_refused", str(n)), TIMES),
    st.builds(lambda one, at: Snapshot(seats=(seat("8001", at),), conversations=(call(one),)), IDS, TIMES),
)
NEVER_LEFT_OUT = (Pop, Notice)
READS = st.integers(0, 3)


def decode(frame: bytes) -> Frame:
    return msgspec.json.decode(frame, type=Frame)


def drain(outbox: Outbox) -> list[Frame]:
    frames = []
    while (data := outbox.take()) is not None:
        frames.append(decode(data))
    return frames


@given(st.lists(st.tuples(PUSHES, READS), max_size=40))
def test_what_a_client_reads_at_its_own_pace_folds_to_what_happened(script: list[tuple[Push, int]]) -> None:
    outbox, truth, read = Outbox(), Seen(), []
    for push, reads in script:
        truth.apply(push)
        assert outbox.put(item(push))
        for _ in range(reads):
            read += [decode(data)] if (data := outbox.take()) is not None else []
    read += drain(outbox)
    folded = Seen()
    for frame in read:
        folded.apply(frame.push)
    assert folded == truth
    assert [frame.seq for frame in read] == list(range(1, len(read) + 1))
    told = [push for push, _ in script if isinstance(push, NEVER_LEFT_OUT)]
    assert [frame.push for frame in read if isinstance(frame.push, NEVER_LEFT_OUT)] == told


@given(st.lists(PUSHES, max_size=60))
def test_a_stalled_client_has_one_word_waiting_on_each_thing(pushes: list[Push]) -> None:
    outbox = Outbox()
    for push in pushes:
        outbox.put(item(push))
    waiting = [frame.push for frame in drain(outbox)]
    for kind in (SeatPush, QueuePush, ConversationPush, ContextPush, LinkPush):
        words = [item(push).key for push in waiting if isinstance(push, kind)]
        assert len(words) == len(set(words))


def test_what_ended_while_the_client_stalled_is_not_told_first() -> None:
    outbox = Outbox()
    pop, gone, other = Pop("8001", context("a")), ConversationGone("a"), ConversationPush(call("b"))
    for push in (ConversationPush(call("a")), ContextPush(context("a")), pop, other, gone):
        outbox.put(item(push))
    assert [frame.push for frame in drain(outbox)] == [pop, other, gone]


def test_a_snapshot_leaves_only_what_must_be_told_before_it() -> None:
    outbox = Outbox()
    pop, notice, whole = Pop("8001", context("a")), Notice("8001", "x", "y"), Snapshot()
    for push in (SeatPush(seat("8001")), pop, LinkPush(True), notice, ConversationPush(call("a")), whole):
        outbox.put(item(push))
    assert [frame.push for frame in drain(outbox)] == [pop, notice, whole]


@given(st.lists(PUSHES, min_size=1, max_size=30), st.data())
def test_what_was_sent_can_be_sent_again(pushes: list[Push], data: st.DataObject) -> None:
    outbox = Outbox(Limits(kept=10))
    sent = [outbox.send(item(push)) for push in pushes]
    last_seq = data.draw(st.integers(-1, len(sent) + 2))
    again = outbox.resume(last_seq)
    if max(1, len(sent) - 10) <= last_seq <= len(sent):
        assert again == sent[last_seq:]
    else:
        assert again is None


def test_kept_frames_are_bounded_in_bytes_too() -> None:
    outbox = Outbox(Limits(kept_bytes=1000))
    push = item(Notice("8001", "switch_refused", "x" * 400))
    for _ in range(5):
        outbox.send(push)
    assert outbox.resume(5) == []
    assert outbox.resume(3) is not None
    assert outbox.resume(2) is None


def test_too_many_words_that_may_not_be_left_out_are_too_much() -> None:
    outbox = Outbox(Limits(waiting=3))
    verdicts = [outbox.put(item(Pop("8001", context(str(n))))) for n in range(4)]
    assert verdicts == [True, True, True, False]


def test_one_seat_that_changes_for_ever_is_never_too_much() -> None:
    outbox = Outbox(Limits(waiting=3, waiting_bytes=1000))
    assert all(outbox.put(item(SeatPush(seat("8001", at)))) for at in range(1, 1000))
    assert len(outbox.waiting) == 1


def test_too_many_bytes_are_too_much() -> None:
    outbox = Outbox(Limits(waiting_bytes=1000))
    big = item(Notice("8001", "switch_refused", "x" * 400))
    assert [outbox.put(big) for _ in range(3)] == [True, True, False]
