"""The projections: events become calls, legs and seat times, once each, in every store alike."""

from __future__ import annotations

import asyncio
import itertools
import random
from collections.abc import AsyncIterator, Callable, Sequence
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import select, text

from casework.service import NewCase, open_case
from ctiserver.api import history as h
from ctiserver.api.states import (
    AttemptState,
    CallbackState,
    CaseBrief,
    Contact,
    Outcome,
    Oversight,
    SeatState,
)
from ctiserver.store.database import DatabaseStore
from ctiserver.store.keeper import JournalKeeper, entry_of
from ctiserver.store.memory import MemoryStore
from ctiserver.store.port import PastUnknown, Store
from ctiserver.store.projector import Projector, ProjectorHealth
from ctiserver.store.tables import (
    CallbackRow,
    CallRow,
    JournalEventRow,
    LegRow,
    PopRow,
    SeatTimeRow,
    SupervisionRow,
    ThirdPartyAttemptRow,
)
from hotline.db.engine import Database, is_passing
from hotline.journal import GAP, Journal, JournalEntry
from hotline.numbers import describe

TABLES = (CallRow, LegRow, ThirdPartyAttemptRow, SeatTimeRow, PopRow, SupervisionRow, CallbackRow)
CALL, OTHER = "n1-1700000000.1", "n1-1700000000.9"
KEY = "+8613805381234"
JOURNAL = "the journal's identity"
Dump = dict[str, list[dict[str, Any]]]


def key_of(number: str) -> str:
    return describe(number, "0538", "泰安").key


def started(at_us: int = 10, conversation: str = CALL, number: str = "13805381234") -> h.CallStarted:
    return h.CallStarted(
        conversation=conversation, at_us=at_us, uid=conversation[3:], number=number, name="王", dnis="12345"
    )


def seat(kind: type[Any], at_us: int, number: str = "8001", **more: Any) -> h.History:
    event: h.History = kind(
        conversation=CALL, at_us=at_us, seat=number, agent="1001", leg=f"leg-{number}", **more
    )
    return event


def seat_changed(at_us: int, state: SeatState, reason: str = "", agent: str = "1001") -> h.SeatChanged:
    return h.SeatChanged(seat="8001", at_us=at_us, agent=agent, state=state, reason=reason)


def third_party(at_us: int, state: AttemptState, n: int = 1) -> h.ThirdPartyChanged:
    return h.ThirdPartyChanged(conversation=CALL, at_us=at_us, n=n, state=state)


WHOLE_CALL: tuple[h.History, ...] = (
    seat_changed(5, SeatState.READY),
    started(10),
    h.IvrPassed(conversation=CALL, at_us=19, path="g@5.r", failure="broken"),
    h.CallQueued(conversation=CALL, at_us=20, queue="12345"),
    seat(h.SeatRang, 30, "8002"),
    seat(h.SeatMissed, 40, "8002"),
    seat(h.SeatRang, 45),
    seat_changed(45, SeatState.RINGING),
    seat(h.CallAnswered, 50, wait_ms=30),
    seat_changed(50, SeatState.TALKING),
    h.ThirdPartyCalled(
        conversation=CALL,
        at_us=60,
        n=1,
        number="110",
        label="公安",
        is_emergency=True,
        seat="8001",
        agent="1001",
    ),
    third_party(65, AttemptState.RINGING),
    third_party(70, AttemptState.ANSWERED),
    seat(h.SeatLeft, 90, talk_ms=40),
    seat_changed(90, SeatState.WRAP_UP),
    h.CallEnded(conversation=CALL, at_us=120, outcome=Outcome.ANSWERED, wait_ms=30, talk_ms=70),
)


def entries(events: Sequence[h.History]) -> list[JournalEntry]:
    return [
        msgspec.structs.replace(entry_of(event, "n1"), seq=at) for at, event in enumerate(events, start=1)
    ]


def plain(row: Any) -> dict[str, Any]:
    return {column.key: getattr(row, column.key) for column in row.__table__.columns}


async def dump(store: Store) -> Dump:
    """Every projected row, as plain values in a fixed order."""
    rows: dict[str, list[dict[str, Any]]] = {}
    for table in TABLES:
        if isinstance(store, MemoryStore):
            found = [plain(row) for row in store.rows.added if isinstance(row, table)]
        else:
            assert isinstance(store, DatabaseStore)
            async with store._database.read() as session:
                found = [plain(row) for row in await session.scalars(select(table))]
        rows[table.__tablename__] = sorted(found, key=str)
    return rows


