"""Supervisors listen, whisper, barge, take over and steer the floor, told as sentences."""

from __future__ import annotations

import msgspec
import pytest

from ctiserver.api.commands import (
    Actor,
    Code,
    Complete,
    Hold,
    RaiseHand,
    Refusal,
    Requeue,
    Retrieve,
    SignIn,
    SuperviseAnswerHand,
    SuperviseBarge,
    SuperviseCommand,
    SuperviseHangUp,
    SuperviseListen,
    SuperviseMessage,
    SuperviseNotReady,
    SupervisePick,
    SuperviseRaise,
    SuperviseReady,
    SuperviseSignOut,
    SuperviseStop,
    SuperviseTakeOver,
    SuperviseWhisper,
    SuperviseWrapUp,
    ThreeWay,
)
from ctiserver.api.history import CallAnswered, CallEnded, SeatMissed, Supervised
from ctiserver.api.pushes import Message
from ctiserver.api.states import Action, LegState, Outcome, Oversight, Phase, SeatState
from ctiserver.model.effects import CallSupervisor, RaiseCaller, SendTo, Tell
from ctiserver.model.events import Resynced
from ctiserver.model.floor import Floor
from ctiserver.model.memory import remember
from tests.unit.test_consult import consulting
from tests.unit.test_floor import HOUSING, only, state_of, talking
from tests.unit.world import RULES, World

SEAT = "8001"
LISTEN, WHISPER, BARGE, TAKE_OVER = (
    SuperviseListen(seat=SEAT),
    SuperviseWhisper(seat=SEAT),
    SuperviseBarge(seat=SEAT),
    SuperviseTakeOver(seat=SEAT),
)
NOT_READY = SuperviseNotReady(seat=SEAT, reason="用餐")


def watching(asked: SuperviseCommand = LISTEN) -> tuple[World, str, str, str]:
    """A seat that talks with a citizen, and a supervisor who has picked up."""
    world, citizen, leg = talking()
    assert isinstance(world.oversee(asked), dict)
    supervisor = f"sp-{citizen}-1"
    world.supervisor_answers(supervisor)
    return world, citizen, leg, supervisor


def done(world: World) -> list[tuple[Oversight, bool]]:
    """What the record says, and whether that is its end."""
    return [(event.what, bool(event.until_us)) for event in only(world, Supervised)]


def code(answer: object) -> Code:
    assert isinstance(answer, Refusal)
    return answer.code


def view(world: World, citizen: str) -> dict[str, str]:
    """The supervisors in the conversation, as supervisors see them: phone -> what it does."""
    parts = world.seen.conversations[f"n1-{citizen}"].participants
    return {part.phone: part.oversight for part in parts if part.phone}


def test_a_supervisor_who_listens_is_called_and_hears_the_seats_very_channel() -> None:
    world, citizen, leg, supervisor = watching()
    (call,) = [effect for effect in world.refs if isinstance(effect, CallSupervisor)]
    assert (call.phone, call.context, call.exten) == ("8901", "spy-listen", SEAT)
    assert call.spied_channel == world.legs[leg].channel.name
    assert view(world, citizen) == {"8901": "listen"}
    assert state_of(world) is SeatState.TALKING
    assert world.legs[citizen].bridge, "nothing moves because somebody listens"
    assert supervisor in world.legs


def test_who_listened_to_whom_and_when_and_why_is_kept() -> None:
    world, citizen, leg = talking()
    world.oversee(SuperviseListen(seat=SEAT, why="新员工"))
    assert only(world, Supervised) == [], "nothing is heard while the phone rings"
    supervisor = f"sp-{citizen}-1"
    world.supervisor_answers(supervisor)
    world.oversee(SuperviseStop())
    assert supervisor not in world.legs
    begun, ended = only(world, Supervised)
    assert (begun.person, begun.seat, begun.agent, begun.conversation, begun.what, begun.why) == (
        "9001", SEAT, "1001", f"n1-{citizen}", Oversight.LISTEN, "新员工",
    )  # fmt: skip
    assert begun.until_us == 0
    assert ended.until_us > ended.at_us == begun.at_us
    assert ended.leg == begun.leg == supervisor
    assert leg in world.legs


