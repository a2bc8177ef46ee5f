"""Owns the hotline's secrets: made at first start, kept in files (mode 0600), never logged or printed."""

from __future__ import annotations

import base64
import contextlib
import os
import re
import secrets
from pathlib import Path

import msgspec

from hotline.errors import BadSettings


class Secrets(msgspec.Struct, frozen=True, kw_only=True):
    """Random words, each for one purpose. `repr` shows none of them."""

    ami_cti: str
    """AMI user `cti`: watches and steers calls."""
    ami_system: str
    """AMI user `system`: reload and shut-down of the switch, passwords of phones in the page; may not
    originate."""
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


HOOK_PREFIX = "whsec_"
"""How a webhook's secret begins in writing (Standard Webhooks); base64 of the key follows."""
_HOOK_BYTES = 32
_LEAST_HOOK_BYTES = 24


class HookSecret(msgspec.Struct, frozen=True):
    """The key that signs what one webhook is sent. `repr` does not show it."""

    key: bytes

    def __repr__(self) -> str:
        return "HookSecret(…)"

    @property
    def text(self) -> str:
        """As integrators take it: whsec_ and base64."""
        return HOOK_PREFIX + base64.b64encode(self.key).decode()


def hook_secret(state: Path, name: str) -> HookSecret:
    """The secret of the webhook `name`, from `state`/hook-secrets; made when there is none. To change it,
    remove the file and restart.
    """
    path = state / "hook-secrets" / name
    if not path.exists():
        _make(path, HookSecret(secrets.token_bytes(_HOOK_BYTES)).text + "\n")
    try:
        text = path.read_text(encoding="ascii").strip()
        key = base64.b64decode(text.removeprefix(HOOK_PREFIX), validate=True)
    except (OSError, ValueError) as error:
        raise BadSettings(
            f"cannot read {path}; restore the file or remove it to make a new secret"
        ) from error
    if not text.startswith(HOOK_PREFIX) or len(key) < _LEAST_HOOK_BYTES:
        raise BadSettings(f"{path} holds no secret; restore the file or remove it to make a new one")
    return HookSecret(key)


_SCREEN = re.compile(r"[A-Za-z0-9_-]{43}")


def screen_word(state: Path, *, anew: bool = False) -> str:
    """The word in a wall display's address (大屏), from `state`/screen-word; made when there is none, or
    `anew`, and then the old address leads nowhere.
    """
    path = state / "screen-word"
    if anew:
        path.unlink(missing_ok=True)
    if not path.exists():
        _make(path, secrets.token_urlsafe(32) + "\n")
    try:
        word = path.read_text(encoding="ascii").strip()
    except (OSError, ValueError) as error:
        raise BadSettings(f"cannot read {path}; restore the file or remove it to make a new word") from error
    if not _SCREEN.fullmatch(word):
        raise BadSettings(f"{path} holds no word; remove it to make a new one")
    return word


def write_private(path: Path, text: str) -> None:
    """Write a file that its owner alone may read, whole or not at all, in place of the old; or OSError."""
    fresh = path.with_name(f".{path.name}.new")
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    fresh.unlink(missing_ok=True)
    with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(text)
    fresh.replace(path)


def _make(path: Path, text: str) -> None:
    """Make the file, whole at once; when somebody else was first, theirs stays."""
    fresh = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    try:
        path.parent.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        write_private(fresh, text)
        with contextlib.suppress(FileExistsError):
            os.link(fresh, path)
        fresh.unlink()
    except OSError as error:
        raise BadSettings(f"cannot write {path}: {error.strerror}") from error
