"""The archive's rules: names that are only ever names, what comes next, gaps, and how long a file stays."""

from __future__ import annotations

import re
from pathlib import PurePosixPath

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ctiserver.archive import rules
from ctiserver.archive.rules import BadConversation, Call, Direction, Kept, Source, Step
from hotline.local_time import SECOND_US

ENDED = 1_764_000_000 * SECOND_US
CALL = Call(
    conversation="n1-1764000000.7",
    uid="1764000000.7",
    started_us=ENDED - 60 * SECOND_US,
    ended_us=ENDED,
    call_ms=60_000,
    is_expected=True,
)
WAV = Source(begin=44, size=16_000, rate=8000, is_closed=True, changed_us=ENDED)
KEPT = Kept(
    conversation=CALL.conversation,
    direction=Direction.CITIZEN,
    path="2025/11/25/n1-1764000000.7-citizen.flac",
    sha256="0" * 64,
    is_missing=False,
    from_us=CALL.started_us,
    expires_us=ENDED + 183 * rules.DAY_US,
    removed_us=0,
)
MISSING = msgspec.structs.replace(KEPT, path="", sha256="", is_missing=True)
LATER = ENDED + rules.PATIENCE_US + 1


@given(st.text(), st.sampled_from(Direction), st.integers(0, 4 * 10**15))
def test_whatever_an_id_holds_no_path_leaves_its_day(text: str, way: Direction, at_us: int) -> None:
    try:
        path = rules.place(text, way, at_us)
    except BadConversation:
        return
    assert re.fullmatch(r"\d{4}/\d\d/\d\d/[a-z0-9_]+-[0-9.]+-(citizen|hotline)\.flac", path)


@pytest.mark.parametrize(
    "conversation",
    ["", "n1-", "n1-1.2/../../x", "../n1-1.2", "n1-1.2\n", "N1-1.2", "n1-1.2\0", "n1-１.2", "n1-1.2-citizen"],
)
def test_an_id_that_is_none_of_ours_names_no_file(conversation: str) -> None:
    with pytest.raises(BadConversation):
        rules.place(conversation, Direction.CITIZEN, ENDED)


def test_the_day_of_a_recording_is_shanghais() -> None:
    before_midnight = 1_764_000_000 * SECOND_US
    path = rules.place("n1-1764000000.7", Direction.HOTLINE, before_midnight + 8 * 3600 * SECOND_US)
    assert path == "2025/11/25/n1-1764000000.7-hotline.flac"
    assert PurePosixPath(rules.place("n1-1.2", Direction.CITIZEN, 15 * 3600 * SECOND_US)).parts[2] == "01"
    assert PurePosixPath(rules.place("n1-1.2", Direction.CITIZEN, 17 * 3600 * SECOND_US)).parts[2] == "02"


@pytest.mark.parametrize("way", Direction)
def test_a_wavs_name_tells_its_call(way: Direction) -> None:
    assert rules.uid_of(rules.wav_name("1764000000.7", way)) == "1764000000.7"
    for other in ("1764000000.7.wav", "1764000000.7-citizen.wav.part", "x-citizen.wav", "1.2-third.wav"):
        assert rules.uid_of(other) is None


@pytest.mark.parametrize(
    ("source", "kept", "after_us", "step"),
    [
        (WAV, None, 0, Step.WAIT),
        (WAV, None, rules.LINGER_US, Step.KEEP),
        (WAV, KEPT, rules.LINGER_US, Step.DISCARD),
        (WAV, MISSING, rules.LINGER_US, Step.KEEP),
        (None, None, rules.LINGER_US, Step.WAIT),
        (None, None, rules.PATIENCE_US, Step.MISS),
        (None, KEPT, rules.PATIENCE_US, Step.NOTHING),
        (None, MISSING, rules.PATIENCE_US, Step.NOTHING),
    ],
)
def test_what_comes_next(source: Source | None, kept: Kept | None, after_us: int, step: Step) -> None:
    assert rules.next_step(CALL, source, kept, ENDED + after_us) is step


