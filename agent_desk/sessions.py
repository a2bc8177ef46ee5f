"""Owns who is logged in to the desk: ids, their signed cookie, and the word that proves a form is ours.

Sessions live in this process: a restart asks everybody to log in again, and calls are not touched by it.
"""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets

import msgspec

from hotline.identity.people import Person
from hotline.local_time import SECOND_US

COOKIE = "hotline_desk"
LIFETIME_US = 12 * 3600 * SECOND_US
"""A long shift; then the person logs in again."""
MOST = 5000
"""More sessions than a city has desks: beyond that the oldest goes."""

_FORM = re.compile(r"([A-Za-z0-9_-]{43})\.([0-9a-f]{64})")


class Session(msgspec.Struct, kw_only=True):
    """One log-in of one person. `seat` is the seat (a supervisor's: the phone) that they chose, "" before."""

    person: Person
    expires_us: int
    seat: str = ""
    screen: str = ""
    """Of a wall display: the word in the address that it came by."""


class Sessions:
    """All sessions, by id. The id travels in a cookie, signed; its meaning stays here and can be revoked."""

    def __init__(self, key: str) -> None:
        self._key = key.encode()
        self._live: dict[str, Session] = {}

    def new_id(self) -> str:
        """An id that nobody can guess and that means nothing yet."""
        return secrets.token_urlsafe(32)

    def open(self, person: Person, now_us: int, screen: str = "") -> str:
        """Log a person in under an id never used before, whatever id the browser came with."""
        self._forget_expired(now_us)
        while len(self._live) >= MOST:
            del self._live[next(iter(self._live))]
        sid = self.new_id()
        self._live[sid] = Session(person=person, expires_us=now_us + LIFETIME_US, screen=screen)
        return sid

    def find(self, sid: str, now_us: int) -> Session | None:
        """The session of that id while it lasts."""
        session = self._live.get(sid)
        if session is not None and session.expires_us <= now_us:
            del self._live[sid]
            return None
        return session

    def close(self, sid: str) -> None:
        """Log out: the id is worth nothing from now on."""
        self._live.pop(sid, None)

    def to_cookie(self, sid: str) -> str:
        """The id with its signature."""
        return f"{sid}.{self._sign('cookie', sid)}"

    def from_cookie(self, value: str) -> str | None:
        """The id in a cookie of ours, None for any other text."""
        form = _FORM.fullmatch(value)
        if form is None or not hmac.compare_digest(self._sign("cookie", form[1]), form[2]):
            return None
        return form[1]

    def form_word(self, sid: str) -> str:
        """The word that our own forms carry (CSRF token): another site knows neither the id nor the key."""
        return self._sign("form", sid)

    def is_form_word(self, sid: str, word: str) -> bool:
        """Whether a form or request with that word came from a page that we gave to this session."""
        return hmac.compare_digest(self._sign("form", sid).encode(), word.encode(errors="replace"))

    def _sign(self, purpose: str, sid: str) -> str:
        return hmac.digest(self._key, f"{purpose}.{sid}".encode(), hashlib.sha256).hex()

    def _forget_expired(self, now_us: int) -> None:
        for sid in [sid for sid, session in self._live.items() if session.expires_us <= now_us]:
            del self._live[sid]
