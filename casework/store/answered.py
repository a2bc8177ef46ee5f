"""Owns what other systems were answered, by the key they gave their request (Idempotency-Key): once done, the
same request is answered and not done again.

The key is taken and the answer kept in the transaction of the change itself: a kill leaves both or neither,
and of two at once the second waits for the first.
"""

from __future__ import annotations

from sqlalchemy import String, Text, delete, text
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Mapped, mapped_column

from hotline.db.base import Base, Utc
from hotline.local_time import DAY_US

KEEP_US = 2 * DAY_US
"""How long an answer is kept."""
_TAKE = text(
    "INSERT INTO system_answers (system, key, fingerprint, answer, at_us)"
    " VALUES (:system, :key, :fingerprint, '', :at_us) ON CONFLICT DO NOTHING RETURNING key"
)


class SystemAnswerRow(Base):
    """An answer. `fingerprint`: what was asked, as SHA-256."""

    __tablename__ = "system_answers"

    system: Mapped[str] = mapped_column(String(16), primary_key=True)
    key: Mapped[str] = mapped_column(String(128), primary_key=True)
    fingerprint: Mapped[str] = mapped_column(String(64))
    answer: Mapped[str] = mapped_column(Text)
    at_us: Mapped[Utc] = mapped_column(index=True)


async def take(
    session: AsyncSession, system: str, key: str, fingerprint: str, now_us: int
) -> tuple[str, str] | None:
    """Take the key for this request; if it was taken, for which (its fingerprint), and what was answered."""
    await session.execute(delete(SystemAnswerRow).where(SystemAnswerRow.at_us < now_us - KEEP_US))
    values = {"system": system, "key": key, "fingerprint": fingerprint, "at_us": now_us}
    if (await session.execute(_TAKE, values)).first() is not None:
        return None
    row = await session.get_one(SystemAnswerRow, (system, key))
    return row.fingerprint, row.answer


async def keep(session: AsyncSession, system: str, key: str, answer: str) -> None:
    """Keep what the request under the taken key is answered."""
    (await session.get_one(SystemAnswerRow, (system, key))).answer = answer
