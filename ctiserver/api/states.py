"""Owns what the outside sees of the floor: seats, conversations, queues, and a caller's context.

Times are UTC microseconds (`…_us`); 0 means "not yet". A value is frozen: a change is a new value.
"""

from __future__ import annotations

from enum import StrEnum

import msgspec


class SeatState(StrEnum):
    """State of a seat (座席)."""

    SIGNED_OUT = "signed_out"
    """签出: nobody sits there."""
    READY = "ready"
    """示闲: waits for a call."""
    RINGING = "ringing"
    """振铃"""
    TALKING = "talking"
    """通话"""
    HELD = "held"
    """保持: the citizen hears music."""
    CONSULTING = "consulting"
    """咨询: talks with a third party while the citizen hears music."""
    CONFERENCE = "conference"
    """三方: in a room with the citizen and a third party."""
    DIALLING = "dialling"
    """外呼: its phone or the citizen's is being rung."""
    WRAP_UP = "wrap_up"
    """话后整理"""
    NOT_READY = "not_ready"
    """示忙, with a reason."""
    PHONE_DOWN = "phone_down"
    """话机离线: signed in, but the phone is not registered."""


SEAT_STATE_ZH = {
    SeatState.SIGNED_OUT: "签出",
    SeatState.READY: "示闲",
    SeatState.RINGING: "振铃",
    SeatState.TALKING: "通话",
    SeatState.HELD: "保持",
    SeatState.CONSULTING: "咨询",
    SeatState.CONFERENCE: "三方",
    SeatState.DIALLING: "外呼",
    SeatState.WRAP_UP: "整理",
    SeatState.NOT_READY: "示忙",
    SeatState.PHONE_DOWN: "离线",
}


class Phase(StrEnum):
    """Where a conversation (通话) stands."""

    GREETING = "greeting"
    """in the IVR, before the queue"""
    DIALLING = "dialling"
    """the hotline calls the citizen"""
    QUEUED = "queued"
    RINGING = "ringing"
    """a seat rings for it"""
    TALKING = "talking"
    CONFERENCE = "conference"
    """the citizen is in a room"""
    HELD = "held"
    """the citizen hears music while the seat is elsewhere"""
    RATING = "rating"
    """评价: the seat has left, and the citizen is asked how content they are"""
    ENDED = "ended"


class Outcome(StrEnum):
    """How a conversation ended."""

    ANSWERED = "answered"
    ABANDONED_IVR = "abandoned_ivr"
    ABANDONED_QUEUE = "abandoned_queue"
    ABANDONED_RINGING = "abandoned_ringing"
    SHORT_ABANDON = "short_abandon"
    """gave up sooner than the hotline could be blamed for"""
    NOT_REACHED = "not_reached"
    """the hotline called, and the citizen did not answer"""
    OVERFLOW = "overflow"
    """溢出: as many waited as the queue lets in, and the caller was asked to call later"""
    CLOSED = "closed"
    """called outside the queue's hours"""
    SWITCH_LOST = "switch_lost"
    """the switch restarted under it"""
    MESSAGE = "message"
    """留言: left a message instead of waiting"""
    CALLBACK = "callback"
    """保位回呼: left the line by key to be called back; the place in line is kept"""


class Role(StrEnum):
    """Who a leg belongs to."""

    CITIZEN = "citizen"
    SEAT = "seat"
    THIRD_PARTY = "third_party"
    SUPERVISOR = "supervisor"
    """班长"""


class Oversight(StrEnum):
    """What a supervisor (班长) does to a seat's call, a seat or a caller."""

    LISTEN = "listen"
    """监听: hears the seat and whomever it hears; nobody hears them."""
    WHISPER = "whisper"
    """密语: the seat hears them too, and nobody else."""
    BARGE = "barge"
    """插入: everybody hears everybody."""
    TAKE_OVER = "take_over"
    """拦截: talks with the citizen in the seat's place."""
    HANG_UP = "hang_up"
    """强拆"""
    READY = "ready"
    """强制示闲"""
    NOT_READY = "not_ready"
    """强制示忙"""
    WRAP_UP = "wrap_up"
    """强制整理"""
    SIGN_OUT = "sign_out"
    """强制签出"""
    PICK = "pick"
    """指派: a waiting caller for a seat."""
    RAISE = "raise"
    """提前: a waiting caller goes to the head of the line."""
    MESSAGE = "message"
    """消息"""
    ANSWER_HAND = "answer_hand"
    """响应举手"""
    GRANT_REST = "grant_rest"
    """批准休息"""
    GRANT_REST_OVER = "grant_rest_over"
    """超额批准: although as many rested as may."""
    REFUSE_REST = "refuse_rest"
    """驳回休息"""
    CANCEL_CALLBACK = "cancel_callback"
    """取消回呼: a citizen who keeps a place in line will not be called back."""
    QUEUES = "queues"
    """调配: which queues an agent serves, until they sign out."""

    @property
    def is_heard(self) -> bool:
        """It takes a phone, and lasts."""
        return self in (Oversight.LISTEN, Oversight.WHISPER, Oversight.BARGE, Oversight.TAKE_OVER)


