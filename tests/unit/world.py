"""Owns a small world that behaves as Asterisk does towards the model: it does effects and tells events and
snapshots.

It stands in for nothing in the running system; integration tests use the real switch. Here it makes
thousands of odd
histories a second possible.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import msgspec

from ctiserver.api.commands import Actor
from ctiserver.api.history import History
from ctiserver.api.pushes import Alarm, Notice, Pop, Seen
from ctiserver.api.states import CallerContext, Contact
from ctiserver.model.callbacks import AGREED
from ctiserver.model.effects import (
    AddMember,
    CallSeat,
    CallSupervisor,
    CallThirdParty,
    ChangePenalty,
    Effect,
    HangUpChannel,
    MoveToRoom,
    PauseMember,
    RaiseCaller,
    Record,
    RemoveMember,
    SendTo,
    StartTimer,
    StopTimer,
    Tell,
)
from ctiserver.model.events import (
    BridgeEntered,
    BridgeLeft,
    CallerLeftQueue,
    CallerQueued,
    Channel,
    ChannelChanged,
    ChannelCreated,
    ChannelHungUp,
    ContextFound,
    Event,
    Member,
    MemberAdded,
    MemberPaused,
    MemberRemoved,
    OriginateFailed,
    PhoneChanged,
    Resynced,
    RoomJoined,
    RoomLeft,
    SeatNotAnswered,
    SeatRung,
    SwitchSnapshot,
    TimerFired,
)
from ctiserver.model.floor import Floor
from ctiserver.model.state import Rules
from hotline.moment import Moment
from tests.unit.time_sheet import Screen

QUEUE = "12345"
RULES = Rules(
    node="n1",
    seats=("8001", "8002", "8003"),
    trunks=("city",),
    queue=QUEUE,
    reasons=("小休", "用餐"),
    emergency=("110", "119", "120", "122"),
    wrap_up_ms=60_000,
    short_abandon_ms=5_000,
    service_level_ms=15_000,
    directory={"05386991001": "市住建局", "05386991002": "市城管局"},
    names={"1001": "甲", "1002": "乙", "1003": "丙"},
    outbound=("1ZXXXXXXXXX",),
    supervisors=("8901", "8902"),
)

ENTERPRISE = "12346"
SKILLED = msgspec.structs.replace(
    RULES,
    queues={QUEUE: "综合", ENTERPRISE: "企业专席"},
    skills={"1002": ((QUEUE, 1), (ENTERPRISE, 0)), "1003": ((ENTERPRISE, 0),)},
    labels={"12319": "经12319并入"},
)
"""Two queues: 1001 serves the general one, 1002 both, 1003 the enterprises' alone."""


@dataclass
class Leg:
    """A channel in the world."""

    channel: Channel
    seat: str = ""
    citizen: str = ""
    bridge: str = ""
    room: str = ""
    wanted: str = ""
    """the room that somebody whom we called will enter"""
    spied: str = ""
    """Of a supervisor: the channel whose sound they may hear."""
    goes_to: tuple[str, str] = ("", "")
    """Of a supervisor who is called: context and extension."""


