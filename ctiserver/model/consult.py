"""Owns who is moved where when a seat holds, consults, merges, completes or transfers.

Two rooms serve a call: the citizen's own, named by their Uniqueid, which ends when they leave it; and the
side room, where the seat (and whom it consults) goes while the citizen hears music. So no hold ends a call.
"""

from __future__ import annotations

from ctiserver.api.commands import (
    Code,
    Complete,
    Consult,
    Hold,
    Merge,
    Rate,
    Refusal,
    Requeue,
    Retrieve,
    Transfer,
    refuse,
)
from ctiserver.api.states import Oversight, Role
from ctiserver.model import attempts, lines
from ctiserver.model.effects import HangUpChannel, MoveToRoom
from ctiserver.model.state import (
    Call,
    Leg,
    State,
    companions,
    is_accompanied,
    is_held,
    open_attempt,
    side_room,
    supervisor_uid,
)

Arranging = Hold | Retrieve | Consult | Merge | Complete | Transfer | Requeue | Rate


def arrange(state: State, seat: Leg, call: Call, asked: Arranging) -> Refusal | None:
    """Do it, or say why not. Starting a call to a third party is the caller's work (`Consult`,
    `Transfer`).
    """
    ref = state.ref(f"seat:{seat.seat}")
    held = is_held(call)
    match asked:
        case Hold() if held:
            return refuse(Code.ALREADY_HELD)
        case Hold() | Transfer() | Requeue() | Rate() if open_attempt(call) is not None:
            return refuse(Code.THIRD_PARTY_PENDING)
        case Hold():
            hold(state, ref, seat, call)
        case Retrieve() | Merge() | Complete() if not held:
            return refuse(Code.NOT_HELD)
        case Retrieve():
            retrieve(state, ref, seat, call)
        case Merge() | Complete() if not is_accompanied(call, seat):
            return refuse(Code.NOT_CONSULTING)
        case Merge():
            unite(state, ref, call, [*companions(call, seat), seat])
        case Complete():
            unite(state, ref, call, companions(call, seat))
            state.do(HangUpChannel(ref, seat.channel))
        case Requeue():
            requeue(state, ref, seat, call, lines.home(state, call))
        case Rate():
            rate(state, ref, call)
        case Transfer() if asked.queue:
            return pass_on(state, ref, seat, call, asked)
        case Consult() | Transfer():
            pass
    return None


def hold(state: State, ref: str, seat: Leg, call: Call) -> None:
    """The seat to the side room with everybody else, the citizen to the music."""
    citizen, side = call.legs[call.citizen], side_room(call)
    if seat.bridge and not seat.room:
        move(state, ref, citizen, seat, side, holds=call.uid)
    else:
        state.send(ref, seat, "room-seat", side)
    for other in companions(call, seat):
        state.send(ref, other, entrance(other), side)
    bring_supervisors(state, ref, call, side)
    if seat.room:
        state.send(ref, citizen, "held", call.uid)


def retrieve(state: State, ref: str, seat: Leg, call: Call) -> None:
    """Talk with the citizen again; whoever still rings is let go."""
    attempt = open_attempt(call)
    if attempt is not None:
        attempts.withdraw(state, call, attempt.n)
    bring_back(state, ref, seat, call)


def bring_back(state: State, ref: str, seat: Leg, call: Call) -> None:
    """Seat and citizen to the citizen's room; whoever was consulted hears music."""
    for other in companions(call, seat):
        state.send(ref, other, "held-third", call.uid)
    state.send(ref, seat, "room-seat", call.uid)
    bring_supervisors(state, ref, call, call.uid)
    state.send(ref, call.legs[call.citizen], "room-citizen", call.uid)


def unite(state: State, ref: str, call: Call, others: list[Leg]) -> None:
    """These and the citizen to the citizen's room; the citizen last, so that somebody is there."""
    for leg in others:
        state.send(ref, leg, entrance(leg), call.uid)
    bring_supervisors(state, ref, call, call.uid)
    state.send(ref, call.legs[call.citizen], "room-citizen", call.uid)


def is_on_the_way(call: Call, leg: Leg) -> bool:
    """Was sent to the citizen's room, and has not come there yet. Asterisk's threads tell of one move in any
    order: the seat's end may come first, and parts nobody.
    """
    return leg.bound == call.uid


