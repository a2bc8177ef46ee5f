"""Owns the reading of client messages: what is too much, what is nonsense, which command is meant. Pure."""

from __future__ import annotations

from typing import get_args

import msgspec

from ctiserver.api.commands import Code, Command, Request, SuperviseCommand
from hotline.identity.roles import Role

MAX_MESSAGE = 16 << 10
"""Bytes of one message."""
MAX_TEXT = 200
"""Characters of one argument."""
MAX_KEY = 64
_MAX_BRACKETS = 16
_MAX_ID = 2**53 - 1  # beyond it a browser's numbers are no longer exact

_COMMANDS: dict[str, type[Command]] = {kind.__struct_config__.tag: kind for kind in get_args(Command)}
_REQUEST = msgspec.json.Decoder(Request)
_ARGUMENTS = {op: msgspec.json.Decoder(kind) for op, kind in _COMMANDS.items()}


class Hello(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A client's first message."""

    token: str


class Unreadable(Exception):
    """A message that means nothing to us; `re` is its id as far as it could be read, else 0."""

    def __init__(self, code: Code, re: int = 0) -> None:
        super().__init__(code)
        self.code = code
        self.re = re


def read_hello(message: bytes) -> str:
    """The token in a client's first message; Unreadable when there is none."""
    _check_shape(message)
    try:
        return msgspec.json.decode(message, type=Hello).token
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise Unreadable(Code.BAD_MESSAGE) from error


def read(message: bytes) -> tuple[Request, Command]:
    """The request in a message, and its command; Unreadable when either makes no sense."""
    _check_shape(message)
    try:
        request = _REQUEST.decode(message)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise Unreadable(Code.BAD_MESSAGE) from error
    if not 0 <= request.id <= _MAX_ID:
        raise Unreadable(Code.BAD_MESSAGE)
    if not _is_text(request.key, MAX_KEY):
        raise Unreadable(Code.BAD_MESSAGE, request.id)
    decoder = _ARGUMENTS.get(request.op)
    if decoder is None:
        raise Unreadable(Code.UNKNOWN_OP, request.id)
    try:
        command = decoder.decode(request.args)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise Unreadable(Code.BAD_MESSAGE, request.id) from error
    values = (getattr(command, name) for name in command.__struct_fields__)
    if not all(_is_text(value, MAX_TEXT) for value in values if isinstance(value, str)):
        raise Unreadable(Code.BAD_MESSAGE, request.id)
    return request, command


def refusal_for(role: Role, seat: str, command: Command) -> Code | None:
    """Why a person may not command that at all; what the floor allows now is the model's to say."""
    if role in (Role.WALL, Role.OFFICE):
        return Code.NOT_ALLOWED
    if isinstance(command, SuperviseCommand):
        return Code.NOT_ALLOWED if role is Role.AGENT else None
    return None if seat else Code.NO_SEAT


def _check_shape(message: bytes) -> None:
    # Every message of ours is flat: whoever nests deeper wants to tire the reader.
    if len(message) > MAX_MESSAGE or message.count(b"{") + message.count(b"[") > _MAX_BRACKETS:
        raise Unreadable(Code.BAD_MESSAGE)


def _is_text(value: str, limit: int) -> bool:
    return len(value) <= limit and (value == "" or value.isprintable())


class Bucket:
    """Lets `rate` commands a second pass, as many at once after a rest. Times in monotonic microseconds."""

    def __init__(self, rate: int, now_us: int) -> None:
        self._rate = rate
        self._level = float(rate)
        self._at_us = now_us

    def take(self, now_us: int) -> bool:
        """Whether one more may pass now."""
        self._level = min(self._rate, self._level + (now_us - self._at_us) * self._rate / 1_000_000)
        self._at_us = now_us
        if self._level < 1:
            return False
        self._level -= 1
        return True
