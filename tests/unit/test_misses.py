"""A seat that rings in vain too often in a row is put not ready and told so, and no break is cut short."""

from __future__ import annotations

import msgspec
import pytest

from ctiserver.api.commands import NotReady, Ready, SignIn, SignOut
from ctiserver.api.history import SeatMissed
from ctiserver.api.states import MISSED_REASON, SeatState
from tests.unit.world import RULES, World


def at_work(limit: int = 2) -> tuple[World, str]:
    world = World(rules=msgspec.structs.replace(RULES, miss_limit=limit))
    world.ask("8001", "1001", SignIn(ready=True))
    citizen = world.call()
    world.queue(citizen)
    return world, citizen


def test_two_misses_in_a_row_put_the_seat_not_ready_and_say_so() -> None:
    world, citizen = at_work()
    world.miss(world.ring(citizen, "8001"))
    assert world.seen.seats["8001"].state is SeatState.READY
    world.miss(world.ring(citizen, "8001"))
    seat = world.seen.seats["8001"]
    assert (seat.state, seat.reason) == (SeatState.NOT_READY, MISSED_REASON)
    assert (world.members["8001"].is_paused, world.members["8001"].reason) == (True, MISSED_REASON)
    assert [(notice.seat, notice.code) for notice in world.notices] == [("8001", "missed_calls")]
    assert sum(isinstance(event, SeatMissed) for event in world.history) == 2


def test_ready_again_begins_the_count_anew() -> None:
    world, citizen = at_work()
    for _ in range(2):
        world.miss(world.ring(citizen, "8001"))
    world.ask("8001", "1001", Ready())
    world.miss(world.ring(citizen, "8001"))
    assert world.seen.seats["8001"].state is SeatState.READY


def test_an_answer_between_two_misses_resets_the_count() -> None:
    world, citizen = at_work()
    world.miss(world.ring(citizen, "8001"))
    world.answer(world.ring(citizen, "8001"))
    world.feed(*world.hang_up(citizen))
    world.ask("8001", "1001", Ready())
    other = world.call()
    world.queue(other)
    world.miss(world.ring(other, "8001"))
    assert world.seen.seats["8001"].state is SeatState.READY


def test_the_next_agent_at_the_seat_begins_at_nought() -> None:
    world, citizen = at_work()
    world.miss(world.ring(citizen, "8001"))
    world.ask("8001", "1001", SignOut())
    world.ask("8001", "1002", SignIn(ready=True))
    world.miss(world.ring(citizen, "8001"))
    assert world.seen.seats["8001"].state is SeatState.READY


def test_who_asked_for_a_break_while_it_rang_keeps_their_reason() -> None:
    world, citizen = at_work()
    world.miss(world.ring(citizen, "8001"))
    leg = world.ring(citizen, "8001")
    world.ask("8001", "1001", NotReady("用餐"))
    world.miss(leg)
    assert world.seen.seats["8001"].reason == "用餐"
    assert world.notices == []


@pytest.mark.parametrize("limit", [0, 5])
def test_below_the_limit_or_without_one_a_seat_stays_ready(limit: int) -> None:
    world, citizen = at_work(limit)
    for _ in range(4):
        world.miss(world.ring(citizen, "8001"))
    assert world.seen.seats["8001"].state is SeatState.READY
    assert world.notices == []


def test_a_caller_who_hangs_up_while_it_rings_is_no_miss_of_the_seats() -> None:
    world, citizen = at_work(limit=1)
    leg = world.ring(citizen, "8001")
    world.feed(*world.hang_up(leg), *world.hang_up(citizen))
    assert world.seen.seats["8001"].state is SeatState.READY
