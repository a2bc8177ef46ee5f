"""Owns callbacks that keep a place in line (保位回呼): who asked, whose turn it is, and what became of it.

A place counts from when its citizen joined the queue. Its turn has come when nobody who waits in that queue
has waited longer or goes before everybody (`[queue-first]`, 提前). A seat that becomes ready then is kept for
it (paused in app_queue, which would give it to somebody else), rung first, and the citizen after it.
"""

from __future__ import annotations

import msgspec

from ctiserver.api import states
from ctiserver.api.commands import Dial
from ctiserver.api.history import CallbackAsked, CallbackChanged, CallQueued
from ctiserver.api.pushes import CallbackGone, CallbackPush
from ctiserver.api.states import Action, AttemptState, CallbackState, Role, SeatState
from ctiserver.model import lines, outbound, seats
from ctiserver.model.effects import HangUpChannel, StartTimer
from ctiserver.model.state import Call, KeptPlace, Leg, SeatPlace, State
from ctiserver.model.targets import may_call
from hotline.local_time import local

ASKED, AGREED = "callback", "callback-agreed"
"""Where in the dialplan a citizen is who pressed the key, and who has been promised a call."""
CONTEXTS = (ASKED, AGREED)
TIMER = "callbacks"
LOOK_EVERY_MS = 5_000
"""Between two looks whether a pause is over or a queue has opened; all else is seen at once."""
PASS_US = 15_000_000
"""So long a seat that did not pick up is passed over for that citizen."""
_LAST_DAY = {"mon-fri": 4, "mon-sat": 5, "mon-sun": 6}


def asked(state: State, leg: Leg) -> None:
    """The citizen pressed the key: keep their place and promise the call, or send them back with the reason.

    Found by a fresh start where the promise is made, they have it.
    """
    call = state.calls.get(leg.call)
    if call is None or leg.role is not Role.CITIZEN:
        return
    goes_to = AGREED
    number = call.call_at or call.number
    if not number:
        goes_to = "callback-withheld"
    elif not may_call(state, number):
        goes_to = "callback-refused"
    if goes_to == AGREED and call.id not in state.callbacks:
        keep(state, call)
    if leg.context == ASKED:
        state.send(state.ref("citizen"), leg, goes_to, lines.home(state, call))


def keep(state: State, call: Call) -> None:
    """The citizen's place in line is kept from now on."""
    place = KeptPlace(
        id=call.id,
        number=call.call_at or call.number,
        caller=call.number,
        queue=lines.home(state, call),
        since_us=waits_since(call),
        asked_us=state.now.utc_us,
    )
    state.callbacks[place.id] = place
    state.record(
        CallbackAsked(
            conversation=place.id,
            at_us=place.asked_us,
            queue=place.queue,
            number=place.number,
            caller=place.caller,
            since_us=place.since_us,
        )
    )
    touch(state, place)
    state.do(StartTimer(TIMER, LOOK_EVERY_MS))


def waits_since(call: Call) -> int:
    """From when on a caller counts as waiting (UTC): what they waited in earlier calls counts."""
    return (call.queued_us or call.started_us) - call.waited_before_ms * 1000


def reserve(state: State, seat: SeatPlace) -> None:
    """A seat that becomes ready is kept for the callback whose turn it is, if any."""
    for place in in_order(state):
        if is_turn(state, place, seat):
            seat.reserved, place.seat = place.id, seat.id
            return


def in_order(state: State) -> list[KeptPlace]:
    """Who has waited longest comes first."""
    return sorted(state.callbacks.values(), key=lambda place: (place.since_us, place.id))


def is_turn(state: State, place: KeptPlace, seat: SeatPlace) -> bool:
    """Whether that seat may call that citizen now."""
    now_us = state.now.utc_us
    return (
        not place.seat
        and place.not_before_us <= now_us
        and place.passed.get(seat.id, 0) <= now_us
        and is_free(state, seat)
        and place.queue in (seat.queues or lines.wanted(state, seat))
        and is_open(state, place.queue)
        and is_first(state, place)
    )


def is_free(state: State, seat: SeatPlace) -> bool:
    """Ready, nobody at it or on the way to it."""
    is_ready = bool(seat.agent) and seat.mode is SeatState.READY and seat.phone_up and not seat.is_leaving
    return is_ready and not seat.leg and not seat.reserved and not outbound.is_dialling(state, seat)


