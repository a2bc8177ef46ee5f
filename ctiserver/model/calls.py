"""Owns what each channel event means for calls: who is in, who talks, who has left, and what must follow."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import msgspec

from ctiserver.api import way
from ctiserver.api.history import (
    CallAnswered,
    CallEnded,
    CallQueued,
    CallStarted,
    IvrPassed,
    SeatLeft,
    SeatMissed,
    SeatRang,
)
from ctiserver.api.pushes import ContextPush, ConversationGone, Pop
from ctiserver.api.states import AttemptState, CallerContext, Outcome, Role, SeatState
from ctiserver.model import (
    attempts,
    callbacks,
    consult,
    handset,
    last_agent,
    lines,
    misses,
    outbound,
    returning,
    seats,
    spying,
)
from ctiserver.model.effects import AskResync, HangUpChannel, LookUpCaller
from ctiserver.model.events import (
    BridgeEntered,
    BridgeLeft,
    CallerLeftQueue,
    CallerQueued,
    Channel,
    ChannelChanged,
    ChannelCreated,
    ChannelHungUp,
    IvrLeft,
    PhoneHeld,
    RoomJoined,
    RoomLeft,
    SeatNotAnswered,
    SeatRung,
)
from ctiserver.model.state import (
    CALLED_BY_US,
    LEFT,
    Attempt,
    Call,
    Leg,
    State,
    called_for,
    companions,
    open_attempt,
    side_room,
    supervision_of,
)

_KEYED = re.compile(r"Local/([0-9]+)@sos-route-")
"""How the dialplan calls an emergency service for a seat's keypad."""

_WITH_MUSIC = frozenset(("held", "held-third"))
"""Parts of the dialplan that a screen shows."""

_CAUSES = {
    17: AttemptState.BUSY,
    19: AttemptState.NO_ANSWER,
    21: AttemptState.REJECTED,
}
"""Q.850 causes of a third party's hang-up before it answered; every other one is UNREACHABLE, 18 (nobody
responds) among them: that is a line on which nothing rings.
"""

_REASONS = {1: AttemptState.NO_ANSWER, 3: AttemptState.NO_ANSWER, 5: AttemptState.BUSY}
"""OriginateResponse reasons (Asterisk's control frames: 3 ringing until the time-out, 5 busy)."""


def on_hung_up(state: State, event: ChannelHungUp) -> None:
    """Hangup."""
    hang_up(state, event.channel, event.cause)


def on_seen(state: State, event: ChannelCreated | ChannelChanged) -> None:
    """Newchannel, Newstate and their like."""
    see(state, event.channel)


def on_bridge_entered(state: State, event: BridgeEntered) -> None:
    """BridgeEnter."""
    enter(state, see(state, event.channel), bridge=event.bridge)


def on_bridge_left(state: State, event: BridgeLeft) -> None:
    """BridgeLeave: who talked goes on talking until the leg ends; a move into a room is no end.

    Leaving, here and below, makes no leg of a channel: it may be told after the channel's own Hangup.
    """
    leg = state.legs.get(event.uid)
    if leg is not None and leg.bridge == event.bridge:
        leg.bridge = ""


def on_room_joined(state: State, event: RoomJoined) -> None:
    """ConfbridgeJoin."""
    leg = see(state, event.channel)
    if leg is not None:
        consult.reunite(state, leg, event.room, event.conference)
    enter(state, leg, room=event.room)


def on_room_left(state: State, event: RoomLeft) -> None:
    """ConfbridgeLeave. Of a third party whom the room's end parts, it comes after the Hangup."""
    leg = state.legs.get(event.uid)
    if leg is not None and leg.room == event.room:
        leg.room = ""
        state.touch(leg)


def on_phone_held(state: State, event: PhoneHeld) -> None:
    """Hold, Unhold."""
    leg = state.legs.get(event.channel.uid)
    if leg is not None and leg.is_on_hold is not event.is_on_hold:
        leg.is_on_hold = event.is_on_hold
        state.touch(leg)