@pytest.fixture(params=["memory", "sqlite", pytest.param("postgresql", marks=pytest.mark.slow)])
def store_url(request: pytest.FixtureRequest, new_database: Callable[[str], str]) -> str:
    return "" if request.param == "memory" else new_database(request.param)


@pytest.fixture
async def store(store_url: str) -> AsyncIterator[Store]:
    if not store_url:
        yield MemoryStore(key_of)
        return
    database = await Database.open(store_url)
    yield DatabaseStore(database, key_of)
    await database.close()


async def project(store: Store, events: Sequence[h.History]) -> Dump:
    await store.project(JOURNAL, "n1", entries(events))
    return await dump(store)


async def test_a_whole_call_becomes_one_row_with_its_legs(store: Store) -> None:
    rows = await project(store, WHOLE_CALL)
    (call,) = rows["calls"]
    assert call == {
        "conversation": CALL, "node": "n1", "uid": "1700000000.1", "citizen": KEY, "number": "13805381234",
        "name": "王", "dnis": "12345",
        "is_outbound": False, "about": "", "queue": "12345", "started_us": 10, "queued_us": 20, "rang_us": 30,
        "answered_us": 50, "ended_us": 120, "outcome": "answered", "seat": "8001", "agent": "1001",
        "wait_ms": 30, "talk_ms": 70, "is_seen": True, "rating": None,
        "has_remark": False,
        "ivr_path": "g@5.r", "ivr_failure": "broken",
    }  # fmt: skip
    missed, answered = sorted(rows["legs"], key=lambda leg: leg["rang_us"])
    assert (missed["is_missed"], missed["rang_us"], missed["left_us"], missed["answered_us"]) == (
        True,
        30,
        40,
        0,
    )
    assert (answered["is_missed"], answered["answered_us"], answered["left_us"]) == (False, 50, 90)
    assert answered["talk_ms"] == 40
    assert [(pop["seat"], pop["at_us"]) for pop in sorted(rows["pops"], key=lambda pop: pop["at_us"])] == [
        ("8002", 30),
        ("8001", 45),
    ]
    (attempt,) = rows["third_party_attempts"]
    assert (attempt["state"], attempt["asked_us"], attempt["answered_us"], attempt["ended_us"]) == (
        "answered", 60, 70, 120,
    )  # fmt: skip
    times = sorted(rows["seat_times"], key=lambda time: time["from_us"])
    assert [(time["state"], time["from_us"], time["to_us"]) for time in times] == [
        ("ready", 5, 45), ("ringing", 45, 50), ("talking", 50, 90), ("wrap_up", 90, 0),
    ]  # fmt: skip


async def test_a_caller_who_was_turned_away_is_kept_with_the_queue_that_did_it(store: Store) -> None:
    begin = WHOLE_CALL[[type(event) for event in WHOLE_CALL].index(h.CallStarted)]
    end = h.CallEnded(
        conversation=CALL, at_us=30, outcome=Outcome.OVERFLOW, wait_ms=0, talk_ms=0, queue="12346"
    )
    (call,) = (await project(store, [begin, end]))["calls"]
    assert (call["queue"], call["outcome"], call["queued_us"]) == ("12346", "overflow", 0)


def supervised(at_us: int, what: Oversight, **more: Any) -> h.Supervised:
    return h.Supervised(at_us=at_us, person="9001", what=what, seat="8001", agent="1001", **more)


async def test_who_listened_to_whom_and_from_when_to_when_can_be_told(store: Store) -> None:
    leg = {"conversation": CALL, "leg": "sp-1700000000.1-1"}
    events: list[h.History] = [
        supervised(60, Oversight.LISTEN, why="新员工", **leg),
        supervised(60, Oversight.LISTEN, until_us=70, why="新员工", **leg),
        supervised(70, Oversight.WHISPER, **leg),
        supervised(75, Oversight.NOT_READY, detail="用餐"),
    ]
    await store.project(JOURNAL, "n1", entries(events))
    last = msgspec.structs.replace(
        entry_of(supervised(70, Oversight.WHISPER, until_us=90, **leg), "n1"), seq=9
    )
    await store.project(JOURNAL, "n1", [last])
    rows = (await dump(store))["supervisions"]
    found = sorted((row["at_us"], row["until_us"], row["what"], row["why"], row["detail"]) for row in rows)
    assert found == [
        (60, 70, "listen", "新员工", ""),
        (70, 90, "whisper", "", ""),
        (75, 0, "not_ready", "", "用餐"),
    ]
    assert {(row["person"], row["seat"], row["agent"], row["node"]) for row in rows} == {
        ("9001", "8001", "1001", "n1")
    }
    assert (await dump(store))["calls"] == [], "what a supervisor does begins no call"


