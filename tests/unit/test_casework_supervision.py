"""Supervision by rule, each with its document, and the clock that starts it once."""

from __future__ import annotations

import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st

from casework import moves as m
from casework.calendar import china
from casework.case import Case
from casework.clockwork import tick
from casework.deadlines import Light, Minutes, ProfileName, WorkingDays, ends_us, light, turns_us
from casework.lights import light_of
from casework.service import NewCase, history_of, move_case, open_case, verify_history
from casework.store.lists import due, ledger, supervised
from casework.supervision import CAUSES, Crowd, begun
from casework.words import CaseState, Kind, Level, Refusal, Satisfaction, Trigger
from hotline.db.engine import Database
from hotline.local_time import DAY_US
from tests.unit.test_casework_rules import (
    ACCEPT,
    AT_COUNTY,
    AT_UNIT,
    CLOSE,
    DISPATCHER,
    MONDAY,
    REPLIED,
    REVIEW,
    SEND_BACK,
    START,
    SUPERVISOR,
    URGE,
    after,
    dispatch,
    refused,
    taken_in,
    visited,
)

SUPERVISE = m.Supervise(actor=SUPERVISOR, reason="重点难点", level=Level.ESCALATED)
DISCHARGE = m.Discharge(actor=SUPERVISOR, reason="已整改到位")
MINUTES = st.integers(1, 20 * 24 * 60)


def trigger_of(case: Case, crowd: Crowd | None = None) -> Trigger | None:
    move = begun(case, crowd or Crowd())
    if move is not None:
        assert after(move, case=case).supervision is not None
    return move.trigger if move is not None else None


def overdue(case: Case) -> Case:
    return after(m.Warn(actor=SUPERVISOR, reason="逾期", light=Light.OVERDUE), case=case)


def test_taian_what_is_not_closed_in_time_is_supervised_internally() -> None:
    """泰政发〔2016〕1号五（二）2: 对未按时办结的民众诉求事项，建立督办台账."""
    case = overdue(after(*AT_UNIT))
    assert trigger_of(case) is Trigger.OVERDUE and trigger_of(after(*AT_UNIT)) is None
    assert CAUSES[Trigger.OVERDUE].level is Level.INTERNAL


def test_taian_what_left_the_citizen_unsatisfied_twice_is_supervised() -> None:
    """泰政发〔2016〕1号五（二）2: 多次办理不满意的民众诉求事项."""
    again = (*REPLIED[3:], REVIEW, visited(Satisfaction.BAD))
    case = after(*REPLIED, REVIEW, visited(Satisfaction.BAD))
    assert trigger_of(case) is None
    assert trigger_of(after(*again, case=case)) is Trigger.UNSATISFIED


def test_reform_what_is_sent_out_three_times_is_supervised() -> None:
    """接诉即办改革二: 重复交办3次以上工单即进入重点督办环节."""
    case = after(*REPLIED, SEND_BACK, *REPLIED[3:], SEND_BACK)
    assert case.sent == 3 and trigger_of(case) is Trigger.SENT_AGAIN


@pytest.mark.parametrize("crowd", [Crowd(alike=10), Crowd(against=10)])
def test_reform_ten_people_with_one_matter_or_against_one_unit_raise_it_a_level(crowd: Crowd) -> None:
    """接诉即办改革二: 同一事项10人次以上集中投诉、同一单位10人次以上投诉，提级联合督办."""
    case = after(dispatch(), case=taken_in(kind=Kind.COMPLAINT))
    move = begun(case, crowd)
    assert move is not None and move.level is Level.ESCALATED
    assert begun(case, Crowd(9, 9)) is None
    assert begun(after(dispatch()), Crowd(against=10)) is None


def test_jinan_what_is_pressed_for_three_times_and_still_not_done_is_held_to_account() -> None:
    """济南市民服务热线四（五）: 催办、退办累计3次以上仍不办理的，责任追究."""
    pressed = after(*AT_UNIT, URGE, URGE, URGE)
    move = begun(pressed, Crowd())
    assert move is not None and move.level is Level.DISCIPLINE
    assert trigger_of(after(START, REPLIED[3], case=pressed)) is None


def test_taian_the_ledger_is_closed_with_a_note_and_before_the_archive() -> None:
    """泰政发〔2016〕1号五（二）2: 建立督办台账、实行办结销号."""
    case = after(SUPERVISE, case=after(*AT_UNIT))
    assert case.supervision is not None and case.supervision.due_us > MONDAY
    closed = after(START, REPLIED[3], REVIEW, visited(Satisfaction.GOOD), CLOSE, case=case)
    archive = m.Archive(actor=DISPATCHER, reason="完毕")
    assert refused(closed, archive) is Refusal.SUPERVISED
    assert after(DISCHARGE, archive, case=closed).state is CaseState.ARCHIVED
    assert refused(after(*AT_UNIT), DISCHARGE) is Refusal.NOT_SUPERVISED


