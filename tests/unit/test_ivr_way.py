"""The way through the IVR: as it is written, as it is read by agents, and why it broke off."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ctiserver.api.way import Step, count, failure, is_finished, read, seconds, words, write

STEPS = st.builds(
    Step,
    st.sampled_from("grmcdsnouwhabtlqevkf"),
    st.text("0123456789*#-", max_size=24),
    st.one_of(st.none(), st.integers(0, 999_999)),
)


@given(st.lists(STEPS, min_size=1, max_size=20).map(tuple))
def test_what_was_written_is_read_back(steps: tuple[Step, ...]) -> None:
    if len(write(steps)) <= 1000:
        assert read(write(steps)) == steps


@given(st.text(max_size=2000))
def test_whatever_comes_over_the_network_is_read_and_told(text: str) -> None:
    assert isinstance(words(text), str)
    assert failure("SUCCESS", text) in ("", "broken")


@pytest.mark.parametrize(
    ("path", "told"),
    [
        ("g@5.r@2.q", ""),
        ("g@5.r@2.m1@3.s20261124-0001@11.t0@12.q", "3 秒后按 1，查询案件 20261124-0001，12 秒后按 0"),
        ("g@5.r@2.m3@0.c12@9.d4@3.n@2.q", "按 3，查询案件未找到"),
        ("g.r.m.q", ""),
        ("g@1.r@2.e110", "输入 110"),
        ("g@5.r@2.w.a@8.q", "应急模式"),
        ("g@5.r@2.b@4.q", "来电在骚扰名单"),
    ],
)
def test_an_agent_reads_what_the_caller_did(path: str, told: str) -> None:
    assert words(path) == told


def test_figures_say_where_callers_press_0_hang_up_go_in_circles_and_were_failed() -> None:
    found = count(
        [
            ("g@5.r@2.m0@1.q", ""),
            ("g@5.r@2.m2@1.c12@9.d4@3.n@2.c12@9.d4@3.n@2.c12@9.d4@3.n@2.q", ""),
            ("g@5.r@2.m", ""),
            ("g@5.r", "broken"),
            ("", "unreachable"),
        ]
    )
    assert found.calls == 5
    assert (found.reached["g"], found.reached["m"], found.pressed_0) == (4, 3, {"m": 1})
    assert found.hung_up == {"m": 1}
    assert found.looped == {"c": 1, "d": 1, "n": 1}
    assert found.failed == {"broken": 1, "unreachable": 1}


def test_it_is_known_how_long_a_caller_was_in_the_ivr() -> None:
    assert seconds("g@5.r@2.m4@1.v") == 8
    assert seconds("") == 0


@pytest.mark.parametrize(
    ("status", "path", "why"),
    [
        ("SUCCESS", "g@5.r@2.q", ""),
        ("SUCCESS", "g@5.r@2.m2@1.v", ""),
        ("SUCCESS", "g@5.r", "broken"),
        ("HANGUP", "g", "broken"),
        ("FAILURE", "", "unreachable"),
        ("TIMEOUT", "g@5.r", "late"),
        ("GONE", "g@5.r", ""),
    ],
)
def test_it_is_known_why_the_ivr_did_not_lead_the_caller_on(status: str, path: str, why: str) -> None:
    assert failure(status, path) == why
    assert is_finished(path) is (path[-1:] in ("q", "v") and path != "")
