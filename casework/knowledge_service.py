"""Owns what is done with knowledge entries: each deed in one transaction with its trace."""

from __future__ import annotations

import secrets

from sqlalchemy.ext.asyncio import AsyncSession

from casework.knowledge import Act, Hindrance, Version, Words, done, first, rewritten
from casework.moves import Actor
from casework.store import knowledge as store
from hotline import audit, ids
from hotline.audit import Deed
from hotline.db.engine import Database


async def write_new(
    database: Database, words: Words, actor: Actor, role: str, *, node: str, now_us: int
) -> Version | Hindrance:
    """Begin an entry with a draft of the writer's unit."""
    id_ = ids.make(node, now_us, secrets.token_bytes(ids.RANDOM_BYTES))
    async with database.begin() as session:
        return await _keep(session, first(id_, words, actor, now_us), role)


async def rewrite(
    database: Database, id_: str, seq: int, words: Words, actor: Actor, role: str, now_us: int
) -> Version | Hindrance:
    """Draft the entry's next version over its version `seq`; refused when another has come meanwhile."""
    async with database.begin() as session:
        entry = await store.load(session, id_, lock=True)
        if entry is None or entry.last.seq != seq:
            return Hindrance.CHANGED
        return await _keep(session, rewritten(entry, words, actor, now_us), role)


async def act_on(
    database: Database, id_: str, seq: int, act: Act, reason: str, actor: Actor, role: str, now_us: int
) -> Version | Hindrance:
    """Submit, publish, send back or withdraw the version `seq`, which the person has read."""
    async with database.begin() as session:
        entry = await store.load(session, id_, lock=True)
        if entry is None or entry.last.seq != seq:
            return Hindrance.CHANGED
        return await _keep(session, done(entry, act, reason, actor, now_us), role)


async def _keep(session: AsyncSession, version: Version | Hindrance, role: str) -> Version | Hindrance:
    if isinstance(version, Hindrance):
        return version
    await store.keep(session, [version])
    deed = Deed(
        person=version.actor,
        role=role,
        what=f"knowledge.{version.act.name.lower()}",
        whom=f"{version.entry} {version.seq}",
        why=version.reason,
    )
    await audit.record(session, deed, version.at_us)
    return version
