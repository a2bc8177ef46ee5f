"""Owns the desk's own look at the floor: who sits where. It sees what a wall (大屏) sees."""

from __future__ import annotations

import secrets

import msgspec

from ctiserver.api.states import SeatState
from ctiserver.client import Client
from hotline import clock
from hotline.identity import token
from hotline.identity.roles import Role
from hotline.local_time import SECOND_US
from hotline.settings import Settings

TOKEN_US = 60 * SECOND_US
"""How long a push token may take from being made to being used."""
_NAME = "desk"


class Place(msgspec.Struct, frozen=True, kw_only=True):
    """A seat for somebody who looks for one. `agent`: the number (工号) of who sits there, "" for nobody."""

    id: str
    agent: str = ""
    has_phone: bool = True


class Floor:
    """Follows the CTI server's pushes while the desk runs; does without them while there are none."""

    def __init__(self, settings: Settings, push_key: str) -> None:
        self._settings = settings
        self._push_key = push_key
        self._client = Client(push_url(settings), self._token)

    @property
    def is_known(self) -> bool:
        """Whether `places` is true now; without the CTI server nobody knows who sits where."""
        return self._client.is_up and self._client.seen.linked

    def places(self) -> list[Place]:
        """Every seat, in order; all of them free as far as we know while the floor is not known."""
        seen = self._client.seen.seats if self.is_known else {}
        places = []
        for seat_id in self._settings.seat_ids:
            seat = seen.get(seat_id)
            if seat is None:
                places.append(Place(id=seat_id))
            else:
                agent = "" if seat.state is SeatState.SIGNED_OUT else seat.agent
                places.append(Place(id=seat_id, agent=agent, has_phone=seat.phone_up))
        return places

    def start(self) -> None:
        """Begin to look."""
        self._client.start()

    async def close(self) -> None:
        """Look no more."""
        await self._client.close()

    async def _token(self) -> str:
        expires_us = clock.now().utc_us + TOKEN_US
        return token.mint(self._push_key, _NAME, Role.WALL, None, expires_us, secrets.token_urlsafe(16))


def push_url(settings: Settings) -> str:
    """Where pages and the desk itself open their WebSocket."""
    return f"ws://{settings.cti.host}:{settings.cti.push_port}/v1"
