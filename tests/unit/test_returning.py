"""Who gave up in a queue and calls again comes first and their earlier wait counts, a restart or not."""

from __future__ import annotations

import msgspec
import pytest

from ctiserver.api.commands import SignIn
from ctiserver.api.history import CallQueued
from ctiserver.api.states import Outcome
from ctiserver.model import returning
from ctiserver.model.effects import RaiseCaller
from ctiserver.model.events import CallerQueued, Resynced
from ctiserver.model.floor import Floor
from ctiserver.model.memory import remember
from ctiserver.model.state import Call, GaveUp
from tests.unit.world import ENTERPRISE, QUEUE, SKILLED, World

RULES = msgspec.structs.replace(SKILLED, repeat_within_ms=600_000)
ONE, OTHER = "13805380001", "13805380002"


def gives_up(world: World, number: str, after_s: float, queue: str = QUEUE) -> None:
    citizen = world.call(number)
    world.queue(citizen, queue)
    world.pass_time(after_s)
    world.feed(*world.hang_up(citizen))


def calls_again(world: World, number: str) -> str:
    citizen = world.call(number)
    world.queue(citizen)
    return citizen


def raised(world: World) -> list[RaiseCaller]:
    return [effect for effect in world.refs if isinstance(effect, RaiseCaller)]


def waited_before(world: World, citizen: str) -> int:
    return world.seen.conversations[f"n1-{citizen}"].waited_before_ms


def test_who_gave_up_comes_first_when_they_call_again_and_their_wait_is_shown() -> None:
    world = World(rules=RULES)
    gives_up(world, ONE, 40)
    citizen = calls_again(world, ONE)
    (effect,) = raised(world)
    channel = world.legs[citizen].channel.name
    assert (effect.queue, effect.channel, effect.priority) == (QUEUE, channel, returning.PRIORITY)
    assert 40_000 <= waited_before(world, citizen) < 41_000
    world.ask("8001", "1001", SignIn(ready=True))
    world.ring(citizen, "8001")
    assert world.seen.contexts[f"n1-{citizen}"].waited_before_ms == waited_before(world, citizen)
    queued = [event for event in world.history if isinstance(event, CallQueued)]
    assert queued[-1].waited_before_ms == waited_before(world, citizen)


def test_it_counts_once_and_the_waits_of_several_calls_add_up() -> None:
    world = World(rules=RULES)
    gives_up(world, ONE, 40)
    gives_up(world, ONE, 20)
    gives_up(world, ONE, 1)
    citizen = calls_again(world, ONE)
    assert 61_000 <= waited_before(world, citizen) < 62_000
    world.ask("8001", "1001", SignIn(ready=True))
    world.answer(world.ring(citizen, "8001"))
    world.feed(*world.hang_up(citizen))
    assert waited_before(world, calls_again(world, ONE)) == 0
    assert len(raised(world)) == 3


def test_the_wait_in_one_queue_counts_in_another() -> None:
    world = World(rules=RULES)
    gives_up(world, ONE, 40, ENTERPRISE)
    calls_again(world, ONE)
    assert raised(world)[0].queue == QUEUE


@pytest.mark.parametrize("after_s", [600, 3600])
def test_who_calls_again_too_late_waits_like_everybody(after_s: float) -> None:
    world = World(rules=RULES)
    gives_up(world, ONE, 40)
    world.pass_time(after_s)
    assert waited_before(world, calls_again(world, ONE)) == 0
    assert raised(world) == []


def test_short_abandons_withheld_numbers_strangers_and_a_switched_off_setting_win_nothing() -> None:
    world = World(rules=RULES)
    gives_up(world, ONE, 2)
    gives_up(world, "", 40)
    gives_up(world, OTHER, 40)
    for number in (ONE, "", "13805380003"):
        assert waited_before(world, calls_again(world, number)) == 0
    off = World(rules=SKILLED)
    gives_up(off, ONE, 40)
    assert waited_before(off, calls_again(off, ONE)) == 0
    assert raised(world) == raised(off) == []


def test_one_who_comes_first_anyway_is_not_put_behind_others() -> None:
    world = World(rules=RULES)
    gives_up(world, ONE, 40)
    citizen = world.call(ONE)
    leg = world.legs[citizen]
    leg.channel = msgspec.structs.replace(leg.channel, context="queue-first")
    world.join_line(citizen, QUEUE)
    world.feed(CallerQueued(leg.channel, QUEUE))
    assert raised(world) == []
    assert waited_before(world, citizen) > 0


def test_a_restarted_server_remembers_who_gave_up_and_whom_it_let_first() -> None:
    world = World(rules=RULES)
    gives_up(world, ONE, 40)
    gives_up(world, OTHER, 30)
    first = calls_again(world, ONE)
    shift = world.now().mono_us - world.now().utc_us
    world.floor = Floor(RULES, remember(world.history, shift))
    world.seen.apply(world.floor.snapshot())
    world.feed(Resynced(world.snapshot()))
    assert 30_000 <= waited_before(world, calls_again(world, OTHER)) < 31_000
    world.feed(*world.hang_up(first))
    assert 40_000 <= waited_before(world, calls_again(world, ONE)) < 41_000


def test_the_memory_is_bounded_and_forgets_the_oldest() -> None:
    memory: dict[str, GaveUp] = {}
    for n in range(returning.MOST + 3):
        call = Call(uid=f"1.{n}", id=f"n1-1.{n}", number=str(n))
        returning.note(memory, call, Outcome.ABANDONED_QUEUE, n, 1)
    assert len(memory) == returning.MOST
    assert next(iter(memory)) == "3"
