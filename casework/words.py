"""Owns the words of casework: states, kinds, parts, endings, and the reasons to refuse a move. Pure."""

from __future__ import annotations

from enum import IntEnum, StrEnum

PLATFORM = "12345热线平台"
"""The unit that citizens reach; the first of every case's chain."""


class CaseState(StrEnum):
    """Where a case stands; `label` is its Chinese name."""

    INTAKE = "intake"
    DISPATCHED = "dispatched"
    ACCEPTED = "accepted"
    WORKING = "working"
    REPLIED = "replied"
    REVIEWED = "reviewed"
    VISITING = "visiting"
    CLOSED = "closed"
    ARCHIVED = "archived"
    MERGED = "merged"

    @property
    def label(self) -> str:
        """The state's name on pages."""
        return _STATES[self]


_STATES = dict(
    zip(
        CaseState,
        ("受理", "已转办", "已签收", "办理中", "已反馈", "已审核", "回访中", "已办结", "已归档", "已并案"),
        strict=True,
    )
)
AT_UNIT = frozenset({CaseState.DISPATCHED, CaseState.ACCEPTED, CaseState.WORKING})
"""A unit has it, and its time runs."""
FINISHED = frozenset({CaseState.CLOSED, CaseState.ARCHIVED})


class Kind(StrEnum):
    """What a citizen wants."""

    CONSULTATION = "咨询"
    HELP = "求助"
    COMPLAINT = "投诉"
    REPORT = "举报"
    SUGGESTION = "建议"
    PRAISE = "表扬"


class Part(StrEnum):
    """As what somebody acts on a case."""

    AGENT = "受话员"
    DISPATCHER = "转办员"
    UNIT = "承办单位"
    REVIEWER = "审核员"
    VISITOR = "回访员"
    SUPERVISOR = "督办员"


class Ending(StrEnum):
    """How a case came to its end."""

    NONE = ""
    DIRECT = "直接答复"
    OUT_OF_SCOPE = "不予受理"
    VISITED = "回访办结"
    SIGNED = "签批办结"
    MERGED = "随主单办结"


class Level(StrEnum):
    """督办 levels, the lowest first: 泰政发〔2016〕1号五（二）2, “四位一体”."""

    INTERNAL = "内部督办"
    ESCALATED = "升级督办"
    MEDIA = "舆论监督"
    DISCIPLINE = "监察问责"

    @property
    def rank(self) -> int:
        """0 for the lowest."""
        return list(Level).index(self)


class Trigger(StrEnum):
    """Why supervision starts."""

    PERSON = "督办员决定"
    OVERDUE = "逾期未办结"
    UNSATISFIED = "两次回访不满意"
    SENT_AGAIN = "交办三次以上"
    MANY_ALIKE = "十人以上反映同一事项"
    MANY_AGAINST = "十人以上投诉同一单位"
    PRESSED = "催办、退办三次以上"


class OutOfScope(StrEnum):
    """Why a matter is none of the platform's: 泰政发〔2016〕1号三, in its order."""

    ELSEWHERE = "不在本市行政管辖权范围内"
    OTHER_POWERS = "属于党委、人大、政协、法院、检察院或部队职权范围"
    LEGAL_WAY = "已经或依法应当通过诉讼、仲裁、行政复议等途径解决"
    PETITION = "非通过网上信访渠道反映的来信来访"
    ORGANISATION = "单位、团体的诉求事项"
    MARKET = "需通过市场化服务解决"
    EMERGENCY = "110、119、120、122 等紧急求助"
    OTHER = "其他不属受理范围"


class Satisfaction(IntEnum):
    """满意度, five grades from 1."""

    VERY_BAD = 1
    BAD = 2
    FAIR = 3
    GOOD = 4
    VERY_GOOD = 5

    @property
    def label(self) -> str:
        """The grade's name on pages."""
        return ("非常不满意", "不满意", "基本满意", "满意", "非常满意")[self - 1]

    @property
    def is_satisfied(self) -> bool:
        """基本满意 or better."""
        return self >= Satisfaction.FAIR


class Refusal(StrEnum):
    """Why a move is not possible; the text is for the person who tried."""

    NO_TITLE = "请填写标题"
    TOO_LONG = "内容过长"
    NO_REASON = "请填写原因"
    NO_WORDS = "请填写具体内容，不能空泛答复"
    CLOSED = "工单已办结"
    ARCHIVED = "工单已归档，请新建工单"
    MERGED = "工单已并入主工单，请在主工单上办理"
    WRONG_STATE = "工单当前环节不能进行此操作"
    NOT_YOUR_PART = "您的岗位不能进行此操作"
    NOT_YOUR_UNIT = "工单不在贵单位办理"
    NOT_ABOVE = "须由上一级平台决定"
    NOT_A_QUESTION = "只有咨询和表扬可以直接答复办结"
    NO_WAY_OUT = "请向市民指明办理途径"
    NO_UNIT = "请填写承办单位"
    TOO_DEEP = "已到村居一级，不能再向下转办"
    SAME_UNIT = "工单已在该单位"
    FIRST_ASSIGNED = "首办负责：先办后议，不能退回"
    ASKED_ALREADY = "已有申请待审核"
    NOTHING_ASKED = "没有待审核的申请"
    DECIDED = "退回申请已被驳回，请按原定时限办结"
    TOO_LATE = "已过申请期限"
    NO_EXTENSION = "此类工单不能延期"
    TOO_FAR = "延期超过最长办理时限"
    CITIZEN_NOT_TOLD = "请先向市民反馈办理结果"
    OWN_WORK = "不能审核或回访自己办理的工单"
    PHONE_FIRST = "请先电话回访"
    SAME_HOUR = "请在不同时段再次回访"
    NOT_VISITED = "尚未回访"
    OWN_MASTER = "不能并入自身"
    NO_MASTER = "主工单不存在、已办结或已并案"
    EMPTY_FILE = "文件是空的"
    FILE_TOO_LARGE = "附件不能超过 10 MB"
    NOT_THIS_KIND = "只接受 JPG、PNG、PDF、DOCX、XLSX，且内容须与扩展名一致"
    TOO_MANY_FILES = "一件工单最多 20 个附件"
    NOT_CONCERNED = "工单与贵单位无关"
    SUPERVISED = "督办尚未销号，不能归档"
    NOT_SUPERVISED = "没有进行中的督办"
    SUPERVISED_ALREADY = "已有同级或更高级别的督办"
    HANDED_ALREADY = "这次移交已经记录"
    HIDDEN_ALREADY = "工单已是保密工单"
    TAKEN = "此来电或回访已由他人处理"
    NO_CALENDAR = "缺少相应年份的节假日安排，请先更新工作日历"
