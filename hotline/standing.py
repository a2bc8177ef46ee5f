"""Owns how the hotline stands towards its callers now: its mode, what it announces, whom it restricts.

Supervisors change it while calls come in; each change is in the audit trail.
"""

from __future__ import annotations

import hashlib

import msgspec
from sqlalchemy import String, Text, delete, select, text
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Mapped, mapped_column

from hotline import audit
from hotline.audit import Deed
from hotline.db.base import Base, Key, Utc
from hotline.ivr_settings import NORMAL

LONGEST_H = 720
"""An announcement holds for so many hours at most, and is then announced anew by somebody who means it."""
LONGEST_DAYS = 365
"""For so long at most is a nuisance caller restricted."""
_MODE = "mode"
_NO, _EMPTY = text("0"), text("''")


class SwitchRow(Base):
    """One switch of the whole hotline, by its name."""

    __tablename__ = "ivr_switches"

    name: Mapped[Key]
    value: Mapped[str] = mapped_column(String(40))
    at_us: Mapped[Utc] = mapped_column(server_default=_NO)
    """When it was switched, by the person of that number (工号); "" at a terminal."""
    person: Mapped[str] = mapped_column(String(16), server_default=_EMPTY)


class AnnouncementRow(Base):
    """A hot announcement (热点公告): said to callers between two instants."""

    __tablename__ = "ivr_announcements"

    id: Mapped[Key]
    text: Mapped[str] = mapped_column(Text)
    queue: Mapped[str] = mapped_column(String(40))
    """Only to those who go to that queue; empty: to all."""
    from_us: Mapped[Utc]
    until_us: Mapped[Utc]
    at_us: Mapped[Utc] = mapped_column(server_default=_NO)
    person: Mapped[str] = mapped_column(String(16), server_default=_EMPTY)
    district: Mapped[str] = mapped_column(String(60), server_default=_EMPTY)
    recording: Mapped[str] = mapped_column(String(64), server_default=_EMPTY)


class RestrictedRow(Base):
    """A nuisance caller (骚扰号码), by the number's key (`CallerNumber.key`)."""

    __tablename__ = "ivr_restricted"

    citizen: Mapped[Key]
    until_us: Mapped[Utc]
    why: Mapped[str] = mapped_column(Text)
    at_us: Mapped[Utc] = mapped_column(server_default=_NO)
    person: Mapped[str] = mapped_column(String(16), server_default=_EMPTY)


class Announcement(msgspec.Struct, frozen=True, kw_only=True):
    """A hot announcement; `queue` "" is for all. Instants are UTC microseconds."""

    id: str
    text: str
    queue: str
    from_us: int
    until_us: int
    district: str = ""
    """Not to those who are known to live in another one (泰山区); "": to all."""
    recording: str = ""
    """By what it is kept (`hotline.recorded`), if somebody has spoken it; "": the engine speaks the text."""
    at_us: int = 0
    person: str = ""
    """Who announced it (工号) and when; "" at a terminal."""

    @property
    def prompt(self) -> str:
        """The name of its sound file: another text is another file."""
        return prompt_of(self.recording or hashlib.sha256(self.text.encode()).hexdigest())


class Restricted(msgspec.Struct, frozen=True, kw_only=True):
    """A nuisance caller by the number's key: until when, why, since when and by whom (工号)."""

    citizen: str
    until_us: int
    why: str
    at_us: int
    person: str


class Standing(msgspec.Struct, frozen=True, kw_only=True):
    """How the hotline stands. `mode_us`, `mode_by`: since when, and by whom (工号; "" at a terminal).
    `restricted`: until when, by the number's key.
    """

    mode: str = NORMAL
    mode_us: int = 0
    mode_by: str = ""
    news: tuple[Announcement, ...] = ()
    restricted: dict[str, int] = msgspec.field(default_factory=dict)

    def is_blocked(self, citizen: str, now_us: int) -> bool:
        """Whether that caller is restricted now."""
        return now_us < self.restricted.get(citizen, 0)

    def announcements(self, queue: str, now_us: int, district: str = "") -> tuple[str, ...]:
        """The prompts that a caller on the way to that queue hears now. `district`: where they live, "" when
        nobody knows: they hear what any district is told, for one sentence too many costs them less.
        """
        return tuple(
            each.prompt
            for each in self.news
            if each.from_us <= now_us < each.until_us
            and each.queue in ("", queue)
            and (not district or each.district in ("", district))
        )


def prompt_of(digest: str) -> str:
    """The sound file's name of an announcement, by the digest of its text or recording."""
    return f"hotline/news-{digest[:16]}"


async def look(session: AsyncSession, now_us: int) -> Standing:
    """How the hotline stands; what is over is left out."""
    mode = await session.get(SwitchRow, _MODE)
    news = await session.scalars(
        select(AnnouncementRow).where(AnnouncementRow.until_us > now_us).order_by(AnnouncementRow.from_us)
    )
    restricted = await restricted_now(session, now_us)
    return Standing(
        mode=mode.value if mode is not None else NORMAL,
        mode_us=mode.at_us if mode is not None else 0,
        mode_by=mode.person if mode is not None else "",
        news=tuple(
            Announcement(**{name: getattr(row, name) for name in Announcement.__struct_fields__})
            for row in news
        ),
        restricted={each.citizen: each.until_us for each in restricted},
    )


async def restricted_now(session: AsyncSession, now_us: int) -> list[Restricted]:
    """The nuisance callers whose time is not over, the newest first."""
    query = select(RestrictedRow).where(RestrictedRow.until_us > now_us)
    rows = await session.scalars(query.order_by(RestrictedRow.at_us.desc(), RestrictedRow.citizen))
    names = Restricted.__struct_fields__
    return [Restricted(**{name: getattr(row, name) for name in names}) for row in rows]


async def switch_mode(session: AsyncSession, mode: str, deed: Deed, now_us: int) -> None:
    """Put the whole hotline into that mode, from the next call on."""
    await session.merge(SwitchRow(name=_MODE, value=mode, at_us=now_us, person=deed.person))
    await audit.record(session, deed, now_us)


async def announce(session: AsyncSession, new: Announcement, deed: Deed, now_us: int) -> None:
    """Announce something to callers."""
    kept = msgspec.structs.replace(new, at_us=now_us, person=deed.person)
    session.add(AnnouncementRow(**msgspec.structs.asdict(kept)))
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
    row = RestrictedRow(citizen=citizen, until_us=until_us, why=deed.why, at_us=now_us, person=deed.person)
    await session.merge(row)
    await audit.record(session, deed, now_us)


async def pardon(session: AsyncSession, citizen: str, deed: Deed, now_us: int) -> bool:
    """Restrict that caller no longer; False when they were not."""
    row = await session.get(RestrictedRow, citizen)
    if row is None:
        return False
    await session.execute(delete(RestrictedRow).where(RestrictedRow.citizen == citizen))
    await audit.record(session, deed, now_us)
    return True
