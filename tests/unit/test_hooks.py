"""Webhooks on their way: real receivers that take, fail, hang, redirect, leave; restarts in the middle."""

from __future__ import annotations

import asyncio
import sqlite3
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from aiohttp import web
from structlog.testing import capture_logs

from ctiserver.api.states import CaseBrief
from ctiserver.hooks import consumer, ledger, retry, sender
from ctiserver.hooks.ledger import Delivery, Ledger
from tests.hooks_room import (
    CALLER,
    Ear,
    Room,
    answering,
    call,
    calls_110,
    ear,
    empty_database,
    ends,
    hooks_room,
    offered,
    until,
)


@pytest.fixture(autouse=True)
def _soon(monkeypatch: pytest.MonkeyPatch) -> None:
    """Later tries come at once; what is new must be told, for nobody looks by himself."""
    monkeypatch.setattr(retry, "FIRST_S", 0.05)
    monkeypatch.setattr(sender, "LOOK_EVERY_S", 60)


@pytest.fixture
async def room(tmp_path: Path, sqlite_template: Path) -> AsyncIterator[Room]:
    async with hooks_room(tmp_path, empty_database(tmp_path, sqlite_template)) as made:
        yield made


@pytest.fixture
async def one() -> AsyncIterator[Ear]:
    async with ear() as listening:
        yield listening


@pytest.fixture
async def other() -> AsyncIterator[Ear]:
    async with ear() as listening:
        yield listening


async def listed(room: Room) -> list[Delivery]:
    file = Ledger(room.state / ledger.NAME)
    try:
        return await file.all(only_dead=False)
    finally:
        await file.close()


async def until_listed(room: Room, count: int, *, dead: int = 0) -> list[Delivery]:
    async with asyncio.timeout(10):
        while True:
            found = await listed(room)
            if len(found) == count and sum(one.dead_us > 0 for one in found) == dead:
                return found
            await asyncio.sleep(0.02)


async def hang(_request: web.Request) -> web.StreamResponse:
    await asyncio.Event().wait()
    raise AssertionError


async def close_at_once(request: web.Request) -> web.StreamResponse:
    assert request.transport is not None
    request.transport.abort()
    return web.Response()


async def test_a_call_is_told_signed_and_in_order(room: Room, one: Ear) -> None:
    await room.start(room.hook(one))
    room.happens(*call(), ends())
    heard = await one.until(3)
    assert one.kinds == ["call.offered", "call.answered", "call.ended"]
    assert all(request.is_signed for request in heard)
    assert [request.said["id"] for request in heard] == [request.id for request in heard]
    assert {request.said["conversation"] for request in heard} == {"n1-1"}
    assert await until_listed(room, 0) == []


async def test_a_webhook_is_told_what_it_asked_for_and_no_number_unless_it_may(room: Room) -> None:
    async with ear() as calls, ear() as police, ear() as trusted:
        await room.start(
            room.hook(calls, "calls", events=("call.offered", "call.three_way")),
            room.hook(police, "police", events=("emergency.called",)),
            room.hook(trusted, "trusted", events=("call.offered",), with_numbers=True),
        )
        room.happens(*call(), calls_110(), ends())
        await asyncio.gather(calls.until(2), police.until(1), trusted.until(1))
        assert calls.kinds == ["call.offered", "call.three_way"]
        assert police.kinds == ["emergency.called"]
        assert not [heard for heard in calls.heard if "number" in heard.said]
        assert police.heard[0].said["number"] == trusted.heard[0].said["number"] == CALLER


async def test_the_emergency_centre_hears_at_once_and_gets_the_case(room: Room, one: Ear) -> None:
    await room.start(room.hook(one, events=("emergency.called",)))
    room.happens(*call())
    await room.journal.flushed()
    begin = time.monotonic()
    room.happens(calls_110())
    (heard,) = await one.until(1, within_s=2)
    assert time.monotonic() - begin < 1.0, "some 10 ms on an idle machine"
    assert heard.said["place"] == "山东省泰安市"
    assert [case["title"] for case in heard.said["cases"]] == ["停水"]
    assert heard.said["third"] == {"n": 1, "number": "110", "label": "110", "state": "calling"}