def on_queued(state: State, event: CallerQueued) -> None:
    """QueueCallerJoin."""
    join_queue(state, event.channel, event.queue)


def on_left_queue(state: State, event: CallerLeftQueue) -> None:
    """QueueCallerLeave."""
    leave_queue(state, event.uid, event.queue)


def on_seat_rung(state: State, event: SeatRung) -> None:
    """AgentCalled."""
    rung = see(state, event.channel)
    if rung is not None:
        ring(state, rung)


def on_not_answered(state: State, event: SeatNotAnswered) -> None:
    """AgentRingNoAnswer."""
    see(state, event.channel)
    missed(state, event.channel.uid, event.seat)


def on_ivr_left(state: State, event: IvrLeft) -> None:
    """The citizen leaves the IVR: their way is kept, and told to whoever is shown the call."""
    leg = see(state, event.channel)
    call = state.calls.get(leg.call) if leg is not None and leg.role is Role.CITIZEN else None
    if call is None:
        return
    call.ivr_path, call.call_at = event.path[: way.LONGEST], event.call_at
    failure = way.failure(event.status, call.ivr_path)
    state.record(IvrPassed(conversation=call.id, at_us=state.now.utc_us, path=call.ivr_path, failure=failure))
    if call.context is not None and call.uid in state.call_views:
        state.tell(ContextPush(context_of(call)))


HANDLERS: dict[type[object], Callable[[State, Any], None]] = {
    ChannelCreated: on_seen,
    ChannelChanged: on_seen,
    ChannelHungUp: on_hung_up,
    BridgeEntered: on_bridge_entered,
    BridgeLeft: on_bridge_left,
    RoomJoined: on_room_joined,
    RoomLeft: on_room_left,
    PhoneHeld: on_phone_held,
    CallerQueued: on_queued,
    CallerLeftQueue: on_left_queue,
    IvrLeft: on_ivr_left,
    SeatRung: on_seat_rung,
    SeatNotAnswered: on_not_answered,
}
"""What each channel event does: a table, because a chain of tests costs more than most of the work."""


def see(state: State, channel: Channel) -> Leg | None:
    """The channel's leg, made when it is new and ours; None for channels that are no part of a citizen's
    call.
    """
    leg = state.legs.get(channel.uid)
    if leg is None:
        leg = adopt(state, channel)
        if leg is None:
            return None
    if channel.context and channel.context != leg.context:
        moved(state, leg, channel.context, channel.exten)
    if channel.is_up and not leg.is_up:
        leg.is_up, leg.is_ringing = True, False
        state.touch(leg)
    elif channel.is_ringing and not leg.is_up:
        if not leg.is_ringing:
            leg.is_ringing = True
            state.touch(leg)
        if leg.role is Role.SEAT:
            ring(state, leg)
        attempts.set_state(state, leg, AttemptState.RINGING)
    if leg.watch is not None:
        spying.note(state, leg)
    return leg


def moved(state: State, leg: Leg, context: str, exten: str) -> None:
    """The channel is in another part of the dialplan; only the parts with music show."""
    before, leg.context = leg.context, context
    if context in callbacks.CONTEXTS:
        callbacks.asked(state, leg)
    elif context == last_agent.CONTEXT:
        prefer_last_agent(state, leg, exten)
    if before in _WITH_MUSIC or context in _WITH_MUSIC:
        for other in state.calls[leg.call].legs.values() if leg.call in state.calls else ():
            state.touch(other)


def adopt(state: State, channel: Channel) -> Leg | None:
    """Make a leg of a channel never seen before, by its name and ids."""
    if channel.uid.startswith(CALLED_BY_US):
        return adopt_called(state, channel)
    if channel.context == "room-third":
        return adopt_keyed(state, channel)
    endpoint = endpoint_of(channel)
    if endpoint in state.seats:
        return adopt_seat(state, channel, endpoint) if channel.linkedid != channel.uid else None
    is_known = channel.uid in state.calls
    if endpoint in state.rules.trunks and (channel.linkedid == channel.uid or is_known):
        return adopt_citizen(state, channel, endpoint)
    return None


