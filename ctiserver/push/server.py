"""Owns the CTI server's WebSocket endpoint: who may connect, and the way of pushes out and commands in.

The wire stands in the package's docstring. What is said and done is the desk's.
"""

from __future__ import annotations

import asyncio
import errno
import logging
import secrets
import socket
from collections.abc import Callable
from contextlib import suppress
from typing import Protocol, cast
from urllib.parse import parse_qs, urlsplit

import msgspec
import structlog
from websockets.asyncio.server import Server, ServerConnection, serve
from websockets.exceptions import ConnectionClosed
from websockets.http11 import Request as Handshake
from websockets.http11 import Response
from websockets.protocol import State
from websockets.typing import Origin

from ctiserver.api.commands import Actor, Code, Command, Refusal, Request, refuse
from ctiserver.api.pushes import Answer, Push, Snapshot
from ctiserver.push import closing, requests
from ctiserver.push.admission import Admission
from ctiserver.push.answers import Answers, Result
from ctiserver.push.fanout import KEEP_US, Fanout, Session
from ctiserver.push.outbox import LIMITS, Limits
from ctiserver.push.views import Viewer
from hotline import clock
from hotline.errors import BadSettings, PortBusy
from hotline.identity.roles import Role
from hotline.identity.token import BadToken, Claims
from hotline.settings import Settings

PATH = "/v1"
TOKEN_S = 5.0
COMMANDS_PER_S = 20
MAX_BAD = 20
MAX_CLIENTS = 2000
PING_S = 15.0
CLOSE_S = 2.0
SEND_BUFFER = 256 << 10
"""Bytes that the kernel takes for one client: little, for what lies there can no longer be overridden."""

# At DEBUG the library writes whole messages, with numbers and names, into the log.
_quiet = logging.getLogger("ctiserver.push.websockets")
_quiet.setLevel(logging.INFO)

log = structlog.get_logger()


class Desk(Protocol):
    """What the server shows and obeys: the floor, by way of the service."""

    def snapshot(self) -> Snapshot:
        """The whole floor, as of the last push told."""

    async def command(self, actor: Actor, command: Command, key: str) -> dict[str, str] | Refusal:
        """Do it or say why not."""


class Welcome(msgspec.Struct, frozen=True):
    """The server's first message. `resumed`: it goes on at `last_seq` + 1; else a snapshot follows."""

    session: str
    resumed: bool


class _Connection(ServerConnection):
    """A connection that can be written to without waiting, and says when it has room again."""

    session: Session | None = None
    _ending: asyncio.Task[None] | None = None

    def write(self, data: bytes) -> None:
        # A push written while the connection closes is lost here and kept in the outbox, for the next one.
        if self.protocol.state is State.OPEN:
            self.protocol.send_text(data)
            self.send_data()

    def end(self, code: int, reason: str) -> None:
        self._ending = self.loop.create_task(self.close(code, reason))

    def resume_writing(self) -> None:
        super().resume_writing()
        if self.session is not None:
            self.session.flush()


