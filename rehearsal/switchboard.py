"""Owns the city's talk with its Asterisk over AMI: log in, act, hear events in order. Knows no parties."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from panoramisk.ami_protocol import AMIProtocol
from panoramisk.manager import Manager
from panoramisk.message import Message

from hotline.errors import AmiRefused, SwitchUnavailable

Event = Mapping[str, str]
"""An AMI event: header name to value."""
_ANSWER_S = 10.0
_EDGE = b"\r\n\r\n"
_FOREVER_S = 10**7


class Switchboard:
    """One AMI session. It never reconnects and never repeats an action; `on_lost` hears of its loss."""

    def __init__(self, on_event: Callable[[Event], None], on_lost: Callable[[], None] = lambda: None) -> None:
        self._on_event = on_event
        self._on_lost = on_lost
        self._manager: Any = None

    async def connect(self, host: str, port: int, user: str, secret: str) -> None:
        """Log in; SwitchUnavailable or AmiRefused when that fails."""
        loop = asyncio.get_running_loop()
        self._manager = _Manager(
            self._on_event, self._on_lost, host=host, port=port, loop=loop, protocol_factory=_Protocol,
            ping_delay=_FOREVER_S, ping_interval=_FOREVER_S,
        )  # fmt: skip
        try:
            await self._manager.connect()
        except OSError as error:
            raise SwitchUnavailable(f"the city's Asterisk does not answer on {host}:{port}") from error
        await self.act("Login", Username=user, Secret=secret, Events="on")

    async def act(self, name: str, **headers: str) -> Message:
        """Send one action and return its answer; AmiRefused carries Asterisk's own words."""
        answers = await self._send(name, headers, as_list=False)
        return answers[0]

    async def list(self, name: str) -> Sequence[Message]:
        """Send an action that is answered by a list of events; return these."""
        return (await self._send(name, {}, as_list=True))[1:-1]

    def close(self) -> None:
        """End the session; what waits for an answer gets SwitchUnavailable."""
        if self._manager is not None:
            self._manager.close()

    async def _send(self, name: str, headers: Mapping[str, str], *, as_list: bool) -> Sequence[Message]:
        if any(mark in value for value in headers.values() for mark in "\r\n\0"):
            raise ValueError("an AMI header is one line")
        if self._manager is None or self._manager.protocol.closed:
            raise SwitchUnavailable("the connection to the city's Asterisk is closed")
        action = {"Action": name, **headers}
        try:
            answer = await asyncio.wait_for(self._manager.send_action(action, as_list=as_list), _ANSWER_S)
        except (TimeoutError, asyncio.CancelledError) as error:
            if isinstance(error, TimeoutError) or self._manager.protocol.closed:
                raise SwitchUnavailable(f"the city's Asterisk did not answer {name}") from error
            raise
        answers = answer if isinstance(answer, list) else [answer]
        if not answers[0].success:
            raise AmiRefused(f"the city's Asterisk refused {name}: {answers[0].message}")
        return answers


class _Protocol(AMIProtocol):  # type: ignore[misc]  # panoramisk has no types
    """panoramisk's protocol, framed in bytes, so that a character split between two packets stays whole."""

    def data_received(self, data: bytes) -> None:
        self._bytes = getattr(self, "_bytes", b"") + data
        *messages, self._bytes = self._bytes.split(_EDGE)
        for raw in messages:
            message = Message.from_line(raw.decode("utf-8", "replace").strip())
            if message is None:
                continue
            if message.event == "OriginateResponse":  # an event, though it bears the id of the action
                self.factory.dispatch(message)
                continue
            if message.response == "Error" and message.id in self.responses:
                self.responses[message.id].as_list = False  # no list will follow
            self.handle_message(message)

    def close(self) -> None:
        """Give up waiting actions; panoramisk would send them again after a reconnect."""
        for action in self.responses.values():
            action.future.cancel()
        self.responses.clear()
        super().close()


class _Manager(Manager):  # type: ignore[misc]
    """panoramisk's manager: events go to one plain function, in order, and a lost connection stays lost."""

    def __init__(
        self, on_event: Callable[[Event], None], on_lost: Callable[[], None], **config: object
    ) -> None:
        super().__init__(**config)
        self._on_event = on_event
        self._on_lost = on_lost

    def connection_made(self, connecting: asyncio.Future[Any]) -> None:
        if connecting.cancelled() or connecting.exception() is not None:
            return  # whoever awaits it is told
        super().connection_made(connecting)

    def dispatch(self, event: Message) -> None:
        self._on_event(event)

    def connection_lost(self, exc: Exception | None) -> None:
        """Do not reconnect."""
        if self.pinger is not None:
            self.pinger.cancel()
        self._on_lost()
