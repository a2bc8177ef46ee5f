"""Owns the responsibility catalogue in the database."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec
from sqlalchemy import JSON, Boolean, Integer, String, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Mapped, mapped_column

from casework.catalogue import Matter
from casework.store.edits import in_force
from hotline.db.base import Base

MATTER = "matter:"
"""What the subject of a matter's changes begins with (`casework.store.edits`)."""


class CaseMatterRow(Base):
    """A matter; `position` is its place on pages."""

    __tablename__ = "case_matters"

    id: Mapped[str] = mapped_column(String(31), primary_key=True)
    name: Mapped[str] = mapped_column(String(60), unique=True)
    category: Mapped[str] = mapped_column(String(30))
    unit: Mapped[str] = mapped_column(String(31))
    keywords: Mapped[list[str]] = mapped_column(JSON)
    assisting: Mapped[list[str]] = mapped_column(JSON)
    profile: Mapped[str] = mapped_column(String(16))
    is_local: Mapped[bool] = mapped_column(Boolean)
    position: Mapped[int] = mapped_column(Integer)


async def save_matters(session: AsyncSession, matters: Iterable[Matter]) -> None:
    """Put matters into the catalogue in this order, replacing those of the same id."""
    for position, matter in enumerate(matters):
        await session.merge(CaseMatterRow(**msgspec.to_builtins(matter), position=position))


async def all_matters(session: AsyncSession, now_us: int) -> list[Matter]:
    """The catalogue as it is in force at that time, in its order; what was added later comes last."""
    rows = await session.scalars(select(CaseMatterRow).order_by(CaseMatterRow.position, CaseMatterRow.id))
    names = Matter.__struct_fields__
    loaded = [msgspec.convert({name: getattr(row, name) for name in names}, Matter) for row in rows]
    changed = await in_force(session, MATTER, now_us)
    found: dict[str, Matter | None] = {matter.id: matter for matter in loaded}
    for subject, after in changed.items():
        found[subject.removeprefix(MATTER)] = msgspec.json.decode(after, type=Matter) if after else None
    return [matter for matter in found.values() if matter is not None]
