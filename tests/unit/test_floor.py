"""The model of the floor, told as sentences about calls and seats."""

from __future__ import annotations

from ctiserver.api.commands import (
    Code,
    Drop,
    EmergencyCall,
    HangUp,
    Leave,
    NotReady,
    Ready,
    Refusal,
    SignIn,
    SignOut,
    ThreeWay,
    Withdraw,
)
from ctiserver.api.history import CallAnswered, CallEnded, SeatLeft, SeatMissed, SeatRang, ThirdPartyChanged
from ctiserver.api.states import Action, AttemptState, Outcome, Phase, SeatState
from ctiserver.model.effects import CallThirdParty, HangUpChannel, MoveToRoom, SendTo
from ctiserver.model.events import ActionFailed, LinkLost, OriginateFailed, Resynced
from ctiserver.model.figures import MIDNIGHT
from ctiserver.model.floor import Floor
from ctiserver.model.memory import remember
from tests.unit.world import RULES, World

HOUSING = "05386991001"


def talking() -> tuple[World, str, str]:
    world = World()
    assert world.ask("8001", "1001", SignIn(ready=True)) == {}
    citizen = world.call()
    world.queue(citizen)
    leg = world.ring(citizen, "8001")
    world.answer(leg)
    return world, citizen, leg


def state_of(world: World, seat: str = "8001") -> SeatState:
    return world.seen.seats[seat].state


def only(world: World, kind: type) -> list:
    return [event for event in world.history if isinstance(event, kind)]


def test_a_call_is_popped_once_while_it_rings_and_becomes_a_record():
    world, citizen, _leg = talking()
    assert world.pops == [("8001", f"n1-{citizen}")]
    assert state_of(world) is SeatState.TALKING
    conversation = world.seen.conversations[f"n1-{citizen}"]
    assert conversation.phase is Phase.TALKING
    assert conversation.seats == ("8001",)
    world.pass_time(30)
    world.feed(*world.hang_up(citizen))
    assert world.seen.conversations == {}
    assert state_of(world) is SeatState.WRAP_UP
    (ended,) = only(world, CallEnded)
    assert ended.outcome is Outcome.ANSWERED
    assert 30_000 <= ended.talk_ms < 31_000
    assert len(only(world, SeatRang)) == len(only(world, CallAnswered)) == len(only(world, SeatLeft)) == 1


def test_wrap_up_ends_by_its_timer_and_the_queue_is_told_each_time():
    world, citizen, _ = talking()
    world.feed(*world.hang_up(citizen))
    assert world.members["8001"].is_paused
    assert world.timers == {"wrap_up:8001", MIDNIGHT}
    world.fire("wrap_up:8001")
    assert state_of(world) is SeatState.READY
    assert not world.members["8001"].is_paused


def test_not_ready_asked_for_in_a_call_begins_after_it():
    world, citizen, _ = talking()
    assert world.ask("8001", "1001", NotReady("用餐")) == {}
    assert state_of(world) is SeatState.TALKING
    world.feed(*world.hang_up(citizen))
    assert state_of(world) is SeatState.NOT_READY
    assert world.members["8001"].reason == "用餐"
    assert world.timers == {MIDNIGHT}


def test_ready_asked_for_in_a_call_skips_wrap_up():
    world, citizen, _ = talking()
    assert world.ask("8001", "1001", Ready()) == {}
    world.feed(*world.hang_up(citizen))
    assert state_of(world) is SeatState.READY
    assert not world.members["8001"].is_paused


