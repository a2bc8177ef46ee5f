"""`hotline hooks`: what an operator sees of webhooks and does about them."""

from __future__ import annotations

import asyncio
import json
import stat
from collections.abc import AsyncIterator
from pathlib import Path

import msgspec
import pytest
from typer.testing import CliRunner

from cli.main import app
from cli.stage import stage_settings
from ctiserver.hooks import retry, sender
from hotline.errors import HotlineError
from hotline.settings import WebhookSettings
from rehearsal.ports import free_ports
from tests.hooks_room import CALLER, Ear, Room, answering, ear, empty_database, hooks_room, offered, until

RUNNER = CliRunner()


@pytest.fixture(autouse=True)
def _soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retry, "TRIES", 1)
    monkeypatch.setattr(sender, "LOOK_EVERY_S", 0.05)


@pytest.fixture
async def room(tmp_path: Path, sqlite_template: Path) -> AsyncIterator[Room]:
    async with hooks_room(tmp_path, empty_database(tmp_path, sqlite_template)) as made:
        yield made


@pytest.fixture
async def one() -> AsyncIterator[Ear]:
    async with ear() as listening:
        yield listening


async def hotline(room: Room, hook: WebhookSettings | None, *words: str) -> tuple[int, str]:
    """Exit status and output of the command, run beside the hotline as an operator does."""
    file = room.state / "site.json"
    file.write_bytes(msgspec.json.encode(room.settings(*([hook] if hook else []))))
    ran = await asyncio.to_thread(RUNNER.invoke, app, ["hooks", *words, "--settings", str(file)])
    if isinstance(ran.exception, HotlineError):
        return 2, str(ran.exception)
    return ran.exit_code, ran.output


async def test_what_was_given_up_is_listed_and_sent_again_on_request(room: Room, one: Ear) -> None:
    one.manner = answering(500)
    hook = room.hook(one, events=("call.offered",), with_numbers=True)
    running = await room.start(hook)
    room.happens(offered(1), offered(2))
    (first, second) = await one.until(2)
    await until(lambda: running._receivers[0].tally["dead"] == 2)
    _, text = await hotline(room, hook, "list")
    assert "0 waiting, 2 given up" in text
    assert all(word in text for word in (first.id, second.id, "HTTP 500", "tries 1"))
    assert CALLER not in text
    one.manner = answering(200)
    status, text = await hotline(room, hook, "retry", first.id)
    assert (status, text) == (0, "1 deliveries are tried again by the running CTI server\n")
    assert (await one.until(3))[2] == first
    await until(lambda: running._receivers[0].tally["delivered"] == 1)
    _, text = await hotline(room, hook, "list", "--dead", "--json")
    (dead,) = json.loads(text)
    assert (dead["id"], dead["why"], dead["tries"]) == (second.id, "HTTP 500", 1)
    assert "body" not in dead
    await hotline(room, hook, "retry", "--all")
    assert (await one.until(4))[3] == second


async def test_what_waits_for_its_next_try_can_be_sent_at_once(
    room: Room, one: Ear, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(retry, "TRIES", 9)
    one.manner = answering(500)
    hook = room.hook(one, events=("call.offered",))
    running = await room.start(hook)
    room.happens(offered(1))
    await one.until(1)
    await until(lambda: running._receivers[0].tally["retried"] == 1)
    _, text = await hotline(room, hook, "list")
    assert "next try 20" in text
    assert "1 waiting, 0 given up" in text
    one.manner = answering(200)
    await hotline(room, hook, "retry", "--all")
    await one.until(2, within_s=3)


@pytest.mark.parametrize("words", [[], ["x", "--all"]])
async def test_retry_wants_one_event_or_all(room: Room, one: Ear, words: list[str]) -> None:
    assert await hotline(room, room.hook(one), "retry", *words) == (2, "name one event's id, or say --all")


async def test_an_event_that_is_not_listed_is_said_so(room: Room, one: Ear) -> None:
    status, text = await hotline(room, room.hook(one), "retry", "n1-nothing")
    assert status == 2
    assert "no delivery of 'n1-nothing'" in text


async def test_before_the_first_start_nothing_is_listed_and_no_file_is_made(room: Room, one: Ear) -> None:
    assert await hotline(room, room.hook(one), "list") == (0, "0 waiting, 0 given up\n")
    assert not (room.state / "hooks.db").exists()


async def test_a_trial_sends_a_signed_ping_and_says_what_came_back(room: Room, one: Ear) -> None:
    hook = room.hook(one)
    status, text = await hotline(room, hook, "test", "all")
    assert status == 0
    assert "all: taken, HTTP 204 after" in text
    (heard,) = one.heard
    assert (heard.kind, heard.is_signed, heard.said["node"]) == ("ping", True, "n1")
    one.manner = answering(302, Location="/elsewhere")
    status, text = await hotline(room, hook, "test", "all")
    assert status == 1
    assert "not taken, HTTP 302" in text


async def test_a_trial_of_an_address_where_nobody_listens_says_so(room: Room, one: Ear) -> None:
    hook = room.hook(one)
    nobody = msgspec.structs.replace(hook, url="http://127.0.0.1:1/hook")
    status, text = await hotline(room, nobody, "test", "all")
    assert status == 1
    assert "all: not taken, no connection, after" in text


async def test_a_trial_by_https_where_there_is_none_says_so(room: Room, one: Ear) -> None:
    hook = msgspec.structs.replace(room.hook(one), url=one.url.replace("http:", "https:"))
    status, text = await hotline(room, hook, "test", "all")
    assert status == 1
    assert "all: not taken, no TLS: its certificate or protocol is not accepted" in text


async def test_a_secret_goes_to_a_file_for_the_operator_alone_and_not_to_the_screen(
    room: Room, one: Ear
) -> None:
    status, text = await hotline(room, room.hook(one), "secret", "all")
    path = room.state / "hooks" / "all.txt"
    assert status == 0
    assert str(path) in text
    assert "whsec_" not in text
    assert "secret = whsec_" in path.read_text()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


async def test_a_rehearsal_tells_nobody_of_its_invented_calls(room: Room, one: Ear) -> None:
    site = room.settings(room.hook(one))
    assert stage_settings(site, room.state / "rehearsal", seats=1, ports=free_ports(7)).webhooks == ()


async def test_a_webhook_that_is_not_in_the_settings_is_named(room: Room, one: Ear) -> None:
    for command in ("secret", "test"):
        status, text = await hotline(room, room.hook(one), command, "moon")
        assert (status, text) == (2, "there is no webhook 'moon' in the settings; there are: all")
    assert not (room.state / "hook-secrets" / "moon").exists()
