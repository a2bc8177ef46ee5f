"""Calls to colleagues and to outside, and what an agent does to the sound, told as sentences."""

from __future__ import annotations

import msgspec
import pytest

from ctiserver.api.commands import (
    Code,
    Consult,
    Dial,
    EmergencyCall,
    Keys,
    PauseRecording,
    Ready,
    ResumeRecording,
    Retrieve,
    SignIn,
    ThreeWay,
    Transfer,
)
from ctiserver.api.history import CallEnded, CallStarted, RecordingPaused, RecordingResumed, SeatMissed
from ctiserver.api.states import Action, AttemptState, Outcome, Phase, SeatState
from ctiserver.model.effects import CallSeat, CallThirdParty, PauseRecorder, SendKey
from ctiserver.model.events import ActionFailed, OriginateFailed, PhoneHeld
from tests.unit.test_floor import HOUSING, only, state_of, talking
from tests.unit.world import RULES, World

CITIZEN = "13905380001"


def with_colleague() -> tuple[World, str, str]:
    world, citizen, leg = talking()
    assert world.ask("8002", "1002", SignIn()) == {}
    return world, citizen, leg


def ask(world: World, command: object) -> object:
    return world.ask("8001", "1001", command)


def effects(world: World, kind: type) -> list:
    return [effect for effect in world.refs if isinstance(effect, kind)]


def dialled() -> tuple[World, str, str]:
    """An agent has picked up their own phone, and the citizen's is being rung."""
    world = World()
    world.ask("8001", "1001", SignIn())
    answer = ask(world, Dial(CITIZEN))
    assert isinstance(answer, dict)
    uid = answer["conversation"].removeprefix("n1-")
    world.third_answers(f"st-{uid}-0")
    return world, uid, f"st-{uid}-0"


def test_a_colleague_who_gets_a_call_is_shown_the_caller_and_the_first_seat_writes_its_notes() -> None:
    world, citizen, _leg = with_colleague()
    assert isinstance(ask(world, Transfer(agent="1002")), dict)
    assert world.pops[-1] == ("8002", f"n1-{citizen}")
    assert state_of(world) is SeatState.WRAP_UP
    world.third_answers(f"st-{citizen}-1")
    assert state_of(world, "8002") is SeatState.TALKING
    assert world.seen.conversations[f"n1-{citizen}"].phase is Phase.TALKING


@pytest.mark.parametrize(
    "command",
    [Transfer(seat="8001"), Transfer(seat="8003"), Transfer(agent="1009"), Transfer(agent="")],
    ids=["myself", "nobody there", "nowhere", "nobody named"],
)
def test_a_call_goes_to_no_seat_where_nobody_can_pick_up(command: Transfer) -> None:
    world, _, _ = with_colleague()
    assert ask(world, command).code in (Code.SEAT_UNAVAILABLE, Code.ONE_TARGET)


def test_two_targets_at_once_are_one_too_many() -> None:
    world, _, _ = with_colleague()
    assert ask(world, ThreeWay(HOUSING, seat="8002")).code is Code.ONE_TARGET


def test_a_colleague_whose_phone_rings_in_vain_has_missed_it_and_the_citizen_waits_again() -> None:
    world, citizen, _leg = with_colleague()
    ask(world, Transfer(seat="8002"))
    world.feed(*world.hang_up(f"st-{citizen}-1", 19))
    assert [event.seat for event in only(world, SeatMissed)] == ["8002"]
    assert world.waiting == [citizen]


def test_a_colleague_whom_the_queue_rings_first_is_busy() -> None:
    world, citizen, _leg = with_colleague()
    world.ask("8002", "1002", Ready())
    other = world.call("13900000002")
    world.queue(other)
    assert isinstance(ask(world, Consult(seat="8002")), dict)
    own = world.legs.pop(f"st-{citizen}-1")
    world.floor._state.legs.pop(own.channel.uid)
    world.floor._state.calls[citizen].legs.pop(own.channel.uid)
    world.floor._state.seats["8002"].leg = ""
    world.ring(other, "8002")
    world.legs[own.channel.uid] = own
    world.third_rings(own.channel.uid)
    assert own.channel.uid not in world.legs
    assert world.seen.conversations[f"n1-{citizen}"].attempts[0].state is AttemptState.BUSY