def is_open(state: State, queue: str) -> bool:
    """The queue's hours, Shanghai's time, both minutes included (as GotoIfTime has it)."""
    if queue not in state.rules.hours:
        return True
    hours, days = state.rules.hours[queue]
    opens, _, closes = hours.partition("-")
    here = local(state.now.utc_us)
    clock = here.strftime("%H:%M")
    is_in = opens <= clock <= closes if opens <= closes else not closes < clock < opens
    return is_in and here.weekday() <= _LAST_DAY[days]


def is_first(state: State, place: KeptPlace) -> bool:
    """Nobody in that queue goes before them; the citizen themselves has hung up."""
    if any(call.id == place.id for call in state.calls.values()):
        return False
    line = state.lines.get(place.queue)
    waiting = [state.calls[uid] for uid in line.waiting if uid in state.calls] if line is not None else []
    return not any(goes_before(state, call, place) for call in waiting)


def goes_before(state: State, call: Call, place: KeptPlace) -> bool:
    """That caller waits, with no seat ringing for them, and comes before the kept place."""
    citizen = state.citizen_of(call)
    if citizen is None or any(leg.seat for leg in call.legs.values()):
        return False
    return citizen.context == "queue-first" or call.is_raised or waits_since(call) < place.since_us


def serve(state: State) -> None:
    """Call those whose turn has come: by the seat that is kept for them, or one that is free anyway."""
    if not state.callbacks or not state.linked:
        return
    free = [seat for seat in state.seats.values() if is_free(state, seat)]
    for place in in_order(state):
        if place.call:
            continue
        kept = state.seats.get(place.seat)
        if kept is None or kept.reserved != place.id:
            place.seat = ""
            kept = free_seat(state, place, free)
        if kept is not None:
            ring(state, place, kept)


def free_seat(state: State, place: KeptPlace, free: list[SeatPlace]) -> SeatPlace | None:
    """A free seat for them: the lowest penalty first, then who has been ready longest. It is kept now."""
    fit = [seat for seat in free if is_turn(state, place, seat)]
    if not fit:
        return None
    seat = min(fit, key=lambda seat: (seat.queues.get(place.queue, 0), seat.since_us))
    seat.reserved, place.seat = place.id, seat.id
    seats.pause(state, seat)
    return seat


def ring(state: State, place: KeptPlace, seat: SeatPlace) -> None:
    """Ring the agent; the citizen is rung when the agent has picked up. The wait is the original one."""
    now = state.now
    call = outbound.begin(state, seat, Dial(number=place.number, about=place.id), is_promised=True)
    call.callback, call.queue, call.queued_us = place.id, place.queue, place.since_us
    call.queued_mono = now.mono_us - (now.utc_us - place.since_us) or 1
    state.record(CallQueued(conversation=call.id, at_us=place.since_us, queue=place.queue))
    place.call = call.id
    note(state, place, CallbackState.CALLING)
    outbound.ring_agent(state, call, seat)


def note(state: State, place: KeptPlace, how: CallbackState, person: str = "") -> None:
    """Keep what the callback came to."""
    seat = state.seats.get(place.seat)
    state.record(
        CallbackChanged(
            conversation=place.id,
            at_us=state.now.utc_us,
            state=how,
            call=place.call,
            seat=place.seat,
            agent=seat.agent if seat is not None else "",
            tries=place.tries,
            not_before_us=place.not_before_us,
            person=person,
        )
    )
    touch(state, place)


def touch(state: State, place: KeptPlace) -> None:
    """It must be shown anew, and the figures of its queue."""
    state.dirty_callbacks.add(place.id)
    lines.line_of(state, place.queue)
    state.dirty_lines.add(place.queue)


def is_wanted(state: State, call: Call) -> bool:
    """No callback, or one that has not been cancelled or withdrawn meanwhile."""
    return not call.callback or call.callback in state.callbacks


def answered(state: State, call: Call) -> None:
    """Seat and citizen talk: the callback is done, and the seat an ordinary one in a call."""
    if not call.callback:
        return
    place = state.callbacks.get(call.callback)
    if place is not None:
        close(state, place, CallbackState.DONE)
    seat = state.seats.get(call.by_seat)
    if seat is not None and seat.reserved == call.callback:
        seat.reserved = ""
        seats.pause(state, seat)


