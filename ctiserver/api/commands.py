"""Owns what clients may ask, on whose behalf, and the names under which the server refuses."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

import msgspec


class Actor(msgspec.Struct, frozen=True, kw_only=True):
    """Who asks: a person with a role, at a seat ("" for none). Comes from the push token, never from the
    message.
    """

    person: str
    name: str
    role: str
    seat: str = ""


class SignIn(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag="seat.sign_in", tag_field="op"):
    """签入: take the actor's seat. The seat starts not ready (示忙), reason 签入, unless `ready`.

    Who sits elsewhere already is refused; with `force` (顶号) they are signed out there, and that place is
    told.
    """

    ready: bool = False
    force: bool = False


class SignOut(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag="seat.sign_out", tag_field="op"):
    """签出: leave the seat. Refused in a call."""


class Ready(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag="seat.ready", tag_field="op"):
    """示闲. During a call: takes effect after it, instead of wrap-up. In wrap-up: ends it."""


class NotReady(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag="seat.not_ready", tag_field="op"):
    """示忙 with one of the configured reasons. During a call: takes effect after it.

    For a reason that needs approval (`rest.reasons`) it only asks: a supervisor grants or refuses the rest.
    """

    reason: str


class WrapUp(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag="seat.wrap_up", tag_field="op"):
    """话后整理 without a call before it (late notes)."""


class ThreeWay(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag="call.three_way", tag_field="op"):
    """三方: bring somebody in. Just one of: `number` (of the directory, or one that agents may call), `seat`,
    or `agent` (工号; wherever they sit).
    """

    number: str = ""
    seat: str = ""
    agent: str = ""


class EmergencyCall(
    msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag="emergency.call", tag_field="op"
):
    """Bring 110, 119, 120 or 122 in, without confirmation."""

    number: str


class Hold(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag="call.hold", tag_field="op"):
    """保持: the citizen hears music; a third party who was there stays with the seat."""


class Retrieve(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag="call.retrieve", tag_field="op"):
    """取回: talk with the citizen again; a third party who was consulted hears music meanwhile."""


class Consult(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag="call.consult", tag_field="op"):
    """咨询: call somebody (as in `ThreeWay`) while the citizen hears music."""

    number: str = ""
    seat: str = ""
    agent: str = ""


class Merge(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag="call.merge", tag_field="op"):
    """转三方: bring citizen, seat and the consulted party together."""


class Complete(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag="call.complete", tag_field="op"):
    """完成转接: citizen and the consulted party talk on; the seat leaves."""


class Transfer(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag="call.transfer", tag_field="op"):
    """盲转: the seat leaves at once, the citizen waits for whom it names (as in `ThreeWay`); back to the
    queue if they do not come. With `queue` (转队列) instead: they wait there, before those not yet answered.
    """

    number: str = ""
    seat: str = ""
    agent: str = ""
    queue: str = ""


class Dial(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag="call.dial", tag_field="op"):
    """外呼: call a citizen, who sees the hotline's number. The seat's own phone rings first. `about`: the
    conversation that this call answers (回拨), or the case that it asks after (回访); "" for neither.
    """

    number: str
    about: str = ""


class Keys(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag="call.keys", tag_field="op"):
    """按键: send keys (DTMF) to a third party, say to its menu; `leg` "" is whoever came last."""

    digits: str
    leg: str = ""


class Mute(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag="call.mute", tag_field="op"):
    """静音: nobody hears the seat."""


class Unmute(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag="call.unmute", tag_field="op"):
    """取消静音: the seat is heard again."""


class PauseRecording(
    msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag="recording.pause", tag_field="op"
):
    """暂停录音, while an identity number is spoken. It goes on by itself when the seat leaves."""


class ResumeRecording(
    msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag="recording.resume", tag_field="op"
):
    """恢复录音: what is said is kept again."""


class RaiseHand(
    msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag="seat.raise_hand", tag_field="op"
):
    """举手: ask the supervisors for help."""


class LowerHand(
    msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag="seat.lower_hand", tag_field="op"
):
    """放下: no help is needed any more."""


class WithdrawRest(
    msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag="seat.withdraw_rest", tag_field="op"
):
    """撤回休息申请: the rest that was asked for is not wanted any more."""


PhoneSecret = Annotated[str, msgspec.Meta(pattern="^[0-9a-f]{32}$")]
"""A password that a page has made: 128 random bits."""


class OpenPhone(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag="seat.phone", tag_field="op"):
    """网页话机: until the agent leaves the seat, the phone in the page registers with this secret."""

    secret: PhoneSecret


class TakeUp(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag="call.take_up", tag_field="op"):
    """接回: the page with the seat's phone was loaded anew, and its sound is gone. The phone rings again for
    the same call, and the citizen waits until it answers; if it does not, they are first in line.
    """


class Requeue(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag="call.requeue", tag_field="op"):
    """转回排队: the citizen goes to the head of the queue, for another seat."""


class Rate(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag="call.rate", tag_field="op"):
    """转评价: everybody but the citizen leaves, and the citizen is asked how content they are."""


class HangUp(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag="call.hang_up", tag_field="op"):
    """End the conversation for everyone."""


class Leave(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag="call.leave", tag_field="op"):
    """The seat leaves the room; citizen and third party talk on."""


class Drop(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag="call.drop", tag_field="op"):
    """Take one third party out of the room."""

    leg: str


class Withdraw(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag="call.withdraw", tag_field="op"):
    """Stop calling a third party who has not answered yet: attempt `n`."""

    n: int


class _Supervising(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A supervisor's command; `why` is kept with the record."""

    why: str = ""


