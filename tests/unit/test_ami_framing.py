"""The cut of AMI's byte stream: the same frames however the network chops it, and bad ones alone are lost."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from ctiserver.ami.framing import EDGE, MAX_FRAME, MAX_LINE, Framer, NotAsterisk

GREETING = b"Asterisk Call Manager/11.0.0\r\n"
GOOD = "Event: Newstate\r\nCallerIDName: 市民热线 \U0001f4de".encode()
ANSWER = b"Response: Success\r\nActionID: 1"
NOT_UTF8 = b"Event: Newstate\r\nCallerIDName: \xff\xfe\xe5\xb8"

pieces = st.one_of(
    st.sampled_from([GOOD, ANSWER, NOT_UTF8]),
    st.just(b"Privilege: call,all\r\nno frame"),
    st.just(b"Event: Long\r\nX: " + b"x" * (MAX_LINE + 1)),
    st.just(b"Event: Huge\r\n" + b"X: y\r\n" * (MAX_FRAME // 6) + b"Z: z"),
    st.just(b""),
    st.just(b"\r\n" + GOOD),
)


def chopped(data: bytes, cuts: list[int]) -> list[bytes]:
    places = sorted({cut % (len(data) + 1) for cut in cuts} | {0, len(data)})
    return [data[a:b] for a, b in pairwise(places)]


def framed(chunks: list[bytes]) -> tuple[list[bytes], int]:
    framer = Framer()
    return [frame for chunk in chunks for frame in framer.feed(chunk)], framer.dropped


@given(st.lists(pieces, max_size=6), st.lists(st.integers(0, 10**6), max_size=40))
@example([GOOD, ANSWER, GOOD], list(range(300)))
@example(
    [b"Event: Huge\r\n" + b"X: y\r\n" * (MAX_FRAME // 6) + b"Z: z", GOOD], [MAX_FRAME + n for n in range(60)]
)
def test_any_chopping_gives_the_same_frames_and_loses_only_the_bad_ones(
    frames: list[bytes], cuts: list[int]
) -> None:
    stream = GREETING + b"".join(frame + EDGE for frame in frames)
    kept = [
        GOOD if frame.endswith(GOOD) else frame
        for frame in frames
        if frame.endswith((GOOD, ANSWER, NOT_UTF8))
    ]
    bad = sum(1 for frame in frames if frame and not frame.endswith((GOOD, ANSWER, NOT_UTF8)))
    assert framed([stream]) == (kept, bad)
    assert framed(chopped(stream, cuts)) == (kept, bad)


def test_one_byte_at_a_time_is_the_same_stream() -> None:
    stream = GREETING + (GOOD + EDGE + NOT_UTF8 + EDGE) * 3
    assert framed([bytes([byte]) for byte in stream]) == ([GOOD, NOT_UTF8] * 3, 0)


@pytest.mark.parametrize("size, is_kept", [(MAX_FRAME, True), (MAX_FRAME + 1, False)])
@pytest.mark.parametrize("cut", [1, MAX_FRAME, MAX_FRAME + 1, MAX_FRAME + 3])
def test_the_longest_frame_is_kept_and_one_byte_more_is_dropped(size: int, is_kept: bool, cut: int) -> None:
    frame = b"Event: E\r\n" + b"X: y\r\n" * (MAX_FRAME // 6)
    frame = frame[: size - 1] + b"z"
    stream = GREETING + frame + EDGE + GOOD + EDGE
    at = len(GREETING) + cut
    assert framed([stream[:at], stream[at:]]) == ([*([frame] if is_kept else []), GOOD], 0 if is_kept else 1)


def test_a_frame_that_never_ends_costs_no_more_memory_than_one_frame() -> None:
    framer = Framer()
    framer.feed(GREETING)
    for _ in range(200):
        assert framer.feed(b"Event: X\r\n" * 1000) == []
        assert len(framer._rest) <= MAX_FRAME + len(EDGE)
    assert framer.dropped == 1
    assert framer.feed(EDGE + GOOD + EDGE) == [GOOD]


@pytest.mark.parametrize(
    "first", [b"HTTP/1.1 400 Bad Request\r\n", b"\r\n", b"A" * 200, GREETING[:-2] + b"1" * 200, b"SSH-2.0"]
)
def test_a_stream_that_does_not_begin_as_ami_is_refused_at_once(first: bytes) -> None:
    with pytest.raises(NotAsterisk):
        Framer().feed(first)


def test_a_recorded_stream_may_start_behind_the_greeting() -> None:
    assert Framer(is_greeted=True).feed(GOOD + EDGE) == [GOOD]
