"""Cases in the database: numbered at once, moved only as the rules allow, their history kept and chained."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest
from alembic import command
from sqlalchemy import Connection, text
from sqlalchemy.exc import SQLAlchemyError

from casework import city
from casework import moves as m
from casework.calendar import china
from casework.case import Case, case_number, step
from casework.deadlines import ProfileName
from casework.demo import seed_cases
from casework.history import BrokenLink, move_of
from casework.moves import Actor, Move
from casework.rights import shown_to
from casework.service import (
    NewCase,
    cases_of,
    district_of,
    history_of,
    move_case,
    open_case,
    verify_history,
)
from casework.words import CaseState, Ending, Part, Refusal, Satisfaction
from hotline.db import schema
from hotline.db.engine import Database, make_engine
from hotline.db.migrate import upgrade
from hotline.directory import save_units

pytestmark = pytest.mark.slow

NOON = 1_795_492_800_000_000
"""2026-11-24 12:00 in Shanghai, a Tuesday."""
HOUR = 3_600_000_000
CITIZEN = "+8613805381234"
AGENT, DISPATCHER = Actor("1001", Part.AGENT), Actor("1002", Part.DISPATCHER)
WORKER = Actor("2001", Part.UNIT, "市城市管理局")
VISITOR = Actor("1004", Part.VISITOR)
URGE = m.Urge(actor=AGENT, reason="还没修")
DISPATCH = m.Dispatch(actor=DISPATCHER, reason="归口", unit="市城市管理局", profile=ProfileName.ONE_DAY)
LIFE: tuple[Move, ...] = (
    DISPATCH,
    m.Accept(actor=WORKER, reason="签收"),
    m.Reply(actor=WORKER, reason="修好了", is_citizen_told=True),
    m.PassReview(actor=Actor("1003", Part.REVIEWER), reason="具体"),
    m.Visited(actor=VISITOR, reason="好", is_solved=True, satisfaction=Satisfaction.GOOD, is_in_time=True),
    m.Close(actor=VISITOR, reason="满意"),
)


def new(**changes: str) -> NewCase:
    words = {"citizen": CITIZEN, "title": "路灯不亮", "text": "三晚了", "unit": "城管", "actor": "1001"}
    return NewCase(**(words | changes))  # type: ignore[arg-type]


async def opened(database: Database, at_us: int = NOON, **changes: str) -> Case:
    case = await open_case(database, new(**changes), "n1", at_us)
    assert isinstance(case, Case)
    return case


async def move(database: Database, id_: str, *moves: Move) -> Case:
    done = [await move_case(database, id_, one, NOON + at, china()) for at, one in enumerate(moves, start=1)]
    assert all(isinstance(case, Case) for case in done), done
    assert isinstance(done[-1], Case)
    return done[-1]


async def test_a_case_is_numbered_by_its_day_in_shanghai(database: Database) -> None:
    first, second = await opened(database), await opened(database)
    next_day = await opened(database, NOON + 12 * HOUR)
    assert [first.number, second.number] == ["20261124-0001", "20261124-0002"]
    assert next_day.number == "20261125-0001"


async def test_numbers_given_out_at_once_are_all_different_and_without_gaps(database: Database) -> None:
    cases = await asyncio.gather(*(opened(database) for _ in range(12)))
    assert sorted(case.number for case in cases) == [case_number("20261124", n) for n in range(1, 13)]
    async with database.read() as session:
        assert await verify_history(session) == []


async def test_a_citizen_finds_their_own_cases_newest_first(database: Database) -> None:
    old, recent = await opened(database), await opened(database, NOON + HOUR)
    await opened(database, citizen="+8613900000000")
    await opened(database, citizen="")
    await move(database, old.id, *LIFE)
    async with database.read() as session:
        assert [case.id for case in await cases_of(session, CITIZEN)] == [recent.id, old.id]
        assert await cases_of(session, CITIZEN, is_open=True) == [recent]
        assert [case.id for case in await cases_of(session, CITIZEN, is_open=False)] == [old.id]
        assert len(await cases_of(session, CITIZEN, limit=1)) == 1
        assert await cases_of(session, "") == []
        assert await cases_of(session, "' OR 1=1 --") == []


async def test_every_move_leaves_its_trace_and_a_refused_one_none(database: Database) -> None:
    case = await opened(database)
    dirty = msgspec.structs.replace(URGE, reason="还\0没修")
    urged = await move(database, case.id, dirty)
    assert urged.urged == 1
    late = m.Close(actor=VISITOR, reason="关")
    assert await move_case(database, case.id, late, NOON + 3, china()) is Refusal.WRONG_STATE
    assert await move_case(database, "n1-none", URGE, NOON + 3, china()) is None
    async with database.read() as session:
        assert await cases_of(session, CITIZEN) == [urged]
        entries = await history_of(session, case.id)
    assert [(e.seq, e.move, e.actor, e.at_us, e.reason) for e in entries] == [
        (1, "open", "1001", NOON, ""),
        (2, "urge", "1001", NOON + 1, "还没修"),
    ]


async def test_a_case_is_what_its_history_makes_of_it(database: Database) -> None:
    case = await opened(database)
    end = await move(database, case.id, *LIFE)
    async with database.read() as session:
        entries = await history_of(session, case.id)
    replayed: Case | Refusal = case
    for entry in entries[1:]:
        assert isinstance(replayed, Case)
        replayed = step(replayed, move_of(entry), entry.at_us, china())
        assert isinstance(replayed, Case)
        assert (replayed.state, replayed.unit, replayed.due_us) == (entry.state, entry.unit, entry.due_us)
    assert replayed == end and end.state is CaseState.CLOSED


async def test_a_history_holds_nothing_of_the_citizen(database: Database) -> None:
    case = await opened(database)
    await move(database, case.id, *LIFE)
    async with database.read() as session:
        kept = msgspec.json.encode(await history_of(session, case.id)).decode()
    assert CITIZEN not in kept and case.title not in kept and case.text not in kept


async def test_two_who_dispatch_at_once_do_it_once(database: Database) -> None:
    """国办发〔2025〕66号: never two dispatches for one matter."""
    case = await opened(database)
    answers = await asyncio.gather(*(move_case(database, case.id, DISPATCH, NOON, china()) for _ in range(5)))
    assert sum(isinstance(answer, Case) for answer in answers) == 1
    assert sum(answer is Refusal.WRONG_STATE for answer in answers) == 4
    async with database.read() as session:
        assert len(await history_of(session, case.id)) == 2
        assert await verify_history(session) == []


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE case_moves SET reason = 'x'",
        "DELETE FROM case_moves",
        "INSERT OR REPLACE INTO case_moves SELECT * FROM case_moves",
        "TRUNCATE case_moves",
    ],
)
async def test_the_database_itself_refuses_to_change_a_history(database: Database, statement: str) -> None:
    case = await opened(database)
    await move(database, case.id, *LIFE)
    with pytest.raises(SQLAlchemyError):
        async with database.begin() as session:
            await session.execute(text(statement))
    async with database.read() as session:
        assert len(await history_of(session, case.id)) == 7
        assert await verify_history(session) == []


def guards(kind: str, verb: str) -> Iterator[str]:
    if kind == "postgresql":
        yield f"ALTER TABLE case_moves {verb} TRIGGER ALL"
    elif verb == "DISABLE":
        yield from (f"DROP TRIGGER case_moves_no_{what}" for what in ("update", "delete", "replace"))


@pytest.mark.parametrize(
    ("statement", "seq", "why"),
    [
        ("UPDATE case_moves SET reason = 'x' WHERE seq = 3", 3, "记录被改动"),
        ("UPDATE case_moves SET at_us = at_us - 1 WHERE seq = 4", 4, "记录被改动"),
        ("DELETE FROM case_moves WHERE seq = 2", 2, "缺少记录"),
        ("DELETE FROM case_moves WHERE seq > 5", 6, "末尾记录缺失或被改动"),
        ("UPDATE case_moves SET digest = '' WHERE seq = 7", 7, "记录被改动"),
    ],
)
async def test_who_gets_past_the_guards_is_found_out(
    database: Database, statement: str, seq: int, why: str
) -> None:
    case, other = await opened(database), await opened(database)
    await move(database, case.id, *LIFE)
    async with database.begin() as session:
        for guard in guards(database.engine.dialect.name, "DISABLE"):
            await session.execute(text(guard))
        await session.execute(
            text(f"{statement} {'AND' if 'WHERE' in statement else 'WHERE'} case_id = '{case.id}'")
        )
    async with database.read() as session:
        assert await verify_history(session) == [BrokenLink(case.id, seq, why)]
        assert len(await history_of(session, other.id)) == 1


async def test_a_case_that_vanished_leaves_a_gap_in_its_days_numbers(database: Database) -> None:
    gone, _ = await opened(database), await opened(database)
    async with database.begin() as session:
        for guard in guards(database.engine.dialect.name, "DISABLE"):
            await session.execute(text(guard))
        await session.execute(text("DELETE FROM case_moves WHERE case_id = :id"), {"id": gone.id})
        await session.execute(text("DELETE FROM cases WHERE id = :id"), {"id": gone.id})
    async with database.read() as session:
        assert await verify_history(session) == [BrokenLink("20261124", 0, "工单编号不连续")]


async def test_those_merged_into_a_master_case_end_with_it(database: Database) -> None:
    """国办发〔2025〕66号: the same matter by many is one case, and all are told together."""
    master, follower = await opened(database), await opened(database, citizen="+8613900000000")
    merged = await move(database, follower.id, m.Merge(actor=AGENT, reason="同一事项", master=master.id))
    assert merged.state is CaseState.MERGED
    await move(database, master.id, *LIFE)
    async with database.read() as session:
        (ended,) = await cases_of(session, "+8613900000000")
        assert (ended.state, ended.ending) == (CaseState.CLOSED, Ending.MERGED)
        assert await verify_history(session) == []


async def test_only_an_open_case_that_is_not_merged_leads_others(database: Database) -> None:
    master, second, third = [await opened(database) for _ in range(3)]
    await move(database, second.id, m.Merge(actor=AGENT, reason="同一事项", master=master.id))
    for leader in (second.id, "n1-none"):
        merge = m.Merge(actor=AGENT, reason="同一事项", master=leader)
        assert await move_case(database, third.id, merge, NOON, china()) is Refusal.NO_MASTER


async def test_a_secret_cases_citizen_is_hidden_from_units(database: Database) -> None:
    """GB/T 33358-2016: who asks for secrecy is not named to the department."""
    case = await move(database, (await opened(database)).id, m.KeepSecret(actor=AGENT, reason="市民要求"))
    assert shown_to(case, [WORKER]).citizen == "" and shown_to(case, [VISITOR]).citizen == CITIZEN


@pytest.mark.parametrize(
    ("changes", "refusal"),
    [
        ({"title": "  "}, Refusal.NO_TITLE),
        ({"title": "\0"}, Refusal.NO_TITLE),
        ({"title": "长" * 121}, Refusal.TOO_LONG),
        ({"text": "长" * 20_001}, Refusal.TOO_LONG),
        ({"unit": "长" * 61}, Refusal.TOO_LONG),
    ],
)
async def test_a_case_without_words_or_with_too_many_is_refused(
    database: Database, changes: dict[str, str], refusal: Refusal
) -> None:
    assert await open_case(database, new(**changes), "n1", NOON) is refusal


async def test_the_demo_gives_each_citizen_a_past_once(database: Database) -> None:
    citizens = (CITIZEN, "+8613900000000")
    assert await seed_cases(database, citizens, "n1", NOON) == 3
    assert await seed_cases(database, citizens, "n1", NOON) == 0
    async with database.read() as session:
        assert len(await cases_of(session, CITIZEN)) == 1
        assert await verify_history(session) == []


def _first_schema(connection: Connection) -> None:
    config = schema.config()
    config.attributes["connection"] = connection
    command.upgrade(config, "0001")
    connection.execute(
        text(
            "INSERT INTO cases VALUES ('n1-1', '20261124-0001', '', '题', '', 'closed', '城管', '', 1, 3, 1)"
        )
    )
    connection.execute(text("INSERT INTO case_counters VALUES ('20261124', 1)"))
    for move_, reason in (("open", ""), ("urge", '又"问'), ("close", "好\n了")):
        connection.execute(
            text(
                "INSERT INTO case_moves (case_id, move, actor, at_us, reason, rule)"
                " VALUES ('n1-1', :move, '1001', 1, :reason, '')"
            ),
            {"move": move_, "reason": reason},
        )


async def test_cases_of_the_first_schema_are_carried_over_with_their_history(tmp_path: Path) -> None:
    url = f"sqlite+aiosqlite:///{tmp_path / 'old.db'}"
    engine = make_engine(url)
    async with Database(engine).begin() as session:
        await (await session.connection()).run_sync(_first_schema)
    await engine.dispose()
    await upgrade(url)
    database = await Database.open(url)
    async with database.read() as session:
        assert [entry.move for entry in await history_of(session, "n1-1")] == ["open", "urge", "close"]
        assert await verify_history(session) == []
    reopen = m.Reopen(actor=DISPATCHER, reason="又坏了")
    case = await move_case(database, "n1-1", reopen, NOON, china())
    assert isinstance(case, Case) and case.state is CaseState.WORKING
    await database.close()


async def test_a_citizen_seems_to_live_where_their_newest_case_with_a_place_lies(database: Database) -> None:
    async with database.begin() as session:
        await save_units(session, city.demo_units())
        assert await district_of(session, CITIZEN) == ""
    for hour, place in enumerate(("肥城市新城街道", "泰山区岱庙街道", "门口")):
        kept = await open_case(database, new(place=place, title=place), "n1", NOON + hour * HOUR)
        assert isinstance(kept, Case)
    async with database.read() as session:
        assert await district_of(session, CITIZEN) == "泰山区"
        assert await district_of(session, "+8613900000000") == ""
