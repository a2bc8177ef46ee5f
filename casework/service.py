"""Owns what is done with cases: opening, moving, finding; each change in one transaction with its trace."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Iterable
from pathlib import Path
from typing import TypeVar

import msgspec
from sqlalchemy.ext.asyncio import AsyncSession

from casework.allowed import concerns
from casework.attachments import MOST_FILES, Attachment, clean_name, media_type
from casework.case import Case, case_number, check_new, step
from casework.deadlines import Calendar, Light, NoCalendarYear
from casework.history import BrokenLink, Entry, entry_of, move_of, opening
from casework.lights import light_of, next_turn_us
from casework.moves import (
    Actor,
    Attach,
    CloseWithMaster,
    Dispatch,
    Merge,
    Move,
    Remind,
    Unreached,
    Urge,
    Visited,
    Warn,
    tag_of,
)
from casework.organisation import Tree
from casework.store import cases as store
from casework.store import claims, files
from casework.store.claims import Done
from casework.supervision import DAYS, SYSTEM, begun
from casework.words import CaseState, Kind, Refusal
from hotline import ids
from hotline.db.engine import Database
from hotline.directory import all_units
from hotline.local_time import DAY_US, compact_day

_LAST_CASES = 5
"""Whoever has moved is known by what they reported since."""

T = TypeVar("T", bound=msgspec.Struct)


class NewCase(msgspec.Struct, frozen=True, kw_only=True):
    """What an agent takes down. `citizen` is `CallerNumber.key`; `actor` the agent's number (工号)."""

    citizen: str
    title: str
    text: str
    unit: str
    actor: str
    conversation: str = ""
    kind: Kind = Kind.HELP
    topic: str = ""
    place: str = ""
    is_secret: bool = False


async def open_case(database: Database, new: NewCase, node: str, now_us: int) -> Case | Refusal:
    """受理, in a transaction of its own."""
    async with database.begin() as session:
        return await open_in(session, new, node, now_us)


async def open_in(session: AsyncSession, new: NewCase, node: str, now_us: int) -> Case | Refusal:
    """受理: give it a number at once and keep it; a refusal if there are no words or too many.

    The same words from the same conversation are the same case: whoever sent them has not got the answer.
    """
    refusal = check_new(new.title, new.text, new.unit, new.topic, new.place)
    if refusal is not None:
        return refusal
    new = _cleaned(new)
    if (twin := await _twin(session, new)) is not None:
        return twin
    if await _is_anothers(session, new.conversation, new.actor, now_us):
        return Refusal.TAKEN
    case = await _open(session, new, node, now_us)
    await claims.finish(session, new.conversation, new.actor, Done.CASE, case_id=case.id)
    return case


async def move_case(
    database: Database, id_: str, move: Move, now_us: int, calendar: Calendar
) -> Case | Refusal | None:
    """Do the move, as `move_in` does, in a transaction of its own."""
    async with database.begin() as session:
        return await move_in(session, id_, move, now_us, calendar)


async def move_in(
    session: AsyncSession, id_: str, move: Move, now_us: int, calendar: Calendar
) -> Case | Refusal | None:
    """Do the move if the case allows it, and tell those merged into it of its end; None for no such case.

    催办 in the same words from the same conversation counts once.
    """
    before = await store.load(session, id_, lock=True)
    if before is None:
        return None
    move = _cleaned(move)
    if isinstance(move, Urge) and await _is_known(session, id_, move):
        return before
    if await _is_taken(session, id_, move, now_us):
        return Refusal.TAKEN
    if isinstance(move, Merge) and (refusal := await _no_master(session, move)) is not None:
        return refusal
    after = await _move(session, before, move, now_us, calendar)
    if isinstance(after, Refusal):
        return after
    await _settle_claim(session, after, move)
    if after.state is CaseState.CLOSED and not after.master:
        await _end_followers(session, after, now_us, calendar)
    if isinstance(move, Merge) and (master := await store.load(session, move.master)) is not None:
        await _watch(session, master, now_us, calendar)
    return await _watch(session, after, now_us, calendar, is_sent=isinstance(move, Dispatch))