def pass_on(state: State, ref: str, seat: Leg, call: Call, asked: Transfer) -> Refusal | None:
    """转队列: the citizen waits in the queue that was named."""
    if asked.number or asked.seat or asked.agent:
        return refuse(Code.ONE_TARGET)
    if not lines.is_queue(state, asked.queue):
        return refuse(Code.NO_QUEUE)
    requeue(state, ref, seat, call, asked.queue)
    return None


def requeue(state: State, ref: str, seat: Leg, call: Call, queue: str) -> None:
    """The citizen to that queue's head; the seat's own phone is let go."""
    send_away(state, ref, call, "requeue", queue)
    let_go(state, seat)


def rate(state: State, ref: str, call: Call) -> None:
    """转评价: the citizen to the rating; all others are let go, wherever they are."""
    send_away(state, ref, call, "rating", "s")
    for other in call.legs.values():
        if other.uid != call.citizen:
            let_go(state, other)


def send_away(state: State, ref: str, call: Call, context: str, exten: str) -> None:
    """The citizen leaves everybody for another part of the dialplan. Held to be there at once: the seat's end
    may be told before they are seen there, and must not look like a citizen left alone.
    """
    citizen = call.legs[call.citizen]
    citizen.room, citizen.context = "", context
    state.touch(citizen)
    state.send(ref, citizen, context, exten)


def give_away(state: State, ref: str, seat: Leg, call: Call) -> None:
    """The citizen to their room, where whom they are given to will come. The seat, to be let go, stays where
    it is: a room must not lose somebody while another enters (`reunite`).
    """
    citizen = call.legs[call.citizen]
    for other in companions(call, seat) if is_held(call) else ():
        state.send(ref, other, "held-third", call.uid)
    if citizen.room != call.uid:
        bring_supervisors(state, ref, call, call.uid)
        state.send(ref, citizen, "room-citizen", call.uid)


def let_go(state: State, leg: Leg) -> None:
    """Hang a phone up after its citizen has been moved. Asterisk does so itself when the two were alone in
    the queue's bridge: then it refuses, and nobody minds.
    """
    state.do(HangUpChannel(state.ref("gone"), leg.channel))


def make_room(state: State, ref: str, seat: Leg, call: Call, *, apart: bool) -> None:
    """Bring people to where whom they call will come: the side room with `apart`, else the citizen's."""
    citizen = call.legs[call.citizen]
    if apart and not is_held(call):
        hold(state, ref, seat, call)
    elif not apart and is_held(call):
        bring_back(state, ref, seat, call)
    elif not apart and (citizen.room != call.uid or seat.room != call.uid):
        move(state, ref, citizen, seat, call.uid)


def move(state: State, ref: str, citizen: Leg, seat: Leg, room: str, *, holds: str = "") -> None:
    """Out of the queue's bridge, both at once: the seat to the room, the citizen too or, with `holds`, to the
    music.
    """
    citizen.bound, seat.bound = "" if holds else room, room
    state.do(MoveToRoom(ref, citizen.channel, seat.channel, room, holds=holds))


def bring_supervisors(state: State, ref: str, call: Call, room: str) -> None:
    """Supervisors who talk in it go where the seat goes; who is on the way is sent on when they come."""
    for watch in call.watches.values():
        if watch.is_over or not (watch.what is Oversight.BARGE or watch.noted is Oversight.TAKE_OVER):
            continue
        watch.room = room
        leg = call.legs.get(supervisor_uid(call.uid, watch.n))
        if leg is not None and leg.room and leg.room != room:
            state.send(ref, leg, entrance(leg), room)


def reunite(state: State, leg: Leg, room: str, conference: str) -> None:
    """The leg came into a conference; whoever is in another one of the room's name comes in again.

    Asterisk can make two conferences of one name: somebody who comes in while the last one leaves is let into
    the conference that has just ended, and the next to come gets a new one. Nobody would hear anybody. The
    citizen last: a room ends when they leave it.
    """
    leg.conference = conference
    call = state.calls.get(leg.call)
    parted = [
        other
        for other in (call.legs.values() if call is not None and conference else ())
        if other.room == room and other.conference not in ("", conference) and other is not leg
    ]
    for other in sorted(parted, key=lambda one: one.role is Role.CITIZEN):
        state.send(state.ref("parted"), other, entrance(other), room)


def entrance(leg: Leg) -> str:
    """The part of the dialplan by which a leg enters a room."""
    if leg.role is Role.CITIZEN:
        return "room-citizen"
    return "room-seat" if leg.seat else "room-third"
