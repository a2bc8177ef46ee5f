"""Owns the figures for a site's monitoring: `/metrics` in Prometheus' form, on loopback, read when asked.

No figure names a citizen, an agent or a call.
"""

from __future__ import annotations

import errno
import sqlite3
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator

import msgspec
import structlog
from aiohttp import web
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector, CollectorRegistry

from ctiserver.ami.connection import Counters
from ctiserver.api.pushes import Snapshot
from ctiserver.api.states import Phase, SeatState
from hotline.errors import PortBusy
from hotline.local_time import SECOND_US
from hotline.settings import LOOPBACK

log = structlog.get_logger("ctiserver")


class HookFigures(msgspec.Struct, frozen=True, kw_only=True):
    """One webhook. Counts since the CTI server's start; `oldest_us`: since when the oldest delivery waits,
    0 when none does; `is_gone`: its receiver wants nothing any more.
    """

    name: str
    delivered: int
    retried: int
    dead: int
    waiting: int
    oldest_us: int
    is_gone: bool


class Figures(msgspec.Struct, frozen=True, kw_only=True):
    """What there is to show at one instant."""

    floor: Snapshot
    link: Counters
    is_up: bool
    """The link to Asterisk."""
    queues: list[int]
    """Pushes that wait, for each connected client."""
    unwritten: int
    """Journal entries that are not on the disk yet."""
    unprojected: int
    """Journal entries that the database does not hold yet."""
    now_us: int
    hooks: tuple[HookFigures, ...] = ()


class _Reading(Collector):
    """The metrics of one reading."""

    def __init__(self, figures: Figures) -> None:
        self._figures = figures

    def collect(self) -> Iterator[Metric]:
        """Everything that `/metrics` shows."""
        yield from _calls(self._figures)
        yield from _queues(self._figures)
        yield from _seats(self._figures)
        yield from _link(self._figures)
        yield from _insides(self._figures)
        yield from _hooks(self._figures)


