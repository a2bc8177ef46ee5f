"""Owns traces: what Asterisk said on AMI, frame by frame with its time, callers made unrecognisable.

`python -m ctiserver.ami.capture --settings FILE --out FILE` records a running switch until Ctrl-C.
A trace is the line `ami-trace 1` and then, for each frame, a line `<microseconds since the start> <bytes>`,
that many bytes and a line end. A name that ends in .gz is compressed.
"""

from __future__ import annotations

import argparse
import asyncio
import gzip
import io
import os
import re
import signal
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from asterisk_conf.ports import ami_host
from ctiserver.ami.connection import Link
from ctiserver.ami.framing import Framer
from hotline.errors import BadSettings, HotlineError
from hotline.secret import load_or_create
from hotline.settings import load

HEAD = b"ami-trace 1\n"
_NUMBERS = frozenset(
    (b"CallerIDNum", b"ConnectedLineNum", b"DestCallerIDNum", b"DestConnectedLineNum"),
)
_NAMES = frozenset((b"CallerIDName", b"ConnectedLineName", b"DestCallerIDName", b"DestConnectedLineName"))
_SHORT = re.compile(rb"[0-9*#]{0,6}|<unknown>")
"""Seats, 110, the hotline's own number: nobody's private number."""
_PLAIN = re.compile(rb"\+?[0-9*#]{7,}")
"""A number that may stand in other headers too."""
_DIALLED = re.compile(rb"(?:PJSIP/|DialString: )(\+?[0-9*#]{7,})@")


class Anonymiser:
    """Gives each number and name of a stream another one, always the same, wherever it stands."""

    def __init__(self) -> None:
        self._numbers: dict[bytes, bytes] = {}
        self._names: dict[bytes, bytes] = {}
        self._known: re.Pattern[bytes] | None = None

    def __call__(self, frame: bytes) -> bytes:
        """The frame without anybody's number or name in it."""
        lines = []
        for line in frame.split(b"\r\n"):
            key, _, text = line.partition(b": ")
            if key in _NAMES:
                line = key + b": " + self._name(text)  # noqa: PLW2901 - the line, hidden
            elif key in _NUMBERS and not _SHORT.fullmatch(text):
                line = key + b": " + self._number(text)  # noqa: PLW2901
            else:
                for dialled in _DIALLED.findall(line):
                    self._number(dialled)
            lines.append(line)
        frame = b"\r\n".join(lines)
        return self._known.sub(self._other, frame) if self._known is not None else frame

    def _number(self, number: bytes) -> bytes:
        if number not in self._numbers:
            serial = len(self._numbers) + 1
            self._numbers[number] = b"1%0*d" % (max(len(number), 7) - 1, serial)
            plain = sorted(filter(_PLAIN.fullmatch, self._numbers), key=len, reverse=True)
            if plain:
                known = b"|".join(map(re.escape, plain))
                self._known = re.compile(rb"(?<![0-9A-Za-z.+-])(?:" + known + rb")(?![0-9A-Za-z.])")
        return self._numbers[number]

    def _other(self, found: re.Match[bytes]) -> bytes:
        return self._numbers[found.group()]

    def _name(self, name: bytes) -> bytes:
        if _SHORT.fullmatch(name):
            return name
        return self._names.setdefault(name, f"来电人{len(self._names) + 1}".encode())


class Recorder:
    """A tap for a link: takes its bytes as they come, writes frames."""

    def __init__(self, out: io.BufferedIOBase, clock: Callable[[], int] = time.monotonic_ns) -> None:
        self._out, self._clock = out, clock
        self._framer, self._anonymous = Framer(), Anonymiser()
        self._begun = clock()
        self.frames = 0
        out.write(HEAD)

    def __call__(self, data: bytes) -> None:
        """Take bytes in."""
        at = (self._clock() - self._begun) // 1000
        if self._framer.is_greeted and data.startswith(b"Asterisk Call Manager/"):
            self._framer = Framer()  # the link has reconnected
        for frame in self._framer.feed(data):
            hidden = self._anonymous(frame)
            self._out.write(b"%d %d\n%b\n" % (at, len(hidden), hidden))
            self.frames += 1


def open_trace(path: Path) -> io.BufferedIOBase:
    """A new trace, readable by its owner alone. FileExistsError when there is one."""
    handle = os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb")
    return _Zipped(handle) if path.suffix == ".gz" else handle


class _Zipped(gzip.GzipFile):
    """Compressed, the same bytes for the same frames, and closed as one."""

    def __init__(self, handle: io.BufferedIOBase) -> None:
        super().__init__(fileobj=handle, mode="wb", filename="", mtime=0)
        self._handle = handle

    def close(self) -> None:
        super().close()
        self._handle.close()


def read_trace(path: Path) -> Iterator[tuple[int, bytes]]:
    """The frames of a trace, each with its time in microseconds. ValueError when it is none."""
    with gzip.open(path) if path.suffix == ".gz" else path.open("rb") as file:
        if file.readline() != HEAD:
            raise ValueError(f"{path} is no trace")
        while line := file.readline():
            at, size = line.split()
            frame = file.read(int(size))
            if len(frame) != int(size) or file.read(1) != b"\n":
                raise ValueError(f"{path} is cut off")
            yield int(at), frame


async def record(settings_file: Path, out: Path) -> int:
    """Record until SIGINT or SIGTERM; returns the number of frames."""
    settings = load(settings_file)
    secrets = load_or_create(settings.state)
    try:
        file = open_trace(out)
    except OSError as error:
        raise BadSettings(f"cannot make {out}: {error.strerror}") from error
    with file:
        recorder, done = Recorder(file), asyncio.Event()
        link = Link(
            ami_host(settings),
            settings.switch.ami_port,
            "cti",
            secrets.ami_cti,
            trunk=settings.outbound_trunk,
            ring_s=settings.third_party_ring_s,
            on_event=lambda _event: None,
            capture=recorder,
        )
        for number in (signal.SIGINT, signal.SIGTERM):
            asyncio.get_running_loop().add_signal_handler(number, done.set)
        await link.start()
        await done.wait()
        await link.stop()
    return recorder.frames


def main(arguments: Sequence[str] | None = None) -> int:
    """The command; returns its exit status."""
    parser = argparse.ArgumentParser("python -m ctiserver.ami.capture", description="Record AMI to a trace.")
    parser.add_argument("--settings", type=Path, required=True, help="the hotline's settings file")
    parser.add_argument("--out", type=Path, required=True, help="the trace to make; .gz compresses it")
    asked = parser.parse_args(arguments)
    try:
        frames = asyncio.run(record(asked.settings, asked.out))
    except HotlineError as error:
        sys.stderr.write(f"{error}\n")
        return 2
    sys.stderr.write(f"{frames} frames in {asked.out}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
