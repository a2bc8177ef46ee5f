"""Several queues: who serves which, what a dialled number means, and whose figures count where."""

from __future__ import annotations

import msgspec
import pytest

from ctiserver.api.commands import (
    Code,
    HangUp,
    Hold,
    NotReady,
    Ready,
    Refusal,
    Requeue,
    SignIn,
    SignOut,
    SuperviseQueues,
    Transfer,
)
from ctiserver.api.history import CallEnded, Supervised
from ctiserver.api.states import Action, Outcome, Oversight, Phase, SeatState
from ctiserver.model.effects import AddMember, ChangePenalty, PauseMember, RemoveMember, SendTo
from ctiserver.model.events import ActionFailed, LinkLost, Member, MemberAdded, MemberRemoved, Resynced
from ctiserver.model.floor import Floor
from ctiserver.model.memory import remember
from ctiserver.model.state import Rules
from hotline.settings import WORST_PENALTY
from tests.unit.world import ENTERPRISE, QUEUE, RULES, SKILLED, World


def served(world: World, seat: str) -> dict[str, int]:
    return {member.queue: member.penalty for member in world.memberships.values() if member.seat == seat}


def both() -> World:
    """8002 is at work for both queues, 8001 for the general one."""
    world = World(rules=SKILLED)
    world.ask("8001", "1001", SignIn(ready=True))
    world.ask("8002", "1002", SignIn(ready=True))
    return world


def test_an_agent_serves_the_queues_of_their_skills_and_one_without_serves_the_general_one() -> None:
    world = both()
    assert served(world, "8001") == {QUEUE: 0}
    assert served(world, "8002") == {QUEUE: 1, ENTERPRISE: 0}
    assert world.seen.seats["8002"].queues == (QUEUE, ENTERPRISE)


def test_signing_out_leaves_every_queue() -> None:
    world = both()
    world.ask("8002", "1002", SignOut())
    assert served(world, "8002") == {}
    assert world.seen.seats["8002"].state is SeatState.SIGNED_OUT
    assert world.seen.seats["8002"].queues == ()


def test_not_ready_and_ready_are_one_action_for_all_queues() -> None:
    world = both()
    begin = len(world.refs)
    world.ask("8002", "1002", NotReady("用餐"))
    assert [type(effect) for effect in world.refs[begin:]] == [PauseMember]
    assert all(member.is_paused for member in world.memberships.values() if member.seat == "8002")
    world.ask("8002", "1002", Ready())
    assert not any(member.is_paused for member in world.memberships.values())


def test_figures_count_a_seat_in_each_queue_that_it_serves() -> None:
    world = both()
    world.ask("8001", "1001", NotReady("小休"))
    general, enterprise = world.seen.queues[QUEUE], world.seen.queues[ENTERPRISE]
    assert (general.title, general.signed_in, general.ready) == ("综合", 2, 1)
    assert (enterprise.title, enterprise.signed_in, enterprise.ready) == ("企业专席", 1, 1)


def test_a_call_counts_in_the_queue_in_which_it_waited() -> None:
    world = both()
    citizen = world.call(dnis=ENTERPRISE)
    world.queue(citizen, ENTERPRISE)
    assert (world.seen.queues[QUEUE].waiting, world.seen.queues[ENTERPRISE].waiting) == (0, 1)
    world.answer(world.ring(citizen, "8002"))
    assert (world.seen.queues[QUEUE].answered, world.seen.queues[ENTERPRISE].answered) == (0, 1)
    assert world.seen.conversations[f"n1-{citizen}"].queue == ENTERPRISE


def test_new_skills_reach_an_agent_at_work() -> None:
    world = both()
    begin = len(world.refs)
    skills = {"1001": ((ENTERPRISE, 2),), "1002": ((QUEUE, 0), (ENTERPRISE, 0))}
    world.change_rules(msgspec.structs.replace(SKILLED, skills=skills))
    assert served(world, "8001") == {ENTERPRISE: 2}
    assert served(world, "8002") == {QUEUE: 0, ENTERPRISE: 0}
    kinds = [type(effect) for effect in world.refs[begin:]]
    assert kinds == [AddMember, RemoveMember, ChangePenalty]
    assert world.seen.seats["8001"].state is SeatState.READY


