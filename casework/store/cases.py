"""Owns cases in the database: numbers, reading, writing, in the caller's transaction. Decides nothing."""

from __future__ import annotations

from collections.abc import Collection

import msgspec
from sqlalchemy import ColumnElement, Select, delete, func, select, text
from sqlalchemy.ext.asyncio import AsyncSession

from casework.case import Case
from casework.history import BrokenLink, Entry, Link, broken_links, digest
from casework.store import search
from casework.store.tables import AS_SUPERVISED, CaseCounterRow, CaseMoveRow, CasePartyRow, CaseRow
from casework.supervision import Crowd
from casework.words import FINISHED, CaseState, Kind, Trigger

_NEXT = text(
    "INSERT INTO case_counters (day, last) VALUES (:day, 1)"
    " ON CONFLICT (day) DO UPDATE SET last = case_counters.last + 1 RETURNING last"
)
_COLUMNS = (
    "id", "number", "citizen", "title", "text", "unit", "conversation",
    "created_us", "state", "closed_us", "urged", "topic", "place", "due_us", "master",
    "kind", "wake_us", "visit_due_us",
)  # fmt: skip
_BATCH = 500


async def next_count(session: AsyncSession, day: str) -> int:
    """The day's next count: never the same for two, and none lost with a transaction that fails."""
    return int((await session.execute(_NEXT, {"day": day})).scalar_one())


async def load(session: AsyncSession, id_: str, *, lock: bool = False) -> Case | None:
    """The case with that id; `lock` keeps others from moving it until the transaction ends."""
    row = await session.get(CaseRow, id_, with_for_update=lock)
    return case_of(row) if row is not None else None


async def by_number(session: AsyncSession, number: str) -> Case | None:
    """The case that the citizen knows by that number."""
    row = await session.scalar(select(CaseRow).where(CaseRow.number == number))
    return case_of(row) if row is not None else None


async def of_citizen(
    session: AsyncSession, citizen: str, limit: int, *, is_open: bool | None = None
) -> list[Case]:
    """The citizen's cases, newest first; only open or only finished ones unless `is_open` is None."""
    query = select(CaseRow).where(CaseRow.citizen == citizen)
    finished = CaseRow.state.in_([state.value for state in FINISHED])
    if is_open is not None:
        query = query.where(~finished if is_open else finished)
    rows = await session.scalars(query.order_by(CaseRow.created_us.desc(), CaseRow.id.desc()).limit(limit))
    return [case_of(row) for row in rows]


async def of_conversation(session: AsyncSession, conversation: str) -> list[Case]:
    """The cases taken in during that conversation, the oldest first."""
    query = select(CaseRow).where(CaseRow.conversation == conversation)
    return [case_of(row) for row in await session.scalars(query.order_by(CaseRow.created_us, CaseRow.id))]


async def followers(session: AsyncSession, master: str) -> list[str]:
    """The ids of the cases merged into this one that still wait for its end."""
    query = select(CaseRow.id).where(CaseRow.master == master, CaseRow.state == CaseState.MERGED.value)
    return list(await session.scalars(query.order_by(CaseRow.id)))


async def add(session: AsyncSession, case: Case, first: Entry) -> None:
    """Keep a new case with the first entry of its history."""
    row = CaseRow(id=case.id, moves=0, head="")
    _write(row, case)
    kept = _linked(row, first)
    session.add(row)
    await session.flush()
    session.add(kept)
    await search.CASES.keep(session, [search.words_of(case)])


async def save(session: AsyncSession, case: Case, entry: Entry) -> None:
    """Write the case as it stands after the move, and the move. The case was loaded in this transaction."""
    row = await session.get_one(CaseRow, case.id)
    before, now = parties(case_of(row)), parties(case)
    if before != now:
        await session.execute(delete(CasePartyRow).where(CasePartyRow.case_id == case.id))
        session.add_all(CasePartyRow(unit=unit, case_id=case.id) for unit in now)
    _write(row, case)
    session.add(_linked(row, entry))


def parties(case: Case) -> set[str]:
    """Whom an open case concerns beside the unit that has it."""
    return {*case.chain[1:-1], *case.assisting} if case.is_open else set()


async def count_of(session: AsyncSession, id_: str) -> int:
    """How many entries the case's history has."""
    return (await session.get_one(CaseRow, id_)).moves


async def version_of(session: AsyncSession, id_: str) -> str:
    """The case's version: the digest of its history, which grows with whatever is done to it."""
    return (await session.get_one(CaseRow, id_)).head[:32]


async def last_moves(session: AsyncSession, ids: Collection[str]) -> dict[str, int]:
    """When something was last done with each of these cases."""
    last = func.max(CaseMoveRow.at_us)
    query = (
        select(CaseMoveRow.case_id, last).where(CaseMoveRow.case_id.in_(ids)).group_by(CaseMoveRow.case_id)
    )
    return {id_: at_us for id_, at_us in await session.execute(query)}


async def settle(session: AsyncSession, id_: str, wake_us: int) -> None:
    """Set when the clock looks at the case again, where nothing happened to it."""
    (await session.get_one(CaseRow, id_)).wake_us = wake_us


