"""Owns the daily counts (日报): each day counted once, when it is over, from what happened on it."""

from __future__ import annotations

from datetime import date, timedelta

import msgspec
from sqlalchemy import Integer, String, and_, case, func, select, text
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Mapped, mapped_column

from casework import moves as m
from casework.moves import tag_of
from casework.store.tables import CaseMoveRow, CaseRow
from casework.words import Satisfaction
from hotline.db.base import Base, Utc
from hotline.local_time import day_start_us

BACK = 31
"""So many days back are looked for what an outage left out."""


class CaseDayRow(Base):
    """One day's count; made again from the histories it comes out the same."""

    __tablename__ = "case_days"

    day: Mapped[str] = mapped_column(String(10), primary_key=True)
    at_us: Mapped[Utc]
    """When it was counted."""
    taken_in: Mapped[int] = mapped_column(Integer)
    closed: Mapped[int] = mapped_column(Integer)
    replied: Mapped[int] = mapped_column(Integer)
    in_time: Mapped[int] = mapped_column(Integer)
    visited: Mapped[int] = mapped_column(Integer)
    satisfied: Mapped[int] = mapped_column(Integer)
    solved: Mapped[int] = mapped_column(Integer)
    urged: Mapped[int] = mapped_column(Integer)
    supervised: Mapped[int] = mapped_column(Integer)


class DayCount(msgspec.Struct, frozen=True, kw_only=True):
    """What happened on a day (2026-11-24, Shanghai's)."""

    day: str
    taken_in: int
    closed: int
    replied: int
    in_time: int
    visited: int
    satisfied: int
    solved: int
    urged: int
    supervised: int


async def newest(session: AsyncSession, limit: int) -> list[DayCount]:
    """The days that have been counted, the newest first."""
    rows = await session.scalars(select(CaseDayRow).order_by(CaseDayRow.day.desc()).limit(limit))
    names = DayCount.__struct_fields__
    return [DayCount(**{name: getattr(row, name) for name in names}) for row in rows]


async def missing(session: AsyncSession, today: date) -> date | None:
    """The oldest day of late that is over and not yet counted; none before the first case."""
    first_us = await session.scalar(select(func.min(CaseRow.created_us)))
    if first_us is None:
        return None
    past = [today - timedelta(days=back) for back in range(BACK, 0, -1)]
    since = past[0].isoformat()
    there = set(await session.scalars(select(CaseDayRow.day).where(CaseDayRow.day >= since)))
    wanted = (day for day in past if day_start_us(day + timedelta(days=1)) > first_us)
    return next((day for day in wanted if day.isoformat() not in there), None)


async def count(session: AsyncSession, day: date) -> DayCount:
    """What happened on the day, counted from cases and histories."""
    since_us, until_us = day_start_us(day), day_start_us(day + timedelta(days=1))
    row = CaseMoveRow
    taken = select(func.count()).where(CaseRow.created_us >= since_us, CaseRow.created_us < until_us)
    closings = [tag_of(kind) for kind in (m.Answer, m.TurnAway, m.Close, m.CloseSigned, m.CloseWithMaster)]
    is_reply, is_visit = row.move == tag_of(m.Reply), row.move == tag_of(m.Visited)
    of_the_day = select(
        *(
            func.coalesce(func.sum(case((condition, 1), else_=0)), 0)
            for condition in (
                row.move.in_(closings),
                is_reply,
                and_(is_reply, row.is_late.is_(False)),
                is_visit,
                row.move == tag_of(m.Urge),
                row.move == tag_of(m.Supervise),
            )
        )
    ).where(row.at_us >= since_us, row.at_us < until_us)
    closed, replied, in_time, visited, urged, supervised = (await session.execute(of_the_day)).one()
    bodies = await session.scalars(
        select(row.body).where(row.at_us >= since_us, row.at_us < until_us, is_visit)
    )
    heard = [msgspec.json.decode(body) for body in bodies]
    return DayCount(
        day=day.isoformat(),
        taken_in=int(await session.scalar(taken) or 0),
        closed=int(closed),
        replied=int(replied),
        in_time=int(in_time),
        visited=int(visited),
        satisfied=sum(Satisfaction(one["satisfaction"]).is_satisfied for one in heard),
        solved=sum(bool(one["is_solved"]) for one in heard),
        urged=int(urged),
        supervised=int(supervised),
    )


async def keep(session: AsyncSession, counted: DayCount, now_us: int) -> bool:
    """Keep it, unless another node was first; whether it was kept."""
    values = msgspec.structs.asdict(counted) | {"at_us": now_us}
    names = ", ".join(values)
    places = ", ".join(f":{name}" for name in values)
    kept = await session.execute(
        text(f"INSERT INTO case_days ({names}) VALUES ({places}) ON CONFLICT DO NOTHING RETURNING day"),  # noqa: S608 - our own columns
        values,
    )
    return kept.scalar() is not None
