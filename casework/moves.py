"""Owns the moves of a case (工单流转): what can be asked, by whom, in which states, by which rule. Pure."""

from __future__ import annotations

import re
from enum import Enum, auto

import msgspec

from casework.deadlines import Light, ProfileName
from casework.words import AT_UNIT, PLATFORM, CaseState, Level, OutOfScope, Part, Satisfaction, Trigger


class Actor(msgspec.Struct, frozen=True):
    """Who moves: the person's number (工号), as what they act, and for which unit."""

    number: str
    part: Part
    unit: str = PLATFORM


class _Move(
    msgspec.Struct,
    frozen=True,
    kw_only=True,
    tag_field="move",
    tag=lambda name: re.sub(r"(?<=[a-z])(?=[A-Z])", "_", name).lower(),
):
    """What every move has. `reason` is in words and never empty."""

    actor: Actor
    reason: str


class Answer(_Move, frozen=True):
    """直接答复: the question is answered on the spot; `reason` is the answer."""


class TurnAway(_Move, frozen=True):
    """不予受理: none of the platform's matters; `way` is the way out that the agent read to the citizen."""

    ground: OutOfScope
    way: str


class Dispatch(_Move, frozen=True):
    """转办: to a leading unit (主办) and assisting ones (协办), with deadlines."""

    unit: str
    profile: ProfileName
    assisting: tuple[str, ...] = ()
    is_first_assigned: bool = False
    """首办负责: responsibility is disputed; this unit works first and argues later."""


class PassDown(_Move, frozen=True):
    """逐级转办: the unit hands the case to one of the tier below; the deadline stands."""

    unit: str


class Accept(_Move, frozen=True):
    """签收."""


class Start(_Move, frozen=True):
    """办理: the work begins; for urban management the officers are on site."""


class AskReturn(_Move, frozen=True):
    """申请退回: not our duty; `suggestion` says whose."""

    suggestion: str


class GrantReturn(_Move, frozen=True):
    """同意退回: to the unit whose duty it is, with one working day less."""

    unit: str


class RefuseReturn(_Move, frozen=True):
    """驳回退回: the old deadline stands."""


class AskExtension(_Move, frozen=True):
    """申请延期: to `days` working days in all, counted from receipt."""

    days: int


class GrantExtension(_Move, frozen=True):
    """同意延期."""


class RefuseExtension(_Move, frozen=True):
    """驳回延期."""


class Reply(_Move, frozen=True):
    """反馈: `reason` says what was done, or why it cannot be; the citizen has been told."""

    is_citizen_told: bool
    is_explained: bool = False
    """解释说明: not solved, for reasons beyond the unit or because the demand is unreasonable."""


class PassReview(_Move, frozen=True):
    """审核通过."""


class SendBack(_Move, frozen=True):
    """审核发回重办: a reply without substance; the old deadline stands."""


class Unreached(_Move, frozen=True):
    """回访未接通: an attempt to reach the citizen, by telephone unless `is_sms`."""

    is_sms: bool = False
    conversation: str = ""
    """The call in which nobody was reached; "" when it was none of ours."""


class Visited(_Move, frozen=True):
    """回访: what the citizen said; unsatisfied, `reason` says with what."""

    is_solved: bool
    satisfaction: Satisfaction
    is_in_time: bool
    conversation: str = ""
    """The call in which they said it; "" when it was none of ours."""


class Close(_Move, frozen=True):
    """办结, after review and visit back."""


class CloseSigned(_Move, frozen=True):
    """签批办结: without the visit back, for a reason that a supervisor signs."""


class CloseWithMaster(_Move, frozen=True):
    """随主单办结: the master case is closed and this citizen has been told as well."""


class Reopen(_Move, frozen=True):
    """重新办理: a closed case was not settled after all."""


class Archive(_Move, frozen=True):
    """归档."""


class Urge(_Move, frozen=True):
    """催办: the citizen asks again. The contact is added to the case; no second case is made.

    `conversation` is the call in which they asked, "" when it was none.
    """

    conversation: str = ""


class Merge(_Move, frozen=True):
    """并案: the same matter stands in the master case (主单) of this id, which alone is dispatched."""

    master: str


class KeepSecret(_Move, frozen=True):
    """保密: name and number are hidden from units."""


class Attach(_Move, frozen=True):
    """附件: a file was added, proven by its digest. Its name is not kept here: it may name people."""

    file: str
    sha256: str


class Supervise(_Move, frozen=True):
    """督办: entered into the ledger (台账), by a rule or by a supervisor, or raised to a higher level."""

    level: Level
    trigger: Trigger = Trigger.PERSON


