"""Owns the preference for the agent whom a caller spoke with last (上次坐席优先): who that is, and
whether they can be rung now.
"""

from __future__ import annotations

from ctiserver.api.states import Outcome
from ctiserver.model import callbacks
from ctiserver.model.effects import StopBeforeQueue
from ctiserver.model.state import Call, SeatPlace, Spoke, State
from ctiserver.model.targets import seat_of_agent

CONTEXT = "last-agent"
"""Where in the dialplan a caller stops, for a second at most, whose last agent is here."""

MOST = 5_000
"""More numbers than are answered before the database has them; beyond, the oldest are forgotten."""


def note(state: State, call: Call, agent: str) -> None:
    """An agent answered: a caller who is cut off and calls again at once is quicker than the database."""
    if not state.rules.last_agent_within_ms or not call.number:
        return
    state.spoke.pop(call.number, None)
    state.spoke[call.number] = Spoke(agent, state.now.utc_us)
    if len(state.spoke) > MOST:
        del state.spoke[next(iter(state.spoke))]


def expect(state: State, call: Call) -> None:
    """The caller's past is known: when their last agent is here, have them stop before they join a queue."""
    citizen = state.citizen_of(call)
    if citizen is None or call.is_outbound or call.queued_us or _seat(state, call) is None:
        return
    state.do(StopBeforeQueue(state.ref("expect"), citizen.channel))


def free_seat(state: State, call: Call, queue: str) -> SeatPlace | None:
    """The last agent's seat, if it serves that queue, is free, and nobody waits whose turn it is."""
    seat = _seat(state, call)
    if seat is None or queue not in seat.queues or not callbacks.is_free(state, seat):
        return None
    is_owed = any(_waits_unrung(state, other) for other in seat.queues)
    return None if is_owed else seat


def _seat(state: State, call: Call) -> SeatPlace | None:
    """Where the agent sits who answered the caller's newest answered call, if that is not too long ago."""
    within_us = state.rules.last_agent_within_ms * 1000
    if not within_us or call.context is None:
        return None
    kept = (Spoke(c.agent, c.at_us) for c in call.context.contacts if c.outcome == Outcome.ANSWERED)
    last = state.spoke.get(call.number) or next(kept, None)
    if last is None or last.at_us < state.now.utc_us - within_us:
        return None
    return state.seats.get(seat_of_agent(state, last.agent))


def _waits_unrung(state: State, queue: str) -> bool:
    """Somebody waits in that queue for whom no seat rings."""
    line = state.lines.get(queue)
    waiting = (state.calls.get(uid) for uid in line.waiting) if line is not None else ()
    return any(call is not None and not any(leg.has_rung for leg in call.legs.values()) for call in waiting)
