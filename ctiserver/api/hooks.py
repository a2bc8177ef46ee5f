"""Owns what integrators' webhooks (回调) are sent: one JSON object for each event, told apart by `type`.

Times are RFC 3339 in UTC with microseconds, durations milliseconds. `id` is made of the journal's entry and
the type: a repeat has the same one. docs/api/webhooks.md is the page for integrators.
"""

from __future__ import annotations

import msgspec

from ctiserver.api.states import AttemptState, Outcome

MISSED = frozenset(
    {Outcome.ABANDONED_IVR, Outcome.ABANDONED_QUEUE, Outcome.ABANDONED_RINGING, Outcome.SHORT_ABANDON}
)
"""Outcomes of a call that nobody answered (漏接)."""


class _Hook(msgspec.Struct, frozen=True, kw_only=True, tag_field="type", gc=False):
    id: str
    at: str
    node: str
    """Which hotline it happened at."""


class _CallHook(_Hook, frozen=True, kw_only=True, gc=False):
    conversation: str
    """Node and citizen's Uniqueid; the same in every event of one call."""
    dialled: str
    """The number that the citizen dialled (DNIS)."""
    number: str | msgspec.UnsetType = msgspec.UNSET
    """The citizen's number as it came, "" when withheld; absent unless the webhook is to have numbers."""


class OfferedHook(_CallHook, frozen=True, kw_only=True, tag="call.offered", gc=False):
    """The citizen joined a queue; again when the call comes back to one."""

    queue: str


class AnsweredHook(_CallHook, frozen=True, kw_only=True, tag="call.answered", gc=False):
    """A seat and the citizen talk; again when another seat takes over."""

    queue: str
    seat: str
    agent: str
    wait_ms: int
    """From joining the queue to the first answer."""


