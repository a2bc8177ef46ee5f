"""Owns the life of a case (工单): which move is possible in which state, and what becomes of it. Pure."""

from __future__ import annotations

from typing import Any, assert_never

import msgspec

from casework import moves as m
from casework.allowed import barred
from casework.deadlines import (
    PROFILES,
    Calendar,
    Light,
    NoCalendarYear,
    ProfileName,
    WorkingDays,
    ends_us,
)
from casework.lights import next_turn_us
from casework.moves import Move
from casework.visits import VISITED_IN, Attempt, due_us, hindrance, is_given_up
from casework.words import (
    FINISHED,
    PLATFORM,
    CaseState,
    Ending,
    Kind,
    Level,
    Refusal,
    Trigger,
)

TITLE_LIMIT = 120
TEXT_LIMIT = 20_000
NAME_LIMIT = 60
TIERS = 4
_MOST_A_DAY = 10_000_000
RETURN_DAYS, EXTENSION_DAYS = WorkingDays(1), WorkingDays(2)
"""How long after receipt a return or an extension may be asked for."""
SUPERVISION_DAYS = {
    Level.INTERNAL: WorkingDays(3),
    Level.ESCALATED: WorkingDays(5),
    Level.MEDIA: WorkingDays(5),
    Level.DISCIPLINE: WorkingDays(10),
}
"""Until when supervision wants its answer; the house's own, for no document says."""


class Request(msgspec.Struct, frozen=True):
    """What a unit has asked of the tier above: a return, or an extension to `due_us`."""

    is_return: bool
    due_us: int = 0


class Supervision(msgspec.Struct, frozen=True):
    """督办 that is not yet discharged: how high, why, and until when an answer is due."""

    level: Level
    trigger: Trigger
    due_us: int


class Case(msgspec.Struct, frozen=True, kw_only=True):
    """A case as it stands. `citizen` is the number's canonical form (`CallerNumber.key`) or empty."""

    id: str
    number: str
    """What the citizen is told: day and count, 20261124-0001."""
    citizen: str
    title: str
    text: str
    unit: str
    """The unit that has the case; before the dispatch the one that the agent suggests."""
    conversation: str
    created_us: int
    state: CaseState = CaseState.INTAKE
    closed_us: int = 0
    urged: int = 0
    """How often the citizen has asked again (催办)."""
    kind: Kind = Kind.HELP
    topic: str = ""
    place: str = ""
    is_secret: bool = False
    profile: ProfileName = ProfileName.ONE_DAY
    chain: tuple[str, ...] = (PLATFORM,)
    """From the platform down to the unit that has the case."""
    assisting: tuple[str, ...] = ()
    is_first_assigned: bool = False
    received_us: int = 0
    """When the unit that has the case got it."""
    accept_due_us: int = 0
    due_us: int = 0
    """When the unit must have replied; 0 before the dispatch. Moved by a recorded grant or order alone."""
    since_us: int = 0
    """When the order came that `due_us` belongs to."""
    asked: Request | None = None
    is_return_refused: bool = False
    sent: int = 0
    """How often it was sent out: dispatched, given to another unit, sent back for rework."""
    returned: int = 0
    reworked: int = 0
    unsatisfied: int = 0
    replier: str = ""
    attempts: tuple[Attempt, ...] = ()
    """Visits that reached nobody, since the last reply."""
    visited: m.Visited | None = None
    """What the citizen said of the last reply."""
    visit_due_us: int = 0
    """When the citizen is to be called and asked; 0 for not."""
    visit_warned_us: int = 0
    """The `visit_due_us` that was not kept and has been warned of."""
    ending: Ending = Ending.NONE
    master: str = ""
    supervision: Supervision | None = None
    triggers: tuple[str, ...] = ()
    """What has started supervision already, so that each cause does it once."""
    handed: tuple[str, ...] = ()
    """The hand-overs to emergency services that are entered: `HandOver.key` of each."""
    warned: Light = Light.GREEN
    """The last warning about the deadline `warned_due_us`."""
    warned_due_us: int = 0
    wake_us: int = 0
    """When the clock has something to say about this case; 0 for never."""

    @property
    def is_open(self) -> bool:
        """Whether anything remains to be done."""
        return self.state not in FINISHED


