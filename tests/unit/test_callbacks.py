"""Whoever asks for a callback keeps their place in line, and what becomes of it, a restart or not."""

from __future__ import annotations

import msgspec
import pytest

from ctiserver.api.commands import (
    Code,
    HangUp,
    Ready,
    Refusal,
    SignIn,
    SuperviseCancelCallback,
)
from ctiserver.api.history import CallAnswered, CallbackChanged, CallEnded, SeatMissed
from ctiserver.api.states import CallbackState, Outcome, SeatState
from ctiserver.model.callbacks import TIMER
from ctiserver.model.effects import CallSeat, SendTo
from ctiserver.model.events import ChannelHungUp, IvrLeft, LinkLost, Resynced
from ctiserver.model.floor import Floor
from ctiserver.model.memory import remember
from ctiserver.model.state import RESERVED_REASON
from tests.unit.world import QUEUE, RULES, World

ONE, OTHER, THIRD = "13805380001", "13805380002", "13805380003"
SHIFT = -1_600_000_000_000_000
TRIES = msgspec.structs.replace(RULES, callback_tries=2, callback_retry_ms=60_000)


def asks(world: World, number: str = ONE, queue: str = QUEUE) -> str:
    """A citizen who waits, presses the key, hears the promise and hangs up; their conversation."""
    citizen = world.call(number)
    world.queue(citizen, queue)
    world.pass_time(30)
    world.press_key(citizen)
    world.feed(*world.hang_up(citizen))
    return f"n1-{citizen}"


def sits(world: World, seat: str = "8001", agent: str = "1001", *, ready: bool = True) -> None:
    world.ask(seat, agent, SignIn(ready=ready))


def phone_of(world: World, seat: str = "8001") -> str:
    """The leg of the seat that is rung for a callback."""
    return next(uid for uid in world.legs if uid.startswith("st-") and world.legs[uid].seat == seat)


def citizen_of(world: World, seat: str = "8001") -> str:
    return world.legs[phone_of(world, seat)].citizen


def changes(world: World) -> list[CallbackState]:
    return [event.state for event in world.history if isinstance(event, CallbackChanged)]


def rung(world: World) -> list[str]:
    return [effect.seat for effect in world.refs if isinstance(effect, CallSeat)]


def test_the_seat_that_becomes_ready_is_rung_then_the_citizen_and_the_record_has_the_whole_wait() -> None:
    world = World()
    conversation = asks(world)
    (kept,) = world.seen.callbacks.values()
    assert (kept.id, kept.number, world.seen.queues[QUEUE].callbacks) == (conversation, ONE, 1)
    (ended,) = [event for event in world.history if isinstance(event, CallEnded)]
    assert ended.outcome is Outcome.CALLBACK
    assert world.seen.queues[QUEUE].abandoned == 0
    world.pass_time(60)
    sits(world)
    assert world.seen.seats["8001"].state is SeatState.DIALLING
    assert world.pops == [("8001", f"n1-{citizen_of(world)}")]
    context = world.seen.contexts[f"n1-{citizen_of(world)}"]
    assert (context.is_callback, context.queued_us) == (True, kept.since_us)
    world.third_answers(phone_of(world))
    called = citizen_of(world)
    world.third_answers(called)
    assert world.seen.seats["8001"].state is SeatState.TALKING
    assert world.seen.callbacks == {}
    (answered,) = [event for event in world.history if isinstance(event, CallAnswered)]
    assert 90_000 <= answered.wait_ms < 91_000
    assert changes(world) == [CallbackState.CALLING, CallbackState.DONE]
    assert not world.members["8001"].is_paused, "in the call it is a seat like any other"


def test_another_number_is_called_and_the_promise_ends_when_its_citizen_calls_again() -> None:
    world = World()
    citizen = world.call(ONE)
    world.feed(IvrLeft(world.legs[citizen].channel, "g.r.m5.c.t2.x11.c.t1.k", "SUCCESS", OTHER))
    world.queue(citizen, QUEUE)
    world.press_key(citizen)
    world.feed(*world.hang_up(citizen))
    (kept,) = world.seen.callbacks.values()
    assert kept.number == OTHER
    restarts(world)
    again = world.call(ONE)
    world.queue(again, QUEUE)
    assert not world.seen.callbacks and changes(world)[-1] is CallbackState.WITHDRAWN


