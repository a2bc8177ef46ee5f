"""Owns the tables that the journal is projected into: calls, legs, third parties, seat times,
pops, supervisions, callbacks.

Instants are UTC microseconds, 0 for "not yet"; durations are milliseconds. Every key carries its node.
"""

from __future__ import annotations

from sqlalchemy import BigInteger, Boolean, ForeignKey, Index, Integer, String, Text, false, text
from sqlalchemy.orm import Mapped, mapped_column

from hotline.db.base import Base, Key, Utc

_ABOUT = text("about <> ''")


class CallRow(Base):
    """One conversation (通话)."""

    __tablename__ = "calls"
    __table_args__ = (
        Index(None, "citizen", "started_us"),
        Index("ix_calls_about", "about", sqlite_where=_ABOUT, postgresql_where=_ABOUT),
    )

    conversation: Mapped[Key]
    node: Mapped[str] = mapped_column(String(31))
    uid: Mapped[str] = mapped_column(String(80))
    """Asterisk's Uniqueid of the citizen's channel."""
    citizen: Mapped[str] = mapped_column(String(64))
    """The number in canonical form (`CallerNumber.key`); empty when withheld."""
    number: Mapped[str] = mapped_column(Text)
    """As it came."""
    name: Mapped[str] = mapped_column(Text)
    dnis: Mapped[str] = mapped_column(Text)
    is_outbound: Mapped[bool] = mapped_column(Boolean)
    """The hotline called the citizen (外呼)."""
    about: Mapped[str] = mapped_column(String(80))
    """What an outbound call is about: the conversation that it answers, or the case; empty for neither."""
    queue: Mapped[str] = mapped_column(String(40))
    started_us: Mapped[Utc] = mapped_column(index=True)
    queued_us: Mapped[Utc]
    rang_us: Mapped[Utc]
    answered_us: Mapped[Utc]
    ended_us: Mapped[Utc]
    outcome: Mapped[str] = mapped_column(String(24))
    """`ctiserver.api.states.Outcome`; empty while the call lasts."""
    seat: Mapped[str] = mapped_column(String(16))
    """The seat that answered last, or rang last when none answered."""
    agent: Mapped[str] = mapped_column(String(16))
    wait_ms: Mapped[int] = mapped_column(BigInteger)
    talk_ms: Mapped[int] = mapped_column(BigInteger)
    is_seen: Mapped[bool] = mapped_column(Boolean)
    """False: it ended while the CTI server did not look; the end is Asterisk's own record (CEL)."""
    rating: Mapped[int | None] = mapped_column(Integer)
    """评价: 1 very content to 5 very discontent, 0 asked in vain; empty: not asked. It is about `agent`."""
    has_remark: Mapped[bool] = mapped_column(Boolean, server_default=false())
    """The citizen spoke after the rating (评价意见): it is the end of the recording."""
    ivr_path: Mapped[str] = mapped_column(Text, server_default=text("''"))
    """The way through the IVR (`ctiserver.api.way`); empty for calls that had none."""
    ivr_failure: Mapped[str] = mapped_column(String(16), server_default=text("''"))
    """Why the IVR did not lead the caller on by itself; empty for nearly all."""


class LegRow(Base):
    """One seat's part in a conversation."""

    __tablename__ = "legs"

    conversation: Mapped[str] = mapped_column(String(80), ForeignKey("calls.conversation"), primary_key=True)
    leg: Mapped[Key]
    seat: Mapped[str] = mapped_column(String(16))
    agent: Mapped[str] = mapped_column(String(16))
    rang_us: Mapped[Utc]
    answered_us: Mapped[Utc]
    left_us: Mapped[Utc]
    talk_ms: Mapped[int] = mapped_column(BigInteger)
    is_missed: Mapped[bool] = mapped_column(Boolean)


class ThirdPartyAttemptRow(Base):
    """One third party (第三方) called for a conversation."""

    __tablename__ = "third_party_attempts"
    __table_args__ = (Index(None, "is_emergency", "asked_us"),)

    conversation: Mapped[str] = mapped_column(String(80), ForeignKey("calls.conversation"), primary_key=True)
    n: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=False)
    number: Mapped[str] = mapped_column(Text)
    label: Mapped[str] = mapped_column(Text)
    is_emergency: Mapped[bool] = mapped_column(Boolean)
    seat: Mapped[str] = mapped_column(String(16))
    agent: Mapped[str] = mapped_column(String(16))
    called_seat: Mapped[str] = mapped_column(String(16))
    """The seat that was called; empty for somebody outside."""
    asked_us: Mapped[Utc]
    answered_us: Mapped[Utc]
    ended_us: Mapped[Utc]
    state: Mapped[str] = mapped_column(String(24))


