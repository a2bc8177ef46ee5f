"""No sequence of events makes an impossible floor; what clients fold and what a resync builds are the
same floor.
"""

from __future__ import annotations

from itertools import pairwise

import msgspec
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from ctiserver.api.commands import (
    Complete,
    Consult,
    Dial,
    Drop,
    EmergencyCall,
    HangUp,
    Hold,
    Leave,
    LowerHand,
    Merge,
    Mute,
    NotReady,
    PauseRecording,
    RaiseHand,
    Rate,
    Ready,
    Requeue,
    ResumeRecording,
    Retrieve,
    SignIn,
    SignOut,
    SuperviseAnswerHand,
    SuperviseBarge,
    SuperviseCancelCallback,
    SuperviseGrantRest,
    SuperviseGrantRestOver,
    SuperviseHangUp,
    SuperviseListen,
    SuperviseMessage,
    SuperviseNotReady,
    SupervisePick,
    SuperviseQueues,
    SuperviseRaise,
    SuperviseReady,
    SuperviseRefuseRest,
    SuperviseSignOut,
    SuperviseStop,
    SuperviseTakeOver,
    SuperviseWhisper,
    SuperviseWrapUp,
    ThreeWay,
    Transfer,
    Withdraw,
    WithdrawRest,
    WrapUp,
)
from ctiserver.api.history import CallbackAsked, CallbackChanged, CallEnded, CallStarted, Supervised
from ctiserver.api.pushes import Snapshot
from ctiserver.api.states import CallbackState, Role, SeatState
from ctiserver.model.events import LinkLost, Resynced
from ctiserver.model.floor import Floor
from ctiserver.model.memory import remember
from ctiserver.model.state import RESERVED_REASON, called_for, supervision_of
from tests.unit.time_sheet import days_in, spent_in, times_of
from tests.unit.world import ENTERPRISE, QUEUE, RULES, SKILLED, Leg, World

SEATS = st.sampled_from(RULES.seats)
AGENTS = st.sampled_from(sorted(RULES.names))
SERVED = st.dictionaries(st.sampled_from([QUEUE, ENTERPRISE]), st.integers(0, 2), min_size=1)
SHIFT = -1_600_000_000_000_000
COMMANDS = st.one_of(
    st.builds(SignIn, ready=st.booleans(), force=st.booleans()),
    st.builds(Dial, number=st.sampled_from(["13905380001", "110", "999"])),
    st.sampled_from([RaiseHand(), LowerHand(), WithdrawRest(), Mute(), PauseRecording(), ResumeRecording()]),
    st.just(SignOut()),
    st.just(Ready()),
    st.builds(NotReady, reason=st.sampled_from(RULES.reasons)),
    st.just(WrapUp()),
    st.builds(ThreeWay, number=st.sampled_from([*RULES.directory, "999"])),
    st.builds(EmergencyCall, number=st.sampled_from(RULES.emergency)),
    st.just(HangUp()),
    st.just(Leave()),
    st.builds(Withdraw, n=st.integers(0, 3)),
)
NUMBERS = st.sampled_from(["13805381234", "13805380002", "13805380003", ""])
PHONES = st.sampled_from([*RULES.supervisors, ""])
HEARING = (SuperviseListen, SuperviseWhisper, SuperviseBarge, SuperviseTakeOver)
FORCING = (
    *HEARING,
    SuperviseHangUp,
    SuperviseReady,
    SuperviseWrapUp,
    SuperviseSignOut,
    SuperviseAnswerHand,
    SuperviseGrantRest,
    SuperviseGrantRestOver,
    SuperviseRefuseRest,
)


def timeless(snapshot: Snapshot) -> Snapshot:
    """Without what a look at the switch cannot tell: times, contexts, closed attempts, wishes and hands."""
    bare = [
        msgspec.structs.replace(
            view,
            started_us=0,
            queued_us=0,
            answered_us=0,
            is_recording_paused=False,
            queue="",
            waited_before_ms=0,
            attempts=(),
            participants=tuple(
                msgspec.structs.replace(part, since_us=0, label="", watches="", oversight="")
                for part in view.participants
            ),
            is_raised=False,
            supervise=(),
        )
        for view in sorted(snapshot.conversations, key=lambda view: view.id)
    ]
    unsaid = {
        "since_us": 0,
        "actions": (),
        "supervise": (),
        "hand_us": 0,
        "is_muted": False,
        "is_assigned": False,
    }
    unsaid |= {"rest_us": 0, "rest_reason": "", "is_resting": False, "is_assigned": False}
    seats = [
        msgspec.structs.replace(seat, next_state="", next_reason="", **unsaid) for seat in snapshot.seats
    ]
    return Snapshot(seats=tuple(seats), conversations=tuple(bare), linked=snapshot.linked)


