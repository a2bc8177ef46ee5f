"""A citizen put through to 110: entered on the case once, told whole, read with a trace."""

from __future__ import annotations

from pathlib import Path

import pytest
from sqlalchemy.ext.asyncio import AsyncSession

from casework import moves as m
from casework.calendar import china
from casework.case import Case, step
from casework.history import move_of
from casework.rights import Right
from casework.service import history_of
from casework.store import cases as store
from casework.supervision import SYSTEM
from casework.words import CaseState, Refusal
from ctiserver.archive.tables import RecordingRow
from ctiserver.hooks import case_consumer
from ctiserver.store.handover import LOOK_BACK_US, enter
from ctiserver.store.tables import CallRow, ThirdPartyAttemptRow
from hotline import audit, clock
from hotline.db.engine import Database
from hotline.local_time import local_day
from hotline.numbers import warm_up
from tests.hooks_room import CALLER, Room, ear, empty_database, hooks_room
from tests.unit.api_room import opened as serving
from tests.unit.test_casework_supervision import MONDAY, opened

CALL = "n1-1763975052.12"
DROWNING = {
    "title": "有人落水",
    "text": "大汶河大桥下，一名男孩",
    "place": "岱岳区大汶口镇",
    "conversation": CALL,
}


def add(session: AsyncSession, row: type, **values: object) -> None:
    """A row with these values and nothing in its other columns."""
    blank: dict[type, object] = {int: 0, str: "", bool: False}
    columns = row.__table__.columns  # type: ignore[attr-defined]
    session.add(
        row(**({one.key: blank[one.type.python_type] for one in columns if not one.nullable} | values))
    )


async def called(database: Database, *services: str, at_us: int = MONDAY, call: str = CALL) -> None:
    """A call in which these numbers were called in, one after the other."""
    async with database.begin() as session:
        add(
            session,
            CallRow,
            conversation=call,
            node="n1",
            number=CALLER,
            citizen=f"+86{CALLER}",
            dnis="12345",
        )
        await session.flush()
        for n, service in enumerate(services, 1):
            add(
                session,
                ThirdPartyAttemptRow,
                conversation=call,
                n=n,
                number=service,
                label=service,
                is_emergency=service in ("110", "119", "120"),
                seat="8001",
                agent="1001",
                asked_us=at_us + n,
                state="answered",
            )


async def handed(database: Database, case: Case) -> list[tuple[str, int]]:
    async with database.read() as session:
        moves = [move_of(one) for one in (await history_of(session, case.id))[1:]]
    return [(move.service, move.n) for move in moves if isinstance(move, m.HandOver)]


def test_a_hand_over_is_entered_once_and_moves_neither_state_nor_deadline() -> None:
    case = Case(
        id="n1-x", number="1", citizen="", title="t", text="", unit="", conversation=CALL, created_us=1
    )
    move = m.HandOver(actor=SYSTEM, reason="已转接 110", service="110", conversation=CALL, n=1)
    after = step(case, move, 2, china())
    assert isinstance(after, Case)
    assert (after.state, after.due_us, after.handed) == (CaseState.INTAKE, 0, (f"{CALL}#1",))
    assert step(after, move, 3, china()) is Refusal.HANDED_ALREADY


@pytest.mark.slow
async def test_whichever_comes_first_the_call_to_110_is_on_the_case(database: Database) -> None:
    early = await opened(database, **DROWNING)
    assert await enter(database, MONDAY, china()) == 0
    await called(database, "0538-12319", "110", "120")
    late = await opened(database, **DROWNING | {"title": "交通拥堵"})
    assert await enter(database, MONDAY + 9, china()) == 4
    assert await enter(database, MONDAY + 9, china()) == 0
    for case in (early, late):
        assert await handed(database, case) == [("110", 2), ("120", 3)]
    after = await opened(database, **DROWNING | {"title": "后来才登记"})
    assert await enter(database, MONDAY + LOOK_BACK_US + 9, china()) == 0
    assert await handed(database, after) == []
    async with database.read() as session:
        kept = await store.load(session, early.id)
    assert kept is not None and kept.state is CaseState.INTAKE


async def test_the_emergency_centre_is_told_the_words_even_of_a_secret_case(
    tmp_path: Path, sqlite_template: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(case_consumer, "EVERY_S", 0.02)
    async with ear() as police, hooks_room(tmp_path, empty_database(tmp_path, sqlite_template)) as room:
        await room.start(room.hook(police, "police", events=("emergency.case",)))
        await filed(room)
        (heard,) = await police.until(1)
    assert heard.is_signed and heard.kind == "emergency.case"
    told = [heard.said[name] for name in ("number", "place", "service", "conversation", "title")]
    assert told == [CALLER, "山东省泰安市", "110", CALL, "有人落水"]
    assert (heard.said["text"], heard.said["address"]) == (DROWNING["text"], DROWNING["place"])


async def filed(room: Room) -> None:
    await called(room.database, "110")
    await opened(room.database, **DROWNING, citizen=f"+86{CALLER}", is_secret=True)
    await enter(room.database, MONDAY, china())


@pytest.mark.slow
async def test_all_that_is_handed_over_is_read_with_a_trace_and_only_by_right(
    tmp_path: Path, sqlite_template: Path
) -> None:
    warm_up()
    database = empty_database(tmp_path, sqlite_template)
    await called(database, "0538-12319", "110")
    await called(database, "120", at_us=clock.now().utc_us, call="n1-1763975052.13")
    case = await opened(database, **DROWNING, citizen=f"+86{CALLER}", is_secret=True)
    async with database.begin() as session:
        add(session, RecordingRow, conversation=CALL, direction="citizen", path="a.flac", sha256="0" * 64)
    async with serving(database, tmp_path) as room:
        police = await room.system("police", rights=(Right.EMERGENCY,))
        today = local_day(clock.now().utc_us)
        listed = await police.get("/handovers?limit=1")
        assert CALLER not in listed.raw.decode() and listed.json["items"][0]["service"] == "120"
        page = (await police.get(f"/handovers?limit=1&cursor={listed.json['next']}")).json
        assert ([(one["conversation"], one["n"]) for one in page["items"]], page["next"]) == (
            [(CALL, 2)],
            None,
        )
        assert len((await police.get(f"/handovers?since={today}")).json["items"]) == 1
        read = (await police.get(f"/handovers/{CALL}/2")).json
        assert (read["number"], read["place"], read["service"]) == (CALLER, "山东省泰安市", "110")
        (words,) = read["cases"]
        assert (words["id"], words["title"], words["place"]) == (case.id, "有人落水", DROWNING["place"])
        assert read["recording"] == [
            {"direction": "citizen", "is_there": True, "is_missing": False, "gap_ms": 0}
        ]
        for path in (f"/handovers/{CALL}/1", f"/handovers/{CALL}/3", "/handovers/n1-1.1/1"):
            assert (await police.get(path)).problem == (404, "not-found")
        assert (await police.get("/cases")).problem == (403, "forbidden")
        others = await room.system("others", rights=tuple(set(Right) - {Right.EMERGENCY}))
        assert (await others.get(f"/handovers/{CALL}/2")).problem == (403, "forbidden")
    async with database.read() as session:
        deeds = [(one.person, one.what, one.whom) for one in await audit.newest(session, 9)]
    assert deeds.count(("police", "handover.read", f"{CALL} 2")) == 1
    assert sum(what == "handover.read" for _, what, _ in deeds) == 1
    await database.close()
