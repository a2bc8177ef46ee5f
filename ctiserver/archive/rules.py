"""Owns the rules of the archive: names, what comes next for a recording, gaps (缺口), retention. Pure."""

from __future__ import annotations

import re
from enum import StrEnum

import msgspec

from hotline.local_time import DAY_US, SECOND_US, local_day

LINGER_US = 2 * SECOND_US
"""After the end of a call, before its recording is looked at: Asterisk finishes the file meanwhile."""
PATIENCE_US = 60 * SECOND_US
"""How long a recording may be absent, or stand still unfinished, before it is taken as it is."""
LEAST_GAP_MS = 1000
"""The two clocks and the moment between answer and first sound differ by less."""
LONGEST_GREETING_MS = 300_000

_UID = r"[0-9]{1,20}\.[0-9]{1,10}"
_CONVERSATION = re.compile(rf"[a-z][a-z0-9_]{{0,30}}-{_UID}")
_WAV = re.compile(rf"({_UID})-(citizen|hotline)\.wav")


class Direction(StrEnum):
    """Whom one file of a recording lets hear. `label` is its name on pages."""

    CITIZEN = "citizen"
    """What the citizen says."""
    HOTLINE = "hotline"
    """What the citizen hears."""

    @property
    def label(self) -> str:
        """The direction's name on pages."""
        return "市民" if self is Direction.CITIZEN else "热线"


class BadConversation(ValueError):
    """An id that no conversation of ours can have; nothing on a disk is named by it."""


class Call(msgspec.Struct, frozen=True, kw_only=True):
    """A conversation as the archive needs it. `ended_us`: 0 while it lasts; `call_ms`: see `call_ms`;
    `is_expected`: it came as far as the queue, which lies behind the start of the recording.
    """

    conversation: str
    uid: str
    started_us: int
    ended_us: int
    call_ms: int
    is_expected: bool


class Source(msgspec.Struct, frozen=True, kw_only=True):
    """A WAV as it lies in the switch's spool. The sound is `size` bytes from `begin`, 16 bits a sample.

    `is_closed`: Asterisk has written the length into the header, which it does at the very end.
    """

    begin: int
    size: int
    rate: int
    is_closed: bool
    changed_us: int

    @property
    def duration_ms(self) -> int:
        """How long the sound is."""
        return self.size // 2 * 1000 // self.rate


class Kept(msgspec.Struct, frozen=True, kw_only=True):
    """What the database says about one direction of a recording."""

    conversation: str
    direction: Direction
    path: str
    sha256: str
    is_missing: bool
    from_us: int
    expires_us: int
    removed_us: int


class Step(StrEnum):
    """What comes next for one direction of a recording."""

    WAIT = "wait"
    """The switch may still be writing."""
    KEEP = "keep"
    """Encode, file, record, and then delete the WAV."""
    DISCARD = "discard"
    """It has been kept before: only the WAV is left to delete."""
    EMPTY = "empty"
    """There is no sound in it: record that it is missing, delete the WAV."""
    MISS = "miss"
    """There is no WAV and should be one: record that."""
    NOTHING = "nothing"


def unknown_call(conversation: str, uid: str, now_us: int) -> Call | None:
    """What a recording alone tells of a call that the database still does not know after a day.

    None before that. The seconds in a Uniqueid are those in which the switch made the channel.
    """
    started_us = int(uid.partition(".")[0]) * SECOND_US
    if now_us - started_us < DAY_US:
        return None
    return Call(
        conversation=conversation,
        uid=uid,
        started_us=started_us,
        ended_us=started_us,
        call_ms=0,
        is_expected=False,
    )


def wav_name(uid: str, direction: Direction) -> str:
    """The name that the dialplan gives to the file (`[from-pstn]`, MixMonitor)."""
    return f"{uid}-{direction.value}.wav"


def uid_of(name: str) -> str | None:
    """The Uniqueid in a WAV's name, None for a file that is no recording."""
    form = _WAV.fullmatch(name)
    return form[1] if form is not None else None


def is_conversation(text: str) -> bool:
    """Whether the text has the form of a conversation's id. Says nothing about its existence."""
    return _CONVERSATION.fullmatch(text) is not None


def place(conversation: str, direction: Direction, started_us: int) -> str:
    """Where the FLAC lies below the directory of recordings: YYYY/MM/DD/<conversation>-<direction>.flac, by
    Shanghai's day. BadConversation for an id that could be anything but a file name.
    """
    if not is_conversation(conversation):
        raise BadConversation(f"{len(conversation)} characters that are no conversation's id")
    return f"{local_day(started_us):%Y/%m/%d}/{conversation}-{direction.value}.flac"


def next_step(call: Call, source: Source | None, kept: Kept | None, now_us: int) -> Step:
    """What to do about one direction of an ended call's recording."""
    if source is None:
        return _without_wav(call, kept, now_us)
    quiet_us = now_us - max(call.ended_us, source.changed_us)
    if quiet_us < (LINGER_US if source.is_closed else PATIENCE_US):
        return Step.WAIT
    if kept is not None and not kept.is_missing:
        return Step.DISCARD
    return Step.KEEP if source.size else Step.EMPTY


def _without_wav(call: Call, kept: Kept | None, now_us: int) -> Step:
    if kept is not None or not call.is_expected:
        return Step.NOTHING
    return Step.WAIT if now_us - call.ended_us < PATIENCE_US else Step.MISS


def call_ms(started_us: int, queued_us: int, wait_ms: int, talk_ms: int) -> int:
    """How long a recording should be: greeting, waiting and talking; 0 for a call that was never queued nor
    answered.

    Waiting and talking are from the monotonic clock. The greeting has only the other clock, which may be set
    meanwhile, and so counts for five minutes at most.
    """
    greeting_ms = (queued_us - started_us) // 1000 if queued_us else 0
    return min(max(0, greeting_ms), LONGEST_GREETING_MS) + (wait_ms if queued_us else 0) + talk_ms


def gap_ms(call_ms: int, recorded_ms: int) -> int:
    """How much of the call is missing from the recording, in milliseconds; 0 for up to a second.

    A recording that an agent had paused (暂停录音) is as long as the call: silence stands in its place.
    """
    missing = call_ms - recorded_ms
    return missing if missing > LEAST_GAP_MS else 0


def expires_us(from_us: int, keep_days: int) -> int:
    """Until when a recording made now is kept at least."""
    return from_us + keep_days * DAY_US


def is_due(kept: Kept, keep_days: int, now_us: int) -> bool:
    """Whether the file may go. A longer time set later counts for older recordings too; a shorter one does
    not take back what was promised when they were made.
    """
    if not kept.path or kept.removed_us:
        return False
    return now_us >= max(kept.expires_us, expires_us(kept.from_us, keep_days))