@pytest.mark.parametrize("number", ["", "00441632960000"], ids=["withheld", "abroad"])
def test_who_cannot_be_called_is_told_and_waits_on(number: str) -> None:
    world = World()
    citizen = world.call(number)
    world.queue(citizen)
    world.press_key(citizen)
    (sent,) = [effect for effect in world.refs if isinstance(effect, SendTo)]
    assert sent.context == ("callback-refused" if number else "callback-withheld")
    assert (world.seen.callbacks, world.seen.queues[QUEUE].waiting) == ({}, 1)


def test_a_seat_is_kept_for_the_callback_although_somebody_who_came_later_waits() -> None:
    world = World()
    asks(world)
    world.queue(world.call(OTHER))
    sits(world)
    assert world.members["8001"].reason == RESERVED_REASON
    assert world.free_seats() == []
    assert rung(world) == ["8001"]


def test_who_waits_longer_or_goes_before_everybody_is_served_first() -> None:
    world = World()
    first = world.call(OTHER)
    world.queue(first)
    world.pass_time(10)
    asks(world)
    sits(world)
    assert rung(world) == []
    assert world.free_seats() == ["8001"]
    leg = world.ring(first, "8001")
    sits(world, "8002", "1002")
    assert rung(world) == ["8002"], "the first in line is being served"
    world.answer(leg)


def test_two_callbacks_come_in_the_order_of_their_queueing() -> None:
    world = World()
    early = world.call(OTHER)
    world.queue(early)
    world.pass_time(5)
    asks(world, ONE)
    world.press_key(early)
    world.feed(*world.hang_up(early))
    sits(world)
    assert world.legs[phone_of(world)].citizen
    (kept,) = [kept for kept in world.seen.callbacks.values() if kept.seat]
    assert kept.number == OTHER
    sits(world, "8002", "1002")
    assert {kept.seat for kept in world.seen.callbacks.values()} == {"8001", "8002"}


def test_an_agent_who_does_not_pick_up_has_missed_it_and_the_next_seat_is_rung() -> None:
    world = World()
    asks(world)
    sits(world)
    sits(world, "8002", "1002")
    world.feed(*world.hang_up(phone_of(world), 19))
    assert [event.seat for event in world.history if isinstance(event, SeatMissed)] == ["8001"]
    assert rung(world) == ["8001", "8002"]
    assert not world.members["8001"].is_paused
    (kept,) = world.seen.callbacks.values()
    assert kept.tries == 0


def test_the_only_seat_is_asked_again_after_a_while() -> None:
    world = World()
    asks(world)
    sits(world)
    world.feed(*world.hang_up(phone_of(world), 19))
    assert rung(world) == ["8001"]
    world.pass_time(20)
    world.fire(TIMER)
    assert rung(world) == ["8001", "8001"]


def test_a_citizen_who_does_not_answer_is_tried_again_after_the_pause_and_at_last_given_up() -> None:
    world = World(rules=TRIES)
    asks(world)
    sits(world)
    for n in (1, 2):
        world.third_answers(phone_of(world))
        world.feed(*world.hang_up(citizen_of(world), 19))
        assert rung(world) == ["8001"] * n
        world.pass_time(61)
        if TIMER in world.timers:
            world.fire(TIMER)
    assert changes(world)[-1] is CallbackState.FAILED
    assert world.seen.callbacks == {}
    assert [event.outcome for event in world.history if isinstance(event, CallEnded)] == [
        Outcome.CALLBACK,
        Outcome.NOT_REACHED,
        Outcome.NOT_REACHED,
    ]
    assert world.seen.queues[QUEUE].abandoned == 0
    assert world.free_seats() == ["8001"]


