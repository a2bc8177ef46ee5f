"""Owns the reading of Asterisk's own account (CEL) of the time in which the CTI server did not look.

Pure: rows in, the missing history out. What the journal knows already is never told twice.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

import msgspec

from ctiserver.api.history import (
    CallAnswered,
    CallEnded,
    CallQueued,
    CallStarted,
    History,
    SeatLeft,
    SeatMissed,
    SeatRang,
    ThirdPartyChanged,
)
from ctiserver.api.states import AttemptState, Outcome
from ctiserver.model import callbacks, lines
from ctiserver.model.memory import Memory
from ctiserver.model.state import Call, called_for, seat_call_of, third_party_of

_ENDPOINT = re.compile(r"PJSIP/([A-Za-z0-9_.]+)-[0-9a-fA-F]+")

_CUT_WITHIN_US = 500_000
"""A phone that stopped ringing so shortly before the citizen's end stopped because of it; else, it missed."""


class CelRow(msgspec.Struct, frozen=True, kw_only=True):
    """One line of Asterisk's channel event log."""

    at_us: int
    kind: str
    uid: str
    linkedid: str
    channel: str
    number: str
    name: str
    exten: str
    app: str
    context: str = ""


class Eyes(msgspec.Struct, frozen=True, kw_only=True):
    """By what rows are told apart: endpoints that are seats and trunks, who sits where now, channels that
    live.
    """

    node: str
    trunks: tuple[str, ...]
    seats: tuple[str, ...]
    agents: Mapping[str, str]
    live: frozenset[str]
    short_abandon_ms: int


def reconcile(rows: Iterable[CelRow], memory: Memory, eyes: Eyes) -> list[History]:
    """What happened unseen, in the order of each conversation. Calls still alive end later, by events."""
    by_call: dict[str, list[CelRow]] = {}
    for row in rows:
        third = called_for(row.linkedid)
        by_call.setdefault(third[0] if third is not None else row.linkedid, []).append(row)
    missing: list[History] = []
    for uid, of_call in by_call.items():
        conversation = f"{eyes.node}-{uid}"
        if conversation not in memory.ended:
            missing += _of_call(uid, of_call, memory.open.get(conversation), eyes)
    return missing


def _endpoint(channel: str) -> str:
    found = _ENDPOINT.fullmatch(channel)
    return found.group(1) if found is not None else ""


def _of_call(uid: str, rows: list[CelRow], known: Call | None, eyes: Eyes) -> list[History]:
    """The missing history of one conversation; nothing when it is not a citizen's or its beginning is
    unknown.
    """
    account = _Account(f"{eyes.node}-{uid}", uid, known, eyes)
    for row in rows:
        account.tell_misses(row.at_us - _CUT_WITHIN_US)
        third = third_party_of(row.uid)
        if row.uid == uid:
            account.citizen(row)
        elif third is not None:
            account.third_party(third[1], row)
        elif _endpoint(row.channel) in eyes.seats:
            account.seat(row)
    if uid in eyes.live:
        account.tell_misses(rows[-1].at_us)
    return account.found if account.is_begun else []