def endpoint_of(channel: Channel) -> str:
    """The phone or trunk whose channel that is, "" for one of another kind."""
    name, _, _ = channel.name.rpartition("-")
    return name[6:] if name.startswith("PJSIP/") else ""


def adopt_called(state: State, channel: Channel) -> Leg | None:
    """Make a leg of the channel of somebody whom we called."""
    ours = called_for(channel.uid)
    if ours is None:
        return spying.adopt(state, channel) if supervision_of(channel.uid) is not None else None
    adopt_ours = adopt_third if channel.uid.startswith("tp-") else adopt_rung_seat
    return adopt_ours(state, channel, *ours)


def adopt_citizen(state: State, channel: Channel, trunk: str) -> Leg:
    """A citizen calls, or is called: open the conversation, keep it, look the caller up."""
    call = provisional(state, channel.uid)
    call.citizen = channel.uid
    if not call.started_us:
        call.number, call.name, call.dnis = channel.number, channel.caller_name, channel.exten
        call.started_us, call.started_mono = state.now.utc_us, state.now.mono_us
        state.record(
            CallStarted(
                conversation=call.id,
                at_us=call.started_us,
                uid=call.uid,
                number=call.number,
                name=call.name,
                dnis=call.dnis,
            )
        )
    call.label = state.rules.trunk_labels.get(trunk, "") or lines.label(state, call.dnis)
    look_up(state, call)
    return add_leg(state, call, Leg(uid=channel.uid, channel=channel.name, role=Role.CITIZEN, call=call.uid))


def adopt_seat(state: State, channel: Channel, seat_id: str) -> Leg | None:
    """A seat's phone is rung for a citizen."""
    call = state.calls.get(channel.linkedid)
    if call is None:
        call = provisional(state, channel.linkedid)
        state.do(AskResync(f"seat {seat_id} in unseen call {channel.linkedid}"))
    seat = state.seats[seat_id]
    leg = Leg(
        uid=channel.uid, channel=channel.name, role=Role.SEAT, call=call.uid, seat=seat_id, agent=seat.agent
    )
    seat.leg = leg.uid
    return add_leg(state, call, leg)


def adopt_rung_seat(state: State, channel: Channel, call_uid: str, n: int) -> Leg | None:
    """The phone of a seat that we rang; it stops when nobody wants it any more, or a call was faster."""
    call = state.calls.get(call_uid)
    seat = state.seats.get(endpoint_of(channel))
    if seat is None:
        return None
    attempt = next((attempt for attempt in call.attempts if attempt.n == n), None) if call else None
    is_wanted = attempt is None or attempt.state.is_open or attempt.state is AttemptState.ANSWERED
    if call is None or not is_wanted or seat.leg:
        if state.linked:
            state.do(HangUpChannel(state.ref("orphan"), channel.name))
        if call is not None and seat.leg:
            attempts.change(state, call, n, AttemptState.BUSY)
        return None
    seat.leg = channel.uid
    leg = Leg(
        uid=channel.uid,
        channel=channel.name,
        role=Role.SEAT,
        call=call.uid,
        seat=seat.id,
        n=n,
        agent=seat.agent,
    )
    return add_leg(state, call, leg)


def adopt_keyed(state: State, channel: Channel) -> Leg | None:
    """An emergency service that a seat called by its keypad comes into the room, its exten."""
    call = state.calls.get(channel.exten)
    keyed = _KEYED.match(channel.name)
    if call is None or keyed is None:
        return None
    seat = next((leg for leg in call.legs.values() if leg.seat), None)
    number = keyed.group(1)
    attempt = Attempt(
        n=len(call.attempts) + 1,
        number=number,
        label=number,
        is_emergency=True,
        asked_us=state.now.utc_us,
        by_seat=seat.seat if seat is not None else "",
        by_agent=seat.agent if seat is not None else "",
    )
    attempts.keep(state, call, attempt)
    leg = Leg(uid=channel.uid, channel=channel.name, role=Role.THIRD_PARTY, call=call.uid, n=attempt.n)
    return add_leg(state, call, leg)


