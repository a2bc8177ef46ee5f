"""Owns the memory of callers who gave up in a queue: who calls again soon comes first (重复来电优先)."""

from __future__ import annotations

from ctiserver.api.states import Outcome
from ctiserver.model.effects import RaiseCaller
from ctiserver.model.state import Call, GaveUp, Leg, State

MOST = 5_000
"""More than ever gave up within the time that counts; beyond, the oldest are forgotten."""
PRIORITY = 5
"""Below those who come back from a seat (10) and whoever typed an emergency number (20)."""
_GAVE_UP = (Outcome.ABANDONED_QUEUE, Outcome.ABANDONED_RINGING)


def note(memory: dict[str, GaveUp], call: Call, how: Outcome, at_mono: int, waited_ms: int) -> None:
    """The call ended: its number is remembered when the caller gave up in a queue.

    A short abandon counts for nobody but one who had waited before. Withheld numbers are never remembered.
    """
    is_short = how is Outcome.SHORT_ABANDON and call.waited_before_ms > 0
    if not call.number or not (how in _GAVE_UP or is_short):
        return
    memory.pop(call.number, None)
    memory[call.number] = GaveUp(at_mono, call.waited_before_ms + waited_ms)
    if len(memory) > MOST:
        del memory[next(iter(memory))]


def waited_before(state: State, call: Call) -> int:
    """How long (ms) the caller had waited when they gave up lately; 0 for all others. To be asked once."""
    found = state.gave_up.pop(call.number, None)
    if found is None or state.now.mono_us - found.at_mono >= state.rules.repeat_within_ms * 1000:
        return 0
    return found.waited_ms


def come_first(state: State, call: Call, leg: Leg, queue: str) -> None:
    """One who gave up lately goes before those who have not; whoever has a higher priority keeps it."""
    if call.waited_before_ms and leg.context == "queue":
        state.do(RaiseCaller(state.ref("raised"), queue, leg.channel, PRIORITY))