OVERSIGHT_ZH = {
    Oversight.LISTEN: "监听",
    Oversight.WHISPER: "密语",
    Oversight.BARGE: "插入",
    Oversight.TAKE_OVER: "拦截",
    Oversight.HANG_UP: "强拆",
    Oversight.READY: "强制示闲",
    Oversight.NOT_READY: "强制示忙",
    Oversight.WRAP_UP: "强制整理",
    Oversight.SIGN_OUT: "强制签出",
    Oversight.PICK: "指派",
    Oversight.RAISE: "提前",
    Oversight.MESSAGE: "消息",
    Oversight.ANSWER_HAND: "响应举手",
    Oversight.GRANT_REST: "批准休息",
    Oversight.GRANT_REST_OVER: "超额批准",
    Oversight.REFUSE_REST: "驳回休息",
    Oversight.CANCEL_CALLBACK: "取消回呼",
    Oversight.QUEUES: "调配",
}


class CallbackState(StrEnum):
    """Where a callback that keeps its place (保位回呼) stands."""

    WAITING = "waiting"
    """待回呼: its turn has not come, or it is between two tries."""
    CALLING = "calling"
    """回呼中: a seat's phone rings for it, then the citizen's."""
    DONE = "done"
    """已接通"""
    FAILED = "failed"
    """未接通: tried as often as the settings say; the citizen is on the missed-call list (漏接) now."""
    CANCELLED = "cancelled"
    """已取消, by a supervisor."""
    WITHDRAWN = "withdrawn"
    """市民已回到排队: they called again, or never left the line."""

    @property
    def is_open(self) -> bool:
        """The citizen will still be called."""
        return self in (CallbackState.WAITING, CallbackState.CALLING)


CALLBACK_STATE_ZH = {
    CallbackState.WAITING: "待回呼",
    CallbackState.CALLING: "回呼中",
    CallbackState.DONE: "已接通",
    CallbackState.FAILED: "未接通",
    CallbackState.CANCELLED: "已取消",
    CallbackState.WITHDRAWN: "已重新排队",
}


class LegState(StrEnum):
    """State of one leg (one channel of a conversation)."""

    RINGING = "ringing"
    TALKING = "talking"
    HELD = "held"
    """parked with music"""
    WAITING = "waiting"
    """answered, but with nobody: in the IVR, the queue, or between two places"""


class AttemptState(StrEnum):
    """State of one attempt to bring a third party in."""

    CALLING = "calling"
    RINGING = "ringing"
    ANSWERED = "answered"
    BUSY = "busy"
    NO_ANSWER = "no_answer"
    REJECTED = "rejected"
    UNREACHABLE = "unreachable"
    WITHDRAWN = "withdrawn"
    LEFT = "left"
    """was in the conversation and has left it"""

    @property
    def is_open(self) -> bool:
        """Still being called."""
        return self in (AttemptState.CALLING, AttemptState.RINGING)


ATTEMPT_STATE_ZH = {
    AttemptState.CALLING: "呼叫中",
    AttemptState.RINGING: "振铃中",
    AttemptState.ANSWERED: "已接通",
    AttemptState.BUSY: "对方占线",
    AttemptState.NO_ANSWER: "无人接听",
    AttemptState.REJECTED: "对方拒接",
    AttemptState.UNREACHABLE: "无法接通",
    AttemptState.WITHDRAWN: "已撤回",
    AttemptState.LEFT: "已离开",
}


REFUSED_AT_SWITCH_ZH = "交换机未能完成该操作"
NOT_REACHED_ZH = {
    AttemptState.BUSY: "市民占线",
    AttemptState.NO_ANSWER: "市民无人接听",
    AttemptState.REJECTED: "市民拒接",
    AttemptState.WITHDRAWN: "外呼已取消",
    AttemptState.UNREACHABLE: "市民电话无法接通",
}
"""Why an outbound call came to nothing."""
SUPERVISED_ZH = {
    Oversight.TAKE_OVER: "班长已接管该通话",
    Oversight.HANG_UP: "班长已结束该通话",
    Oversight.READY: "班长已将您示闲",
    Oversight.NOT_READY: "班长已将您示忙",
    Oversight.WRAP_UP: "班长已将您转入整理",
    Oversight.SIGN_OUT: "班长已将您签出",
    Oversight.ANSWER_HAND: "班长已看到您的举手",
    Oversight.GRANT_REST: "班长已批准您的休息",
    Oversight.GRANT_REST_OVER: "班长已批准您的休息",
    Oversight.REFUSE_REST: "班长未批准您的休息",
    Oversight.QUEUES: "班长已调整您服务的排队",
}
"""What an agent is told when a supervisor has done that; during a call it holds from the call's end."""
PHONE_NOT_REACHED_ZH = "您的话机没有接通"
SIGNED_OUT_ELSEWHERE_ZH = "您已在 {seat} 座席重新签入，本座席已签出"
MISSED_REASON = "未接"
"""Not ready because several calls in a row rang in vain; nobody can ask for it."""
MISSED_TOO_OFTEN_ZH = "连续多次来电未接，已自动示忙"