class PushServer:
    """Shows screens what happens on the floor, takes their commands. `name_of`: a person's name by number."""

    def __init__(
        self,
        settings: Settings,
        push_key: str,
        desk: Desk,
        name_of: Callable[[str], str],
        limits: Limits = LIMITS,
    ) -> None:
        self._settings = settings
        self._desk = desk
        self._name_of = name_of
        self._admission = Admission(push_key)
        self._answers = Answers()
        self._fanout = Fanout(desk.snapshot, limits)
        self._server: Server | None = None
        self.port = settings.cti.push_port

    def tell(self, push: Push) -> None:
        """Write a push to every client that may see it, at once; one that is not ready gets it when it is."""
        self._fanout.tell(push)

    async def start(self) -> None:
        """Open the port (0: any free one, then in `port`); PortBusy when another program has it."""
        listening = _listen(self._settings.cti.host, self._settings.cti.push_port)
        self.port = listening.getsockname()[1]
        self._server = await serve(
            self._serve,
            sock=listening,
            origins=[*map(Origin, self._settings.desk_origins), None],
            process_request=self._check,
            compression=None,
            server_header=None,
            open_timeout=TOKEN_S,
            ping_interval=PING_S,
            ping_timeout=PING_S,
            close_timeout=CLOSE_S,
            max_size=requests.MAX_MESSAGE,
            create_connection=_Connection,
            logger=_quiet,
        )
        log.info("push_listening", port=self.port)

    def queues(self) -> list[int]:
        """How many pushes wait for each connected client."""
        return self._fanout.queues()

    async def stop(self) -> None:
        """Say good-bye to every client and close the port."""
        if self._server is not None:
            self._server.close()
            await self._server.wait_closed()
            self._server = None

    def _check(self, connection: ServerConnection, handshake: Handshake) -> Response | None:
        if urlsplit(handshake.path).path != PATH:
            return connection.respond(404, "not here\n")
        if len(connection.server.all_connections) > MAX_CLIENTS:
            return connection.respond(503, "too many clients\n")
        return None

    async def _serve(self, connection: ServerConnection) -> None:
        """One connection, from its token to its end."""
        ours = cast(_Connection, connection)
        with suppress(ConnectionClosed):
            claims = await self._admit(ours)
            if claims is not None:
                await self._attend(ours, claims)

    async def _admit(self, connection: _Connection) -> Claims | None:
        """Who connects, by the token in the first message; None: shown the door."""
        try:
            async with asyncio.timeout(TOKEN_S):
                token = requests.read_hello(await connection.recv(decode=False))
            return self._admission.admit(token, clock.now().utc_us)
        except TimeoutError:
            await connection.close(closing.NO_TOKEN, "no token came in time")
        except requests.Unreadable:
            await connection.close(closing.BAD_TOKEN, "the first message is no token")
        except BadToken as error:
            log.warning("push_token_refused", why=str(error))
            await connection.close(closing.BAD_TOKEN, str(error))
        return None

    async def _attend(self, connection: _Connection, claims: Claims) -> None:
        session = self._attach(connection, claims)
        ids = {"session": session.id, "person": claims.person, "seat": claims.seat}
        log.info("push_client_came", role=claims.role.value, **ids)
        try:
            await self._obey(connection, claims)
        finally:
            connection.session = None
            self._fanout.leave(session, connection, clock.now().mono_us)
            connection.loop.call_later(KEEP_US / 1e6 + 1, self._expire)
            log.info("push_client_left", code=connection.close_code, **ids)

    def _attach(self, connection: _Connection, claims: Claims) -> Session:
        """Go on with the client's session, or begin one. Nothing here waits: no push gets in between."""
        viewer = Viewer(claims.role, (claims.seat or "") if claims.role is Role.AGENT else "")
        wanted, last_seq = _resume_point(connection)
        resumed = self._fanout.resume(wanted, claims.person, viewer, last_seq, connection)
        if resumed is not None:
            session, missed = resumed
            connection.write(msgspec.json.encode(Welcome(session.id, True)))
            for frame in missed:
                connection.write(frame)
        else:
            session_id = secrets.token_urlsafe(12)
            connection.write(msgspec.json.encode(Welcome(session_id, False)))
            session = self._fanout.open(session_id, claims.person, viewer, connection)
        connection.session = session
        return session

    async def _obey(self, connection: _Connection, claims: Claims) -> None:
        """Answer one message after the other, until the connection ends."""
        actor = Actor(
            person=claims.person,
            name=self._name_of(claims.person),
            role=claims.role.value,
            seat=claims.seat or "",
        )
        bucket = requests.Bucket(COMMANDS_PER_S, clock.now().mono_us)
        bad = 0
        while True:
            message = await connection.recv(decode=False)
            try:
                request, command = requests.read(message)
            except requests.Unreadable as error:
                bad += 1
                if bad > MAX_BAD:
                    log.warning("push_client_speaks_nonsense", person=claims.person)
                    await connection.close(closing.BAD_MESSAGES, "too many bad messages")
                    return
                answer = _answer(error.re, refuse(error.code))
            else:
                answer = _answer(request.id, await self._do(actor, claims.role, request, command, bucket))
            await connection.send(msgspec.json.encode(answer), text=True)

    async def _do(
        self, actor: Actor, role: Role, request: Request, command: Command, bucket: requests.Bucket
    ) -> Result:
        now_us = clock.now().mono_us
        if not bucket.take(now_us):
            return refuse(Code.TOO_FAST)
        if (code := requests.refusal_for(role, actor.seat, command)) is not None:
            return refuse(code)

        async def ask() -> Result:
            return await self._desk.command(actor, command, request.key)

        return await self._answers.once(actor.person, request, ask, now_us)

    def _expire(self) -> None:
        self._fanout.expire(clock.now().mono_us)


def _answer(re: int, result: Result) -> Answer:
    if isinstance(result, Refusal):
        return Answer(re, error={"code": result.code.value, "message": result.message})
    return Answer(re, ok=result)


def _resume_point(connection: ServerConnection) -> tuple[str, int]:
    """Session and last number in the address; ("", 0) when the client begins."""
    path = connection.request.path if connection.request is not None else ""
    query = parse_qs(urlsplit(path).query)
    session, last_seq = query.get("session", [""])[0], query.get("last_seq", [""])[0]
    is_number = last_seq.isascii() and last_seq.isdecimal() and len(last_seq) < 16
    return (session, int(last_seq)) if is_number else ("", 0)


def _listen(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        listening = socket.create_server((host, port), family=family, backlog=1024)
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            raise PortBusy(
                f"port {port} on {host} is taken: another program (or a second CTI server) listens there; "
                f"stop it or set cti.push_port"
            ) from error
        raise BadSettings(f"cti: cannot listen on {host} port {port}: {error.strerror}") from error
    # Accepted connections inherit it.
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SEND_BUFFER)
    return listening
