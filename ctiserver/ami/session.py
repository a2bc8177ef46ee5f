"""Owns one AMI session: log in, act, collect lists, notice the end. It never comes back; `connection` does.

panoramisk's Manager connects, logs in and numbers the actions; the protocol under it is ours, because
panoramisk 1.4 breaks characters between two packets, lets line breaks into headers, ends some lists too early
or never, and sends waiting actions once more after a reconnect.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import Any

from panoramisk.actions import Action
from panoramisk.ami_protocol import AMIProtocol
from panoramisk.manager import Manager

from ctiserver.ami.actions import MAX_HEADERS, Headers, checked_line
from ctiserver.ami.errors import BadValue, ListenerLost, NotSent, OutcomeUnknown, Refused
from ctiserver.ami.framing import Framer, NotAsterisk
from ctiserver.ami.translate import event_name, headers
from hotline.errors import AmiRefused

ANSWER_S = 8.0
"""How long an action may go unanswered. Asterisk answers in about a millisecond."""
_NEVER_S = 10**7
_FINISHED = b"\r\nEventList: Complete"
_CANCELLED = b"\r\nEventList: cancelled"


class Session:
    """One connection, from log-in to loss. Everything runs on the loop that opened it."""

    def __init__(self, on_event: Callable[[bytes], None], on_bytes: Callable[[bytes], None] | None) -> None:
        self._protocol = _Protocol(on_event, on_bytes)

    @property
    def ended(self) -> asyncio.Future[str]:
        """Done when the session is over, with the reason."""
        return self._protocol.ended

    @property
    def bytes_in(self) -> int:
        """Bytes received so far."""
        return self._protocol.bytes_in

    @property
    def dropped(self) -> int:
        """Frames dropped so far because they were none."""
        return self._protocol.framer.dropped

    async def open(self, host: str, port: int, username: str, secret: str, within_s: float) -> None:
        """Connect and log in. OSError or ListenerLost when no Asterisk is there, else perhaps AmiRefused."""
        for name, text in (("Username", username), ("Secret", secret)):
            checked_line(name, text)
        manager = _Manager(
            host=host, port=port, username=username, secret=secret, events="on",
            loop=asyncio.get_running_loop(), protocol_factory=lambda: self._protocol,
            ping_delay=_NEVER_S, ping_interval=_NEVER_S,
        )  # fmt: skip
        try:
            async with asyncio.timeout(within_s):
                await manager.connect()
                await manager.logged_in
        except (TimeoutError, OutcomeUnknown) as error:
            reason = self.ended.result() if self.ended.done() else "our log-in was not answered"
            raise ListenerLost(f"no Asterisk manager interface on {host}:{port}: {reason}") from error
        except Refused as error:
            raise AmiRefused(
                f"Asterisk's manager interface on {host}:{port} refused the log-in of user {username!r} "
                f"({error}); its manager.conf and our secrets.json must hold the same secret"
            ) from error
        finally:
            manager.stop_pinging()

    async def booted(self) -> int:
        """Wait until Asterisk is fully booted: its uptime in seconds. ListenerLost when it goes away."""
        return await asyncio.shield(self._protocol.booted)

    def send(self, action: Headers) -> asyncio.Future[Sequence[bytes]]:
        """Write an action now; the future gets its answer's frames, or fails by name. Never sent twice."""
        return self._protocol.submit(action, is_list=False)

    async def act(self, action: Headers, within_s: float = ANSWER_S) -> bytes:
        """Send an action and return its answer; NotSent, OutcomeUnknown or Refused."""
        return (await _patiently(self.send(action), within_s))[0]

    async def list(self, name: str, within_s: float = ANSWER_S) -> Sequence[bytes]:
        """Send an action that is answered by a list; its items' frames."""
        return (await _patiently(self._protocol.submit([("Action", name)], is_list=True), within_s))[1:]

    def close(self, reason: str) -> None:
        """End it; whatever waits for an answer fails with OutcomeUnknown."""
        self._protocol.finish(reason)


async def _patiently(answer: asyncio.Future[Sequence[bytes]], within_s: float) -> Sequence[bytes]:
    try:
        return await asyncio.wait_for(answer, within_s)
    except TimeoutError:
        raise OutcomeUnknown(f"Asterisk did not answer within {within_s:g} s") from None


class _Waiting:
    """An action that was sent, until its answer is complete."""

    def __init__(self, future: asyncio.Future[Sequence[bytes]], is_list: bool) -> None:
        self.future = future
        self.is_list = is_list
        self.frames: list[bytes] = []


