"""Owns what the archive's tests stand on: a spool with WAVs as Asterisk writes them, calls in a database."""

from __future__ import annotations

import hashlib
import math
import os
import subprocess
import wave
from array import array
from pathlib import Path

from sqlalchemy import select

from ctiserver.archive.archive import Archive
from ctiserver.archive.records import Records
from ctiserver.archive.rules import Direction, wav_name
from ctiserver.archive.shelf import Shelf
from ctiserver.archive.tables import RecordingRow
from ctiserver.store.tables import CallRow, LegRow
from hotline import clock
from hotline.db.engine import Database
from hotline.local_time import SECOND_US

HZ = {Direction.CITIZEN: 500, Direction.HOTLINE: 1000}
AGO_US = 600 * SECOND_US
KEEP_DAYS = 183


def tone(hz: int, seconds: float) -> bytes:
    steps = range(round(8000 * seconds))
    return array("h", (round(7200 * math.sin(math.tau * hz * n / 8000)) for n in steps)).tobytes()


def write_wav(path: Path, hz: int, seconds: float) -> bytes:
    """A WAV as Asterisk closes it; returns its sound."""
    sound = tone(hz, seconds)
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(8000)
        file.writeframes(sound)
    return sound


class Room:
    """A state directory with a spool, a directory of recordings, and a database."""

    def __init__(self, state: Path, database: Database) -> None:
        self.database = database
        self.spool = state / "asterisk" / "spool" / "monitor"
        self.root = state / "recordings"
        self.spool.mkdir(parents=True, exist_ok=True)

    def archive(self) -> Archive:
        """As a process that has just started makes it."""
        shelf = Shelf(self.spool, self.root)
        shelf.prepare()
        return Archive(shelf, Records(self.database, "n1"), "n1", KEEP_DAYS)

    def wav(self, uid: str, way: Direction, seconds: float = 1.0, *, is_closed: bool = True) -> bytes:
        """A WAV of ten minutes ago, closed or torn; returns its sound."""
        path = self.spool / wav_name(uid, way)
        sound = write_wav(path, HZ[way], seconds)
        if not is_closed:
            data = bytearray(path.read_bytes())
            data[40:44] = bytes(4)
            path.write_bytes(data)
        ended_s = (clock.now().utc_us - AGO_US) / SECOND_US
        os.utime(path, (ended_s, ended_s))
        return sound

    async def call(self, uid: str, seconds: float = 1.0, **more: object) -> str:
        """A call that ended ten minutes ago, answered by 1001; returns its conversation."""
        conversation, ended_us = f"n1-{uid}", clock.now().utc_us - AGO_US
        begun_us = ended_us - round(seconds * SECOND_US)
        row = CallRow(
            **{
                "conversation": conversation, "node": "n1", "uid": uid, "citizen": "+8613805381234",
                "number": "13805381234", "name": "", "dnis": "12345", "queue": "12345",
                "is_outbound": False, "about": "",
                "started_us": begun_us, "queued_us": begun_us, "rang_us": begun_us,
                "answered_us": begun_us, "ended_us": ended_us,
                "outcome": "answered", "seat": "8001", "agent": "1001", "wait_ms": 0,
                "talk_ms": round(seconds * 1000), "is_seen": True, **more,
            }
        )  # fmt: skip
        leg = LegRow(
            conversation=conversation, leg="1.1", seat=row.seat, agent=row.agent, rang_us=begun_us,
            answered_us=begun_us, left_us=ended_us, talk_ms=row.talk_ms, is_missed=False,
        )  # fmt: skip
        async with self.database.begin() as session:
            session.add(row)
            await session.flush()
            if row.answered_us:
                session.add(leg)
        return conversation

    async def rows(self) -> list[RecordingRow]:
        """What is recorded, by conversation and direction."""
        async with self.database.read() as session:
            query = select(RecordingRow).order_by(RecordingRow.conversation, RecordingRow.direction)
            return list(await session.scalars(query))

    def wavs(self) -> list[str]:
        return sorted(path.name for path in self.spool.iterdir())

    def files(self) -> list[str]:
        """Every file below the directory of recordings, half-done ones too."""
        return sorted(str(path.relative_to(self.root)) for path in self.root.rglob("*") if path.is_file())


def decoded(path: Path) -> bytes:
    """The samples in a FLAC file."""
    raw = ("--force-raw-format", "--endian=little", "--sign=signed")
    return subprocess.run(
        ["flac", "--silent", "--decode", "--stdout", *raw, str(path)], check=True, capture_output=True
    ).stdout


def sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()
