"""The closed loop: each rule of the documents, and that no sequence of moves reaches an impossible case."""

from __future__ import annotations

from datetime import date
from typing import Any

import msgspec
import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from casework import moves as m
from casework.calendar import china
from casework.case import Case, case_number, is_late, step
from casework.deadlines import Calendar, ProfileName
from casework.history import opening
from casework.moves import OPENING, RULES, Actor, Move
from casework.words import (
    FINISHED,
    PLATFORM,
    CaseState,
    Ending,
    Kind,
    OutOfScope,
    Part,
    Refusal,
    Satisfaction,
)
from hotline.local_time import date_time, day_start_us

HOUR = 3_600_000_000
DAY = 24 * HOUR
MONDAY = day_start_us(date(2026, 11, 23)) + 10 * HOUR
"""2026-11-23 10:00."""
AGENT, DISPATCHER = Actor("1001", Part.AGENT), Actor("1002", Part.DISPATCHER)
REVIEWER, VISITOR = Actor("1003", Part.REVIEWER), Actor("1004", Part.VISITOR)
SUPERVISOR = Actor("1005", Part.SUPERVISOR)
COUNTY, TOWN, VILLAGE, OTHER = "泰山区政府", "岱庙街道", "迎胜社区", "市城市管理局"
AT_COUNTY, AT_TOWN = Actor("2001", Part.UNIT, COUNTY), Actor("2002", Part.UNIT, TOWN)
ACCEPT, START = m.Accept(actor=AT_COUNTY, reason="签收"), m.Start(actor=AT_COUNTY, reason="到场")
REPLY = m.Reply(actor=AT_COUNTY, reason="已修复路灯", is_citizen_told=True)
REVIEW = m.PassReview(actor=REVIEWER, reason="具体")
SEND_BACK = m.SendBack(actor=REVIEWER, reason="答复空泛")
ASK_RETURN = m.AskReturn(actor=AT_COUNTY, reason="不属本单位", suggestion="市城市管理局")
GRANT_RETURN = m.GrantReturn(actor=DISPATCHER, reason="属实", unit=OTHER)
REFUSE_RETURN = m.RefuseReturn(actor=DISPATCHER, reason="理由不充分")
URGE = m.Urge(actor=AGENT, reason="又来电")
CLOSE = m.Close(actor=VISITOR, reason="回访完毕")


def taken_in(**fields: Any) -> Case:
    words: dict[str, Any] = {"id": "n1-1", "number": "1", "citizen": "", "title": "灯", "text": ""}
    return Case(**(words | {"unit": "", "conversation": "", "created_us": MONDAY} | fields))


def dispatch(profile: ProfileName = ProfileName.ONE_DAY, **fields: Any) -> m.Dispatch:
    return m.Dispatch(actor=DISPATCHER, reason="属地优先", unit=COUNTY, profile=profile, **fields)


def extension(days: int) -> m.AskExtension:
    return m.AskExtension(actor=AT_COUNTY, reason="需要采购", days=days)


def visited(grade: Satisfaction, actor: Actor = VISITOR) -> m.Visited:
    is_solved = grade.is_satisfied
    return m.Visited(actor=actor, reason="答", is_solved=is_solved, satisfaction=grade, is_in_time=True)


def unreached(is_sms: bool = False) -> m.Unreached:
    return m.Unreached(actor=VISITOR, reason="无人接听", is_sms=is_sms)


def after(*moves: Move, case: Case | None = None, at: int = MONDAY + HOUR) -> Case:
    now = case or taken_in()
    for move in moves:
        result = step(now, move, at, china())
        assert isinstance(result, Case), (move, result)
        now = result
    return now


def refused(case: Case, move: Move, at: int = MONDAY + HOUR) -> Refusal:
    result = step(case, move, at, china())
    assert isinstance(result, Refusal), result
    return result


AT_UNIT = (dispatch(), ACCEPT)
REPLIED = (*AT_UNIT, START, REPLY)


