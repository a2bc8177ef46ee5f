"""Owns the floor: one step per event or command, effects out. The only door to the model.

`snapshot()` and the pushes told by later calls fold to the next `snapshot()`; a step never raises on an
event that
Asterisk could send, whatever came before it.
"""

from __future__ import annotations

from copy import deepcopy

from ctiserver.api import history
from ctiserver.api.commands import Actor, Command
from ctiserver.api.pushes import (
    ContextPush,
    ConversationPush,
    LinkPush,
    Notice,
    QueuePush,
    SeatPush,
    Snapshot,
)
from ctiserver.api.states import REFUSED_AT_SWITCH_ZH, AttemptState, CallerContext, Role
from ctiserver.model import (
    attempts,
    callbacks,
    calls,
    commands,
    figures,
    last_agent,
    lines,
    resync,
    seats,
    spying,
    views,
)
from ctiserver.model.effects import AskResync, Effect
from ctiserver.model.events import (
    ActionFailed,
    ContextFound,
    Event,
    LinkLost,
    OriginateFailed,
    OtherEvent,
    Resynced,
    SwitchStopped,
    TimerFired,
)
from ctiserver.model.memory import Memory
from ctiserver.model.state import Call, Rules, State
from hotline.moment import Moment

_HANDLERS = {**calls.HANDLERS, **seats.SEAT_HANDLERS}