def test_an_agent_on_a_break_joins_a_new_queue_paused() -> None:
    world = both()
    world.ask("8001", "1001", NotReady("小休"))
    world.change_rules(msgspec.structs.replace(SKILLED, skills={"1001": ((ENTERPRISE, 0),)}))
    member = world.memberships[ENTERPRISE, "8001"]
    assert (member.is_paused, member.reason) == (True, "小休")


def test_skills_that_are_not_known_take_no_queue_away() -> None:
    world = both()
    unsure = Floor(msgspec.structs.replace(SKILLED, skills=None))
    asked = unsure.step(Resynced(world.snapshot()), world.now())
    assert not [effect for effect in asked if isinstance(effect, AddMember | RemoveMember | ChangePenalty)]
    unsure.settle(world.now())
    assert {seat.id: seat.queues for seat in unsure.snapshot().seats if seat.queues} == {
        "8001": (QUEUE,),
        "8002": (QUEUE, ENTERPRISE),
    }


def test_a_look_at_the_switch_mends_memberships_that_are_wrong() -> None:
    world = both()
    world.feed(LinkLost())
    del world.memberships[QUEUE, "8002"]
    world.memberships[ENTERPRISE, "8001"] = Member(ENTERPRISE, "8001", "1001", False, "", 0)
    world.memberships[ENTERPRISE, "8002"] = Member(ENTERPRISE, "8002", "1002", True, "小休", 5)
    world.feed(Resynced(world.snapshot()))
    assert served(world, "8001") == {QUEUE: 0}
    assert served(world, "8002") == {QUEUE: 1, ENTERPRISE: 0}
    assert not any(member.is_paused for member in world.memberships.values())


def test_two_agents_in_the_memberships_of_one_seat_become_one() -> None:
    world = both()
    world.feed(LinkLost())
    world.memberships[ENTERPRISE, "8002"] = Member(ENTERPRISE, "8002", "1003", False, "", 0)
    world.feed(Resynced(world.snapshot()))
    assert {member.agent for member in world.memberships.values() if member.seat == "8002"} == {"1002"}
    assert world.seen.seats["8002"].agent == "1002"


def test_one_membership_taken_away_by_hand_signs_nobody_out() -> None:
    world = both()
    del world.memberships[QUEUE, "8002"]
    world.feed(MemberRemoved(QUEUE, "8002"))
    assert world.seen.seats["8002"].agent == "1002"
    assert world.seen.seats["8002"].queues == (ENTERPRISE,)
    del world.memberships[ENTERPRISE, "8002"]
    world.feed(MemberRemoved(ENTERPRISE, "8002"))
    assert world.seen.seats["8002"].state is SeatState.SIGNED_OUT


def test_a_queue_that_the_switch_does_not_know_yet_signs_nobody_out() -> None:
    world = both()
    world.feed(ActionFailed(f"member:8002:{ENTERPRISE}#9", "Unable to add interface to queue: No such queue"))
    assert world.seen.seats["8002"].agent == "1002"
    assert world.seen.seats["8002"].queues == (QUEUE,)
    world.feed(ActionFailed(f"member:8001:{QUEUE}#10", "Unable to add interface to queue: No such queue"))
    assert world.seen.seats["8001"].state is SeatState.SIGNED_OUT


def test_a_citizen_goes_back_to_the_queue_from_which_they_came() -> None:
    world = both()
    citizen = world.call()
    world.queue(citizen, ENTERPRISE)
    world.answer(world.ring(citizen, "8002"))
    world.ask("8002", "1002", Requeue())
    assert world.waits_in == {citizen: ENTERPRISE}
    sent = [effect for effect in world.refs if isinstance(effect, SendTo)]
    assert (sent[-1].context, sent[-1].exten) == ("requeue", ENTERPRISE)
    world.answer(world.ring(citizen, "8002"))
    world.ask("8002", "1002", Hold())
    world.feed(*world.hang_up(world.seat_legs()[0]))
    assert world.waits_in == {citizen: ENTERPRISE}


