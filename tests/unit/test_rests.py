"""A rest that needs a supervisor's word is asked for, granted or turned down, told as sentences."""

from __future__ import annotations

import msgspec
import pytest

from ctiserver.api.commands import (
    Code,
    NotReady,
    Ready,
    Refusal,
    SignIn,
    SignOut,
    SuperviseGrantRest,
    SuperviseGrantRestOver,
    SuperviseNotReady,
    SuperviseRefuseRest,
    WithdrawRest,
)
from ctiserver.api.history import SeatChanged, Supervised
from ctiserver.api.states import Action, Oversight, SeatState
from ctiserver.model.events import Resynced
from ctiserver.model.floor import Floor
from ctiserver.model.memory import remember
from hotline.errors import BadSettings
from hotline.settings import RestSettings, Settings, check
from tests.unit.test_floor import only, state_of
from tests.unit.world import RULES, World

SEAT, OTHER = "8001", "8002"
RULED = msgspec.structs.replace(RULES, rest_reasons=("小休",), rest_most=1)
REST = NotReady("小休")
GRANT, OVER, REFUSE = (
    SuperviseGrantRest(seat=SEAT),
    SuperviseGrantRestOver(seat=SEAT, why="身体不适"),
    SuperviseRefuseRest(seat=SEAT, why="来电高峰"),
)


def working(*seats: str) -> World:
    """Agents who are ready."""
    world = World(rules=RULED)
    for seat in seats or (SEAT,):
        assert world.ask(seat, f"100{seat[-1]}", SignIn(ready=True)) == {}
    return world


def asking() -> World:
    world = working(SEAT, OTHER)
    assert world.ask(SEAT, "1001", REST) == {}
    return world


def full() -> World:
    """One rests, as many as may; another asks."""
    world = asking()
    world.ask(OTHER, "1002", REST)
    assert world.oversee(SuperviseGrantRest(seat=OTHER)) == {}
    return world


def code(answer: object) -> Code:
    assert isinstance(answer, Refusal)
    return answer.code


def decided(world: World) -> list[tuple[Oversight, str, str, str, str]]:
    return [(e.what, e.person, e.agent, e.detail, e.why) for e in only(world, Supervised)]


def test_who_asks_for_a_rest_goes_on_until_somebody_decides() -> None:
    world = asking()
    seat = world.seen.seats[SEAT]
    assert (seat.state, seat.rest_reason, seat.is_resting) == (SeatState.READY, "小休", False)
    assert seat.rest_us > 0
    assert Action.WITHDRAW_REST in seat.actions
    assert {Action.SUPERVISE_GRANT_REST, Action.SUPERVISE_REFUSE_REST} <= set(seat.supervise)
    assert not world.memberships["12345", SEAT].is_paused


def test_who_asks_again_has_waited_since_the_first_time() -> None:
    world = asking()
    since_us = world.seen.seats[SEAT].rest_us
    world.pass_time(60)
    world.ask(SEAT, "1001", REST)
    assert world.seen.seats[SEAT].rest_us == since_us


def test_a_granted_rest_begins_at_once_is_told_and_kept() -> None:
    world = asking()
    assert world.oversee(GRANT) == {}
    seat = world.seen.seats[SEAT]
    assert (seat.state, seat.reason, seat.rest_us, seat.is_resting) == (SeatState.NOT_READY, "小休", 0, True)
    assert world.memberships["12345", SEAT].is_paused
    assert [n.message for n in world.notices] == ["班长已批准您的休息"]
    assert decided(world) == [(Oversight.GRANT_REST, "9001", "1001", "小休", "")]


def test_a_refused_rest_leaves_the_seat_as_it_was_and_says_so() -> None:
    world = asking()
    assert world.oversee(REFUSE) == {}
    assert (state_of(world), world.seen.seats[SEAT].rest_us) == (SeatState.READY, 0)
    assert [n.message for n in world.notices] == ["班长未批准您的休息"]
    assert decided(world) == [(Oversight.REFUSE_REST, "9001", "1001", "小休", "来电高峰")]


def test_a_rest_granted_during_a_call_begins_when_it_ends() -> None:
    world = working()
    citizen = world.call()
    world.queue(citizen)
    world.answer(world.ring(citizen, SEAT))
    world.ask(SEAT, "1001", REST)
    assert world.seen.seats[SEAT].next_state == ""
    world.oversee(GRANT)
    seat = world.seen.seats[SEAT]
    assert (seat.state, seat.next_state, seat.is_resting) == (SeatState.TALKING, "not_ready", True)
    world.feed(*world.hang_up(citizen))
    assert (state_of(world), world.seen.seats[SEAT].reason) == (SeatState.NOT_READY, "小休")


