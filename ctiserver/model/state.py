"""Owns the floor's inner state: legs, calls, seats, lines, and the work list of one step. Changed only by
its neighbours in this package.
"""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from ctiserver.api.history import History
from ctiserver.api.pushes import Push
from ctiserver.api.states import (
    AttemptState,
    Callback,
    CallerContext,
    Conversation,
    LegState,
    Oversight,
    Queue,
    Role,
    Seat,
    SeatState,
)
from ctiserver.model.effects import Effect, Record, SendTo, StartTimer, Tell
from ctiserver.model.figures import COUNTED, MIDNIGHT, Day
from hotline.moment import Moment

WRAP_UP_REASON = "整理"
"""Pause reason that means wrap-up (话后整理): Asterisk keeps it for us across a restart of ours."""
RESERVED_REASON = "保位回呼"
"""Pause reason of a ready seat that is kept for a callback: app_queue shall not be quicker."""
SIGNED_IN_REASON = "签入"
"""Not ready because just signed in."""


LEFT = -1
"""In `Call.known`: the leg talked and has gone, or rang in vain."""


class Rules(msgspec.Struct, frozen=True, kw_only=True):
    """The settings that the model obeys. Times in milliseconds. `directory`: number -> name of every
    third party allowed.
    """

    node: str
    seats: tuple[str, ...]
    trunks: tuple[str, ...]
    softphones: frozenset[str] = frozenset()
    """Seats whose phone is in the page (网页话机)."""
    queue: str
    reasons: tuple[str, ...]
    emergency: tuple[str, ...]
    emergency_routes: tuple[str, ...] = ()
    """Trunks tried in this order for an emergency number; () is the outbound trunk alone."""
    wrap_up_ms: int
    short_abandon_ms: int
    service_level_ms: int
    directory: Mapping[str, str] = {}
    names: Mapping[str, str] = {}
    """agent's number -> name"""
    others: Mapping[str, tuple[str, ...]] = {}
    """number of a unit -> its numbers to be tried when this one fails, in order"""
    outbound: tuple[str, ...] = ()
    """Patterns of outside numbers that agents may call (`may_call`)."""
    queues: Mapping[str, str] = {}
    """number -> name of every queue, the general one (`queue`) among them; empty: there is just that one"""
    skills: Mapping[str, tuple[tuple[str, int], ...]] | None = None
    """agent's number -> the queues they serve, each with its penalty; None: not known (yet)"""
    repeat_within_ms: int = 0
    """who gave up in a queue less than this ago comes first; 0: nobody does"""
    last_agent_within_ms: int = 0
    """who was answered less than this ago goes to the same agent, if free; 0: nobody does"""
    miss_limit: int = 0
    """after so many unanswered rings in a row a seat is put not ready; 0: never"""
    trunk_labels: Mapping[str, str] = {}
    """trunk -> what agents see of the calls that come over it: "110转来" """
    labels: Mapping[str, str] = {}
    """dialled number of a merged line (并入热线) -> what agents see"""
    supervisors: tuple[str, ...] = ()
    """The supervisors' phones."""
    tells_agent: bool = False
    """Agents are shown who listens."""
    area_code: str = ""
    """The city's own, for numbers that were dialled without it."""
    calls_per_agent: int = 0
    """So many citizens an agent may call in a day; 0: any number."""
    calls_per_number: int = 0
    """So often one number may be called in a day; 0: as often as one likes."""
    rest_reasons: tuple[str, ...] = ()
    """Reasons of not ready that need a supervisor's word; (): none does."""
    rest_most: int = 0
    """So many seats may rest for these at once; 0: any number."""
    hours: Mapping[str, tuple[str, str]] = {}
    """queue -> (hours, days) as in the settings, of those that are not always open"""
    callback_tries: int = 3
    """how often a citizen's phone is rung for a callback"""
    callback_retry_ms: int = 600_000
    """pause between two of these"""


class Watch(msgspec.Struct, kw_only=True, gc=False):
    """One supervisor's part in a call, from the command to the end of their leg."""

    n: int
    phone: str = ""
    seat: str = ""
    what: Oversight = Oversight.LISTEN
    """What was asked for, or is done."""
    person: str = ""
    name: str = ""
    why: str = ""
    room: str = ""
    """Where they are to be, when they talk; "" when that was settled before a restart of ours."""
    agent: str = ""
    """Who sat at the seat when it began."""
    noted: Oversight | None = None
    """What the record says is going on, since `since_us`."""
    since_us: int = 0
    is_over: bool = False