class FloorMachine(RuleBasedStateMachine):
    """Citizens, seats and third parties do what they like, in any order."""

    @initialize(ready=st.booleans())
    def start(self, ready: bool) -> None:
        ruled = {
            "repeat_within_ms": 60_000,
            "last_agent_within_ms": 86_400_000,
            "miss_limit": 2,
            "rest_reasons": ("小休",),
            "rest_most": 1,
        }
        self.world = World(rules=msgspec.structs.replace(SKILLED, **ruled))
        self.world.ask("8001", "1001", SignIn(ready=True))
        self.world.ask("8002", "1002", SignIn(ready=ready))

    def pick(self, uids: list[str], data: st.DataObject) -> str:
        return data.draw(st.sampled_from(sorted(uids)))

    def fresh_citizens(self) -> list[str]:
        legs, waiting = self.world.legs, self.world.waiting
        return [
            uid
            for uid in self.world.citizens()
            if uid not in waiting and not legs[uid].bridge and not legs[uid].room
        ]

    def unrung(self) -> list[str]:
        rung = {leg.citizen for leg in self.world.legs.values() if leg.citizen}
        return [uid for uid in self.world.waiting if uid not in rung]

    def ringing(self) -> list[str]:
        legs = self.world.legs
        return [
            uid
            for uid in self.world.seat_legs()
            if not legs[uid].bridge and not legs[uid].channel.is_up and not legs[uid].wanted
        ]

    def calling(self) -> list[str]:
        return self.world.called()

    def talking(self) -> list[str]:
        return [leg.seat for leg in self.world.legs.values() if leg.seat and (leg.bridge or leg.room)]

    @rule(seat=SEATS, agent=AGENTS, command=COMMANDS)
    def anyone_asks_anything(self, seat: str, agent: str, command: object) -> None:
        self.world.ask(seat, agent, command)

    @rule(seat=SEATS, data=st.data())
    def the_agent_asks(self, seat: str, data: st.DataObject) -> None:
        agent = self.world.seen.seats[seat].agent or "1001"
        self.world.ask(seat, agent, data.draw(COMMANDS))

    @precondition(lambda self: self.talking())
    @rule(data=st.data())
    def a_talking_seat_asks_for_a_third_party(self, data: st.DataObject) -> None:
        seat = self.pick(self.talking(), data)
        named = data.draw(
            st.one_of(
                st.builds(dict, number=st.sampled_from([*RULES.directory])),
                st.builds(dict, seat=SEATS),
                st.builds(dict, agent=AGENTS),
            )
        )
        self.world.ask(seat, self.world.seen.seats[seat].agent, ThreeWay(**named))

    @precondition(lambda self: self.talking())
    @rule(data=st.data())
    def a_talking_seat_moves_people(self, data: st.DataObject) -> None:
        seat = self.pick(self.talking(), data)
        number = data.draw(st.sampled_from([*RULES.directory]))
        other = data.draw(SEATS)
        command = data.draw(
            st.sampled_from(
                [
                    Hold(),
                    Retrieve(),
                    Consult(number),
                    Consult(seat=other),
                    Merge(),
                    Complete(),
                    Transfer(number),
                    Transfer(seat=other),
                    Requeue(),
                    Transfer(queue=ENTERPRISE),
                    Transfer(queue=QUEUE),
                    Rate(),
                ]
            )
        )
        self.world.ask(seat, self.world.seen.seats[seat].agent, command)

    @precondition(lambda self: self.talking() and self.world.thirds())
    @rule(data=st.data())
    def a_talking_seat_drops_or_leaves(self, data: st.DataObject) -> None:
        seat = self.pick(self.talking(), data)
        drops = [Drop(uid) for uid in sorted(self.world.thirds())]
        command = data.draw(st.sampled_from([*drops, Leave(), Withdraw(1), HangUp()]))
        self.world.ask(seat, self.world.seen.seats[seat].agent, command)

    @rule(data=st.data(), phone=PHONES)
    def a_supervisor_asks(self, data: st.DataObject, phone: str) -> None:
        kind = data.draw(st.sampled_from(FORCING))
        seat = data.draw(SEATS)
        asked = st.sampled_from(
            [kind(seat=seat), SuperviseNotReady(seat=seat, reason="用餐"), SuperviseMessage(text="请慢一点")]
        )
        self.world.oversee(data.draw(asked), phone)

    @precondition(lambda self: self.talking())
    @rule(data=st.data(), phone=PHONES)
    def a_supervisor_hears_a_call(self, data: st.DataObject, phone: str) -> None:
        kind = data.draw(st.sampled_from([*HEARING, SuperviseStop]))
        seat = self.pick(self.talking(), data)
        self.world.oversee(kind() if kind is SuperviseStop else kind(seat=seat), phone)

    @precondition(lambda self: self.world.waiting)
    @rule(data=st.data(), seat=SEATS, is_pick=st.booleans())
    def a_supervisor_sees_to_a_caller(self, data: st.DataObject, seat: str, is_pick: bool) -> None:
        call = f"n1-{self.pick(self.world.waiting, data)}"
        asked = SupervisePick(conversation=call, seat=seat) if is_pick else SuperviseRaise(conversation=call)
        self.world.oversee(asked, "")

    @precondition(lambda self: self.unrung())
    @rule(data=st.data(), hangs_up=st.booleans())
    def a_caller_asks_to_be_called_back(self, data: st.DataObject, hangs_up: bool) -> None:
        uid = self.pick(self.unrung(), data)
        self.world.press_key(uid)
        if hangs_up:
            self.world.feed(*self.world.hang_up(uid))

    def dialling(self) -> list[str]:
        return [uid for uid in self.world.called() if uid.startswith("st-") and uid.endswith("-0")]

    @precondition(lambda self: self.dialling())
    @rule(data=st.data(), answers=st.booleans())
    def an_agent_who_calls_picks_up_and_the_citizen_answers_or_does_not(
        self, data: st.DataObject, answers: bool
    ) -> None:
        agent = self.pick(self.dialling(), data)
        citizen = self.world.legs[agent].citizen
        self.world.third_answers(agent)
        if citizen in self.world.legs and answers:
            self.world.third_answers(citizen)
        elif citizen in self.world.legs:
            self.world.feed(*self.world.hang_up(citizen, 19))

    @precondition(lambda self: self.world.seen.callbacks)
    @rule(data=st.data())
    def a_supervisor_cancels_a_callback(self, data: st.DataObject) -> None:
        kept = self.pick(list(self.world.seen.callbacks), data)
        self.world.oversee(SuperviseCancelCallback(conversation=kept), "")

    @precondition(lambda self: self.rung_supervisors())
    @rule(data=st.data())
    def a_supervisor_picks_up(self, data: st.DataObject) -> None:
        self.world.supervisor_answers(self.pick(self.rung_supervisors(), data))

    def rung_supervisors(self) -> list[str]:
        return [uid for uid in self.world.supervisors() if not self.world.legs[uid].channel.is_up]

    @precondition(lambda self: len(self.world.legs) < 8)
    @rule(queue=st.sampled_from([QUEUE, ENTERPRISE, ""]), number=NUMBERS)
    def citizen_calls(self, queue: str, number: str) -> None:
        uid = self.world.call(number)
        if queue:
            self.world.queue(uid, queue)

    @rule(agent=AGENTS, served=SERVED)
    def an_agents_skills_change(self, agent: str, served: dict[str, int]) -> None:
        skills = {**(self.world.rules.skills or {}), agent: tuple(sorted(served.items()))}
        self.world.change_rules(msgspec.structs.replace(self.world.rules, skills=skills))

    @rule(seat=SEATS, served=SERVED)
    def a_supervisor_assigns_queues(self, seat: str, served: dict[str, int]) -> None:
        self.world.oversee(SuperviseQueues(seat=seat, queues=served))

    def greeted(self) -> list[str]:
        here = self.world.legs
        return [uid for uid in self.fresh_citizens() if here[uid].channel.context == "from-pstn"]

    @precondition(lambda self: self.greeted())
    @rule(data=st.data(), agent=AGENTS, queue=st.sampled_from([QUEUE, ENTERPRISE]))
    def citizen_stops_on_the_way_to_their_last_agent(
        self, data: st.DataObject, agent: str, queue: str
    ) -> None:
        uid = self.pick(self.greeted(), data)
        self.world.spoke_with(uid, agent)
        self.world.stop_before_queue(uid, queue)

    @precondition(lambda self: self.fresh_citizens())
    @rule(data=st.data())
    def citizen_joins_the_queue(self, data: st.DataObject) -> None:
        self.world.queue(self.pick(self.fresh_citizens(), data))

    def could_ring(self) -> list[tuple[str, str]]:
        world = self.world
        return sorted((uid, seat) for uid in self.unrung() for seat in world.free_seats(world.waits_in[uid]))

    @precondition(lambda self: self.could_ring())
    @rule(data=st.data(), answers=st.booleans())
    def a_seat_rings(self, data: st.DataObject, answers: bool) -> None:
        leg = self.world.ring(*data.draw(st.sampled_from(self.could_ring())))
        if answers:
            self.world.answer(leg)

    @precondition(lambda self: self.ringing())
    @rule(data=st.data(), answers=st.booleans())
    def a_seat_answers_or_misses(self, data: st.DataObject, answers: bool) -> None:
        leg = self.pick(self.ringing(), data)
        (self.world.answer if answers else self.world.miss)(leg)

    @precondition(lambda self: self.world.legs)
    @rule(data=st.data(), cause=st.sampled_from([16, 17, 19, 21, 34]))
    def anybody_hangs_up(self, data: st.DataObject, cause: int) -> None:
        uid = self.pick(list(self.world.legs), data)
        if uid in self.ringing():
            self.world.miss(uid)
        else:
            self.world.feed(*self.world.hang_up(uid, cause))

    @precondition(lambda self: self.calling())
    @rule(data=st.data(), answers=st.booleans())
    def a_third_party_reacts(self, data: st.DataObject, answers: bool) -> None:
        uid = self.pick(self.calling(), data)
        (self.world.third_answers if answers else self.world.third_rings)(uid)

    @rule(seat=SEATS, is_up=st.booleans())
    def a_phone_is_plugged(self, seat: str, is_up: bool) -> None:
        self.world.feed(self.world.phone(seat, is_up))

    @precondition(lambda self: self.world.timers)
    @rule(data=st.data())
    def a_timer_fires(self, data: st.DataObject) -> None:
        self.world.fire(self.pick(list(self.world.timers), data))

    @precondition(lambda self: self.world.legs)
    @rule(data=st.data())
    def a_flood_comes_in_one_read(self, data: st.DataObject) -> None:
        self.world.is_flooded = True
        self.citizen_calls(QUEUE, "13805381234")
        self.anybody_hangs_up(data, 16)
        self.world.is_flooded = False
        self.world.settle()

    @rule(seconds=st.floats(0.1, 100))
    def time_passes(self, seconds: float) -> None:
        self.world.pass_time(seconds)

    @rule()
    def the_link_is_lost_and_found(self) -> None:
        self.world.feed(LinkLost())
        self.world.feed(Resynced(self.world.snapshot()))

    @rule()
    def the_server_restarts(self) -> None:
        memory = remember(self.world.history, SHIFT)
        self.world.floor = Floor(self.world.rules, memory)
        self.world.timers.clear()
        self.world.seen.apply(self.world.floor.snapshot())
        self.world.feed(Resynced(self.world.snapshot()))

    @invariant()
    def what_clients_folded_is_the_floor(self) -> None:
        fresh = self.world.floor.snapshot()
        seen = self.world.seen
        assert seen.seats == {seat.id: seat for seat in fresh.seats}
        assert seen.queues == {queue.name: queue for queue in fresh.queues}
        assert seen.conversations == {view.id: view for view in fresh.conversations}
        assert set(seen.contexts) >= {context.conversation for context in fresh.contexts}
        assert seen.callbacks == {kept.id: kept for kept in fresh.callbacks}
        assert seen.linked == fresh.linked

    @invariant()
    def every_callback_is_open_once_in_the_record_and_counted(self) -> None:
        world = self.world
        stands: dict[str, CallbackState] = {}
        for event in world.history:
            if isinstance(event, CallbackAsked):
                assert not stands.get(event.conversation, CallbackState.DONE).is_open
                stands[event.conversation] = CallbackState.WAITING
            elif isinstance(event, CallbackChanged):
                assert stands[event.conversation].is_open, "what is closed stays closed"
                stands[event.conversation] = event.state
        is_open = {kept: state for kept, state in stands.items() if state.is_open}
        assert {kept.id: kept.state for kept in world.seen.callbacks.values()} == is_open
        for queue in world.seen.queues.values():
            mine = [kept for kept in world.seen.callbacks.values() if kept.queue == queue.name]
            assert queue.callbacks == len(mine)

    @invariant()
    def a_seat_is_kept_for_a_callback_only_while_that_goes_on(self) -> None:
        world = self.world
        if not world.seen.linked:
            return
        calling = {kept.seat for kept in world.seen.callbacks.values() if kept.seat}
        for member in world.memberships.values():
            if member.is_paused and member.reason == RESERVED_REASON:
                busy = any(leg.seat == member.seat for leg in world.legs.values())
                assert member.seat in calling or busy

    @invariant()
    def every_citizen_has_one_conversation_and_nobody_else_has(self) -> None:
        world = self.world
        alive = {*world.citizens(), *world.dialled_by()}
        assert set(world.seen.conversations) == {f"n1-{uid}" for uid in alive}
        for view in world.seen.conversations.values():
            uid = view.id.removeprefix("n1-")
            mine = {
                leg_uid
                for leg_uid, leg in world.legs.items()
                if leg_uid == uid or leg.citizen == uid or leg_uid.startswith((f"tp-{uid}-", f"sp-{uid}-"))
            }
            assert {part.leg for part in view.participants} == mine
            citizens = sum(part.role is Role.CITIZEN for part in view.participants)
            assert citizens == 1 or (citizens == 0 and view.is_outbound and not view.answered_us)
            assert len({attempt.n for attempt in view.attempts}) == len(view.attempts)
            assert sum(attempt.state.is_open for attempt in view.attempts) <= 1

    @invariant()
    def seats_show_what_the_switch_does(self) -> None:
        world = self.world
        for seat in world.seen.seats.values():
            legs = [leg for leg in world.legs.values() if leg.seat == seat.id]
            member = world.members.get(seat.id)
            assert bool(seat.agent) == (member is not None)
            if member is None:
                assert seat.state is SeatState.SIGNED_OUT
                continue
            assert member.agent == seat.agent
            if seat.state is SeatState.DIALLING:
                assert any(uid.startswith("st-") and uid.endswith("-0") for uid in world.seat_legs())
                continue
            if legs and legs[0].channel.context == "held-third":
                assert seat.state is SeatState.HELD
                continue
            talks = any(leg.bridge or leg.room for leg in legs)
            in_call = (SeatState.TALKING, SeatState.CONFERENCE, SeatState.HELD, SeatState.CONSULTING)
            assert talks == (seat.state in in_call)
            if talks:
                self.hears_what_it_shows(seat.state, legs[0])
            assert (seat.state is SeatState.RINGING) == (bool(legs) and not talks)
            if seat.state is SeatState.READY:
                assert not member.is_paused or member.reason == RESERVED_REASON
            if seat.state in (SeatState.NOT_READY, SeatState.WRAP_UP):
                assert member.is_paused
            assert (f"wrap_up:{seat.id}" in world.timers) <= member.is_paused
            if seat.state is SeatState.WRAP_UP:
                assert f"wrap_up:{seat.id}" in world.timers

    @invariant()
    def a_seat_serves_the_queues_of_its_agents_skills_and_counts_in_no_other(self) -> None:
        world = self.world
        skills = world.rules.skills or {}
        for seat in world.seen.seats.values():
            served = {m.queue: m.penalty for m in world.memberships.values() if m.seat == seat.id}
            wanted = dict(skills.get(seat.agent, ((QUEUE, 0),))) if seat.agent else {}
            assert served == wanted or seat.is_assigned
            assert seat.queues == tuple(sorted(served))
        for queue in world.seen.queues.values():
            serving = [seat for seat in world.seen.seats.values() if queue.name in seat.queues]
            assert queue.signed_in == len(serving)
            assert queue.ready == sum(seat.state is SeatState.READY for seat in serving)
            assert queue.waiting == sum(its == queue.name for its in world.waits_in.values())

    def hears_what_it_shows(self, state: SeatState, leg: Leg) -> None:
        world = self.world
        citizen = world.legs[leg.citizen]
        thirds = [
            uid
            for uid in world.thirds()
            if uid.startswith(f"tp-{leg.citizen}-") and world.legs[uid].room == leg.room != ""
        ]
        thirds += [
            uid
            for uid, other in world.legs.items()
            if other.seat
            and other is not leg
            and other.citizen == leg.citizen
            and other.room == leg.room != ""
        ]
        together = bool(
            (leg.bridge and leg.bridge == citizen.bridge) or (leg.room and leg.room == citizen.room)
        )
        assert together == (state in (SeatState.TALKING, SeatState.CONFERENCE))
        assert bool(thirds) == (state in (SeatState.CONSULTING, SeatState.CONFERENCE))

    @invariant()
    def no_supervisor_is_left_behind(self) -> None:
        world = self.world
        for uid in world.supervisors():
            leg = world.legs[uid]
            call, _ = supervision_of(uid) or ("", 0)
            assert call in world.legs, "a supervisor without a citizen"
            if leg.channel.context.startswith("spy-"):
                assert world.named(leg.spied) is not None
            if leg.room:
                assert any(other.room == leg.room and other is not leg for other in world.legs.values())

    @invariant()
    def the_record_says_who_listens(self) -> None:
        told: dict[tuple[str, int], str] = {}
        for event in self.world.history:
            if isinstance(event, Supervised) and event.leg:
                told[event.leg, event.at_us] = "" if event.until_us else event.leg
        ongoing = [leg for leg in told.values() if leg]
        hearing = [uid for uid, leg in self.world.legs.items() if uid.startswith("sp-") and leg.channel.is_up]
        assert sorted(ongoing) == sorted(hearing)

    @invariant()
    def somebody_watches_the_seats_with_a_clock(self) -> None:
        self.world.screen.look(self.world.seen.seats, self.world.utc_us)

    def a_seats_times_add_up_to_its_day_exactly(self) -> None:
        world = self.world
        times = times_of(world.history)
        kept = spent_in(times, world.utc_us)
        world.screen.look(world.seen.seats, world.utc_us)
        assert +kept == +world.screen.spent
        assert +days_in(kept) == +world.screen.days
        for seat in world.rules.seats:
            mine = [row for row in times if row.seat == seat]
            assert all(before.to_us == after.from_us for before, after in pairwise(mine))

    @invariant()
    def nobody_is_alone_for_good(self) -> None:
        world = self.world
        for uid in world.citizens():
            leg = world.legs[uid]
            calling = any(called_for(t) is not None and uid in t for t in world.called())
            calling = calling or any(
                uid in t and world.legs[t].goes_to[0] == "room-third" for t in self.rung_supervisors()
            )
            seats = [other for other in world.legs.values() if other.citizen == uid]
            if leg.channel.context == "held":
                assert seats or calling
            if leg.room:
                assert (
                    seats or calling or any(o.room == leg.room and o is not leg for o in world.legs.values())
                )

    @invariant()
    def a_look_at_the_switch_builds_the_same_floor(self) -> None:
        world = self.world
        if self.rung_supervisors():  # why a phone is rung, neither the channels nor the journal tell
            return
        # Whom an agent called, the channels do not tell: there the journal remembers.
        is_dialled = any(view.is_outbound for view in world.seen.conversations.values())
        if is_dialled and any(place.passed for place in world.floor._state.callbacks.values()):
            return  # that a seat let a callback ring is forgotten in a restart: it may be rung again at once
        fresh = Floor(world.rules, remember(world.history, SHIFT) if is_dialled else None)
        fresh.step(Resynced(world.snapshot()), world.now())
        fresh.settle(world.now())
        assert timeless(fresh.snapshot()) == timeless(world.floor.snapshot())

    def teardown(self) -> None:
        if not hasattr(self, "world"):
            return
        world = self.world
        self.a_seats_times_add_up_to_its_day_exactly()
        while world.legs:
            world.feed(*world.hang_up(sorted(world.legs)[0]))
        assert world.seen.conversations == {}
        assert not any(line.waiting for line in world.seen.queues.values())
        started = [event.conversation for event in world.history if isinstance(event, CallStarted)]
        ended = [event.conversation for event in world.history if isinstance(event, CallEnded)]
        assert sorted(started) == sorted(ended)
        assert len(set(ended)) == len(ended)


FloorMachine.TestCase.settings = settings(
    max_examples=120,
    stateful_step_count=40,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
)
TestFloor = FloorMachine.TestCase
