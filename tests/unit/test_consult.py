"""Hold, consult, merge, complete and transfer, told as sentences."""

from __future__ import annotations

from itertools import permutations

import msgspec
import pytest

from ctiserver.api.commands import (
    Actor,
    Code,
    Complete,
    Consult,
    EmergencyCall,
    Hold,
    Merge,
    Rate,
    Refusal,
    Requeue,
    Retrieve,
    SignIn,
    ThreeWay,
    Transfer,
)
from ctiserver.api.history import CallAnswered, CallEnded, SeatChanged
from ctiserver.api.states import Action, AttemptState, LegState, Outcome, Phase, SeatState
from ctiserver.model.effects import HangUpChannel, MoveToRoom, SendTo
from ctiserver.model.events import ChannelChanged, ChannelHungUp, Event, RoomJoined, RoomLeft
from tests.unit.test_floor import HOUSING, only, state_of, talking
from tests.unit.world import World

ITS_OWN = (("third is aside", "third leaves", "third comes"), ("citizen moves", "citizen comes"))
"""What Asterisk tells of one channel comes in the order in which it happened."""
TOLD = (*ITS_OWN[0], *ITS_OWN[1], "seat ends")


def is_possible(order: tuple[str, ...]) -> bool:
    return all(tuple(what for what in order if what in own) == own for own in ITS_OWN)


def ask(world: World, command: object) -> object:
    return world.ask("8001", "1001", command)


def consulting() -> tuple[World, str, str, str]:
    world, citizen, leg = talking()
    assert isinstance(ask(world, Consult(HOUSING)), dict)
    third = f"tp-{citizen}-1"
    world.third_answers(third)
    return world, citizen, leg, third


def rooms(world: World, *uids: str) -> list[str]:
    return [world.legs[uid].room for uid in uids]


def test_a_held_citizen_hears_music_and_comes_back() -> None:
    world, citizen, leg = talking()
    assert ask(world, Hold()) == {}
    assert state_of(world) is SeatState.HELD
    assert world.legs[citizen].channel.context == "held"
    assert world.seen.conversations[f"n1-{citizen}"].phase is Phase.HELD
    assert world.seen.conversations[f"n1-{citizen}"].participants[0].state is LegState.HELD
    assert len([effect for effect in world.refs if isinstance(effect, MoveToRoom)]) == 1
    assert isinstance(ask(world, Hold()), Refusal)
    assert ask(world, Retrieve()) == {}
    assert state_of(world) is SeatState.TALKING
    assert rooms(world, citizen, leg) == [citizen, citizen]
    assert ask(world, Retrieve()).code is Code.NOT_HELD
    assert ask(world, Hold()) == {}
    assert state_of(world) is SeatState.HELD
    assert leg in world.legs, "the second hold, out of a room, ends nothing"


def test_a_department_is_consulted_while_the_citizen_hears_music() -> None:
    world, citizen, leg, third = consulting()
    assert state_of(world) is SeatState.CONSULTING
    assert rooms(world, leg, third) == [f"{citizen}.9"] * 2
    actions = world.seen.seats["8001"].actions
    assert {Action.RETRIEVE, Action.MERGE, Action.COMPLETE} <= set(actions)
    assert Action.LEAVE not in actions
    assert world.seen.conversations[f"n1-{citizen}"].attempts[0].state is AttemptState.ANSWERED


def test_merged_all_three_talk_and_may_part_again() -> None:
    world, citizen, leg, third = consulting()
    assert ask(world, Merge()) == {}
    assert state_of(world) is SeatState.CONFERENCE
    assert rooms(world, citizen, leg, third) == [citizen] * 3
    assert ask(world, Hold()) == {}
    assert state_of(world) is SeatState.CONSULTING
    assert rooms(world, citizen, leg, third) == ["", f"{citizen}.9", f"{citizen}.9"]


def test_switching_to_the_citizen_parks_the_department_and_back() -> None:
    world, _citizen, _leg, third = consulting()
    assert ask(world, Retrieve()) == {}
    assert state_of(world) is SeatState.TALKING
    assert world.legs[third].channel.context == "held-third"
    assert ask(world, Hold()) == {}
    assert state_of(world) is SeatState.CONSULTING


def test_a_completed_consultation_leaves_citizen_and_department_talking() -> None:
    world, citizen, leg, third = consulting()
    assert ask(world, Complete()) == {}
    assert leg not in world.legs
    assert rooms(world, citizen, third) == [citizen] * 2
    assert state_of(world) is SeatState.WRAP_UP
    world.feed(*world.hang_up(third))
    assert [effect.context for effect in world.refs if isinstance(effect, SendTo)][-1] == "farewell"


