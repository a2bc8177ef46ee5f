"""The benchmark of callers in the IVR measures what it says on a real Asterisk."""

from __future__ import annotations

from bench import ivr


def test_callers_in_the_ivr_hear_on_and_cost_little_beside_plain_playing() -> None:
    found = ivr.measure(callers=4, prompt_s=1.5)
    assert found["callers"] == 4
    assert found["gap_ms"] < 1_000, "three prompts in a row are heard"
    assert found["background_gap_ms"] < 1_000
    assert found["ivr_cpu_ms"] > 0 and found["background_cpu_ms"] > 0
