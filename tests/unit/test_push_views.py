"""Whatever happens on the floor, each kind of viewer folds what it may see, all of it and nothing else.

The floor is the real model, driven by the same odd histories as its own tests; the sessions are the real
fan-out's, with connections that are now and then not free, break, and come back.
"""

from __future__ import annotations

import msgspec
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import initialize, invariant, precondition, rule

from ctiserver.api.commands import SignIn
from ctiserver.api.pushes import (
    ContextPush,
    ConversationGone,
    ConversationPush,
    Frame,
    LinkPush,
    Message,
    Notice,
    Pop,
    Push,
    SeatPush,
    Seen,
    Snapshot,
)
from ctiserver.api.states import Action, CallerContext, LegState, Participant
from ctiserver.api.states import Role as LegRole
from ctiserver.model.events import ContextFound
from ctiserver.push.fanout import Fanout, Session
from ctiserver.push.outbox import Limits
from ctiserver.push.views import View, Viewer, visible
from hotline.identity.roles import Role
from tests.unit.push_room import call, context, seat
from tests.unit.test_floor_properties import FloorMachine
from tests.unit.world import SKILLED, World

VIEWERS = (
    Viewer(Role.AGENT, "8001"),
    Viewer(Role.AGENT, "8002"),
    Viewer(Role.AGENT),
    Viewer(Role.SUPERVISOR),
    Viewer(Role.WALL),
    Viewer(Role.OFFICE),
)
LIMITS = Limits(kept=20)


class Eye:
    """A client without a network: reads when it likes."""

    def __init__(self, viewer: Viewer) -> None:
        self.viewer = viewer
        self.seen = Seen()
        self.last_seq = 0
        self.paused = False
        self.ended: list[int] = []
        self.session: Session

    def write(self, data: bytes) -> None:
        frame = msgspec.json.decode(data, type=Frame)
        assert frame.seq == self.last_seq + 1
        self.last_seq = frame.seq
        self.seen.apply(frame.push)

    def end(self, code: int, reason: str) -> None:
        self.ended.append(code)


class Watched(Seen):
    """The fold of the model's tests; what is folded here, the audience is told."""

    fanout: Fanout | None = None

    def apply(self, push: Push) -> None:
        super().apply(push)
        if self.fanout is not None:
            self.fanout.tell(push)


class ViewMachine(FloorMachine):
    @initialize(ready=st.booleans())
    def start(self, ready: bool) -> None:
        self.world = World(rules=SKILLED)
        seen = Watched()
        self.world.seen = seen
        seen.apply(self.world.floor.snapshot())
        seen.fanout = self.fanout = Fanout(self.look, LIMITS)
        self.eyes: list[Eye] = []
        for viewer in VIEWERS:
            self.come(viewer)
        self.world.ask("8001", "1001", SignIn(ready=True))
        self.world.ask("8002", "1002", SignIn(ready=ready))

    def look(self) -> Snapshot:
        return self.world.floor.snapshot()

    def come(self, viewer: Viewer) -> None:
        eye = Eye(viewer)
        eye.session = self.fanout.open(f"s{self.world.fresh()}", "1001", viewer, eye)
        self.eyes.append(eye)

    @precondition(lambda self: len(self.eyes) < 9)
    @rule(viewer=st.sampled_from(VIEWERS))
    def another_client_comes(self, viewer: Viewer) -> None:
        self.come(viewer)

    @rule(data=st.data(), reads=st.booleans())
    def a_client_reads_slowly_or_catches_up(self, data: st.DataObject, reads: bool) -> None:
        eye = data.draw(st.sampled_from(self.eyes))
        eye.paused = not reads
        eye.session.flush()

    @rule(data=st.data())
    def a_connection_breaks(self, data: st.DataObject) -> None:
        eye = data.draw(st.sampled_from(self.eyes))
        self.fanout.leave(eye.session, eye, 0)

    @rule(data=st.data())
    def a_client_comes_back(self, data: st.DataObject) -> None:
        eye = data.draw(st.sampled_from(self.eyes))
        came = self.fanout.resume(eye.session.id, "1001", eye.viewer, eye.last_seq, eye)
        eye.paused = False
        if came is None:
            self.eyes.remove(eye)
            self.come(eye.viewer)
            return
        for data_missed in came[1]:
            eye.write(data_missed)

    @precondition(lambda self: self.world.citizens())
    @rule(data=st.data(), is_complete=st.booleans())
    def a_caller_is_looked_up(self, data: st.DataObject, is_complete: bool) -> None:
        uid = self.pick(self.world.citizens(), data)
        found = CallerContext(
            conversation=f"n1-{uid}", number="1", masked="1", place="泰安", is_complete=is_complete
        )
        self.world.feed(ContextFound(found))

    @invariant()
    def every_client_that_has_read_all_sees_what_it_may_see(self) -> None:
        whole = self.world.floor.snapshot()
        for eye in self.eyes:
            if eye.session.wire is None or eye.session.outbox.waiting:
                continue
            fresh = visible(whole, eye.viewer)
            seen = eye.seen
            assert seen.seats == {one.id: one for one in fresh.seats}
            assert seen.queues == {queue.name: queue for queue in fresh.queues}
            assert seen.conversations == {one.id: one for one in fresh.conversations}
            assert seen.linked == fresh.linked
            for known in fresh.contexts:
                # The wait goes on without a push.
                assert msgspec.structs.replace(seen.contexts[known.conversation], queued_us=0) == (
                    msgspec.structs.replace(known, queued_us=0)
                )
            assert set(seen.contexts) <= set(seen.conversations)

    @invariant()
    def agents_and_walls_never_hold_what_is_not_theirs(self) -> None:
        for eye in self.eyes:
            if eye.viewer.role is Role.OFFICE:
                assert eye.seen.seats == eye.seen.conversations == {}
            if eye.viewer.role is Role.WALL:
                assert not eye.seen.conversations and not eye.seen.contexts
                assert not any(one.agent_name or one.conversation for one in eye.seen.seats.values())
            if eye.viewer.role in (Role.WALL, Role.AGENT):
                assert not any(one.supervise for one in eye.seen.seats.values())
                for call_seen in eye.seen.conversations.values():
                    assert not call_seen.supervise
                    assert not any(part.phone for part in call_seen.participants)
            if eye.viewer.role is Role.AGENT:
                assert set(eye.seen.seats) <= {eye.viewer.seat}
                assert all(eye.viewer.seat in one.seats for one in eye.seen.conversations.values())