def test_one_agent_one_seat_and_a_seat_has_one_agent():
    world = World()
    world.ask("8001", "1001", SignIn())
    assert state_of(world) is SeatState.NOT_READY
    refused = [
        world.ask("8001", "1002", SignIn()),
        world.ask("8002", "1001", SignIn()),
        world.ask("8099", "1002", SignIn()),
        world.ask("8001", "1002", Ready()),
        world.ask("8001", "1001", NotReady("打牌")),
    ]
    assert [answer.code for answer in refused if isinstance(answer, Refusal)] == [
        Code.SEAT_TAKEN,
        Code.AGENT_ELSEWHERE,
        Code.NO_SEAT,
        Code.NOT_SIGNED_IN,
        Code.UNKNOWN_REASON,
    ]
    assert world.ask("8001", "1001", SignIn()) == {}
    assert world.ask("8001", "1001", SignOut()) == {}
    assert world.members == {}
    assert state_of(world) is SeatState.SIGNED_OUT


def test_three_way_moves_both_in_one_action_then_calls_the_department():
    world, citizen, _leg = talking()
    answer = world.ask("8001", "1001", ThreeWay(HOUSING))
    assert answer == {"conversation": f"n1-{citizen}", "n": "1"}
    kinds = [type(effect) for effect in world.refs if isinstance(effect, MoveToRoom | CallThirdParty)]
    assert kinds == [MoveToRoom, CallThirdParty]
    third = f"tp-{citizen}-1"
    world.third_rings(third)
    attempt = world.seen.conversations[f"n1-{citizen}"].attempts[0]
    assert (attempt.state, attempt.label, attempt.actions) == (
        AttemptState.RINGING,
        "市住建局",
        (Action.WITHDRAW,),
    )
    world.third_answers(third)
    assert state_of(world) is SeatState.CONFERENCE
    assert Action.LEAVE in world.seen.seats["8001"].actions


def test_the_seat_leaves_and_the_others_talk_on_until_the_farewell():
    world, citizen, _leg = talking()
    assert isinstance(world.ask("8001", "1001", Leave()), Refusal)
    world.ask("8001", "1001", ThreeWay(HOUSING))
    world.third_answers(f"tp-{citizen}-1")
    assert world.ask("8001", "1001", Leave()) == {}
    assert state_of(world) is SeatState.WRAP_UP
    conversation = world.seen.conversations[f"n1-{citizen}"]
    assert conversation.phase is Phase.CONFERENCE
    world.feed(*world.hang_up(f"tp-{citizen}-1"))
    assert [effect.context for effect in world.refs if isinstance(effect, SendTo)] == ["farewell"]
    assert world.seen.conversations == {}


def test_the_third_party_is_dropped_and_the_two_talk_on():
    world, citizen, _leg = talking()
    world.ask("8001", "1001", ThreeWay(HOUSING))
    world.third_answers(f"tp-{citizen}-1")
    assert world.ask("8001", "1001", Drop(f"tp-{citizen}-1")) == {}
    assert state_of(world) is SeatState.TALKING
    attempt = world.seen.conversations[f"n1-{citizen}"].attempts[0]
    assert attempt.state is AttemptState.LEFT
    assert not [effect for effect in world.refs if isinstance(effect, SendTo)]
    assert world.ask("8001", "1001", EmergencyCall("110")) == {"conversation": f"n1-{citizen}", "n": "2"}
    assert len([effect for effect in world.refs if isinstance(effect, MoveToRoom)]) == 1


def test_a_busy_department_leaves_citizen_and_seat_as_they_were_with_the_reason():
    for cause, state in ((17, "busy"), (19, "no_answer"), (21, "rejected"), (34, "unreachable")):
        world, citizen, _leg = talking()
        world.ask("8001", "1001", ThreeWay(HOUSING))
        assert world.ask("8001", "1001", ThreeWay(HOUSING)).code is Code.THIRD_PARTY_PENDING
        world.feed(*world.hang_up(f"tp-{citizen}-1", cause), OriginateFailed(f"tp-{citizen}-1", 1))
        assert world.seen.conversations[f"n1-{citizen}"].attempts[0].state == state
        assert state_of(world) is SeatState.TALKING
        assert len(only(world, ThirdPartyChanged)) == 1


