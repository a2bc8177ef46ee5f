"""The one writer, with the world around it played by fakes at its ports."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence

import msgspec
import pytest

from ctiserver.api.commands import Actor, Code, Ready, Refusal, SignIn, ThreeWay
from ctiserver.api.history import CallAnswered, CallEnded, CallStarted, History, ThirdPartyChanged
from ctiserver.api.pushes import (
    ContextPush,
    ConversationPush,
    LinkPush,
    Notice,
    Pop,
    Push,
    QueuePush,
    SeatPush,
)
from ctiserver.api.states import AttemptState, CallerContext, SeatState
from ctiserver.model.effects import CallThirdParty, LookUpCaller, MoveToRoom, PauseMember, SwitchEffect
from ctiserver.model.events import (
    BridgeEntered,
    CallerQueued,
    Channel,
    ChannelChanged,
    ChannelCreated,
    ChannelHungUp,
    Event,
    LinkLost,
    Member,
    Resynced,
    SeatRung,
    SwitchSnapshot,
)
from ctiserver.model.reconcile import CelRow
from ctiserver.service import loop
from ctiserver.service.loop import Service
from ctiserver.service.ports import SwitchRefused
from hotline.moment import Moment
from tests.unit.world import RULES

QUEUE, SEAT, AGENT = "12345", "8001", "1001"
HOUSING = "05386991001"
BEGAN_US = 1_700_000_000_000_000
ACTOR = Actor(person=AGENT, name="甲", role="agent", seat=SEAT)
CALLER = Channel("1.1", "PJSIP/city-00000001", "1.1", True, False, "13805381234", "", "from-pstn", QUEUE)
PHONE = Channel("1.2", "PJSIP/8001-00000002", "1.1", False, True, "", "", "from-seat", "")
SIGNED_IN = Resynced(
    SwitchSnapshot(members=(Member(QUEUE, SEAT, AGENT, False, ""),), phones_up=(SEAT,), up_s=3600)
)
TALKING: tuple[Event, ...] = (
    ChannelCreated(CALLER),
    CallerQueued(CALLER, QUEUE),
    ChannelCreated(msgspec.structs.replace(PHONE, is_ringing=False)),
    SeatRung(PHONE, SEAT),
    BridgeEntered(PHONE, "b1"),
    BridgeEntered(CALLER, "b1"),
)


class Around:
    """Everything that the service needs of the world; `log` holds what it was asked, in order."""

    def __init__(self) -> None:
        self.log: list[object] = []
        self.account: list[CelRow] = []
        self.refused: dict[type[object], str] = {}
        self.answers = asyncio.Event()
        self.answers.set()
        self.past: CallerContext | Exception | None = None
        self.looked_up: list[str] = []
        self.looks = 0
        self.utc_us = BEGAN_US

    def __call__(self) -> Moment:
        self.utc_us += 1
        return Moment(self.utc_us, self.utc_us - BEGAN_US + 1_000_000)

    def tell(self, push: Push) -> None:
        self.log.append(push)

    def keep(self, events: Sequence[History]) -> None:
        self.log.extend(events)

    def rows(self) -> list[CelRow]:
        return self.account

    async def perform(self, effect: SwitchEffect) -> None:
        self.log.append(effect)
        await asyncio.sleep(0)
        if type(effect) in self.refused:
            raise SwitchRefused(self.refused[type(effect)])

    async def resync(self) -> None:
        self.looks += 1
        if Resynced in self.refused:
            raise SwitchRefused(self.refused[Resynced])

    def glance(self, asked: LookUpCaller) -> CallerContext:
        return CallerContext(
            conversation=asked.conversation, number=asked.number, masked="138****1234", place="泰安"
        )

    async def look_up(self, asked: LookUpCaller) -> CallerContext | None:
        self.looked_up.append(asked.conversation)
        await self.answers.wait()
        if isinstance(self.past, Exception):
            raise self.past
        return self.past

    def of(self, *kinds: type) -> list:
        return [entry for entry in self.log if isinstance(entry, kinds)]


@pytest.fixture
def around() -> Around:
    return Around()


@pytest.fixture
async def service(around: Around) -> AsyncIterator[Service]:
    """A service whose switch is in sight, with one agent ready; what led there is off the log."""
    made = serve(around)
    made.put(SIGNED_IN)
    await ticks()
    around.log.clear()
    yield made
    await made.stop()


def serve(around: Around, history: list[History] | None = None, wrap_up_ms: int = 60_000) -> Service:
    return Service(
        msgspec.structs.replace(RULES, wrap_up_ms=wrap_up_ms),
        history or [],
        clock=around,
        switch=around,
        audience=around,
        keeper=around,
        memory=around,
        account=around,
    )


def tell(service: Service, events: Sequence[Event]) -> None:
    for event in events:
        service.put(event)


async def ticks(n: int = 8) -> None:
    """Let everything that is ready to run, run."""
    for _ in range(n):
        await asyncio.sleep(0)


async def until(service: Service, state: SeatState) -> None:
    async with asyncio.timeout(5):
        while seat_state(service) is not state:  # noqa: ASYNC110 - the service has no event to wait for
            await asyncio.sleep(0.005)


def seat_state(service: Service) -> SeatState:
    return next(seat.state for seat in service.snapshot().seats if seat.id == SEAT)


async def test_a_pop_goes_out_in_the_tick_of_the_ring_with_all_that_the_number_tells(
    around: Around, service: Service
) -> None:
    tell(service, TALKING[:4])
    (pop,) = around.of(Pop)
    assert (pop.seat, pop.context.place) == (SEAT, "泰安")
    assert around.of(SeatPush, ConversationPush, QueuePush) == []


async def test_what_came_with_one_read_is_shown_once(around: Around, service: Service) -> None:
    tell(service, TALKING)
    await ticks()
    shown = around.of(SeatPush, ConversationPush, QueuePush)
    assert sorted(type(push).__name__ for push in shown) == ["ConversationPush", "SeatPush"]
    assert around.of(SeatPush)[0].seat.state is SeatState.TALKING
    assert seat_state(service) is SeatState.TALKING


async def test_a_queues_figures_are_told_a_few_times_a_second_and_the_last_ones_always(
    around: Around, service: Service
) -> None:
    tell(service, TALKING)
    await ticks()
    service.put(ChannelHungUp(PHONE, 16))
    await ticks()
    assert around.of(QueuePush) == []
    async with asyncio.timeout(5):
        while not around.of(QueuePush):  # noqa: ASYNC110 - nor has the list of pushes
            await asyncio.sleep(0.01)
    (push,) = around.of(QueuePush)
    assert push.queue == service.snapshot().queues[0]


async def test_screens_hear_of_a_look_at_once_and_how_things_look_comes_after_what_must_be_done(
    around: Around,
) -> None:
    service = serve(around)
    around.account = unseen_call()
    service.put(SIGNED_IN)
    tell(service, TALKING)
    await ticks()
    kinds = [type(entry) for entry in around.log]
    assert kinds.index(LinkPush) < kinds.index(CallStarted)
    around.log.clear()
    service.put(ChannelHungUp(PHONE, 16))
    await ticks()
    asked = [type(entry).__name__ for entry in around.log if not isinstance(entry, QueuePush)]
    assert asked == ["SeatLeft", "PauseMember", "ConversationPush", "SeatPush", "SeatChanged"]
    await service.stop()


async def test_a_command_has_been_shown_when_its_answer_comes(around: Around, service: Service) -> None:
    tell(service, TALKING)
    answer = await service.command(ACTOR, ThreeWay(HOUSING), "k1")
    assert answer == {"conversation": "n1-1.1", "n": "1"}
    assert around.of(ConversationPush)[-1].conversation.attempts[0].state is AttemptState.CALLING
    told = len(around.of(SeatPush, ConversationPush, QueuePush))
    await ticks()
    assert len(around.of(SeatPush, ConversationPush, QueuePush)) == told


async def test_a_refused_command_asks_nothing_of_the_switch(around: Around, service: Service) -> None:
    answer = await service.command(ACTOR, ThreeWay(HOUSING), "k1")
    assert isinstance(answer, Refusal)
    assert answer.code is Code.SEAT_NOT_TALKING
    await ticks()
    assert around.log == []


async def test_the_third_party_is_called_when_the_room_stands(around: Around, service: Service) -> None:
    tell(service, TALKING)
    await service.command(ACTOR, ThreeWay(HOUSING), "k1")
    await ticks()
    moved, called = around.of(MoveToRoom, CallThirdParty)
    assert isinstance(moved, MoveToRoom)
    assert (called.uid, called.number, called.room) == ("tp-1.1-1", HOUSING, "1.1")


async def test_nobody_is_called_into_a_room_that_the_switch_refused(around: Around, service: Service) -> None:
    around.refused[MoveToRoom] = "Redirect failed"
    tell(service, TALKING)
    await service.command(ACTOR, ThreeWay(HOUSING), "k1")
    await ticks()
    assert around.of(CallThirdParty) == []
    assert [change.state for change in around.of(ThirdPartyChanged)] == [AttemptState.UNREACHABLE]
    assert [notice.seat for notice in around.of(Notice)] == [SEAT]
    assert seat_state(service) is SeatState.TALKING


async def test_a_refused_action_of_one_seat_holds_nobody_else_up(around: Around, service: Service) -> None:
    around.refused[PauseMember] = "No such member"
    tell(service, TALKING)
    tell(service, [ChannelHungUp(PHONE, 16), ChannelHungUp(CALLER, 16)])
    await ticks()
    assert [notice.seat for notice in around.of(Notice)] == [SEAT]
    around.refused.clear()
    other = msgspec.structs.replace(ACTOR, person="1002", seat="8002")
    assert await service.command(other, SignIn(ready=True), "k2") == {}


async def test_wrap_up_ends_by_itself(around: Around) -> None:
    service = serve(around, wrap_up_ms=30)
    tell(service, [SIGNED_IN, *TALKING, ChannelHungUp(PHONE, 16), ChannelHungUp(CALLER, 16)])
    await until(service, SeatState.WRAP_UP)
    await until(service, SeatState.READY)
    assert [pause.is_paused for pause in around.of(PauseMember)] == [True, False]
    await service.stop()


async def test_a_wrap_up_that_the_agent_ended_does_not_end_again(around: Around) -> None:
    service = serve(around, wrap_up_ms=30)
    tell(service, [SIGNED_IN, *TALKING, ChannelHungUp(PHONE, 16), ChannelHungUp(CALLER, 16)])
    await ticks()
    assert await service.command(ACTOR, Ready(), "k1") == {}
    await asyncio.sleep(0.06)
    assert [pause.is_paused for pause in around.of(PauseMember)] == [True, False]
    await service.stop()


async def test_a_late_answer_of_the_database_follows_the_pop(around: Around, service: Service) -> None:
    around.answers.clear()
    tell(service, TALKING)
    await ticks()
    assert not around.of(Pop)[0].context.is_complete
    around.past = CallerContext(
        conversation="n1-1.1", number="13805381234", masked="138****1234", is_complete=True
    )
    around.answers.set()
    await ticks()
    assert around.of(ContextPush)[-1].context.is_complete
    assert service.snapshot().contexts[0].is_complete


async def test_an_answer_after_the_call_is_told_to_nobody(around: Around, service: Service) -> None:
    around.answers.clear()
    tell(service, [*TALKING, ChannelHungUp(CALLER, 16), ChannelHungUp(PHONE, 16)])
    await ticks()
    around.log.clear()
    around.past = CallerContext(conversation="n1-1.1", number="", masked="", is_complete=True)
    around.answers.set()
    await ticks()
    assert around.log == []


@pytest.mark.parametrize("past", [None, RuntimeError("no such table")], ids=["late", "broken"])
async def test_without_the_database_calls_go_on(
    around: Around, service: Service, past: Exception | None
) -> None:
    around.past = past
    tell(service, TALKING)
    await ticks()
    assert around.looked_up
    tell(service, [ChannelHungUp(PHONE, 16), ChannelHungUp(CALLER, 16)])
    await ticks()
    assert len(around.of(CallEnded)) == 1
    assert service.snapshot().conversations == ()


async def test_many_doubts_are_one_look_at_the_switch(
    around: Around, service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(loop, "RESYNC_PAUSE_S", 0.02)
    for n in range(3):
        service.put(ChannelChanged(msgspec.structs.replace(PHONE, uid=f"2.{n}", linkedid=f"1.{n}")))
    await asyncio.sleep(0.06)
    assert around.looks == 1
    around.refused[Resynced] = "Permission denied"
    service.put(ChannelChanged(msgspec.structs.replace(PHONE, uid="3.1", linkedid="3.0")))
    await asyncio.sleep(0.06)
    assert around.looks == 2


async def test_a_doubt_without_a_link_waits_for_the_next_connect(
    around: Around, service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(loop, "RESYNC_PAUSE_S", 0.02)
    service.put(ChannelChanged(msgspec.structs.replace(PHONE, uid="2.1", linkedid="2.0")))
    service.put(LinkLost())
    await asyncio.sleep(0.05)
    assert around.looks == 0


def unseen_call() -> list[CelRow]:
    return [
        CelRow(
            at_us=BEGAN_US - 60_000_000 + at,
            kind=kind,
            uid="0.1",
            linkedid="0.1",
            channel="PJSIP/city-00000009",
            number="13805380000",
            name="",
            exten=QUEUE,
            app="",
        )
        for at, kind in enumerate(("CHAN_START", "CHAN_END"))
    ]


async def test_what_the_switch_wrote_down_is_kept_once_however_often_we_look(around: Around) -> None:
    around.account = unseen_call()
    service = serve(around)
    service.put(SIGNED_IN)
    service.put(LinkLost())
    service.put(SIGNED_IN)
    assert [type(event) for event in around.of(CallStarted, CallEnded)] == [CallStarted, CallEnded]
    await service.stop()


async def test_a_call_seen_to_its_end_is_not_found_again_in_the_switchs_account(
    around: Around, service: Service
) -> None:
    tell(service, [*TALKING, ChannelHungUp(PHONE, 16), ChannelHungUp(CALLER, 16)])
    around.account = [msgspec.structs.replace(row, uid="1.1", linkedid="1.1") for row in unseen_call()]
    service.put(SIGNED_IN)
    assert len(around.of(CallStarted)) == len(around.of(CallEnded)) == 1


async def test_a_restarted_service_answers_no_call_twice(around: Around, service: Service) -> None:
    tell(service, TALKING)
    history = around.of(History)
    found = SwitchSnapshot(
        channels=(CALLER, msgspec.structs.replace(PHONE, is_up=True, is_ringing=False)),
        bridges={"b1": ("1.1", "1.2")},
        members=SIGNED_IN.snapshot.members,
        phones_up=(SEAT,),
        up_s=3600,
    )
    again = serve(around, history)
    again.put(Resynced(found))
    await ticks()
    assert seat_state(again) is SeatState.TALKING
    assert len(around.of(CallStarted)) == len(around.of(CallAnswered)) == len(around.of(Pop)) == 1
    await again.stop()


async def test_stopping_ends_timers_look_ups_and_doubts(
    around: Around, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(loop, "RESYNC_PAUSE_S", 0.02)
    service = serve(around, wrap_up_ms=20)
    around.answers.clear()
    tell(service, [SIGNED_IN, *TALKING, ChannelHungUp(PHONE, 16)])
    await ticks()
    service.put(ChannelChanged(msgspec.structs.replace(PHONE, uid="2.1", linkedid="2.0")))
    await service.stop()
    around.log.clear()
    await asyncio.sleep(0.06)
    assert around.log == []
    assert around.looks == 0
    assert asyncio.all_tasks() == {asyncio.current_task()}
