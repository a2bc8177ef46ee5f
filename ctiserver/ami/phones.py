"""Owns what needs the AMI right `system`, which the link to the switch has not: the passwords of phones in
the page (网页话机), one short visit for each.
"""

from __future__ import annotations

import asyncio

from ctiserver.ami.actions import Headers
from ctiserver.ami.errors import ActionError, NotSent
from ctiserver.ami.session import Session

_OPEN_S = 3.0


class PhoneBook:
    """Asterisk's database of those passwords, by way of the AMI user `system`. One visitor at a time."""

    def __init__(self, host: str, port: int, secret: str) -> None:
        self._host, self._port, self._secret = host, port, secret
        self._visiting = asyncio.Lock()

    async def write(self, asked: Headers) -> None:
        """Have it written; in the order of the calls. ActionError says what went wrong."""
        async with self._visiting:
            session = Session(lambda _event: None, None)
            try:
                await session.open(self._host, self._port, "system", self._secret, _OPEN_S)
                await session.act(asked)
            except ActionError:
                raise
            except (OSError, TimeoutError) as error:
                raise NotSent(f"no link to Asterisk for a phone's password: {error}") from error
            finally:
                session.close("written")
