"""Owns the meeting of what we believe with what one look at the switch shows: after a connect, a restart,
or a doubt.
"""

from __future__ import annotations

from ctiserver.api.history import CallEnded, History
from ctiserver.api.states import AttemptState, Outcome, Role, SeatState
from ctiserver.model import attempts, callbacks, calls, lines, seats, spying
from ctiserver.model.effects import RemoveMember
from ctiserver.model.events import Channel, Member, SwitchSnapshot
from ctiserver.model.memory import Memory, fold
from ctiserver.model.state import Call, SeatPlace, State, called_for, seat_call_uid, supervision_of


def resync(state: State, snapshot: SwitchSnapshot) -> None:
    """Make the floor agree with the switch, with records for what ended unseen and actions for what must
    be restored.
    """
    present = {channel.uid: channel for channel in snapshot.channels}
    is_new_boot = state.now.utc_us - snapshot.up_s * 1_000_000 - 2_000_000
    forget_gone(state, present, is_new_boot)
    for channel in sorted(snapshot.channels, key=_citizens_first):
        calls.see(state, channel)
    for call in list(state.calls.values()):
        if not call.legs:
            calls.drop(state, call)
    place(state, snapshot)
    lost_dialling(state)
    lost_third_parties(state)
    spying.lose(state)
    queue(state, snapshot)
    phones = set(snapshot.phones_up)
    for seat in state.seats.values():
        seat.phone_up = seat.id in phones
        state.dirty_seats.add(seat.id)
    members(state, snapshot)
    state.was_linked = True
    for call in list(state.calls.values()):
        calls.care_for_citizen(state, call)
    callbacks.lose(state)


def _citizens_first(channel: Channel) -> tuple[bool, bool]:
    ours = called_for(channel.uid) or supervision_of(channel.uid)
    is_called = ours is not None or channel.context == "room-third"
    return (is_called, channel.uid != channel.linkedid)


def forget_gone(state: State, present: dict[str, Channel], booted_us: int) -> None:
    """Legs and calls that the switch no longer has. `booted_us`: calls that began before it were cut by
    the switch's restart.
    """
    for call in list(state.calls.values()):
        if call.citizen and call.citizen not in present and not is_dialling(call, present):
            how = Outcome.SWITCH_LOST if call.started_us < booted_us else None
            calls.end(state, call, how, is_seen=False)
    for leg in list(state.legs.values()):
        if leg.uid not in present:
            calls.hang_up(state, _gone(leg.uid, leg.channel), 0)


def is_dialling(call: Call, present: dict[str, Channel]) -> bool:
    """The agent's own phone rings or waits, and the citizen is not rung yet."""
    return call.is_outbound and not call.answered_us and seat_call_uid(call.uid, 0) in present


def _gone(uid: str, name: str) -> Channel:
    return Channel(uid, name, uid, False, False, "", "", "", "")


def place(state: State, snapshot: SwitchSnapshot) -> None:
    """Who is in which bridge and room; then who talks follows."""
    for leg in state.legs.values():
        leg.bridge = leg.room = ""
        state.touch(leg)
    for bridge, uids in snapshot.bridges.items():
        for uid in uids:
            found = state.legs.get(uid)
            if found is not None:
                found.bridge = bridge
    for room, uids in snapshot.rooms.items():
        for uid in uids:
            found = state.legs.get(uid)
            if found is not None:
                found.room, found.conference, found.bound = room, found.bridge, ""
    for leg in list(state.legs.values()):
        if leg.role is not Role.CITIZEN:
            calls.enter(state, leg)


def lost_dialling(state: State) -> None:
    """Agents who wait for a citizen whom nobody rings, or whose ringing failed unseen: no second try."""
    for call in list(state.calls.values()):
        caller = state.legs.get(seat_call_uid(call.uid, 0))
        if caller is None or not caller.room or call.answered_us or call.citizen in call.legs:
            continue
        if not call.is_citizen_called or not state.linked:
            calls.end_dialling(state, call, AttemptState.UNREACHABLE)


def lost_third_parties(state: State) -> None:
    """Third parties that left, or were never called at all, while nobody looked. Nobody is called again
    for them.
    """
    for call in state.calls.values():
        present = {leg.n for leg in call.legs.values() if leg.n}
        for attempt in call.attempts:
            if attempt.n not in present and attempt.state is AttemptState.ANSWERED:
                attempts.change(state, call, attempt.n, AttemptState.LEFT)
            elif attempt.n not in present and attempt.state.is_open:
                attempts.change(state, call, attempt.n, AttemptState.UNREACHABLE)


def queue(state: State, snapshot: SwitchSnapshot) -> None:
    """Who waits."""
    waiting = {uid: name for name, uids in snapshot.waiting.items() for uid in uids}
    for line in state.lines.values():
        for uid in list(line.waiting):
            if waiting.get(uid) != line.name:
                calls.leave_queue(state, uid, line.name)
    for uid, name in waiting.items():
        call = state.calls.get(uid)
        leg = state.citizen_of(call) if call is not None else None
        if leg is not None:
            calls.join_queue(state, _gone(uid, leg.channel), name)


def members(state: State, snapshot: SwitchSnapshot) -> None:
    """Who is signed in: adopt what a fresh start finds; later, what we know holds and is asserted again."""
    found: dict[str, list[Member]] = {}
    for member in snapshot.members:
        found.setdefault(member.seat, []).append(member)
    for seat in state.seats.values():
        mine = found.get(seat.id, [])
        seat.queues = {member.queue: member.penalty for member in mine}
        if not mine:
            seat.is_leaving = False
            if seat.agent and state.was_linked:
                seats.join_queue(state, seat)
            elif seat.agent:
                seats.vacate(state, seat)
        elif seat.is_leaving:
            seats.leave_queue(state, seat)
        else:
            agree(state, seat, mine)


def agree(state: State, seat: SeatPlace, mine: list[Member]) -> None:
    """One agent, one mode and the right queues for a seat, whatever its memberships say of each other."""
    if all(member.agent != seat.agent for member in mine):
        first = mine[0]
        seats.take(state, seat, first.agent, state.rules.names.get(first.agent, ""))
        adopt_mode(state, seat, first.is_paused, first.reason)
        seat.is_found = not state.was_linked
    if any(member.is_paused == (seat.mode is SeatState.READY) for member in mine):
        seats.pause(state, seat)
    for member in mine:
        if member.agent != seat.agent:
            del seat.queues[member.queue]
            state.do(RemoveMember(state.ref(f"seat:{seat.id}"), member.queue, seat.id))
    lines.serve(state, seat)


def adopt_mode(state: State, seat: SeatPlace, is_paused: bool, reason: str) -> None:
    """A member found in the queue: its pause is its mode. A call at the seat decides what follows it, as
    ever.
    """
    seats.adopt_pause(state, seat, is_paused, reason)
    leg = state.legs.get(seat.leg)
    if leg is not None and not leg.agent:
        leg.agent = seat.agent


def recall(state: State, unseen: tuple[History, ...]) -> None:
    """Take in what the switch's own records tell of the time away: keep it, know it, and end what has
    ended.
    """
    memory = Memory(
        open={call.id: call for call in state.calls.values()},
        gave_up=state.gave_up,
        callbacks=state.callbacks,
    )
    shift = state.now.mono_us - state.now.utc_us
    for event in unseen:
        state.record(event)
        if isinstance(event, CallEnded) and event.conversation in memory.open:
            calls.drop(state, memory.open[event.conversation])
        fold(memory, event, shift)
    for call in memory.open.values():
        state.calls[call.uid] = call
