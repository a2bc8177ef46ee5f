"""The day's figures: what counts, once; a restart keeps them, midnight ends them."""

from __future__ import annotations

from pathlib import Path

import pytest

from ctiserver.api.commands import SignIn
from ctiserver.api.states import Queue
from ctiserver.bootstrap import read_day, read_history
from ctiserver.model.events import Resynced, TimerFired
from ctiserver.model.figures import MIDNIGHT
from ctiserver.model.floor import Floor
from ctiserver.model.memory import remember
from ctiserver.store.keeper import JournalKeeper
from hotline.journal import Journal
from hotline.local_time import day_start_us, local_day
from tests.unit.world import ENTERPRISE, QUEUE, SKILLED, World

DAY_US = 86_400_000_000
NOON_US = 12 * 3_600_000_000


def at_noon() -> World:
    world = World(rules=SKILLED)
    world.utc_us = day_start_us(local_day(world.utc_us)) + DAY_US + NOON_US
    world.ask("8001", "1001", SignIn(ready=True))
    world.ask("8002", "1002", SignIn(ready=True))
    return world


def answered(world: World, queue: str, seat: str, waits: float) -> None:
    citizen = world.call()
    world.queue(citizen, queue)
    world.pass_time(waits)
    world.answer(world.ring(citizen, seat))
    world.feed(*world.hang_up(citizen))


def given_up(world: World, queue: str, waits: float) -> None:
    citizen = world.call()
    world.queue(citizen, queue)
    world.pass_time(waits)
    world.feed(*world.hang_up(citizen))


def counted(queue: Queue) -> tuple[int, int, int, int]:
    return queue.answered, queue.in_time, queue.abandoned, queue.short_abandoned


async def restarted(world: World, path: Path) -> Floor:
    """A CTI server that starts now, with nothing but the journal."""
    journal = Journal.open(path / "journal.db", lambda _: None)
    try:
        JournalKeeper(journal, "n1").keep(world.history)
        await journal.flushed()
        last = await journal.last()
        now = world.now()
        day = await read_day(journal, "n1", now.utc_us)
        history = await read_history(journal, last - 3)
        memory = remember(history, now.mono_us - now.utc_us, day, world.rules.service_level_ms)
    finally:
        await journal.close()
    return Floor(world.rules, memory)


async def test_a_restart_keeps_the_days_figures_and_only_the_days(tmp_path: Path) -> None:
    world = at_noon()
    given_up(world, QUEUE, 50)
    world.pass_time(86_400)
    world.feed(Resynced(world.snapshot()))
    assert counted(world.seen.queues[QUEUE]) == (0, 0, 0, 0)
    answered(world, QUEUE, "8001", 3)
    answered(world, QUEUE, "8001", 40)
    answered(world, ENTERPRISE, "8002", 3)
    given_up(world, QUEUE, 30)
    given_up(world, QUEUE, 1)
    shown = {queue.name: counted(queue) for queue in world.seen.queues.values()}
    assert shown == {QUEUE: (2, 1, 1, 1), ENTERPRISE: (1, 1, 0, 0)}
    floor = await restarted(world, tmp_path)
    assert {queue.name: counted(queue) for queue in floor.snapshot().queues} == shown


async def test_one_who_is_answered_after_a_restart_counts_once(tmp_path: Path) -> None:
    world = at_noon()
    citizen = world.call()
    world.queue(citizen)
    rung = world.ring(citizen, "8001")
    world.floor = await restarted(world, tmp_path)
    world.feed(Resynced(world.snapshot()))
    world.answer(rung)
    assert counted(world.seen.queues[QUEUE]) == (1, 1, 0, 0)
    world.floor = await restarted(world, tmp_path)
    world.feed(Resynced(world.snapshot()))
    world.feed(*world.hang_up(citizen))
    assert counted(world.seen.queues[QUEUE]) == (1, 1, 0, 0)


@pytest.mark.parametrize("by_clock", [True, False])
def test_the_figures_begin_anew_at_midnight_and_who_waits_counts_for_the_new_day(
    by_clock: bool,
) -> None:
    world = at_noon()
    given_up(world, QUEUE, 30)
    citizen = world.call()
    world.queue(citizen)
    assert MIDNIGHT in world.timers
    assert counted(world.seen.queues[QUEUE]) == (0, 0, 1, 0)
    world.pass_time(12 * 3600)
    if by_clock:
        world.feed(TimerFired(MIDNIGHT))
        assert counted(world.seen.queues[QUEUE]) == (0, 0, 0, 0)
        assert MIDNIGHT in world.timers
    world.feed(*world.hang_up(citizen))
    assert counted(world.seen.queues[QUEUE]) == (0, 0, 1, 0)


def test_a_clock_that_fires_early_ends_no_day() -> None:
    world = at_noon()
    given_up(world, QUEUE, 30)
    world.feed(TimerFired(MIDNIGHT))
    assert counted(world.seen.queues[QUEUE]) == (0, 0, 1, 0)
