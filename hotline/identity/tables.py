"""Owns the tables of people and of what agents are skilled in."""

from __future__ import annotations

from sqlalchemy import Boolean, ForeignKey, Integer, String
from sqlalchemy.orm import Mapped, mapped_column

from hotline.db.base import Base, Utc


class PersonRow(Base):
    """A person (人员) who can log in. `number` is the agent's number (工号)."""

    __tablename__ = "people"

    number: Mapped[str] = mapped_column(String(16), primary_key=True)
    name: Mapped[str] = mapped_column(String(40))
    role: Mapped[str] = mapped_column(String(16))
    enabled: Mapped[bool] = mapped_column(Boolean)
    password_hash: Mapped[str] = mapped_column(String(200))
    attempts: Mapped[int] = mapped_column(Integer)
    locked_until_us: Mapped[Utc]
    created_us: Mapped[Utc]


class AgentSkillRow(Base):
    """A queue that an agent serves (技能). Lower penalties ring first."""

    __tablename__ = "agent_skills"

    person: Mapped[str] = mapped_column(String(16), ForeignKey("people.number"), primary_key=True)
    queue: Mapped[str] = mapped_column(String(16), primary_key=True)
    penalty: Mapped[int] = mapped_column(Integer)
