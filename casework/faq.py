"""Owns the invented knowledge entries (仿真知识) of the made-up city: questions about each matter."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from itertools import islice

from sqlalchemy.ext.asyncio import AsyncSession

from casework import city
from casework.catalogue import Matter
from casework.knowledge import Act, Entry, Hindrance, Version, Words, done, first
from casework.moves import Actor
from casework.staff import staff
from casework.store import knowledge as store
from casework.words import Part
from hotline import ids
from hotline.directory import Unit

MOST = 500
_REVIEWER = Actor("8201", Part.REVIEWER)
_WHOSE, _HOW_LONG = "{matter}由哪个部门负责？", "反映{matter}，多久能得到答复？"
_TRADE = "“{matter}”属于{category}，由{unit}负责，联系电话 {phone}；也可由 12345 登记转办。"
_LOCAL = "“{matter}”属于{category}，由所在县（市、区）或功能区承办，{unit}协助；请向 12345 说明具体地点。"
_TIME = "12345 登记后转承办单位，业务主管部门是{unit}，办理时限：{time}。办结后由热线回访，请保持电话畅通。"


async def seed_knowledge(
    session: AsyncSession, units: tuple[Unit, ...], node: str, now_us: int, most: int = MOST
) -> int:
    """Fill an empty knowledge base with up to `most` published entries; returns how many were made."""
    if not await store.is_empty(session):
        return 0
    made = 0
    for versions in islice(_entries(units, node, now_us), most):
        await store.keep(session, versions)
        made += 1
    return made


def _entries(units: tuple[Unit, ...], node: str, now_us: int) -> Iterator[list[Version]]:
    writers = {one.post.unit: one.person.number for one in staff(units) if one.post.unit}
    known = {unit.id: unit for unit in units}
    for form in (_WHOSE, _HOW_LONG):
        for matter in city.matters(units):
            unit = known[matter.unit]
            writer = Actor(writers[unit.id], Part.UNIT, unit.name)
            id_ = ids.make(node, now_us, secrets.token_bytes(ids.RANDOM_BYTES))
            yield _published(id_, _words(form, matter, unit), writer, now_us)


def _words(form: str, matter: Matter, unit: Unit) -> Words:
    answer = _TIME if form is _HOW_LONG else _LOCAL if matter.is_local else _TRADE
    told = answer.format(
        matter=matter.name,
        category=matter.category,
        unit=unit.name,
        phone=unit.numbers[0],
        time=matter.profile.label,
    )
    keywords = "、".join(matter.keywords)
    return Words(
        question=form.format(matter=matter.name), answer=f"{told}\n相关说法：{keywords}。", topic=matter.name
    )


def _published(id_: str, words: Words, writer: Actor, now_us: int) -> list[Version]:
    """Through the same rules as a real one: drafted, submitted, published by somebody else."""
    versions = [_made(first(id_, words, writer, now_us))]
    for act, actor in ((Act.SUBMIT, writer), (Act.PUBLISH, _REVIEWER)):
        versions.append(_made(done(Entry(versions[-1]), act, "", actor, now_us)))
    return versions


def _made(version: Version | Hindrance) -> Version:
    if isinstance(version, Hindrance):
        raise TypeError(version)
    return version