def test_a_consulted_colleague_takes_the_citizen_over_when_the_first_seat_goes() -> None:
    world, citizen, leg = with_colleague()
    ask(world, Consult(seat="8002"))
    second = f"st-{citizen}-1"
    world.third_answers(second)
    assert state_of(world) is SeatState.CONSULTING
    world.feed(*world.hang_up(leg))
    assert state_of(world, "8002") is SeatState.TALKING
    assert world.legs[second].room == world.legs[citizen].room == citizen


def test_a_parked_colleague_may_do_nothing_with_the_call() -> None:
    world, citizen, _leg = with_colleague()
    ask(world, Consult(seat="8002"))
    world.third_answers(f"st-{citizen}-1")
    ask(world, Retrieve())
    assert state_of(world, "8002") is SeatState.HELD
    assert Action.HANG_UP not in world.seen.seats["8002"].actions
    assert world.ask("8002", "1002", Retrieve()).code is Code.SEAT_NOT_TALKING


def test_an_outbound_call_rings_the_citizen_only_after_the_agent_picked_up() -> None:
    world = World()
    world.ask("8001", "1001", SignIn())
    answer = ask(world, Dial(CITIZEN, about="n1-1.2"))
    assert isinstance(answer, dict)
    assert state_of(world) is SeatState.DIALLING
    assert effects(world, CallThirdParty) == []
    uid = answer["conversation"].removeprefix("n1-")
    (seat_call,) = effects(world, CallSeat)
    assert (seat_call.seat, seat_call.room, seat_call.context) == ("8001", uid, "room-dial")
    world.third_answers(f"st-{uid}-0")
    (call,) = effects(world, CallThirdParty)
    assert (call.uid, call.number, call.context) == (uid, CITIZEN, "room-called")
    world.third_answers(uid)
    assert state_of(world) is SeatState.TALKING
    (started,) = only(world, CallStarted)
    assert (started.is_outbound, started.agent, started.about) == (True, "1001", "n1-1.2")
    assert world.pops == [], "whoever calls knows whom"


@pytest.mark.parametrize(("cause", "word"), [(17, "占线"), (19, "无人接听"), (21, "拒接"), (34, "无法接通")])
def test_a_citizen_who_does_not_come_leaves_a_reason_and_a_record(cause: int, word: str) -> None:
    world, uid, own = dialled()
    world.feed(*world.hang_up(uid, cause))
    assert own not in world.legs
    (ended,) = only(world, CallEnded)
    assert ended.outcome is Outcome.NOT_REACHED
    assert state_of(world) is SeatState.NOT_READY
    assert word in world.notices[-1].message


def test_an_agent_whose_own_phone_does_not_answer_has_called_nobody() -> None:
    world = World()
    world.ask("8001", "1001", SignIn())
    answer = ask(world, Dial(CITIZEN))
    assert isinstance(answer, dict)
    uid = answer["conversation"].removeprefix("n1-")
    world.feed(*world.hang_up(f"st-{uid}-0", 19), OriginateFailed(f"st-{uid}-0", 3))
    assert effects(world, CallThirdParty) == []
    assert [event.outcome for event in only(world, CallEnded)] == [Outcome.NOT_REACHED]
    assert world.seen.conversations == {}


def test_a_call_out_that_the_switch_refuses_is_over_at_once() -> None:
    world = World()
    world.ask("8001", "1001", SignIn())
    answer = ask(world, Dial(CITIZEN))
    assert isinstance(answer, dict)
    (sent,) = effects(world, CallSeat)
    world.legs.clear()
    world.feed(ActionFailed(sent.ref, "Extension does not exist."))
    assert [event.outcome for event in only(world, CallEnded)] == [Outcome.NOT_REACHED]


