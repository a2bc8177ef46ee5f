"""Owns the disk side of the archive: the switch's spool of WAVs, and the directory of recordings.

A file gets its final name only when it is whole and on the disk, and a WAV is deleted by nobody else.
"""

from __future__ import annotations

import errno
import hashlib
import os
import shutil
from pathlib import Path

import msgspec

from ctiserver.archive import flac
from ctiserver.archive.errors import OutOfPlace
from ctiserver.archive.rules import Direction, Source, uid_of, wav_name

FULL = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EROFS})
"""The whole disk is out of order, not one file: no use in trying the next recording."""
_INCOMING = ".incoming"


class File(msgspec.Struct, frozen=True):
    """A FLAC file: its size in bytes, its SHA-256 in hexadecimal."""

    bytes: int
    sha256: str


def inside(root: Path, path: str) -> Path:
    """The file of that path below `root`; OutOfPlace if it leads anywhere else, also by a link."""
    found = (root / path).resolve()
    if not path or not found.is_relative_to(root.resolve()):
        raise OutOfPlace("a recording's path leads out of the directory of recordings")
    return found


class Shelf:
    """The spool of one switch and the directory that its recordings go to."""

    def __init__(self, spool: Path, root: Path) -> None:
        self._spool = spool
        self._root = root
        self._incoming = root / _INCOMING

    def prepare(self) -> None:
        """Make the directory, and throw away what an archive that was killed left half done."""
        shutil.rmtree(self._incoming, ignore_errors=True)
        _make(self._incoming)

    def uids(self) -> list[str]:
        """The Uniqueids of the calls that have a WAV in the spool, oldest first; none without a spool."""
        try:
            names = [path.name for path in self._spool.iterdir()]
        except FileNotFoundError:
            return []
        return sorted({uid for name in names if (uid := uid_of(name)) is not None}, key=_age)

    def source(self, uid: str, direction: Direction) -> Source | None:
        """The WAV as it lies there; None when there is none, NoSound when it is no recording."""
        try:
            return flac.look(self._wav(uid, direction))
        except FileNotFoundError:
            return None

    def encode(self, uid: str, direction: Direction, source: Source) -> Path:
        """The FLAC under a name that does not count yet; OSError when the disk has no room for it."""
        _make(self._incoming)
        part = self._incoming / f"{uid}-{direction.value}.flac"
        part.unlink(missing_ok=True)
        if shutil.disk_usage(self._incoming).free < source.size:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(self._root))
        os.close(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
        flac.encode(self._wav(uid, direction), source, part)
        return part

    def compare(self, uid: str, direction: Direction, source: Source, part: Path) -> None:
        """SoundDiffers unless the FLAC holds exactly the WAV's samples."""
        flac.compare(self._wav(uid, direction), source, part)

    def publish(self, part: Path, path: str) -> File:
        """Bring the file onto the disk, then under its name; the name too is on the disk afterwards."""
        final = self._root / path
        file = File(part.stat().st_size, _sha256(part))
        _sync(part)
        for folder in reversed(final.relative_to(self._root).parents):
            _make(self._root / folder)
        part.replace(final)
        for folder in final.relative_to(self._root).parents:
            _sync(self._root / folder)
        return file

    def holds(self, path: str, sha256: str) -> bool:
        """Whether the file is there and is the one that the record speaks of."""
        try:
            return _sha256(inside(self._root, path)) == sha256
        except FileNotFoundError:
            return False

    def discard(self, uid: str, direction: Direction) -> None:
        """Delete the WAV; no matter if it has gone already."""
        self._wav(uid, direction).unlink(missing_ok=True)

    def remove(self, path: str) -> None:
        """Delete a recording whose time is over; no matter if it has gone already."""
        inside(self._root, path).unlink(missing_ok=True)

    def _wav(self, uid: str, direction: Direction) -> Path:
        return self._spool / wav_name(uid, direction)


def _age(uid: str) -> tuple[int, int]:
    seconds, _, count = uid.partition(".")
    return int(seconds), int(count)


def _make(folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)


def _sync(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