class Discharge(_Move, frozen=True):
    """销号: `reason` is the closing note of the ledger."""


class HandOver(_Move, frozen=True):
    """移交: 110, 119, 120 or 122 was called for the citizen in the call in which the case was taken in.

    `n`: the n-th third party of that conversation.
    """

    service: str
    conversation: str
    n: int

    @property
    def key(self) -> str:
        """By which a case knows that this one is entered already."""
        return f"{self.conversation}#{self.n}"


class Warn(_Move, frozen=True):
    """提醒: the deadline comes near or is over; the clock tells the unit once for each light."""

    light: Light


class Remind(_Move, frozen=True):
    """回访提醒: a visit was not made in its time; the clock says so once for each."""


Move = (
    Answer | TurnAway | Dispatch | PassDown | Accept | Start
    | AskReturn | GrantReturn | RefuseReturn | AskExtension | GrantExtension | RefuseExtension
    | Reply | PassReview | SendBack | Unreached | Visited
    | Close | CloseSigned | CloseWithMaster | Reopen | Archive | Urge | Merge | KeepSecret
    | Attach | Supervise | Discharge | HandOver | Warn | Remind
)  # fmt: skip


class By(Enum):
    """Whose move it is, beside those of a named part."""

    OWNER = auto()
    """The unit that has the case."""
    ABOVE = auto()
    """The tier above it, which sent it."""
    CONCERNED = auto()
    """Everybody who may see it."""


class Rule(msgspec.Struct, frozen=True):
    """What a move rests on. `text` is kept with the move (at most 80 characters with its source)."""

    text: str
    source: str
    by: By | frozenset[Part]
    states: frozenset[CaseState]

    def __str__(self) -> str:
        return f"{self.text}（{self.source}）"


TAIAN, YONGNING, JIANGXI = "泰政发〔2016〕1号", "永审服发〔2017〕30号", "赣府厅字〔2020〕71号"
JINAN, REFORM = "济南市民服务热线工作规范", "接诉即办改革经验材料"
SECRECY, MERGING, LINKED = "GB/T 33358-2016", "国办发〔2025〕66号", "国办发〔2022〕12号"

_S = CaseState
_SENT = AT_UNIT | {_S.REPLIED, _S.REVIEWED, _S.VISITING}
_OPEN = _SENT | {_S.INTAKE}


def _by(*parts: Part) -> frozenset[Part]:
    return frozenset(parts)


def _in(*states: CaseState) -> frozenset[CaseState]:
    return frozenset(states)


