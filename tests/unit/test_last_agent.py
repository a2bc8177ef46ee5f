"""Who calls again goes to the agent they spoke with last, if that agent is free and nobody's turn comes."""

from __future__ import annotations

import msgspec
import pytest

from ctiserver.api.commands import NotReady, Ready, SignIn
from ctiserver.api.history import CallAnswered, CallQueued
from ctiserver.api.states import Phase, SeatState
from ctiserver.model.effects import SendTo, StopBeforeQueue
from tests.unit.world import ENTERPRISE, QUEUE, SKILLED, World

HOUR_MS = 3_600_000
RULES = msgspec.structs.replace(SKILLED, last_agent_within_ms=24 * HOUR_MS)
SEAT, AGENT = "8002", "1002"
"""Whoever sits there serves both queues."""


def stops(world: World) -> list[StopBeforeQueue]:
    return [effect for effect in world.refs if isinstance(effect, StopBeforeQueue)]


def working() -> World:
    world = World(rules=RULES)
    world.ask("8001", "1001", SignIn(ready=True))
    world.ask(SEAT, AGENT, SignIn(ready=True))
    return world


def familiar(world: World, queue: str = QUEUE) -> str:
    """A citizen who spoke with the agent an hour ago has been greeted."""
    citizen = world.call()
    world.spoke_with(citizen, AGENT)
    (effect,) = stops(world)
    assert effect.channel == world.legs[citizen].channel.name
    world.stop_before_queue(citizen, queue)
    return citizen


@pytest.mark.parametrize("queue", [QUEUE, ENTERPRISE])
def test_a_caller_goes_to_their_last_agent_who_is_free(queue: str) -> None:
    world = working()
    citizen = familiar(world, queue)
    assert world.waiting == []
    assert world.pops == [(SEAT, f"n1-{citizen}")]
    world.pass_time(4)
    world.third_answers(f"st-{citizen}-1")
    assert world.seen.seats[SEAT].state is SeatState.TALKING
    (queued,) = [event for event in world.history if isinstance(event, CallQueued)]
    (answered,) = [event for event in world.history if isinstance(event, CallAnswered)]
    assert (queued.queue, answered.agent) == (queue, AGENT)
    assert 4_000 <= answered.wait_ms < 4_100
    assert world.seen.queues[queue].answered == 1


def test_an_agent_who_does_not_pick_up_leaves_the_caller_first_in_line() -> None:
    world = working()
    citizen = familiar(world)
    world.feed(*world.hang_up(f"st-{citizen}-1", 19))
    back = [effect for effect in world.refs if isinstance(effect, SendTo)][-1]
    assert (back.context, back.exten) == ("requeue", QUEUE)
    assert world.waiting == [citizen]
    assert world.seen.conversations[f"n1-{citizen}"].phase is Phase.QUEUED
    assert len([event for event in world.history if isinstance(event, CallQueued)]) == 1


def test_who_is_cut_off_and_calls_again_at_once_is_quicker_than_the_database() -> None:
    world = working()
    cut_off = world.call()
    world.queue(cut_off)
    world.answer(world.ring(cut_off, SEAT))
    world.feed(*world.hang_up(cut_off))
    world.ask(SEAT, AGENT, Ready())
    world.pass_time(10)
    again = world.call()
    world.spoke_with(again, "1001", hours=2)
    world.stop_before_queue(again)
    assert world.pops[-1] == (SEAT, f"n1-{again}")


def test_an_agent_who_got_busy_while_the_caller_was_greeted_is_not_waited_for() -> None:
    world = working()
    citizen = world.call()
    world.spoke_with(citizen, AGENT)
    assert len(stops(world)) == 1
    world.ask(SEAT, AGENT, NotReady(reason="用餐"))
    world.stop_before_queue(citizen)
    assert world.waiting == [citizen]
    assert world.called() == []


def test_nobody_goes_before_those_who_wait_for_that_agent() -> None:
    world = working()
    waiting = world.call("13805380009")
    world.queue(waiting, ENTERPRISE)
    citizen = world.call()
    world.spoke_with(citizen, AGENT)
    world.stop_before_queue(citizen)
    assert world.waiting == [waiting, citizen]
    world = working()
    rung = world.call("13805380009")
    world.queue(rung)
    world.ring(rung, "8001")
    citizen = world.call()
    world.spoke_with(citizen, AGENT)
    world.stop_before_queue(citizen)
    assert world.pops[-1] == (SEAT, f"n1-{citizen}")


def test_an_agent_who_does_not_serve_the_queue_is_not_rung() -> None:
    world = working()
    citizen = world.call()
    world.spoke_with(citizen, "1001")
    world.stop_before_queue(citizen, ENTERPRISE)
    assert world.waiting == [citizen]


@pytest.mark.parametrize(
    ("agent", "hours", "how"),
    [("1003", 1, "answered"), (AGENT, 25, "answered"), (AGENT, 1, "abandoned_queue"), ("", 1, "answered")],
)
def test_others_do_not_stop_on_the_way_to_the_queue(agent: str, hours: float, how: str) -> None:
    world = working()
    world.spoke_with(world.call(), agent, hours, how)
    assert stops(world) == []


def test_nobody_stops_when_the_settings_do_not_say_so_or_who_waits_already() -> None:
    world = World(rules=SKILLED)
    world.ask(SEAT, AGENT, SignIn(ready=True))
    world.spoke_with(world.call(), AGENT)
    assert stops(world) == []
    world = working()
    citizen = world.call()
    world.queue(citizen)
    world.spoke_with(citizen, AGENT)
    assert stops(world) == []