@pytest.mark.parametrize("order", [one for one in permutations(TOLD) if is_possible(one)])
def test_in_whatever_order_a_completion_is_told_citizen_and_department_stay_together(
    order: tuple[str, ...],
) -> None:
    world, citizen, leg, third = consulting()
    actor = Actor(person="1001", name="甲", role="agent", seat="8001")
    moving = msgspec.structs.replace(world.legs[citizen].channel, context="room-citizen", exten=citizen)
    coming = msgspec.structs.replace(world.legs[third].channel, context="room-third", exten=citizen)
    told: dict[str, Event] = {
        "seat ends": ChannelHungUp(world.legs[leg].channel, 16),
        "third is aside": RoomJoined(world.legs[third].channel, f"{citizen}.9"),
        "third leaves": RoomLeft(third, f"{citizen}.9"),
        "third comes": RoomJoined(coming, citizen),
        "citizen moves": ChannelChanged(moving),
        "citizen comes": RoomJoined(moving, citizen),
    }
    world.floor.command(actor, Complete(), world.now())
    done = [effect for what in order for effect in world.floor.step(told[what], world.now())]
    assert not [effect for effect in done if isinstance(effect, SendTo | HangUpChannel)]


def test_a_department_that_is_gone_before_it_comes_leaves_nobody_in_an_empty_room() -> None:
    world, citizen, leg, third = consulting()
    actor = Actor(person="1001", name="甲", role="agent", seat="8001")
    moving = msgspec.structs.replace(world.legs[citizen].channel, context="room-citizen", exten=citizen)
    world.floor.command(actor, Complete(), world.now())
    told = [
        ChannelHungUp(world.legs[leg].channel, 16),
        RoomJoined(moving, citizen),
        ChannelHungUp(world.legs[third].channel, 16),
    ]
    done = [effect for event in told for effect in world.floor.step(event, world.now())]
    assert [effect.context for effect in done if isinstance(effect, SendTo)] == ["farewell"]


def test_a_busy_department_in_a_consultation_leaves_the_seat_with_a_held_citizen() -> None:
    world, citizen, _ = talking()
    ask(world, Consult(HOUSING))
    world.feed(*world.hang_up(f"tp-{citizen}-1", 17))
    assert state_of(world) is SeatState.HELD
    assert ask(world, Merge()).code is Code.NOT_CONSULTING
    assert ask(world, Retrieve()) == {}
    assert state_of(world) is SeatState.TALKING


def test_a_seat_that_vanishes_while_the_citizen_is_held_sends_them_back_to_the_queue() -> None:
    world, citizen, leg, third = consulting()
    world.feed(*world.hang_up(leg))
    assert third not in world.legs
    assert world.waiting == [citizen]
    assert world.seen.conversations[f"n1-{citizen}"].phase is Phase.QUEUED


def test_a_held_citizen_who_gives_up_leaves_nobody_behind() -> None:
    world, citizen, _, _ = consulting()
    world.feed(*world.hang_up(citizen))
    assert world.legs == {}
    assert state_of(world) is SeatState.WRAP_UP
    (ended,) = only(world, CallEnded)
    assert ended.outcome is Outcome.ANSWERED


def test_a_blind_transfer_frees_the_seat_at_once_and_falls_back_to_the_queue() -> None:
    world, citizen, leg = talking()
    assert isinstance(ask(world, Transfer(HOUSING)), dict)
    assert leg not in world.legs
    moved = [effect for effect in world.refs if isinstance(effect, SendTo | MoveToRoom)]
    assert [(effect.channel, effect.context) for effect in moved if isinstance(effect, SendTo)] == [
        (world.legs[citizen].channel.name, "room-citizen")
    ], "a seat that came along and left at once could leave the citizen in a conference that has ended"
    assert len(moved) == 1
    assert state_of(world) is SeatState.WRAP_UP
    third = f"tp-{citizen}-1"
    assert world.legs[third].wanted == citizen
    world.feed(*world.hang_up(third, 17))
    assert world.waiting == [citizen]


def test_whoever_is_in_the_room_by_name_and_in_another_conference_comes_in_again() -> None:
    world, citizen, leg = talking()
    assert isinstance(ask(world, ThreeWay(HOUSING)), dict)
    third = f"tp-{citizen}-1"
    for uid in (citizen, leg):
        world.feed(RoomJoined(world.legs[uid].channel, citizen, "ended"))
    world.refs.clear()
    world.third_answers(third)
    world.feed(RoomJoined(world.legs[third].channel, citizen, "ended"))
    assert world.refs == []
    asked = world.floor.step(RoomJoined(world.legs[third].channel, citizen, "new"), world.now())
    moved = [(effect.channel, effect.context) for effect in asked if isinstance(effect, SendTo)]
    names = [world.legs[uid].channel.name for uid in (leg, citizen)]
    assert moved == list(zip(names, ("room-seat", "room-citizen"), strict=True)), "the citizen last"