@pytest.mark.slow
async def test_a_database_that_hangs_or_fails_does_not_hold_up_an_emergency(
    room: Room, one: Ear, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(consumer, "CASES_S", 0.1)
    asked: list[str] = []

    async def never(key: str) -> tuple[CaseBrief, ...]:
        asked.append(key)
        try:
            await asyncio.Event().wait()
        finally:
            await asyncio.sleep(3)  # a driver that takes its time to give up, too
        return ()

    async def fail(_key: str) -> tuple[CaseBrief, ...]:
        raise ConnectionError("down")

    await room.start(room.hook(one, events=("emergency.called",)))
    room.cases = never
    begin = time.monotonic()
    room.happens(*call(), calls_110())
    await one.until(1, within_s=2)
    assert time.monotonic() - begin < 1.5
    assert asked == ["+86" + CALLER]
    room.cases = fail
    room.happens(*call(20), calls_110(20))
    heard = await one.until(2)
    assert [(request.said["cases"], request.said["has_cases"]) for request in heard] == [([], False)] * 2


@pytest.mark.parametrize(
    ("manner", "why"),
    [
        (answering(503), "HTTP 503"),
        (answering(404), "HTTP 404"),
        (answering(302, Location="/hook"), "HTTP 302"),
        (close_at_once, "connection closed without an answer"),
    ],
    ids=["fails", "knows it not", "redirects", "closes at once"],
)
async def test_what_a_receiver_does_not_take_comes_again_with_the_same_id(
    room: Room, one: Ear, manner: object, why: str
) -> None:
    one.manner = manner  # type: ignore[assignment]
    with capture_logs() as logs:
        await room.start(room.hook(one, events=("call.offered",)))
        room.happens(*call())
        await one.until(2)
        one.manner = answering(200)
        heard = await one.until(3)
        await until_listed(room, 0)
    assert len({request.id for request in heard}) == 1
    assert all(request.is_signed for request in heard)
    assert {entry["why"] for entry in logs if "why" in entry} == {why}
    assert not [entry for entry in logs if CALLER in str(entry) or one.url in str(entry)]
    assert room.running is not None
    (figures,) = await room.running.figures()
    assert figures.delivered == 1
    assert figures.retried >= 2


async def test_a_receiver_that_hangs_delays_no_other_and_no_emergency_of_its_own(
    room: Room, one: Ear, other: Ear
) -> None:
    one.manner = hang
    await room.start(room.hook(one, "slow"), room.hook(other, "quick"))
    room.happens(*(offered(n) for n in range(100, 120)))
    await one.until(sender.AT_ONCE)
    room.happens(calls_110(7))
    await other.until(22, within_s=5)
    heard = await one.until(sender.AT_ONCE + 1)
    assert heard[-1].kind == "emergency.called"
    assert len(one.heard) == sender.AT_ONCE + 1, "no more at once than it may have"


@pytest.mark.slow
async def test_a_receiver_that_hangs_is_given_up_waiting_for(
    room: Room, one: Ear, monkeypatch: pytest.MonkeyPatch
) -> None:
    one.manner = hang
    monkeypatch.setattr(retry, "TRIES", 1)
    await room.start(room.hook(one, timeout_s=1, events=("call.offered",)))
    room.happens(*call())
    (dead,) = await until_listed(room, 1, dead=1)
    assert dead.why == "no answer in time"


async def test_a_receiver_that_never_ends_its_answer_has_taken_it(room: Room, one: Ear) -> None:
    async def flood(request: web.Request) -> web.StreamResponse:
        answer = web.StreamResponse()
        await answer.prepare(request)
        while True:
            await answer.write(b"x" * 65536)

    one.manner = flood
    await room.start(room.hook(one, events=("call.offered",)))
    room.happens(*call())
    await one.until(1)
    await until_listed(room, 0)
    assert len(one.heard) == 1


async def test_a_receiver_that_is_gone_hears_nothing_until_the_next_start(room: Room, one: Ear) -> None:
    one.manner = answering(410)
    hook = room.hook(one, events=("call.offered",))
    running = await room.start(hook)
    room.happens(offered(1))
    await one.until(1)
    room.happens(offered(2), offered(3))
    await until_listed(room, 3)
    (figures,) = await running.figures()
    assert (figures.is_gone, figures.waiting, figures.dead) == (True, 3, 0)
    assert len(one.heard) == 1
    await room.stop()
    one.manner = answering(200)
    await room.start(hook)
    heard = await one.until(4)
    assert [request.said["conversation"] for request in heard] == ["n1-1", "n1-1", "n1-2", "n1-3"]


async def test_a_restart_loses_nothing_and_changes_no_id(room: Room, one: Ear) -> None:
    one.manner = answering(500)
    hook = room.hook(one, events=("call.offered", "call.ended", "emergency.called"))
    await room.start(hook)
    room.happens(*call())
    first = (await one.until(1))[0].id
    await room.stop()
    room.happens(calls_110(), ends(), offered(50))
    before = len(one.heard)
    one.manner = answering(204)
    await room.start(hook)
    after = (await one.until(before + 4))[before:]
    assert {request.kind for request in after} == {"call.offered", "emergency.called", "call.ended"}
    assert first in {request.id for request in after}
    (emergency,) = [request for request in after if request.kind == "emergency.called"]
    assert emergency.said["number"] == CALLER, "known from before the restart"
    await until_listed(room, 0)
    assert len(one.heard) == before + 4


async def test_what_was_delivered_before_a_kill_comes_again_as_the_same(room: Room, one: Ear) -> None:
    hook = room.hook(one, events=("call.offered",))
    one.manner = hang
    await room.start(hook)
    room.happens(offered(1))
    await one.until(1)
    await room.stop()
    one.manner = answering(200)
    await room.start(hook)
    heard = await one.until(2)
    assert heard[0] == heard[1]


async def test_a_new_webhook_begins_now_and_a_removed_ones_deliveries_are_dead(
    room: Room, one: Ear, other: Ear
) -> None:
    one.manner = answering(500)
    first = room.hook(one, "first", events=("call.offered",))
    await room.start(first)
    room.happens(offered(1))
    await one.until(1)
    await room.stop()
    await room.start(room.hook(other, "second", events=("call.offered",)))
    room.happens(offered(2))
    heard = await other.until(1)
    assert [request.said["conversation"] for request in heard] == ["n1-2"]
    (dead,) = await until_listed(room, 1, dead=1)
    assert (dead.hook, dead.why) == ("first", "no such webhook in the settings")


async def test_without_webhooks_there_is_no_file_and_what_waited_is_dead(room: Room, one: Ear) -> None:
    await room.start()
    room.happens(offered(1))
    await room.stop()
    assert not (room.state / ledger.NAME).exists()
    one.manner = answering(500)
    await room.start(room.hook(one, events=("call.offered",)))
    room.happens(offered(2))
    await one.until(1)
    await room.stop()
    await room.start()
    await until_listed(room, 1, dead=1)


async def test_after_its_last_try_a_delivery_is_dead(
    room: Room, one: Ear, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(retry, "TRIES", 3)
    one.manner = answering(500)
    running = await room.start(room.hook(one, events=("call.offered",)))
    room.happens(offered(1))
    (dead,) = await until_listed(room, 1, dead=1)
    assert (dead.tries, dead.why) == (3, "HTTP 500")
    assert len(one.heard) == 3
    (figures,) = await running.figures()
    assert (figures.retried, figures.dead, figures.waiting, figures.oldest_us) == (2, 1, 0, 0)


async def test_of_too_many_the_oldest_ordinary_ones_are_given_up(
    room: Room, one: Ear, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ledger, "MOST_WAITING", 3)
    monkeypatch.setattr(ledger, "MOST_DEAD", 2)
    monkeypatch.setattr(retry, "FIRST_S", 1000)
    one.manner = answering(500)
    await room.start(room.hook(one, events=("call.offered", "emergency.called")))
    room.happens(calls_110(1), *(offered(n) for n in range(2, 8)))
    room.happens(offered(8))
    found = await until_listed(room, 5, dead=2)
    alive = [delivery.conversation for delivery in found if not delivery.dead_us]
    assert alive == ["n1-1", "n1-7", "n1-8"]


async def test_a_broken_list_is_kept_aside_and_a_new_one_begins(room: Room, one: Ear) -> None:
    (room.state / ledger.NAME).write_bytes(b"this is no database, " * 500)
    await room.start(room.hook(one, events=("call.offered",)))
    room.happens(offered(1))
    await one.until(1)
    (kept,) = room.state.glob("hooks.db.broken-*")
    assert kept.read_bytes().startswith(b"this is no database")


async def test_a_locked_list_delays_and_loses_nothing(
    room: Room, one: Ear, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ledger, "_BUSY_S", 0.05)
    monkeypatch.setattr(consumer, "_RETRY_FIRST_S", 0.05)
    monkeypatch.setattr(sender, "_DISK_RETRY_S", 0.05)
    await room.start(room.hook(one, events=("call.offered",)))
    with capture_logs() as logs:
        lock = sqlite3.connect(room.state / ledger.NAME, isolation_level=None)
        lock.execute("BEGIN EXCLUSIVE")
        room.happens(offered(1))
        await until(lambda: bool(logs))
        lock.execute("ROLLBACK")
        lock.close()
        await one.until(1)
        await until_listed(room, 0)
    assert len(one.heard) == 1


async def test_a_mistake_of_ours_is_seen_without_a_citizens_words(
    room: Room, one: Ear, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stumble(*_: object) -> None:
        raise KeyError(CALLER)

    await room.start(room.hook(one))
    monkeypatch.setattr(consumer, "hooks_of", stumble)
    with capture_logs() as logs:
        room.happens(offered(1))
        await until(lambda: bool(logs))
    assert (logs[0]["why"], logs[0]["log_level"]) == ("KeyError", "error")
    assert logs[0]["where"].startswith("test_hooks.py:")
    assert CALLER not in str(logs)


async def test_nobody_else_may_read_the_list(room: Room, one: Ear) -> None:
    await room.start(room.hook(one))
    for path in room.state.glob("hooks.db*"):
        assert path.stat().st_mode & 0o077 == 0


async def test_a_clock_set_back_holds_nothing_up(tmp_path: Path) -> None:
    file = Ledger(tmp_path / ledger.NAME)
    await file.positions("j", 0, ["a"], 0)
    delivery = Delivery(
        hook="a", id="x", kind="call.offered", conversation="c", is_urgent=False, body=b"{}", made_us=0
    )
    await file.add([delivery], 1, 0)
    hour_us = 3_600_000_000
    await file.put_off(delivery, 1, 10 * hour_us, "HTTP 500")
    soon, next_us = await file.due("a", False, 10 * hour_us - 60_000_000, 8, [])
    assert (soon, next_us) == ([], 10 * hour_us)
    (due,), _ = await file.due("a", False, 5 * hour_us, 8, [])
    assert due.id == "x"
    await file.close()
