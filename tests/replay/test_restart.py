"""Every recorded trace with a server that dies in it and comes back later: journal and Asterisk's account
together tell each call once.
"""

from __future__ import annotations

from itertools import combinations_with_replacement

import pytest

from ctiserver.api.history import CallEnded, History, SeatChanged, ThirdPartyChanged
from ctiserver.api.states import SeatState
from ctiserver.model.effects import Record
from ctiserver.model.events import (
    BridgeEntered,
    BridgeLeft,
    CallerLeftQueue,
    CallerQueued,
    Channel,
    ChannelCreated,
    ChannelHungUp,
    Event,
    Member,
    MemberAdded,
    MemberPaused,
    MemberRemoved,
    PhoneChanged,
    Resynced,
    RoomJoined,
    RoomLeft,
    SeatNotAnswered,
    SwitchSnapshot,
)
from ctiserver.model.floor import Floor
from ctiserver.model.memory import remember
from ctiserver.model.reconcile import CelRow, Eyes, reconcile
from ctiserver.model.state import third_party_of
from hotline.moment import Moment
from tests.replay import load
from tests.replay.test_replay import BEGAN_US, IMPATIENT, Timed, events, every_trace

pytestmark = pytest.mark.slow

MONO_US = 1_000_000
PARTING_US = 20_000
PARTS = (BridgeLeft, ChannelHungUp, RoomLeft, SeatNotAnswered)
IN_CALL = (SeatState.RINGING, SeatState.TALKING, SeatState.CONFERENCE)


class Switch:
    """What Asterisk itself knows at a moment of a trace, and what its account (CEL) says by then."""

    def __init__(self) -> None:
        self.channels: dict[str, Channel] = {}
        self.bridges: dict[str, str] = {}
        self.rooms: dict[str, str] = {}
        self.waiting: list[str] = []
        self.members: dict[str, Member] = {}
        self.phones: set[str] = set()
        self.rows: list[CelRow] = []

    def take(self, at: int, event: Event) -> None:
        channel = getattr(event, "channel", None)
        if channel is not None and (channel.uid in self.channels or isinstance(event, ChannelCreated)):
            self.channels[channel.uid] = channel
        match event:
            case Resynced(snapshot):
                self.members = {member.seat: member for member in snapshot.members}
                self.phones = set(snapshot.phones_up)
            case ChannelCreated():
                self.write(at, "CHAN_START", event.channel)
            case BridgeEntered():
                self.bridges[event.channel.uid] = event.bridge
                self.write(at, "BRIDGE_ENTER", event.channel)
            case BridgeLeft():
                self.bridges.pop(event.uid, None)
            case RoomJoined():
                self.rooms[event.channel.uid] = event.room
            case RoomLeft():
                self.rooms.pop(event.uid, None)
            case CallerQueued():
                self.waiting.append(event.channel.uid)
                self.write(at, "APP_START", event.channel, app="Queue")
            case CallerLeftQueue():
                self.waiting.remove(event.uid)
            case ChannelHungUp():
                del self.channels[event.channel.uid]
                self.write(at, "CHAN_END", event.channel)
            case MemberAdded():
                self.members[event.seat] = Member(
                    event.queue, event.seat, event.agent, event.is_paused, event.reason
                )
            case MemberPaused():
                was = self.members[event.seat]
                self.members[event.seat] = Member(
                    was.queue, was.seat, was.agent, event.is_paused, event.reason
                )
            case MemberRemoved():
                del self.members[event.seat]
            case PhoneChanged():
                (self.phones.add if event.is_up else self.phones.discard)(event.seat)

    def write(self, at: int, kind: str, channel: Channel, app: str = "") -> None:
        self.rows.append(
            CelRow(
                at_us=BEGAN_US + at,
                kind=kind,
                uid=channel.uid,
                linkedid=channel.linkedid,
                channel=channel.name,
                number=channel.number,
                name=channel.caller_name,
                exten=channel.exten,
                app=app,
            )
        )

    def look(self) -> SwitchSnapshot:
        return SwitchSnapshot(
            channels=tuple(self.channels.values()),
            bridges=together(self.bridges),
            rooms=together(self.rooms),
            waiting={IMPATIENT.queue: tuple(self.waiting)},
            members=tuple(self.members.values()),
            phones_up=tuple(self.phones),
            up_s=3600,
        )

    def eyes(self) -> Eyes:
        return Eyes(
            node=IMPATIENT.node,
            trunks=IMPATIENT.trunks,
            seats=IMPATIENT.seats,
            agents={member.seat: member.agent for member in self.members.values()},
            live=frozenset(self.channels),
            short_abandon_ms=IMPATIENT.short_abandon_ms,
        )