@pytest.mark.parametrize("is_held", [False, True])
def test_a_citizen_passed_on_to_another_queue_waits_there_and_their_wait_is_shown(is_held: bool) -> None:
    world = both()
    citizen = world.call()
    world.queue(citizen)
    world.pass_time(20)
    world.answer(world.ring(citizen, "8001"))
    if is_held:
        world.ask("8001", "1001", Hold())
    assert world.ask("8001", "1001", Transfer(queue=ENTERPRISE)) == {}
    sent = [effect for effect in world.refs if isinstance(effect, SendTo)]
    assert (sent[-1].context, sent[-1].exten) == ("requeue", ENTERPRISE)
    assert world.waits_in == {citizen: ENTERPRISE}
    assert world.seen.seats["8001"].state is SeatState.WRAP_UP
    world.answer(world.ring(citizen, "8002"))
    known = world.seen.contexts[f"n1-{citizen}"]
    assert known.passed_from == QUEUE
    assert known.waited_ms >= 20_000
    assert world.seen.conversations[f"n1-{citizen}"].queue == ENTERPRISE
    remembered = remember(world.history, 0).open[f"n1-{citizen}"]
    assert (remembered.passed_from, remembered.wait_ms) == (QUEUE, known.waited_ms)


@pytest.mark.parametrize(
    ("asked", "code"),
    [
        (Transfer(queue="12399"), Code.NO_QUEUE),
        (Transfer(queue="s,1"), Code.NO_QUEUE),
        (Transfer(queue=ENTERPRISE, seat="8002"), Code.ONE_TARGET),
    ],
)
def test_a_queue_that_does_not_exist_or_a_second_target_is_refused(asked: Transfer, code: Code) -> None:
    world = both()
    citizen = world.call()
    world.queue(citizen)
    world.answer(world.ring(citizen, "8001"))
    answer = world.ask("8001", "1001", asked)
    assert isinstance(answer, Refusal)
    assert answer.code is code
    assert world.seen.seats["8001"].state is SeatState.TALKING


def test_a_citizen_found_in_another_queue_waits_there_only() -> None:
    world = both()
    citizen = world.call()
    world.queue(citizen)
    world.feed(LinkLost())
    world.waits_in[citizen] = ENTERPRISE
    world.feed(Resynced(world.snapshot()))
    assert (world.seen.queues[QUEUE].waiting, world.seen.queues[ENTERPRISE].waiting) == (0, 1)
    assert world.seen.conversations[f"n1-{citizen}"].phase is Phase.QUEUED


def test_a_merged_line_arrives_labelled_and_keeps_its_number() -> None:
    world = both()
    for dialled in ("12319", "+12319"):
        citizen = world.call(dnis=dialled)
        world.queue(citizen)
        world.answer(world.ring(citizen, "8001"))
        call = world.seen.conversations[f"n1-{citizen}"]
        assert (call.label, call.dnis) == ("经12319并入", dialled)
        assert world.seen.contexts[call.id].label == "经12319并入"
        world.ask("8001", "1001", HangUp())
        world.ask("8001", "1001", Ready())
    plain = world.call(dnis="12300")
    assert world.seen.conversations[f"n1-{plain}"].label == ""


ASSIGNED = SuperviseQueues(seat="8001", queues={ENTERPRISE: 2}, why="企业专席忙")


def restart(world: World, rules: Rules) -> None:
    world.rules, world.floor = rules, Floor(rules, remember(world.history, 0))
    world.seen.apply(world.floor.snapshot())
    world.feed(Resynced(world.snapshot()))


def test_a_supervisor_moves_an_agent_to_another_queue_and_it_is_kept_who_whom_and_why() -> None:
    world = both()
    assert Action.SUPERVISE_QUEUES in world.seen.seats["8001"].supervise
    assert world.oversee(ASSIGNED) == {}
    assert served(world, "8001") == {ENTERPRISE: 2}
    seat = world.seen.seats["8001"]
    assert (seat.queues, seat.penalties, seat.is_assigned) == ((ENTERPRISE,), (2,), True)
    assert seat.state is SeatState.READY
    kept = [event for event in world.history if isinstance(event, Supervised)]
    assert [(one.person, one.what, one.seat, one.agent, one.detail, one.why) for one in kept] == [
        ("9001", Oversight.QUEUES, "8001", "1001", f"{ENTERPRISE}:2", "企业专席忙")
    ]
    assert [(told.seat, told.code) for told in world.notices] == [("8001", "supervised")]