class Stored(msgspec.Struct, frozen=True, kw_only=True):
    """A file whose bytes are on the disk, and which no case knows of yet."""

    name: str
    media_type: str
    size: int
    sha256: str


async def store_file(directory: Path, name: str, content: bytes) -> Stored | Refusal:
    """Keep the bytes before the database speaks of them; a refusal if they are not to be taken.

    `directory` is where all of them lie.
    """
    kind = media_type(name, content)
    if isinstance(kind, Refusal):
        return kind
    sha256 = await asyncio.to_thread(files.keep, directory, content)
    return Stored(name=clean_name(name), media_type=kind, size=len(content), sha256=sha256)


async def attach_in(
    session: AsyncSession,
    id_: str,
    posts: Iterable[Actor],
    stored: Stored,
    *,
    node: str,
    now_us: int,
    calendar: Calendar,
) -> Attachment | Refusal:
    """List a file with a case, its digest in the case's history; a refusal if it cannot be taken."""
    case = await store.load(session, id_, lock=True)
    actor = next((post for post in posts if case is not None and concerns(case, post)), None)
    if case is None or actor is None:
        return Refusal.NOT_CONCERNED
    if await files.count_of(session, id_) >= MOST_FILES:
        return Refusal.TOO_MANY_FILES
    kept = Attachment(
        id=ids.make(node, now_us, secrets.token_bytes(ids.RANDOM_BYTES)),
        case_id=id_,
        actor=actor.number,
        at_us=now_us,
        **msgspec.structs.asdict(stored),
    )
    move = Attach(actor=actor, reason="上传附件", file=kept.id, sha256=kept.sha256)
    after = await _move(session, case, move, now_us, calendar)
    if isinstance(after, Refusal):
        return after
    await files.add(session, kept)
    return kept


async def warn_case(database: Database, id_: str, now_us: int, calendar: Calendar) -> None:
    """Tell the unit of the light that its case shows now, unless that was done; supervise what is overdue.

    A visit that was not made in its time is told likewise.
    """
    async with database.begin() as session:
        case = await store.load(session, id_, lock=True)
        if case is None or not 0 < case.wake_us <= now_us:
            return  # another node was first, or the case moved on
        if case.visit_due_us:
            await _move(session, case, Remind(actor=SYSTEM, reason="到期一天仍未回访"), now_us, calendar)
            return
        try:
            light = light_of(case, now_us, calendar)
        except NoCalendarYear:
            return
        told = case.warned if case.warned_due_us == case.due_us else Light.GREEN
        if light is None or light.rank <= told.rank:
            await store.settle(session, case.id, next_turn_us(case, calendar))
            return
        warn = Warn(actor=SYSTEM, reason=f"时限{light.label}", light=light)
        after = await _move(session, case, warn, now_us, calendar)
        if isinstance(after, Case):
            await _watch(session, after, now_us, calendar)


async def cases_of(
    session: AsyncSession, citizen: str, limit: int = 20, *, is_open: bool | None = None
) -> list[Case]:
    """The citizen's cases, newest first; none for a caller who hides the number."""
    return await store.of_citizen(session, citizen, limit, is_open=is_open) if citizen else []


async def district_of(session: AsyncSession, citizen: str) -> str:
    """Where the citizen seems to live (泰山区): the place of the newest of their last cases that says so; ""
    when none does.
    """
    found = await store.of_citizen(session, citizen, _LAST_CASES)
    if not found:
        return ""
    tree = Tree(await all_units(session))
    return next((county for case in found if (county := tree.county(case.place))), "")


async def case_of_number(session: AsyncSession, number: str) -> Case | None:
    """The case of that number (`Case.number`); whether who asks may know of it is theirs to find out."""
    return await store.by_number(session, number)


async def history_of(session: AsyncSession, id_: str) -> list[Entry]:
    """The case's history, from the beginning; empty when there is no such case."""
    return await store.history(session, id_)


async def verify_history(session: AsyncSession) -> list[BrokenLink]:
    """Every place where a history is not what was written, and every day with a number missing."""
    return await store.verify(session)