def together(places: dict[str, str]) -> dict[str, tuple[str, ...]]:
    return {place: tuple(uid for uid in places if places[uid] == place) for place in set(places.values())}


def hear(floor: Floor, told: tuple[Timed, ...], history: list[History]) -> None:
    for at, event in told:
        now = Moment(BEGAN_US + at, MONO_US + at)
        effects = [*floor.step(event, now), *floor.settle(now)]
        history += [effect.event for effect in effects if isinstance(effect, Record)]


def lived(name: str, dies: int, returns: int) -> tuple[list[History], Floor]:
    """The journal of a server that dies before the event `dies` and is back before the event `returns`."""
    whole = events(name)
    history: list[History] = []
    hear(Floor(IMPATIENT), whole[:dies], history)
    switch = Switch()
    for at, event in whole[:returns]:
        switch.take(at, event)
    memory = remember(history, MONO_US - BEGAN_US)
    unseen = reconcile(switch.rows, memory, switch.eyes())
    floor = Floor(IMPATIENT, memory)
    at = whole[min(returns, len(whole) - 1)][0]
    hear(floor, ((at, Resynced(switch.look(), tuple(unseen))), *whole[returns:]), history)
    return history, floor


def of_calls(history: list[History]) -> list[tuple[str, ...]]:
    """What is kept of calls, without times and without what only a watcher can know of third parties."""
    kept = [event for event in history if not isinstance(event, SeatChanged | ThirdPartyChanged)]
    return sorted(
        (
            event.conversation,
            type(event).__name__,
            getattr(event, "leg", ""),
            getattr(event, "agent", ""),
            str(event.outcome) if isinstance(event, CallEnded) else "",
        )
        for event in kept
    )


def moments(name: str) -> list[int]:
    """Where a server dies and comes back: between any two reads but those of one parting.

    A call's channels end one after the other within milliseconds. Who comes back just then finds an ended
    call in the account and its seat still in a channel: that seat's talk time is not kept.
    """
    told = events(name)
    times = [at for at, _ in told]
    ends = [at for at, event in told if isinstance(event, PARTS)]
    return [
        n
        for n in range(1, len(told) + 1)
        if n == len(told) or (times[n] != times[n - 1] and not is_parting(times[n], ends))
    ]


def is_parting(at: int, ends: list[int]) -> bool:
    """Somebody has just hung up, and somebody else is about to."""
    return any(at - PARTING_US < end < at for end in ends) and any(
        at <= end < at + PARTING_US for end in ends
    )


@every_trace
def test_whenever_it_dies_and_comes_back_each_call_is_told_once_and_ends_as_it_did(name: str) -> None:
    whole: list[History] = []
    hear(Floor(IMPATIENT), events(name), whole)
    for dies, returns in combinations_with_replacement(moments(name), 2):
        history, floor = lived(name, dies, returns)
        assert of_calls(history) == of_calls(whole), f"dead from {dies} to {returns}"
        assert floor.open_calls() == []
        assert not [seat.id for seat in floor.snapshot().seats if seat.state in IN_CALL]


@pytest.mark.parametrize("name", [name for name in load.names() if "third" in name or "three" in name])
def test_a_third_party_makes_no_conversation_of_its_own_however_often_one_looks(name: str) -> None:
    switch = Switch()
    for at, event in events(name):
        switch.take(at, event)
        found = reconcile(switch.rows, remember([], 0), switch.eyes())
        assert not [each for each in found if third_party_of(getattr(each, "uid", ""))]
