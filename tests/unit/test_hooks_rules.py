"""The rules of webhooks: what an event becomes, how it is signed, when it is tried again."""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
import time
from datetime import datetime
from pathlib import Path
from typing import Any, get_args

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ctiserver.api import history as h
from ctiserver.api.hooks import (
    MISSED,
    EmergencyCalledHook,
    EmergencyChangedHook,
    HookEvent,
    ThreeWayHook,
    kind_of,
    without_number,
)
from ctiserver.api.states import AttemptState, CaseBrief, Outcome, SeatState
from ctiserver.hooks import retry
from ctiserver.hooks.mapping import Caller, Facts, Origin, hook_id, hooks_of, learn
from ctiserver.hooks.retry import Again, Answered, Dead, Delivered, Gone, Unanswered, verdict
from ctiserver.hooks.signing import headers
from hotline.local_time import rfc3339
from hotline.secret import HookSecret
from hotline.settings import HOOK_EVENTS

CALL = "n1-1700000000.1"
CALLER = "13805381234"
ORIGIN = Origin(event_id="n1-01JD0000000000000000000000", node="n1")
CASE = CaseBrief(id="c1", number="20261124-0001", title="停水", state="open", unit="水务局", opened_us=1)
NOBODY = Caller()


def called(number: str, *, n: int = 1) -> h.ThirdPartyCalled:
    return h.ThirdPartyCalled(
        conversation=CALL,
        at_us=4,
        n=n,
        number=number,
        label=number,
        is_emergency=number == "110",
        seat="8001",
        agent="1001",
    )


def changed(state: AttemptState, n: int = 1) -> h.ThirdPartyChanged:
    return h.ThirdPartyChanged(conversation=CALL, at_us=5, n=n, state=state)


def ended(outcome: Outcome) -> h.CallEnded:
    return h.CallEnded(conversation=CALL, at_us=9, outcome=outcome, wait_ms=700, talk_ms=60)


STARTED = h.CallStarted(
    conversation=CALL, at_us=1, uid="1700000000.1", number=CALLER, name="张三", dnis="12345"
)
QUEUED = h.CallQueued(conversation=CALL, at_us=2_000_000, queue="12345")
ANSWERED = h.CallAnswered(conversation=CALL, at_us=3, seat="8001", agent="1001", leg="x", wait_ms=700)
BEGINNING = (STARTED, QUEUED, ANSWERED)


def told(*events: h.History, caller: Caller = NOBODY) -> list[HookEvent]:
    """What a webhook is told of a call that goes like this."""
    facts, hooks = Facts(), []
    for event in events:
        facts = learn(facts, event)
        hooks += hooks_of(event, facts, caller, ORIGIN)
    return hooks


def kinds(*events: h.History) -> list[str]:
    return [kind_of(hook) for hook in told(*events)]


def test_the_settings_name_every_kind_there_is() -> None:
    tags = {kind.__struct_config__.tag for kind in get_args(HookEvent)}
    assert tags == {*HOOK_EVENTS, "ping"}


def test_a_call_is_offered_answered_and_ended() -> None:
    assert kinds(*BEGINNING, ended(Outcome.ANSWERED)) == ["call.offered", "call.answered", "call.ended"]


@pytest.mark.parametrize("outcome", list(Outcome))
def test_a_call_that_nobody_answered_is_missed_as_well_as_ended(outcome: Outcome) -> None:
    gave_up = outcome.value.startswith("abandoned") or outcome is Outcome.SHORT_ABANDON
    assert (outcome in MISSED) is gave_up
    assert kinds(QUEUED, ended(outcome))[1:] == ["call.ended", *(["call.missed"] if gave_up else [])]


def test_a_department_is_a_three_way_call_and_no_emergency() -> None:
    told_of = told(*BEGINNING, called("05388220000"), changed(AttemptState.RINGING))[2:]
    assert [kind_of(hook) for hook in told_of] == ["call.three_way"] * 2
    assert isinstance(told_of[1], ThreeWayHook)
    third = told_of[1].third
    assert (third.number, third.state, told_of[1].seat) == ("05388220000", AttemptState.RINGING, "8001")