def test_taian_a_consultation_is_answered_directly_from_the_knowledge_base() -> None:
    """泰政发〔2016〕1号六（一）: 咨询类诉求根据知识库内容由受理平台工作人员直接解答."""
    answer = m.Answer(actor=AGENT, reason="可在手机上认证")
    case = after(answer, case=taken_in(kind=Kind.CONSULTATION))
    assert (case.state, case.ending) == (CaseState.CLOSED, Ending.DIRECT)
    assert refused(taken_in(kind=Kind.COMPLAINT), answer) is Refusal.NOT_A_QUESTION


def test_taian_what_is_out_of_scope_is_explained_and_shown_the_way() -> None:
    """泰政发〔2016〕1号三: 由受话员解释清楚，指明办理途径."""
    away = m.TurnAway(actor=AGENT, reason="已判决", ground=OutOfScope.LEGAL_WAY, way="向上一级法院申诉")
    assert after(away).ending is Ending.OUT_OF_SCOPE
    assert refused(taken_in(), msgspec.structs.replace(away, way=" ")) is Refusal.NO_WAY_OUT
    assert len(OutOfScope) == 8


def test_taian_the_loop_is_intake_dispatch_reply_visit_close() -> None:
    """泰政发〔2016〕1号六: 受理、转办、反馈、回访、办结."""
    moves = (*REPLIED, REVIEW, visited(Satisfaction.GOOD), CLOSE, m.Archive(actor=DISPATCHER, reason="满意"))
    states, case = [], taken_in()
    for move in moves:
        case = after(move, case=case)
        states.append(case.state)
    s = CaseState
    assert states == [
        s.DISPATCHED,
        s.ACCEPTED,
        s.WORKING,
        s.REPLIED,
        s.REVIEWED,
        s.VISITING,
        s.CLOSED,
        s.ARCHIVED,
    ]
    assert refused(case, URGE) is Refusal.ARCHIVED


def test_taian_the_result_goes_to_the_citizen_and_to_the_platform() -> None:
    """泰政发〔2016〕1号六（二）: 将办理结果反馈当事人，同时回复平台."""
    untold = msgspec.structs.replace(REPLY, is_citizen_told=False)
    assert refused(after(*AT_UNIT), untold) is Refusal.CITIZEN_NOT_TOLD


def test_yongning_four_tiers_hand_down_and_the_deadline_stands() -> None:
    """永审服发〔2017〕30号二（一）: 四级联动处置."""
    first = after(dispatch())
    town = m.PassDown(actor=AT_COUNTY, reason="属地", unit=TOWN)
    case = after(town, m.PassDown(actor=AT_TOWN, reason="属地", unit=VILLAGE), case=first)
    assert case.chain == (PLATFORM, COUNTY, TOWN, VILLAGE) and case.unit == VILLAGE
    assert case.due_us == first.due_us and case.sent == 1
    deeper = m.PassDown(actor=Actor("2003", Part.UNIT, VILLAGE), reason="属地", unit="某户")
    assert refused(case, deeper) is Refusal.TOO_DEEP
    assert refused(case, ACCEPT) is Refusal.NOT_YOUR_UNIT
    assert refused(case, m.PassDown(actor=deeper.actor, reason="推", unit=COUNTY)) is Refusal.SAME_UNIT


def test_yongning_a_return_is_asked_within_the_first_working_day_with_a_suggestion() -> None:
    """永审服发〔2017〕30号三（二）: 第一个工作日内申请退回并说明理由和相关建议."""
    case = after(dispatch())
    end_of_tuesday = day_start_us(date(2026, 11, 25))
    assert after(ASK_RETURN, case=case, at=end_of_tuesday - 1).asked is not None
    assert refused(case, ASK_RETURN, at=end_of_tuesday) is Refusal.TOO_LATE
    assert refused(case, msgspec.structs.replace(ASK_RETURN, suggestion="")) is Refusal.NO_WORDS
    assert refused(case, msgspec.structs.replace(ASK_RETURN, reason=" ")) is Refusal.NO_REASON


