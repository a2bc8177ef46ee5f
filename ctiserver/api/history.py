"""Owns the domain events that are kept for ever: what the journal holds and every figure is derived from.

Times are UTC microseconds, durations milliseconds from the monotonic clock. `conversation` is node and
citizen's Uniqueid.
"""

from __future__ import annotations

import msgspec

from ctiserver.api.states import AttemptState, CallbackState, Outcome, Oversight, SeatState


class CallStarted(msgspec.Struct, frozen=True, kw_only=True, tag="call_started", gc=False):
    """A citizen's channel appeared, or an agent calls one (`is_outbound`). `number` and `name` as they came.

    `about`: the conversation that an outbound call answers, "" for none.
    """

    conversation: str
    at_us: int
    uid: str
    number: str
    name: str
    dnis: str
    is_outbound: bool = False
    seat: str = ""
    agent: str = ""
    """Who makes an outbound call."""
    about: str = ""
    is_promised: bool = False
    """The hotline makes it, for a citizen who keeps a place in line (保位回呼)."""


class CallQueued(msgspec.Struct, frozen=True, kw_only=True, tag="call_queued", gc=False):
    """The citizen joined a queue. `waited_before_ms`: in calls that they gave up lately, for which they come
    first now; told once, 0 for all others.
    """

    conversation: str
    at_us: int
    queue: str
    waited_before_ms: int = 0


class IvrPassed(msgspec.Struct, frozen=True, kw_only=True, tag="ivr_passed", gc=False):
    """The citizen left the IVR. `path`: their way through it (`ctiserver.api.way`); `failure`: why the IVR
    did not lead them on by itself (`unreachable`, `late`, `broken`), "" when it did.
    """

    conversation: str
    at_us: int
    path: str
    failure: str = ""


class SeatRang(msgspec.Struct, frozen=True, kw_only=True, tag="seat_rang", gc=False):
    """A seat began to ring for the citizen, and its screen popped."""

    conversation: str
    at_us: int
    seat: str
    agent: str
    leg: str


class SeatMissed(msgspec.Struct, frozen=True, kw_only=True, tag="seat_missed", gc=False):
    """The seat rang and did not pick up."""

    conversation: str
    at_us: int
    seat: str
    agent: str
    leg: str


class CallAnswered(msgspec.Struct, frozen=True, kw_only=True, tag="call_answered", gc=False):
    """A seat and the citizen talk, for the first time or again after another seat."""

    conversation: str
    at_us: int
    seat: str
    agent: str
    leg: str
    wait_ms: int


class ThirdPartyCalled(msgspec.Struct, frozen=True, kw_only=True, tag="third_party_called", gc=False):
    """A seat asked for a third party."""

    conversation: str
    at_us: int
    n: int
    number: str
    label: str
    is_emergency: bool
    seat: str
    agent: str
    called_seat: str = ""
    """The seat that is called; "" for somebody outside."""


class ThirdPartyChanged(msgspec.Struct, frozen=True, kw_only=True, tag="third_party_changed", gc=False):
    """The attempt `n` came to `state`."""

    conversation: str
    at_us: int
    n: int
    state: AttemptState


class RecordingPaused(msgspec.Struct, frozen=True, kw_only=True, tag="recording_paused", gc=False):
    """A seat had the recording paused (暂停录音)."""

    conversation: str
    at_us: int
    seat: str
    agent: str


class RecordingResumed(msgspec.Struct, frozen=True, kw_only=True, tag="recording_resumed", gc=False):
    """The recording goes on. `seat` "" when it went on by itself."""

    conversation: str
    at_us: int
    seat: str
    agent: str


class SeatLeft(msgspec.Struct, frozen=True, kw_only=True, tag="seat_left", gc=False):
    """A seat that had talked left the conversation."""

    conversation: str
    at_us: int
    seat: str
    agent: str
    leg: str
    talk_ms: int


class CallEnded(msgspec.Struct, frozen=True, kw_only=True, tag="call_ended", gc=False):
    """The citizen is gone. `is_seen` False: it ended while the CTI server did not look; time and outcome
    are Asterisk's (CEL). `queue`: the one that turned the caller away (overflow, closed), else "".

    `rating` (评价): 1 very content to 5 very discontent, 0 asked in vain, None not asked. `has_remark`: they
    spoke after it.
    """

    conversation: str
    at_us: int
    outcome: Outcome
    wait_ms: int
    talk_ms: int
    is_seen: bool = True
    queue: str = ""
    rating: int | None = None
    has_remark: bool = False


class SeatChanged(msgspec.Struct, frozen=True, kw_only=True, tag="seat_changed", gc=False):
    """A seat came to a state (with its reason)."""

    seat: str
    at_us: int
    agent: str
    state: SeatState
    reason: str = ""


class Supervised(msgspec.Struct, frozen=True, kw_only=True, tag="supervised", gc=False):
    """A supervisor did `what` to `seat` (where `agent` sat) or to a caller; "" where there is none.

    What lasts (listening and its like) is told twice: when it begins, and with `until_us` when it ends. Both
    have the same `leg` and `at_us`.
    """

    at_us: int
    person: str
    what: Oversight
    conversation: str = ""
    seat: str = ""
    agent: str = ""
    detail: str = ""
    """The reason of a not-ready, the text of a message, queues with their penalties ("12345:0 12346:1")."""
    why: str = ""
    leg: str = ""
    until_us: int = 0


class CallbackAsked(msgspec.Struct, frozen=True, kw_only=True, tag="callback_asked", gc=False):
    """保位回呼: a citizen asked by key to be called back. `since_us`: from when on they count as waiting."""

    conversation: str
    at_us: int
    queue: str
    number: str
    since_us: int
    caller: str = ""
    """Where they called from; empty in what older versions wrote, which knew no other number."""


class CallbackChanged(msgspec.Struct, frozen=True, kw_only=True, tag="callback_changed", gc=False):
    """The callback asked for in `conversation` came to `state`.

    `call`: the conversation that calls the citizen, now or last. `tries` and `not_before_us` as they stand.
    """

    conversation: str
    at_us: int
    state: CallbackState
    call: str = ""
    seat: str = ""
    agent: str = ""
    tries: int = 0
    not_before_us: int = 0
    person: str = ""
    """The supervisor who cancelled it."""


History = (
    CallStarted
    | CallQueued
    | IvrPassed
    | SeatRang
    | SeatMissed
    | CallAnswered
    | ThirdPartyCalled
    | ThirdPartyChanged
    | RecordingPaused
    | RecordingResumed
    | SeatLeft
    | CallEnded
    | SeatChanged
    | Supervised
    | CallbackAsked
    | CallbackChanged
)