class Floor:
    """57 seats (by default), the queues and every conversation on one node."""

    def __init__(self, rules: Rules, memory: Memory | None = None) -> None:
        self._state = State(rules)
        for call in memory.open.values() if memory is not None else ():
            self._state.calls[call.uid] = deepcopy(call)
        self._state.gave_up = dict(memory.gave_up) if memory is not None else {}
        callbacks.recall(self._state, memory.callbacks if memory is not None else {})
        self._state.day = deepcopy(memory.day) if memory is not None else figures.Day()
        self._state.dialled = dict(memory.dialled) if memory is not None else {}
        for seat in self._state.seats.values():
            self._state.seat_views[seat.id] = views.seat_view(self._state, seat)
        for line in self._state.lines.values():
            self._state.line_views[line.name] = views.queue_view(self._state, line)

    def change_rules(self, rules: Rules, now: Moment) -> list[Effect]:
        """New directory, names or skills; the seats and the queues stay as they are, memberships follow."""
        state = self._state
        state.now, state.effects = now, []
        state.rules = rules
        lines.follow_skills(state)
        return state.effects

    @property
    def is_linked(self) -> bool:
        """The switch is in sight."""
        return self._state.linked

    def open_calls(self) -> list[str]:
        """Citizens' Uniqueids of the conversations on the floor."""
        return list(self._state.calls)

    def snapshot(self) -> Snapshot:
        """Everything, as of the last step."""
        state = self._state
        return Snapshot(
            seats=tuple(state.seat_views.values()),
            queues=tuple(state.line_views.values()),
            conversations=tuple(state.call_views.values()),
            contexts=tuple(
                calls.context_of(call)
                for call in state.calls.values()
                if call.context and call.uid in state.call_views
            ),
            callbacks=tuple(state.callback_views.values()),
            linked=state.linked,
        )

    def step(self, event: Event, now: Moment) -> list[Effect]:
        """Take one event in; what must be done about it at once comes out, in order. `settle` shows the
        rest.
        """
        state = self._state
        state.now = now
        if state.effects:
            state.effects = []
        handler = _HANDLERS.get(type(event))
        if handler is not None:
            handler(state, event)
        elif isinstance(event, OtherEvent):
            self._other(event)
        return state.effects

    def command(self, actor: Actor, asked: Command, now: Moment) -> tuple[commands.Answer, list[Effect]]:
        """Answer a command, with its effects when it was accepted."""
        state = self._state
        state.now, state.effects = now, []
        answer = commands.command(state, actor, asked)
        return answer, state.effects

    @property
    def is_settled(self) -> bool:
        """Nothing has changed since the last `settle`."""
        state = self._state
        return not (state.dirty_calls or state.dirty_seats or state.dirty_lines or state.dirty_callbacks)

    def settle(self, now: Moment) -> list[Effect]:
        """Show what the steps since the last call have changed: one push for each thing, however often it
        changed.

        Called when everything that came in one read has been stepped, so that a flood costs no more than it
        shows. Before that, seats that are free call whose turn it is to be called back.
        """
        self._state.now, self._state.effects = now, []
        callbacks.serve(self._state)
        return self._settle()

    def _other(
        self,
        event: OriginateFailed
        | ActionFailed
        | LinkLost
        | SwitchStopped
        | Resynced
        | TimerFired
        | ContextFound,
    ) -> None:
        state = self._state
        match event:
            case Resynced(snapshot, unseen):
                resync.recall(state, unseen)
                resync.resync(state, snapshot)
                state.turn_day()
                self._link(True)
            case LinkLost() | SwitchStopped():
                self._link(False)
            case TimerFired(figures.MIDNIGHT):
                state.turn_day()
            case TimerFired(key):
                seats.on_timer(state, key)
            case OriginateFailed(uid, reason):
                calls.originate_failed(state, uid, reason)
            case ActionFailed(ref, message):
                self._action_failed(ref, message)
            case ContextFound(context):
                self._context(context)

    def _link(self, linked: bool) -> None:
        if self._state.linked is not linked:
            self._state.linked = linked
            self._state.tell(LinkPush(linked))

    def _context(self, context: CallerContext) -> None:
        state = self._state
        call = state.calls.get(context.conversation.removeprefix(f"{state.rules.node}-"))
        if call is None or (
            call.context is not None and call.context.is_complete and not context.is_complete
        ):
            return
        call.context = context
        last_agent.expect(state, call)
        if call.uid in state.call_views:
            state.tell(ContextPush(calls.context_of(call)))

    def _action_failed(self, ref: str, message: str) -> None:
        """Asterisk refused: undo what only that action would have made true, and tell the seat."""
        state = self._state
        what, _, rest = ref.partition("#")[0].partition(":")
        if what == "attempt":
            uid, _, n = rest.rpartition(":")
            call = state.calls.get(uid)
            if call is not None:
                attempts.change(state, call, int(n), AttemptState.UNREACHABLE)
                calls.care_for_citizen(state, call)
                self._notice(call)
        elif what == "watch":
            spying.call_failed(state, rest)
        elif what == "dial" and rest in state.calls:
            calls.end_dialling(state, state.calls[rest], AttemptState.UNREACHABLE)
        elif what == "seat" and rest in state.seats:
            state.tell(Notice(rest, "switch_refused", REFUSED_AT_SWITCH_ZH))
        elif what == "member":
            self._not_member(rest, message)

    def _not_member(self, which: str, message: str) -> None:
        """A membership did not come about as asked; a seat without any is signed out."""
        state, (seat_id, _, queue) = self._state, which.partition(":")
        seat = state.seats[seat_id]
        state.tell(Notice(seat_id, "switch_refused", REFUSED_AT_SWITCH_ZH))
        if "Already there" in message:
            state.do(AskResync(f"seat {seat_id} is a member already"))
        elif "Unable to add interface" in message or "Permission denied" in message:
            seat.queues.pop(queue, None)
            state.dirty_seats.add(seat_id)
            if not seat.queues:
                seats.vacate(state, seat)

    def _notice(self, call: Call) -> None:
        for leg in call.legs.values():
            if leg.role is Role.SEAT:
                self._state.tell(Notice(leg.seat, "switch_refused", REFUSED_AT_SWITCH_ZH))

    def _settle(self) -> list[Effect]:
        """Show what changed: seats first, for queues count them."""
        state = self._state
        for uid in state.dirty_calls:
            call = state.calls.get(uid)
            if call is not None:
                self._show_call(call)
        for seat_id in sorted(state.dirty_seats):
            self._show_seat(seat_id)
        for name in sorted(state.dirty_lines):
            line_view = views.queue_view(state, state.lines[name])
            if state.line_views.get(name) != line_view:
                state.line_views[name] = line_view
                state.tell(QueuePush(line_view))
        callbacks.show(state)
        state.dirty_calls.clear()
        state.dirty_seats.clear()
        state.dirty_lines.clear()
        return state.effects

    def _show_call(self, call: Call) -> None:
        state = self._state
        if not call.started_us:
            return
        view = views.conversation_view(state, call)
        if state.call_views.get(call.uid) == view:
            return
        is_new = call.uid not in state.call_views
        state.call_views[call.uid] = view
        state.tell(ConversationPush(view))
        if is_new and call.context is not None:
            state.tell(ContextPush(calls.context_of(call)))
        for seat_id in view.seats:
            state.dirty_seats.add(seat_id)

    def _show_seat(self, seat_id: str) -> None:
        state = self._state
        seat = state.seats[seat_id]
        before = state.seat_views[seat_id]
        view = views.seat_view(state, seat)
        if before == view:
            return
        state.seat_views[seat_id] = view
        state.tell(SeatPush(view))
        lines.recount(state, before, view)
        if (before.state, before.agent, before.reason) == (view.state, view.agent, view.reason):
            return
        agent = view.agent or before.agent
        state.record(
            history.SeatChanged(
                seat=seat_id, at_us=state.now.utc_us, agent=agent, state=view.state, reason=view.reason
            )
        )