def test_a_citizen_sent_back_to_the_queue_is_answered_by_another_seat() -> None:
    world, citizen, leg = talking()
    world.ask("8002", "1002", SignIn(ready=True))
    assert ask(world, Requeue()) == {}
    assert leg not in world.legs
    assert world.seen.queues["12345"].waiting == 1
    world.answer(world.ring(citizen, "8002"))
    assert [event.seat for event in only(world, CallAnswered)] == ["8001", "8002"]
    assert world.pops[-1] == ("8002", f"n1-{citizen}")


def test_a_rating_parts_the_citizen_from_everybody_and_its_answer_is_kept_with_the_call() -> None:
    world, citizen, leg, third = consulting()
    assert Action.RATE in world.seen.seats["8001"].actions
    assert ask(world, Rate()) == {}
    assert set(world.legs) == {citizen}, "nobody is left with the music, or in the side room"
    assert {leg, third}.isdisjoint(world.legs)
    assert state_of(world) is SeatState.WRAP_UP
    assert world.seen.conversations[f"n1-{citizen}"].phase is Phase.RATING
    channel = msgspec.structs.replace(world.legs[citizen].channel, context="rated", exten="2")
    world.feed(ChannelHungUp(channel, 16))
    (ended,) = only(world, CallEnded)
    assert (ended.outcome, ended.rating, ended.has_remark) == (Outcome.ANSWERED, 2, False)


def test_who_speaks_after_the_rating_is_in_it_until_they_hang_up_and_is_kept_to_have_spoken() -> None:
    world, citizen, _ = talking()
    ask(world, Rate())
    channel = msgspec.structs.replace(world.legs[citizen].channel, context="rated-remark", exten="5")
    world.feed(ChannelChanged(channel))
    assert world.seen.conversations[f"n1-{citizen}"].phase is Phase.RATING
    world.feed(ChannelHungUp(channel, 16))
    (ended,) = only(world, CallEnded)
    assert (ended.rating, ended.has_remark) == (5, True)


def test_a_citizen_who_hangs_up_in_the_rating_was_asked_in_vain_and_one_not_asked_has_none() -> None:
    world, citizen, _ = talking()
    ask(world, Rate())
    world.feed(*world.hang_up(citizen))
    (ended,) = only(world, CallEnded)
    assert ended.rating == 0
    world, citizen, _ = talking()
    world.feed(*world.hang_up(citizen))
    (ended,) = only(world, CallEnded)
    assert ended.rating is None


def test_a_seat_whose_end_is_told_before_its_citizen_is_seen_to_move_changes_nothing() -> None:
    world, _, leg = talking()
    ask(world, Hold())
    seat = world.legs[leg].channel
    actor = Actor(person="1001", name="甲", role="agent", seat="8001")
    world.floor.command(actor, Rate(), world.now())
    assert world.floor.step(ChannelHungUp(seat, 16), world.now()) != []
    after = world.floor.step(ChannelHungUp(seat, 16), world.now())
    assert not [effect for effect in after if isinstance(effect, SendTo)]


def test_110_can_be_called_with_the_citizen_on_hold() -> None:
    world, citizen, leg, third = consulting()
    assert isinstance(ask(world, EmergencyCall("110")), dict)
    assert rooms(world, citizen, leg) == [citizen] * 2
    assert world.legs[third].channel.context == "held-third"
    assert world.legs[f"tp-{citizen}-2"].wanted == citizen


def test_the_seats_day_tells_hold_and_consultation_apart() -> None:
    world, _citizen, _, _ = consulting()
    ask(world, Merge())
    ask(world, Hold())
    ask(world, Complete())
    states = [event.state for event in only(world, SeatChanged)]
    talk, consult, both = SeatState.TALKING, SeatState.CONSULTING, SeatState.CONFERENCE
    assert [state for state in states if state in (talk, SeatState.HELD, consult, both)] == [
        talk,
        SeatState.HELD,
        consult,
        both,
        consult,
    ]


def test_a_citizen_held_for_too_long_goes_back_to_the_queue_and_the_seat_is_let_go() -> None:
    world, citizen, leg, third = consulting()
    world.queue(citizen)
    assert leg not in world.legs
    assert third not in world.legs
    assert state_of(world) is SeatState.WRAP_UP
    assert world.seen.conversations[f"n1-{citizen}"].phase is Phase.QUEUED


def test_a_retrieval_lets_go_of_a_department_that_still_rings() -> None:
    world, citizen, _ = talking()
    ask(world, Consult(HOUSING))
    assert ask(world, Retrieve()) == {}
    assert f"tp-{citizen}-1" not in world.legs
    assert world.seen.conversations[f"n1-{citizen}"].attempts[0].state is AttemptState.WITHDRAWN
    assert state_of(world) is SeatState.TALKING
