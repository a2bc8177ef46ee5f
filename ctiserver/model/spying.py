"""Owns supervisors' legs in a call (监听, 密语, 插入, 拦截): how one comes, what it hears, how it ends.

What a leg does is read from where it is, never from what was asked: in `spy-listen` or `spy-whisper` it hears
the seat's channel; in a room it talks. A switch is a move from one to the other, without ringing again.
"""

from __future__ import annotations

from ctiserver.api.history import Supervised
from ctiserver.api.pushes import Notice
from ctiserver.api.states import PHONE_NOT_REACHED_ZH, SUPERVISED_ZH, Oversight, Role
from ctiserver.model import calls, consult
from ctiserver.model.effects import HangUpChannel
from ctiserver.model.events import Channel
from ctiserver.model.state import (
    Call,
    Leg,
    SeatPlace,
    State,
    Watch,
    companions,
    supervision_of,
    supervisor_uid,
)

PLACES = {Oversight.LISTEN: "spy-listen", Oversight.WHISPER: "spy-whisper"}
"""Where in the dialplan a phone hears a seat without being in its room."""
_NO_ROOM = frozenset(("queue", "requeue", "farewell"))
_HEARD_AT = {context: what for what, context in PLACES.items()}


def adopt(state: State, channel: Channel) -> Leg | None:
    """A supervisor's phone that we called appears; nobody wants it any more when call or seat has gone."""
    call_uid, n = supervision_of(channel.uid) or ("", 0)
    call = state.calls.get(call_uid)
    watch = call.watches.get(n) if call is not None else None
    if call is None or (watch is not None and watch.is_over):
        if state.linked:
            state.do(HangUpChannel(state.ref("orphan"), channel.name))
        return None
    if watch is None:  # asked for before a restart of ours
        watch = call.watches[n] = Watch(n=n)
        watch.seat = channel.exten if channel.context in _HEARD_AT else ""
    watch.phone = calls.endpoint_of(channel)
    leg = Leg(uid=channel.uid, channel=channel.name, role=Role.SUPERVISOR, call=call.uid, watch=watch)
    return calls.add_leg(state, call, leg)


def oversight_of(leg: Leg) -> Oversight | None:
    """What the leg does now; None while it rings or is on its way."""
    if leg.watch is None or not leg.is_up:
        return None
    if leg.room:
        is_taken = leg.watch.what is Oversight.TAKE_OVER
        return Oversight.TAKE_OVER if is_taken else Oversight.BARGE
    return _HEARD_AT.get(leg.context)


def note(state: State, leg: Leg) -> None:
    """Keep what the leg does now, and since when, if that is new."""
    call, watch, now = state.calls.get(leg.call), leg.watch, oversight_of(leg)
    if call is None or watch is None or watch.is_over:
        return
    if leg.is_up and not watch.person:  # rung before a restart of ours: nobody knows any more for whom
        let_go(state, call, watch)
        return
    if now is None or now is watch.noted:
        return
    close(state, call, watch)
    watch.noted, watch.what, watch.since_us = now, now, state.now.utc_us
    seat = state.seats.get(watch.seat)
    watch.agent = seat.agent if seat is not None else ""
    record(state, call, watch)
    state.touch(leg)


def close(state: State, call: Call, watch: Watch) -> None:
    """What was going on ends."""
    if watch.noted is not None:
        record(state, call, watch, until_us=max(state.now.utc_us, watch.since_us + 1))
        watch.noted = None


def record(state: State, call: Call, watch: Watch, until_us: int = 0) -> None:
    """Keep who does what to whom."""
    if watch.noted is None:
        return
    state.record(
        Supervised(
            at_us=watch.since_us,
            person=watch.person,
            what=watch.noted,
            conversation=call.id,
            seat=watch.seat,
            agent=watch.agent,
            why=watch.why,
            leg=supervisor_uid(call.uid, watch.n),
            until_us=until_us,
        )
    )


