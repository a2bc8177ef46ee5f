"""Owns what was changed in the organisation and the catalogue: by whom, why, from when on. Only added to."""

from __future__ import annotations

import msgspec
from sqlalchemy import Index, String, Text, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Mapped, mapped_column

from hotline.db.base import Base, RowId, Utc


class RegisterEditRow(Base):
    """One change. `before` and `after` are JSON, "" where there was or is nothing."""

    __tablename__ = "register_edits"
    __table_args__ = (Index(None, "subject", "from_us"),)

    id: Mapped[RowId]
    subject: Mapped[str] = mapped_column(String(40))
    """unit:heating, matter:heating-01."""
    from_us: Mapped[Utc]
    before: Mapped[str] = mapped_column(Text)
    after: Mapped[str] = mapped_column(Text)
    person: Mapped[str] = mapped_column(String(16))
    at_us: Mapped[Utc]
    why: Mapped[str] = mapped_column(Text)


class Edit(msgspec.Struct, frozen=True, kw_only=True):
    """A change; `id` 0 before it is kept."""

    id: int = 0
    subject: str
    from_us: int
    before: str
    after: str
    person: str
    at_us: int
    why: str


async def add(session: AsyncSession, edit: Edit) -> None:
    """Keep a change."""
    fields = msgspec.structs.asdict(edit)
    del fields["id"]
    session.add(RegisterEditRow(**fields))
    await session.flush()


async def edits_of(session: AsyncSession, subject: str) -> list[Edit]:
    """All changes of a unit or a matter, the newest first."""
    row = RegisterEditRow
    return [
        _edit(one)
        for one in await session.scalars(select(row).where(row.subject == subject).order_by(row.id.desc()))
    ]


async def edit_of(session: AsyncSession, id_: int) -> Edit | None:
    """The change of that number."""
    row = await session.get(RegisterEditRow, id_)
    return _edit(row) if row is not None else None


async def in_force(session: AsyncSession, prefix: str, now_us: int) -> dict[str, str]:
    """What the changes of these subjects have made of each, by subject: the last that has begun by now."""
    row = RegisterEditRow
    query = select(row.subject, row.after).where(row.subject.startswith(prefix), row.from_us <= now_us)
    return {subject: after for subject, after in await session.execute(query.order_by(row.from_us, row.id))}


def _edit(row: RegisterEditRow) -> Edit:
    return Edit(**{name: getattr(row, name) for name in Edit.__struct_fields__})