async def crowd(session: AsyncSession, case: Case, since_us: int, *, is_sent: bool) -> Crowd:
    """How many people the case stands for: merged into it, with the same topic and place, against its unit.

    Once one case is supervised for such a crowd, its siblings are not for the same reason. Only a case just
    sent out is compared with others; else it is those merged into it that count.
    """
    merged = await session.scalar(select(func.count()).where(CaseRow.master == case.id))
    alike = int(merged or 0) + 1
    if not is_sent:
        return Crowd(alike=alike)
    people = select(func.count(CaseRow.citizen.distinct())).where(CaseRow.created_us >= since_us)
    against = await _people(
        session, people.where(CaseRow.unit == case.unit, CaseRow.kind == Kind.COMPLAINT.value),
        Trigger.MANY_AGAINST, CaseRow.unit == case.unit,
    )  # fmt: skip
    if case.topic and case.place:
        same = (CaseRow.topic == case.topic) & (CaseRow.place == case.place)
        alike = max(alike, await _people(session, people.where(same), Trigger.MANY_ALIKE, same))
    return Crowd(alike=alike, against=against)


async def _people(
    session: AsyncSession, people: Select[int], trigger: Trigger, group: ColumnElement[bool]
) -> int:
    query = select(CaseRow.id).where(AS_SUPERVISED, CaseRow.trigger == trigger.name, group)
    if await session.scalar(query.limit(1)) is not None:
        return 0
    return int(await session.scalar(people) or 0)


async def history(session: AsyncSession, id_: str) -> list[Entry]:
    """The case's history, from the beginning."""
    query = select(CaseMoveRow).where(CaseMoveRow.case_id == id_).order_by(CaseMoveRow.seq)
    return [entry_of_row(row) for row in await session.scalars(query)]


async def has_entry_after(session: AsyncSession, row: int) -> bool:
    """Whether a history has grown since that row was read; says it at the cost of one look at an index."""
    return await session.scalar(select(CaseMoveRow.id).where(CaseMoveRow.id > row).limit(1)) is not None


async def last_entry(session: AsyncSession) -> int:
    """The last entry of all histories, by its row; every one before it can be read or never will be.

    On PostgreSQL rows become visible out of order: for a moment nobody else writes, and none is under way.
    """
    if (await session.connection()).dialect.name == "postgresql":
        await session.execute(text("SET LOCAL lock_timeout = '1s'"))
        await session.execute(text("LOCK TABLE case_moves IN SHARE MODE"))
    return int(await session.scalar(select(func.max(CaseMoveRow.id))) or 0)


async def entries_between(
    session: AsyncSession, after: int, until: int, limit: int
) -> list[tuple[int, Entry, Case]]:
    """The entries after the row `after`, up to `until`, in order; each with the case as it stands now."""
    query = select(CaseMoveRow, CaseRow).join(CaseRow, CaseRow.id == CaseMoveRow.case_id)
    query = query.where(CaseMoveRow.id > after, CaseMoveRow.id <= until).order_by(CaseMoveRow.id)
    rows = await session.execute(query.limit(limit))
    return [(move.id, entry_of_row(move), case_of(row)) for move, row in rows]


async def verify(session: AsyncSession) -> list[BrokenLink]:
    """Every break in every history, and every day whose numbers have gaps; a batch of cases at a time."""
    broken: list[BrokenLink] = []
    after = ""
    while True:
        query = select(CaseRow.id, CaseRow.moves, CaseRow.head).where(CaseRow.id > after)
        rows = (await session.execute(query.order_by(CaseRow.id).limit(_BATCH))).all()
        if not rows:
            return broken + await _gaps(session)
        heads = {id_: (count, head) for id_, count, head in rows}
        after = rows[-1][0]
        entries = select(CaseMoveRow).where(CaseMoveRow.case_id.in_(heads))
        found = await session.scalars(entries.order_by(CaseMoveRow.case_id, CaseMoveRow.seq))
        broken += broken_links([Link(entry_of_row(row), row.digest) for row in found], heads)
        session.expunge_all()


async def _gaps(session: AsyncSession) -> list[BrokenLink]:
    day = func.substr(CaseRow.number, 1, 8)
    counted = select(day, func.count()).group_by(day)
    there = {found: count for found, count in await session.execute(counted)}
    given = await session.scalars(select(CaseCounterRow).order_by(CaseCounterRow.day))
    return [BrokenLink(row.day, 0, "工单编号不连续") for row in given if there.get(row.day, 0) != row.last]


def _linked(row: CaseRow, entry: Entry) -> CaseMoveRow:
    """The entry's row, with the case's own row at the new end of its chain."""
    row.head = digest(row.head, entry)
    row.moves = entry.seq
    return CaseMoveRow(**msgspec.structs.asdict(entry), digest=row.head)


def _write(row: CaseRow, case: Case) -> None:
    for name, value in columns_of(case).items():
        setattr(row, name, value)


def columns_of(case: Case) -> dict[str, object]:
    """The row's values, all but those that follow from its history."""
    fields = msgspec.to_builtins(case)
    columns = {name: fields.pop(name) for name in _COLUMNS}
    watched = case.supervision
    return columns | {
        "progress": msgspec.json.encode(fields).decode(),
        "asked": "" if case.asked is None else "return" if case.asked.is_return else "extension",
        "above": case.chain[-2] if len(case.chain) > 1 else "",
        "level": watched.level.value if watched else "",
        "trigger": watched.trigger.name if watched else "",
        "answer_due_us": watched.due_us if watched else 0,
    }


def case_of(row: CaseRow) -> Case:
    """The case that the row keeps."""
    progress = msgspec.json.decode(row.progress)
    return msgspec.convert(progress | {name: getattr(row, name) for name in _COLUMNS}, Case)


def entry_of_row(row: CaseMoveRow) -> Entry:
    """The entry that the row keeps."""
    names = Entry.__struct_fields__
    return msgspec.convert({name: getattr(row, name) for name in names}, Entry)
