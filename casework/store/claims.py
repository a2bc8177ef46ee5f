"""Owns who works on what is to be done by telephone: a missed call, a message, a visit; once, by one person.

Its subject is the conversation that was missed, or the case to be visited. Whoever begins says so first
(认领), and holds it for a while; what is done stays done.
"""

from __future__ import annotations

from enum import StrEnum

import msgspec
from sqlalchemy import String, Text, delete, select, text, update
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Mapped, mapped_column

from hotline.db.base import Base, Key, Utc
from hotline.local_time import SECOND_US

HELD_US = 600 * SECOND_US
"""How long somebody holds what they began; then another may go on with it."""


class Done(StrEnum):
    """What became of it."""

    CASE = "case"
    """A case was opened."""
    URGED = "urged"
    """An open case was urged."""
    VOID = "void"
    """There was nothing to do; why is written down."""


class WorkClaimRow(Base):
    """One piece of work and who has it."""

    __tablename__ = "work_claims"

    subject: Mapped[Key]
    person: Mapped[str] = mapped_column(String(16))
    at_us: Mapped[Utc]
    done: Mapped[str] = mapped_column(String(8), server_default=text("''"))
    """`Done`; empty while it is worked on."""
    case_id: Mapped[str] = mapped_column(String(80), server_default=text("''"))
    why: Mapped[str] = mapped_column(Text, server_default=text("''"))


class Claim(msgspec.Struct, frozen=True):
    """Who has a piece of work, since when, and what became of it."""

    person: str
    at_us: int
    done: Done | None

    def is_held(self, now_us: int) -> bool:
        """Whether somebody works on it now."""
        return self.done is None and now_us < self.at_us + HELD_US

    def keeps_out(self, person: str, now_us: int) -> bool:
        """Whether it is none of this person's any more: another has it, or has done it."""
        return self.person != person and (self.done is not None or self.is_held(now_us))


_TAKE = text(
    "INSERT INTO work_claims (subject, person, at_us) VALUES (:subject, :person, :now_us)"
    " ON CONFLICT (subject) DO UPDATE SET person = excluded.person, at_us = excluded.at_us"
    " WHERE work_claims.done = ''"
    " AND (work_claims.person = excluded.person OR work_claims.at_us <= :stale_us)"
)


async def take(session: AsyncSession, subject: str, person: str, now_us: int) -> Claim:
    """Begin it, unless another has it or it is done; of two at once one gets it. Tells whose it is now."""
    values = {"subject": subject, "person": person, "now_us": now_us, "stale_us": now_us - HELD_US}
    await session.execute(_TAKE, values)
    return _claim(await session.get_one(WorkClaimRow, subject, populate_existing=True))


async def finish(
    session: AsyncSession, subject: str, person: str, done: Done, *, case_id: str = "", why: str = ""
) -> None:
    """It is done by who has it; nothing where it was never begun, or is another's."""
    row = WorkClaimRow
    is_theirs = (row.subject == subject, row.person == person, row.done == "")
    await session.execute(update(row).where(*is_theirs).values(done=done.value, case_id=case_id, why=why))


async def let_go(session: AsyncSession, subject: str) -> None:
    """Nobody works on it any more, and it may be begun anew: a visit is made again when it is due again."""
    await session.execute(delete(WorkClaimRow).where(WorkClaimRow.subject == subject))


async def claims_on(session: AsyncSession, subjects: list[str]) -> dict[str, Claim]:
    """Who has which of these."""
    rows = await session.scalars(select(WorkClaimRow).where(WorkClaimRow.subject.in_(subjects)))
    return {row.subject: _claim(row) for row in rows}


def _claim(row: WorkClaimRow) -> Claim:
    return Claim(row.person, row.at_us, Done(row.done) if row.done else None)