def adopt_third(state: State, channel: Channel, call_uid: str, n: int) -> Leg | None:
    """A third party that we called appears; nobody wants it any more when the citizen is gone or it was
    withdrawn.
    """
    call = state.calls.get(call_uid)
    if call is None:
        if state.linked:
            state.do(HangUpChannel(state.ref("orphan"), channel.name))
        return None
    attempt = next((attempt for attempt in call.attempts if attempt.n == n), None)
    if attempt is None:
        number = channel.exten if channel.exten.isdecimal() else ""
        attempt = Attempt(n=n, number=number, label="", is_emergency=False, asked_us=state.now.utc_us)
        call.attempts.append(attempt)
    if not attempt.state.is_open and attempt.state is not AttemptState.ANSWERED:
        state.do(HangUpChannel(state.ref("orphan"), channel.name))
    return add_leg(
        state, call, Leg(uid=channel.uid, channel=channel.name, role=Role.THIRD_PARTY, call=call.uid, n=n)
    )


def provisional(state: State, uid: str) -> Call:
    """The call of that citizen's Uniqueid, made empty when it was not known."""
    call = state.calls.get(uid)
    if call is None:
        call = state.calls[uid] = Call(uid=uid, id=f"{state.rules.node}-{uid}")
    state.dirty_calls.add(uid)
    return call


def add_leg(state: State, call: Call, leg: Leg) -> Leg:
    """Put a new leg in its call."""
    call.legs[leg.uid] = leg
    state.legs[leg.uid] = leg
    state.touch(leg)
    return leg


def look_up(state: State, call: Call) -> None:
    """Have the caller's context prefetched (again)."""
    state.do(
        LookUpCaller(
            conversation=call.id,
            number=call.number,
            name=call.name,
            dnis=call.dnis,
            started_us=call.started_us,
            queued_us=call.queued_us,
        )
    )


def context_of(call: Call) -> CallerContext:
    """What is known about the caller now, with the wait up to date."""
    known = call.context or CallerContext(
        conversation=call.id,
        number=call.number,
        masked="",
        name=call.name,
        dnis=call.dnis,
        started_us=call.started_us,
    )
    return msgspec.structs.replace(
        known,
        queued_us=call.queued_us,
        label=call.label,
        waited_before_ms=call.waited_before_ms,
        is_callback=bool(call.callback),
        passed_from=call.passed_from,
        way=way.words(call.ivr_path),
        waited_ms=call.wait_ms if call.passed_from else 0,
    )


def ring(state: State, leg: Leg) -> None:
    """A seat begins to ring: pop the caller's context onto its screen, once per ring."""
    if leg.has_rung or leg.role is not Role.SEAT:
        return
    leg.has_rung = True
    call = state.calls[leg.call]
    call.ring_cut = False
    call.ringing[leg.seat] = leg.uid
    leg.agent = leg.agent or state.seats[leg.seat].agent
    state.touch(leg)
    if leg.uid in call.known or (is_own_phone(call, leg) and not call.callback):
        return
    call.is_popped = True
    state.tell(Pop(leg.seat, context_of(call)))
    state.record(
        SeatRang(conversation=call.id, at_us=state.now.utc_us, seat=leg.seat, agent=leg.agent, leg=leg.uid)
    )


def is_own_phone(call: Call, leg: Leg) -> bool:
    """The phone of the agent who makes this call: it rings because they asked for it."""
    return call.is_outbound and leg.n == 0 and leg.uid.startswith("st-")


def missed(state: State, call_uid: str, seat_id: str) -> None:
    """The seat rang in vain, once for each ring; app_queue goes on to the next one."""
    call = state.calls.get(call_uid)
    leg = call.ringing.pop(seat_id, "") if call is not None else ""
    if call is None or not leg or call.known.get(leg) == LEFT:
        return
    call.ring_cut = False
    state.record(
        SeatMissed(
            conversation=call.id,
            at_us=state.now.utc_us,
            seat=seat_id,
            agent=state.seats[seat_id].agent,
            leg=leg,
        )
    )
    misses.count(state, state.seats[seat_id])