class _Account:
    """One conversation as its rows tell it, row by row."""

    def __init__(self, conversation: str, uid: str, known: Call | None, eyes: Eyes) -> None:
        self.id = conversation
        self.uid = uid
        self.eyes = eyes
        self.found: list[History] = []
        self.is_begun = known is not None
        self.attempts = known.attempts if known is not None else []
        self.rung = dict(known.known) if known is not None else {}
        self.started_us = known.started_us if known is not None else 0
        self.queued_us = known.queued_us if known is not None else 0
        self.answered_us = known.answered_us if known is not None else 0
        self.talks: dict[str, int] = {}
        self.ringing = {leg for leg, since in self.rung.items() if since == 0}
        self.stopped: dict[str, CelRow] = {}
        """Legs that stopped ringing: whether they missed or were cut, the citizen's end will show."""
        self.caller: CelRow | None = None
        """Of an outbound call: the seat that waits for the citizen."""
        self.is_reached = known is not None and bool(known.answered_us)
        self.is_outbound = known.is_outbound if known is not None else False
        self.joined: dict[int, int] = {}
        self.parted: dict[int, int] = {}
        """Third parties by number: when they came into the room, and when they went."""

    def citizen(self, row: CelRow) -> None:
        """A row of the citizen's own channel."""
        match row.kind:
            case "CHAN_START" if not self.is_begun and _endpoint(row.channel) in self.eyes.trunks:
                self.is_begun = True
                self.started_us = row.at_us
                self.found.append(
                    CallStarted(
                        conversation=self.id,
                        at_us=row.at_us,
                        uid=self.uid,
                        number=row.number,
                        name=row.name,
                        dnis=row.exten,
                    )
                )
            case "APP_START" if row.app == "Queue" and not self.queued_us:
                self.queued_us = row.at_us
                self.found.append(CallQueued(conversation=self.id, at_us=row.at_us, queue=row.exten))
            case "BRIDGE_ENTER":
                self.reached(row.at_us)
            case "CHAN_END":
                self.end(row)

    def reached(self, at_us: int) -> None:
        """The citizen whom an agent called has picked up, and talks with them."""
        self.is_reached = True
        caller, self.caller = self.caller, None
        if caller is not None and not self.rung.get(caller.uid):
            seat = _endpoint(caller.channel)
            self.talks[caller.uid] = at_us
            row = msgspec.structs.replace(caller, at_us=at_us)
            self.answer(row, seat, self.eyes.agents.get(seat, ""))

    def seat(self, row: CelRow) -> None:
        """A row of a seat's channel in this conversation."""
        seat = _endpoint(row.channel)
        agent = self.eyes.agents.get(seat, "")
        called = seat_call_of(row.uid)
        if called is not None and called[1]:
            self.third_party(called[1], row)
        match row.kind:
            case "CHAN_START" if row.uid not in self.rung and called == (self.uid, 0):
                self.rung[row.uid] = 0
            case "CHAN_START" if row.uid not in self.rung:
                self.rung[row.uid] = 0
                self.ringing.add(row.uid)
                self.found.append(
                    SeatRang(conversation=self.id, at_us=row.at_us, seat=seat, agent=agent, leg=row.uid)
                )
            case "BRIDGE_ENTER" if row.uid not in self.talks:
                self.talks[row.uid] = row.at_us
                self.ringing.discard(row.uid)
                if self.is_outbound and not self.is_reached:
                    self.caller = row
                elif not self.rung.get(row.uid):
                    self.answer(row, seat, agent)
            case "CHAN_END" if self.rung.get(row.uid, 0) > 0:
                talk_us = row.at_us - self.talks.get(row.uid, self.answered_us)
                self.found.append(
                    SeatLeft(
                        conversation=self.id,
                        at_us=row.at_us,
                        seat=seat,
                        agent=agent,
                        leg=row.uid,
                        talk_ms=max(0, talk_us) // 1000,
                    )
                )

            case "CHAN_END" if row.uid in self.ringing:
                self.ringing.remove(row.uid)
                self.stopped[row.uid] = row

    def third_party(self, n: int, row: CelRow) -> None:
        """A row of the `n`-th third party's channel."""
        match row.kind:
            case "BRIDGE_ENTER":
                self.joined.setdefault(n, row.at_us)
            case "CHAN_END":
                self.parted[n] = row.at_us

    def tell_misses(self, until_us: int) -> None:
        """Legs that stopped ringing before `until_us`, while the citizen waited on, have missed the call."""
        for leg, row in list(self.stopped.items()):
            if row.at_us <= until_us:
                del self.stopped[leg]
                seat = _endpoint(row.channel)
                agent = self.eyes.agents.get(seat, "")
                self.found.append(
                    SeatMissed(conversation=self.id, at_us=row.at_us, seat=seat, agent=agent, leg=leg)
                )

    def answer(self, row: CelRow, seat: str, agent: str) -> None:
        """The seat and the citizen talk."""
        self.rung[row.uid] = row.at_us
        self.answered_us = self.answered_us or row.at_us
        since = self.queued_us or (row.at_us if self.is_outbound else self.started_us)
        wait_us = row.at_us - since
        self.found.append(
            CallAnswered(
                conversation=self.id,
                at_us=row.at_us,
                seat=seat,
                agent=agent,
                leg=row.uid,
                wait_ms=max(0, wait_us) // 1000,
            )
        )

    def end(self, row: CelRow) -> None:
        """The citizen's channel is gone. A live channel's end belongs to a later look."""
        if self.uid in self.eyes.live or not self.is_begun:
            return
        self.close_attempts(row.at_us)
        until = self.answered_us or row.at_us
        wait_ms = max(0, until - (self.queued_us or until)) // 1000
        self.found.append(
            CallEnded(
                conversation=self.id,
                at_us=row.at_us,
                outcome=(how := self.outcome(wait_ms, row)),
                wait_ms=wait_ms,
                talk_ms=max(0, row.at_us - self.answered_us) // 1000 if self.answered_us else 0,
                is_seen=False,
                queue=row.exten if how in (Outcome.CLOSED, Outcome.OVERFLOW, Outcome.MESSAGE) else "",
                rating=lines.rating(row.context, row.exten),
                has_remark=row.context == lines.REMARK,
            )
        )

    def close_attempts(self, at_us: int) -> None:
        """What became of the third parties that were asked for before nobody looked."""
        for attempt in self.attempts:
            n, state = attempt.n, attempt.state
            if state.is_open and n in self.joined:
                state = self.attempt(n, AttemptState.ANSWERED, self.joined[n])
            if state is AttemptState.ANSWERED:
                self.attempt(n, AttemptState.LEFT, min(at_us, self.parted.get(n, at_us)))
            elif state.is_open:
                self.attempt(n, AttemptState.WITHDRAWN, at_us)

    def attempt(self, n: int, state: AttemptState, at_us: int) -> AttemptState:
        """The `n`-th third party came to `state`."""
        self.found.append(ThirdPartyChanged(conversation=self.id, at_us=at_us, n=n, state=state))
        return state

    def outcome(self, wait_ms: int, row: CelRow) -> Outcome:
        """How it ended, by the same rules as for calls that were seen."""
        if self.answered_us:
            return Outcome.ANSWERED
        if self.is_outbound:
            return Outcome.NOT_REACHED
        if row.context == callbacks.AGREED:
            return Outcome.CALLBACK
        if not self.queued_us:
            return lines.ended_in(row.context) or Outcome.ABANDONED_IVR
        if wait_ms < self.eyes.short_abandon_ms:
            return Outcome.SHORT_ABANDON
        return Outcome.ABANDONED_RINGING if self.ringing or self.stopped else Outcome.ABANDONED_QUEUE