def test_a_third_party_that_never_got_a_channel_fails_by_the_originate_answer_alone():
    for reason, state in ((0, "unreachable"), (1, "no_answer"), (5, "busy"), (8, "unreachable")):
        world, citizen, _leg = talking()
        world.trunk_is_down = True
        world.ask("8001", "1001", ThreeWay(HOUSING))
        world.feed(OriginateFailed("tp-unknown-1", 0), OriginateFailed("nonsense", 0))
        assert world.seen.conversations[f"n1-{citizen}"].attempts[0].state is AttemptState.CALLING
        world.feed(OriginateFailed(f"tp-{citizen}-1", reason))
        assert world.seen.conversations[f"n1-{citizen}"].attempts[0].state == state
        assert state_of(world) is SeatState.TALKING


def test_a_withdrawn_third_party_is_hung_up_even_when_it_appears_later():
    world, citizen, _leg = talking()
    world.ask("8001", "1001", EmergencyCall("110"))
    channel = world.legs[f"tp-{citizen}-1"].channel.name
    assert world.ask("8001", "1001", Withdraw(1)) == {}
    assert channel in [effect.channel for effect in world.refs if isinstance(effect, HangUpChannel)]
    assert world.seen.conversations[f"n1-{citizen}"].attempts[0].state is AttemptState.WITHDRAWN


def test_only_listed_numbers_can_be_called():
    world, _, _ = talking()
    for command in (ThreeWay("00861012345"), EmergencyCall(HOUSING), EmergencyCall("")):
        assert world.ask("8001", "1001", command).code is Code.BAD_NUMBER


def test_110_is_an_emergency_however_it_is_asked_for():
    world, citizen, _leg = talking()
    assert isinstance(world.ask("8001", "1001", ThreeWay("110")), dict)
    (attempt,) = world.seen.conversations[f"n1-{citizen}"].attempts
    assert attempt.is_emergency


def test_the_citizen_leaving_ends_the_room_and_stops_the_call_to_the_third_party():
    world, citizen, _leg = talking()
    world.ask("8001", "1001", ThreeWay(HOUSING))
    world.feed(*world.hang_up(citizen))
    assert not world.legs
    assert world.seen.conversations == {}
    assert state_of(world) is SeatState.WRAP_UP
    assert only(world, ThirdPartyChanged)[-1].state is AttemptState.WITHDRAWN


def test_a_caller_whose_seat_left_while_the_department_never_came_goes_back_to_the_queue():
    world, citizen, leg = talking()
    world.ask("8001", "1001", ThreeWay(HOUSING))
    world.feed(*world.hang_up(leg))
    assert not [effect for effect in world.refs if isinstance(effect, SendTo)]
    world.feed(*world.hang_up(f"tp-{citizen}-1", 17))
    assert [effect.context for effect in world.refs if isinstance(effect, SendTo)] == ["requeue"]
    assert world.waiting == [citizen]


def test_a_seat_that_does_not_pick_up_is_a_miss_and_the_next_one_pops():
    world = World()
    world.ask("8001", "1001", SignIn(ready=True))
    world.ask("8002", "1002", SignIn(ready=True))
    citizen = world.call()
    world.queue(citizen)
    world.miss(world.ring(citizen, "8001"))
    assert state_of(world) is SeatState.READY
    world.answer(world.ring(citizen, "8002"))
    assert [seat for seat, _ in world.pops] == ["8001", "8002"]
    assert len(only(world, SeatMissed)) == 1


