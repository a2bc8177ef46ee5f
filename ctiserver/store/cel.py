"""Owns the reading of Asterisk's channel event log (CEL), and the mark up to which nothing in it is news
any more.
"""

from __future__ import annotations

import csv
import io
import os
from collections import deque
from pathlib import Path

import msgspec
import structlog

from ctiserver.model.reconcile import CelRow

log = structlog.get_logger("ctiserver")

_COLUMNS = 10
_MARGIN_US = 30_000_000
"""A mark is used only when it is this much older than the oldest open conversation."""
_MOST_MARKS = 20_000


class Mark(msgspec.Struct, frozen=True):
    """At `at_us`, the journal stood at `journal_seq` and the log was `cel_bytes` long."""

    at_us: int = 0
    journal_seq: int = 0
    cel_bytes: int = 0


class SwitchAccount:
    """The log at `cel`, with its mark kept in the small file `marks`."""

    def __init__(self, cel: Path, marks: Path) -> None:
        self._cel = cel
        self._file = marks
        self._marks: deque[Mark] = deque(maxlen=_MOST_MARKS)
        self.mark = self._load()

    def rows(self) -> list[CelRow]:
        """Every complete row since the mark; the whole log when it was replaced by a shorter one."""
        try:
            with self._cel.open("rb") as file:
                start = self.mark.cel_bytes
                file.seek(start if start <= os.fstat(file.fileno()).st_size else 0)
                data = file.read()
        except FileNotFoundError:
            return []
        except OSError as error:
            log.error("the switch's account cannot be read", why=error.strerror)
            return []
        text = data[: data.rfind(b"\n") + 1].decode(errors="replace")
        return [row for fields in csv.reader(io.StringIO(text, newline="")) if (row := _row(fields))]

    def note(self, journal_seq: int, oldest_open_us: int, now_us: int) -> None:
        """Remember where we stand; move the mark up to the last stand before the oldest open conversation."""
        try:
            size = self._cel.stat().st_size
        except OSError:
            size = 0
        self._marks.append(Mark(now_us, journal_seq, size))
        until = min(oldest_open_us or now_us, now_us) - _MARGIN_US
        best = self.mark
        while self._marks and self._marks[0].at_us <= until:
            best = self._marks.popleft()
        if best != self.mark:
            self.mark = best
            self._save()

    def _load(self) -> Mark:
        try:
            mark = msgspec.json.decode(self._file.read_bytes(), type=Mark)
        except (OSError, msgspec.DecodeError):
            return Mark()
        return mark if min(mark.at_us, mark.journal_seq, mark.cel_bytes) >= 0 else Mark()

    def _save(self) -> None:
        fresh = self._file.with_suffix(".new")
        try:
            fresh.write_bytes(msgspec.json.encode(self.mark))
            fresh.replace(self._file)
        except OSError as error:
            log.warning("mark not saved; the next start reads more", why=error.strerror)


def _row(fields: list[str]) -> CelRow | None:
    """A row of the columns that `asterisk_conf.render.CEL_FIELDS` names; None for what is no such row."""
    if len(fields) < _COLUMNS:
        return None
    seconds, _, fraction = fields[0].partition(".")
    if not seconds.isdecimal():
        return None
    return CelRow(
        at_us=int(seconds) * 1_000_000 + int((fraction + "000000")[:6] or 0),
        kind=fields[1],
        uid=fields[2],
        linkedid=fields[3],
        channel=fields[4],
        number=fields[5],
        name=fields[6],
        exten=fields[7],
        context=fields[8],
        app=fields[9],
    )