ViewMachine.TestCase.settings = settings(
    max_examples=60,
    stateful_step_count=40,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
)
TestViews = ViewMachine.TestCase


def told(viewer: Viewer, *pushes: Push, world: Seen | None = None) -> list[Push]:
    """What the viewer is told of these pushes; `world` is the floor before them."""
    world = world or Seen()
    view = View(viewer, world)
    out: list[Push] = []
    for push in pushes:
        world.apply(push)
        out += view.of(push)
    return out


OWN = Viewer(Role.AGENT, "8001")


def test_a_call_that_comes_to_a_seat_brings_what_is_known_of_the_caller() -> None:
    known, queued, ringing = ContextPush(context("a", "泰安")), call("a"), call("a", "8001")
    came = told(OWN, known, ConversationPush(queued), ConversationPush(ringing))
    assert came == [ConversationPush(ringing), known]


def test_news_of_the_caller_reach_the_seat_that_talks_when_another_one_rings() -> None:
    own = ConversationPush(call("a", "8001"))
    news = context("a", "泰安")
    assert told(OWN, own, Pop("8002", news)) == [own, ContextPush(news)]


def test_a_call_that_rang_and_went_to_another_seat_is_gone() -> None:
    pop = Pop("8001", context("a"))
    assert told(OWN, pop, ConversationPush(call("a", "8002"))) == [pop, ConversationGone("a")]


def test_a_seat_that_left_hears_no_more_of_the_call() -> None:
    own = ConversationPush(call("a", "8001"))
    later = (ConversationPush(call("a")), ContextPush(context("a", "x")), ConversationGone("a"))
    assert told(OWN, own, *later) == [own, ConversationGone("a")]


def test_a_new_snapshot_says_whose_calls_are_whose() -> None:
    own = ConversationPush(call("a", "8001"))
    whole = Snapshot(conversations=(call("a", "8002"), call("b", "8001")))
    gone = (ConversationGone("a"), ConversationGone("b"))
    came = told(OWN, own, whole, *gone)
    assert came == [own, Snapshot(conversations=(call("b", "8001"),)), ConversationGone("b")]


def test_who_comes_in_the_middle_of_a_call_sees_it_end() -> None:
    world = Seen()
    world.apply(Snapshot(conversations=(call("a", "8001"),)))
    assert told(OWN, ConversationGone("a"), world=world) == [ConversationGone("a")]


