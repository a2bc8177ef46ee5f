"""Owns the push token: a short-lived signed word that binds a connection to a person, role and seat. Pure."""

from __future__ import annotations

import hashlib
import hmac
import re
from base64 import urlsafe_b64decode, urlsafe_b64encode

import msgspec

from hotline.identity.roles import Role

_VERSION = "v1"
_LIMIT = 1024
_FORM = re.compile(r"v1\.([A-Za-z0-9_-]{2,900})\.([A-Za-z0-9_-]{43})")


class Claims(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a token says. `nonce` differs in every token, so that a server can refuse one it has seen."""

    person: str
    role: Role
    seat: str | None
    expires_us: int
    nonce: str


class BadToken(Exception):
    """The token is not ours, was changed, or has expired; the text says which."""


def mint(key: str, person: str, role: Role, seat: str | None, expires_us: int, nonce: str) -> str:
    """A token for one person; `nonce` is random text, `expires_us` UTC microseconds."""
    claims = Claims(person=person, role=role, seat=seat, expires_us=expires_us, nonce=nonce)
    body = _encode(msgspec.json.encode(claims))
    return f"{_VERSION}.{body}.{_sign(key, body)}"


def verify(key: str, token: str, now_us: int) -> Claims:
    """The claims of a genuine token that has not expired; BadToken otherwise."""
    form = _FORM.fullmatch(token) if len(token) <= _LIMIT else None
    if form is None:
        raise BadToken("malformed")
    body, signature = form.groups()
    if not hmac.compare_digest(_sign(key, body), signature):
        raise BadToken("wrong signature")
    try:
        claims = msgspec.json.decode(_decode(body), type=Claims)
    except (msgspec.DecodeError, ValueError) as error:
        raise BadToken("malformed") from error
    if claims.expires_us <= now_us:
        raise BadToken("expired")
    return claims


def _sign(key: str, body: str) -> str:
    signed = f"{_VERSION}.{body}".encode()
    return _encode(hmac.digest(key.encode(), signed, hashlib.sha256))


def _encode(data: bytes) -> str:
    return urlsafe_b64encode(data).rstrip(b"=").decode()


def _decode(text: str) -> bytes:
    return urlsafe_b64decode(text + "=" * (-len(text) % 4))