def came_to_nothing(state: State, call: Call, why: AttemptState) -> None:
    """The call that should have brought them together ended. Only a citizen who was rung counts as a try;
    when the seat did not pick up or hung up, the next seat is rung.
    """
    place = state.callbacks.get(call.callback)
    if place is None or place.call != call.id:
        return
    if call.is_citizen_called and why is not AttemptState.WITHDRAWN:
        place.tries += 1
        place.not_before_us = state.now.utc_us + state.rules.callback_retry_ms * 1000
    else:
        place.passed[call.by_seat] = state.now.utc_us + PASS_US
    place.seat = ""
    if place.tries >= state.rules.callback_tries:
        close(state, place, CallbackState.FAILED)
    else:
        place.call = ""
        note(state, place, CallbackState.WAITING)
    seat = state.seats.get(call.by_seat)
    if seat is not None and not seat.leg:
        let_go(state, seat)


def let_go(state: State, seat: SeatPlace) -> None:
    """The seat's phone is free again: what it was kept for is over, and perhaps the next one's turn."""
    if not seat.reserved:
        return
    place = state.callbacks.get(seat.reserved)
    if place is not None and place.seat == seat.id:
        return
    seat.reserved = ""
    if seat.agent and not seat.is_leaving:
        reserve(state, seat)
        seats.pause(state, seat)


def close(state: State, place: KeptPlace, how: CallbackState, person: str = "") -> None:
    """The place is kept no longer; whoever is rung for it is let go, unless they talk."""
    del state.callbacks[place.id]
    note(state, place, how, person)
    if how is CallbackState.DONE:
        return
    call = next((call for call in state.calls.values() if call.id == place.call), None)
    for leg in call.legs.values() if call is not None and not call.answered_us else ():
        state.do(HangUpChannel(state.ref("orphan"), leg.channel))
    seat = state.seats.get(place.seat)
    if seat is not None and call is None:
        let_go(state, seat)


def cancel(state: State, callback: str, person: str) -> bool:
    """取消回呼; whether there was one."""
    place = state.callbacks.get(callback)
    if place is not None:
        close(state, place, CallbackState.CANCELLED, person)
    return place is not None


def back_in_line(state: State, call: Call) -> None:
    """The citizen waits in the line themselves again: no promise could be made, or it did not reach them."""
    call.is_raised = False
    place = state.callbacks.get(call.id)
    if place is not None:
        close(state, place, CallbackState.WITHDRAWN)


def called_again(state: State, call: Call) -> int:
    """Somebody calls who has asked for a callback: they are in line again, and how long (ms) they have waited
    for it counts.
    """
    if not state.callbacks or call.is_outbound or not call.number:
        return 0
    mine = [place for place in state.callbacks.values() if call.number in (place.number, place.caller)]
    for place in mine:
        close(state, place, CallbackState.WITHDRAWN)
    return max(((state.now.utc_us - place.since_us) // 1000 for place in mine), default=0)


def recall(state: State, remembered: dict[str, KeptPlace]) -> None:
    """What the journal remembers, at a fresh start."""
    for place in remembered.values():
        state.callbacks[place.id] = msgspec.structs.replace(place, passed={})
        state.callback_views[place.id] = view(place)


def lose(state: State) -> None:
    """After a look at the whole switch: calls that came about or came to nothing while nobody looked."""
    known = {call.id: call for call in state.calls.values()}
    for place in list(state.callbacks.values()):
        call = known.get(place.call)
        if place.is_answered or (call is not None and call.answered_us):
            close(state, place, CallbackState.DONE)
        elif place.call and call is None:
            place.call = place.seat = ""
            note(state, place, CallbackState.WAITING)
    look_again(state)


def look_again(state: State) -> None:
    """A pause may be over, a queue may have opened."""
    for place in state.callbacks.values():
        touch(state, place)
    if state.callbacks:
        state.do(StartTimer(TIMER, LOOK_EVERY_MS))


def show(state: State) -> None:
    """Tell of the callbacks that changed."""
    for callback in sorted(state.dirty_callbacks):
        place, before = state.callbacks.get(callback), state.callback_views.get(callback)
        if place is None and state.callback_views.pop(callback, None) is not None:
            state.tell(CallbackGone(callback))
        elif place is not None and before != (now := view(place)):
            state.callback_views[callback] = now
            state.tell(CallbackPush(now))
    state.dirty_callbacks.clear()


def view(place: KeptPlace) -> states.Callback:
    """The callback as supervisors see it."""
    return states.Callback(
        id=place.id,
        number=place.number,
        queue=place.queue,
        since_us=place.since_us,
        asked_us=place.asked_us,
        state=CallbackState.CALLING if place.call else CallbackState.WAITING,
        tries=place.tries,
        not_before_us=place.not_before_us,
        seat=place.seat if place.call else "",
        supervise=(Action.SUPERVISE_CANCEL_CALLBACK,),
    )