class ThirdParty(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One third party (第三方) called for the conversation; `n` counts from 1 within it."""

    n: int
    number: str
    label: str
    """Its name in the directory."""
    state: AttemptState


class ThreeWayHook(_CallHook, frozen=True, kw_only=True, tag="call.three_way", gc=False):
    """A third party is called, or came to another state. Emergency services too."""

    seat: str
    agent: str
    third: ThirdParty


class EndedHook(_CallHook, frozen=True, kw_only=True, tag="call.ended", gc=False):
    """The citizen is gone. `seat` and `agent`: the last who talked, "" when nobody did."""

    queue: str
    seat: str
    agent: str
    outcome: Outcome
    wait_ms: int
    talk_ms: int
    is_seen: bool
    """False: it ended while the CTI server did not look; time and outcome are Asterisk's own account."""
    rating: int | None = None
    """评价: 1 very content to 5 very discontent; 0: asked in vain; null: not asked."""


class MissedHook(_CallHook, frozen=True, kw_only=True, tag="call.missed", gc=False):
    """The citizen gave up before anybody answered. `call.ended` comes as well."""

    queue: str
    outcome: Outcome
    wait_ms: int


class HookCase(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """An open case (工单) of the caller, in one line."""

    number: str
    title: str
    unit: str
    opened: str


class EmergencyCalledHook(_Hook, frozen=True, kw_only=True, tag="emergency.called", gc=False):
    """A seat calls 110, 119, 120 or 122 for the citizen: what the emergency centre should know at once."""

    conversation: str
    dialled: str
    number: str
    """The citizen's, as it came; "" when withheld."""
    place: str
    """The number's home place (归属地); "" when unknown."""
    carrier: str
    queue: str
    queued: str
    """When the citizen first joined a queue; "" when never."""
    wait_ms: int
    seat: str
    agent: str
    third: ThirdParty
    cases: tuple[HookCase, ...]
    """The number's open cases, newest first, at most five."""
    has_cases: bool
    """False: the database did not answer within a second, so that `cases` is empty for want of knowledge."""


class EmergencyChangedHook(_Hook, frozen=True, kw_only=True, tag="emergency.changed", gc=False):
    """The emergency service that was called came to another state: it rings, answered, left, …"""

    conversation: str
    dialled: str
    number: str
    seat: str
    agent: str
    third: ThirdParty


class _CaseHook(_Hook, frozen=True, kw_only=True, gc=False):
    case: str
    """The case's id; `/api/v1/cases/{case}` has all that the token may see of it."""
    seq: int
    """The entry's place in the case's history, from 1: what has a higher one came later."""
    number: str
    """What the citizen is told: 20261124-0001."""
    move: str
    """Which move it was: dispatch, grant_return, …"""
    label: str
    """The move in Chinese."""
    state: str
    unit: str
    due: str
    """When the unit must have replied; "" when its time does not run."""
    is_late: bool
    actor: str
    """The number (工号) or the system's name."""
    kind: str
    topic: str
    title: str | msgspec.UnsetType = msgspec.UNSET
    """Absent, as `reason`, unless the webhook is to have words, and always of a secret case."""
    reason: str | msgspec.UnsetType = msgspec.UNSET
    citizen: str | msgspec.UnsetType = msgspec.UNSET
    """The citizen's number; absent unless the webhook is to have numbers, and always of a secret case."""


class CaseFiledHook(_CaseHook, frozen=True, kw_only=True, tag="case.filed", gc=False):
    """A case was taken in (受理) and has its number."""


class CaseDispatchedHook(_CaseHook, frozen=True, kw_only=True, tag="case.dispatched", gc=False):
    """`unit` has it now: sent out (转办), passed down, or given to another after a return."""


class CaseAcceptedHook(_CaseHook, frozen=True, kw_only=True, tag="case.accepted", gc=False):
    """The unit has signed for it (签收)."""


class CaseRepliedHook(_CaseHook, frozen=True, kw_only=True, tag="case.replied", gc=False):
    """The unit has replied (反馈)."""


class CaseReviewedHook(_CaseHook, frozen=True, kw_only=True, tag="case.reviewed", gc=False):
    """The reply was reviewed (审核): passed, or sent back for rework, as `move` says."""


class CaseVisitedHook(_CaseHook, frozen=True, kw_only=True, tag="case.visited", gc=False):
    """The citizen was visited back (回访), or not reached."""


class CaseClosedHook(_CaseHook, frozen=True, kw_only=True, tag="case.closed", gc=False):
    """It came to its end (办结), in whatever way."""


class CaseOverdueHook(_CaseHook, frozen=True, kw_only=True, tag="case.overdue", gc=False):
    """The unit's time is over (逾期)."""


class CaseChangedHook(_CaseHook, frozen=True, kw_only=True, tag="case.changed", gc=False):
    """Any other move: asked for a return, urged, supervised, warned, …"""


class EmergencyCaseHook(_Hook, frozen=True, kw_only=True, tag="emergency.case", gc=False):
    """What the agent wrote down of a citizen who was put through to 110, 119, 120 or 122, before or after it.

    It is handed over whole, also of a secret case: whoever comes to help must know whom and where.
    """

    conversation: str
    """By it the call, and its recording, are known to both sides."""
    n: int
    service: str
    """The number that was called."""
    number: str
    """The citizen's, as it is called back; "" when withheld."""
    place: str
    """The number's home place (归属地); "" when unknown."""
    carrier: str
    case: str
    case_number: str
    kind: str
    topic: str
    title: str
    text: str
    address: str
    """Where it is, as the agent wrote it down."""


class PingHook(_Hook, frozen=True, kw_only=True, tag="ping", gc=False):
    """Nothing happened: an operator tries the way (`hotline hooks test`)."""


CallHook = (
    OfferedHook
    | AnsweredHook
    | ThreeWayHook
    | EndedHook
    | MissedHook
    | EmergencyCalledHook
    | EmergencyChangedHook
)
"""What happened in a call."""

CaseHook = (
    CaseFiledHook
    | CaseDispatchedHook
    | CaseAcceptedHook
    | CaseRepliedHook
    | CaseReviewedHook
    | CaseVisitedHook
    | CaseClosedHook
    | CaseOverdueHook
    | CaseChangedHook
)
"""What happened to a case."""

HookEvent = CallHook | CaseHook | EmergencyCaseHook | PingHook


def kind_of(event: HookEvent) -> str:
    """The event's `type`: call.offered, …"""
    return str(event.__struct_config__.tag)


def without_number(event: CallHook) -> CallHook:
    """What a webhook gets that is not to have citizens' numbers. An emergency keeps them."""
    if isinstance(event, EmergencyCalledHook | EmergencyChangedHook):
        return event
    return msgspec.structs.replace(event, number=msgspec.UNSET)
