"""An agent's own figures of the day: what counts as theirs, and as today's."""

from __future__ import annotations

from ctiserver.api.states import Outcome, SeatState
from ctiserver.store.tables import CallRow, LegRow, SeatTimeRow
from ctiserver.workday import Workday, workday
from hotline.db.engine import Database
from hotline.local_time import SECOND_US, day_start_us, local_day
from tests.unit.test_missed import ANNA, call

NOW = 1_795_000_000 * SECOND_US
MORNING = day_start_us(local_day(NOW))
ME, COLLEAGUE = "1001", "1002"


def leg(of: CallRow, agent: str, answered_us: int, talk_ms: int) -> LegRow:
    return LegRow(
        conversation=of.conversation, leg=f"{of.conversation}-{agent}", seat="8001", agent=agent,
        rang_us=of.started_us, answered_us=answered_us, left_us=0, talk_ms=talk_ms,
        is_missed=answered_us == 0,
    )  # fmt: skip


def wrap_up(n: int, agent: str, from_us: int, to_us: int) -> SeatTimeRow:
    return SeatTimeRow(
        event_id=f"n1-{n}", node="n1", seat="8001", agent=agent, state=SeatState.WRAP_UP.value,
        reason="", from_us=from_us, to_us=to_us,
    )  # fmt: skip


def answered(at_us: int, wait_ms: int, *, is_outbound: bool = False) -> CallRow:
    row = call(ANNA, at_us, Outcome.ANSWERED, is_outbound=is_outbound, answered_us=at_us + 1)
    row.wait_ms = wait_ms
    return row


async def test_a_day_holds_what_its_agent_did_since_midnight_and_nothing_of_anybody_else(
    database: Database,
) -> None:
    soon, late = answered(MORNING, 9_000), answered(MORNING + 10, 16_000)
    own = answered(MORNING + 20, 0, is_outbound=True)
    taken_over, missed = answered(MORNING + 30, 1_000), answered(MORNING + 40, 1_000)
    yesterday = answered(MORNING - 1, 1_000)
    async with database.begin() as session:
        session.add_all((soon, late, own, taken_over, missed, yesterday))
        await session.flush()
        session.add_all(leg(row, ME, row.answered_us, 60_000) for row in (soon, late, own, yesterday))
        session.add_all(
            (
                leg(taken_over, COLLEAGUE, taken_over.answered_us, 5_000),
                leg(taken_over, ME, taken_over.answered_us + 5, 7_000),
                leg(missed, ME, 0, 0),
                leg(missed, COLLEAGUE, missed.answered_us, 1),
                wrap_up(1, ME, MORNING, MORNING + 20 * SECOND_US),
                wrap_up(2, ME, MORNING + 30 * SECOND_US, 0),
                wrap_up(3, ME, MORNING - 9 * SECOND_US, MORNING - SECOND_US),
                wrap_up(4, COLLEAGUE, MORNING, MORNING + SECOND_US),
            )
        )
    async with database.read() as session:
        mine = await workday(session, ME, NOW, 15)
        nobody = await workday(session, "1003", NOW, 15)
    assert mine == Workday(calls=4, talk_ms=187_000, wrap_up_ms=20_000, answered=2, in_time=1)
    assert nobody == Workday(calls=0, talk_ms=0, wrap_up_ms=0, answered=0, in_time=0)