def callback(at_us: int, state: CallbackState, **more: Any) -> h.CallbackChanged:
    return h.CallbackChanged(conversation=CALL, at_us=at_us, state=state, **more)


async def test_a_callback_keeps_what_became_of_it_and_who_called(store: Store) -> None:
    asked = h.CallbackAsked(conversation=CALL, at_us=40, queue="12345", number="13805381234", since_us=20)
    calling = callback(60, CallbackState.CALLING, call=OTHER, seat="8001", agent="1001")
    await store.project(JOURNAL, "n1", entries([started(), asked, calling]))
    late = [
        msgspec.structs.replace(entry, seq=entry.seq + 9)
        for entry in entries(
            [
                callback(70, CallbackState.WAITING, tries=1, not_before_us=90),
                callback(95, CallbackState.CANCELLED, tries=1, person="9001"),
            ]
        )
    ]
    await store.project(JOURNAL, "n1", late)
    (row,) = (await dump(store))["callbacks"]
    assert (row["since_us"], row["asked_us"], row["closed_us"], row["state"]) == (20, 40, 95, "cancelled")
    assert (row["call"], row["seat"], row["agent"], row["tries"], row["person"]) == (
        OTHER,
        "8001",
        "1001",
        1,
        "9001",
    )


async def test_an_event_counts_once_however_often_it_comes(store: Store) -> None:
    batch = entries(WHOLE_CALL)
    await store.project(JOURNAL, "n1", batch)
    once = await dump(store)
    await store.project(JOURNAL, "n1", batch[3:9])
    await store.project("another journal", "n1", batch)
    assert await dump(store) == once


async def test_the_checkpoint_moves_with_the_rows(store: Store) -> None:
    assert await store.checkpoint(JOURNAL) == 0
    await project(store, WHOLE_CALL)
    assert await store.checkpoint(JOURNAL) == len(WHOLE_CALL)
    assert await store.checkpoint("another journal") == 0


async def test_a_call_whose_beginning_is_missing_is_kept_as_far_as_known(store: Store) -> None:
    rows = await project(store, WHOLE_CALL[7:])
    (call,) = rows["calls"]
    assert (call["started_us"], call["number"], call["outcome"], call["answered_us"]) == (
        50,
        "",
        "answered",
        50,
    )


async def test_a_state_said_twice_is_one_stretch_of_time(store: Store) -> None:
    rows = await project(
        store,
        [
            seat_changed(1, SeatState.NOT_READY, "小休"),
            seat_changed(2, SeatState.NOT_READY, "小休"),
            seat_changed(3, SeatState.NOT_READY, "用餐"),
            seat_changed(4, SeatState.SIGNED_OUT, agent=""),
        ],
    )
    times = sorted(rows["seat_times"], key=lambda time: time["from_us"])
    assert [(time["reason"], time["from_us"], time["to_us"]) for time in times] == [
        ("小休", 1, 3),
        ("用餐", 3, 4),
        ("", 4, 0),
    ]


async def test_what_trunks_send_as_names_is_kept_without_harm(store: Store) -> None:
    nasty = msgspec.structs.replace(
        started(), name="'; DROP TABLE calls; --\x00\udcff<b>", number="\x00" * 40
    )
    rows = await project(store, [nasty])
    assert rows["calls"][0]["name"] == "'; DROP TABLE calls; --?<b>"
    assert (rows["calls"][0]["citizen"], rows["calls"][0]["number"]) == ("", "")


async def test_unknown_kinds_and_gaps_are_passed_over(store: Store) -> None:
    batch = entries(WHOLE_CALL[:3])
    batch[1:1] = [
        JournalEntry(
            event_id="n1-later", at_us=1, kind="from_next_year", body=b'{"type":"from_next_year"}', seq=7
        ),
        JournalEntry(event_id="n1-broken", at_us=1, kind="call_started", body=b'{"type":', seq=8),
        JournalEntry(event_id="gap-1", at_us=1, kind=GAP, body=b'{"lost":3}', seq=9),
    ]
    await store.project(JOURNAL, "n1", batch)
    assert len((await dump(store))["calls"]) == 1
    if isinstance(store, DatabaseStore):
        async with store._database.read() as session:
            query = select(JournalEventRow.event_id).where(JournalEventRow.refusal != "")
            assert set(await session.scalars(query)) == {"n1-later", "n1-broken"}


