"""Owns the link to Asterisk's manager interface: it comes up, tells how the switch looks, and heals itself.

What the consumer sees is one story in order: Resynced, events, LinkLost, Resynced, events… Nothing that was
asked before a loss is ever sent after it.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import random
from collections.abc import Callable

import msgspec
import structlog

from ctiserver.ami.actions import action
from ctiserver.ami.errors import ActionError, ListenerLost, NotSent
from ctiserver.ami.phones import PhoneBook
from ctiserver.ami.session import Session
from ctiserver.ami.translate import Malformed, headers, snapshot, translate
from ctiserver.model.effects import AdmitPhone, SwitchEffect
from ctiserver.model.events import Event, LinkLost, Resynced
from hotline.errors import AmiRefused, SwitchUnavailable

NEEDED = (
    "CoreShowChannels", "DeviceStateList", "Hangup", "Originate", "Ping", "QueueAdd", "QueuePause",
    "QueueRemove", "QueueStatus", "Redirect",
)  # fmt: skip
"""The actions that our AMI user must be allowed."""

PING_EVERY_S = 3.0
PING_DEADLINE_S = 4.0
"""A ping has no answer, and no other byte came, for so long: the link is lost."""
PATIENCE = 3
"""So many deadlines may pass while other bytes come: a flood delays the answer, but proves no life."""
FIRST_BACK_OFF_S, LAST_BACK_OFF_S = 0.1, 5.0
LOG_IN_S = 3.0
"""Asterisk takes a second before it refuses a wrong secret; less than this is no fair wait."""
OPEN_S = 10.0
"""For a reconnect: connect and log in."""
BOOT_S = 60.0
"""For a reconnect: how long Asterisk may load its modules while it already listens."""
MAX_HELD = 100_000
"""Events that may wait for one look at the switch to end."""

_log = structlog.get_logger(__name__)
_FAILURES = (OSError, TimeoutError, ListenerLost, ActionError)


class Counters(msgspec.Struct, frozen=True):
    """What the link has seen since it was made."""

    events: int
    """frames of events"""
    dropped: int
    """frames that were none, and events that could not be read"""
    ignored: int
    """events that nobody needs"""
    connects: int
    losses: int


class Link:
    """The CTI server's one connection to Asterisk. `on_event` is called in order and must not block."""

    def __init__(
        self,
        host: str,
        port: int,
        username: str,
        secret: str,
        *,
        trunk: str,
        ring_s: int,
        on_event: Callable[[Event], None],
        own_number: str = "",
        phone_book: PhoneBook | None = None,
        ping_every_s: float = PING_EVERY_S,
        ping_deadline_s: float = PING_DEADLINE_S,
        capture: Callable[[bytes], None] | None = None,
    ) -> None:
        self._host, self._port, self._username, self._secret = host, port, username, secret
        self._trunk, self._ring_s, self._own_number = trunk, ring_s, own_number
        self._on_event = on_event
        self._phone_book = phone_book
        self._ping_every_s, self._ping_deadline_s = ping_every_s, ping_deadline_s
        self._capture = capture
        self._session: Session | None = None
        self._ready: Session | None = None
        self._up_since = 0.0
        self._held: list[Event] | None = None
        self._looking = asyncio.Lock()
        self._looks = 0
        self._task: asyncio.Task[None] | None = None
        self._events = self._dropped = self._ignored = self._connects = self._losses = 0

    @property
    def counters(self) -> Counters:
        """The figures so far."""
        dropped = self._dropped + (self._session.dropped if self._session is not None else 0)
        return Counters(self._events, dropped, self._ignored, self._connects, self._losses)

    @property
    def is_up(self) -> bool:
        """Logged in and in step with the switch."""
        return self._ready is not None

    async def start(self, first_deadline_s: float = 10.0) -> None:
        """Bring the link up for the first time; Resynced has been delivered when this returns.

        SwitchUnavailable when no Asterisk is ready by the deadline; AmiRefused at once when it refuses us.
        """
        loop = asyncio.get_running_loop()
        deadline = loop.time() + first_deadline_s
        while True:
            left = max(0.1, deadline - loop.time())
            try:
                session = await self._connect(max(left, LOG_IN_S), left)
                break
            except _FAILURES as error:
                if loop.time() + FIRST_BACK_OFF_S >= deadline:
                    raise SwitchUnavailable(
                        f"no Asterisk is ready on {self._host}:{self._port} after {first_deadline_s:g} s "
                        f"({_words(error)}); start it, or set switch.ami_port"
                    ) from error
                await asyncio.sleep(FIRST_BACK_OFF_S)
        self._task = asyncio.create_task(self._live(session), name="ami link")

    async def stop(self) -> None:
        """End the link for good; what waits for an answer fails, and no event comes any more."""
        if self._task is not None:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task
            self._task = None
        self._ready = None
        self._drop_session("we stop")

    async def perform(self, effect: SwitchEffect) -> None:
        """Do an effect, in the order of the calls; returns when Asterisk has accepted it.

        Raises BadValue or NotSent (nothing was sent), Refused (Asterisk's own words), or OutcomeUnknown (it
        was sent, and the answer got lost). It is never sent twice.
        """
        asked = action(effect, trunk=self._trunk, ring_s=self._ring_s, own_number=self._own_number)
        if self._ready is None:
            raise NotSent("there is no link to Asterisk")
        if isinstance(effect, AdmitPhone) and self._phone_book is not None:
            await self._phone_book.write(asked)
        else:
            await self._ready.act(asked)

    async def resync(self) -> None:
        """Look at the whole switch and deliver Resynced. Without a link nothing happens: the next one looks
        anyway. Asked again while one look waits for another, it is one look.
        """
        looks = self._looks
        async with self._looking:
            session = self._ready
            if session is None or self._looks > looks:
                return
            try:
                await self._look(session)
            except _FAILURES as error:
                session.close(f"the switch could not be looked at: {_words(error)}")
            except BaseException:
                if session is self._ready:
                    self._release()
                raise

    async def _live(self, session: Session) -> None:
        """Watch the link; when it is lost, say so once and get another. Runs until `stop`."""
        while True:
            reason = await self._watch(session)
            self._lose(reason)
            session = await self._reconnect()

    async def _reconnect(self) -> Session:
        back_off = FIRST_BACK_OFF_S
        while True:
            # Two servers that lost one switch do not come back in step.
            await asyncio.sleep(back_off * random.uniform(0.5, 1.0))  # noqa: S311 - nothing secret about it
            try:
                return await self._connect(OPEN_S, BOOT_S)
            except _FAILURES as error:
                _log.info("link not up yet", reason=_words(error))
            except AmiRefused as error:
                _log.error("link refused", reason=str(error))
            back_off = min(LAST_BACK_OFF_S, back_off * 2)

    async def _connect(self, open_s: float, boot_s: float) -> Session:
        """One attempt: connected, logged in, in step. It leaves nothing behind when it fails."""
        self._drop_session("a new one is made")
        self._held = []
        session = self._session = Session(self._frame, self._capture)
        try:
            await session.open(self._host, self._port, self._username, self._secret, open_s)
            await self._check_rights(session)
            try:
                up_s = await asyncio.wait_for(session.booted(), boot_s)
            except TimeoutError as error:
                raise ListenerLost(
                    f"Asterisk has not said FullyBooted within {boot_s:g} s: it is still starting, or user "
                    f"{self._username!r} lacks the read right system"
                ) from error
            self._up_since = asyncio.get_running_loop().time() - up_s
            async with self._looking:
                await self._look(session)
        except BaseException:
            self._held = None
            session.close("given up")
            raise
        self._connects += 1
        _log.info("link up", host=self._host, port=self._port, switch_up_s=up_s)
        return session

    async def _check_rights(self, session: Session) -> None:
        """ListCommands names just the actions that we may use."""
        allowed = headers(await session.act([("Action", "ListCommands")]))
        missing = [name for name in NEEDED if name not in allowed]
        if missing:
            raise AmiRefused(
                f"AMI user {self._username!r} may not use {', '.join(missing)}: it needs "
                "write = call,agent,originate,reporting in manager.conf, and Asterisk its modules loaded"
            )

    async def _look(self, session: Session) -> None:
        """Hold events back, look at the whole switch, tell how it is, then what has happened meanwhile."""
        self._looks += 1
        if self._held is None:
            self._held = []
        channels, queues, devices = await asyncio.gather(
            session.list("CoreShowChannels"), session.list("QueueStatus"), session.list("DeviceStateList")
        )
        if session.ended.done():
            raise ListenerLost(session.ended.result())
        up_s = int(asyncio.get_running_loop().time() - self._up_since)
        found, unread = snapshot(channels, queues, devices, up_s)
        self._dropped += unread
        self._ready = session
        self._on_event(Resynced(found))
        self._release()

    def _release(self) -> None:
        held, self._held = self._held, None
        for event in held or ():
            self._on_event(event)

    def _frame(self, frame: bytes) -> None:
        """One event's frame, straight from the socket."""
        self._events += 1
        try:
            event = translate(frame)
        except Malformed:
            self._dropped += 1
            return
        if event is None:
            self._ignored += 1
        elif self._held is None:
            self._on_event(event)
        elif len(self._held) < MAX_HELD:
            self._held.append(event)
        elif self._session is not None:
            self._session.close("too much happened during one look at the switch")

    async def _watch(self, session: Session) -> str:
        """Return when the session is over, with the reason; end it when pings get no answer."""
        pinging = asyncio.create_task(self._ping(session), name="ami ping")
        try:
            return await asyncio.shield(session.ended)
        finally:
            pinging.cancel()

    async def _ping(self, session: Session) -> None:
        while True:
            await asyncio.sleep(self._ping_every_s)
            if session.ended.done():
                return
            seen, pong = session.bytes_in, session.send([("Action", "Ping")])
            pong.add_done_callback(asyncio.Future.exception)
            for _ in range(PATIENCE):
                await asyncio.wait((pong,), timeout=self._ping_deadline_s)
                if pong.done() or session.bytes_in == seen:
                    break
                seen = session.bytes_in
            if not pong.done():
                session.close(f"a ping was not answered within {self._ping_deadline_s:g} s")

    def _lose(self, reason: str) -> None:
        self._ready = None
        self._losses += 1
        _log.warning("link lost", reason=reason)
        self._release()
        self._on_event(LinkLost())

    def _drop_session(self, reason: str) -> None:
        if self._session is not None:
            self._session.close(reason)
            self._dropped += self._session.dropped
            self._session = None


def _words(error: BaseException) -> str:
    """What went wrong, for a sentence."""
    if isinstance(error, OSError) and error.errno:
        return os.strerror(error.errno).lower()
    return str(error) or "no answer in time"