class _Protocol(AMIProtocol):  # type: ignore[misc]  # panoramisk has no types
    """Bytes to frames, frames to whom they belong: an action that waits, or the listener to events."""

    def __init__(self, on_event: Callable[[bytes], None], on_bytes: Callable[[bytes], None] | None) -> None:
        loop = asyncio.get_running_loop()
        self._on_event = on_event
        self._on_bytes = on_bytes
        self._waiting: dict[bytes, _Waiting] = {}
        self._lists = 0
        self.framer = Framer()
        self.bytes_in = 0
        self.ended: asyncio.Future[str] = loop.create_future()
        self.booted: asyncio.Future[int] = loop.create_future()
        self.booted.add_done_callback(_seen)

    def data_received(self, data: bytes) -> None:
        """Take in what the socket had."""
        self.bytes_in += len(data)
        if self._on_bytes is not None:
            self._on_bytes(data)
        try:
            frames = self.framer.feed(data)
        except NotAsterisk:
            self.finish("what listens there is not Asterisk's manager interface")
            return
        for frame in frames:
            if self.ended.done():
                return
            self._take(frame)

    def submit(self, action: Headers, *, is_list: bool) -> asyncio.Future[Sequence[bytes]]:
        """Write an action, whole or not at all."""
        if self.ended.done():
            raise NotSent("there is no link to Asterisk")
        return self._write(action, str(Action.action_id_generator()), is_list=is_list)

    def send(self, data: Any, as_list: object = None) -> asyncio.Future[Sequence[bytes]]:
        """What the Manager calls for its log-in: the action it built, by our rules."""
        action = data if isinstance(data, Action) else Action(data)
        named = sorted(action.items(), key=lambda item: item[0] != "Action")
        return self._write(
            [item for item in named if item[0] != "ActionID"], action.id, is_list=bool(as_list)
        )

    def connection_lost(self, exc: Exception | None) -> None:
        """The socket is closed."""
        self.finish("Asterisk closed the connection" if exc is None else f"the connection broke: {exc}")

    def close(self) -> None:
        """What the Manager calls; it keeps nothing to be sent again."""
        self.finish("closed")

    def finish(self, reason: str) -> None:
        """End once: the socket, and with a named error every action that waits."""
        if self.ended.done():
            return
        self.ended.set_result(reason)
        waiting, self._waiting = self._waiting, {}
        for each in waiting.values():
            if not each.future.done():
                each.future.set_exception(OutcomeUnknown(f"no answer came: {reason}"))
        if not self.booted.done():
            self.booted.set_exception(ListenerLost(reason))
        if getattr(self, "transport", None) is not None:
            self.closed = True
            self.transport.abort()

    def _write(self, action: Headers, action_id: str, *, is_list: bool) -> asyncio.Future[Sequence[bytes]]:
        lines = [checked_line(name, text) for name, text in (*action, ("ActionID", action_id))]
        if len(lines) > MAX_HEADERS:
            raise BadValue("the action has too many headers")
        future: asyncio.Future[Sequence[bytes]] = asyncio.get_running_loop().create_future()
        self._waiting[action_id.encode()] = _Waiting(future, is_list)
        self._lists += is_list
        self.transport.write(("\r\n".join(lines) + "\r\n\r\n").encode())
        return future

    def _take(self, frame: bytes) -> None:
        if not frame.startswith(b"Event: "):
            self._answer(frame)
        elif (
            self._lists and (waiting := self._waiting.get(_action_id(frame))) is not None and waiting.is_list
        ):
            self._item(frame, waiting)
        else:
            self._event(frame)

    def _event(self, frame: bytes) -> None:
        if event_name(frame) == b"FullyBooted" and not self.booted.done():
            uptime = headers(frame).get("Uptime", "")
            self.booted.set_result(int(uptime) if uptime.isascii() and uptime.isdigit() else 0)
        self._on_event(frame)

    def _answer(self, frame: bytes) -> None:
        waiting = self._waiting.get(_action_id(frame))
        if waiting is None:
            return
        answer = headers(frame)
        waiting.frames.append(frame)
        if answer["Response"] not in ("Success", "Goodbye"):
            self._complete(frame, waiting, Refused(answer.get("Message", "no reason given")))
        elif not waiting.is_list:
            self._complete(frame, waiting, None)

    def _item(self, frame: bytes, waiting: _Waiting) -> None:
        if _FINISHED in frame:
            self._complete(frame, waiting, None)
        elif _CANCELLED in frame:
            self._complete(frame, waiting, Refused("Asterisk cancelled its list"))
        else:
            waiting.frames.append(frame)

    def _complete(self, frame: bytes, waiting: _Waiting, error: Refused | None) -> None:
        del self._waiting[_action_id(frame)]
        self._lists -= waiting.is_list
        if waiting.future.done():  # nobody waits any more
            return
        if error is not None:
            waiting.future.set_exception(error)
        else:
            waiting.future.set_result(waiting.frames)


def _seen(future: asyncio.Future[int]) -> None:
    """An error here is told by `ended` too; asyncio need not complain that nobody asked."""
    if not future.cancelled():
        future.exception()


def _action_id(frame: bytes) -> bytes:
    begin = frame.find(b"\r\nActionID: ")
    if begin < 0:
        return b""
    end = frame.find(b"\r\n", begin + 12)
    return frame[begin + 12 : end] if end >= 0 else frame[begin + 12 :]


class _Manager(Manager):  # type: ignore[misc]
    """panoramisk's manager for one connection: what it does on loss and about pings is ours to do."""

    pinger: asyncio.TimerHandle | None

    def __init__(self, **config: object) -> None:
        super().__init__(**config)
        self.logged_in: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def connection_made(self, connecting: asyncio.Future[Any]) -> None:
        """Log in; whoever awaits `connect` is told when there is no connection."""
        if connecting.cancelled() or connecting.exception() is not None:
            return
        super().connection_made(connecting)

    def login(self, answer: asyncio.Future[Sequence[bytes]]) -> None:
        """Hand the answer on."""
        error = None if answer.cancelled() else answer.exception()
        if self.logged_in.done():
            return
        if error is not None:
            self.logged_in.set_exception(error)
        else:
            self.logged_in.set_result(None)

    def stop_pinging(self) -> None:
        """Its pings are sent and never awaited; `connection` does that."""
        if self.pinger is not None:
            self.pinger.cancel()
            self.pinger = None
