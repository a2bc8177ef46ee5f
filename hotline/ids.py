"""Owns the form of our ids: node, hyphen, ULID (`n1-01JD…`). Pure: time and chance are arguments."""

from __future__ import annotations

import re

_ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
_VALUE = {letter: value for value, letter in enumerate(_ALPHABET)}
_ID = re.compile(r"[a-z][a-z0-9_]{0,30}-[0-7][0-9A-HJKMNP-TV-Z]{25}")
RANDOM_BYTES = 10


def make(node: str, utc_us: int, randomness: bytes) -> str:
    """A new id that sorts by time within its node; `randomness` is 10 bytes from `secrets.token_bytes`."""
    if len(randomness) != RANDOM_BYTES:
        raise ValueError(f"an id takes {RANDOM_BYTES} random bytes, not {len(randomness)}")
    number = ((utc_us // 1000) & (1 << 48) - 1) << 80 | int.from_bytes(randomness)
    return node + "-" + "".join(_ALPHABET[number >> shift & 31] for shift in range(125, -1, -5))


def is_id(text: str) -> bool:
    """Whether the text has the form of an id. Says nothing about its existence."""
    return _ID.fullmatch(text) is not None


def node_of(text: str) -> str:
    """The node that made the id."""
    return text.partition("-")[0]


def made_at_us(text: str) -> int:
    """When the id was made: UTC microseconds, exact to the millisecond."""
    number = 0
    for letter in text.partition("-")[2][:10]:
        number = number << 5 | _VALUE[letter]
    return number * 1000