def test_supervision_rises_and_never_falls_and_each_cause_starts_it_once() -> None:
    case = after(SUPERVISE, case=after(*AT_UNIT))
    assert refused(case, m.Supervise(actor=SUPERVISOR, reason="x", level=Level.INTERNAL)) is (
        Refusal.SUPERVISED_ALREADY
    )
    assert begun(overdue(case), Crowd()) is None
    late = overdue(after(*AT_UNIT))
    move = begun(late, Crowd())
    assert move is not None
    watched = after(move, DISCHARGE, case=late)
    assert watched.supervision is None and begun(watched, Crowd()) is None


@given(start=MINUTES, span=MINUTES, by_days=st.booleans())
def test_a_light_turns_at_the_instant_that_was_foretold(start: int, span: int, by_days: bool) -> None:
    start_us = MONDAY + start * 60_000_000
    due_us = ends_us(WorkingDays(span % 9) if by_days else Minutes(span), start_us, china())
    calendar = china() if by_days else None
    for turned, at in turns_us(start_us, due_us, calendar).items():
        assert light(start_us, due_us, at, calendar).rank >= turned.rank
        assert at <= start_us or light(start_us, due_us, at - 1, calendar).rank < turned.rank


async def opened(database: Database, at_us: int = MONDAY, **fields: object) -> Case:
    values = {"citizen": "", "title": "题", "text": "", "unit": "", "actor": "1001"} | fields
    case = await open_case(database, NewCase(**values), "n1", at_us)  # type: ignore[arg-type]
    assert isinstance(case, Case)
    return case


async def moved(database: Database, case: Case, *moves: m.Move, at_us: int = MONDAY) -> Case:
    for move in moves:
        done = await move_case(database, case.id, move, at_us, china())
        assert isinstance(done, Case), done
        case = done
    return case


@pytest.mark.slow
async def test_the_clock_warns_at_each_light_and_supervises_what_is_overdue(database: Database) -> None:
    case = await moved(database, await opened(database), dispatch(), ACCEPT)
    quiet = await opened(database)
    assert await tick(database, MONDAY, china()) == 0
    told = []
    while case.wake_us:
        at_us = case.wake_us
        assert await tick(database, at_us, china()) == 1 and await tick(database, at_us, china()) == 0
        async with database.read() as session:
            entries = await history_of(session, case.id)
            case = await moved(database, case, URGE, at_us=at_us)
        told += [entry.reason for entry in entries if entry.move == "warn" and entry.at_us == at_us]
    assert told == ["时限预警", "时限临期", "时限逾期"]
    assert light_of(case, at_us, china()) is Light.OVERDUE
    async with database.read() as session:
        assert [one.id for one in await supervised(session, 9)] == [case.id]
        assert [(entry.actor, number) for entry, number, _ in await ledger(session, 9)][-1] == (
            "system",
            case.number,
        )
        assert len(await history_of(session, quiet.id)) == 1
        assert await verify_history(session) == []


@pytest.mark.slow
async def test_after_an_outage_each_case_is_told_its_last_light_once_by_whichever_node(
    database: Database,
) -> None:
    cases = [await moved(database, await opened(database), dispatch()) for _ in range(5)]
    later = MONDAY + 30 * DAY_US
    await asyncio.gather(*(tick(database, later, china()) for _ in range(3)))
    async with database.read() as session:
        assert await due(session, later, 9) == []
        for case in cases:
            moves = [entry.move for entry in await history_of(session, case.id)]
            assert moves == ["open", "dispatch", "warn", "supervise"]


@pytest.mark.slow
async def test_a_granted_extension_puts_the_warning_off(database: Database) -> None:
    asked = m.AskExtension(actor=AT_COUNTY, reason="采购", days=5)
    grant = m.GrantExtension(actor=DISPATCHER, reason="可")
    case = await moved(database, await opened(database), dispatch(), ACCEPT)
    extended = await moved(database, case, asked, grant)
    assert extended.wake_us > case.wake_us
    await tick(database, extended.wake_us - 1, china())
    async with database.read() as session:
        assert "warn" not in [entry.move for entry in await history_of(session, case.id)]


@pytest.mark.slow
async def test_the_tenth_person_against_a_unit_starts_supervision_once(database: Database) -> None:
    levels = []
    for n in range(12):
        case = await opened(database, citizen=f"+861380538{n:04}", kind=Kind.COMPLAINT)
        case = await moved(database, case, dispatch(ProfileName.FIVE_DAYS))
        levels.append(case.supervision.trigger if case.supervision else None)
    assert levels == [None] * 9 + [Trigger.MANY_AGAINST, None, None]


@pytest.mark.slow
async def test_ten_people_merged_into_one_case_start_supervision_of_it(database: Database) -> None:
    master = await moved(database, await opened(database), dispatch(ProfileName.FIVE_DAYS))
    for n in range(9):
        follower = await opened(database, citizen=f"+861380538{n:04}")
        merge = m.Merge(actor=DISPATCHER, reason="同一事项", master=master.id)
        await moved(database, follower, merge)
        async with database.read() as session:
            assert len(await supervised(session, 9)) == (n == 8)
