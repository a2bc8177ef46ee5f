"""Owns what each event means for the tables: the one place that makes calls and seat times of the journal.

Pure: it works on rows in memory, so that the database and the in-memory twin run the same rules.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import assert_never

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
    SeatChanged,
    SeatLeft,
    SeatMissed,
    SeatRang,
    Supervised,
    ThirdPartyCalled,
    ThirdPartyChanged,
)
from ctiserver.api.states import AttemptState, CallbackState
from ctiserver.store.tables import (
    CallbackRow,
    CallRow,
    LegRow,
    PopRow,
    SeatTimeRow,
    SupervisionRow,
    ThirdPartyAttemptRow,
)

CallEvent = (
    CallStarted
    | CallQueued
    | IvrPassed
    | SeatRang
    | SeatMissed
    | CallAnswered
    | ThirdPartyCalled
    | ThirdPartyChanged
    | SeatLeft
    | RecordingPaused
    | RecordingResumed
    | CallEnded
    | CallbackAsked
    | CallbackChanged
)
"""What happens to a conversation: all of History but seats' own states and supervisions."""

Row = CallRow | LegRow | PopRow | SeatTimeRow | SupervisionRow | ThirdPartyAttemptRow | CallbackRow


class Rows:
    """Rows by their keys: all there are (in memory), or those that one batch touches (from a database)."""

    def __init__(self) -> None:
        self.calls: dict[str, CallRow] = {}
        self.legs: dict[str, dict[str, LegRow]] = {}
        self.attempts: dict[str, dict[int, ThirdPartyAttemptRow]] = {}
        self.open_times: dict[tuple[str, str], list[SeatTimeRow]] = {}
        self.supervisions: dict[tuple[str, str], SupervisionRow] = {}
        """Those that go on, by node and leg."""
        self.callbacks: dict[str, CallbackRow] = {}
        self.added: list[Row] = []
        """The new ones, in the order in which they came."""

    def put(self, row: Row) -> None:
        """Take in a row that exists."""
        match row:
            case CallRow():
                self.calls[row.conversation] = row
            case LegRow():
                self.legs.setdefault(row.conversation, {})[row.leg] = row
            case ThirdPartyAttemptRow():
                self.attempts.setdefault(row.conversation, {})[row.n] = row
            case SeatTimeRow():
                self.open_times.setdefault((row.node, row.seat), []).append(row)
            case SupervisionRow():
                if row.leg and not row.until_us:
                    self.supervisions[row.node, row.leg] = row
            case CallbackRow():
                self.callbacks[row.conversation] = row
            case PopRow():
                pass
            case never:
                assert_never(never)

    def add(self, row: Row) -> None:
        """Take in a new row."""
        self.put(row)
        self.added.append(row)


class Origin(msgspec.Struct, frozen=True, kw_only=True):
    """Where an event comes from: the node, the journal entry's id."""

    node: str
    event_id: str