class SuperviseListen(_Supervising, frozen=True, kw_only=True, tag="supervise.listen", tag_field="op"):
    """监听: the actor's phone rings, and hears the seat and whomever the seat hears. Nobody hears the actor.

    While one of the three runs, another switches to it."""

    seat: str


class SuperviseWhisper(_Supervising, frozen=True, kw_only=True, tag="supervise.whisper", tag_field="op"):
    """密语: as `SuperviseListen`, and the seat hears the actor."""

    seat: str


class SuperviseBarge(_Supervising, frozen=True, kw_only=True, tag="supervise.barge", tag_field="op"):
    """插入: everybody in the seat's call hears everybody."""

    seat: str


class SuperviseStop(_Supervising, frozen=True, kw_only=True, tag="supervise.stop", tag_field="op"):
    """停止: the actor's phone leaves the call."""


class SuperviseTakeOver(_Supervising, frozen=True, kw_only=True, tag="supervise.take_over", tag_field="op"):
    """拦截: the actor's phone talks with the citizen, the seat leaves and goes to wrap-up."""

    seat: str


class SuperviseHangUp(_Supervising, frozen=True, kw_only=True, tag="supervise.hang_up", tag_field="op"):
    """强拆: end the seat's conversation for everyone."""

    seat: str


class SuperviseReady(_Supervising, frozen=True, kw_only=True, tag="supervise.ready", tag_field="op"):
    """强制示闲. This and the next three take effect after a call that is under way."""

    seat: str


class SuperviseNotReady(_Supervising, frozen=True, kw_only=True, tag="supervise.not_ready", tag_field="op"):
    """强制示忙 with one of the configured reasons."""

    seat: str
    reason: str


class SuperviseWrapUp(_Supervising, frozen=True, kw_only=True, tag="supervise.wrap_up", tag_field="op"):
    """强制整理: the seat needs time for its notes."""

    seat: str


class SuperviseSignOut(_Supervising, frozen=True, kw_only=True, tag="supervise.sign_out", tag_field="op"):
    """强制签出: the seat takes no more calls."""

    seat: str


class SupervisePick(_Supervising, frozen=True, kw_only=True, tag="supervise.pick", tag_field="op"):
    """指派: the waiting caller rings that seat; if it does not answer, they are first in line again."""

    conversation: str
    seat: str


class SuperviseRaise(_Supervising, frozen=True, kw_only=True, tag="supervise.raise", tag_field="op"):
    """提前: the waiting caller goes to the head of the line, behind emergencies."""

    conversation: str