def test_switching_moves_the_same_phone_and_never_rings_it_again() -> None:
    world, citizen, _, supervisor = watching()
    for asked, context in ((WHISPER, "spy-whisper"), (BARGE, "room-third"), (LISTEN, "spy-listen")):
        assert isinstance(world.oversee(asked), dict)
        assert world.legs[supervisor].channel.context == context
    assert len([effect for effect in world.refs if isinstance(effect, CallSupervisor)]) == 1
    listen, whisper, barge = Oversight.LISTEN, Oversight.WHISPER, Oversight.BARGE
    assert done(world) == [
        (listen, False), (listen, True), (whisper, False), (whisper, True), (barge, False), (barge, True),
        (listen, False),
    ]  # fmt: skip
    assert view(world, citizen) == {"8901": "listen"}
    assert world.oversee(LISTEN) == {}


def test_a_barge_makes_a_room_of_the_call_and_the_seat_still_talks() -> None:
    world, citizen, leg, supervisor = watching(BARGE)
    assert [world.legs[uid].room for uid in (citizen, leg, supervisor)] == [citizen] * 3
    assert state_of(world) is SeatState.TALKING
    assert Action.LEAVE not in world.seen.seats[SEAT].actions


def test_a_barging_supervisor_goes_where_the_seat_goes() -> None:
    world, citizen, leg, supervisor = watching(BARGE)
    world.ask(SEAT, "1001", Hold())
    side = f"{citizen}.9"
    assert [world.legs[uid].room for uid in (leg, supervisor)] == [side, side]
    assert state_of(world) is SeatState.HELD
    world.ask(SEAT, "1001", Retrieve())
    assert [world.legs[uid].room for uid in (citizen, leg, supervisor)] == [citizen] * 3


def test_a_barge_asked_for_before_a_hold_follows_the_seat() -> None:
    world, citizen, leg = talking()
    world.oversee(BARGE)
    world.ask(SEAT, "1001", Hold())
    world.supervisor_answers(f"sp-{citizen}-1")
    assert world.legs[f"sp-{citizen}-1"].room == world.legs[leg].room == f"{citizen}.9"


def test_listening_goes_on_through_three_way_hold_and_retrieve() -> None:
    world, citizen, _, supervisor = watching()
    world.ask(SEAT, "1001", ThreeWay(HOUSING))
    world.third_answers(f"tp-{citizen}-1")
    world.ask(SEAT, "1001", Hold())
    world.ask(SEAT, "1001", Retrieve())
    assert world.legs[supervisor].channel.context == "spy-listen"
    assert done(world) == [(Oversight.LISTEN, False)]


def test_a_take_over_leaves_the_supervisor_with_the_citizen_and_the_agent_in_wrap_up() -> None:
    world, citizen, leg = talking()
    world.oversee(TAKE_OVER)
    assert leg in world.legs, "the agent stays until the supervisor is there"
    world.supervisor_answers(f"sp-{citizen}-1")
    assert leg not in world.legs
    assert world.legs[f"sp-{citizen}-1"].room == world.legs[citizen].room == citizen
    assert state_of(world) is SeatState.WRAP_UP
    assert world.seen.conversations[f"n1-{citizen}"].phase is Phase.TALKING
    assert done(world) == [(Oversight.TAKE_OVER, False)]


def test_a_take_over_takes_the_phone_that_listens_already() -> None:
    world, citizen, leg, supervisor = watching()
    world.oversee(TAKE_OVER)
    assert leg not in world.legs
    assert world.legs[supervisor].room == citizen
    assert len([effect for effect in world.refs if isinstance(effect, CallSupervisor)]) == 1