class Fold:
    """Applies events to rows. `key_of` gives a number's canonical form (`CallerNumber.key`)."""

    def __init__(self, rows: Rows, key_of: Callable[[str], str]) -> None:
        self._rows = rows
        self._key_of = key_of

    def apply(self, event: History, origin: Origin) -> None:
        """Bring the rows up to this event. To be called once for each event id, in the journal's order."""
        if isinstance(event, SeatChanged):
            self._seat_changed(event, origin)
            return
        if isinstance(event, Supervised):
            self._supervised(event, origin)
            return
        call = self._call(event, origin)
        match event:
            case CallStarted():
                self._started(call, event)
            case CallQueued():
                call.queue = _text(event.queue)
                call.queued_us = call.queued_us or event.at_us
            case IvrPassed():
                call.ivr_path, call.ivr_failure = _text(event.path), event.failure
            case SeatRang():
                self._rang(call, event, origin)
            case SeatMissed():
                leg = self._leg(event)
                leg.is_missed, leg.left_us = True, event.at_us
            case CallAnswered():
                self._answered(call, event)
            case SeatLeft():
                leg = self._leg(event)
                leg.left_us, leg.talk_ms = event.at_us, event.talk_ms
            case ThirdPartyCalled():
                self._third_party_called(event)
            case ThirdPartyChanged():
                self._third_party_changed(event)
            case CallbackAsked() | CallbackChanged():
                self._callback(event, origin)
            case RecordingPaused() | RecordingResumed():
                pass  # the archive reads them from the journal's copy
            case CallEnded():
                self._ended(call, event)
            case never:
                assert_never(never)

    def _call(self, event: CallEvent, origin: Origin) -> CallRow:
        """The conversation's row; a bare one when its beginning is missing from the journal."""
        call = self._rows.calls.get(event.conversation)
        if call is None:
            call = _new_call(event.conversation, origin.node, event.at_us)
            self._rows.add(call)
        return call

    def _started(self, call: CallRow, event: CallStarted) -> None:
        call.uid, call.started_us = event.uid, event.at_us
        call.citizen = self._key_of(event.number)
        call.number, call.name, call.dnis = _text(event.number), _text(event.name), _text(event.dnis)
        call.is_outbound, call.about = event.is_outbound, _text(event.about)[:80]
        call.seat, call.agent = event.seat, event.agent

    def _rang(self, call: CallRow, event: SeatRang, origin: Origin) -> None:
        leg = self._leg(event)
        leg.rang_us = leg.rang_us or event.at_us
        call.rang_us = call.rang_us or event.at_us
        if not call.answered_us:
            call.seat, call.agent = event.seat, event.agent
        pop = PopRow(
            event_id=origin.event_id,
            conversation=event.conversation,
            seat=event.seat,
            agent=event.agent,
            leg=event.leg,
            at_us=event.at_us,
        )
        self._rows.add(pop)

    def _answered(self, call: CallRow, event: CallAnswered) -> None:
        leg = self._leg(event)
        leg.answered_us = leg.answered_us or event.at_us
        if not call.answered_us:
            call.answered_us, call.wait_ms = event.at_us, event.wait_ms
        call.seat, call.agent = event.seat, event.agent

    def _ended(self, call: CallRow, event: CallEnded) -> None:
        call.ended_us, call.outcome, call.is_seen = event.at_us, event.outcome.value, event.is_seen
        call.wait_ms, call.talk_ms = event.wait_ms, event.talk_ms
        call.queue = call.queue or _text(event.queue)
        call.rating, call.has_remark = event.rating, event.has_remark
        for leg in self._rows.legs.get(event.conversation, {}).values():
            leg.left_us = leg.left_us or event.at_us
        for attempt in self._rows.attempts.get(event.conversation, {}).values():
            attempt.ended_us = attempt.ended_us or event.at_us

    def _leg(self, event: SeatRang | SeatMissed | CallAnswered | SeatLeft) -> LegRow:
        leg = self._rows.legs.get(event.conversation, {}).get(event.leg)
        if leg is None:
            leg = LegRow(
                conversation=event.conversation,
                leg=event.leg,
                seat=event.seat,
                agent=event.agent,
                rang_us=0,
                answered_us=0,
                left_us=0,
                talk_ms=0,
                is_missed=False,
            )
            self._rows.add(leg)
        return leg

    def _third_party_called(self, event: ThirdPartyCalled) -> None:
        attempt = self._attempt(event.conversation, event.n, event.at_us)
        attempt.number, attempt.label = _text(event.number), _text(event.label)
        attempt.is_emergency, attempt.asked_us = event.is_emergency, event.at_us
        attempt.seat, attempt.agent = event.seat, event.agent
        attempt.called_seat = event.called_seat

    def _third_party_changed(self, event: ThirdPartyChanged) -> None:
        attempt = self._attempt(event.conversation, event.n, event.at_us)
        attempt.state = event.state.value
        if event.state is AttemptState.ANSWERED:
            attempt.answered_us = attempt.answered_us or event.at_us
        elif not event.state.is_open:
            attempt.ended_us = event.at_us

    def _attempt(self, conversation: str, n: int, at_us: int) -> ThirdPartyAttemptRow:
        attempt = self._rows.attempts.get(conversation, {}).get(n)
        if attempt is None:
            attempt = ThirdPartyAttemptRow(
                conversation=conversation,
                n=n,
                number="",
                label="",
                is_emergency=False,
                seat="",
                agent="",
                called_seat="",
                asked_us=at_us,
                answered_us=0,
                ended_us=0,
                state=AttemptState.CALLING.value,
            )
            self._rows.add(attempt)
        return attempt

    def _callback(self, event: CallbackAsked | CallbackChanged, origin: Origin) -> None:
        row = self._rows.callbacks.get(event.conversation)
        if row is None:
            row = _new_callback(event, origin.node)
            self._rows.add(row)
        if isinstance(event, CallbackAsked):
            row.queue, row.since_us, row.asked_us = _text(event.queue), event.since_us, event.at_us
            row.state, row.closed_us = CallbackState.WAITING.value, 0  # perhaps asked for once more
            return
        row.state, row.tries = event.state.value, event.tries
        row.call = event.call or row.call
        if event.seat:
            row.seat, row.agent = event.seat, event.agent
        if not event.state.is_open:
            row.closed_us, row.person = event.at_us, event.person

    def _seat_changed(self, event: SeatChanged, origin: Origin) -> None:
        state, reason = event.state.value, _text(event.reason)
        open_times = self._rows.open_times.setdefault((origin.node, event.seat), [])
        for before in open_times:
            if (before.agent, before.state, before.reason) == (event.agent, state, reason):
                return
            before.to_us = event.at_us
        open_times.clear()
        row = SeatTimeRow(
            event_id=origin.event_id,
            node=origin.node,
            seat=event.seat,
            agent=event.agent,
            state=state,
            reason=reason,
            from_us=event.at_us,
            to_us=0,
        )
        self._rows.add(row)

    def _supervised(self, event: Supervised, origin: Origin) -> None:
        key = (origin.node, event.leg)
        if event.until_us:
            row = self._rows.supervisions.pop(key, None)
            if row is not None:
                row.until_us = event.until_us
            return
        self._rows.add(
            SupervisionRow(
                event_id=origin.event_id,
                node=origin.node,
                at_us=event.at_us,
                until_us=0,
                person=event.person,
                what=event.what.value,
                conversation=event.conversation,
                seat=event.seat,
                agent=event.agent,
                detail=_text(event.detail),
                why=_text(event.why),
                leg=event.leg,
            )
        )


def _new_call(conversation: str, node: str, at_us: int) -> CallRow:
    return CallRow(
        conversation=conversation,
        node=node,
        uid="",
        citizen="",
        number="",
        name="",
        dnis="",
        is_outbound=False,
        about="",
        queue="",
        started_us=at_us,
        queued_us=0,
        rang_us=0,
        answered_us=0,
        ended_us=0,
        outcome="",
        seat="",
        agent="",
        wait_ms=0,
        talk_ms=0,
        is_seen=True,
        rating=None,
        has_remark=False,
        ivr_path="",
        ivr_failure="",
    )


def _new_callback(event: CallbackAsked | CallbackChanged, node: str) -> CallbackRow:
    return CallbackRow(
        conversation=event.conversation,
        node=node,
        queue="",
        since_us=event.at_us,
        asked_us=event.at_us,
        closed_us=0,
        state=CallbackState.WAITING.value,
        tries=0,
        call="",
        seat="",
        agent="",
        person="",
    )


def _text(value: str) -> str:
    """Without NUL, which PostgreSQL cannot keep."""
    return value.replace("\0", "")