def check_new(title: str, text: str, *names: str) -> Refusal | None:
    """Why a case cannot be opened with these words, or None; `names` are its unit, topic and place."""
    if not title.replace("\0", "").strip():
        return Refusal.NO_TITLE
    if len(title) > TITLE_LIMIT or len(text) > TEXT_LIMIT or max(map(len, names), default=0) > NAME_LIMIT:
        return Refusal.TOO_LONG
    return None


def case_number(day: str, count: int) -> str:
    """The number of the `count`-th case of a day (20261124)."""
    return f"{day}-{count:04}"


def place_of(number: str) -> int:
    """Where a case stands among all others by its number, which grows from day to day."""
    day, _, count = number.partition("-")
    return day_place(day) + int(count)


def day_place(day: str) -> int:
    """The place before the first case of a day (20261124); the next day's is beyond its last."""
    return int(day) * _MOST_A_DAY


def step(case: Case, move: Move, now_us: int, calendar: Calendar) -> Case | Refusal:
    """The case after the move, or why there is no such move now."""
    refusal = _objection(case, move)
    if refusal is not None:
        return refusal
    try:
        after = _after(case, move, now_us, calendar)
        if isinstance(after, Refusal):
            return after
        if after.state not in VISITED_IN or after.visited is not None:
            after = _with(after, visit_due_us=0)
        return _with(after, wake_us=next_turn_us(after, calendar))
    except NoCalendarYear:
        return Refusal.NO_CALENDAR


def is_late(case: Case, move: Move, now_us: int) -> bool:
    """Whether the move on this case comes after its deadline. Kept with the move; scores count it."""
    match move:
        case m.Dispatch():
            dispatch = PROFILES[move.profile].dispatch
            return now_us >= ends_us(dispatch, case.created_us, _NO_CALENDAR)
        case m.Accept():
            return now_us >= case.accept_due_us
        case m.Start():
            on_site = PROFILES[case.profile].on_site
            return on_site is not None and now_us >= ends_us(on_site, case.received_us, _NO_CALENDAR)
        case m.Reply() | m.CloseSigned():
            return 0 < case.due_us <= now_us
        case _:
            return False


_NO_CALENDAR = Calendar(years=frozenset())


def _objection(case: Case, move: Move) -> Refusal | None:
    if not move.reason.strip():
        return Refusal.NO_REASON
    if len(move.reason) > TEXT_LIMIT or len(getattr(move, "unit", "")) > NAME_LIMIT:
        return Refusal.TOO_LONG
    return barred(case, type(move), move.actor)


def _after(case: Case, move: Move, now_us: int, calendar: Calendar) -> Case | Refusal:
    match move:
        case m.Answer():
            is_answerable = case.kind in (Kind.CONSULTATION, Kind.PRAISE)
            return _end(case, Ending.DIRECT, now_us) if is_answerable else Refusal.NOT_A_QUESTION
        case m.TurnAway():
            return _end(case, Ending.OUT_OF_SCOPE, now_us) if move.way.strip() else Refusal.NO_WAY_OUT
        case m.Dispatch():
            return _dispatch(case, move, now_us, calendar)
        case m.PassDown():
            return _pass_down(case, move, now_us, calendar)
        case m.Accept():
            return _with(case, state=CaseState.ACCEPTED)
        case m.Start():
            return _with(case, state=CaseState.WORKING)
        case m.AskReturn() | m.AskExtension():
            return _ask(case, move, now_us, calendar)
        case m.GrantReturn() | m.RefuseReturn():
            is_asked = case.asked is not None and case.asked.is_return
            return _decide_return(case, move, now_us, calendar) if is_asked else Refusal.NOTHING_ASKED
        case m.GrantExtension():
            return _extend(case)
        case m.RefuseExtension():
            is_asked = case.asked is not None and not case.asked.is_return
            return _with(case, asked=None) if is_asked else Refusal.NOTHING_ASKED
        case m.Reply():
            return _reply(case, move)
        case m.PassReview():
            passed = {"state": CaseState.REVIEWED, "visit_due_us": due_us((), now_us)}
            return _with(case, **passed) if _is_other(case, move) else Refusal.OWN_WORK
        case m.SendBack():
            return _send_back(case) if _is_other(case, move) else Refusal.OWN_WORK
        case m.Unreached():
            return _unreached(case, move, now_us)
        case m.Visited():
            return _hear(case, move, now_us, calendar)
        case m.Close():
            is_done = case.visited is not None or is_given_up(case.attempts)
            return _end(case, Ending.VISITED, now_us) if is_done else Refusal.NOT_VISITED
        case m.CloseSigned():
            return _end(case, Ending.SIGNED, now_us)
        case m.CloseWithMaster():
            return _end(case, Ending.MERGED, now_us)
        case m.Reopen():
            return _reopen(case, now_us, calendar)
        case m.Archive():
            return Refusal.SUPERVISED if case.supervision else _with(case, state=CaseState.ARCHIVED)
        case m.Urge():
            return _with(case, urged=case.urged + 1)
        case m.Merge():
            is_other = move.master not in ("", case.id)
            return _with(case, state=CaseState.MERGED, master=move.master) if is_other else Refusal.OWN_MASTER
        case m.KeepSecret():
            return Refusal.HIDDEN_ALREADY if case.is_secret else _with(case, is_secret=True)
        case m.Attach():
            return case
        case m.Supervise():
            return _supervise(case, move, now_us, calendar)
        case m.Discharge():
            return _with(case, supervision=None) if case.supervision else Refusal.NOT_SUPERVISED
        case m.HandOver():
            is_known = move.key in case.handed
            return Refusal.HANDED_ALREADY if is_known else _with(case, handed=(*case.handed, move.key))
        case m.Warn():
            return _with(case, warned=move.light, warned_due_us=case.due_us)
        case m.Remind():
            return _with(case, visit_warned_us=case.visit_due_us)
        case never:
            assert_never(never)