def test_a_rest_that_is_withdrawn_is_nobodys_to_grant() -> None:
    world = asking()
    assert world.ask(SEAT, "1001", WithdrawRest()) == {}
    assert code(world.ask(SEAT, "1001", WithdrawRest())) is Code.NO_REST
    assert code(world.oversee(GRANT)) is Code.NO_REST
    assert code(world.oversee(REFUSE)) is Code.NO_REST
    assert Action.SUPERVISE_GRANT_REST not in world.seen.seats[SEAT].supervise
    assert only(world, Supervised) == []


def test_beyond_the_limit_a_rest_needs_that_name_and_a_reason() -> None:
    world = full()
    assert code(world.oversee(GRANT)) is Code.REST_LIMIT
    assert code(world.oversee(SuperviseGrantRestOver(seat=SEAT, why=" "))) is Code.NO_WHY
    assert state_of(world) is SeatState.READY
    assert world.oversee(OVER) == {}
    assert state_of(world) is SeatState.NOT_READY
    assert decided(world)[-1] == (Oversight.GRANT_REST_OVER, "9001", "1001", "小休", "身体不适")


def test_a_place_is_free_again_when_somebody_comes_back() -> None:
    world = full()
    world.ask(OTHER, "1002", Ready())
    assert not world.seen.seats[OTHER].is_resting
    assert world.oversee(GRANT) == {}


def test_within_the_limit_no_record_says_that_it_was_exceeded() -> None:
    world = asking()
    world.oversee(OVER)
    assert [what for what, *_ in decided(world)] == [Oversight.GRANT_REST]


def test_reasons_that_need_nobodys_word_hold_at_once_and_count_for_nothing() -> None:
    world = asking()
    world.ask(OTHER, "1002", NotReady("用餐"))
    assert state_of(world, OTHER) is SeatState.NOT_READY
    assert not world.seen.seats[OTHER].is_resting
    assert world.oversee(GRANT) == {}


def test_without_the_setting_a_rest_needs_nobodys_word() -> None:
    world = World()
    world.ask(SEAT, "1001", SignIn(ready=True))
    world.ask(SEAT, "1001", REST)
    assert (state_of(world), world.seen.seats[SEAT].rest_us) == (SeatState.NOT_READY, 0)


def test_who_rests_already_asks_for_nothing_by_asking_again() -> None:
    world = asking()
    world.oversee(GRANT)
    world.ask(SEAT, "1001", REST)
    assert world.seen.seats[SEAT].rest_us == 0


def test_a_supervisor_who_makes_a_seat_rest_has_answered_it() -> None:
    world = full()
    assert world.oversee(SuperviseNotReady(seat=SEAT, reason="小休")) == {}
    assert world.seen.seats[SEAT].rest_us == 0
    assert state_of(world) is SeatState.NOT_READY


def test_who_signs_out_asks_for_nothing_any_more() -> None:
    world = asking()
    world.ask(SEAT, "1001", SignOut())
    world.ask(SEAT, "1001", SignIn(ready=True))
    assert world.seen.seats[SEAT].rest_us == 0


def test_agents_grant_nothing() -> None:
    world = asking()
    assert code(world.oversee(GRANT, role="agent")) is Code.NOT_ALLOWED


def test_asking_is_no_state_of_its_own_in_the_seats_day() -> None:
    world = asking()
    assert [(e.state, e.reason) for e in only(world, SeatChanged) if e.seat == SEAT] == [
        (SeatState.READY, "")
    ]


def test_a_restarted_server_knows_who_rests_and_has_forgotten_who_asked() -> None:
    world = full()
    world.floor = Floor(RULED, remember(world.history, -1_600_000_000_000_000))
    world.seen.apply(world.floor.snapshot())
    world.feed(Resynced(world.snapshot()))
    assert world.seen.seats[OTHER].is_resting
    assert world.seen.seats[SEAT].rest_us == 0
    world.ask(SEAT, "1001", REST)
    assert code(world.oversee(GRANT)) is Code.REST_LIMIT


@pytest.mark.parametrize(
    ("rest", "why"),
    [
        (RestSettings(reasons=("喝茶",)), "none of not_ready_reasons"),
        (RestSettings(most=-1), "rest.most"),
        (RestSettings(most=2001), "rest.most"),
    ],
)
def test_settings_of_rests_that_cannot_be_are_named(rest: RestSettings, why: str) -> None:
    with pytest.raises(BadSettings, match=why):
        check(Settings(rest=rest))