_FRONT, _BACK = _by(Part.AGENT, Part.DISPATCHER), _by(Part.DISPATCHER, Part.SUPERVISOR)
_REVIEW = _by(Part.REVIEWER, Part.SUPERVISOR)
RULES: dict[type[Move], Rule] = {
    Answer: Rule("咨询类诉求根据知识库直接解答", TAIAN + "六（一）", _FRONT, _in(_S.INTAKE)),
    TurnAway: Rule("不属受理范围，解释清楚，指明办理途径", TAIAN + "三", _FRONT, _in(_S.INTAKE)),
    Dispatch: Rule("分级负责、归口管理、属地优先", TAIAN + "六（二）", _BACK, _in(_S.INTAKE)),
    PassDown: Rule("四级联动，下级平台办理上级平台指令", YONGNING + "二（一）", By.OWNER, AT_UNIT),
    Accept: Rule("对转办事项及时接收", TAIAN + "六（二）", By.OWNER, _in(_S.DISPATCHED)),
    Start: Rule("接到指令后到场调查处理", JINAN, By.OWNER, _in(_S.ACCEPTED)),
    AskReturn: Rule("第一个工作日内申请退回，说明理由和建议", YONGNING + "三（二）", By.OWNER, AT_UNIT),
    GrantReturn: Rule("理由充分，重新认定，核减一个工作日", YONGNING + "三（二）", By.ABOVE, AT_UNIT),
    RefuseReturn: Rule("理由不充分，按照原定时限办结", YONGNING + "三（二）", By.ABOVE, AT_UNIT),
    AskExtension: Rule("二个工作日内申请延时，写明理由", YONGNING + "三（三）", By.OWNER, AT_UNIT),
    GrantExtension: Rule("上一级平台审核，一般不超过五个工作日", YONGNING + "三（三）", By.ABOVE, AT_UNIT),
    RefuseExtension: Rule("上一级平台审核，延时未通过", YONGNING + "三（三）", By.ABOVE, AT_UNIT),
    Reply: Rule("结果反馈当事人，同时回复平台", TAIAN + "六（二）", By.OWNER, _in(_S.ACCEPTED, _S.WORKING)),
    PassReview: Rule(
        "审核达标", YONGNING + "三（四）", _REVIEW, _in(_S.REPLIED)
    ),
    SendBack: Rule(
        "审核不达标，退回重新办理", YONGNING + "三（四）", _REVIEW, _in(_S.REPLIED)
    ),
    Unreached: Rule(
        "电话和短信100%回访", REFORM + "二", _by(Part.VISITOR), _in(_S.REVIEWED, _S.VISITING)
    ),
    Visited: Rule(
        "核实办理结果并进行满意度调查", TAIAN + "六（四）", _by(Part.VISITOR), _in(_S.REVIEWED, _S.VISITING)
    ),
    Close: Rule("回访后办结", TAIAN + "六（四）", _by(Part.VISITOR, Part.SUPERVISOR), _in(_S.VISITING)),
    CloseSigned: Rule(
        "无法解决或诉求不合理，报情况说明，审核后办结",
        YONGNING + "三（三）",
        _by(Part.SUPERVISOR),
        _SENT,
    ),
    CloseWithMaster: Rule("同一事项一并办结，一并告知", MERGING, _BACK, _in(_S.MERGED)),
    Reopen: Rule(
        "回访不满意发回重办", JIANGXI + "四（四）", _by(Part.AGENT, Part.VISITOR, *_BACK), _in(_S.CLOSED)
    ),
    Archive: Rule("满意并审核达标，归档", YONGNING + "三（四）", _BACK, _in(_S.CLOSED)),
    Urge: Rule("重复来电并入原工单催办", JINAN, _by(Part.AGENT, *_BACK), _OPEN | {_S.MERGED}),
    Merge: Rule("同一事项合并，不重复派单", MERGING, _FRONT, _in(_S.INTAKE)),
    Attach: Rule("服务记录完整", SECRECY, By.CONCERNED, _OPEN | {_S.MERGED}),
    Supervise: Rule("建立督办台账、实行办结销号", TAIAN + "五（二）2", _by(Part.SUPERVISOR), _SENT),
    Discharge: Rule("督办事项办结销号", TAIAN + "五（二）2", _by(Part.SUPERVISOR), _SENT | {_S.CLOSED}),
    Warn: Rule("对逾期未办结诉求采取系统提醒", JIANGXI + "二（三）4", _by(Part.SUPERVISOR), AT_UNIT),
    HandOver: Rule(
        "12345与110对接联动，紧急求助即时转接",
        LINKED,
        _by(Part.SUPERVISOR),
        _OPEN | {_S.MERGED, _S.CLOSED},
    ),
    Remind: Rule(
        "电话和短信100%回访", REFORM + "二", _by(Part.SUPERVISOR), _in(_S.REVIEWED, _S.VISITING)
    ),
    KeepSecret: Rule("市民要求保密的，隐去姓名和号码", SECRECY, _FRONT, _OPEN),
}  # fmt: skip
"""One line for each move: its rule, its source, whose it is and where it starts."""

LABELS: dict[type[Move], str] = {
    Answer: "直接答复", TurnAway: "不予受理", Dispatch: "转办", PassDown: "转下级办理", Accept: "签收",
    Start: "开始办理", AskReturn: "申请退回", GrantReturn: "同意退回", RefuseReturn: "驳回退回",
    AskExtension: "申请延期", GrantExtension: "同意延期", RefuseExtension: "驳回延期", Reply: "反馈办理结果",
    PassReview: "审核通过", SendBack: "发回重办", Unreached: "回访未接通", Visited: "回访", Close: "办结",
    CloseSigned: "签批办结", CloseWithMaster: "随主单办结", Reopen: "重新办理", Archive: "归档", Urge: "催办",
    Merge: "并案", KeepSecret: "改为保密",
    Attach: "上传附件", Supervise: "督办", Discharge: "督办销号", Warn: "时限提醒",
    HandOver: "移交紧急服务", Remind: "回访逾期提醒",
}  # fmt: skip
"""What each move is called on pages."""

OPENING = "受理即编号登记（泰政发〔2016〕1号六（一））"


def tag_of(move: Move | type[Move]) -> str:
    """The move's name in the history: ask_return."""
    return str(move.__struct_config__.tag)


BY_TAG: dict[str, type[Move]] = {tag_of(kind): kind for kind in RULES}
"""The moves by their names."""