def test_a_take_over_out_of_a_barge_moves_nobody() -> None:
    world, citizen, leg, supervisor = watching(BARGE)
    moves = len([effect for effect in world.refs if isinstance(effect, SendTo)])
    world.oversee(TAKE_OVER)
    assert leg not in world.legs
    assert len([effect for effect in world.refs if isinstance(effect, SendTo)]) == moves
    assert world.legs[supervisor].room == citizen
    assert view(world, citizen) == {"8901": "take_over"}


def test_a_take_over_of_a_held_citizen_fetches_them() -> None:
    world, citizen, leg, third = consulting()
    world.oversee(TAKE_OVER)
    world.ask(SEAT, "1001", Hold())
    world.supervisor_answers(f"sp-{citizen}-1")
    assert leg not in world.legs
    assert [world.legs[uid].room for uid in (citizen, third, f"sp-{citizen}-1")] == [citizen] * 3


def test_a_citizen_waits_for_the_supervisor_when_the_agent_hangs_up_first() -> None:
    world, citizen, leg = talking()
    world.oversee(TAKE_OVER)
    world.feed(*world.hang_up(leg))
    assert citizen in world.legs
    world.supervisor_answers(f"sp-{citizen}-1")
    assert world.legs[f"sp-{citizen}-1"].room == world.legs[citizen].room


def test_a_supervisor_who_never_comes_sends_the_citizen_back_first_in_line() -> None:
    world, citizen, leg = talking()
    world.oversee(TAKE_OVER)
    world.feed(*world.hang_up(leg))
    world.feed(*world.hang_up(f"sp-{citizen}-1", 19))
    assert world.waiting == [citizen]
    assert only(world, Supervised) == []


def test_a_supervisor_who_hangs_up_after_a_take_over_ends_the_call_with_a_farewell() -> None:
    world, citizen, _, supervisor = watching(TAKE_OVER)
    world.feed(*world.hang_up(supervisor))
    assert citizen not in world.legs
    (ended,) = only(world, CallEnded)
    assert ended.outcome is Outcome.ANSWERED
    assert done(world)[-1] == (Oversight.TAKE_OVER, True)


@pytest.mark.parametrize("asked", [LISTEN, WHISPER, BARGE])
def test_a_citizen_who_hangs_up_takes_everybody_along(asked: SuperviseCommand) -> None:
    world, citizen, _, _ = watching(asked)
    world.feed(*world.hang_up(citizen))
    assert world.legs == {}
    assert len(only(world, Supervised)) == 2
    assert only(world, Supervised)[-1].until_us


@pytest.mark.parametrize("asked", [LISTEN, WHISPER])
def test_a_seat_that_hangs_up_takes_its_listener_along(asked: SuperviseCommand) -> None:
    world, _, leg, supervisor = watching(asked)
    world.feed(*world.hang_up(leg))
    assert supervisor not in world.legs
    assert done(world)[-1][1]


def test_a_barging_supervisor_stays_with_the_citizen_when_the_seat_hangs_up() -> None:
    world, citizen, leg, supervisor = watching(BARGE)
    world.feed(*world.hang_up(leg))
    assert world.legs[supervisor].room == world.legs[citizen].room == citizen


def test_a_phone_still_rung_to_listen_is_let_go_with_the_seat() -> None:
    world, citizen, leg = talking()
    world.oversee(LISTEN)
    world.feed(*world.hang_up(leg))
    assert f"sp-{citizen}-1" not in world.legs


def test_a_barging_supervisor_does_not_stay_alone_when_the_citizen_goes_back_to_the_queue() -> None:
    world, citizen, _, supervisor = watching(BARGE)
    world.ask(SEAT, "1001", Requeue())
    assert supervisor not in world.legs
    assert world.waiting == [citizen]


