"""Monitoring reads the hotline's figures, and nothing about a person."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable

import aiohttp
import pytest
from prometheus_client.parser import text_string_to_metric_families

from ctiserver.ami.connection import Counters
from ctiserver.api.pushes import Snapshot
from ctiserver.api.states import Conversation, Phase, Queue, Seat, SeatState
from ctiserver.metrics import Figures, HookFigures, MetricsServer, exposition
from hotline.errors import PortBusy
from rehearsal.ports import free_ports

NOW = 1_700_000_000_000_000
CALLER = "13805381234"


def figures(**other: object) -> Figures:
    calls = [
        Conversation(id=f"n1-{n}", number=CALLER, name="张三", dnis="12345", phase=phase, started_us=NOW)
        for n, phase in enumerate((Phase.QUEUED, Phase.QUEUED, Phase.TALKING))
    ]
    queue = Queue(
        name="12345", waiting=2, oldest_us=NOW - 7_500_000, answered=9, in_time=8, abandoned=1, overflow=4
    )
    seats = (
        Seat(id="8001", state=SeatState.TALKING, since_us=NOW, agent="1001", agent_name="李四"),
        Seat(id="8002", state=SeatState.SIGNED_OUT, since_us=NOW),
    )
    floor = Snapshot(seats=seats, queues=(queue,), conversations=tuple(calls), linked=True)
    link = Counters(events=100, dropped=3, ignored=40, connects=2, losses=1)
    values: dict[str, object] = {"unwritten": 5, "unprojected": 6, **other}
    return Figures(floor=floor, link=link, is_up=True, queues=[0, 4, 1], now_us=NOW, **values)  # type: ignore[arg-type]


def read(text: str) -> Callable[..., float]:
    samples = [sample for family in text_string_to_metric_families(text) for sample in family.samples]

    def value(name: str, **labels: str) -> float:
        (found,) = [s.value for s in samples if s.name == name and s.labels == labels]
        return float(found)

    return value


def test_the_figures_are_those_of_the_floor_the_link_the_screens_and_the_journal() -> None:
    value = read(exposition(figures()).decode())
    assert value("hotline_calls", phase="queued") == 2
    assert value("hotline_calls", phase="held") == 0
    assert value("hotline_waiting", queue="12345") == 2
    assert value("hotline_longest_wait_seconds", queue="12345") == 7.5
    assert value("hotline_service_level_calls", queue="12345", part="in_time") == 8
    assert value("hotline_turned_away_calls", queue="12345", why="overflow") == 4
    assert value("hotline_seats", state="talking") == value("hotline_seats", state="signed_out") == 1
    assert (value("hotline_link_up"), value("hotline_ami_losses_total")) == (1, 1)
    assert (value("hotline_ami_events_total"), value("hotline_ami_dropped_total")) == (100, 3)
    assert (value("hotline_push_clients"), value("hotline_push_waiting_most")) == (3, 4)
    assert (value("hotline_journal_unwritten"), value("hotline_journal_unprojected")) == (5, 6)


def test_webhooks_are_counted_by_name() -> None:
    police = HookFigures(
        name="police", delivered=7, retried=3, dead=1, waiting=2, oldest_us=NOW - 1_500_000, is_gone=True
    )
    idle = HookFigures(name="idle", delivered=0, retried=0, dead=0, waiting=0, oldest_us=0, is_gone=False)
    value = read(exposition(figures(hooks=(police, idle))).decode())
    for name, expected in (
        ("delivered_total", 7),
        ("retried_total", 3),
        ("dead_total", 1),
        ("waiting", 2),
        ("oldest_seconds", 1.5),
        ("gone", 1),
    ):
        assert value(f"hotline_hooks_{name}", hook="police") == expected
        assert value(f"hotline_hooks_{name}", hook="idle") == 0


def test_no_figure_names_a_person() -> None:
    text = exposition(figures()).decode()
    assert "hotline_calls" in text
    assert not [secret for secret in (CALLER, "张三", "李四", "1001", "n1-0") if secret in text]


async def test_the_figures_are_of_the_moment_of_asking() -> None:
    (port,) = free_ports(1)
    asked = iter([figures(unwritten=1), figures(unwritten=2)])

    async def ask() -> Figures:
        return next(asked)

    server = MetricsServer(port, ask)
    await server.start()
    try:
        async with aiohttp.ClientSession() as session:
            for n in (1, 2):
                async with session.get(f"http://127.0.0.1:{port}/metrics") as answer:
                    assert read(await answer.text())("hotline_journal_unwritten") == n
            with pytest.raises(PortBusy, match=r"cti\.metrics_port"):
                await MetricsServer(port, ask).start()
    finally:
        await server.stop()


async def test_a_journal_that_cannot_be_read_is_said_so() -> None:
    (port,) = free_ports(1)

    async def ask() -> Figures:
        raise sqlite3.OperationalError("disk I/O error")

    server = MetricsServer(port, ask)
    await server.start()
    try:
        async with aiohttp.ClientSession() as session, session.get(f"http://127.0.0.1:{port}/metrics") as got:
            assert got.status == 503
    finally:
        await server.stop()
