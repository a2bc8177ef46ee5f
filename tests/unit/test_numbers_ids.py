"""Ids and instants: they sort, they come back, and they are Shanghai's."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hotline import clock, ids, local_time

NOON = 1_795_492_800_000_000
"""2026-11-24 12:00 in Shanghai."""
ULID = "01ARZ3NDEKTSV4RRFFQ69G5FAV"


@given(st.integers(0, 2**48 * 1000 - 1), st.binary(min_size=10, max_size=10))
def test_an_id_has_its_form_and_tells_node_and_time(utc_us: int, chance: bytes) -> None:
    made = ids.make("n1", utc_us, chance)
    assert ids.is_id(made) and ids.node_of(made) == "n1"
    assert ids.made_at_us(made) == utc_us // 1000 * 1000


@given(st.integers(0, 2**47 * 1000), st.integers(1000, 10**9), st.binary(min_size=10, max_size=10))
def test_a_later_id_sorts_later(utc_us: int, more: int, chance: bytes) -> None:
    assert ids.make("n1", utc_us, b"\xff" * 10) < ids.make("n1", utc_us + more, chance)


def test_randomness_of_another_length_is_refused() -> None:
    with pytest.raises(ValueError, match="10 random bytes"):
        ids.make("n1", NOON, b"short")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "n1-",
        "N1-01ARZ3NDEKTSV4RRFFQ69G5FAV",
        "n1-01ARZ3NDEKTSV4RRFFQ69G5FAU",
        "n1-01ARZ3NDEKTSV4RRFFQ69G5FAV\n",
    ],
)
def test_what_is_no_id(text: str) -> None:
    assert not ids.is_id(text)


def test_shanghais_clock() -> None:
    assert local_time.date_time(NOON) == "2026-11-24 12:00:00"
    assert local_time.time_of_day(NOON + 61_000_000) == "12:01:01"
    assert local_time.compact_day(NOON) == "20261124"
    midnight = local_time.day_start_us(local_time.local_day(NOON))
    assert NOON - midnight == 12 * 3600 * local_time.SECOND_US
    assert (
        local_time.compact_day(midnight) == "20261124" and local_time.compact_day(midnight - 1) == "20261123"
    )


@given(st.integers(0, 4_000_000_000_000_000))
def test_every_instant_lies_in_its_day(utc_us: int) -> None:
    start = local_time.day_start_us(local_time.local_day(utc_us))
    assert start <= utc_us < start + 25 * 3600 * local_time.SECOND_US


@pytest.mark.parametrize(
    ("seconds", "shown"), [(7.9, "0:07"), (750, "12:30"), (3723, "1:02:03"), (-5, "0:00")]
)
def test_durations_as_people_read_them(seconds: float, shown: str) -> None:
    assert local_time.duration(seconds) == shown


def test_the_clock_goes_forward() -> None:
    first, second = clock.now(), clock.now()
    assert second.mono_us >= first.mono_us
    assert first.utc_us > NOON - 400 * 86400 * local_time.SECOND_US