def test_new_skills_do_not_undo_what_a_supervisor_assigned_but_a_sign_out_does() -> None:
    world = both()
    world.oversee(ASSIGNED)
    skills = {"1001": ((QUEUE, 3),), "1002": ((QUEUE, 0),)}
    world.change_rules(msgspec.structs.replace(SKILLED, skills=skills))
    assert (served(world, "8001"), served(world, "8002")) == ({ENTERPRISE: 2}, {QUEUE: 0})
    world.ask("8001", "1001", SignOut())
    assert not world.seen.seats["8001"].is_assigned
    world.ask("8001", "1001", SignIn(ready=True))
    assert served(world, "8001") == {QUEUE: 3}


def test_what_was_assigned_is_the_agents_and_not_the_seats() -> None:
    world = both()
    world.oversee(ASSIGNED)
    world.feed(MemberAdded(ENTERPRISE, "8001", "1003", False, "", 0))
    seat = world.seen.seats["8001"]
    assert (seat.agent, seat.is_assigned) == ("1003", False)


def test_a_supervisor_gives_an_agent_back_to_their_skills() -> None:
    world = both()
    world.oversee(ASSIGNED)
    world.oversee(SuperviseQueues(seat="8001"))
    assert served(world, "8001") == {QUEUE: 0}
    assert not world.seen.seats["8001"].is_assigned


@pytest.mark.parametrize("are_skills_known", [True, False])
def test_what_was_assigned_outlives_a_restart_of_ours_even_without_a_database(are_skills_known: bool) -> None:
    world = both()
    world.oversee(ASSIGNED)
    restart(world, SKILLED if are_skills_known else msgspec.structs.replace(SKILLED, skills=None))
    world.change_rules(SKILLED)
    assert (served(world, "8001"), served(world, "8002")) == ({ENTERPRISE: 2}, {QUEUE: 1, ENTERPRISE: 0})
    seats = world.seen.seats
    assert (seats["8001"].is_assigned, seats["8002"].is_assigned) == (True, False)


def test_nobody_but_a_supervisor_assigns_and_only_queues_that_exist_to_seats_at_work() -> None:
    world = both()
    for asked, code, role in (
        (ASSIGNED, Code.NOT_ALLOWED, "agent"),
        (SuperviseQueues(seat="8001", queues={ENTERPRISE: 0, "12399": 0}), Code.NO_QUEUE, "supervisor"),
        (SuperviseQueues(seat="8003", queues={ENTERPRISE: 0}), Code.NO_SEAT, "supervisor"),
    ):
        answer = world.oversee(asked, role=role)
        assert isinstance(answer, Refusal)
        assert answer.code is code
    assert served(world, "8001") == {QUEUE: 0}


@pytest.mark.parametrize("penalty", [-1, WORST_PENALTY + 1, 0.5])
def test_a_penalty_that_no_queue_knows_is_no_message(penalty: float) -> None:
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert(
            {"op": "supervise.queues", "seat": "8001", "queues": {QUEUE: penalty}}, SuperviseQueues
        )


def test_a_hotline_with_one_queue_needs_to_know_nothing_of_others() -> None:
    world = World(rules=RULES)
    world.ask("8002", "1002", SignIn(ready=True))
    assert served(world, "8002") == {QUEUE: 0}
    assert list(world.seen.queues) == [QUEUE]


@pytest.mark.parametrize(("context", "outcome"), [("closed", Outcome.CLOSED), ("full", Outcome.OVERFLOW)])
def test_a_call_that_ends_at_a_queues_door_was_turned_away_by_that_queue(
    context: str, outcome: Outcome
) -> None:
    world = both()
    citizen = world.call(dnis=ENTERPRISE)
    leg = world.legs[citizen]
    leg.channel = msgspec.structs.replace(leg.channel, context=context, exten=ENTERPRISE)
    world.feed(*world.hang_up(citizen))
    (ended,) = [event for event in world.history if isinstance(event, CallEnded)]
    assert (ended.outcome, ended.queue, ended.wait_ms) == (outcome, ENTERPRISE, 0)
    line = world.seen.queues[ENTERPRISE]
    assert (line.overflow + line.closed, line.abandoned, line.short_abandoned) == (1, 0, 0)
    assert getattr(line, outcome.value) == 1


def test_a_call_that_was_queued_ends_as_what_it_became_and_names_no_queue_again() -> None:
    world = both()
    citizen = world.call()
    world.queue(citizen)
    world.pass_time(20)
    world.feed(*world.hang_up(citizen))
    (ended,) = [event for event in world.history if isinstance(event, CallEnded)]
    assert (ended.outcome, ended.queue) == (Outcome.ABANDONED_QUEUE, "")