def test_abandoned_calls_are_counted_by_where_they_gave_up():
    for queued, rings, waits, outcome in (
        (False, False, 9, Outcome.ABANDONED_IVR),
        (True, False, 2, Outcome.SHORT_ABANDON),
        (True, False, 20, Outcome.ABANDONED_QUEUE),
        (True, True, 20, Outcome.ABANDONED_RINGING),
    ):
        world = World()
        world.ask("8001", "1001", SignIn(ready=True))
        citizen = world.call()
        if queued:
            world.queue(citizen)
        if rings:
            world.ring(citizen, "8001")
        world.pass_time(waits)
        world.feed(*world.hang_up(citizen))
        (ended,) = only(world, CallEnded)
        assert ended.outcome is outcome
        figures = world.seen.queues["12345"]
        assert (figures.abandoned, figures.short_abandoned) == (
            int(outcome in (Outcome.ABANDONED_QUEUE, Outcome.ABANDONED_RINGING)),
            int(outcome is Outcome.SHORT_ABANDON),
        )
        assert figures.waiting == 0


def test_a_call_that_pops_and_ends_in_one_read_leaves_no_caller_on_the_screen() -> None:
    world = World()
    world.ask("8001", "1001", SignIn(ready=True))
    world.is_flooded = True
    citizen = world.call()
    world.queue(citizen)
    world.ring(citizen, "8001")
    world.feed(*world.hang_up(citizen))
    world.is_flooded = False
    world.settle()
    assert world.pops
    assert world.seen.contexts == {}


def test_hang_up_ends_the_call_for_everyone():
    world, _citizen, _ = talking()
    assert world.ask("8001", "1001", HangUp()) == {}
    assert not world.legs


def test_a_refused_redirect_shows_the_third_party_as_unreachable_and_says_so():
    world, citizen, _leg = talking()
    answer = world.ask("8001", "1001", ThreeWay(HOUSING))
    assert answer
    ref = next(effect.ref for effect in world.refs if isinstance(effect, MoveToRoom))
    world.feed(ActionFailed(ref, "Channel does not exist"))
    assert world.seen.conversations[f"n1-{citizen}"].attempts[0].state is AttemptState.UNREACHABLE


def test_without_the_switch_commands_are_refused_by_name():
    world, _, _ = talking()
    world.feed(LinkLost())
    assert world.seen.linked is False
    assert world.ask("8001", "1001", HangUp()).code is Code.SWITCH_DOWN


def test_a_restarted_server_knows_the_call_that_went_on_and_ends_it_once():
    world, citizen, _leg = talking()
    world.ask("8001", "1001", ThreeWay(HOUSING))
    world.third_answers(f"tp-{citizen}-1")
    before = world.floor.snapshot()
    memory = remember(world.history, -1_600_000_000_000_000)
    world.floor = Floor(RULES, memory)
    world.history.clear()
    world.feed(Resynced(world.snapshot()))
    after = world.floor.snapshot()
    assert after.conversations[0].attempts == before.conversations[0].attempts
    assert after.conversations[0].number == before.conversations[0].number
    assert {s.id: (s.state, s.agent) for s in after.seats} == {s.id: (s.state, s.agent) for s in before.seats}
    world.feed(*world.hang_up(citizen))
    assert len(only(world, CallEnded)) == 1


def test_calls_cut_by_a_restart_of_the_switch_are_closed_as_such_and_members_are_asserted_again():
    world, _citizen, _leg = talking()
    world.feed(LinkLost())
    world.legs.clear()
    world.memberships.clear()
    snapshot = world.snapshot()
    world.pass_time(10)
    booted = type(snapshot)(phones_up=snapshot.phones_up, up_s=1)
    world.feed(Resynced(booted))
    (ended,) = only(world, CallEnded)
    assert ended.outcome is Outcome.SWITCH_LOST
    assert world.members["8001"].agent == "1001"
    assert state_of(world) is SeatState.WRAP_UP


def test_an_unplugged_phone_is_shown_until_it_is_back():
    world = World()
    world.ask("8001", "1001", SignIn(ready=True))
    world.feed(world.phone("8001", False))
    assert state_of(world) is SeatState.PHONE_DOWN
    world.feed(world.phone("8001", True))
    assert state_of(world) is SeatState.READY