def exposition(figures: Figures) -> bytes:
    """The figures as Prometheus reads them."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(_Reading(figures))
    return generate_latest(registry)


def _calls(figures: Figures) -> Iterator[Metric]:
    phases = Counter(call.phase for call in figures.floor.conversations)
    calls = GaugeMetricFamily("hotline_calls", "Calls on the floor, by phase", labels=["phase"])
    for phase in Phase:
        calls.add_metric([phase.value], phases[phase])
    yield calls


def _queues(figures: Figures) -> Iterator[Metric]:
    waiting = GaugeMetricFamily("hotline_waiting", "Callers waiting", labels=["queue"])
    longest = GaugeMetricFamily(
        "hotline_longest_wait_seconds", "How long the first in line has waited", labels=["queue"]
    )
    level = GaugeMetricFamily(
        "hotline_service_level_calls",
        "Components of the service level, since midnight in Shanghai: in_time / "
        "(answered + abandoned), short abandons left out",
        labels=["queue", "part"],
    )
    away = GaugeMetricFamily(
        "hotline_turned_away_calls",
        "Callers whom a queue did not let in, since midnight in Shanghai",
        labels=["queue", "why"],
    )
    kept = GaugeMetricFamily(
        "hotline_callbacks", "Citizens who keep a place and will be called back", labels=["queue"]
    )
    for queue in figures.floor.queues:
        kept.add_metric([queue.name], queue.callbacks)
        waiting.add_metric([queue.name], queue.waiting)
        since = max(0, figures.now_us - queue.oldest_us) if queue.oldest_us else 0
        longest.add_metric([queue.name], since / SECOND_US)
        for part in ("answered", "in_time", "abandoned", "short_abandoned"):
            level.add_metric([queue.name, part], getattr(queue, part))
        for why in ("overflow", "closed"):
            away.add_metric([queue.name, why], getattr(queue, why))
    yield from (waiting, kept, longest, level, away)


def _seats(figures: Figures) -> Iterator[Metric]:
    states = Counter(seat.state for seat in figures.floor.seats)
    seats = GaugeMetricFamily("hotline_seats", "Seats, by state", labels=["state"])
    for state in SeatState:
        seats.add_metric([state.value], states[state])
    yield seats


def _link(figures: Figures) -> Iterator[Metric]:
    link = figures.link
    yield GaugeMetricFamily("hotline_link_up", "Whether Asterisk is in sight", value=figures.is_up)
    for name, what, value in (
        ("events", "Events from Asterisk", link.events),
        ("dropped", "Frames from Asterisk that could not be read", link.dropped),
        ("ignored", "Events from Asterisk that nobody needs", link.ignored),
        ("connects", "Connections made to Asterisk", link.connects),
        ("losses", "Connections to Asterisk lost", link.losses),
    ):
        yield CounterMetricFamily(f"hotline_ami_{name}", what, value=value)


def _insides(figures: Figures) -> Iterator[Metric]:
    queues = figures.queues
    for name, what, value in (
        ("push_clients", "Screens connected", len(queues)),
        ("push_waiting", "Pushes waiting for all screens together", sum(queues)),
        ("push_waiting_most", "Pushes waiting for the slowest screen", max(queues, default=0)),
        ("journal_unwritten", "Journal entries not on the disk yet", figures.unwritten),
        ("journal_unprojected", "Journal entries not in the database yet", figures.unprojected),
    ):
        yield GaugeMetricFamily(f"hotline_{name}", what, value=value)


def _hooks(figures: Figures) -> Iterator[Metric]:
    for name, what in (
        ("delivered", "Webhook deliveries that the receiver took"),
        ("retried", "Tries at webhook deliveries that failed and are repeated later"),
        ("dead", "Webhook deliveries given up after many tries"),
    ):
        count = CounterMetricFamily(f"hotline_hooks_{name}", what, labels=["hook"])
        for hook in figures.hooks:
            count.add_metric([hook.name], getattr(hook, name))
        yield count
    waiting = GaugeMetricFamily("hotline_hooks_waiting", "Webhook deliveries not taken yet", labels=["hook"])
    oldest = GaugeMetricFamily(
        "hotline_hooks_oldest_seconds", "How long the oldest delivery has waited", labels=["hook"]
    )
    gone = GaugeMetricFamily(
        "hotline_hooks_gone", "Whether the receiver said 410 and is left alone", labels=["hook"]
    )
    for hook in figures.hooks:
        waiting.add_metric([hook.name], hook.waiting)
        since = max(0, figures.now_us - hook.oldest_us) if hook.oldest_us else 0
        oldest.add_metric([hook.name], since / SECOND_US)
        gone.add_metric([hook.name], hook.is_gone)
    yield from (waiting, oldest, gone)


class MetricsServer:
    """The endpoint; with port 0 there is none. `read` gives the figures of the moment."""

    def __init__(self, port: int, read: Callable[[], Awaitable[Figures]]) -> None:
        self._port = port
        self._read = read
        self._runner: web.AppRunner | None = None

    async def start(self) -> None:
        """Open the port; PortBusy when another program has it."""
        if not self._port:
            return
        app = web.Application()
        app.router.add_get("/metrics", self._show)
        self._runner = web.AppRunner(app, access_log=None)
        await self._runner.setup()
        try:
            await web.TCPSite(self._runner, LOOPBACK, self._port).start()
        except OSError as error:
            await self.stop()
            if error.errno != errno.EADDRINUSE:
                raise
            raise PortBusy(
                f"port {self._port} on {LOOPBACK} is taken: stop that program or set cti.metrics_port"
            ) from error

    async def stop(self) -> None:
        """Close the port."""
        if self._runner is not None:
            await self._runner.cleanup()
            self._runner = None

    async def _show(self, _request: web.Request) -> web.Response:
        try:
            figures = await self._read()
        except sqlite3.Error as error:
            log.warning("figures not shown: journal or list of webhooks cannot be read", why=str(error))
            return web.Response(status=503, text="the journal or the list of webhooks cannot be read\n")
        return web.Response(body=exposition(figures), headers={"Content-Type": CONTENT_TYPE_LATEST})