class SeatTimeRow(Base):
    """How long a seat was in one state: the raw material of occupancy and attendance."""

    __tablename__ = "seat_times"
    __table_args__ = (Index(None, "node", "seat", "to_us"), Index(None, "agent", "from_us"))

    event_id: Mapped[Key]
    """The journal event that began it."""
    node: Mapped[str] = mapped_column(String(31))
    seat: Mapped[str] = mapped_column(String(16))
    agent: Mapped[str] = mapped_column(String(16))
    state: Mapped[str] = mapped_column(String(24))
    reason: Mapped[str] = mapped_column(Text)
    from_us: Mapped[Utc]
    to_us: Mapped[Utc]


class PopRow(Base):
    """One screen pop (来电弹屏): a seat that began to ring."""

    __tablename__ = "pops"
    __table_args__ = (Index(None, "seat", "at_us"),)

    event_id: Mapped[Key]
    conversation: Mapped[str] = mapped_column(String(80), ForeignKey("calls.conversation"), index=True)
    seat: Mapped[str] = mapped_column(String(16))
    agent: Mapped[str] = mapped_column(String(16))
    leg: Mapped[str] = mapped_column(String(80))
    at_us: Mapped[Utc]


class SupervisionRow(Base):
    """Who supervised whom (监听、插入、强制示忙 …), when and why."""

    __tablename__ = "supervisions"
    __table_args__ = (
        Index(None, "seat", "at_us"),
        Index(None, "person", "at_us"),
        Index(None, "node", "leg"),
    )

    event_id: Mapped[Key]
    """The journal event that began it."""
    node: Mapped[str] = mapped_column(String(31))
    at_us: Mapped[Utc]
    until_us: Mapped[Utc]
    """Of what lasts: its end; 0 while it goes on, and of everything else."""
    person: Mapped[str] = mapped_column(String(16))
    """The supervisor's number; empty when a restart of ours forgot who asked."""
    what: Mapped[str] = mapped_column(String(24))
    """`ctiserver.api.states.Oversight`."""
    conversation: Mapped[str] = mapped_column(String(80), index=True)
    """Empty for what concerns no call."""
    seat: Mapped[str] = mapped_column(String(16))
    agent: Mapped[str] = mapped_column(String(16))
    detail: Mapped[str] = mapped_column(Text)
    """The reason of a not-ready, the text of a message."""
    why: Mapped[str] = mapped_column(Text)
    leg: Mapped[str] = mapped_column(String(100))
    """Uniqueid of the supervisor's channel; empty for what needs none."""


class CallbackRow(Base):
    """One callback that keeps its place (保位回呼), and what became of it."""

    __tablename__ = "callbacks"
    __table_args__ = (Index(None, "node", "asked_us"),)

    conversation: Mapped[str] = mapped_column(String(80), ForeignKey("calls.conversation"), primary_key=True)
    """In which the citizen asked for it."""
    node: Mapped[str] = mapped_column(String(31))
    queue: Mapped[str] = mapped_column(String(40))
    since_us: Mapped[Utc]
    """From when on they count as waiting."""
    asked_us: Mapped[Utc]
    closed_us: Mapped[Utc]
    state: Mapped[str] = mapped_column(String(24), index=True)
    """`ctiserver.api.states.CallbackState`."""
    tries: Mapped[int] = mapped_column(Integer)
    """How often the citizen's phone rang in vain."""
    call: Mapped[str] = mapped_column(String(80))
    """The conversation that called them last; empty before."""
    seat: Mapped[str] = mapped_column(String(16))
    agent: Mapped[str] = mapped_column(String(16))
    """Who called them last."""
    person: Mapped[str] = mapped_column(String(16))
    """The supervisor who cancelled it."""


class JournalEventRow(Base):
    """A journal entry, copied: every node's history in one place, to make the other tables from again."""

    __tablename__ = "journal_events"
    __table_args__ = (Index(None, "node", "at_us"),)

    event_id: Mapped[Key]
    node: Mapped[str] = mapped_column(String(31))
    seq: Mapped[int] = mapped_column(BigInteger)
    at_us: Mapped[Utc]
    kind: Mapped[str] = mapped_column(String(40))
    body: Mapped[str] = mapped_column(Text)
    refusal: Mapped[str] = mapped_column(Text)
    """Why it could not be projected; empty for nearly all."""


class CheckpointRow(Base):
    """How far a projector has come in one journal; written in the transaction of the rows themselves."""

    __tablename__ = "projector_checkpoints"

    journal: Mapped[str] = mapped_column(String(80), primary_key=True)
    projector: Mapped[str] = mapped_column(String(40), primary_key=True)
    seq: Mapped[int] = mapped_column(BigInteger)