class Action(StrEnum):
    """What may be asked of a seat or a leg now; the same word is the command's `op`."""

    SIGN_OUT = "seat.sign_out"
    READY = "seat.ready"
    NOT_READY = "seat.not_ready"
    WRAP_UP = "seat.wrap_up"
    HANG_UP = "call.hang_up"
    HOLD = "call.hold"
    RETRIEVE = "call.retrieve"
    CONSULT = "call.consult"
    MERGE = "call.merge"
    COMPLETE = "call.complete"
    TRANSFER = "call.transfer"
    REQUEUE = "call.requeue"
    RATE = "call.rate"
    THREE_WAY = "call.three_way"
    EMERGENCY = "emergency.call"
    LEAVE = "call.leave"
    DROP = "call.drop"
    WITHDRAW = "call.withdraw"
    DIAL = "call.dial"
    KEYS = "call.keys"
    MUTE = "call.mute"
    UNMUTE = "call.unmute"
    PAUSE_RECORDING = "recording.pause"
    RESUME_RECORDING = "recording.resume"
    RAISE_HAND = "seat.raise_hand"
    LOWER_HAND = "seat.lower_hand"
    WITHDRAW_REST = "seat.withdraw_rest"
    SUPERVISE_LISTEN = "supervise.listen"
    SUPERVISE_WHISPER = "supervise.whisper"
    SUPERVISE_BARGE = "supervise.barge"
    SUPERVISE_STOP = "supervise.stop"
    SUPERVISE_TAKE_OVER = "supervise.take_over"
    SUPERVISE_HANG_UP = "supervise.hang_up"
    SUPERVISE_READY = "supervise.ready"
    SUPERVISE_NOT_READY = "supervise.not_ready"
    SUPERVISE_WRAP_UP = "supervise.wrap_up"
    SUPERVISE_SIGN_OUT = "supervise.sign_out"
    SUPERVISE_PICK = "supervise.pick"
    SUPERVISE_RAISE = "supervise.raise"
    SUPERVISE_MESSAGE = "supervise.message"
    SUPERVISE_ANSWER_HAND = "supervise.answer_hand"
    SUPERVISE_GRANT_REST = "supervise.grant_rest"
    SUPERVISE_GRANT_REST_OVER = "supervise.grant_rest_over"
    SUPERVISE_REFUSE_REST = "supervise.refuse_rest"
    SUPERVISE_CANCEL_CALLBACK = "supervise.cancel_callback"
    SUPERVISE_QUEUES = "supervise.queues"