def test_what_waits_when_a_connection_breaks_is_missed_in_its_order() -> None:
    fanout = Fanout(Snapshot, LIMITS)
    eye = Eye(Viewer(Role.SUPERVISOR))
    session = eye.session = fanout.open("s", "1001", eye.viewer, eye)
    eye.paused = True
    fanout.tell(SeatPush(seat("8001", since_us=2)))
    fanout.leave(session, eye, 0)
    fanout.tell(SeatPush(seat("8001", since_us=3)))
    came = fanout.resume("s", "1001", eye.viewer, eye.last_seq, eye)
    assert came is not None
    for data in came[1]:
        eye.write(data)
    eye.paused = False
    session.flush()
    assert eye.seen.seats["8001"].since_us == 3
    assert eye.last_seq == 3


def test_agents_are_told_before_walls_and_supervisors() -> None:
    fanout = Fanout(Snapshot, LIMITS)
    order: list[Role] = []

    class Noted(Eye):
        def write(self, data: bytes) -> None:
            order.append(self.viewer.role)

    for at, viewer in enumerate((Viewer(Role.WALL), Viewer(Role.SUPERVISOR), OWN)):
        fanout.open(str(at), "1001", viewer, Noted(viewer))
    order.clear()
    fanout.tell(SeatPush(seat("8001")))
    assert order == [Role.AGENT, Role.WALL, Role.SUPERVISOR]


def test_a_connection_that_was_replaced_takes_nothing_with_it_when_it_ends() -> None:
    fanout = Fanout(Snapshot, LIMITS)
    old, new = Eye(Viewer(Role.WALL)), Eye(Viewer(Role.WALL))
    session = fanout.open("s", "1001", old.viewer, old)
    new.last_seq = old.last_seq
    assert fanout.resume("s", "1001", new.viewer, old.last_seq, new) == (session, [])
    assert old.ended == [4409]
    fanout.leave(session, old, 0)
    fanout.expire(2**60)
    fanout.tell(LinkPush(True))
    assert new.seen.linked


def test_a_pop_reaches_its_seat_and_no_other() -> None:
    own, other = Pop("8001", context("a")), Pop("8002", context("b"))
    assert told(OWN, own, other) == [own]


def test_a_notice_reaches_its_seat_and_no_other() -> None:
    own, other = Notice("8001", "switch_refused", "x"), Notice("8002", "switch_refused", "x")
    assert told(OWN, own, other) == [own]


def test_an_agent_hears_nothing_of_a_supervisor_who_comes_and_goes() -> None:
    listener = Participant(
        leg="sp-1-1", role=LegRole.SUPERVISOR, label="李班长", state=LegState.TALKING, since_us=1,
        phone="8901", watches="8001", oversight="listen", is_hidden=True,
    )  # fmt: skip
    alone = call("a", "8001")
    heard = msgspec.structs.replace(alone, participants=(listener,))
    pushes = [ConversationPush(alone), ConversationPush(heard), ConversationPush(alone)]
    assert told(OWN, *pushes) == pushes[:1]
    assert told(Viewer(Role.SUPERVISOR), *pushes) == pushes
    open_one = msgspec.structs.replace(listener, is_hidden=False)
    shown = ConversationPush(msgspec.structs.replace(alone, participants=(open_one,)))
    assert told(OWN, shown) == [shown], "where the site wants agents to know"


def test_an_agent_is_not_told_what_supervisors_may_do_now() -> None:
    before = msgspec.structs.replace(seat("8001"), supervise=(Action.SUPERVISE_READY,))
    after = msgspec.structs.replace(before, supervise=(Action.SUPERVISE_LISTEN,))
    assert told(OWN, SeatPush(before), SeatPush(after)) == [SeatPush(seat("8001"))]


def test_a_message_reaches_its_seat_or_all_of_them() -> None:
    mine, other, everyone = (Message(seat=at, text="好", by="李班长", at_us=1) for at in ("8001", "8002", ""))
    assert told(OWN, mine, other, everyone) == [mine, everyone]
    assert told(Viewer(Role.SUPERVISOR), mine, other, everyone) == [mine, other, everyone]
    assert told(Viewer(Role.WALL), mine, other, everyone) == []


def test_a_wall_gets_neither_pops_nor_numbers() -> None:
    came = told(
        Viewer(Role.WALL),
        Pop("8001", context("a")),
        SeatPush(seat("8001", call="a")),
        Snapshot(conversations=(call("a"),)),
    )
    text = msgspec.json.encode(came).decode()
    assert "13805381234" not in text
    assert "甲" not in text
    assert '"conversation"' not in text
