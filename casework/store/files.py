"""Owns the files of cases: their list in the database, their bytes in a directory by their digest."""

from __future__ import annotations

import hashlib
import os
import tempfile
from pathlib import Path

import msgspec
from sqlalchemy import BigInteger, ForeignKey, String, func, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Mapped, mapped_column

from casework.attachments import Attachment
from hotline.db.base import Base, Key, Utc


class CaseFileRow(Base):
    """A file of a case."""

    __tablename__ = "case_files"

    id: Mapped[Key]
    case_id: Mapped[str] = mapped_column(String(80), ForeignKey("cases.id"), index=True)
    name: Mapped[str] = mapped_column(String(100))
    media_type: Mapped[str] = mapped_column(String(100))
    size: Mapped[int] = mapped_column(BigInteger)
    sha256: Mapped[str] = mapped_column(String(64))
    actor: Mapped[str] = mapped_column(String(16))
    at_us: Mapped[Utc]


async def add(session: AsyncSession, attachment: Attachment) -> None:
    """List a file whose bytes are kept already."""
    session.add(CaseFileRow(**msgspec.structs.asdict(attachment)))
    await session.flush()


async def files_of(session: AsyncSession, case_id: str) -> list[Attachment]:
    """The case's files, oldest first."""
    rows = await session.scalars(
        select(CaseFileRow).where(CaseFileRow.case_id == case_id).order_by(CaseFileRow.id)
    )
    names = Attachment.__struct_fields__
    return [Attachment(**{name: getattr(row, name) for name in names}) for row in rows]


async def count_of(session: AsyncSession, case_id: str) -> int:
    """How many files the case has."""
    query = select(func.count()).select_from(CaseFileRow).where(CaseFileRow.case_id == case_id)
    return int(await session.scalar(query) or 0)


def keep(directory: Path, content: bytes) -> str:
    """Write the bytes, whole or not at all, readable by nobody else; gives their SHA-256."""
    digest = hashlib.sha256(content).hexdigest()
    path = path_of(directory, digest)
    if path.exists():
        return digest
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    with tempfile.NamedTemporaryFile(dir=path.parent, delete=False) as file:
        try:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
            Path(file.name).replace(path)
        except BaseException:
            Path(file.name).unlink(missing_ok=True)
            raise
    return digest


def path_of(directory: Path, digest: str) -> Path:
    """Where the bytes with that digest are; the name that somebody gave them plays no part."""
    return directory / digest[:2] / digest
