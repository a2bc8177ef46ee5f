"""A seat's times (ready, ringing, talking, held, consulting, conference, wrap-up and the rest) add up to its
day exactly, whatever happens on it.
"""

from __future__ import annotations

from collections.abc import Callable

from hypothesis import example, given
from hypothesis import strategies as st

from ctiserver.api.commands import (
    Complete,
    Consult,
    Dial,
    HangUp,
    Hold,
    Leave,
    Merge,
    NotReady,
    Ready,
    Requeue,
    Retrieve,
    SignIn,
    SignOut,
    ThreeWay,
    Transfer,
    WrapUp,
)
from ctiserver.api.states import SeatState
from ctiserver.model.events import LinkLost, Resynced
from tests.unit.time_sheet import days_in, spent_in, times_of
from tests.unit.world import World

SEAT, AGENT = "8001", "1001"
UNIT = "05386991001"


def citizen_rings(world: World) -> None:
    if SEAT in world.free_seats():
        uid = world.call()
        world.queue(uid)
        world.ring(uid, SEAT)


def seat_answers(world: World) -> None:
    for uid in world.seat_legs():
        if not world.legs[uid].bridge and not world.legs[uid].channel.is_up and not world.legs[uid].wanted:
            world.answer(uid)
            return


def called_answer(world: World) -> None:
    for uid in world.called():
        if uid in world.legs:
            world.third_answers(uid)


def citizens_hang_up(world: World) -> None:
    for uid in world.citizens():
        world.feed(*world.hang_up(uid))


def seat_hangs_up(world: World) -> None:
    for uid in world.seat_legs():
        if world.legs[uid].bridge or world.legs[uid].room:
            world.feed(*world.hang_up(uid))
            return


def phone_goes(world: World) -> None:
    world.feed(world.phone(SEAT, False))


def phone_comes(world: World) -> None:
    world.feed(world.phone(SEAT, True))


def time_is_up(world: World) -> None:
    for key in sorted(world.timers):
        world.fire(key)


def link_breaks(world: World) -> None:
    world.feed(LinkLost())
    world.feed(Resynced(world.snapshot()))


def asks(command: object) -> Callable[[World], None]:
    def ask(world: World) -> None:
        world.ask(SEAT, AGENT, command)

    ask.__name__ = type(command).__name__
    return ask


HAPPENINGS = [
    citizen_rings, seat_answers, called_answer, citizens_hang_up, seat_hangs_up, phone_goes, phone_comes,
    time_is_up, link_breaks,
]  # fmt: skip
ASKED = {
    type(command).__name__: asks(command)
    for command in (
        SignIn(ready=True), SignOut(), Ready(), NotReady(reason="用餐"), WrapUp(), Hold(), Retrieve(),
        Consult(number=UNIT), Merge(), Complete(), ThreeWay(number=UNIT), Leave(), Transfer(number=UNIT),
        Requeue(), HangUp(), Dial(number="13905380001"),
    )
}  # fmt: skip
EVERYTHING = [
    ASKED["SignIn"], phone_goes, phone_comes, citizen_rings, seat_answers, ASKED["Hold"], ASKED["Consult"],
    called_answer, ASKED["Merge"], ASKED["HangUp"], time_is_up, ASKED["NotReady"], ASKED["Dial"],
    called_answer, ASKED["HangUp"], time_is_up,
]  # fmt: skip
STATES = {state.value for state in SeatState} - {SeatState.SIGNED_OUT.value}
MOMENTS_US = st.integers(0, 3_600_000_000)


@given(day=st.lists(st.tuples(st.sampled_from([*HAPPENINGS, *ASKED.values()]), MOMENTS_US), max_size=60))
@example(day=[(happens, 1_234_567) for happens in EVERYTHING])
def test_a_seats_times_add_up_to_its_day_exactly(day: list[tuple[Callable[[World], None], int]]) -> None:
    world = World()
    world.ask(SEAT, AGENT, SignIn(ready=True))
    for happens, passing_us in day:
        happens(world)
        world.utc_us += passing_us
    world.screen.look(world.seen.seats, world.utc_us)
    kept = spent_in(times_of(world.history), world.utc_us)
    assert +kept == +world.screen.spent
    assert +days_in(kept) == +world.screen.days


def test_a_day_with_everything_in_it_is_told_apart_to_the_microsecond() -> None:
    world = World()
    for happens in EVERYTHING:
        happens(world)
        world.utc_us += 10_000_000
    citizens_hang_up(world)
    world.ask(SEAT, AGENT, SignOut())
    times = times_of(world.history)
    kept = spent_in(times, world.utc_us)
    assert {state for _, _, state, _ in kept} == STATES
    assert all(spent_us >= 10_000_000 for spent_us in kept.values())
    begin, end = times[0].from_us, times[-1].from_us
    assert (times[-1].state, times[-1].to_us) == (SeatState.SIGNED_OUT.value, 0)
    assert sum(kept.values()) == end - begin