def test_yongning_a_granted_return_goes_to_the_right_unit_with_one_working_day_less() -> None:
    """永审服发〔2017〕30号三（二）: 重新认定职能部门，相应核减一个办理工作日."""
    asked = after(dispatch(ProfileName.FIVE_DAYS), ASK_RETURN)
    case = after(GRANT_RETURN, case=asked)
    assert (date_time(asked.due_us), date_time(case.due_us)) == ("2026-12-01 00:00:00", "2026-11-28 00:00:00")
    assert (case.unit, case.state, case.returned, case.sent) == (OTHER, CaseState.DISPATCHED, 1, 2)
    assert refused(asked, msgspec.structs.replace(GRANT_RETURN, unit=COUNTY)) is Refusal.SAME_UNIT


def test_yongning_a_refused_return_leaves_the_old_deadline() -> None:
    """永审服发〔2017〕30号三（二）: 退回申请未通过的，按照原定时限办结."""
    before = after(dispatch())
    case = after(ASK_RETURN, REFUSE_RETURN, case=before)
    assert (case.due_us, case.unit, case.asked) == (before.due_us, COUNTY, None)
    assert refused(case, ASK_RETURN) is Refusal.DECIDED
    assert refused(case, REFUSE_RETURN) is Refusal.NOTHING_ASKED


def test_yongning_an_extension_is_asked_within_two_working_days_and_reaches_five_at_most() -> None:
    """永审服发〔2017〕30号三（三）: 二个工作日内申请延时，一般事项不超过五个工作日."""
    case = after(*AT_UNIT)
    grant = m.GrantExtension(actor=DISPATCHER, reason="复杂")
    assert date_time(after(extension(5), grant, case=case).due_us) == "2026-12-01 00:00:00"
    assert after(extension(5), case=case).due_us == case.due_us
    assert refused(case, extension(6)) is Refusal.TOO_FAR
    assert refused(case, extension(1)) is Refusal.TOO_FAR
    assert refused(case, extension(-3)) is Refusal.TOO_FAR
    assert refused(case, grant) is Refusal.NOTHING_ASKED
    hard = after(dispatch(ProfileName.FIVE_DAYS))
    end_of_wednesday = day_start_us(date(2026, 11, 26))
    assert after(extension(8), case=hard, at=end_of_wednesday - 1).asked is not None
    assert refused(hard, extension(8), at=end_of_wednesday) is Refusal.TOO_LATE
    assert refused(after(dispatch(ProfileName.EMERGENCY)), extension(2)) is Refusal.NO_EXTENSION


def test_yongning_the_tier_above_decides() -> None:
    """永审服发〔2017〕30号三（三）: 由上一级平台审核."""
    town = after(dispatch(), m.PassDown(actor=AT_COUNTY, reason="属地", unit=TOWN))
    asked = after(msgspec.structs.replace(extension(3), actor=AT_TOWN), case=town)
    for actor in (DISPATCHER, AT_TOWN, AGENT):
        assert refused(asked, m.GrantExtension(actor=actor, reason="可")) is Refusal.NOT_ABOVE
    assert after(m.GrantExtension(actor=AT_COUNTY, reason="可"), case=asked).due_us > town.due_us
    assert after(m.RefuseExtension(actor=AT_COUNTY, reason="否"), case=asked).due_us == town.due_us


def test_yongning_what_falls_short_in_review_is_worked_again_in_the_old_time() -> None:
    """永审服发〔2017〕30号三（四）: 审核办理不达标的事项，退回承办单位重新办理."""
    before = after(*REPLIED)
    case = after(SEND_BACK, case=before)
    assert (case.state, case.reworked, case.due_us) == (CaseState.WORKING, 1, before.due_us)
    own = msgspec.structs.replace(REVIEW, actor=Actor(AT_COUNTY.number, Part.REVIEWER))
    assert refused(before, own) is Refusal.OWN_WORK
    assert refused(after(*AT_UNIT), msgspec.structs.replace(REPLY, reason="。。。")) is Refusal.NO_WORDS


