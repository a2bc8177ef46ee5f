"""Owns the IVR's settings as they were applied last (`hotline ivr apply`): a file in the state directory."""

from __future__ import annotations

import os
from pathlib import Path

import msgspec

from hotline.errors import HotlineError
from hotline.ivr_settings import IvrSettings
from hotline.settings import Settings


class BadApplied(HotlineError):
    """The file is there and cannot be read."""


def applied_file(settings: Settings) -> Path:
    """Where it lies."""
    return settings.state / "ivr.json"


def read_applied(settings: Settings) -> IvrSettings | None:
    """What was applied last; None when nothing was. BadApplied says why it cannot be read."""
    try:
        return msgspec.json.decode(applied_file(settings).read_bytes(), type=IvrSettings)
    except FileNotFoundError:
        return None
    except (OSError, msgspec.DecodeError) as error:
        raise BadApplied(f"{applied_file(settings)}: {error}") from error


def write_applied(settings: Settings) -> None:
    """Let `settings.ivr` be what is in force; the file is whole at any moment."""
    path = applied_file(settings)
    fresh = path.with_name(f"{path.name}.{os.getpid()}")
    try:
        fresh.write_bytes(msgspec.json.format(msgspec.json.encode(settings.ivr)))
        fresh.replace(path)
    except OSError as error:
        raise HotlineError(f"cannot write {path}: {error.strerror}") from error
