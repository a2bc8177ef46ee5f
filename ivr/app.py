"""Owns the FastAGI server: runs a flow for each call that Asterisk hands us, and always gives it back."""

from __future__ import annotations

import asyncio
import errno
from collections.abc import Callable

import structlog
from panoramisk.fast_agi import Application

from hotline.errors import BadSettings, PortBusy
from hotline.settings import Settings
from ivr.desk import Desk
from ivr.errors import AgiError, CallerGone
from ivr.outlook import Outlook
from ivr.session import MAX_LINE, Session, read_headers

INTRODUCTION_S = 2.0
"""Asterisk sends its headers in one go."""
CALL_S = 240.0
"""No flow keeps a citizen from the queue for longer."""
GRACE_S = 3.0
"""How long a stop waits for greetings in progress; a citizen cut off goes on to the queue."""
CLOSE_S = 1.0
MAX_CALLS = 500
"""Calls in the IVR at once; further ones go to the queue ungreeted."""

log = structlog.get_logger(__name__)


class FastAgi(Application):  # type: ignore[misc]
    """panoramisk's routes with a handler of our own.

    panoramisk's handler reads for ever from a client that connects and closes, bounds neither headers nor
    time and swallows cancellation; its Request breaks on an end of stream and takes the value "hangup" of a
    variable for a hang-up. So the handler here runs flows with a `Session`.
    """

    def __init__(
        self, *, introduction_s: float = INTRODUCTION_S, call_s: float = CALL_S, max_calls: int = MAX_CALLS
    ) -> None:
        super().__init__(loop=asyncio.get_running_loop())
        self._introduction_s = introduction_s
        self._call_s = call_s
        self._max_calls = max_calls
        self._calls: set[asyncio.Task[None]] = set()

    @property
    def calls(self) -> int:
        """How many connections are open."""
        return len(self._calls)

    def accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Take a connection from `asyncio.start_server`; the task is ours, so that a stop can wait for it."""
        task = asyncio.create_task(self.handler(reader, writer))
        self._calls.add(task)
        task.add_done_callback(self._calls.discard)

    async def handler(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Serve one connection. It ends closed, whatever happens."""
        try:
            if len(self._calls) > self._max_calls:
                log.warning("call_ungreeted", calls=len(self._calls))
            else:
                await self._serve(reader, writer)
        finally:
            await _close(writer)

    async def drain(self, grace_s: float) -> None:
        """Let open calls end by themselves for `grace_s`, then cut the rest off; they go on to the queue."""
        if self._calls:
            _, late = await asyncio.wait(self._calls, timeout=grace_s)
            for task in late:
                task.cancel()
            await asyncio.gather(*late, return_exceptions=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            async with asyncio.timeout(self._introduction_s):
                headers = await read_headers(reader)
        except TimeoutError:
            log.warning("client_refused", reason="no introduction in time")
            return
        except CallerGone:
            log.debug("client_gone")
            return
        except AgiError as error:
            log.warning("client_refused", reason=str(error))
            return
        await self._run(Session(headers, reader, writer))

    async def _run(self, session: Session) -> None:
        """Run the flow that the dialplan asked for and log how it ended."""
        calling = log.bind(uniqueid=session.uniqueid)
        flow = self._route.get(session.script)
        if flow is None:
            calling.warning("script_unknown")
            return
        try:
            async with asyncio.timeout(self._call_s):
                outcome = await flow(session)
        except CallerGone:
            outcome = "caller_gone"
        except TimeoutError:
            calling.warning("call_returned", script=session.script, reason="flow took too long")
            return
        except AgiError as error:
            calling.warning("call_returned", script=session.script, reason=str(error))
            return
        except Exception:
            log.exception("flow_failed", uniqueid=session.uniqueid, script=session.script)
            return
        calling.info("call_served", script=session.script, outcome=outcome)


class IvrServer:
    """A listening FastAGI server; made by `serve`."""

    def __init__(self, server: asyncio.Server, agi: FastAgi, outlook: Outlook) -> None:
        self._server = server
        self._agi = agi
        self._outlook = outlook
        self.port: int = server.sockets[0].getsockname()[1]
        """The TCP port in force."""

    @property
    def calls(self) -> int:
        """How many calls are in the IVR now."""
        return self._agi.calls

    async def stop(self, grace_s: float = GRACE_S) -> None:
        """Take no more calls; those inside may end for `grace_s` seconds, then go back to the dialplan."""
        self._server.close()
        await self._agi.drain(grace_s)
        await self._server.wait_closed()
        await self._outlook.stop()


async def serve(settings: Settings, agi: FastAgi | None = None) -> IvrServer:
    """Listen where `settings.ivr` says; PortBusy when another program already does."""
    agi = FastAgi() if agi is None else agi
    outlook = Outlook(settings)
    desk = Desk(outlook)
    agi.add_route("greeting", desk.greet)
    agi.add_route("rating", desk.rate)
    host, port = settings.ivr.host, settings.ivr.port
    try:
        server = await asyncio.start_server(agi.accept, host, port, limit=MAX_LINE)
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            raise PortBusy(f"the IVR cannot listen: another program uses port {port} on {host}") from error
        raise BadSettings(f"ivr: cannot listen on {host} port {port}: {error.strerror}") from error
    outlook.start()
    running = IvrServer(server, agi, outlook)
    log.info("ivr_listening", host=host, port=running.port)
    return running


async def run(settings: Settings, stop: asyncio.Event, ready: Callable[[], None]) -> None:
    """Serve until `stop` is set; then end gracefully. `ready` is called once callers can be greeted."""
    server = await serve(settings)
    try:
        ready()
        await stop.wait()
    finally:
        await server.stop()
        log.info("ivr_stopped")


async def _close(writer: asyncio.StreamWriter) -> None:
    """Close politely, or at once when the peer does not read what is left (TimeoutError is an OSError)."""
    writer.close()
    try:
        async with asyncio.timeout(CLOSE_S):
            await writer.wait_closed()
    except OSError:
        writer.transport.abort()