def _dispatch(case: Case, move: m.Dispatch, now_us: int, calendar: Calendar) -> Case | Refusal:
    if not move.unit.strip():
        return Refusal.NO_UNIT
    if move.unit == PLATFORM or move.unit in move.assisting:
        return Refusal.SAME_UNIT
    profile = PROFILES[move.profile]
    sent = _with(
        case,
        profile=move.profile,
        assisting=move.assisting,
        is_first_assigned=move.is_first_assigned,
        since_us=now_us,
        due_us=ends_us(profile.finish, now_us, calendar),
    )
    return _send(sent, (PLATFORM, move.unit), now_us, calendar)


def _pass_down(case: Case, move: m.PassDown, now_us: int, calendar: Calendar) -> Case | Refusal:
    if not move.unit.strip():
        return Refusal.NO_UNIT
    if move.unit in case.chain:
        return Refusal.SAME_UNIT
    if len(case.chain) == TIERS:
        return Refusal.TOO_DEEP
    if case.asked is not None:
        return Refusal.ASKED_ALREADY
    return _send(case, (*case.chain, move.unit), now_us, calendar, again=0)


def _send(case: Case, chain: tuple[str, ...], now_us: int, calendar: Calendar, again: int = 1) -> Case:
    return _with(
        case,
        state=CaseState.DISPATCHED,
        chain=chain,
        unit=chain[-1],
        received_us=now_us,
        accept_due_us=ends_us(PROFILES[case.profile].accept, now_us, calendar),
        asked=None,
        is_return_refused=False,
        sent=case.sent + again,
    )


def _ask(case: Case, move: m.AskReturn | m.AskExtension, now_us: int, calendar: Calendar) -> Case | Refusal:
    if case.asked is not None:
        return Refusal.ASKED_ALREADY
    if isinstance(move, m.AskReturn):
        return _ask_return(case, move, now_us, calendar)
    longest = PROFILES[case.profile].longest
    if not longest:
        return Refusal.NO_EXTENSION
    if now_us >= min(case.due_us, ends_us(EXTENSION_DAYS, case.received_us, calendar)):
        return Refusal.TOO_LATE
    due_us = ends_us(WorkingDays(max(0, min(move.days, longest))), case.received_us, calendar)
    if move.days > longest or due_us <= case.due_us:
        return Refusal.TOO_FAR
    return _with(case, asked=Request(is_return=False, due_us=due_us))


def _ask_return(case: Case, move: m.AskReturn, now_us: int, calendar: Calendar) -> Case | Refusal:
    if case.is_first_assigned:
        return Refusal.FIRST_ASSIGNED
    if case.is_return_refused:
        return Refusal.DECIDED
    if not move.suggestion.strip():
        return Refusal.NO_WORDS
    if now_us >= ends_us(RETURN_DAYS, case.received_us, calendar):
        return Refusal.TOO_LATE
    return _with(case, asked=Request(is_return=True))