def join_queue(state: State, channel: Channel, queue: str) -> None:
    """The citizen waits in a queue."""
    leg = see(state, channel)
    if leg is None or leg.role is not Role.CITIZEN:
        return
    call = state.calls[leg.call]
    line = lines.line_of(state, queue)
    state.dirty_lines.add(queue)
    is_back = bool(call.answered_us) and call.uid not in line.waiting
    if not call.queued_us or is_back:
        begin_wait(state, call, queue)
        returning.come_first(state, call, leg, queue)
    elif call.uid not in line.waiting:
        callbacks.back_in_line(state, call)
        returning.come_first(state, call, leg, queue)
    line.waiting.setdefault(call.uid, call.queued_us)
    leg.room = ""
    for other in call.legs.values():
        if other.watch or outlives_citizen(call, other):  # held for too long: who held them is let go
            state.do(HangUpChannel(state.ref("orphan"), other.channel))
    state.touch(leg)


def begin_wait(state: State, call: Call, queue: str) -> None:
    """From now on the citizen waits to be answered, in the name of that queue."""
    before_ms = 0 if call.queued_us else waited_before(state, call)
    call.waited_before_ms = call.waited_before_ms or before_ms
    lines.note_passed(call, queue)
    call.queue, call.queued_us, call.queued_mono = queue, state.now.utc_us, state.now.mono_us
    state.record(
        CallQueued(conversation=call.id, at_us=call.queued_us, queue=queue, waited_before_ms=before_ms)
    )
    if call.context is None or not call.context.is_complete:
        look_up(state, call)
    call.is_raised = False


def prefer_last_agent(state: State, leg: Leg, queue: str) -> None:
    """The citizen stops on the way to a queue: to their last agent, if free now, else on to the queue."""
    call = state.calls.get(leg.call)
    if call is None or leg.role is not Role.CITIZEN:
        return
    seat = None if call.queued_us else last_agent.free_seat(state, call, queue)
    if seat is None:
        state.send(state.ref("citizen"), leg, "queue", queue)
        return
    begin_wait(state, call, queue)
    attempts.bring_seat(state, call, seat, "")


def waited_before(state: State, call: Call) -> int:
    """How long (ms) the caller has waited already: in a call that they gave up lately, or for a callback."""
    return max(returning.waited_before(state, call), callbacks.called_again(state, call))


def leave_queue(state: State, uid: str, queue: str) -> None:
    """The citizen waits no longer."""
    line = state.lines.get(queue)
    if line is not None and line.waiting.pop(uid, None) is not None:
        state.dirty_lines.add(queue)
        state.dirty_calls.add(uid)


def enter(state: State, leg: Leg | None, *, bridge: str = "", room: str = "") -> None:
    """A leg came into a bridge or a room: whoever is there with the citizen talks."""
    if leg is None:
        return
    call = state.calls.get(leg.call)
    if bridge:
        leg.bridge = bridge
    if room:
        leg.room = room
        if leg.bound == room:
            leg.bound = ""
        state.touch(leg)
    if leg.watch is not None:
        came_to_room(state, call, leg)
        return
    if call is not None and room and is_own_phone(call, leg):
        outbound.on_seat_ready(state, call)
    citizen = state.citizen_of(call) if call is not None else None
    if call is None or citizen is None:
        return
    for other in list(call.legs.values()):
        if other is not citizen and not other.joined_mono and not other.watch and is_in(call, other, citizen):
            join(state, call, other)
            if other.n:
                care_for_citizen(state, call)  # whoever called them may have gone meanwhile
    if leg is citizen and room and len(call.legs) == 1:
        care_for_citizen(state, call)  # whom they were to meet has failed to come already


