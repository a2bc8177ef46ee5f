"""The benchmark of three-way calls measures what it says on a real Asterisk."""

from __future__ import annotations

from bench import three_way


def test_every_click_makes_a_room_whose_delay_and_silence_are_measured() -> None:
    found = three_way.measure(seats=2, rounds=1)
    assert found["rooms"] == 2
    assert 0 < found["invite_p50_ms"] <= found["invite_p99_ms"] < 2_000
    assert found["citizen_silence_ms"] < 1_600, "the two hear each other again in the room"
    assert found["seat_silence_ms"] < 1_600
