"""Owns which other systems may come in (接入系统): their tokens, what these open, when they were used last.

A token is shown once, when it is made; the database keeps its SHA-256 alone. Its 256 random bits leave
nothing to guess, so that no slow hash is needed.
"""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
from collections.abc import Iterable

import msgspec
from sqlalchemy import JSON, Integer, String, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Mapped, mapped_column

from casework.moves import Actor
from casework.rights import Right
from casework.store.posts import Post, check_post
from casework.words import PLATFORM
from hotline import audit
from hotline.audit import Deed
from hotline.db.base import Base, Utc
from hotline.directory import UnitRow
from hotline.errors import HotlineError
from hotline.local_time import SECOND_US

USUAL_PER_MINUTE = 600
MOST_PER_MINUTE = 60_000
_NAME = re.compile(r"[a-z][a-z0-9-]{2,15}")
"""As the actor of moves it stands where people have their number (工号), which is four digits."""
_TOKEN = re.compile(r"hk_([0-9a-f]{12})_[A-Za-z0-9_-]{43}")
_NOTE_USE_US = 60 * SECOND_US
"""The last use is noted no more often, so that reading stays reading."""


class SystemTokenRow(Base):
    """A token. `hash`: SHA-256 of the whole of it; `revoked_us` 0 while it opens."""

    __tablename__ = "system_tokens"

    id: Mapped[str] = mapped_column(String(12), primary_key=True)
    system: Mapped[str] = mapped_column(String(16), index=True)
    hash: Mapped[str] = mapped_column(String(64))
    rights: Mapped[list[str]] = mapped_column(JSON)
    posts: Mapped[list[dict[str, str]]] = mapped_column(JSON)
    per_minute: Mapped[int] = mapped_column(Integer)
    created_us: Mapped[Utc]
    used_us: Mapped[Utc]
    """0: never."""
    revoked_us: Mapped[Utc]


class NewToken(msgspec.Struct, frozen=True, kw_only=True):
    """What a token is to open. `per_minute`: how many requests, on average."""

    system: str
    rights: tuple[Right, ...]
    posts: tuple[Post, ...] = ()
    per_minute: int = USUAL_PER_MINUTE


class Token(NewToken, frozen=True, kw_only=True):
    """A token as an operator sees it; times are UTC microseconds, 0 for never."""

    id: str
    created_us: int
    used_us: int
    revoked_us: int


class System(msgspec.Struct, frozen=True, kw_only=True):
    """Another system at the door: by which token, what that opens, as what it acts on cases."""

    token: str
    name: str
    rights: frozenset[Right]
    posts: tuple[Actor, ...]
    per_minute: int
    is_use_noted: bool
    """Whether its last use was noted just now."""


class BadToken(HotlineError):
    """A token that cannot be made, or that there is none of."""


async def create_token(session: AsyncSession, new: NewToken, now_us: int) -> str:
    """Make a token, with a trace in the audit trail, and give it this once; BadToken or BadPost if not."""
    if not _NAME.fullmatch(new.system):
        raise BadToken(f"{new.system!r} is no system's name: 3 to 16 of a-z, 0-9 and -, a letter first")
    if not new.rights:
        raise BadToken("a token without any right opens nothing")
    if not 1 <= new.per_minute <= MOST_PER_MINUTE:
        raise BadToken(f"a token may be used 1 to {MOST_PER_MINUTE} times a minute")
    for post in new.posts:
        await check_post(session, post)
    id_ = secrets.token_hex(6)
    word = f"hk_{id_}_{secrets.token_urlsafe(32)}"
    session.add(
        SystemTokenRow(
            id=id_,
            system=new.system,
            hash=_hash(word),
            rights=sorted(set(new.rights)),
            posts=[{"part": post.part.value, "unit": post.unit} for post in new.posts],
            per_minute=new.per_minute,
            created_us=now_us,
            used_us=0,
            revoked_us=0,
        )
    )
    await _note(session, "token.create", f"{new.system} {id_}", " ".join(sorted(new.rights)), now_us)
    return word


async def revoke_token(session: AsyncSession, id_: str, now_us: int) -> Token:
    """Let the token open nothing from now on; BadToken when there is none of that id that opens."""
    row = await session.get(SystemTokenRow, id_)
    if row is None or row.revoked_us:
        raise BadToken(f"there is no token {id_!r} in use")
    row.revoked_us = now_us
    await _note(session, "token.revoke", f"{row.system} {id_}", "", now_us)
    return _token(row)


async def all_tokens(session: AsyncSession) -> list[Token]:
    """Every token there ever was, by system and age."""
    rows = await session.scalars(
        select(SystemTokenRow).order_by(SystemTokenRow.system, SystemTokenRow.created_us, SystemTokenRow.id)
    )
    return [_token(row) for row in rows]


async def admit(session: AsyncSession, word: str, now_us: int) -> System | None:
    """The system that shows this token, as it stands in the database now; None when it opens nothing."""
    form = _TOKEN.fullmatch(word)
    row = await session.get(SystemTokenRow, form[1]) if form is not None else None
    if row is None or row.revoked_us or not hmac.compare_digest(row.hash, _hash(word)):
        return None
    token = _token(row)
    return System(
        token=token.id,
        name=token.system,
        rights=frozenset(token.rights),
        posts=await _acting(session, token),
        per_minute=token.per_minute,
        is_use_noted=now_us - token.used_us < _NOTE_USE_US,
    )


async def note_use(session: AsyncSession, id_: str, now_us: int) -> None:
    """Keep when the token was used."""
    (await session.get_one(SystemTokenRow, id_)).used_us = now_us


async def _acting(session: AsyncSession, token: Token) -> tuple[Actor, ...]:
    """A post at a unit that the directory no longer has is none."""
    wanted = {post.unit for post in token.posts if post.unit}
    found = await session.execute(select(UnitRow.id, UnitRow.name).where(UnitRow.id.in_(wanted)))
    names = {"": PLATFORM} | {id_: name for id_, name in found}
    return tuple(
        Actor(token.system, post.part, names[post.unit]) for post in token.posts if post.unit in names
    )


async def _note(session: AsyncSession, what: str, whom: str, why: str, now_us: int) -> None:
    await audit.record(session, Deed(person="", role="operator", what=what, whom=whom, why=why), now_us)


def _hash(word: str) -> str:
    return hashlib.sha256(word.encode()).hexdigest()


def _token(row: SystemTokenRow) -> Token:
    fields = {name: getattr(row, name) for name in Token.__struct_fields__}
    return msgspec.convert(fields, Token)


def rights_of(words: Iterable[str]) -> tuple[Right, ...]:
    """The rights of these names; BadToken names those that there are."""
    try:
        return tuple(Right(word) for word in words)
    except ValueError as error:
        raise BadToken(f"{error}; the rights are {', '.join(Right)}") from None