def test_yongning_what_cannot_be_solved_is_closed_by_a_signed_reason() -> None:
    """永审服发〔2017〕30号三（三）: 无法解决或诉求不合理的，报情况说明，审核后申请办结."""
    signed = m.CloseSigned(actor=SUPERVISOR, reason="诉求不合理，已解释")
    assert after(*AT_UNIT, signed).ending is Ending.SIGNED
    assert (
        refused(after(*AT_UNIT), msgspec.structs.replace(signed, actor=DISPATCHER)) is Refusal.NOT_YOUR_PART
    )
    assert refused(taken_in(), signed) is Refusal.WRONG_STATE


def test_taian_a_case_is_closed_only_after_review_and_visit_back() -> None:
    """泰政发〔2016〕1号六（四）: 核实办理结果并进行满意度调查，并作办结处理."""
    for moves in ((), AT_UNIT, REPLIED, (*REPLIED, REVIEW)):
        assert refused(after(*moves), CLOSE) is Refusal.WRONG_STATE
    assert refused(after(*REPLIED), visited(Satisfaction.GOOD)) is Refusal.WRONG_STATE
    assert refused(after(*REPLIED, REVIEW, unreached()), CLOSE) is Refusal.NOT_VISITED


@pytest.mark.parametrize("grade", Satisfaction)
def test_jiangxi_who_is_not_satisfied_is_worked_for_again(grade: Satisfaction) -> None:
    """赣府厅字〔2020〕71号: 100%回访，满意度，发回重办."""
    case = after(*REPLIED, REVIEW, visited(grade), at=MONDAY + 9 * DAY)
    if grade.is_satisfied:
        assert after(CLOSE, case=case).ending is Ending.VISITED
    else:
        assert (case.state, case.unsatisfied, case.visited) == (CaseState.WORKING, 1, None)
        assert case.due_us > MONDAY + 9 * DAY
    assert len({one.label for one in Satisfaction}) == 5


def test_reform_the_visit_is_by_telephone_then_sms_three_times_at_different_hours() -> None:
    """接诉即办改革: 通过电话、短信对已办结的诉求进行100%回访."""
    case = after(*REPLIED, REVIEW)
    assert refused(case, unreached(is_sms=True)) is Refusal.PHONE_FIRST
    case = after(unreached(), case=case)
    assert refused(case, unreached(), at=MONDAY + DAY + HOUR) is Refusal.SAME_HOUR
    case = after(unreached(), case=case, at=MONDAY + 4 * HOUR)
    assert refused(case, CLOSE) is Refusal.NOT_VISITED
    case = after(unreached(is_sms=True), case=case, at=MONDAY + 8 * HOUR)
    assert after(CLOSE, case=case).state is CaseState.CLOSED


def test_reform_the_first_assigned_unit_works_first_and_argues_later() -> None:
    """接诉即办改革: 权属不清的实行首办负责，首接首办、先办后议."""
    assert refused(after(dispatch(is_first_assigned=True)), ASK_RETURN) is Refusal.FIRST_ASSIGNED


def test_reform_lead_and_assisting_units_are_named() -> None:
    """接诉即办改革: 主协办制，确定主办单位和协办单位."""
    case = after(dispatch(assisting=(OTHER,)))
    assert (case.unit, case.assisting) == (COUNTY, (OTHER,))
    assert refused(taken_in(), dispatch(assisting=(COUNTY,))) is Refusal.SAME_UNIT


def test_jinan_who_calls_again_urges_and_makes_no_second_case() -> None:
    """济南市民服务热线: 重复投诉督促落实."""
    assert after(URGE, *REPLIED, URGE).urged == 2


def test_jinan_five_minutes_to_dispatch_and_a_late_move_says_so() -> None:
    """济南市民服务热线: 应在受理后5分钟之内将调度指令传达到责任单位."""
    quick = dispatch(ProfileName.CITY_SIMPLE)
    assert not is_late(taken_in(), quick, MONDAY + 299_999_999)
    assert is_late(taken_in(), quick, MONDAY + 300_000_000)
    case = after(*AT_UNIT)
    assert is_late(case, REPLY, case.due_us) and not is_late(case, REPLY, case.due_us - 1)