def test_who_calls_again_is_in_line_with_their_wait_and_is_not_called() -> None:
    world = World()
    asks(world)
    world.pass_time(60)
    citizen = world.call(ONE)
    world.queue(citizen)
    assert 90_000 <= world.seen.conversations[f"n1-{citizen}"].waited_before_ms < 91_000
    assert (world.seen.callbacks, changes(world)) == ({}, [CallbackState.WITHDRAWN])
    sits(world)
    assert rung(world) == []


def test_a_supervisor_cancels_a_callback_once_even_while_the_seat_rings_for_it() -> None:
    world = World()
    conversation = asks(world)
    sits(world)
    cancel = SuperviseCancelCallback(conversation=conversation, why="已到现场办理")
    assert world.oversee(cancel) == {}
    assert world.seen.callbacks == {}
    assert world.legs == {}, "nobody's phone rings for it"
    assert world.free_seats() == ["8001"]
    again = world.oversee(cancel)
    assert isinstance(again, Refusal)
    assert again.code is Code.NO_CALLBACK
    last = [event for event in world.history if isinstance(event, CallbackChanged)][-1]
    assert (last.state, last.person) == (CallbackState.CANCELLED, "9001")


def test_nobody_is_called_outside_the_queues_hours() -> None:
    closed = msgspec.structs.replace(RULES, hours={QUEUE: ("08:30-17:30", "mon-fri")})
    world = World(rules=closed)
    world.utc_us = 1_700_000_000_000_000  # a Wednesday, 06:13 in Shanghai
    asks(world)
    sits(world)
    assert rung(world) == []
    world.pass_time(2 * 3600 + 17 * 60)
    world.fire(TIMER)
    assert rung(world) == ["8001"]


def test_a_caller_whom_the_promise_did_not_reach_is_in_line_and_nothing_else() -> None:
    world = World()
    citizen = world.call(ONE)
    world.queue(citizen)
    world.press_key(citizen)
    assert world.seen.callbacks
    world.queue(citizen)
    assert (world.seen.callbacks, world.seen.queues[QUEUE].waiting) == ({}, 1)
    world.feed(*world.hang_up(citizen))
    assert [event.outcome for event in world.history if isinstance(event, CallEnded)] == [
        Outcome.SHORT_ABANDON
    ]


def restarts(world: World) -> None:
    world.floor = Floor(world.rules, remember(world.history, SHIFT))
    world.timers.clear()
    world.seen.apply(world.floor.snapshot())
    world.feed(Resynced(world.snapshot()))


def test_a_restart_forgets_no_promise_and_its_wait_goes_on() -> None:
    world = World()
    asks(world)
    restarts(world)
    assert [kept.number for kept in world.seen.callbacks.values()] == [ONE]
    assert TIMER in world.timers
    sits(world)
    world.third_answers(phone_of(world))
    world.third_answers(citizen_of(world))
    assert changes(world)[-1] is CallbackState.DONE


def test_a_restart_while_the_agents_phone_rings_neither_doubles_nor_loses_the_call() -> None:
    world = World()
    asks(world)
    sits(world)
    restarts(world)
    assert rung(world) == ["8001"]
    world.third_answers(phone_of(world))
    world.third_answers(citizen_of(world))
    assert changes(world)[-1] is CallbackState.DONE
    world.ask("8001", "1001", HangUp())
    assert world.seen.callbacks == {}


def test_a_restart_in_the_talk_finds_the_callback_done() -> None:
    world = World()
    asks(world)
    sits(world)
    world.third_answers(phone_of(world))
    world.third_answers(citizen_of(world))
    done = [event for event in world.history if isinstance(event, CallbackChanged)][-1]
    world.history = world.history[: world.history.index(done)]  # the kill came before that was written
    restarts(world)
    assert world.seen.callbacks == {}


def test_with_the_link_lost_nobody_is_called_until_it_stands_again() -> None:
    world = World()
    sits(world, ready=False)
    citizen = world.call(ONE)
    world.queue(citizen)
    world.press_key(citizen)
    world.feed(LinkLost())
    ended = world.legs.pop(citizen)
    world.feed(ChannelHungUp(ended.channel, 16))
    assert rung(world) == []
    world.feed(Resynced(world.snapshot()))
    world.ask("8001", "1001", Ready())
    assert rung(world) == ["8001"]