def came_to_room(state: State, call: Call | None, leg: Leg) -> None:
    """A supervisor is in a room, perhaps one whose people have just gone."""
    if call is not None and leg.room:
        spying.came(state, call, leg)
    elif leg.room:
        state.do(HangUpChannel(state.ref("orphan"), leg.channel))


def are_together(one: Leg, other: Leg) -> bool:
    """In one room or one bridge: they hear each other."""
    return bool((one.room and one.room == other.room) or (one.bridge and one.bridge == other.bridge))


def is_in(call: Call, leg: Leg, citizen: Leg) -> bool:
    """Takes part in the conversation: with the citizen, or at one of the places where only such legs come."""
    if are_together(leg, citizen) or leg.context == "held-third":
        return True
    return leg.room != "" and leg.room == side_room(call)


def join(state: State, call: Call, leg: Leg) -> None:
    """A leg begins to talk with the citizen."""
    leg.joined_mono = state.now.mono_us or 1
    leg.is_up, leg.is_ringing = True, False
    for other in call.legs.values():
        state.touch(other)
    attempts.set_state(state, leg, AttemptState.ANSWERED)
    if leg.role is Role.THIRD_PARTY:
        return
    ring(state, leg)
    state.seats[leg.seat].misses = 0
    call.ringing.pop(leg.seat, None)
    if leg.n and not any(other.seat and other is not leg for other in call.legs.values()):
        hand_over(state, call)
    leave_queue(state, call.uid, call.queue)
    if call.known.get(leg.uid):
        leg.joined_mono = call.known[leg.uid]
        return
    if not call.answered_us:
        since = call.queued_mono or call.started_mono
        is_awaited = not call.is_outbound or bool(call.callback)
        call.wait_ms = max(0, state.now.mono_us - since) // 1000 if is_awaited else 0
        call.answered_us, call.answered_mono = state.now.utc_us, state.now.mono_us
    state.record(
        CallAnswered(
            conversation=call.id,
            at_us=state.now.utc_us,
            seat=leg.seat,
            agent=leg.agent,
            leg=leg.uid,
            wait_ms=call.wait_ms,
        )
    )
    last_agent.note(state, call, leg.agent)
    callbacks.answered(state, call)


def hang_up(state: State, channel: Channel, cause: int) -> None:
    """A channel is gone; one that was never seen stays unseen."""
    leg = state.legs.pop(channel.uid, None)
    if leg is None:
        return
    state.touch(leg)
    call = state.calls.get(leg.call)
    if call is not None:
        call.legs.pop(leg.uid, None)
    match leg.role:
        case Role.CITIZEN:
            if call is not None:
                citizen_gone(state, call, channel, cause)
        case Role.SEAT:
            seat_leg_gone(state, leg, call, cause)
        case Role.THIRD_PARTY:
            attempt_leg_gone(state, leg, call, cause)
        case Role.SUPERVISOR:
            spying.leg_gone(state, leg, call)
    if call is not None and call.uid in state.calls:
        for other in call.legs.values():
            state.touch(other)
        if not call.legs and not call.citizen:
            drop(state, call)
        else:
            care_for_citizen(state, call)


def citizen_gone(state: State, call: Call, channel: Channel, cause: int) -> None:
    """The citizen hung up, or was turned away at a queue's door: where the channel ended tells. `cause`
    (Q.850) says why one whom an agent called did not come.
    """
    if call.is_outbound and not call.answered_us:
        end_dialling(state, call, _CAUSES.get(cause, AttemptState.UNREACHABLE))
        return
    how = lines.ended_in(channel.context) if not call.queued_us else None
    if how is not None:
        call.queue = channel.exten
    rating = lines.rating(channel.context, channel.exten)
    end(state, call, how, rating=rating, has_remark=channel.context == lines.REMARK)


