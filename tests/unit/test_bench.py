"""Owns the tests of the benchmarks' own honesty: what they measure happens, and a figure is what it says."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from bench import __main__ as bench
from bench import casework, intake, memory, pop
from bench.desks import _message
from bench.stories import story

UID = re.compile(rb"\r\n(?:Dest)?Uniqueid: ([^\r]+)")


def test_a_story_told_twice_shares_no_channel_and_keeps_to_its_seat() -> None:
    first, second = (b"".join(frame for _, frame in story("answered", 8042, 0.0)) for _ in range(2))
    assert set(UID.findall(first)).isdisjoint(UID.findall(second))
    assert b"PJSIP/8042" in first
    assert b"PJSIP/8001" not in first


def test_a_story_is_stretched_to_its_length_and_stays_in_order() -> None:
    times = [at for at, _ in story("answered", 8001, 60.0)]
    assert times == sorted(times)
    assert times[-1] == pytest.approx(60.0)


@pytest.mark.parametrize("size", [0, 125, 126, 65_535, 65_536])
def test_a_message_is_read_whole_or_not_at_all(size: int) -> None:
    body = b"x" * size
    head = (
        bytes([size])
        if size < 126
        else b"\x7e" + size.to_bytes(2)
        if size < 65_536
        else b"\x7f" + size.to_bytes(8)
    )
    data = b"\x81" + head + body
    assert _message(data + b"more") == (1, body, len(data))
    assert all(_message(data[:cut]) is None for cut in {0, 1, len(data) - 1})


def test_intake_steps_every_event_and_gives_a_ratio(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(intake, "CALLS", 20)
    monkeypatch.setattr(intake, "ROUNDS", 1)
    found = intake.measure()
    assert found["events"] > 20 * 20
    assert found["ratio"] == pytest.approx(found["stock_us"] / found["ours_us"])
    assert found["border_only_us"] > 0


@pytest.mark.slow
def test_every_ring_at_57_seats_pops_once_and_every_call_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pop, "CALLS_PER_S", 40.0)
    found = pop.measure(calls_per_seat=1)
    assert found["calls"] == 57
    assert found["pops"] > found["calls"], "a seat that does not answer makes a second ring"
    assert 0 < found["p50_ms"] <= found["p99_ms"]


@pytest.mark.slow
def test_memory_is_read_when_all_records_are_there() -> None:
    found = memory.measure(first=20, last=60)
    assert found["early_mb"] > 20
    assert found["ratio"] == pytest.approx(found["late_mb"] / found["early_mb"])


def test_a_missed_bar_is_called_missed() -> None:
    held = bench.of_pop({"calls": 9, "pops": 10, "p50_ms": 4.9, "p99_ms": 25.1})
    assert [is_held for *_, is_held in held] == [True, True, False]


def test_a_silence_longer_than_its_bar_is_called_missed() -> None:
    found = {"invite_p99_ms": 29.9, "citizen_silence_ms": 20.0, "seat_silence_ms": 45.0}
    assert [is_held for *_, is_held in bench.of_three_way(found)] == [True, True, False]


def test_an_unknown_name_is_refused_with_the_names_there_are(capsys: pytest.CaptureFixture[str]) -> None:
    assert bench.main(["nothing"]) == 2
    assert "intake" in capsys.readouterr().err


@pytest.mark.slow
def test_casework_is_measured_at_its_pages_while_cases_come_in_and_the_year_is_kept(tmp_path: Path) -> None:
    found = casework.measure(cases=400, home=tmp_path, rounds=1, intake_s=2.0, kinds=["sqlite"])
    assert {what for what, *_ in bench.of_casework(found)} >= {"sqlite: list page at 400 cases, p99 ms"}
    assert all(found[f"sqlite_{page}_p99_ms"] > 0 for page in casework.PAGES)
    assert found["sqlite_intake"] > 1 and found["sqlite_scores_s"] > 0
    assert casework.p99([*map(float, range(1, 201))]) == 198.0