def test_a_file_that_the_switch_never_closed_is_taken_once_it_stands_still() -> None:
    torn = msgspec.structs.replace(WAV, is_closed=False, changed_us=ENDED + 30 * SECOND_US)
    assert rules.next_step(CALL, torn, None, LATER) is Step.WAIT
    assert rules.next_step(CALL, torn, None, LATER + 30 * SECOND_US) is Step.KEEP
    empty = msgspec.structs.replace(torn, size=0)
    assert rules.next_step(CALL, empty, None, LATER + 30 * SECOND_US) is Step.EMPTY
    assert rules.next_step(CALL, empty, MISSING, LATER + 30 * SECOND_US) is Step.EMPTY


def test_a_call_that_never_came_as_far_as_the_queue_need_not_be_recorded() -> None:
    early = msgspec.structs.replace(CALL, is_expected=False)
    assert rules.next_step(early, None, None, LATER) is Step.NOTHING
    assert rules.next_step(early, WAV, None, LATER) is Step.KEEP


def test_a_recording_of_no_known_call_waits_a_day_and_is_kept_then() -> None:
    uid, begun = "1764000000.7", 1_764_000_000 * SECOND_US
    assert rules.unknown_call(f"n1-{uid}", uid, begun + rules.DAY_US - 1) is None
    call = rules.unknown_call(f"n1-{uid}", uid, begun + rules.DAY_US)
    assert call is not None
    assert rules.next_step(call, WAV, None, begun + rules.DAY_US) is Step.KEEP


@pytest.mark.parametrize(
    ("recorded_ms", "gap"), [(60_000, 0), (75_000, 0), (59_000, 0), (58_999, 1_001), (0, 60_000)]
)
def test_more_than_a_second_too_short_is_a_gap(recorded_ms: int, gap: int) -> None:
    assert rules.gap_ms(60_000, recorded_ms) == gap


@pytest.mark.parametrize(
    ("started_s", "queued_s", "wait_ms", "talk_ms", "whole_ms"),
    [
        (100, 108, 20_000, 60_000, 88_000),
        (100, 108, 20_000, 0, 28_000),
        (100, 0, 20_000, 0, 0),
        (100, 3700, 20_000, 60_000, 380_000),
        (3700, 100, 20_000, 60_000, 80_000),
    ],
    ids=["answered", "given up", "never queued", "clock set forward", "clock set back"],
)
def test_greeting_waiting_and_talking_should_all_be_recorded(
    started_s: int, queued_s: int, wait_ms: int, talk_ms: int, whole_ms: int
) -> None:
    queued_us = queued_s * SECOND_US
    assert rules.call_ms(started_s * SECOND_US, queued_us, wait_ms, talk_ms) == whole_ms


@pytest.mark.parametrize(("recorded_ms", "gap_ms"), [(60_000, 0), (59_000, 0), (58_999, 1_001), (0, 60_000)])
def test_more_than_a_second_missing_is_a_gap(recorded_ms: int, gap_ms: int) -> None:
    assert rules.gap_ms(60_000, recorded_ms) == gap_ms


@given(st.integers(183, 5000), st.integers(183, 5000), st.integers(0, 10**16))
def test_no_recording_goes_before_its_own_time_nor_before_that_of_today(
    then: int, now: int, at_us: int
) -> None:
    kept = msgspec.structs.replace(KEPT, expires_us=rules.expires_us(KEPT.from_us, then))
    is_due = rules.is_due(kept, now, at_us)
    assert is_due == (at_us >= KEPT.from_us + max(then, now) * rules.DAY_US)
    assert not rules.is_due(msgspec.structs.replace(kept, removed_us=1), now, at_us)
    assert not rules.is_due(msgspec.structs.replace(kept, path=""), now, at_us)