def seat_leg_gone(state: State, leg: Leg, call: Call | None, cause: int) -> None:
    """A seat's phone was hung up or stopped ringing."""
    seat = state.seats[leg.seat]
    if seat.leg == leg.uid:
        seat.leg = ""
        callbacks.let_go(state, seat)
    if call is not None:
        spying.seat_gone(state, call, seat)
    if call is not None and is_own_phone(call, leg) and not leg.joined_mono:
        if call.callback and not call.is_citizen_called:
            missed(state, call.uid, leg.seat)
        end_dialling(state, call, AttemptState.WITHDRAWN)
        return
    if leg.joined_mono:
        state.record(
            SeatLeft(
                conversation=call.id if call is not None else f"{state.rules.node}-{leg.call}",
                at_us=state.now.utc_us,
                seat=leg.seat,
                agent=leg.agent,
                leg=leg.uid,
                talk_ms=max(0, state.now.mono_us - leg.joined_mono) // 1000,
            )
        )
        if call is not None and call.is_recording_paused and call.citizen in call.legs:
            handset.resume(state, call)
        if call is not None and all(other.n > leg.n for other in call.legs.values() if other.seat):
            hand_over(state, call)
        seats.after_call(state, seat)
    elif call is not None and leg.n:
        missed(state, call.uid, leg.seat)
    elif call is not None and not call.answered_us:
        call.ring_cut = True
    if not leg.joined_mono and seat.next_mode is SeatState.SIGNED_OUT:
        seats.after_call(state, seat)
    attempt_leg_gone(state, leg, call, cause)


def attempt_leg_gone(state: State, leg: Leg, call: Call | None, cause: int) -> None:
    """Somebody whom we called left, or never came."""
    if call is None or not leg.n:
        return
    new = AttemptState.LEFT if leg.joined_mono else _CAUSES.get(cause, AttemptState.UNREACHABLE)
    attempts.change(state, call, leg.n, new)


def originate_failed(state: State, uid: str, reason: int) -> None:
    """Asterisk could not call somebody; a hang-up with a better cause may have said so already."""
    why = _REASONS.get(reason, AttemptState.UNREACHABLE)
    dialled = state.calls.get(uid)
    if dialled is not None and dialled.is_outbound and uid not in state.legs:
        end_dialling(state, dialled, why)
        return
    rung = called_for(uid)
    call = state.calls.get(rung[0]) if rung is not None else None
    if supervision_of(uid) is not None:
        spying.call_failed(state, uid)
    if rung is None or call is None or uid in state.legs:
        return
    if call.is_outbound and rung[1] == 0:
        end_dialling(state, call, AttemptState.WITHDRAWN)
        return
    attempts.change(state, call, rung[1], why)
    care_for_citizen(state, call)


def end_dialling(state: State, call: Call, why: AttemptState) -> None:
    """An outbound call came to nothing: tell the seat, let go of whoever is still rung."""
    if call.answered_us or call.uid not in state.calls:
        return
    outbound.tell_not_reached(state, call, why)
    callbacks.came_to_nothing(state, call, why)
    for leg in call.legs.values():
        state.do(HangUpChannel(state.ref("orphan"), leg.channel))
    end(state, call, Outcome.NOT_REACHED)


def care_for_citizen(state: State, call: Call, *, is_promised: bool = False) -> None:
    """No caller is left alone: farewell, or back to the queue when the one who was promised never came or the
    one who held them has gone.
    """
    citizen = state.citizen_of(call)
    if citizen is None:
        return
    was_held = citizen.context == "held" and not consult.is_on_the_way(call, citizen)
    if not (citizen.room or was_held):
        return
    if open_attempt(call) is not None or has_keeper(call) or spying.is_coming(call):
        return
    others = [leg for leg in call.legs.values() if leg is not citizen]
    if not was_held and any(are_together(leg, citizen) or consult.is_on_the_way(call, leg) for leg in others):
        return
    for leg in others:
        state.do(HangUpChannel(state.ref("orphan"), leg.channel))
    last = call.attempts[-1].state if call.attempts else AttemptState.LEFT
    is_over = last is AttemptState.LEFT and not was_held and not is_promised
    context, exten = ("farewell", "s") if is_over else ("requeue", lines.home(state, call))
    consult.send_away(state, state.ref("citizen"), call, context, exten)


