"""Owns the table of recordings: where each one is kept, what is missing of it, how long it stays."""

from __future__ import annotations

from sqlalchemy import BigInteger, Boolean, Index, String
from sqlalchemy.orm import Mapped, mapped_column

from hotline.db.base import Base, Utc


class RecordingRow(Base):
    """One direction of a conversation's recording (录音). No projection: it must outlive the tables that are
    made of the journal, so that nothing here refers to them.
    """

    __tablename__ = "recordings"
    __table_args__ = (Index(None, "removed_us", "expires_us"),)

    conversation: Mapped[str] = mapped_column(String(80), primary_key=True)
    direction: Mapped[str] = mapped_column(String(16), primary_key=True)
    """`ctiserver.archive.rules.Direction`."""
    path: Mapped[str] = mapped_column(String(200))
    """Relative to the directory of recordings; "" when there is no file and never was."""
    bytes: Mapped[int] = mapped_column(BigInteger)
    duration_ms: Mapped[int] = mapped_column(BigInteger)
    sha256: Mapped[str] = mapped_column(String(64))
    """Of the FLAC file, in hexadecimal."""
    from_us: Mapped[Utc]
    """When the recording begins; when the call began, if it is missing."""
    is_missing: Mapped[bool] = mapped_column(Boolean)
    """The switch should have recorded and did not."""
    gap_ms: Mapped[int] = mapped_column(BigInteger)
    """How much of the call is not in the recording; 0 for up to a second."""
    kept_us: Mapped[Utc]
    expires_us: Mapped[Utc]
    removed_us: Mapped[Utc]
    """When the file was removed because its time was over; 0 while it is there."""