class SuperviseMessage(_Supervising, frozen=True, kw_only=True, tag="supervise.message", tag_field="op"):
    """消息 for a seat's page, or for all with `seat` ""."""

    text: str
    seat: str = ""


class SuperviseAnswerHand(
    _Supervising, frozen=True, kw_only=True, tag="supervise.answer_hand", tag_field="op"
):
    """响应举手: the hand goes down, and the agent is told that it was seen."""

    seat: str


class SuperviseGrantRest(_Supervising, frozen=True, kw_only=True, tag="supervise.grant_rest", tag_field="op"):
    """批准休息: at once, or from the end of a call under way. Refused while as many rest as may."""

    seat: str


class SuperviseGrantRestOver(
    _Supervising, frozen=True, kw_only=True, tag="supervise.grant_rest_over", tag_field="op"
):
    """超额批准: although as many rest as may; not without `why`."""

    seat: str


class SuperviseRefuseRest(
    _Supervising, frozen=True, kw_only=True, tag="supervise.refuse_rest", tag_field="op"
):
    """驳回休息: the seat goes on as it was."""

    seat: str


class SuperviseCancelCallback(
    _Supervising, frozen=True, kw_only=True, tag="supervise.cancel_callback", tag_field="op"
):
    """取消回呼: the citizen who asked for it in that conversation will not be called back."""

    conversation: str


Penalty = Annotated[int, msgspec.Meta(ge=0, le=9)]
"""Of a queue's free seats those with the lowest ring."""


class SuperviseQueues(_Supervising, frozen=True, kw_only=True, tag="supervise.queues", tag_field="op"):
    """调配: until they sign out, the seat's agent serves these queues (number -> penalty), whatever their
    skills say or come to say; with none, what their skills say.
    """

    seat: str
    queues: dict[str, Penalty] = {}


SeatCommand = SignIn | SignOut | Ready | NotReady | WrapUp | RaiseHand | LowerHand | WithdrawRest | OpenPhone
CallCommand = (
    Keys
    | Mute
    | Unmute
    | PauseRecording
    | ResumeRecording
    | ThreeWay
    | EmergencyCall
    | Hold
    | Retrieve
    | Consult
    | Merge
    | Complete
    | Transfer
    | Requeue
    | TakeUp
    | Rate
    | HangUp
    | Leave
    | Drop
    | Withdraw
)
SuperviseCommand = (
    SuperviseListen
    | SuperviseWhisper
    | SuperviseBarge
    | SuperviseStop
    | SuperviseTakeOver
    | SuperviseHangUp
    | SuperviseReady
    | SuperviseNotReady
    | SuperviseWrapUp
    | SuperviseSignOut
    | SupervisePick
    | SuperviseRaise
    | SuperviseMessage
    | SuperviseAnswerHand
    | SuperviseGrantRest
    | SuperviseGrantRestOver
    | SuperviseRefuseRest
    | SuperviseCancelCallback
    | SuperviseQueues
)
Command = SeatCommand | CallCommand | Dial | SuperviseCommand


class Code(StrEnum):
    """Why a command is refused or a message cannot be understood."""

    BAD_MESSAGE = "bad_message"
    UNKNOWN_OP = "unknown_op"
    NOT_ALLOWED = "not_allowed"
    NO_SEAT = "no_seat"
    SEAT_TAKEN = "seat_taken"
    AGENT_ELSEWHERE = "agent_elsewhere"
    AGENT_IN_CALL = "agent_in_call"
    NOT_SIGNED_IN = "not_signed_in"
    IN_CALL = "in_call"
    SEAT_NOT_TALKING = "seat_not_talking"
    UNKNOWN_REASON = "unknown_reason"
    BAD_NUMBER = "bad_number"
    ONE_TARGET = "one_target"
    SEAT_UNAVAILABLE = "seat_unavailable"
    BAD_KEYS = "bad_keys"
    THIRD_PARTY_PENDING = "third_party_pending"
    NO_THIRD_PARTY = "no_third_party"
    NO_SUCH_LEG = "no_such_leg"
    ALREADY_HELD = "already_held"
    NOT_HELD = "not_held"
    NOT_CONSULTING = "not_consulting"
    NO_PHONE = "no_phone"
    NO_SOFTPHONE = "no_softphone"
    PHONE_BUSY = "phone_busy"
    NOT_SUPERVISING = "not_supervising"
    NOT_WAITING = "not_waiting"
    NO_TEXT = "no_text"
    NO_HAND = "no_hand"
    NO_REST = "no_rest"
    REST_LIMIT = "rest_limit"
    NO_WHY = "no_why"
    NO_CALLBACK = "no_callback"
    NO_QUEUE = "no_queue"
    OUTBOUND_QUOTA = "outbound_quota"
    NUMBER_QUOTA = "number_quota"
    SWITCH_DOWN = "switch_down"
    SWITCH_REFUSED = "switch_refused"
    TOO_FAST = "too_fast"


