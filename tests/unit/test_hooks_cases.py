"""Webhooks on cases: each move told, in each case's order, whatever dies; nothing that may not be known."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import AsyncIterator
from contextlib import closing
from pathlib import Path

import msgspec
import pytest
from aiohttp import web
from sqlalchemy import text

from casework import moves as m
from casework.calendar import china
from casework.case import Case
from casework.clockwork import tick
from casework.history import Entry, opening
from casework.moves import BY_TAG, Actor
from casework.store import cases as store
from casework.words import PLATFORM, CaseState, Part
from ctiserver.api.hooks import kind_of
from ctiserver.hooks import case_consumer, casework, ledger, retry
from ctiserver.hooks.ledger import Delivery, Ledger
from hotline.db.engine import Database
from hotline.local_time import DAY_US
from hotline.settings import WebhookSettings
from tests.hooks_room import CALLER, Ear, Room, ear, empty_database, hooks_room, until
from tests.unit.test_casework_supervision import ACCEPT, MONDAY, dispatch, moved, opened

WORDS = {"title": "水管爆裂", "text": "张三家门口", "citizen": f"+86{CALLER}"}
REPLY = m.Reply(actor=ACCEPT.actor, reason="已修好，张三满意", is_citizen_told=True)
PLAIN = WebhookSettings(name="all", url="https://a.example/")
OPEN_HOOK = WebhookSettings(name="all", url="https://a.example/", with_numbers=True, with_words=True)


@pytest.fixture(autouse=True)
def _soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retry, "FIRST_S", 0.05)
    monkeypatch.setattr(case_consumer, "EVERY_S", 0.02)
    monkeypatch.setattr(case_consumer, "_RETRY_S", 0.02)


@pytest.fixture
async def room(tmp_path: Path, sqlite_template: Path) -> AsyncIterator[Room]:
    async with hooks_room(tmp_path, empty_database(tmp_path, sqlite_template)) as made:
        yield made


@pytest.fixture
async def one() -> AsyncIterator[Ear]:
    async with ear() as listening:
        yield listening


def entry(move: str, body: str = "{}") -> Entry:
    made = opening(case(), "1001")
    return msgspec.structs.replace(made, move=move, body=body, reason="张三说的", seq=2)


def case(**more: object) -> Case:
    made = Case(id="n1-x", number="20261124-0001", unit="", conversation="", created_us=1, **WORDS)
    return msgspec.structs.replace(made, **more)


def test_a_unit_s_own_system_hears_only_of_cases_that_concern_its_unit() -> None:
    own = WebhookSettings(name="own", url="https://a.example/", units=("水务局", "住建局"))
    for about, is_told in (
        (case(chain=(PLATFORM, "水务局")), True),
        (case(chain=(PLATFORM, "泰山区政府", "住建局")), True),
        (case(chain=(PLATFORM, "教育局"), assisting=("住建局",)), True),
        (case(chain=(PLATFORM, "教育局")), False),
        (case(), False),
    ):
        assert casework.concerned(entry("accept"), about, own) is is_told
        assert casework.concerned(entry("accept"), about, PLAIN)
    returned = msgspec.structs.replace(entry("grant_return"), unit="水务局")
    assert casework.concerned(returned, case(chain=(PLATFORM, "教育局")), own)


def said(about: Case, hook: WebhookSettings) -> str:
    return msgspec.json.encode(casework.hook_of(entry("reply"), about, "n1", hook)).decode()


def test_every_move_has_its_event_and_only_the_last_warning_says_overdue() -> None:
    kinds = {
        tag: kind_of(casework.hook_of(entry(tag, '{"light":"red"}'), case(), "n1", PLAIN)) for tag in BY_TAG
    }
    assert kinds["warn"] == kinds["ask_return"] == kinds["urge"] == "case.changed"
    assert kinds["close_signed"] == kinds["turn_away"] == "case.closed"
    over = casework.hook_of(entry("warn", '{"light":"overdue"}'), case(), "n1", PLAIN)
    assert (kind_of(over), over.id) == ("case.overdue", "n1-x-2-case_overdue")


def test_what_the_receiver_s_settings_do_not_allow_is_not_said_and_of_a_secret_case_nothing() -> None:
    plain, told = said(case(), PLAIN), said(case(), OPEN_HOOK)
    secret = said(case(is_secret=True), OPEN_HOOK)
    for word in ("水管", "张三", CALLER, "title", "reason", "citizen"):
        assert word not in plain and word not in secret
        assert word in told
    assert "张三家门口" not in told


async def test_a_case_s_moves_are_told_in_order_signed_and_to_those_who_asked(room: Room, one: Ear) -> None:
    async with ear() as other:
        other_hook = room.hook(other, "closing", events=("case.filed", "case.overdue"))
        await room.start(room.hook(one), other_hook)
        first = await moved(room.database, await opened(room.database, **WORDS), dispatch(), ACCEPT, REPLY)
        heard = await one.until(4)
        late = await moved(room.database, await opened(room.database, **WORDS), dispatch())
        await tick(room.database, MONDAY + 60 * DAY_US, china())
        told = await other.until(3)
    assert [(a.kind, a.said["seq"]) for a in heard[:4]] == [
        ("case.filed", 1), ("case.dispatched", 2), ("case.accepted", 3), ("case.replied", 4),
    ]  # fmt: skip
    assert all(a.is_signed for a in heard)
    assert {a.said["case"] for a in heard[:4]} == {first.id}
    assert heard[1].said["unit"] == first.unit and heard[1].said["due"].endswith("Z")
    assert [(a.kind, a.said["case"]) for a in told] == [
        ("case.filed", first.id), ("case.filed", late.id), ("case.overdue", late.id),
    ]  # fmt: skip


async def test_nothing_overtakes_in_a_case_and_other_cases_do_not_wait(room: Room, one: Ear) -> None:
    down: list[str] = []

    async def manner(request: web.Request) -> web.StreamResponse:
        case_id = msgspec.json.decode(await request.read())["case"]
        if not down:
            down.append(case_id)
        return web.Response(status=500 if down[0] == case_id else 204)

    def told(about: Case) -> list[int]:
        return [a.said["seq"] for a in one.heard if a.said["case"] == about.id]

    one.manner = manner
    await room.start(room.hook(one))
    first = await moved(room.database, await opened(room.database), dispatch(), ACCEPT)
    await one.until(2)
    second = await moved(room.database, await opened(room.database), dispatch(), ACCEPT)
    await until(lambda: told(second) == [1, 2, 3])
    assert set(told(first)) == {1}
    down[0] = "none"
    await until(lambda: set(told(first)) == {1, 2, 3})
    assert told(first) == sorted(told(first))


async def test_what_happened_while_it_was_dead_is_told_after_and_a_new_receiver_begins_now(
    room: Room, one: Ear
) -> None:
    before = await opened(room.database)
    await room.start(room.hook(one))
    case = await opened(room.database)
    await one.until(1)
    await room.stop()
    await moved(room.database, case, dispatch(), ACCEPT)
    await room.start(room.hook(one))
    await until(lambda: {a.said["seq"] for a in one.heard} == {1, 2, 3})
    assert [a.said["seq"] for a in one.heard] == sorted(a.said["seq"] for a in one.heard)
    assert before.id not in {a.said["case"] for a in one.heard}
    assert len({a.id for a in one.heard}) == 3


async def test_a_database_that_is_away_holds_them_up_and_loses_none(room: Room, one: Ear) -> None:
    await room.start(room.hook(one))
    async with room.database.begin() as session:
        await session.execute(text("ALTER TABLE cases RENAME TO away"))
    await asyncio.sleep(0.1)
    async with room.database.begin() as session:
        await session.execute(text("ALTER TABLE away RENAME TO cases"))
    case = await opened(room.database)
    (heard,) = await one.until(1)
    assert heard.said["case"] == case.id


@pytest.mark.slow
async def test_an_entry_that_is_written_but_not_yet_kept_is_not_passed_over(database: Database) -> None:
    """On PostgreSQL the second to begin may be the first to end."""
    if database.engine.dialect.name != "postgresql":
        async with database.read() as session:
            assert await store.last_entry(session) == 0
        return
    slow, kept = await opened(database), await opened(database)
    async with database.begin() as session:
        row = await store.load(session, slow.id, lock=True)
        assert row is not None
        await store.save(session, row, msgspec.structs.replace(opening(row, "1001"), seq=2))
        await session.flush()
        await moved(database, kept, m.Urge(actor=Actor("1001", Part.AGENT), reason="又来电"))
        looking = asyncio.create_task(_end(database))
        done, _ = await asyncio.wait([looking], timeout=0.3)
        assert not done
    end = await looking
    async with database.read() as session:
        found = await store.entries_between(session, 0, end, 10)
    assert [(one.case_id, one.seq) for _, one, _ in found if one.seq == 2] == [(slow.id, 2), (kept.id, 2)]
    assert found[0][2].state is CaseState.INTAKE


async def _end(database: Database) -> int:
    async with database.read() as session:
        return await store.last_entry(session)


async def test_a_list_of_before_there_were_cases_keeps_its_places(tmp_path: Path) -> None:
    path = tmp_path / ledger.NAME
    with closing(sqlite3.connect(path)) as old, old:
        old.execute(
            "CREATE TABLE positions (hook TEXT PRIMARY KEY, journal TEXT NOT NULL, seq INTEGER NOT NULL)"
        )
        old.execute("INSERT INTO positions VALUES ('all', 'j', 7)")
    file = Ledger(path)
    assert await file.positions("j", 9, ["all", "new"], 0) == {"all": 7, "new": 9}
    assert await file.positions("cases", 3, ["all"], 0, ledger.CASES) == {"all": 3}
    await file.add([], 8, 0)
    assert await file.positions("j", 9, ["all"], 0) == {"all": 8}
    assert await file.positions("cases", 2, ["all"], 0, ledger.CASES) == {"all": 2}
    await file.close()


async def test_a_dead_delivery_holds_nothing_up(tmp_path: Path) -> None:
    file = Ledger(tmp_path / ledger.NAME)
    await file.positions("cases", 0, ["all"], 0, ledger.CASES)
    first = Delivery(
        hook="all", id="x1", kind="case.changed", conversation="c", is_urgent=False, body=b"", made_us=0
    )
    pair = [first, msgspec.structs.replace(first, id="x2")]
    await file.add(pair, 1, 0, ledger.CASES)
    await file.put_off(pair[0], 1, 10, "HTTP 500")
    assert await file.due("all", False, 5, 8, []) == ([], 10)
    await file.bury(pair[0], 35, "HTTP 500", 11)
    (due,), _ = await file.due("all", False, 12, 8, [])
    assert due.id == "x2"
    await file.close()