def test_a_completed_consultation_leaves_a_barging_supervisor_with_the_two() -> None:
    world, citizen, _, third = consulting()
    world.oversee(BARGE)
    world.supervisor_answers(f"sp-{citizen}-1")
    world.ask(SEAT, "1001", Complete())
    assert [world.legs[uid].room for uid in (citizen, third, f"sp-{citizen}-1")] == [citizen] * 3


@pytest.mark.parametrize("tells", [False, True])
def test_whether_agents_see_a_listener_is_the_sites_choice(tells: bool) -> None:
    world, citizen, _ = talking()
    world.change_rules(msgspec.structs.replace(RULES, tells_agent=tells))
    world.oversee(LISTEN)
    (part,) = [p for p in world.seen.conversations[f"n1-{citizen}"].participants if p.phone]
    assert part.is_hidden is not tells


def test_only_supervisors_and_administrators_may() -> None:
    for asked in (LISTEN, TAKE_OVER, NOT_READY, SuperviseHangUp(seat=SEAT), SuperviseMessage(text="好")):
        world, _, _ = talking()
        for role in ("agent", "wall"):
            assert code(world.oversee(asked, role=role)) is Code.NOT_ALLOWED
        assert only(world, Supervised) == []
        assert not isinstance(world.oversee(asked, role="admin"), Refusal)


def test_without_a_phone_nothing_is_heard_and_all_else_works() -> None:
    world, _, _ = talking()
    for asked in (LISTEN, WHISPER, BARGE, TAKE_OVER):
        assert code(world.oversee(asked, "")) is Code.NO_PHONE
        assert code(world.oversee(asked, SEAT)) is Code.NO_PHONE, "a seat's phone is no supervisor's"
    assert world.oversee(NOT_READY, "") == {}
    assert code(world.oversee(SuperviseStop(), "")) is Code.NOT_SUPERVISING


def test_one_phone_is_in_one_call() -> None:
    world, citizen, _, _ = watching()
    world.ask("8002", "1002", SignIn(ready=True))
    other = world.call()
    world.queue(other)
    world.answer(world.ring(other, "8002"))
    assert code(world.oversee(SuperviseListen(seat="8002"))) is Code.PHONE_BUSY
    assert isinstance(world.oversee(SuperviseListen(seat="8002"), "8902"), dict)
    assert view(world, citizen) == {"8901": "listen"}


def test_a_seat_that_does_not_talk_cannot_be_heard() -> None:
    world = World()
    world.ask(SEAT, "1001", SignIn(ready=True))
    assert code(world.oversee(LISTEN)) is Code.SEAT_NOT_TALKING
    assert code(world.oversee(SuperviseListen(seat="9999"))) is Code.NO_SEAT


def test_stopping_before_the_phone_is_picked_up_stops_the_ringing() -> None:
    world, citizen, _ = talking()
    world.oversee(LISTEN)
    assert world.oversee(SuperviseStop()) == {}
    assert f"sp-{citizen}-1" not in world.legs
    assert only(world, Supervised) == []
    assert isinstance(world.oversee(LISTEN), dict)


def test_a_hang_up_ends_the_call_for_everyone() -> None:
    world, _, _ = talking()
    assert world.oversee(SuperviseHangUp(seat=SEAT, why="辱骂"), "") == {}
    assert world.legs == {}
    assert [(event.what, event.why) for event in only(world, Supervised)] == [(Oversight.HANG_UP, "辱骂")]


def test_a_seat_is_brought_to_each_mode() -> None:
    world = World()
    world.ask(SEAT, "1001", SignIn(ready=True))
    for asked, state in (
        (NOT_READY, SeatState.NOT_READY),
        (SuperviseReady(seat=SEAT), SeatState.READY),
        (SuperviseWrapUp(seat=SEAT), SeatState.WRAP_UP),
        (SuperviseSignOut(seat=SEAT), SeatState.SIGNED_OUT),
    ):
        assert world.oversee(asked, "") == {}
        assert state_of(world) is state
    assert only(world, Supervised)[0].detail == "用餐"
    assert code(world.oversee(SuperviseReady(seat=SEAT))) is Code.NO_SEAT
    world.ask(SEAT, "1001", SignIn(ready=True))
    unknown = SuperviseNotReady(seat=SEAT, reason="睡觉")
    assert code(world.oversee(unknown)) is Code.UNKNOWN_REASON