def test_110_is_told_to_the_emergency_centre_with_the_case_before_anybody_else() -> None:
    caller = Caller(place="山东省泰安市", carrier="中国移动", cases=(CASE,))
    first, second = told(*BEGINNING, called("110"), caller=caller)[2:]
    assert isinstance(first, EmergencyCalledHook)
    assert kind_of(second) == "call.three_way"
    assert (first.number, first.place, first.carrier) == (CALLER, "山东省泰安市", "中国移动")
    assert (first.seat, first.agent, first.queue, first.wait_ms) == ("8001", "1001", "12345", 700)
    assert first.queued == "1970-01-01T00:00:02.000000Z"
    assert [(case.number, case.unit) for case in first.cases] == [("20261124-0001", "水务局")]
    assert first.has_cases


def test_cases_that_the_database_did_not_tell_are_not_said_to_be_none() -> None:
    unknown, none = (told(*BEGINNING, called("110"), caller=Caller(cases=cases))[2] for cases in (None, ()))
    assert isinstance(unknown, EmergencyCalledHook)
    assert isinstance(none, EmergencyCalledHook)
    assert (unknown.has_cases, none.has_cases) == (False, True)


def test_what_becomes_of_an_emergency_call_names_the_number_that_was_called() -> None:
    hooks = told(*BEGINNING, called("05388220000"), called("110", n=2), changed(AttemptState.BUSY, 2))[5:]
    assert [kind_of(hook) for hook in hooks] == ["emergency.changed", "call.three_way"]
    assert isinstance(hooks[0], EmergencyChangedHook)
    assert (hooks[0].third.number, hooks[0].third.state) == ("110", AttemptState.BUSY)


def test_a_third_party_still_closes_after_the_citizen_has_gone() -> None:
    assert kinds(*BEGINNING, called("110"), ended(Outcome.ANSWERED), changed(AttemptState.LEFT))[-2:] == [
        "emergency.changed",
        "call.three_way",
    ]


def test_what_a_seat_does_by_itself_is_told_to_nobody() -> None:
    seat = h.SeatChanged(seat="8001", at_us=1, agent="1001", state=SeatState.READY)
    rang = h.SeatRang(conversation=CALL, at_us=1, seat="8001", agent="1001", leg="x")
    assert told(STARTED, seat, rang) == []


def test_a_call_without_its_beginning_is_told_as_far_as_it_is_known() -> None:
    hooks = told(called("110"), changed(AttemptState.ANSWERED), ended(Outcome.ANSWERED))
    assert [getattr(hook, "number", None) for hook in hooks] == [""] * 5


def test_numbers_go_only_with_emergencies_unless_the_webhook_is_to_have_them() -> None:
    hooks = told(*BEGINNING, called("110"), changed(AttemptState.LEFT), ended(Outcome.SHORT_ABANDON))
    for hook in hooks:
        body = msgspec.json.encode(without_number(hook)).decode()  # type: ignore[arg-type]
        is_emergency = kind_of(hook).startswith("emergency.")
        assert (CALLER in body) is is_emergency
        assert ('"number":"13' in body) is is_emergency
        assert CALLER in msgspec.json.encode(hook).decode()
        assert "张三" not in msgspec.json.encode(hook).decode()


def test_an_event_reads_back_as_what_it_was() -> None:
    for hook in told(*BEGINNING, called("110"), changed(AttemptState.LEFT), ended(Outcome.SHORT_ABANDON)):
        assert msgspec.json.decode(msgspec.json.encode(hook), type=HookEvent) == hook


def test_each_event_has_an_id_that_stays_and_parts_no_signature() -> None:
    events = (*BEGINNING, called("110"), ended(Outcome.ABANDONED_QUEUE))
    ids = [hook.id for hook in told(*events)]
    assert ids == [hook.id for hook in told(*events)]
    assert len({*ids}) == len(ids)
    assert not [id_ for id_ in ids if "." in id_]
    assert hook_id("n1-01", "call.three_way") == "n1-01-call_three_way"


@given(st.integers(min_value=-(1 << 63), max_value=(1 << 63) - 1))
def test_every_time_that_a_journal_can_hold_is_a_time(at_us: int) -> None:
    text = rfc3339(at_us)
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z", text)
    assert datetime.fromisoformat(text)