def came(state: State, call: Call, leg: Leg) -> None:
    """The leg is in a room: take the seat's place, or be where the seat is."""
    leg.joined_mono = leg.joined_mono or state.now.mono_us or 1
    leg.is_up, leg.is_ringing = True, False
    note(state, leg)
    for other in call.legs.values():
        state.touch(other)
    seat = watched_seat(state, call, leg)
    if leg.watch is not None and leg.watch.what is Oversight.TAKE_OVER:
        relieve(state, call, seat)
    elif seat is None and is_left(state, call):
        state.do(HangUpChannel(state.ref("supervisor"), leg.channel))
    elif leg.watch is not None and leg.watch.room not in ("", leg.room):  # the seat went elsewhere meanwhile
        state.send(state.ref("supervisor"), leg, "room-third", leg.watch.room)


def is_left(state: State, call: Call) -> bool:
    """The citizen has gone from the rooms, to the queue or for good."""
    citizen = state.citizen_of(call)
    return citizen is None or citizen.context in _NO_ROOM


def relieve(state: State, call: Call, seat: Leg | None) -> None:
    """拦截: the supervisor is there, so the seat leaves; a citizen who is held comes back first."""
    citizen = state.citizen_of(call)
    ref = state.ref("supervisor")
    if citizen is not None and citizen.context == "held":
        consult.unite(state, ref, call, companions(call, seat or citizen))
    if seat is not None:
        state.tell(Notice(seat.seat, "taken_over", SUPERVISED_ZH[Oversight.TAKE_OVER]))
        state.do(HangUpChannel(ref, seat.channel))


def watched_seat(state: State, call: Call, leg: Leg) -> Leg | None:
    """The leg of the seat whose call it is, while it talks in it."""
    place = state.seats.get(leg.watch.seat) if leg.watch is not None else None
    seat = call.legs.get(place.leg) if place is not None else None
    return seat if seat is not None and seat.joined_mono else None


def leg_gone(state: State, leg: Leg, call: Call | None) -> None:
    """A supervisor's phone was hung up, or never picked up."""
    if leg.watch is not None and call is not None:
        end(state, call, leg.watch)


def end(state: State, call: Call, watch: Watch) -> None:
    """It is over; a channel that appears for it later is hung up at once."""
    if watch.is_over:
        return
    is_promised = is_to_take_over(watch)
    watch.is_over = True
    if watch.noted is None:
        state.tell(Notice(watch.phone, "phone_not_reached", PHONE_NOT_REACHED_ZH))
    close(state, call, watch)
    if is_promised:
        calls.care_for_citizen(state, call, is_promised=True)


def call_failed(state: State, uid: str) -> None:
    """Asterisk could not call a supervisor's phone, or nobody picked up."""
    call_uid, n = supervision_of(uid) or ("", 0)
    call = state.calls.get(call_uid)
    watch = call.watches.get(n) if call is not None else None
    if call is not None and watch is not None and uid not in call.legs:
        end(state, call, watch)
        state.dirty_calls.add(call.uid)


def seat_gone(state: State, call: Call, seat: SeatPlace) -> None:
    """A seat has left: phones still rung to hear it are let go. Who comes to take over, still comes."""
    for watch in call.watches.values():
        is_coming = watch.noted is None and watch.what is not Oversight.TAKE_OVER
        if watch.seat == seat.id and is_coming and not watch.is_over:
            let_go(state, call, watch)


def let_go(state: State, call: Call, watch: Watch) -> None:
    """Hang up, or call no more."""
    leg = call.legs.get(supervisor_uid(call.uid, watch.n))
    if leg is not None:
        state.do(HangUpChannel(state.ref("supervisor"), leg.channel))
    if watch.noted is None:
        watch.is_over = True


def close_all(state: State, call: Call) -> None:
    """The call leaves the floor."""
    for watch in call.watches.values():
        watch.is_over = True
        close(state, call, watch)


def lose(state: State) -> None:
    """Phones that left, or were never called at all, while nobody looked."""
    for call in list(state.calls.values()):
        for watch in call.watches.values():
            if not watch.is_over and supervisor_uid(call.uid, watch.n) not in call.legs:
                end(state, call, watch)


def is_coming(call: Call) -> bool:
    """Somebody is being called to take over: the citizen waits for them."""
    return any(is_to_take_over(watch) for watch in call.watches.values())


def is_to_take_over(watch: Watch) -> bool:
    """Has been asked to, and is not with the citizen yet."""
    is_asked = watch.what is Oversight.TAKE_OVER and watch.noted is not Oversight.TAKE_OVER
    return is_asked and not watch.is_over