@pytest.mark.parametrize(
    ("asked", "after"),
    [
        (NOT_READY, SeatState.NOT_READY),
        (SuperviseReady(seat=SEAT), SeatState.READY),
        (SuperviseWrapUp(seat=SEAT), SeatState.WRAP_UP),
        (SuperviseSignOut(seat=SEAT), SeatState.SIGNED_OUT),
    ],
)
def test_during_a_call_it_takes_effect_after_it(asked: SuperviseCommand, after: SeatState) -> None:
    world, citizen, _ = talking()
    assert world.oversee(asked) == {}
    assert state_of(world) is SeatState.TALKING
    world.feed(*world.hang_up(citizen))
    assert state_of(world) is after


def test_a_seat_signed_out_while_it_rings_is_out_once_the_ringing_stops() -> None:
    world = World()
    world.ask(SEAT, "1001", SignIn(ready=True))
    citizen = world.call()
    world.queue(citizen)
    leg = world.ring(citizen, SEAT)
    world.oversee(SuperviseSignOut(seat=SEAT))
    assert state_of(world) is SeatState.RINGING
    world.miss(leg)
    assert state_of(world) is SeatState.SIGNED_OUT


def waiting() -> tuple[World, str]:
    world = World()
    world.ask(SEAT, "1001", SignIn())
    citizen = world.call()
    world.queue(citizen)
    return world, citizen


def test_a_waiting_caller_is_picked_for_a_seat() -> None:
    world, citizen = waiting()
    asked = SupervisePick(conversation=f"n1-{citizen}", seat=SEAT)
    assert isinstance(world.oversee(asked, ""), dict)
    assert world.waiting == []
    assert world.pops == [(SEAT, f"n1-{citizen}")]
    world.third_answers(f"st-{citizen}-1")
    assert state_of(world) is SeatState.TALKING
    assert len(only(world, CallAnswered)) == 1
    assert world.seen.queues["12345"].answered == 1
    assert code(world.oversee(asked)) is Code.NOT_WAITING


def test_a_picked_caller_whom_the_seat_does_not_answer_is_first_in_line_again() -> None:
    world, citizen = waiting()
    world.oversee(SupervisePick(conversation=f"n1-{citizen}", seat=SEAT), "")
    world.feed(*world.hang_up(f"st-{citizen}-1", 19))
    assert world.waiting == [citizen]
    back = [effect for effect in world.refs if isinstance(effect, SendTo)][-1]
    assert (back.context, back.exten) == ("requeue", "12345")
    assert [event.seat for event in only(world, SeatMissed)] == [SEAT]
    assert world.seen.conversations[f"n1-{citizen}"].phase is Phase.QUEUED


def test_a_caller_is_not_picked_for_a_seat_that_cannot_take_them() -> None:
    world, citizen = waiting()
    call = f"n1-{citizen}"
    assert code(world.oversee(SupervisePick(conversation=call, seat="8003"))) is Code.NO_SEAT
    world.feed(world.phone(SEAT, False))
    assert code(world.oversee(SupervisePick(conversation=call, seat=SEAT))) is Code.SEAT_UNAVAILABLE
    assert world.waiting == [citizen]