def standard_webhooks_verify(key: bytes, sent: dict[str, str], body: bytes) -> bool:
    """As a receiver does it, written from the specification and not from our code."""
    signed = sent["webhook-id"].encode() + b"." + sent["webhook-timestamp"].encode() + b"." + body
    expected = base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()
    return f"v1,{expected}" in sent["webhook-signature"].split(" ")


@given(st.binary(min_size=24, max_size=64), st.integers(0, 1 << 40), st.binary(max_size=200))
def test_a_receiver_can_verify_and_a_changed_byte_is_seen(key: bytes, at_s: int, body: bytes) -> None:
    sent = headers(key, "n1-01-ping", at_s, body)
    assert standard_webhooks_verify(key, sent, body)
    assert not standard_webhooks_verify(key, sent, body + b" ")
    assert not standard_webhooks_verify(key, {**sent, "webhook-timestamp": f"{at_s + 1}"}, body)
    assert not standard_webhooks_verify(key + b"x", sent, body)


def test_the_receivers_ten_lines_in_our_page_verify_what_we_send() -> None:
    page = Path(__file__).parents[2].joinpath("docs/api/webhooks.md").read_text(encoding="utf-8")
    (code,) = re.findall(r"```python\n(.*?)```", page, re.DOTALL)
    names: dict[str, Any] = {}
    exec(code, names)
    secret, body = HookSecret(b"k" * 32), b'{"type":"ping"}'
    now_s = int(time.time())
    sent = headers(secret.key, "n1-01-ping", now_s, body)
    assert names["verify"](secret.text, sent, body)
    assert not names["verify"](secret.text, sent, body + b" ")
    assert not names["verify"](secret.text, headers(secret.key, "n1-01-ping", now_s - 400, body), body)
    assert not names["verify"](HookSecret(b"x" * 32).text, sent, body)


def test_our_page_names_every_kind() -> None:
    page = Path(__file__).parents[2].joinpath("docs/api/webhooks.md").read_text(encoding="utf-8")
    assert [kind for kind in HOOK_EVENTS if f"| `{kind}` |" not in page] == []
    fields = {name for kind in get_args(HookEvent) for name in kind.__struct_fields__}
    assert [name for name in sorted(fields) if f"`{name}`" not in page] == []


def test_the_specifications_own_example_is_signed_alike() -> None:
    key = base64.b64decode("MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
    sent = headers(key, "msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330, b'{"test": 2432232314}')
    assert sent["webhook-signature"] == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


CAME = st.one_of(
    st.integers(100, 599).map(Answered), st.sampled_from([Unanswered("no connection"), Answered(503)])
)


@given(CAME, st.integers(1, 60), st.integers(0, 1 << 52), st.floats(0, 1, exclude_max=True))
def test_a_try_ends_as_delivered_gone_dead_or_again_within_the_hour(
    came: Answered | Unanswered, tries: int, now_us: int, dice: float
) -> None:
    match verdict(came, tries, now_us, dice):
        case Delivered():
            assert isinstance(came, Answered)
            assert came.status // 100 == 2
        case Gone():
            assert came == Answered(410)
        case Dead():
            assert tries >= retry.TRIES
        case Again(due_us, _):
            assert tries < retry.TRIES
            assert 5_000_000 <= due_us - now_us <= min(3_600_000_000, retry.LONGEST_US)


@given(st.integers(1, 40), st.floats(0, 1), st.floats(0, 1))
def test_a_later_try_never_waits_less_by_more_than_the_spread(tries: int, one: float, other: float) -> None:
    assert retry.wait_us(tries + 1, one) * (1 + retry.SPREAD) >= retry.wait_us(tries, other)


@pytest.mark.parametrize("dice", [0.0, 1.0])
def test_all_tries_together_take_about_a_day(dice: float) -> None:
    hours = sum(retry.wait_us(tries, dice) for tries in range(1, retry.TRIES)) / 3_600_000_000
    assert 20 < hours < 28


def test_a_redirect_is_no_delivery() -> None:
    results: list[Any] = [verdict(Answered(status), 1, 0, 0.0) for status in (301, 302, 307, 308)]
    assert [result.why for result in results] == ["HTTP 301", "HTTP 302", "HTTP 307", "HTTP 308"]