async def test_a_callers_past_is_told_newest_first(store: Store) -> None:
    calls = [started(at, f"n1-{at}.1") for at in (10, 30, 20)]
    await project(store, [*calls, started(99, OTHER, "05388221021")])
    contacts, cases = await store.recent(KEY, 2)
    assert [contact.at_us for contact in contacts] == [30, 20] and cases == ()
    assert contacts[0] == Contact(conversation="n1-30.1", at_us=30, outcome="", agent="", talk_ms=0)
    assert await store.recent("", 5) == ((), ())
    assert await store.recent("+8610000000", 5) == ((), ())


async def test_a_callers_open_cases_are_told(store: Store) -> None:
    if isinstance(store, MemoryStore):
        store.cases[KEY] = (
            CaseBrief(id="1", number="20261124-0001", title="路灯", state="open", unit="城管局", opened_us=5),
        )
    else:
        assert isinstance(store, DatabaseStore)
        new = NewCase(citizen=KEY, title="路灯", text="", unit="城管局", actor="1001")
        await open_case(store._database, new, "n1", 5)
    _, (case,) = await store.recent(KEY, 5)
    assert (case.title, case.state, case.unit, case.opened_us) == ("路灯", "open", "城管局", 5)


def random_history(seed: int, length: int) -> list[h.History]:
    """Any events in any order: what a journal with gaps may hold."""
    chance = random.Random(seed)
    return [
        msgspec.structs.replace(chance.choice(WHOLE_CALL), at_us=at_us)
        if chance.random() < 0.8
        else started(at_us, f"n1-{at_us}.1")
        for at_us in range(1, length + 1)
    ]


async def test_every_store_makes_the_same_of_any_history(store: Store) -> None:
    batch = entries(random_history(seed=1, length=150))
    twin = MemoryStore(key_of)
    for start in range(0, len(batch), 40):
        await store.project(JOURNAL, "n1", batch[start : start + 40])
    await twin.project(JOURNAL, "n1", batch)
    assert await dump(store) == await dump(twin)


@settings(deadline=None, max_examples=40)
@given(st.integers(0, 10_000), st.lists(st.integers(0, 40), max_size=8))
def test_how_the_journal_is_cut_into_batches_changes_nothing(seed: int, cuts: list[int]) -> None:
    batch = entries(random_history(seed, 40))

    async def both() -> tuple[Dump, Dump]:
        whole, cut = MemoryStore(key_of), MemoryStore(key_of)
        await whole.project(JOURNAL, "n1", batch)
        edges = sorted({0, *cuts, len(batch)})
        for begin, end in itertools.pairwise(edges):
            await cut.project(JOURNAL, "n1", batch[max(0, begin - 3) : end])
        return await dump(whole), await dump(cut)

    first, second = asyncio.run(both())
    assert first == second


class Watched(DatabaseStore):
    """The real store, and a bell for the tests."""

    def __init__(self, database: Database) -> None:
        super().__init__(database, key_of)
        self.projected = asyncio.Event()

    async def project(self, journal: str, node: str, entries: Sequence[JournalEntry]) -> None:
        await super().project(journal, node, entries)
        self.projected.set()


class Running:
    """A journal and a projector on a database, with what the projector reported."""

    def __init__(self, database: Database, path: Path) -> None:
        self.reports: asyncio.Queue[ProjectorHealth] = asyncio.Queue()
        self.store = Watched(database)
        self.journal = Journal.open(path / "journal.db", lambda _: None)
        self.keeper = JournalKeeper(self.journal, "n1")
        self.projector = Projector(self.journal, self.store, "n1", self.reports.put_nowait)
        self.task = asyncio.create_task(self.projector.run())

    async def report(self, is_well: bool) -> ProjectorHealth:
        while (report := await asyncio.wait_for(self.reports.get(), 20)).is_well is not is_well:
            pass
        return report

    async def calls(self, count: int) -> list[dict[str, Any]]:
        async with asyncio.timeout(20):
            while len(found := (await dump(self.store))["calls"]) < count:
                await self.store.projected.wait()
                self.store.projected.clear()
        return found

    async def stop(self) -> None:
        self.task.cancel()
        await asyncio.gather(self.task, return_exceptions=True)
        await self.journal.close()


