"""The full rehearsal on a real Asterisk: what agents and supervisors do is right by tone and by record, and
nothing is lost while each of our processes is killed in its turn.
"""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from cli.process import PROCESSES
from cli.rehearse import Process, cast_of, departments, full_rules, on_stage
from cli.stage import Stage, stage, stage_settings
from hotline.settings import QueueSettings, Settings
from rehearsal.crew import EXTRA_SEATS
from rehearsal.exercises import EXERCISES
from rehearsal.ports import free_ports
from rehearsal.report import Tried
from rehearsal.run import Plan
from tests.integration.test_whole_hotline import quiet

pytestmark = pytest.mark.asyncio(loop_scope="module")

SEATS = 8


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def there(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Stage]:
    site = Settings(queue=QueueSettings(wrapup_s=2, short_abandon_s=1))
    state = tmp_path_factory.mktemp("rehearsal")
    settings = stage_settings(full_rules(site), state, seats=SEATS + EXTRA_SEATS, ports=free_ports(7))
    async with stage(settings, quiet) as standing:
        yield standing


def plan(calls: int, numbers_from: int, kill: tuple[str, ...] = ()) -> Plan:
    return Plan(
        calls=calls,
        rate=1.0,
        seats=SEATS,
        departments=departments(),
        talk_s=1.0,
        numbers_from=numbers_from,
        kill=kill,
    )


async def test_every_exercise_is_heard_and_kept_as_it_should(there: Stage) -> None:
    full = plan(len(EXERCISES) + 1, 6000)
    report = await on_stage(there, full, quiet, cast_of(there, full))
    assert report.exercises == dict.fromkeys(EXERCISES, Tried(1, 1))
    assert (report.three_way_ok, report.three_way_asked) == (1, 1)
    assert report.is_right, report.rows()


async def test_nothing_is_lost_while_each_process_of_ours_is_killed_in_its_turn(there: Stage) -> None:
    full = plan(22, 7000, tuple(PROCESSES))
    report = await on_stage(there, full, quiet, cast_of(there, full))
    assert (report.lost, report.records) == (0, 22)
    assert report.answered == 22
    assert report.audio_ok == report.audio_checked == 22
    right = (
        sum(tried.right for tried in report.exercises.values()) + report.three_way_ok + report.emergency_ok
    )
    assert right + report.disturbed == 22
    assert report.killed == tuple(PROCESSES)
    assert right >= 11, "most are far from the CTI server's death"
    assert report.is_right, report.rows()


async def test_every_process_of_ours_can_be_killed() -> None:
    assert {process.value for process in Process} == set(PROCESSES)