REFUSAL_ZH = {
    Code.BAD_MESSAGE: "无法识别的请求",
    Code.UNKNOWN_OP: "没有这个操作",
    Code.NOT_ALLOWED: "您的角色不能执行此操作",
    Code.NO_SEAT: "没有这个座席",
    Code.SEAT_TAKEN: "该座席已有话务员签入",
    Code.AGENT_ELSEWHERE: "您已在其他座席签入",
    Code.AGENT_IN_CALL: "您在其他座席的通话尚未结束",
    Code.NOT_SIGNED_IN: "请先签入座席",
    Code.IN_CALL: "通话中不能执行此操作",
    Code.SEAT_NOT_TALKING: "当前没有通话",
    Code.UNKNOWN_REASON: "示忙原因不在列表中",
    Code.BAD_NUMBER: "号码不正确或不允许呼叫",
    Code.ONE_TARGET: "请指定一个号码、座席、工号或排队",
    Code.SEAT_UNAVAILABLE: "该座席未签入、正在通话或话机离线",
    Code.BAD_KEYS: "按键只能是数字、* 和 #，最多 32 个",
    Code.THIRD_PARTY_PENDING: "正在呼叫第三方，请先等待或撤回",
    Code.NO_THIRD_PARTY: "没有第三方在通话中，离开会使市民无人应答",
    Code.NO_SUCH_LEG: "该参与方已不在通话中",
    Code.ALREADY_HELD: "市民已在保持中",
    Code.NOT_HELD: "市民没有被保持",
    Code.NOT_CONSULTING: "没有正在咨询的第三方",
    Code.NO_PHONE: "请先选择您的班长话机",
    Code.NO_SOFTPHONE: "本座席使用桌面话机，不用网页话机",
    Code.PHONE_BUSY: "您的话机正在振铃或正在另一通话中，请先停止",
    Code.NOT_SUPERVISING: "您的话机没有在监听",
    Code.NOT_WAITING: "该来电已不在排队中",
    Code.NO_TEXT: "请填写消息内容",
    Code.NO_HAND: "该座席没有举手",
    Code.NO_REST: "没有待批的休息申请",
    Code.REST_LIMIT: "在休人数已达上限；确需批准，请点开该座席，写明原因后选“超额批准”",
    Code.NO_WHY: "请写明原因",
    Code.NO_CALLBACK: "该回呼已完成或已取消",
    Code.NO_QUEUE: "没有这个排队",
    Code.OUTBOUND_QUOTA: "您今天的外呼次数已达上限，明日零点恢复",
    Code.NUMBER_QUOTA: "今天呼叫该号码的次数已达上限，明日零点恢复",
    Code.SWITCH_DOWN: "与交换机的连接中断，请稍候；话机仍可使用",
    Code.SWITCH_REFUSED: "交换机拒绝了该操作",
    Code.TOO_FAST: "操作过于频繁",
}


class Refusal(msgspec.Struct, frozen=True):
    """The answer to a command that cannot be done; `message` is for the agent, in Chinese."""

    code: Code
    message: str


def refuse(code: Code) -> Refusal:
    """The refusal of that name with its message."""
    return Refusal(code, REFUSAL_ZH[code])


class Request(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One client message. `id` is echoed in the answer; `key` makes a repeated command harmless
    (idempotency key).
    """

    id: int
    op: str
    args: msgspec.Raw = msgspec.Raw(b"{}")
    key: str = ""