@pytest.fixture
async def running(database: Database, tmp_path: Path) -> AsyncIterator[Running]:
    made = Running(database, tmp_path)
    yield made
    await made.stop()


@pytest.mark.slow
async def test_what_is_kept_appears_in_the_database(running: Running) -> None:
    running.keeper.keep(WHOLE_CALL[:4])
    await running.calls(1)
    running.keeper.keep([*WHOLE_CALL[4:], started(200, OTHER)])
    calls = await running.calls(2)
    assert {call["conversation"] for call in calls} == {CALL, OTHER}
    assert next(call for call in calls if call["conversation"] == CALL)["outcome"] == "answered"
    await running.journal.flushed()
    assert await running.projector.catch_up() == 0


async def test_after_a_restart_the_projector_goes_on_where_it_was(database: Database, tmp_path: Path) -> None:
    for at, event in enumerate(random_history(seed=2, length=6)):
        one = Running(database, tmp_path)
        one.keeper.keep([event, started(1000 + at, f"n1-new{at}.1")])
        await one.journal.flushed()
        if at % 2:
            await one.calls(1)
        await one.stop()
    last = Running(database, tmp_path)
    last.task.cancel()
    await last.journal.flushed()
    await last.projector.catch_up()
    async with database.read() as session:
        ids = list(await session.scalars(select(JournalEventRow.event_id)))
    assert len(ids) == 12
    await last.stop()


async def test_two_projectors_of_one_journal_double_nothing(database: Database, tmp_path: Path) -> None:
    """As when an old server is still ending while the new one starts."""
    batch = entries(random_history(seed=3, length=400))
    first, second = Running(database, tmp_path), Running(database, tmp_path)
    for one in (first, second):
        one.task.cancel()
    first.journal.append(batch)
    await first.journal.flushed()
    both = (first.projector.catch_up(), second.projector.catch_up())
    ends = await asyncio.gather(*both, return_exceptions=True)
    assert all(isinstance(end, int) or is_passing(end) for end in ends)
    await first.projector.catch_up()
    twin = MemoryStore(key_of)
    await twin.project(JOURNAL, "n1", batch)
    assert await dump(first.store) == await dump(twin)
    async with database.read() as session:
        refused = await session.scalars(select(JournalEventRow.event_id).where(JournalEventRow.refusal != ""))
        assert refused.all() == []
    await asyncio.gather(first.journal.close(), second.journal.close())


@pytest.mark.slow
async def test_a_locked_database_delays_and_loses_nothing(running: Running, database: Database) -> None:
    """Another process holds the tables while calls go on."""
    running.keeper.keep([started(1)])
    await running.calls(1)
    async with database.begin() as session:
        if database.engine.dialect.name == "postgresql":
            await session.execute(text("LOCK TABLE calls IN ACCESS EXCLUSIVE MODE"))
        running.keeper.keep([started(2, OTHER)])
        await running.journal.flushed()
        await asyncio.sleep(0.3)
    assert len(await running.calls(2)) == 2


@pytest.mark.slow
async def test_a_database_without_its_tables_is_waited_for(running: Running, database: Database) -> None:
    await running.calls(0)
    async with database.begin() as session:
        await session.execute(text("ALTER TABLE journal_events RENAME TO away"))
    running.keeper.keep([started(1)])
    assert (await running.report(is_well=False)).why
    async with database.begin() as session:
        await session.execute(text("ALTER TABLE away RENAME TO journal_events"))
    await running.report(is_well=True)
    assert len(await running.calls(1)) == 1


async def test_an_entry_that_upsets_the_database_holds_up_no_other(
    running: Running, database: Database
) -> None:
    """A seat's number no column can hold: PostgreSQL refuses it, SQLite would keep it."""
    monster = seat(h.SeatRang, 2, "8" * 50)
    running.keeper.keep([started(1), monster, started(3, OTHER)])
    assert len(await running.calls(2)) == 2
    async with database.read() as session:
        refused = [r for r in await session.scalars(select(JournalEventRow)) if r.refusal]
    is_strict = database.engine.dialect.name == "postgresql"
    assert [row.kind for row in refused] == (["seat_rang"] if is_strict else [])


async def test_a_database_that_fails_says_so_as_one_error(database: Database) -> None:
    async with database.begin() as session:
        await session.execute(text("ALTER TABLE cases RENAME TO gone"))
    with pytest.raises(PastUnknown):
        await DatabaseStore(database, key_of).recent(KEY, 5)