def test_jinan_officers_are_on_site_within_sixty_minutes() -> None:
    """济南: 执法单位自接到调度指令后，应在60分钟内到达投诉事件现场."""
    case = after(dispatch(ProfileName.CITY_SIMPLE), at=MONDAY)
    case = after(ACCEPT, case=case, at=MONDAY + HOUR // 2)
    assert not is_late(case, START, MONDAY + HOUR - 1) and is_late(case, START, MONDAY + HOUR)
    ordinary = after(*AT_UNIT, at=MONDAY)
    assert not is_late(ordinary, START, MONDAY + 9 * DAY), "only of urban management is it asked"


def test_jinan_what_is_settled_on_the_spot_is_reported_the_same_day_and_the_complex_in_three() -> None:
    """济南: 符合当场处结的应在当日反馈；较复杂的投诉事项，应在3日内反馈."""
    simple = after(dispatch(ProfileName.CITY_SIMPLE), ACCEPT, at=MONDAY)
    assert date_time(simple.due_us) == "2026-11-24 00:00:00"
    complex_ = after(dispatch(ProfileName.CITY_COMPLEX), ACCEPT, at=MONDAY)
    assert date_time(complex_.due_us) == "2026-11-27 00:00:00"
    assert is_late(complex_, REPLY, complex_.due_us) and not is_late(complex_, REPLY, complex_.due_us - 1)


def test_yongning_what_comes_today_is_sent_out_today() -> None:
    """永审服发〔2017〕30号三（一）: 当日工单当日转接，不积压、不延误."""
    midnight = day_start_us(date(2026, 11, 24))
    assert not is_late(taken_in(), dispatch(), midnight - 1) and is_late(taken_in(), dispatch(), midnight)


def test_yongning_the_simple_is_settled_at_once_and_the_ordinary_in_a_day() -> None:
    """永审服发〔2017〕30号三（三）: 简单事项，立办立结；普通事项，一日办结."""
    assert date_time(after(dispatch(ProfileName.AT_ONCE)).due_us) == "2026-11-24 00:00:00"
    assert date_time(after(dispatch(ProfileName.ONE_DAY)).due_us) == "2026-11-25 00:00:00"


def test_yongning_who_is_satisfied_with_what_passed_review_has_the_case_archived() -> None:
    """永审服发〔2017〕30号三（四）: 若申请人满意并审核达标，对事项进行归档."""
    archive = m.Archive(actor=DISPATCHER, reason="满意")
    heard = after(*REPLIED, REVIEW, visited(Satisfaction.GOOD))
    assert refused(heard, archive) is Refusal.WRONG_STATE
    assert after(CLOSE, archive, case=heard).state is CaseState.ARCHIVED
    assert after(*REPLIED, REVIEW, visited(Satisfaction.BAD)).state is CaseState.WORKING


def test_yongning_what_touches_several_departments_has_one_that_leads_and_those_who_help() -> None:
    """永审服发〔2017〕30号五（三）: 确定牵头办理部门和配合办理部门，由牵头部门上报."""
    case = after(dispatch(assisting=(OTHER,)), ACCEPT)
    helper = Actor("2003", Part.UNIT, OTHER)
    assert (case.unit, case.assisting) == (COUNTY, (OTHER,))
    assert refused(case, msgspec.structs.replace(REPLY, actor=helper)) is Refusal.NOT_YOUR_UNIT
    assert after(m.Attach(actor=helper, reason="现场照片", file="n1-1", sha256="0"), case=case) == case


def test_taian_what_is_taken_in_gets_its_number_at_once() -> None:
    """泰政发〔2016〕1号六（一）: 受理信息由平台编号登记."""
    first = opening(taken_in(), "1001")
    assert (first.seq, first.state, first.rule) == (1, CaseState.INTAKE, OPENING)
    assert [case_number("20261123", n) for n in (1, 12345)] == ["20261123-0001", "20261123-12345"]


def test_taian_what_is_sent_is_signed_for_and_worked_in_time_and_who_is_late_is_on_record() -> None:
    """泰政发〔2016〕1号六（二）: 对转办事项要及时接收，按时办理，并在规定时限内反馈."""
    sent = after(dispatch(), at=MONDAY)
    assert not is_late(sent, ACCEPT, sent.accept_due_us - 1) and is_late(sent, ACCEPT, sent.accept_due_us)
    taken = after(ACCEPT, case=sent)
    assert not is_late(taken, REPLY, taken.due_us - 1) and is_late(taken, REPLY, taken.due_us)


def test_taian_whoever_called_is_asked_whether_it_was_done_and_how_content_they_are() -> None:
    """泰政发〔2016〕1号六（四）: 对办理完毕事项，由回访平台及时向来电人核实办理结果并进行满意度调查."""
    reviewed = after(*REPLIED, REVIEW, at=MONDAY)
    assert reviewed.visit_due_us == MONDAY and refused(reviewed, CLOSE) is Refusal.WRONG_STATE
    heard = after(visited(Satisfaction.FAIR), case=reviewed)
    assert heard.visited is not None and heard.visited.is_solved and not heard.visit_due_us


def test_66_the_same_matter_is_merged_before_it_is_sent_out() -> None:
    """国办发〔2025〕66号: 同一事项合并，不重复派单."""
    merge = m.Merge(actor=AGENT, reason="同一事项", master="n1-2")
    case = after(merge)
    assert (case.state, case.master) == (CaseState.MERGED, "n1-2")
    assert refused(case, dispatch()) is Refusal.MERGED
    assert refused(after(dispatch()), merge) is Refusal.WRONG_STATE
    assert refused(taken_in(), msgspec.structs.replace(merge, master="n1-1")) is Refusal.OWN_MASTER


def test_a_closed_case_that_was_not_settled_is_opened_again_but_not_from_the_archive() -> None:
    reopen = m.Reopen(actor=AGENT, reason="又不亮了")
    closed = after(*REPLIED, REVIEW, visited(Satisfaction.FAIR), CLOSE)
    case = after(reopen, case=closed, at=MONDAY + 9 * DAY)
    assert (case.state, case.closed_us, case.ending) == (CaseState.WORKING, 0, Ending.NONE)
    assert case.due_us > MONDAY + 9 * DAY
    archived = after(m.Archive(actor=DISPATCHER, reason="满意"), case=closed)
    assert refused(archived, reopen) is Refusal.ARCHIVED


def test_a_year_without_a_calendar_stops_the_dispatch_and_says_why() -> None:
    bare = Calendar(years=frozenset({2025}))
    assert step(taken_in(), dispatch(), MONDAY, bare) is Refusal.NO_CALENDAR


def test_every_rule_fits_its_column_and_every_refusal_is_its_own_sentence() -> None:
    assert all(0 < len(str(one)) <= 80 and one.states for one in RULES.values())
    assert len({refusal.value for refusal in Refusal}) == len(Refusal.__members__)


ANYONE = st.sampled_from(
    [AGENT, DISPATCHER, REVIEWER, VISITOR, SUPERVISOR, AT_COUNTY, AT_TOWN, Actor("2003", Part.UNIT, OTHER)]
)
UNITS = st.sampled_from([COUNTY, TOWN, OTHER, VILLAGE, ""])
MOVES: st.SearchStrategy[Move] = st.one_of(
    st.builds(
        m.Dispatch, actor=ANYONE, reason=st.just("x"), unit=UNITS, profile=st.sampled_from(ProfileName)
    ),
    *(st.builds(kind, actor=ANYONE, reason=st.just("x"), unit=UNITS) for kind in (m.PassDown, m.GrantReturn)),
    *(
        st.builds(kind, actor=ANYONE, reason=st.sampled_from(["x", " "]))
        for kind in RULES
        if not set(kind.__struct_fields__) - {"actor", "reason"}
    ),
    st.builds(m.AskReturn, actor=ANYONE, reason=st.just("x"), suggestion=UNITS),
    st.builds(m.AskExtension, actor=ANYONE, reason=st.just("x"), days=st.integers(-2, 12)),
    st.builds(m.Reply, actor=ANYONE, reason=st.just("x"), is_citizen_told=st.booleans()),
    st.builds(m.Unreached, actor=ANYONE, reason=st.just("x"), is_sms=st.booleans()),
    st.builds(visited, st.sampled_from(Satisfaction), ANYONE),
    st.builds(m.Merge, actor=ANYONE, reason=st.just("x"), master=st.sampled_from(["n1-1", "n1-2", ""])),
)
MOVING = (m.Dispatch, m.GrantReturn, m.GrantExtension, m.Visited, m.Reopen)
"""The moves that may move a deadline: an order or a recorded grant each."""


class CaseLife(RuleBasedStateMachine):
    """One case under any moves by anyone: half of them at random, half among what its state allows."""

    @initialize(kind=st.sampled_from(Kind))
    def begin(self, kind: Kind) -> None:
        self.case, self.now = taken_in(kind=kind), MONDAY
        self.done: list[type[Move]] = []

    @rule(move=MOVES, hours=st.sampled_from([0, 1, 5, 30]))
    def anything(self, move: Move, hours: int) -> None:
        self._do(move, hours)

    @rule(data=st.data(), hours=st.sampled_from([0, 1, 5]))
    def something_fitting(self, data: st.DataObject, hours: int) -> None:
        unit = Actor("2009", Part.UNIT, self.case.chain[-1])
        fitting = {
            CaseState.INTAKE: (dispatch(),),
            CaseState.DISPATCHED: (
                m.Accept(actor=unit, reason="x"),
                msgspec.structs.replace(ASK_RETURN, actor=unit),
            ),
            CaseState.ACCEPTED: (
                m.Start(actor=unit, reason="x"),
                msgspec.structs.replace(extension(4), actor=unit),
            ),
            CaseState.WORKING: (msgspec.structs.replace(REPLY, actor=unit),),
            CaseState.REPLIED: (REVIEW, SEND_BACK),
            CaseState.REVIEWED: (visited(Satisfaction.GOOD), visited(Satisfaction.BAD), unreached()),
            CaseState.VISITING: (CLOSE, unreached(), visited(Satisfaction.VERY_BAD)),
        }
        granting = (GRANT_RETURN, REFUSE_RETURN, m.GrantExtension(actor=DISPATCHER, reason="x"))
        chosen = granting if self.case.asked else fitting.get(self.case.state, (URGE,))
        self._do(data.draw(st.sampled_from(chosen)), hours)

    def _do(self, move: Move, hours: int) -> None:
        self.now += hours * HOUR
        before, result = self.case, step(self.case, move, self.now, china())
        if isinstance(result, Refusal):
            return
        assert result.due_us == before.due_us or isinstance(move, MOVING)
        for name in ("urged", "sent", "returned", "reworked", "unsatisfied"):
            assert getattr(result, name) - getattr(before, name) in (0, 1)
        assert (result.id, result.number, result.created_us) == (before.id, before.number, before.created_us)
        assert before.state is not CaseState.ARCHIVED
        self.case = result
        self.done.append(type(move))

    @invariant()
    def the_case_is_possible(self) -> None:
        case = self.case
        assert (case.closed_us > 0) == (case.state in FINISHED) == (case.ending is not Ending.NONE)
        assert 1 <= len(case.chain) <= 4 and len(set(case.chain)) == len(case.chain)
        assert case.chain[0] == PLATFORM and "" not in case.chain
        assert (case.due_us > 0) == (len(case.chain) > 1)
        assert (case.state is CaseState.MERGED) <= bool(case.master)
        assert case.asked is None or case.state in (
            CaseState.DISPATCHED,
            CaseState.ACCEPTED,
            CaseState.WORKING,
        )

    @invariant()
    def nobody_closes_without_review_and_visit_or_a_signature(self) -> None:
        if self.case.ending is Ending.VISITED:
            last_reply = len(self.done) - 1 - self.done[::-1].index(m.Reply)
            since = self.done[last_reply:]
            assert m.PassReview in since
            assert m.Visited in since or since.count(m.Unreached) >= 3
        if self.case.ending is Ending.SIGNED:
            assert m.CloseSigned in self.done


TestCaseLife = CaseLife.TestCase
TestCaseLife.settings = settings(max_examples=150, stateful_step_count=40, deadline=None)