def test_a_seat_calls_out_once_at_a_time() -> None:
    world, _, _ = dialled()
    assert ask(world, Dial("13905380002")).code is Code.IN_CALL


@pytest.mark.parametrize("number", ["110", "00861380000", "12", "", "13905380001a", "１３９０５３８０００１"])
def test_only_numbers_that_fit_a_pattern_are_called(number: str) -> None:
    world = World()
    world.ask("8001", "1001", SignIn())
    assert ask(world, Dial(number)).code is Code.BAD_NUMBER


def test_the_routes_to_110_are_tried_in_order_and_the_supervisors_are_told_when_none_is_left() -> None:
    world = World(rules=msgspec.structs.replace(RULES, emergency_routes=("first", "second")))
    world.ask("8001", "1001", SignIn(ready=True))
    citizen = world.call()
    world.queue(citizen)
    world.answer(world.ring(citizen, "8001"))
    ask(world, EmergencyCall("110"))
    world.feed(*world.hang_up(f"tp-{citizen}-1", 34))
    assert [effect.trunk for effect in effects(world, CallThirdParty)] == ["first", "second"]
    world.feed(*world.hang_up(f"tp-{citizen}-2", 17))
    assert [alarm.kind for alarm in world.alarms] == ["emergency_called", "emergency_failed"]
    states = [attempt.state for attempt in world.seen.conversations[f"n1-{citizen}"].attempts]
    assert states == [AttemptState.UNREACHABLE, AttemptState.BUSY]
    assert state_of(world) is SeatState.TALKING


def test_a_unit_that_rejects_the_call_is_not_called_at_its_other_number() -> None:
    world = World(rules=msgspec.structs.replace(RULES, others={HOUSING: ("05386991009",)}))
    world.ask("8001", "1001", SignIn(ready=True))
    citizen = world.call()
    world.queue(citizen)
    world.answer(world.ring(citizen, "8001"))
    ask(world, ThreeWay(HOUSING))
    world.feed(*world.hang_up(f"tp-{citizen}-1", 21))
    assert len(effects(world, CallThirdParty)) == 1


def test_keys_go_one_by_one_to_who_came_last() -> None:
    world, citizen, _leg = talking()
    assert ask(world, Keys("1#")).code is Code.NO_SUCH_LEG
    ask(world, ThreeWay(HOUSING))
    world.third_answers(f"tp-{citizen}-1")
    assert ask(world, Keys("1#")) == {}
    assert [effect.digit for effect in effects(world, SendKey)] == ["1", "#"]
    assert ask(world, Keys("1;2")).code is Code.BAD_KEYS


def test_a_paused_recording_goes_on_when_whoever_paused_it_has_gone() -> None:
    world, citizen, leg = talking()
    ask(world, ThreeWay(HOUSING))
    world.third_answers(f"tp-{citizen}-1")
    ask(world, PauseRecording())
    assert world.seen.conversations[f"n1-{citizen}"].is_recording_paused
    world.feed(*world.hang_up(leg))
    assert [effect.is_paused for effect in effects(world, PauseRecorder)] == [True, False]
    assert len(only(world, RecordingPaused)) == len(only(world, RecordingResumed)) == 1


def test_to_resume_what_is_not_paused_changes_nothing() -> None:
    world, _, _ = talking()
    assert ask(world, ResumeRecording()) == {}
    assert only(world, RecordingResumed) == []


def test_a_hold_by_the_phone_itself_is_seen() -> None:
    world, citizen, leg = talking()
    world.feed(PhoneHeld(world.legs[leg].channel, True))
    seat = next(p for p in world.seen.conversations[f"n1-{citizen}"].participants if p.label == "8001")
    assert seat.is_on_hold
    world.feed(PhoneHeld(world.legs[leg].channel, False))
    assert not world.seen.conversations[f"n1-{citizen}"].participants[1].is_on_hold