def test_a_raised_caller_goes_before_the_others_once() -> None:
    world, first = waiting()
    second = world.call("13805380002")
    world.queue(second)
    asked = SuperviseRaise(conversation=f"n1-{second}")
    assert Action.SUPERVISE_RAISE in world.seen.conversations[f"n1-{second}"].supervise
    assert world.oversee(asked, "") == {}
    assert world.waiting == [second, first]
    assert world.seen.conversations[f"n1-{second}"].is_raised
    assert Action.SUPERVISE_RAISE not in world.seen.conversations[f"n1-{second}"].supervise
    world.oversee(asked, "")
    (effect,) = [effect for effect in world.refs if isinstance(effect, RaiseCaller)]
    assert (effect.queue, effect.priority) == ("12345", 15)
    assert code(world.oversee(SuperviseRaise(conversation="n1-1.1"))) is Code.NOT_WAITING


def test_a_message_reaches_the_seat_it_is_for_and_is_kept() -> None:
    world, _, _ = talking()
    assert code(world.oversee(SuperviseMessage(text="  "))) is Code.NO_TEXT
    assert code(world.oversee(SuperviseMessage(text="好", seat="8003"))) is Code.NO_SEAT
    supervisor = Actor(person="9001", name="李班长", role="supervisor")
    asked = SuperviseMessage(text="请慢一点", seat=SEAT)
    _, effects = world.floor.command(supervisor, asked, world.now())
    (told,) = [effect.push for effect in effects if isinstance(effect, Tell)]
    assert isinstance(told, Message)
    assert (told.seat, told.text, told.by) == (SEAT, "请慢一点", "李班长")
    world.take(effects)
    assert only(world, Supervised)[-1].detail == "请慢一点"


def test_a_hand_that_was_answered_is_down() -> None:
    world, _, _ = talking()
    assert code(world.oversee(SuperviseAnswerHand(seat=SEAT))) is Code.NO_HAND
    world.ask(SEAT, "1001", RaiseHand())
    assert Action.SUPERVISE_ANSWER_HAND in world.seen.seats[SEAT].supervise
    assert world.oversee(SuperviseAnswerHand(seat=SEAT)) == {}
    assert world.seen.seats[SEAT].hand_us == 0


def test_a_restarted_server_knows_who_listens_and_tells_when_they_stop() -> None:
    world, citizen, _, supervisor = watching()
    world.floor = Floor(RULES, remember(world.history, -1_600_000_000_000_000))
    world.seen.apply(world.floor.snapshot())
    world.feed(Resynced(world.snapshot()))
    assert view(world, citizen) == {"8901": "listen"}
    (part,) = [p for p in world.seen.conversations[f"n1-{citizen}"].participants if p.phone]
    assert (part.watches, part.state) == (SEAT, LegState.TALKING)
    assert done(world) == [(Oversight.LISTEN, False)]
    world.oversee(SuperviseStop())
    assert supervisor not in world.legs
    assert done(world) == [(Oversight.LISTEN, False), (Oversight.LISTEN, True)]


def test_a_phone_that_rings_across_a_restart_hears_nothing_for_nobody_knows_who_asked() -> None:
    world, citizen, _ = talking()
    world.oversee(LISTEN)
    world.floor = Floor(RULES, remember(world.history, -1_600_000_000_000_000))
    world.seen.apply(world.floor.snapshot())
    world.feed(Resynced(world.snapshot()))
    world.supervisor_answers(f"sp-{citizen}-1")
    assert f"sp-{citizen}-1" not in world.legs
    assert only(world, Supervised) == []


def test_a_listener_who_left_unseen_has_an_end_in_the_record() -> None:
    world, citizen, _, supervisor = watching()
    world.hang_up(supervisor)
    world.floor = Floor(RULES, remember(world.history, -1_600_000_000_000_000))
    world.seen.apply(world.floor.snapshot())
    world.feed(Resynced(world.snapshot()))
    assert view(world, citizen) == {}
    assert done(world) == [(Oversight.LISTEN, False), (Oversight.LISTEN, True)]


def test_a_consultation_can_be_listened_to() -> None:
    world, citizen, _, _ = consulting()
    assert isinstance(world.oversee(LISTEN), dict)
    world.supervisor_answers(f"sp-{citizen}-1")
    assert view(world, citizen) == {"8901": "listen"}
