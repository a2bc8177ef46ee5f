"""Owns the responsibility catalogue in the database."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec
from sqlalchemy import JSON, Boolean, Integer, String, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Mapped, mapped_column

from casework.catalogue import Matter
from hotline.db.base import Base


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


async def all_matters(session: AsyncSession) -> list[Matter]:
    """The whole catalogue, in its order."""
    rows = await session.scalars(select(CaseMatterRow).order_by(CaseMatterRow.position, CaseMatterRow.id))
    names = Matter.__struct_fields__
    return [msgspec.convert({name: getattr(row, name) for name in names}, Matter) for row in rows]