def _decide_return(
    case: Case, move: m.GrantReturn | m.RefuseReturn, now_us: int, calendar: Calendar
) -> Case | Refusal:
    if isinstance(move, m.RefuseReturn):
        return _with(case, asked=None, is_return_refused=True)
    if not move.unit.strip():
        return Refusal.NO_UNIT
    if move.unit in case.chain:
        return Refusal.SAME_UNIT
    finish = PROFILES[case.profile].finish
    due_us = case.due_us
    if isinstance(finish, WorkingDays):
        due_us = ends_us(WorkingDays(max(0, finish.count - 1)), now_us, calendar)
    granted = _with(case, returned=case.returned + 1, since_us=now_us, due_us=due_us)
    return _send(granted, (*case.chain[:-1], move.unit), now_us, calendar)


def _extend(case: Case) -> Case | Refusal:
    if case.asked is None or case.asked.is_return:
        return Refusal.NOTHING_ASKED
    return _with(case, asked=None, due_us=case.asked.due_us)


def _reply(case: Case, move: m.Reply) -> Case | Refusal:
    if not move.is_citizen_told:
        return Refusal.CITIZEN_NOT_TOLD
    if not any(letter.isalnum() for letter in move.reason):
        return Refusal.NO_WORDS
    replied = {"state": CaseState.REPLIED, "asked": None, "replier": move.actor.number}
    return _with(case, **replied, attempts=(), visited=None)


def _is_other(case: Case, move: Move) -> bool:
    return move.actor.number != case.replier


def _send_back(case: Case) -> Case:
    return _with(case, state=CaseState.WORKING, reworked=case.reworked + 1, sent=case.sent + 1)


def _unreached(case: Case, move: m.Unreached, now_us: int) -> Case | Refusal:
    attempt = Attempt(now_us, move.is_sms, move.conversation)
    hindered = hindrance(case.attempts, attempt)
    if hindered is not None:
        return hindered
    attempts = (*case.attempts, attempt)
    tried = {"attempts": attempts, "visit_due_us": due_us(attempts, now_us)}
    return _with(case, state=CaseState.VISITING, **tried)


def _hear(case: Case, move: m.Visited, now_us: int, calendar: Calendar) -> Case | Refusal:
    if not _is_other(case, move):
        return Refusal.OWN_WORK
    heard = _with(case, state=CaseState.VISITING, visited=move)
    if move.satisfaction.is_satisfied:
        return heard
    return _rework(_with(heard, unsatisfied=case.unsatisfied + 1), now_us, calendar)


def _rework(case: Case, now_us: int, calendar: Calendar) -> Case:
    """The order to work again sets the profile's time anew; the late reply before it stays late."""
    due_us = ends_us(PROFILES[case.profile].finish, now_us, calendar)
    again = _with(_send_back(case), since_us=now_us, due_us=due_us)
    return _with(again, closed_us=0, ending=Ending.NONE, visited=None)


def _supervise(case: Case, move: m.Supervise, now_us: int, calendar: Calendar) -> Case | Refusal:
    if case.supervision is not None and move.level.rank <= case.supervision.level.rank:
        return Refusal.SUPERVISED_ALREADY
    due_us = ends_us(SUPERVISION_DAYS[move.level], now_us, calendar)
    cause = cause_of(case, move.trigger)
    triggers = case.triggers if cause in case.triggers else (*case.triggers, cause)
    return _with(case, supervision=Supervision(move.level, move.trigger, due_us), triggers=triggers)


def cause_of(case: Case, trigger: Trigger) -> str:
    """A cause that starts supervision once: being overdue anew for each deadline."""
    return f"{trigger.name}:{case.due_us}" if trigger is Trigger.OVERDUE else trigger.name


def _reopen(case: Case, now_us: int, calendar: Calendar) -> Case | Refusal:
    if case.ending is Ending.MERGED:
        return Refusal.MERGED
    if len(case.chain) == 1:
        return _with(case, state=CaseState.INTAKE, closed_us=0, ending=Ending.NONE)
    return _rework(case, now_us, calendar)


def _end(case: Case, ending: Ending, now_us: int) -> Case:
    return _with(case, state=CaseState.CLOSED, closed_us=now_us, ending=ending, asked=None)


def _with(case: Case, **changes: Any) -> Case:
    return msgspec.structs.replace(case, **changes)
