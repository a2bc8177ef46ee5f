"""Owns the tables of cases: the case as it stands, its history, and the counter behind its number."""

from __future__ import annotations

from sqlalchemy import Boolean, ForeignKey, Index, Integer, String, Text, text
from sqlalchemy.orm import Mapped, mapped_column

from hotline.db.base import Base, Key, RowId, Utc

_NO, _EMPTY = text("0"), text("''")
_LEDGER = text("move IN ('supervise', 'discharge')")


class CaseRow(Base):
    """A case (工单) as it stands now; what is not asked for in queries stands in `progress`."""

    __tablename__ = "cases"
    __table_args__ = (
        Index(None, "citizen", "created_us"),
        Index(None, "state", "due_us"),
        Index(None, "topic", "place"),
        Index(None, "unit", "state", "due_us"),
        Index(None, "above", "asked"),
        Index(None, "level", "answer_due_us"),
        Index(None, "unit", "created_us"),
        Index(None, "created_us", "id"),
    )

    id: Mapped[Key]
    number: Mapped[str] = mapped_column(String(24), unique=True)
    citizen: Mapped[str] = mapped_column(String(64))
    """The citizen's number in canonical form (`CallerNumber.key`); empty when withheld."""
    title: Mapped[str] = mapped_column(String(120))
    text: Mapped[str] = mapped_column(Text)
    state: Mapped[str] = mapped_column(String(16))
    unit: Mapped[str] = mapped_column(String(60))
    conversation: Mapped[str] = mapped_column(String(80), index=True)
    created_us: Mapped[Utc]
    closed_us: Mapped[Utc]
    """0 while open."""
    urged: Mapped[int] = mapped_column(Integer)
    topic: Mapped[str] = mapped_column(String(60), server_default=_EMPTY)
    place: Mapped[str] = mapped_column(String(60), server_default=_EMPTY)
    due_us: Mapped[Utc] = mapped_column(server_default=_NO)
    master: Mapped[str] = mapped_column(String(80), server_default=_EMPTY, index=True)
    progress: Mapped[str] = mapped_column(Text, server_default="{}")
    """The case's other fields as JSON."""
    asked: Mapped[str] = mapped_column(String(12), server_default=_EMPTY)
    """What its unit has asked for: "return", "extension" or nothing."""
    above: Mapped[str] = mapped_column(String(60), server_default=_EMPTY)
    """The unit that decides about it: the tier above the one that has the case."""
    kind: Mapped[str] = mapped_column(String(8), server_default=_EMPTY)
    wake_us: Mapped[Utc] = mapped_column(server_default=_NO, index=True)
    """When the clock has something to do with it."""
    level: Mapped[str] = mapped_column(String(8), server_default=_EMPTY)
    """Of the supervision that is not yet discharged; with its trigger's name and its deadline."""
    trigger: Mapped[str] = mapped_column(String(16), server_default=_EMPTY)
    answer_due_us: Mapped[Utc] = mapped_column(server_default=_NO)
    moves: Mapped[int] = mapped_column(Integer, server_default=_NO)
    """How many entries its history has."""
    head: Mapped[str] = mapped_column(String(64), server_default=_EMPTY)
    """The digest of the last of them."""


class CaseMoveRow(Base):
    """One entry of a case's history; the database refuses to change or delete it."""

    __tablename__ = "case_moves"
    __table_args__ = (
        Index(None, "case_id", "seq", unique=True),
        Index("ix_case_moves_supervision", "id", sqlite_where=_LEDGER, postgresql_where=_LEDGER),
    )

    id: Mapped[RowId]
    case_id: Mapped[str] = mapped_column(String(80), ForeignKey("cases.id"))
    move: Mapped[str] = mapped_column(String(24))
    actor: Mapped[str] = mapped_column(String(16))
    at_us: Mapped[Utc] = mapped_column(index=True)
    reason: Mapped[str] = mapped_column(Text)
    rule: Mapped[str] = mapped_column(String(80))
    """What the move rests on: a rule with its source."""
    seq: Mapped[int] = mapped_column(Integer, server_default=_NO)
    body: Mapped[str] = mapped_column(Text, server_default="{}")
    state: Mapped[str] = mapped_column(String(16), server_default=_EMPTY)
    unit: Mapped[str] = mapped_column(String(60), server_default=_EMPTY)
    due_us: Mapped[Utc] = mapped_column(server_default=_NO)
    is_late: Mapped[bool] = mapped_column(Boolean, server_default=text("false"))
    digest: Mapped[str] = mapped_column(String(64), server_default=_EMPTY)
    """Of this entry and the digest before it: `casework.history.digest`."""


class CasePartyRow(Base):
    """A unit that an open case concerns beside the one that has it: assisting, or it has passed it down."""

    __tablename__ = "case_parties"

    unit: Mapped[str] = mapped_column(String(60), primary_key=True)
    case_id: Mapped[str] = mapped_column(String(80), ForeignKey("cases.id"), primary_key=True, index=True)


class CaseCounterRow(Base):
    """The last case number given out on a day (Shanghai's)."""

    __tablename__ = "case_counters"

    day: Mapped[str] = mapped_column(String(8), primary_key=True)
    last: Mapped[int] = mapped_column(Integer)