class Seat(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """A seat as the pages see it. `agent` is the agent's number (工号); `since_us` when `state` began."""

    id: str
    state: SeatState
    since_us: int
    agent: str = ""
    agent_name: str = ""
    reason: str = ""
    phone_up: bool = False
    hand_us: int = 0
    """举手 since then; 0: no hand is raised."""
    rest_us: int = 0
    """申请休息 since then, for `rest_reason`, and nobody has decided; 0: nothing is asked for."""
    rest_reason: str = ""
    is_resting: bool = False
    """Rests, or will after its call, for a reason that needs approval: it counts against the limit."""
    is_muted: bool = False
    next_state: str = ""
    """Asked for during a call, to hold after it; "" for what always follows (整理)."""
    next_reason: str = ""
    conversation: str = ""
    queues: tuple[str, ...] = ()
    """The queues that it serves, by number."""
    penalties: tuple[int, ...] = ()
    """Of each of `queues`: of a queue's free seats those with the lowest ring."""
    is_assigned: bool = False
    """调配: a supervisor has said which queues, until the agent signs out."""
    actions: tuple[Action, ...] = ()
    supervise: tuple[Action, ...] = ()
    """What a supervisor may do to it now; nobody else is shown this."""


class Participant(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """One leg. `label`: the citizen's number, the seat's id, the third party's or the supervisor's name."""

    leg: str
    role: Role
    label: str
    state: LegState
    since_us: int
    is_on_hold: bool = False
    """The phone itself has put the call on hold (话机保持)."""
    actions: tuple[Action, ...] = ()
    phone: str = ""
    """Of a supervisor: their phone; of everybody else "" """
    watches: str = ""
    """Of a supervisor: the seat whose call it is."""
    oversight: str = ""
    """Of a supervisor: listen, whisper, barge or take_over (`Oversight`)."""
    is_hidden: bool = False
    """Supervisors alone are shown this one."""


class Attempt(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """One third party called for a conversation: `n` counts from 1 within it."""

    n: int
    number: str
    label: str
    state: AttemptState
    asked_us: int
    is_emergency: bool = False
    seat: str = ""
    """The seat that is called; "" for somebody outside."""
    actions: tuple[Action, ...] = ()


class Conversation(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """One citizen's contact from first ring to the last; `id` is node and citizen's Uniqueid."""

    id: str
    number: str
    name: str
    dnis: str
    phase: Phase
    started_us: int
    label: str = ""
    """What agents see of a merged line (并入热线) that was dialled: "经12319并入"."""
    queue: str = ""
    """The queue that it waits or waited in, by number; "" before the first."""
    waited_before_ms: int = 0
    """How long they had waited in earlier calls that they gave up, lately: they came first for it."""
    queued_us: int = 0
    answered_us: int = 0
    is_outbound: bool = False
    """The hotline called the citizen (外呼)."""
    is_callback: bool = False
    """保位回呼: it calls the citizen whose place in line since `queued_us` was kept."""
    is_recording_paused: bool = False
    is_raised: bool = False
    """提前: a supervisor has put the waiting caller at the head of the line."""
    seats: tuple[str, ...] = ()
    """Seats that ring or talk in it now."""
    participants: tuple[Participant, ...] = ()
    attempts: tuple[Attempt, ...] = ()
    supervise: tuple[Action, ...] = ()
    """What a supervisor may do about it now; nobody else is shown this."""


class Queue(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """One queue's figures. Counters are the day's, from midnight in Shanghai.

    `name` is the queue's number, `title` what people call it. A seat that serves several counts in each.
    """

    name: str
    title: str = ""
    waiting: int = 0
    oldest_us: int = 0
    """When the longest waiting caller joined; 0 when nobody waits."""
    signed_in: int = 0
    ready: int = 0
    talking: int = 0
    answered: int = 0
    in_time: int = 0
    """answered within the service level"""
    abandoned: int = 0
    short_abandoned: int = 0
    overflow: int = 0
    """turned away because too many waited"""
    closed: int = 0
    """turned away outside its hours"""
    callbacks: int = 0
    """保位回呼: citizens who keep a place in it and will be called back; not counted in `waiting`"""


class Callback(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """保位回呼: a citizen who left a queue by key and will be called back when their turn comes.

    `id` is the conversation in which they asked for it; supervisors alone are shown callbacks.
    """

    id: str
    number: str
    queue: str
    since_us: int
    """Since when they count as waiting: when they joined the queue, less what they had waited before."""
    asked_us: int
    state: CallbackState = CallbackState.WAITING
    tries: int = 0
    """How often their phone has rung in vain."""
    not_before_us: int = 0
    """After a vain try: not called again sooner."""
    seat: str = ""
    """The seat that calls them now."""
    supervise: tuple[Action, ...] = ()
    """What a supervisor may do about it now."""


class Contact(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """An earlier conversation of the same number."""

    conversation: str
    at_us: int
    outcome: str
    agent: str
    talk_ms: int


class CaseBrief(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """A case (工单) of the same number, in one line."""

    id: str
    number: str
    title: str
    state: str
    unit: str
    opened_us: int


class CallerContext(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """What an agent should know before picking up: who calls, from where, how long they waited, what came
    before.
    """

    conversation: str
    number: str
    """as it came; empty when withheld"""
    masked: str
    place: str = ""
    carrier: str = ""
    is_withheld: bool = False
    name: str = ""
    """caller-id name exactly as it came"""
    dnis: str = ""
    label: str = ""
    """What agents see of a merged line (并入热线) that was dialled."""
    started_us: int = 0
    queued_us: int = 0
    way: str = ""
    """Their way through the IVR in words, "" when it says nothing: 查询案件 20261124-0001，12 秒后按 0."""
    waited_before_ms: int = 0
    """How long they had waited in earlier calls that they gave up, lately."""
    is_callback: bool = False
    """保位回呼: the hotline calls them; they have kept their place in line since `queued_us`."""
    passed_from: str = ""
    """转队列: the queue, by number, from which a seat passed them on; "" when none did."""
    waited_ms: int = 0
    """Of one who was passed on: how long they had waited before a seat first answered."""
    contacts: tuple[Contact, ...] = ()
    cases: tuple[CaseBrief, ...] = ()
    is_complete: bool = False
    """False: the database has not answered yet (or is down); an update may follow."""
