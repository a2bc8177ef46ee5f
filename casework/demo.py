"""Owns the invented cases of a demo, so that a citizen who calls has a past."""

from __future__ import annotations

from collections.abc import Iterator

from casework import moves as m
from casework.case import Case
from casework.deadlines import ProfileName, weekdays
from casework.service import NewCase, cases_of, move_case, open_case
from casework.words import Part, Satisfaction
from hotline.db.engine import Database
from hotline.local_time import DAY_US, local

_HEATING = "室内温度仅 14 度，自交暖费后多次联系物业未解决，请求尽快上门检修。"
_LIGHTS = "路灯连续三晚不亮，路口视线差，老人孩子出行不便。"
_NOISE = "夜间 23 时后仍在施工，影响休息，要求停止夜间施工。"
_PENSION = "咨询退休人员养老金资格认证的办理渠道。"
_CASES = (
    ("小区供暖温度不达标", _HEATING, "热力公司", 2, m.Start),
    ("东岳大街路灯不亮", _LIGHTS, "市城市管理局", 9, m.Close),
    ("夜间施工噪声扰民", _NOISE, "市生态环境局", 1, m.Start),
    ("养老金资格认证", _PENSION, "市人力资源和社会保障局", 30, m.Close),
    ("公交 4 路候车时间过长", "早高峰等候超过半小时，建议加密班次。", "公交公司", 4, m.PassReview),
)
"""Title, words, unit, how many days ago, and the last of its moves."""
_DISPATCHER, _REVIEWER = m.Actor("1002", Part.DISPATCHER), m.Actor("1003", Part.REVIEWER)
_VISITOR = m.Actor("1004", Part.VISITOR)


async def seed_cases(database: Database, citizens: tuple[str, ...], node: str, now_us: int) -> int:
    """Give each citizen (`CallerNumber.key`) who has no case one or two; returns how many were made."""
    made = 0
    for place, citizen in enumerate(citizens):
        async with database.read() as session:
            if await cases_of(session, citizen, limit=1):
                continue
        for offset in range(1 + place % 2):
            await _seed(database, citizen, place + offset * 2, node, now_us)
            made += 1
    return made


async def _seed(database: Database, citizen: str, place: int, node: str, now_us: int) -> None:
    title, words, unit, days, last = _CASES[place % len(_CASES)]
    opened_us = now_us - days * DAY_US
    new = NewCase(citizen=citizen, title=title, text=words, unit=unit, actor="1001")
    case = await open_case(database, new, node, opened_us)
    if not isinstance(case, Case):
        raise ValueError(case)
    year = local(opened_us).year
    calendar = weekdays(year, year + 1)
    for step, move in enumerate(_life(unit, last), start=1):
        after = await move_case(database, case.id, move, opened_us + step * DAY_US // 24, calendar)
        if not isinstance(after, Case):
            raise ValueError(after)


def _life(unit: str, last: type[m.Move]) -> Iterator[m.Move]:
    """What becomes of an invented case: in work and asked after, to be visited, or closed to satisfaction."""
    worker = m.Actor("2001", Part.UNIT, unit)
    yield m.Dispatch(actor=_DISPATCHER, reason="归口管理", unit=unit, profile=ProfileName.FIVE_DAYS)
    yield m.Accept(actor=worker, reason="已签收")
    yield m.Start(actor=worker, reason="已安排人员办理")
    if last is m.Start:
        yield m.Urge(actor=m.Actor("1001", Part.AGENT), reason="市民再次来电询问进度。")
        return
    yield m.Reply(actor=worker, reason="已现场处理，市民表示认可。", is_citizen_told=True)
    yield m.PassReview(actor=_REVIEWER, reason="结果具体")
    if last is m.PassReview:
        return
    good = Satisfaction.GOOD
    yield m.Visited(actor=_VISITOR, reason="认可", is_solved=True, satisfaction=good, is_in_time=True)
    yield m.Close(actor=_VISITOR, reason="回访满意")