def has_keeper(call: Call) -> bool:
    """A seat is there for the citizen, ringing or talking, and not parked."""
    return any(leg.seat and leg.context != "held-third" for leg in call.legs.values())


def hand_over(state: State, call: Call) -> None:
    """The citizen who is held goes to the seats that are left: whoever held them has gone."""
    citizen = state.citizen_of(call)
    left = [leg for leg in call.legs.values() if leg.seat and leg.joined_mono]
    if citizen is None or citizen.context != "held" or not left:
        return
    ref = state.ref("citizen")
    for leg in companions(call, citizen):
        state.send(ref, leg, "room-seat" if leg.seat else "room-third", call.uid)
    consult.bring_supervisors(state, ref, call, call.uid)
    state.send(ref, citizen, "room-citizen", call.uid)


def outcome(state: State, call: Call) -> Outcome:
    """How a call that ends now has ended."""
    if call.answered_us:
        return Outcome.ANSWERED
    if call.is_outbound:
        return Outcome.NOT_REACHED
    if call.id in state.callbacks:
        return Outcome.CALLBACK
    if not call.queued_us:
        return Outcome.ABANDONED_IVR
    if state.now.mono_us - call.queued_mono < state.rules.short_abandon_ms * 1000:
        return Outcome.SHORT_ABANDON
    is_ringing = call.ring_cut or any(leg.has_rung for leg in call.legs.values())
    return Outcome.ABANDONED_RINGING if is_ringing else Outcome.ABANDONED_QUEUE


def end(
    state: State,
    call: Call,
    how: Outcome | None = None,
    *,
    is_seen: bool = True,
    rating: int | None = None,
    has_remark: bool = False,
) -> None:
    """The citizen is gone: keep the call, take it off the floor, stop calling others for it."""
    how = how or outcome(state, call)
    now = state.now
    waited = (
        call.wait_ms if call.answered_us else max(0, now.mono_us - (call.queued_mono or now.mono_us)) // 1000
    )
    state.record(
        CallEnded(
            conversation=call.id,
            at_us=now.utc_us,
            outcome=how,
            wait_ms=waited,
            talk_ms=max(0, now.mono_us - call.answered_mono) // 1000 if call.answered_us else 0,
            is_seen=is_seen,
            queue=call.queue if not call.queued_us else "",
            rating=rating,
            has_remark=has_remark,
        )
    )
    callbacks.came_to_nothing(state, call, AttemptState.WITHDRAWN)
    returning.note(state.gave_up, call, how, now.mono_us, waited)
    for leg in call.legs.values():
        state.touch(leg)
        if is_seen and outlives_citizen(call, leg):
            state.do(HangUpChannel(state.ref("orphan"), leg.channel))
    for attempt in call.attempts:
        if attempt.state.is_open:
            attempts.change(state, call, attempt.n, AttemptState.WITHDRAWN)
        elif attempt.state is AttemptState.ANSWERED:
            attempts.change(state, call, attempt.n, AttemptState.LEFT)
    drop(state, call)


def outlives_citizen(call: Call, leg: Leg) -> bool:
    """A leg that Asterisk would leave behind: still called, parked, or in the side room."""
    is_called = leg.uid.startswith(("tp-", "st-")) and not leg.joined_mono
    is_called = is_called or (leg.watch is not None and not leg.is_up)
    is_aside = leg.room != "" and leg.room == side_room(call)
    return is_called or is_aside or leg.context == "held-third"


def drop(state: State, call: Call) -> None:
    """Take a call off the floor. Legs still there are forgotten by their own hang-ups."""
    for line in state.lines.values():
        leave_queue(state, call.uid, line.name)
    spying.close_all(state, call)
    state.calls.pop(call.uid, None)
    state.dirty_calls.discard(call.uid)
    if state.call_views.pop(call.uid, None) is not None or call.is_popped:
        state.tell(ConversationGone(call.id))
