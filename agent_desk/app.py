"""Owns the desk's web server: what it is made of, where it listens, how it starts and stops."""

from __future__ import annotations

import asyncio
import errno
import ssl
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import structlog
from aiohttp import web

from agent_desk.api import app as api
from agent_desk.api.door import Door
from agent_desk.cases.calls import CallViews
from agent_desk.cases.contacts import ContactViews
from agent_desk.cases.desk import Desk
from agent_desk.cases.figures import FigureViews
from agent_desk.cases.files import FileViews
from agent_desk.cases.intake import IntakeViews
from agent_desk.cases.knowledge import KnowledgeViews
from agent_desk.cases.register import RegisterViews
from agent_desk.cases.scores import ScoreViews
from agent_desk.cases.views import CaseViews
from agent_desk.cases.visits import VisitViews
from agent_desk.doors import Doors
from agent_desk.floor import Floor
from agent_desk.guard import Guard
from agent_desk.ivr.views import IvrViews
from agent_desk.open311.views import Open311
from agent_desk.recordings import RecordingViews, Sounds
from agent_desk.sessions import Sessions
from agent_desk.views import Views
from casework import clockwork
from hotline import numbers, secret, tls
from hotline.db.engine import Database
from hotline.errors import BadSettings, HotlineError, PortBusy
from hotline.secret import Secrets
from hotline.settings import Settings

MOST_BYTES = 256 * 1024
"""No form of ours is longer: a case's text has 20,000 characters, each of them nine bytes in a form."""
_GOODBYE_S = 2.0
_RENEWAL_S = 60.0
"""How often the files of a certificate are looked at."""

log = structlog.get_logger()


def make_app(settings: Settings, keys: Secrets, database: Database) -> web.Application:
    """The desk as an application, not yet listening."""
    sessions = Sessions(keys.session_key)
    guard = web.middleware(Guard(settings, sessions))
    app = web.Application(middlewares=[guard], client_max_size=MOST_BYTES)
    floor = Floor(settings, keys.push_key)
    app.add_routes(Views(settings, keys, database, sessions, floor).routes())
    sounds = Sounds(settings, database)
    app.add_routes(RecordingViews(settings, database, sessions, sounds).routes())
    cases = Desk(settings, database, sessions)
    app.add_routes(FileViews(cases).routes())
    app.add_routes(CallViews(cases, sounds).routes())
    app.add_routes(CaseViews(cases).routes())
    app.add_routes(IntakeViews(cases).routes())
    app.add_routes(ScoreViews(cases).routes())
    app.add_routes(KnowledgeViews(cases).routes())
    app.add_routes(IvrViews(settings, database, sessions).routes())
    door = Door(settings, database)
    app.add_routes(api.routes(door))
    app.add_routes(Open311(settings, database, door).routes())
    app.add_routes(Doors(settings).routes())
    app.add_routes(FigureViews(cases).routes())
    app.add_routes(RegisterViews(cases).routes())
    app.add_routes(ContactViews(cases).routes())
    app.add_routes(VisitViews(cases).routes())

    async def watch(_app: web.Application) -> AsyncIterator[None]:
        floor.start()
        ticking = asyncio.create_task(clockwork.run(database))
        yield
        ticking.cancel()
        await asyncio.gather(ticking, return_exceptions=True)
        await floor.close()

    app.cleanup_ctx.append(watch)
    return app


async def serve(settings: Settings, keys: Secrets, database: Database) -> web.AppRunner:
    """Listen; the caller ends it with `await runner.cleanup()`. PortBusy when somebody else is there."""
    app, context = make_app(settings, keys, database), None
    if (desk := settings.desk).certificate:
        pair = Path(desk.certificate), Path(desk.certificate_key)
        context = await asyncio.to_thread(tls.server_context, *pair)
        app.cleanup_ctx.append(lambda _: _renewals(context, *pair))
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=_GOODBYE_S, handle_signals=False)
    await runner.setup()
    try:
        await web.TCPSite(runner, desk.host, desk.port, ssl_context=context).start()
    except OSError as error:
        await runner.cleanup()
        if error.errno == errno.EADDRINUSE:
            raise PortBusy(f"desk.port {desk.port} on {desk.host} is in use by another program") from error
        raise HotlineError(f"the desk cannot listen on {desk.host}:{desk.port}: {error.strerror}") from error
    log.info("desk_listening", host=desk.host, port=desk.port)
    return runner


async def _renewals(context: ssl.SSLContext, *pair: Path) -> AsyncIterator[None]:
    """A certificate that was renewed is shown to whoever connects next; nobody is logged out."""

    async def watch() -> None:
        known = await asyncio.to_thread(_times, pair)
        while True:
            await asyncio.sleep(_RENEWAL_S)
            if (found := await asyncio.to_thread(_times, pair)) != known:
                try:
                    await asyncio.to_thread(tls.load, context, *pair)
                    known = found
                    log.info("desk_certificate_renewed")
                except BadSettings as error:  # half written; the old one goes on
                    log.warning("desk_certificate_not_renewed", why=str(error))

    watching = asyncio.create_task(watch())
    yield
    watching.cancel()
    await asyncio.gather(watching, return_exceptions=True)


def _times(pair: tuple[Path, ...]) -> list[int]:
    return [path.stat().st_mtime_ns if path.exists() else 0 for path in pair]


async def run(settings: Settings, stop: asyncio.Event, on_ready: Callable[[], None] = lambda: None) -> None:
    """The desk from start to `stop`, with what the settings name; `on_ready` is called once it serves."""
    database = await Database.open(settings.database, is_durable=True)  # the audit trail is written here
    try:
        await asyncio.to_thread(numbers.warm_up)
        runner = await serve(settings, secret.load_or_create(settings.state), database)
        try:
            on_ready()
            await stop.wait()
        finally:
            await runner.cleanup()
    finally:
        await database.close()
