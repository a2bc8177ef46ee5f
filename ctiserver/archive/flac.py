"""Owns the coding of sound: WAV to FLAC with the reference encoder, and the proof that nothing was lost.

`flac` runs as a process of its own: it inherits our low priority, and what it dies of cannot hurt us.
"""

from __future__ import annotations

import contextlib
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import IO, cast

from ctiserver.archive.errors import EncodingFailed, NoEncoder, NoSound, SoundDiffers
from ctiserver.archive.rules import Source

_CHUNK = 1 << 16
_HEADER = 12
_RAW = ("--force-raw-format", "--endian=little", "--sign=signed")


def look(wav: Path) -> Source:
    """Read a WAV's header; NoSound when it is none, FileNotFoundError when it is not there.

    A file that was never closed says too little about its length: what lies behind the header is its sound.
    """
    with wav.open("rb") as file:
        head = file.read(_CHUNK)
    stat = wav.stat()
    if not head:
        return Source(begin=0, size=0, rate=8000, is_closed=False, changed_us=stat.st_mtime_ns // 1000)
    begin, told, rate = _header(wav, head)
    there = stat.st_size - begin
    return Source(
        begin=begin,
        size=max(0, there) & ~1,
        rate=rate,
        is_closed=told == there > 0,  # a file just opened says 0 as well
        changed_us=stat.st_mtime_ns // 1000,
    )


def _header(wav: Path, head: bytes) -> tuple[int, int, int]:
    """Where the sound begins, how many bytes of it the header tells, and the rate."""
    rate, at = 0, _HEADER
    if head[:4] != b"RIFF" or head[8:12] != b"WAVE":
        raise NoSound(f"{wav.name} is no WAV file; look at it and move it away")
    while at + 8 <= len(head):
        size = int.from_bytes(head[at + 4 : at + 8], "little")
        if head[at : at + 4] == b"data" and rate:
            return at + 8, size, rate
        if head[at : at + 4] == b"fmt ":
            rate = _rate(head[at + 8 : at + 24])
        at += 8 + size
    raise NoSound(f"{wav.name} holds no sound of 16 bits and one channel; look at it and move it away")


def _rate(form: bytes) -> int:
    """Samples a second of plain 16-bit sound in one channel; 0 for any other."""
    coding, channels, bits = (int.from_bytes(form[at : at + 2], "little") for at in (0, 2, 14))
    return int.from_bytes(form[4:8], "little") if (coding, channels, bits) == (1, 1, 16) else 0


def encode(wav: Path, source: Source, to: Path) -> None:
    """Write the FLAC, over whatever is there; EncodingFailed or NoEncoder when it cannot be."""
    options = ("--silent", "--force", "--best", "--no-padding", *_RAW, "--channels=1", "--bps=16")
    sized = (f"--sample-rate={source.rate}", f"--input-size={source.size}")
    with tempfile.TemporaryFile() as said:
        process = _start((*options, *sized, f"--output-name={to}", "-"), said, stdin=subprocess.PIPE)
        try:
            with contextlib.suppress(BrokenPipeError):  # it has died: its status and last words say why
                for chunk in _sound(wav, source):
                    cast("IO[bytes]", process.stdin).write(chunk)
                cast("IO[bytes]", process.stdin).close()
        finally:
            status = _end(process)
        if status:
            raise EncodingFailed(f"{wav.name} was not encoded: {_words(said, status)}")


def compare(wav: Path, source: Source, flac: Path) -> None:
    """Return when the FLAC decodes to exactly the samples of the WAV; SoundDiffers otherwise."""
    with tempfile.TemporaryFile() as said:
        process = _start(("--silent", "--decode", "--stdout", *_RAW, str(flac)), said, stdout=subprocess.PIPE)
        decoded = cast("IO[bytes]", process.stdout)
        try:
            is_same = all(decoded.read(len(chunk)) == chunk for chunk in _sound(wav, source))
            is_same = is_same and not decoded.read(1)
            if is_same:
                decoded.close()
        finally:
            status = _end(process)
        if status or not is_same:
            why = _words(said, status)
            raise SoundDiffers(f"{flac.name} does not decode to the samples of {wav.name}: {why}")


def _sound(wav: Path, source: Source) -> Iterator[bytes]:
    left = source.size
    with wav.open("rb") as file:
        file.seek(source.begin)
        while left and (chunk := file.read(min(_CHUNK, left))):
            yield chunk
            left -= len(chunk)


def _start(
    words: tuple[str, ...], said: IO[bytes], stdin: int = subprocess.DEVNULL, stdout: int = subprocess.DEVNULL
) -> subprocess.Popen[bytes]:
    program = shutil.which("flac")
    if program is None:
        raise NoEncoder("there is no program `flac` on this machine; run `make setup`")
    return subprocess.Popen([program, *words], stdin=stdin, stdout=stdout, stderr=said)


def _end(process: subprocess.Popen[bytes]) -> int:
    """Wait for its status; it is killed first if we leave it in the middle of its work."""
    for pipe in (process.stdin, process.stdout):
        if pipe is not None and not pipe.closed:
            process.kill()
            with contextlib.suppress(BrokenPipeError):
                pipe.close()
    return process.wait()


def _words(said: IO[bytes], status: int) -> str:
    said.seek(0)
    lines = [line.strip() for line in said.read(4096).decode(errors="replace").splitlines() if line.strip()]
    return f"flac ended with status {status}" + (f" ({lines[0][:120]})" if lines else "")
