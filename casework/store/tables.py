"""Owns the tables of cases: the case as it stands, its history, and the counter behind its number."""

from __future__ import annotations

from sqlalchemy import Boolean, ForeignKey, Index, Integer, String, Text, TextClause, text
from sqlalchemy.orm import Mapped, mapped_column

from hotline.db.base import Base, Key, RowId, Utc

_NO, _EMPTY = text("0"), text("''")
AS_OPEN, AS_ASKED, AS_SUPERVISED = text("closed_us = 0"), text("asked > ''"), text("level > ''")
AS_WATCHED, AS_TO_VISIT = text("wake_us > 0"), text("visit_due_us > 0")
AS_LEDGER = text("move IN ('supervise', 'discharge')")
AS_WARNING, AS_VISIT = text("move = 'warn'"), text("move = 'visited'")
AS_DEADLINE = text("move IN ('warn', 'reply', 'close_signed')")
AS_OTHER = text(
    "move IN ('dispatch', 'pass_down', 'grant_return', 'refuse_return', 'accept', 'reply', 'close_signed',"
    " 'send_back')"
)
"""What partial indexes hold. A query that says so in the very same words is answered by them; by a value that
is bound to it neither database would know.
"""


def _partial(name: str, *columns: str, only: TextClause) -> Index:
    return Index(name, *columns, sqlite_where=only, postgresql_where=only)


class CaseRow(Base):
    """A case (工单) as it stands now; what is not asked for in queries stands in `progress`."""

    __tablename__ = "cases"
    __table_args__ = (
        Index(None, "citizen", "created_us"),
        Index(None, "topic", "place"),
        Index(None, "created_us", "id"),
        Index(None, "unit", "created_us", "id"),
        Index(None, "state", "created_us", "id"),
        Index(None, "unit", "state", "created_us", "id"),
        _partial("ix_cases_open_by_state", "state", "due_us", "id", only=AS_OPEN),
        _partial("ix_cases_open_by_unit", "unit", "due_us", "id", only=AS_OPEN),
        _partial("ix_cases_asked", "above", "due_us", "id", only=AS_ASKED),
        _partial("ix_cases_supervised", "answer_due_us", "id", only=AS_SUPERVISED),
        _partial("ix_cases_watched", "wake_us", only=AS_WATCHED),
        _partial("ix_cases_to_visit", "visit_due_us", "id", only=AS_TO_VISIT),
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
    wake_us: Mapped[Utc] = mapped_column(server_default=_NO)
    """When the clock has something to do with it."""
    level: Mapped[str] = mapped_column(String(8), server_default=_EMPTY)
    """Of the supervision that is not yet discharged; with its trigger's name and its deadline."""
    trigger: Mapped[str] = mapped_column(String(16), server_default=_EMPTY)
    answer_due_us: Mapped[Utc] = mapped_column(server_default=_NO)
    visit_due_us: Mapped[Utc] = mapped_column(server_default=_NO)
    """When the citizen is to be asked (回访); 0 for not."""
    moves: Mapped[int] = mapped_column(Integer, server_default=_NO)
    """How many entries its history has."""
    head: Mapped[str] = mapped_column(String(64), server_default=_EMPTY)
    """The digest of the last of them."""


class CaseMoveRow(Base):
    """One entry of a case's history; the database refuses to change or delete it."""

    __tablename__ = "case_moves"
    __table_args__ = (
        Index(None, "case_id", "seq", unique=True),
        _partial("ix_case_moves_supervision", "id", only=AS_LEDGER),
        _partial("ix_case_moves_counted", "at_us", "move", "unit", "is_late", only=AS_OTHER),
        _partial("ix_case_moves_visits", "at_us", "unit", "body", only=AS_VISIT),
        _partial("ix_case_moves_warnings", "at_us", "case_id", only=AS_WARNING),
        _partial("ix_case_moves_deadlines", "case_id", "seq", only=AS_DEADLINE),
    )

    id: Mapped[RowId]
    case_id: Mapped[str] = mapped_column(String(80), ForeignKey("cases.id"))
    move: Mapped[str] = mapped_column(String(24))
    actor: Mapped[str] = mapped_column(String(16))
    at_us: Mapped[Utc]
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
