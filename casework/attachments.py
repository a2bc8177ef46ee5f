"""Owns which files may be attached to a case (附件): kinds known by their first bytes, sizes, names. Pure."""

from __future__ import annotations

import msgspec

from casework.words import Refusal

MOST_BYTES = 10 * 1024 * 1024
MOST_FILES = 20
"""Files of one case."""
_NAME_LIMIT = 100
_ZIP = b"PK\x03\x04"
_KINDS = {
    "jpg": ("image/jpeg", b"\xff\xd8\xff"),
    "jpeg": ("image/jpeg", b"\xff\xd8\xff"),
    "png": ("image/png", b"\x89PNG\r\n\x1a\n"),
    "pdf": ("application/pdf", b"%PDF-"),
    "docx": ("application/vnd.openxmlformats-officedocument.wordprocessingml.document", _ZIP),
    "xlsx": ("application/vnd.openxmlformats-officedocument.spreadsheetml.sheet", _ZIP),
}
ENDINGS = tuple(f".{ending}" for ending in _KINDS)


class Attachment(msgspec.Struct, frozen=True, kw_only=True):
    """A file of a case. `sha256` is in the case's history too; by it the file is found and proven."""

    id: str
    case_id: str
    name: str
    media_type: str
    size: int
    sha256: str
    actor: str
    at_us: int


def media_type(name: str, content: bytes) -> str | Refusal:
    """What the file is, if name and first bytes agree on a kind that is taken; else why it is not."""
    if not content:
        return Refusal.EMPTY_FILE
    if len(content) > MOST_BYTES:
        return Refusal.FILE_TOO_LARGE
    kind = _KINDS.get(name.rpartition(".")[2].lower())
    if kind is None or not content.startswith(kind[1]):
        return Refusal.NOT_THIS_KIND
    return kind[0]


def clean_name(name: str) -> str:
    """The file's name without a path or what cannot be printed, and not too long; its ending is kept."""
    last = name.replace("\\", "/").rpartition("/")[2]
    plain = "".join(letter for letter in last if letter.isprintable() and letter not in '<>:"|?*').strip(". ")
    stem, _, ending = plain.rpartition(".")
    return f"{stem[: _NAME_LIMIT - len(ending) - 1]}.{ending}" if stem else plain[:_NAME_LIMIT]
