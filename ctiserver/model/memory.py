"""Owns what can be remembered of calls under way from the journal, so that a restarted server knows what
it knew.
"""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from ctiserver.api.history import (
    CallAnswered,
    CallbackAsked,
    CallbackChanged,
    CallEnded,
    CallQueued,
    CallStarted,
    History,
    IvrPassed,
    RecordingPaused,
    RecordingResumed,
    SeatLeft,
    SeatMissed,
    SeatRang,
    Supervised,
    ThirdPartyCalled,
    ThirdPartyChanged,
)
from ctiserver.api.states import CallbackState
from ctiserver.model import lines, quotas, returning
from ctiserver.model.figures import COUNTED, Day
from ctiserver.model.state import LEFT, Attempt, Call, Dialled, GaveUp, KeptPlace, Watch, supervision_of

MOST_ENDED = 5_000
"""More ended calls than these are never asked for: the account is read from the oldest open call on."""


class Memory(msgspec.Struct):
    """Calls begun and not ended (by conversation id), the ids of those that have ended, and who gave up."""

    open: dict[str, Call] = msgspec.field(default_factory=dict)
    ended: dict[str, None] = msgspec.field(default_factory=dict)
    """The latest of them; in the order in which they ended."""
    gave_up: dict[str, GaveUp] = msgspec.field(default_factory=dict)
    """Callers who gave up in a queue, by number."""
    callbacks: dict[str, KeptPlace] = msgspec.field(default_factory=dict)
    """Who keeps a place in line, by the conversation in which they asked."""
    dialled: dict[str, Dialled] = msgspec.field(default_factory=dict)
    """Agents' own calls of the day, by conversation."""
    day: Day = msgspec.field(default_factory=Day)


KeptOfCall = (
    CallQueued
    | IvrPassed
    | CallAnswered
    | SeatRang
    | SeatMissed
    | SeatLeft
    | ThirdPartyCalled
    | ThirdPartyChanged
    | RecordingPaused
    | RecordingResumed
    | Supervised
)


def remember(
    events: Iterable[History],
    mono_minus_utc_us: int,
    day: Iterable[History] = (),
    service_level_ms: int = 0,
) -> Memory:
    """Fold journal events. `mono_minus_utc_us` turns their UTC times into this process's monotonic ones.

    `day`: the events of the day so far that its figures and quotas are made of; they reach further back than
    `events` need to.
    """
    memory = Memory()
    for event in day:
        if isinstance(event, CallStarted):
            quotas.note(memory.dialled, event)
        if (count := COUNTED.get(event.__class__)) is not None:
            count(memory.day, event, service_level_ms)
    for event in events:
        fold(memory, event, mono_minus_utc_us)
    for call in memory.open.values():
        if call.queued_us:
            memory.day.waits_in.setdefault(call.id, "" if call.answered_us else call.queue)
    return memory


def fold(memory: Memory, event: History, shift: int) -> None:
    """Fold one event in."""
    if isinstance(event, CallStarted):
        quotas.note(memory.dialled, event)
        memory.open[event.conversation] = Call(
            uid=event.uid,
            id=event.conversation,
            number=event.number,
            name=event.name,
            dnis=event.dnis,
            started_us=event.at_us,
            started_mono=max(1, event.at_us + shift),
            citizen=event.uid,
            is_outbound=event.is_outbound,
            by_seat=event.seat,
        )
    elif isinstance(event, CallEnded):
        ended = memory.open.pop(event.conversation, None)
        if ended is not None:
            returning.note(memory.gave_up, ended, event.outcome, event.at_us + shift, event.wait_ms)
        memory.ended[event.conversation] = None
        if len(memory.ended) > MOST_ENDED:
            del memory.ended[next(iter(memory.ended))]
    elif isinstance(event, CallbackAsked | CallbackChanged):
        fold_callback(memory, event)
    elif isinstance(event, KeptOfCall):
        if isinstance(event, CallAnswered):
            note_called_back(memory, event)
        call = memory.open.get(event.conversation)
        if call is not None:
            fold_into(call, event, shift)
            if isinstance(event, CallQueued) and event.waited_before_ms:
                memory.gave_up.pop(call.number, None)


def fold_callback(memory: Memory, event: CallbackAsked | CallbackChanged) -> None:
    """Somebody keeps a place in line, is called back, or keeps it no longer."""
    if isinstance(event, CallbackAsked):
        memory.callbacks[event.conversation] = KeptPlace(
            id=event.conversation,
            number=event.number,
            caller=event.caller,
            queue=event.queue,
            since_us=event.since_us,
            asked_us=event.at_us,
        )
        return
    place = memory.callbacks.get(event.conversation)
    if place is None:
        return
    if not event.state.is_open:
        del memory.callbacks[event.conversation]
        return
    place.tries, place.not_before_us = event.tries, event.not_before_us
    is_calling = event.state is CallbackState.CALLING
    place.call, place.seat = (event.call, event.seat) if is_calling else ("", "")
    call = memory.open.get(place.call)
    if call is not None:
        call.callback = place.id


def note_called_back(memory: Memory, event: CallAnswered) -> None:
    """The call was a callback's: it is done, whoever sees its end."""
    for place in memory.callbacks.values():
        place.is_answered = place.is_answered or place.call == event.conversation


def fold_into(call: Call, event: KeptOfCall, shift: int) -> None:
    """Fold one event into its call."""
    match event:
        case CallQueued():
            lines.note_passed(call, event.queue)
            call.queue, call.queued_us = event.queue, event.at_us
            call.waited_before_ms = call.waited_before_ms or event.waited_before_ms
            call.queued_mono = max(1, event.at_us + shift)
        case IvrPassed():
            call.ivr_path = event.path
        case SeatRang():
            call.known.setdefault(event.leg, 0)
        case SeatMissed() | SeatLeft():
            call.known[event.leg] = LEFT
        case CallAnswered():
            call.known[event.leg] = max(1, event.at_us + shift)
            if not call.answered_us:
                call.answered_us, call.wait_ms = event.at_us, event.wait_ms
                call.answered_mono = max(1, event.at_us + shift)
        case ThirdPartyCalled():
            call.attempts.append(
                Attempt(
                    n=event.n,
                    number=event.number,
                    label=event.label,
                    is_emergency=event.is_emergency,
                    asked_us=event.at_us,
                    seat=event.called_seat,
                )
            )
        case Supervised():
            fold_supervision(call, event)
        case RecordingPaused() | RecordingResumed():
            call.is_recording_paused = isinstance(event, RecordingPaused)
        case ThirdPartyChanged():
            for attempt in call.attempts:
                if attempt.n == event.n:
                    attempt.state = event.state


def fold_supervision(call: Call, event: Supervised) -> None:
    """A supervisor's part: what goes on, until it ends."""
    _, n = supervision_of(event.leg) or ("", 0)
    if not n:
        return
    watch = call.watches.setdefault(n, Watch(n=n))
    watch.seat, watch.agent, watch.person = event.seat, event.agent, event.person
    watch.what, watch.why, watch.since_us = event.what, event.why, event.at_us
    watch.noted, watch.is_over = (None, True) if event.until_us else (event.what, False)
