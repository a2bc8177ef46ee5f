"""Owns the hotline's secrets: made at first start, kept in one file (mode 0600), never logged or printed."""

from __future__ import annotations

import os
import secrets
from pathlib import Path

import msgspec

from hotline.errors import BadSettings


class Secrets(msgspec.Struct, frozen=True, kw_only=True):
    """Random words, each for one purpose. `repr` shows none of them."""

    ami_cti: str
    """AMI user `cti`: watches and steers calls."""
    ami_system: str
    """AMI user `system`: reload and shut-down of the switch; may not originate."""
    push_key: str
    """Signs the desk's push tokens."""
    seat_key: str
    """Root of the seats' SIP passwords."""
    session_key: str
    """Signs the desk's session cookies."""

    def __repr__(self) -> str:
        return "Secrets(…)"


def load_or_create(state: Path) -> Secrets:
    """Read `state`/secrets.json, or make it with fresh words when there is none."""
    path = state / "secrets.json"
    if path.exists():
        try:
            return msgspec.json.decode(path.read_bytes(), type=Secrets)
        except (OSError, msgspec.DecodeError) as error:
            raise BadSettings(
                f"cannot read the secrets in {path}; restore the file or remove it to make new ones"
            ) from error
    made = Secrets(**{name: secrets.token_hex(24) for name in Secrets.__struct_fields__})
    try:
        state.mkdir(parents=True, exist_ok=True, mode=0o700)
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(handle, "wb") as file:
            file.write(msgspec.json.encode(made))
    except OSError as error:
        raise BadSettings(f"cannot write {path}: {error.strerror}") from error
    return made