class Leg(msgspec.Struct, kw_only=True, gc=False):
    """One channel. `call` is the citizen's Uniqueid; `n` the attempt's number when we called it."""

    uid: str
    channel: str
    role: Role
    call: str
    seat: str = ""
    n: int = 0
    agent: str = ""
    is_up: bool = False
    is_ringing: bool = False
    has_rung: bool = False
    bridge: str = ""
    room: str = ""
    bound: str = ""
    """The room that it was sent to and has not come to yet."""
    conference: str = ""
    """Which of the conferences of the room's name it came into."""
    is_on_hold: bool = False
    """The phone itself holds (话机保持)."""
    is_muted: bool = False
    context: str = ""
    """Where in the dialplan it is; "held" and "held-third" play music."""
    joined_mono: int = 0
    """When it began to talk; 0 before."""
    state: LegState = LegState.WAITING
    since_us: int = 0
    watch: Watch | None = None
    """Of a supervisor."""


class Attempt(msgspec.Struct, kw_only=True, gc=False):
    """One attempt to bring a third party in."""

    n: int
    number: str
    label: str
    is_emergency: bool
    asked_us: int
    state: AttemptState = AttemptState.CALLING
    seat: str = ""
    """The seat that is called; "" for somebody outside."""
    room: str = ""
    """Where they will come to; "" when it was asked for before a restart of ours."""
    shown: str = ""
    """The caller id they see; "" for the hotline's own."""
    trunk: str = ""
    by_seat: str = ""
    by_agent: str = ""
    then: tuple[tuple[str, str], ...] = ()
    """(number, trunk) to try next, in order, when this one fails."""


class GaveUp(msgspec.Struct, frozen=True, gc=False):
    """A caller gave up in a queue: when (monotonic), after how long altogether."""

    at_mono: int
    waited_ms: int


class Spoke(msgspec.Struct, frozen=True, gc=False):
    """An agent (工号) answered a citizen, at a time (UTC)."""

    agent: str
    at_us: int


class KeptPlace(msgspec.Struct, kw_only=True):
    """A citizen who left a queue to be called back (保位回呼), and keeps their place in it.

    `id` is the conversation in which they asked; it may still be saying goodbye to them.
    """

    id: str
    number: str
    """where they are called"""
    caller: str = ""
    """where they called from"""
    queue: str
    since_us: int
    """from when on they count as waiting"""
    asked_us: int
    tries: int = 0
    not_before_us: int = 0
    seat: str = ""
    """the seat that is kept for it, or calls; "" while its turn has not come"""
    call: str = ""
    """the conversation that calls the citizen, "" before"""
    is_answered: bool = False
    """that conversation came about (known before its end was: after a restart of ours)"""
    passed: dict[str, int] = msgspec.field(default_factory=dict)
    """seats that did not pick up -> until when (UTC) others come first"""


