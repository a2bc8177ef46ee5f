"""Owns what the archive says about itself: a lock that is held while it runs, and a small file."""

from __future__ import annotations

import contextlib
import fcntl
import os
import time
from collections.abc import Iterator
from pathlib import Path

import msgspec

from hotline.errors import HotlineError

_LOCK = "archive.lock"
_FILE = "archive.json"
_TRIES, _TRY_AGAIN_S = 5, 0.02


class Health(msgspec.Struct, frozen=True, kw_only=True):
    """How the last pass went. `why`: what is wrong, "" when nothing is; `waiting`: calls under way or not
    settled yet; `kept`, `missing`: since the archive started.
    """

    at_us: int
    why: str = ""
    waiting: int = 0
    kept: int = 0
    missing: int = 0


@contextlib.contextmanager
def alone(state: Path) -> Iterator[None]:
    """Hold the archive's lock; HotlineError when another archive of that state directory has it.

    Who asks whether it is held (`is_running`) holds it for an instant: that is waited for.
    """
    try:
        handle = os.open(state / _LOCK, os.O_RDWR | os.O_CREAT, 0o600)
    except OSError as error:
        raise HotlineError(f"cannot write {state / _LOCK}: {error.strerror}") from error
    try:
        if not any(_lock(handle) for _ in range(_TRIES)):
            raise HotlineError(f"an archive runs already from {state}; end that one first")
        yield
    finally:
        os.close(handle)


def _lock(handle: int) -> bool:
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        time.sleep(_TRY_AGAIN_S)
        return False
    return True


def is_running(state: Path) -> bool:
    """Whether an archive holds the lock now."""
    try:
        handle = os.open(state / _LOCK, os.O_RDONLY)
    except OSError:
        return False
    try:
        fcntl.flock(handle, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(handle)
    return False


def tell(state: Path, health: Health) -> None:
    """Write the file for others to read; OSError when the disk refuses."""
    fresh = state / f"{_FILE}.new"
    fresh.write_bytes(msgspec.json.encode(health))
    fresh.replace(state / _FILE)


def told(state: Path) -> Health | None:
    """What was told last, None if nothing was."""
    try:
        return msgspec.json.decode((state / _FILE).read_bytes(), type=Health)
    except (OSError, msgspec.DecodeError):
        return None
