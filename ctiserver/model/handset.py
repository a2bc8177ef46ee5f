"""Owns what a seat does to the sound of its call: keys, mute, and the pause of the recording."""

from __future__ import annotations

import re

from ctiserver.api.commands import (
    Code,
    Keys,
    Mute,
    PauseRecording,
    Refusal,
    ResumeRecording,
    Unmute,
    refuse,
)
from ctiserver.api.history import RecordingPaused, RecordingResumed
from ctiserver.model.effects import MuteSeat, PauseRecorder, SendKey
from ctiserver.model.state import Call, Leg, SeatPlace, State, third_parties

Operating = Keys | Mute | Unmute | PauseRecording | ResumeRecording

_KEYS = re.compile(r"[0-9*#]{1,32}")


def operate(state: State, seat: SeatPlace, leg: Leg, call: Call, asked: Operating) -> Refusal | None:
    """Do it, or say why not."""
    match asked:
        case Keys():
            return press(state, seat, call, asked)
        case Mute() | Unmute():
            leg.is_muted = isinstance(asked, Mute)
            state.do(MuteSeat(state.ref(f"seat:{seat.id}"), leg.channel, leg.is_muted))
            state.touch(leg)
        case PauseRecording() if not call.is_recording_paused:
            pause(state, seat, call)
        case ResumeRecording() if call.is_recording_paused:
            resume(state, call, seat)
        case PauseRecording() | ResumeRecording():
            pass
    return None


def press(state: State, seat: SeatPlace, call: Call, asked: Keys) -> Refusal | None:
    """Keys to a third party: the one named, or who came last."""
    if not _KEYS.fullmatch(asked.digits):
        return refuse(Code.BAD_KEYS)
    here = [leg for leg in third_parties(call) if asked.leg in ("", leg.uid)]
    if not here:
        return refuse(Code.NO_SUCH_LEG)
    ref = state.ref(f"seat:{seat.id}")
    for digit in asked.digits:
        state.do(SendKey(ref, here[-1].channel, digit))
    return None


def pause(state: State, seat: SeatPlace, call: Call) -> None:
    """Nothing that is said from now on is kept."""
    call.is_recording_paused = True
    state.do(PauseRecorder(state.ref(f"seat:{seat.id}"), call.legs[call.citizen].channel, True))
    state.record(
        RecordingPaused(conversation=call.id, at_us=state.now.utc_us, seat=seat.id, agent=seat.agent)
    )
    state.dirty_calls.add(call.uid)
    state.dirty_seats.add(seat.id)


def resume(state: State, call: Call, seat: SeatPlace | None = None) -> None:
    """The recording goes on; without `seat` by itself, because who had it paused has gone."""
    call.is_recording_paused = False
    state.do(PauseRecorder(state.ref("recording"), call.legs[call.citizen].channel, False))
    who, agent = (seat.id, seat.agent) if seat is not None else ("", "")
    state.record(RecordingResumed(conversation=call.id, at_us=state.now.utc_us, seat=who, agent=agent))
    state.dirty_calls.add(call.uid)
    if seat is not None:
        state.dirty_seats.add(seat.id)