class Dialled(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """An agent's own call: when (UTC), whose, to which number."""

    at_us: int
    agent: str
    number: str


class Call(msgspec.Struct, kw_only=True):
    """One conversation, keyed by the citizen's Uniqueid. `*_mono` are 0 until they happen."""

    uid: str
    id: str
    number: str = ""
    name: str = ""
    dnis: str = ""
    label: str = ""
    """what agents see of the merged line that was dialled"""
    started_us: int = 0
    started_mono: int = 0
    queue: str = ""
    queued_us: int = 0
    queued_mono: int = 0
    answered_us: int = 0
    answered_mono: int = 0
    wait_ms: int = 0
    waited_before_ms: int = 0
    """in earlier calls that they gave up, lately"""
    passed_from: str = ""
    """the queue from which a seat passed them on"""
    citizen: str = ""
    """the citizen's leg uid; "" while only other legs were seen"""
    legs: dict[str, Leg] = msgspec.field(default_factory=dict)
    attempts: list[Attempt] = msgspec.field(default_factory=list)
    ringing: dict[str, str] = msgspec.field(default_factory=dict)
    """Seats that rang last and have neither answered nor missed: seat -> its leg's uid."""
    ring_cut: bool = False
    """A ringing leg ended without a no-answer: the caller hung up on it, or somebody else took the call."""
    context: CallerContext | None = None
    is_popped: bool = False
    """A screen has been told of it, even if it ends before it is shown."""
    is_outbound: bool = False
    """The hotline called the citizen (外呼)."""
    by_seat: str = ""
    """Of an outbound call: the seat that calls."""
    is_citizen_called: bool = False
    """Of an outbound call: the citizen's phone has been asked for."""
    ivr_path: str = ""
    """Their way through the IVR (`ctiserver.api.way`)."""
    call_at: str = ""
    """Where they want to be called back if not where they call from."""
    callback: str = ""
    """Of an outbound call that keeps a place: the conversation in which it was asked for."""
    is_recording_paused: bool = False
    is_raised: bool = False
    """A supervisor has put the waiting caller at the head of the line."""
    watches: dict[int, Watch] = msgspec.field(default_factory=dict)
    """Supervisors' parts in it, by number; also those that are over."""
    known: dict[str, int] = msgspec.field(default_factory=dict)
    """Seat legs already kept before a restart of ours: leg uid -> when it began to talk (monotonic), 0 if
    it only rang.
    """


class SeatPlace(msgspec.Struct, kw_only=True):
    """One seat: what we want of it (`agent`, `mode`, `reason`) and what the switch shows (`phone_up`,
    `leg`).
    """

    id: str
    agent: str = ""
    agent_name: str = ""
    mode: SeatState = SeatState.SIGNED_OUT
    """SIGNED_OUT, READY, NOT_READY or WRAP_UP: what holds outside a call"""
    reason: str = ""
    next_mode: SeatState | None = None
    """asked for during a call, to hold after it"""
    next_reason: str = ""
    hand_us: int = 0
    """举手 since then"""
    rest_us: int = 0
    """申请休息 since then, for `rest_reason`"""
    rest_reason: str = ""
    is_leaving: bool = False
    """signed out here, QueueRemove not confirmed yet"""
    queues: dict[str, int] = msgspec.field(default_factory=dict)
    """The queues that it serves, each with its penalty."""
    assigned: dict[str, int] = msgspec.field(default_factory=dict)
    """What a supervisor had it serve until its agent signs out (调配); empty: their skills hold."""
    is_found: bool = False
    """A fresh start found it at work: what it serves and its skills do not say, was assigned before."""
    misses: int = 0
    """Rings in a row that nobody answered."""
    reserved: str = ""
    """The callback that it is kept for: paused in the queues while it is ready."""
    phone_up: bool = False
    leg: str = ""
    shown: tuple[SeatState, str, str] = (SeatState.SIGNED_OUT, "", "")
    since_us: int = 0


class Line(msgspec.Struct, kw_only=True):
    """One queue: who waits (uid -> since), and how many of its seats are shown in each state."""

    name: str
    waiting: dict[str, int] = msgspec.field(default_factory=dict)
    seats_in: dict[SeatState, int] = msgspec.field(default_factory=lambda: dict.fromkeys(SeatState, 0))


class State:
    """Everything that the floor knows, and the work list of the step under way."""

    def __init__(self, rules: Rules) -> None:
        self.rules = rules
        self.linked = False
        self.was_linked = False
        self.seats = {seat: SeatPlace(id=seat) for seat in rules.seats}
        self.calls: dict[str, Call] = {}
        self.legs: dict[str, Leg] = {}
        self.lines = {queue: Line(name=queue) for queue in rules.queues or (rules.queue,)}
        self.day = Day()
        self.gave_up: dict[str, GaveUp] = {}
        """by number, in the order in which they gave up"""
        self.spoke: dict[str, Spoke] = {}
        """by number, who answered last since our start, the oldest first"""
        self.callbacks: dict[str, KeptPlace] = {}
        """those who keep a place in line, by the conversation in which they asked"""
        self.dialled: dict[str, Dialled] = {}
        """Agents' own calls of the day, by conversation."""
        self.now = Moment(0, 0)
        self.effects: list[Effect] = []
        self.dirty_seats: set[str] = set()
        self.dirty_calls: set[str] = set()
        self.dirty_lines: set[str] = set()
        self.dirty_callbacks: set[str] = set()
        self.seat_views: dict[str, Seat] = {}
        self.call_views: dict[str, Conversation] = {}
        self.line_views: dict[str, Queue] = {}
        self.callback_views: dict[str, Callback] = {}
        self.actions_made = 0

    def send(self, ref: str, leg: Leg, context: str, exten: str) -> None:
        """Redirect a leg to another part of the dialplan."""
        leg.bound = exten if context.startswith("room-") else ""
        self.do(SendTo(ref, leg.channel, context, exten))

    def do(self, effect: Effect) -> None:
        """Add to what this step asks of the world."""
        self.effects.append(effect)

    def tell(self, push: Push) -> None:
        """Push to the clients."""
        self.effects.append(Tell(push))

    def record(self, event: History) -> None:
        """Keep for ever, and count."""
        self.effects.append(Record(event))
        count = COUNTED.get(event.__class__)
        if count is not None:
            if self.now.utc_us >= self.day.ends_us:
                self.turn_day()
            changed = count(self.day, event, self.rules.service_level_ms)
            if changed in self.lines:
                self.dirty_lines.add(changed)

    def turn_day(self) -> None:
        """When a new day has begun, all is counted anew; look again when it ends."""
        if self.day.turn(self.now.utc_us):
            self.dirty_lines.update(self.lines)
        self.do(StartTimer(MIDNIGHT, (self.day.ends_us - self.now.utc_us) // 1000 + 1))

    def ref(self, what: str) -> str:
        """A fresh reference for an action: `what` names whom to tell if it fails ("seat:8001",
        "attempt:<call>:<n>").
        """
        self.actions_made += 1
        return f"{what}#{self.actions_made}"

    def touch(self, leg: Leg) -> None:
        """The leg changed: its call and its seat must be shown anew."""
        self.dirty_calls.add(leg.call)
        if leg.seat:
            self.dirty_seats.add(leg.seat)

    def citizen_of(self, call: Call) -> Leg | None:
        """The citizen's leg, when it was seen."""
        return call.legs.get(call.citizen)


def third_party_uid(call: str, n: int) -> str:
    """The Uniqueid that we give to the `n`-th third party of a call."""
    return f"tp-{call}-{n}"


def third_party_of(uid: str) -> tuple[str, int] | None:
    """(call, n) of a third party's Uniqueid, or None when it is not one."""
    return called_for(uid) if uid.startswith("tp-") else None


def seat_call_uid(call: str, n: int) -> str:
    """The Uniqueid that we give to a seat's phone rung for a call's `n`-th attempt; 0 is the agent who calls
    the citizen.
    """
    return f"st-{call}-{n}"


def seat_call_of(uid: str) -> tuple[str, int] | None:
    """(call, n) of a seat's Uniqueid that we gave, or None when the queue rang it."""
    return called_for(uid) if uid.startswith("st-") else None


CALLED_BY_US = ("tp-", "st-", "sp-")
"""How the Uniqueids begin that we give: of third parties, seats, supervisors."""


def called_for(uid: str) -> tuple[str, int] | None:
    """(call, n) of whomever we called for a call, or None for every other Uniqueid."""
    if not uid.startswith(("tp-", "st-")):
        return None
    return _numbered(uid[3:])


def _numbered(text: str) -> tuple[str, int] | None:
    call, _, n = text.rpartition("-")
    return (call, int(n)) if call and n.isdecimal() and len(n) < 6 else None


def supervisor_uid(call: str, n: int) -> str:
    """The Uniqueid that we give to the `n`-th supervisor's phone called for a call."""
    return f"sp-{call}-{n}"


def supervision_of(uid: str) -> tuple[str, int] | None:
    """(call, n) of a supervisor's Uniqueid, or None when it is not one."""
    return _numbered(uid[3:]) if uid.startswith("sp-") else None


def attempt_uid(call: Call, attempt: Attempt) -> str:
    """The Uniqueid of whom the attempt calls."""
    return seat_call_uid(call.uid, attempt.n) if attempt.seat else third_party_uid(call.uid, attempt.n)


def side_room(call: Call) -> str:
    """Where the seat goes while the citizen is held. Not the citizen's room: that one ends when they
    leave it.
    """
    return f"{call.uid}.9"


def is_held(call: Call) -> bool:
    """The citizen hears music."""
    citizen = call.legs.get(call.citizen)
    return citizen is not None and citizen.context == "held"


def third_parties(call: Call) -> list[Leg]:
    """Those from outside who have answered, in the order in which they were called."""
    legs = [leg for leg in call.legs.values() if leg.role is Role.THIRD_PARTY and leg.joined_mono]
    return sorted(legs, key=lambda leg: leg.n)


def companions(call: Call, me: Leg) -> list[Leg]:
    """Everybody but the citizen and `me` who has answered: other seats first, then third parties."""
    if len(call.legs) == 2 and call.citizen in call.legs and me.uid != call.citizen:
        return []
    seats = [leg for leg in call.legs.values() if leg.seat and leg.joined_mono and leg is not me]
    return [*sorted(seats, key=lambda leg: leg.seat), *third_parties(call)]


def is_accompanied(call: Call, me: Leg) -> bool:
    """Somebody else talks in it, and is not parked."""
    return any(leg.context != "held-third" for leg in companions(call, me))


def open_attempt(call: Call) -> Attempt | None:
    """The attempt still being called, if any."""
    for attempt in call.attempts:
        if attempt.state.is_open:
            return attempt
    return None