async def _is_known(session: AsyncSession, id_: str, move: Urge) -> bool:
    entries = await store.history(session, id_) if move.conversation else []
    return any(entry.move == tag_of(move) and move_of(entry) == move for entry in entries)


async def _is_taken(session: AsyncSession, id_: str, move: Move, now_us: int) -> bool:
    """Whether somebody else works on what the move is about: a missed call that is urged, a visit."""
    subject = id_ if isinstance(move, Unreached | Visited) else ""
    if isinstance(move, Urge):
        subject = move.conversation
    return await _is_anothers(session, subject, move.actor.number, now_us)


async def _is_anothers(session: AsyncSession, subject: str, person: str, now_us: int) -> bool:
    """Whether the missed call is worked on, or was, by somebody else."""
    claim = (await claims.claims_on(session, [subject])).get(subject) if subject else None
    return claim is not None and claim.keeps_out(person, now_us)


async def _settle_claim(session: AsyncSession, case: Case, move: Move) -> None:
    """A missed call is done once the case is urged, a visit once its outcome is kept."""
    if isinstance(move, Urge) and move.conversation:
        await claims.finish(session, move.conversation, move.actor.number, Done.URGED, case_id=case.id)
    if isinstance(move, Unreached | Visited):
        await claims.let_go(session, case.id)


async def _twin(session: AsyncSession, new: NewCase) -> Case | None:
    """The case that was taken in with these very words during the same conversation."""
    for case in await store.of_conversation(session, new.conversation) if new.conversation else ():
        if (case.title, case.text, case.kind, case.topic, case.place) == (
            new.title.strip(), new.text, new.kind, new.topic, new.place,
        ):  # fmt: skip
            return case
    return None


async def _open(session: AsyncSession, new: NewCase, node: str, now_us: int) -> Case:
    day = compact_day(now_us)
    case = Case(
        id=ids.make(node, now_us, secrets.token_bytes(ids.RANDOM_BYTES)),
        number=case_number(day, await store.next_count(session, day)),
        citizen=new.citizen,
        title=new.title.strip(),
        text=new.text,
        unit=new.unit,
        conversation=new.conversation,
        created_us=now_us,
        kind=new.kind,
        topic=new.topic,
        place=new.place,
        is_secret=new.is_secret,
    )
    await store.add(session, case, opening(case, new.actor))
    return case


async def _move(
    session: AsyncSession, before: Case, move: Move, now_us: int, calendar: Calendar
) -> Case | Refusal:
    after = step(before, move, now_us, calendar)
    if isinstance(after, Case):
        seq = await store.count_of(session, before.id) + 1
        await store.save(session, after, entry_of(before, move, after, seq, now_us))
    return after


async def _watch(
    session: AsyncSession, case: Case, now_us: int, calendar: Calendar, *, is_sent: bool = False
) -> Case:
    """Start the supervision that a rule wants; people are counted when a case is sent out or leads others."""
    crowd = await store.crowd(session, case, now_us - DAYS * DAY_US, is_sent=is_sent)
    move = begun(case, crowd)
    after = await _move(session, case, move, now_us, calendar) if move is not None else case
    return after if isinstance(after, Case) else case


async def _no_master(session: AsyncSession, move: Merge) -> Refusal | None:
    """Only an open case that is not merged itself may lead others; it may not end meanwhile."""
    master = await store.load(session, move.master, lock=True)
    is_fit = master is not None and master.is_open and master.state is not CaseState.MERGED
    return None if is_fit else Refusal.NO_MASTER


async def _end_followers(session: AsyncSession, master: Case, now_us: int, calendar: Calendar) -> None:
    for id_ in await store.followers(session, master.id):
        follower = await store.load(session, id_, lock=True)
        if follower is not None:
            move = CloseWithMaster(actor=SYSTEM, reason=f"主工单 {master.number} 已办结")
            await _move(session, follower, move, now_us, calendar)


def _cleaned(value: T) -> T:
    """Without NUL, which PostgreSQL cannot keep."""
    fields = msgspec.structs.asdict(value)
    words = {name: field.replace("\0", "") for name, field in fields.items() if type(field) is str}
    return msgspec.structs.replace(value, **words)
