"""Owns which queues a seat serves (memberships follow the agent's skills, or what a supervisor assigned), and
what was dialled.
"""

from __future__ import annotations

from ctiserver.api.states import Outcome, Seat, SeatState
from ctiserver.model.effects import AddMember, ChangePenalty, RemoveMember
from ctiserver.model.state import RESERVED_REASON, WRAP_UP_REASON, Call, Line, SeatPlace, State


def line_of(state: State, queue: str) -> Line:
    """That queue's line; one that the settings do not name begins empty."""
    line = state.lines.get(queue)
    if line is None:
        line = state.lines[queue] = Line(name=queue)
    return line


def wanted(state: State, seat: SeatPlace) -> dict[str, int]:
    """Queue -> penalty that the seat's agent should serve: what a supervisor assigned, else their skills; who
    has none serves the general queue.

    While skills are not known (no database yet), what is stays.
    """
    if seat.assigned:
        return dict(seat.assigned)
    rules = state.rules
    general = ((rules.queue, 0),)
    if rules.skills is None:
        return dict(seat.queues) or dict(general)
    return dict(rules.skills.get(seat.agent, general))


def recognise(state: State, seat: SeatPlace) -> None:
    """Asterisk's memberships keep what was assigned across a restart of ours: what they have and the agent's
    skills do not say holds on. To be known as soon as skills are.
    """
    if not seat.is_found or state.rules.skills is None:
        return
    seat.is_found = False
    found = {queue: penalty for queue, penalty in seat.queues.items() if is_queue(state, queue)}
    seat.assigned = {} if found == wanted(state, seat) else found


def forget(seat: SeatPlace) -> None:
    """Whoever sat there has gone: nothing is assigned any more."""
    seat.assigned, seat.is_found = {}, False


def pause_of(seat: SeatPlace) -> tuple[bool, str]:
    """(is paused, with what reason) as the queues should show the seat's mode. A ready seat that is kept for
    a callback is paused too: app_queue would give it to somebody else.
    """
    if seat.mode is SeatState.READY and seat.reserved:
        return True, RESERVED_REASON
    reason = WRAP_UP_REASON if seat.mode is SeatState.WRAP_UP else seat.reason
    return seat.mode is not SeatState.READY, reason


def serve(state: State, seat: SeatPlace) -> None:
    """Ask for the memberships that the seat lacks, then give up those that its agent should not have.

    In that order: a seat without any would be signed out. Held to be so from now on; a refusal or the next
    look at the switch corrects it.
    """
    recognise(state, seat)
    want = wanted(state, seat)
    is_paused, reason = pause_of(seat)
    for queue, penalty in want.items():
        if seat.queues.get(queue) == penalty:
            continue
        ref = state.ref(f"member:{seat.id}:{queue}")
        if queue in seat.queues:
            state.do(ChangePenalty(ref, queue, seat.id, penalty))
        else:
            state.do(AddMember(ref, queue, seat.id, seat.agent, is_paused, reason, penalty))
        seat.queues[queue] = penalty
    for queue in sorted(seat.queues.keys() - want.keys()):
        del seat.queues[queue]
        state.do(RemoveMember(state.ref(f"seat:{seat.id}"), queue, seat.id))
    state.dirty_seats.add(seat.id)


def follow_skills(state: State) -> None:
    """Skills may have changed: every seat at work serves what its agent should serve now."""
    for seat in state.seats.values():
        if state.linked and seat.agent and not seat.is_leaving:
            serve(state, seat)


def recount(state: State, before: Seat, now: Seat) -> None:
    """The seat is shown otherwise: the figures of the queues that it serves change."""
    for seat, by in ((before, -1), (now, 1)):
        for queue in seat.queues:
            line_of(state, queue).seats_in[seat.state] += by
            state.dirty_lines.add(queue)


def ended_in(context: str) -> Outcome | None:
    """What a call came to that ended in that part of the dialplan, before any queue: the caller was turned
    away, or left a message. None elsewhere.
    """
    ends = {"closed": Outcome.CLOSED, "full": Outcome.OVERFLOW, "message-record": Outcome.MESSAGE}
    return ends.get(context)


REMARK = "rated-remark"
"""Where in the dialplan a citizen says why they rated as they did."""
RATED = ("rated", REMARK)


def rating(context: str, exten: str) -> int | None:
    """评价: what the citizen answered, by the part of the dialplan in which their call ended: 1 to 5, 0 when
    they were asked in vain; None when they were not asked.
    """
    if context == "rating":
        return 0
    return int(exten) if context in RATED and exten in ("0", "1", "2", "3", "4", "5") else None


def home(state: State, call: Call) -> str:
    """The queue to which the citizen goes back."""
    return call.queue if call.queue in state.lines else state.rules.queue


def note_passed(call: Call, queue: str) -> None:
    """An answered citizen joins that queue: from which one they come is shown to whoever picks up."""
    if call.answered_us and call.queue not in ("", queue):
        call.passed_from = call.queue


def is_queue(state: State, queue: str) -> bool:
    """Whether the settings name that queue."""
    return queue in (state.rules.queues or (state.rules.queue,))


def label(state: State, dnis: str) -> str:
    """How a merged line's calls are labelled (并入热线), "" for any other number."""
    labels = state.rules.labels
    return labels.get("".join(c for c in dnis if c in "0123456789"), "") if labels else ""