@dataclass
class World:
    """The switch, and the floor that watches it."""

    rules: Rules = RULES
    utc_us: int = 1_700_000_000_000_000
    count: int = 0
    legs: dict[str, Leg] = field(default_factory=dict)
    memberships: dict[tuple[str, str], Member] = field(default_factory=dict)
    """(queue, seat) -> how it serves it"""
    waiting: list[str] = field(default_factory=list)
    waits_in: dict[str, str] = field(default_factory=dict)
    """who waits -> in which queue"""
    phones: set[str] = field(default_factory=set)
    timers: set[str] = field(default_factory=set)
    history: list[History] = field(default_factory=list)
    seen: Seen = field(default_factory=Seen)
    pops: list[tuple[str, str]] = field(default_factory=list)
    notices: list[Notice] = field(default_factory=list)
    alarms: list[Alarm] = field(default_factory=list)
    refs: list[Effect] = field(default_factory=list)
    trunk_is_down: bool = False
    is_flooded: bool = False
    """Events come so fast that nothing is shown in between."""

    def __post_init__(self) -> None:
        self.screen = Screen(self.utc_us)
        """What the seats' screens have shown, and for how long."""
        self.floor = Floor(self.rules)
        self.seen.apply(self.floor.snapshot())
        self.feed(Resynced(self.snapshot()))
        self.feed(*[self.phone(seat, True) for seat in self.rules.seats])

    def now(self) -> Moment:
        self.utc_us += 1_000
        return Moment(self.utc_us, self.utc_us - 1_600_000_000_000_000)

    def pass_time(self, seconds: float) -> None:
        self.utc_us += int(seconds * 1_000_000)

    def feed(self, *events: Event) -> None:
        for event in events:
            self.take(self.floor.step(event, self.now()))
        if not self.is_flooded:
            self.settle()

    def change_rules(self, rules: Rules) -> None:
        self.rules = rules
        self.take(self.floor.change_rules(rules, self.now()))
        self.settle()

    def settle(self) -> None:
        self.take(self.floor.settle(self.now()), is_shown=True)

    def ask(self, seat: str, agent: str, command: object) -> object:
        actor = Actor(person=agent, name=self.rules.names.get(agent, ""), role="agent", seat=seat)
        answer, effects = self.floor.command(actor, command, self.now())  # type: ignore[arg-type]
        self.take(effects)
        self.settle()
        return answer

    def oversee(self, command: object, phone: str = "8901", role: str = "supervisor") -> object:
        actor = Actor(person="9001", name="李班长", role=role, seat=phone)
        answer, effects = self.floor.command(actor, command, self.now())  # type: ignore[arg-type]
        self.take(effects)
        self.settle()
        return answer

    def take(self, effects: list[Effect], *, is_shown: bool = False) -> None:
        follow: list[Event] = []
        for effect in effects:
            match effect:
                case Tell(push):
                    self.seen.apply(push)
                    if isinstance(push, Pop):
                        self.pops.append((push.seat, push.context.conversation))
                    elif isinstance(push, Notice):
                        self.notices.append(push)
                    elif isinstance(push, Alarm):
                        self.alarms.append(push)
                case Record(event):
                    self.history.append(event)
                case StartTimer(key):
                    self.timers.add(key)
                case StopTimer(key):
                    self.timers.discard(key)
                case _:
                    self.refs.append(effect)
                    follow += self.do(effect)
        if is_shown:
            self.screen.look(self.seen.seats, self.utc_us)
        if follow:
            self.feed(*follow)

    def do(self, effect: Effect) -> list[Event]:
        match effect:
            case AddMember(_, queue, seat, agent, is_paused, reason, penalty):
                if (queue, seat) in self.memberships:
                    return []
                self.memberships[queue, seat] = Member(queue, seat, agent, is_paused, reason, penalty)
                return [MemberAdded(queue, seat, agent, is_paused, reason, penalty)]
            case RemoveMember(_, queue, seat):
                return [MemberRemoved(queue, seat)] if self.memberships.pop((queue, seat), None) else []
            case ChangePenalty(_, queue, seat, penalty):
                old = self.memberships[queue, seat]
                self.memberships[queue, seat] = msgspec.structs.replace(old, penalty=penalty)
            case PauseMember(_, seat, is_paused, reason):
                return self.pause(seat, is_paused, reason)
            case MoveToRoom(_, citizen, seat, room, holds):
                both = (self.named(citizen), self.named(seat))
                if both[0] is None or both[1] is None:
                    return []
                place = ("held", holds) if holds else ("room-citizen", room)
                return [
                    *self.send(both[0], *place, alone=False),
                    *self.send(both[1], "room-seat", room, alone=False),
                ]
            case CallThirdParty(_, uid, number, room, _, _, context) if not self.trunk_is_down:
                name = f"PJSIP/city-{self.fresh():08x}"
                shown = number if context == "room-called" else ""
                channel = Channel(uid, name, uid, False, False, shown, "", context, "")
                self.legs[uid] = Leg(channel, wanted=room)
                return [ChannelCreated(channel)]
            case CallThirdParty(uid=uid, context="room-called"):
                return [OriginateFailed(uid, 0)]
            case CallSeat(_, uid, seat, room, _, context):
                citizen = uid[3:].rpartition("-")[0]
                channel = Channel(
                    uid, f"PJSIP/{seat}-{self.fresh():08x}", uid, False, False, "", "", context, ""
                )
                self.legs[uid] = Leg(channel, seat=seat, citizen=citizen, wanted=room)
                return [ChannelCreated(channel), ChannelChanged(self.change(uid, is_ringing=True))]
            case CallSupervisor(_, uid, phone, context, exten, spied):
                name = f"PJSIP/{phone}-{self.fresh():08x}"
                channel = Channel(uid, name, uid, False, False, "", "", "from-seat", "")
                self.legs[uid] = Leg(channel, spied=spied, goes_to=(context, exten))
                return [ChannelCreated(channel), ChannelChanged(self.change(uid, is_ringing=True))]
            case RaiseCaller(_, _, channel, _):
                leg = self.named(channel)
                if leg is not None and leg.channel.uid in self.waiting:
                    self.waiting.remove(leg.channel.uid)
                    self.waiting.insert(0, leg.channel.uid)
                return []
            case SendTo(_, channel, context, exten):
                leg = self.named(channel)
                return self.send(leg, context, exten) if leg is not None else []
            case HangUpChannel(_, channel):
                leg = self.named(channel)
                return self.hang_up(leg.channel.uid) if leg is not None else []
        return []

    def pause(self, seat: str, is_paused: bool, reason: str) -> list[Event]:
        """In every queue at once, told for each that changes."""
        told: list[Event] = []
        for old in [member for member in self.memberships.values() if member.seat == seat]:
            if (old.is_paused, old.reason) != (is_paused, reason):
                changed = msgspec.structs.replace(old, is_paused=is_paused, reason=reason)
                self.memberships[old.queue, seat] = changed
                told.append(MemberPaused(old.queue, seat, is_paused, reason))
        return told

    @property
    def members(self) -> dict[str, Member]:
        """One membership of each seat that has any."""
        return {member.seat: member for member in self.memberships.values()}

    def fresh(self) -> int:
        self.count += 1
        return self.count

    def named(self, name: str) -> Leg | None:
        return next((leg for leg in self.legs.values() if leg.channel.name == name), None)

    def change(self, uid: str, *, is_up: bool = False, is_ringing: bool = False) -> Channel:
        leg = self.legs[uid]
        old = leg.channel
        leg.channel = Channel(
            old.uid,
            old.name,
            old.linkedid,
            is_up,
            is_ringing,
            old.number,
            old.caller_name,
            old.context,
            old.exten,
        )
        return leg.channel

    def phone(self, seat: str, is_up: bool) -> Event:
        (self.phones.add if is_up else self.phones.discard)(seat)
        return PhoneChanged(seat, is_up)

    def citizens(self) -> list[str]:
        return [
            uid
            for uid, leg in self.legs.items()
            if leg.channel.linkedid == uid and not uid.startswith(("tp-", "st-", "sp-"))
        ]

    def dialled_by(self) -> dict[str, str]:
        """Citizens' Uniqueids -> the seat's leg that calls them."""
        return {
            leg.citizen: uid for uid, leg in self.legs.items() if uid.startswith("st-") and uid.endswith("-0")
        }

    def thirds(self) -> list[str]:
        return [uid for uid in self.legs if uid.startswith("tp-")]

    def supervisors(self) -> list[str]:
        return [uid for uid in self.legs if uid.startswith("sp-")]

    def called(self) -> list[str]:
        """Whoever we called and has not answered: third parties, seats, citizens."""
        return [uid for uid, leg in self.legs.items() if leg.wanted and not leg.room]

    def seat_legs(self) -> list[str]:
        return [uid for uid, leg in self.legs.items() if leg.seat]

    def free_seats(self, queue: str = QUEUE) -> list[str]:
        busy = {leg.seat for leg in self.legs.values()}
        return [
            member.seat
            for member in self.memberships.values()
            if member.queue == queue
            and not member.is_paused
            and member.seat not in busy
            and member.seat in self.phones
        ]

    def call(self, number: str = "13805381234", name: str = "", dnis: str = QUEUE) -> str:
        n = self.fresh()
        uid = f"1700000000.{n}"
        channel = Channel(uid, f"PJSIP/city-{n:08x}", uid, False, False, number, name, "from-pstn", dnis)
        self.legs[uid] = Leg(channel)
        self.feed(ChannelCreated(channel), ChannelChanged(self.change(uid, is_up=True)))
        return uid

    def queue(self, uid: str, queue: str = QUEUE) -> None:
        leg = self.legs[uid]
        leg.channel = msgspec.structs.replace(leg.channel, context="queue")
        self.join_line(uid, queue)
        self.feed(CallerQueued(leg.channel, queue))

    def join_line(self, uid: str, queue: str) -> None:
        self.waiting.append(uid)
        self.waits_in[uid] = queue

    def press_key(self, uid: str) -> None:
        """The key for a callback: out of the line, to the place where the CTI server decides."""
        leg = self.legs[uid]
        left = self.leave_line(leg.channel)
        leg.channel = msgspec.structs.replace(leg.channel, context="callback")
        self.feed(*left, ChannelChanged(leg.channel))

    def spoke_with(self, uid: str, agent: str, hours: float = 1, how: str = "answered") -> None:
        """The database tells of one earlier call of the citizen's, so many hours ago."""
        earlier = Contact(
            conversation="n1-1",
            at_us=self.utc_us - int(hours * 3_600_000_000),
            outcome=how,
            agent=agent,
            talk_ms=60_000,
        )
        number = self.legs[uid].channel.number
        known = CallerContext(
            conversation=f"n1-{uid}", number=number, masked="", contacts=(earlier,), is_complete=True
        )
        self.feed(ContextFound(known))

    def stop_before_queue(self, uid: str, queue: str = QUEUE) -> None:
        """On the way to a queue: the place where who spoke with an agent lately stops."""
        leg = self.legs[uid]
        leg.channel = msgspec.structs.replace(leg.channel, context="last-agent")
        self.feed(ChannelChanged(msgspec.structs.replace(leg.channel, exten=queue)))

    def leave_line(self, channel: Channel) -> list[Event]:
        if channel.uid not in self.waits_in:
            return []
        self.waiting.remove(channel.uid)
        return [CallerLeftQueue(channel.uid, self.waits_in.pop(channel.uid))]

    def ring(self, uid: str, seat: str) -> str:
        n = self.fresh()
        leg_uid = f"1700000000.{n}"
        channel = Channel(leg_uid, f"PJSIP/{seat}-{n:08x}", uid, False, False, "", "", "from-seat", "")
        self.legs[leg_uid] = Leg(channel, seat=seat, citizen=uid)
        self.feed(ChannelCreated(channel), SeatRung(channel, seat))
        if leg_uid in self.legs:
            self.feed(ChannelChanged(self.change(leg_uid, is_ringing=True)))
        return leg_uid

    def answer(self, leg_uid: str) -> None:
        leg = self.legs[leg_uid]
        citizen = self.legs[leg.citizen]
        bridge = f"b{self.fresh()}"
        left = self.leave_line(citizen.channel)
        leg.bridge = citizen.bridge = bridge
        self.feed(
            ChannelChanged(self.change(leg_uid, is_up=True)),
            *left,
            BridgeEntered(leg.channel, bridge),
            BridgeEntered(citizen.channel, bridge),
        )

    def miss(self, leg_uid: str) -> None:
        leg = self.legs.pop(leg_uid)
        self.feed(ChannelHungUp(leg.channel, 0), SeatNotAnswered(self.legs[leg.citizen].channel, leg.seat))

    def send(self, leg: Leg, context: str, exten: str, *, alone: bool = True) -> list[Event]:
        """Redirect: leave where one is and go there. A citizen alone takes bridge or room along."""
        events: list[Event] = []
        bridge, room, uid = leg.bridge, leg.room, leg.channel.uid
        leg.bridge = leg.room = ""
        leg.channel = msgspec.structs.replace(
            leg.channel, context="queue" if context == "requeue" else context
        )
        if bridge:
            events.append(BridgeLeft(leg.channel.uid, bridge))
        if room:
            events.append(RoomLeft(leg.channel.uid, room))
        if uid in self.waiting:
            events += self.leave_line(leg.channel)
            for other_uid, other in list(self.legs.items()):
                if other.citizen == uid and not other.wanted and not other.bridge:
                    events += self.hang_up(other_uid)
        for other_uid, other in list(self.legs.items()):
            if (
                alone
                and other is not leg
                and ((bridge and other.bridge == bridge) or (room == uid == other.room))
            ):
                events += self.hang_up(other_uid)
        if context == "farewell":
            return [*events, *self.hang_up(uid)]
        if context.startswith("room-"):
            leg.room = exten
            return [*events, RoomJoined(leg.channel, exten)]
        if context.startswith("spy-") and self.named(leg.spied) is None:
            return [*events, *self.hang_up(uid)]
        if context.startswith(("held", "spy-", "rating")):
            return [*events, ChannelChanged(leg.channel)]
        if context == AGREED:
            return events
        leg.channel = msgspec.structs.replace(leg.channel, context="queue")
        self.join_line(uid, exten)
        return [*events, CallerQueued(leg.channel, exten)]

    def supervisor_answers(self, uid: str) -> None:
        leg = self.legs[uid]
        self.feed(ChannelChanged(self.change(uid, is_up=True)))
        if uid in self.legs:
            self.feed(*self.send(leg, *leg.goes_to))

    def third_rings(self, uid: str) -> None:
        self.feed(ChannelChanged(self.change(uid, is_ringing=True)))

    def third_answers(self, uid: str) -> None:
        channel = self.change(uid, is_up=True)
        room = self.legs[uid].room = self.legs[uid].wanted
        self.feed(ChannelChanged(channel), RoomJoined(channel, room))

    def hang_up(self, uid: str, cause: int = 16) -> list[Event]:
        """What Asterisk tells when a channel ends; the citizen's end takes bridge and room along."""
        leg = self.legs.pop(uid, None)
        if leg is None:
            return []
        events: list[Event] = []
        events += self.leave_line(leg.channel)
        if leg.bridge:
            events.append(BridgeLeft(leg.channel.uid, leg.bridge))
        if leg.room:
            events.append(RoomLeft(leg.channel.uid, leg.room))
        events.append(ChannelHungUp(leg.channel, cause))
        for other_uid, other in list(self.legs.items()):
            rung_by_queue = other.citizen == uid and not other.wanted
            is_spying = other.spied == leg.channel.name and other.channel.context.startswith("spy-")
            ends = (
                rung_by_queue
                or is_spying
                or (leg.bridge and other.bridge == leg.bridge)
                or (other.room == uid)
            )
            if ends:
                events += self.hang_up(other_uid)
        return events

    def snapshot(self) -> SwitchSnapshot:
        bridges: dict[str, tuple[str, ...]] = {}
        rooms: dict[str, tuple[str, ...]] = {}
        for uid, leg in self.legs.items():
            if leg.bridge:
                bridges[leg.bridge] = (*bridges.get(leg.bridge, ()), uid)
            if leg.room:
                rooms[leg.room] = (*rooms.get(leg.room, ()), uid)
        return SwitchSnapshot(
            channels=tuple(leg.channel for leg in self.legs.values()),
            bridges=bridges,
            rooms=rooms,
            waiting={
                queue: tuple(uid for uid in self.waiting if self.waits_in[uid] == queue)
                for queue in set(self.waits_in.values())
            },
            members=tuple(self.memberships.values()),
            phones_up=tuple(self.phones),
            up_s=3600,
        )

    def fire(self, key: str) -> None:
        self.timers.discard(key)
        self.feed(TimerFired(key))
