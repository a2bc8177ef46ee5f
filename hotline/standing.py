"""Owns how the hotline stands towards its callers now: its mode, what it announces, whom it restricts.

Supervisors change it while calls come in; each change is in the audit trail.
"""

from __future__ import annotations

import hashlib

import msgspec
from sqlalchemy import String, Text, delete, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Mapped, mapped_column

from hotline import audit
from hotline.audit import Deed
from hotline.db.base import Base, Key, Utc
from hotline.ivr_settings import NORMAL

_MODE = "mode"


class SwitchRow(Base):
    """One switch of the whole hotline, by its name."""

    __tablename__ = "ivr_switches"

    name: Mapped[Key]
    value: Mapped[str] = mapped_column(String(40))


class AnnouncementRow(Base):
    """A hot announcement (热点公告): said to callers between two instants."""

    __tablename__ = "ivr_announcements"

    id: Mapped[Key]
    text: Mapped[str] = mapped_column(Text)
    queue: Mapped[str] = mapped_column(String(40))
    """Only to those who go to that queue; empty: to all."""
    from_us: Mapped[Utc]
    until_us: Mapped[Utc]


class RestrictedRow(Base):
    """A nuisance caller (骚扰号码), by the number's key (`CallerNumber.key`)."""

    __tablename__ = "ivr_restricted"

    citizen: Mapped[Key]
    until_us: Mapped[Utc]
    why: Mapped[str] = mapped_column(Text)


class Announcement(msgspec.Struct, frozen=True, kw_only=True):
    """A hot announcement; `queue` "" is for all. Instants are UTC microseconds."""

    id: str
    text: str
    queue: str
    from_us: int
    until_us: int

    @property
    def prompt(self) -> str:
        """The name of its sound file: another text is another file."""
        return f"hotline/news-{hashlib.sha256(self.text.encode()).hexdigest()[:16]}"


class Standing(msgspec.Struct, frozen=True, kw_only=True):
    """How the hotline stands. `restricted`: until when, by the number's key."""

    mode: str = NORMAL
    news: tuple[Announcement, ...] = ()
    restricted: dict[str, int] = msgspec.field(default_factory=dict)

    def is_blocked(self, citizen: str, now_us: int) -> bool:
        """Whether that caller is restricted now."""
        return now_us < self.restricted.get(citizen, 0)

    def announcements(self, queue: str, now_us: int) -> tuple[str, ...]:
        """The prompts that a caller on the way to that queue hears now."""
        return tuple(
            each.prompt
            for each in self.news
            if each.from_us <= now_us < each.until_us and each.queue in ("", queue)
        )


async def look(session: AsyncSession, now_us: int) -> Standing:
    """How the hotline stands; what is over is left out."""
    mode = await session.get(SwitchRow, _MODE)
    news = await session.scalars(
        select(AnnouncementRow).where(AnnouncementRow.until_us > now_us).order_by(AnnouncementRow.from_us)
    )
    restricted = await session.scalars(select(RestrictedRow).where(RestrictedRow.until_us > now_us))
    return Standing(
        mode=mode.value if mode is not None else NORMAL,
        news=tuple(
            Announcement(id=r.id, text=r.text, queue=r.queue, from_us=r.from_us, until_us=r.until_us)
            for r in news
        ),
        restricted={row.citizen: row.until_us for row in restricted},
    )


async def switch_mode(session: AsyncSession, mode: str, deed: Deed, now_us: int) -> None:
    """Put the whole hotline into that mode, from the next call on."""
    await session.merge(SwitchRow(name=_MODE, value=mode))
    await audit.record(session, deed, now_us)


async def announce(session: AsyncSession, new: Announcement, deed: Deed, now_us: int) -> None:
    """Announce something to callers."""
    session.add(AnnouncementRow(**msgspec.structs.asdict(new)))
    await audit.record(session, deed, now_us)


async def withdraw(session: AsyncSession, id_: str, deed: Deed, now_us: int) -> bool:
    """Announce it no longer; False when there is no such announcement."""
    row = await session.get(AnnouncementRow, id_)
    if row is None:
        return False
    row.until_us = min(row.until_us, now_us)
    await audit.record(session, deed, now_us)
    return True


async def restrict(session: AsyncSession, citizen: str, until_us: int, deed: Deed, now_us: int) -> None:
    """Have that caller served after all others until then; the deed's `why` is kept with it."""
    await session.merge(RestrictedRow(citizen=citizen, until_us=until_us, why=deed.why))
    await audit.record(session, deed, now_us)


async def pardon(session: AsyncSession, citizen: str, deed: Deed, now_us: int) -> bool:
    """Restrict that caller no longer; False when they were not."""
    row = await session.get(RestrictedRow, citizen)
    if row is None:
        return False
    await session.execute(delete(RestrictedRow).where(RestrictedRow.citizen == citizen))
    await audit.record(session, deed, now_us)
    return True
