"""Owns who is let in: a genuine push token, in time, once. Pure: time is an argument."""

from __future__ import annotations

from hotline.identity.token import BadToken, Claims, verify


class Admission:
    """Checks tokens and remembers the nonces of those used, until they would have expired anyway."""

    def __init__(self, key: str) -> None:
        self._key = key
        self._used: dict[str, int] = {}

    def admit(self, token: str, now_us: int) -> Claims:
        """The claims of a token that is good now and was not used before; BadToken says what is wrong."""
        claims = verify(self._key, token, now_us)
        self._forget(now_us)
        if claims.nonce in self._used:
            raise BadToken("used before")
        self._used[claims.nonce] = claims.expires_us
        return claims

    def _forget(self, now_us: int) -> None:
        # The desk gives every token the same life, so that the order of use is nearly that of expiry; an old
        # nonce behind a younger one goes when that one goes.
        while self._used:
            nonce = next(iter(self._used))
            if self._used[nonce] > now_us:
                return
            del self._used[nonce]
