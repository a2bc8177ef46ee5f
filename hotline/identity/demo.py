"""Owns the invented people of a demo: agents, supervisors, an administrator and a wall."""

from __future__ import annotations

from hotline.identity.people import NewPerson
from hotline.identity.roles import Role

_FAMILY = "王李张刘陈杨赵黄周吴徐孙胡朱高林何郭马罗"
_GIVEN = (
    "丽娟", "晓燕", "志强", "海霞", "文静", "建国", "雪梅", "俊杰", "春玲", "明辉", "秀芳", "婷婷", "立新",
    "素云", "国栋", "佳慧", "红霞", "振华", "玉洁", "思远", "桂英", "浩然", "晓东", "淑珍",
)  # fmt: skip


def demo_people(count: int) -> tuple[NewPerson, ...]:
    """`count` agents from 1001, a supervisor from 9001 for every 20, administrator 9901, wall 9902."""
    if not 1 <= count <= 7000:
        raise ValueError("a demo has 1 to 7,000 agents")
    agents = [NewPerson(number=f"{1001 + n}", name=_name(n), role=Role.AGENT) for n in range(count)]
    leaders = -(-count // 20)
    supervisors = [
        NewPerson(number=f"{9001 + n}", name=_name(n + 7), role=Role.SUPERVISOR) for n in range(leaders)
    ]
    others = (
        NewPerson(number="9901", name="系统管理员", role=Role.ADMIN),
        NewPerson(number="9902", name="大屏", role=Role.WALL),
    )
    return (*agents, *supervisors, *others)


def _name(n: int) -> str:
    return _FAMILY[n * 7 % len(_FAMILY)] + _GIVEN[n * 5 % len(_GIVEN)]
