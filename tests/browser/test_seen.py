"""Owns the test that the page folds snapshot and pushes as `Seen` in ctiserver.api does."""

import random
from collections.abc import AsyncIterator

import msgspec
import pytest
import pytest_asyncio
from playwright.async_api import Browser, Page

from agent_desk.app import serve
from ctiserver.api.pushes import (
    CallbackGone,
    CallbackPush,
    ContextPush,
    ConversationGone,
    ConversationPush,
    LinkPush,
    Message,
    Notice,
    Pop,
    Push,
    QueuePush,
    SeatPush,
    Seen,
    Snapshot,
)
from ctiserver.api.states import Callback, CallerContext, Conversation, Phase, Queue, Seat, SeatState
from hotline.db import migrate
from hotline.db.engine import Database
from hotline.secret import load_or_create
from hotline.settings import DeskSettings, Settings
from rehearsal.ports import free_ports

pytestmark = pytest.mark.asyncio(loop_scope="module")

FOLD = """async (pushes) => {
  const { Seen } = await import("/static/seen.js");
  const seen = new Seen();
  for (const push of pushes) seen.apply(push);
  const plain = (map) => Object.fromEntries(map);
  return {
    seats: plain(seen.seats), queues: plain(seen.queues), conversations: plain(seen.conversations),
    contexts: plain(seen.contexts), callbacks: plain(seen.callbacks), linked: seen.linked,
  };
}"""


def a_push(chance: random.Random) -> Push:
    seat = Seat(
        id=f"80{chance.randrange(9):02}", state=chance.choice(list(SeatState)), since_us=chance.randrange(9)
    )
    call = f"n1-{chance.randrange(6)}"
    context = CallerContext(conversation=call, number="", masked=f"{chance.randrange(99)}")
    conversation = Conversation(
        id=call,
        number="1",
        name="",
        dnis="12345",
        phase=chance.choice(list(Phase)),
        started_us=chance.randrange(9),
    )
    queue = Queue(name="12345", waiting=chance.randrange(5))
    pushes: list[Push] = [
        SeatPush(seat),
        QueuePush(queue),
        ConversationPush(conversation),
        ConversationGone(call),
        Pop(seat.id, context),
        ContextPush(context),
        CallbackPush(Callback(id=call, number="1", queue="12345", since_us=1, asked_us=chance.randrange(9))),
        CallbackGone(call),
        LinkPush(chance.random() < 0.5),
        Notice(seat.id, "busy", "对方占线"),
        Message(seat=seat.id, text="请慢一点", by="李班长", at_us=1),
    ]
    if chance.random() < 0.1:
        pushes.append(Snapshot(seats=(seat,), contexts=(context,), linked=True))
    return chance.choice(pushes)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def page(chromium: Browser, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Page]:
    """A page of the desk, with the desk's own scripts at hand."""
    home = tmp_path_factory.mktemp("desk")
    settings = Settings(state_dir=str(home), desk=DeskSettings(port=free_ports(1)[0]))
    await migrate.upgrade(settings.database)
    database = await Database.open(settings.database)
    runner = await serve(settings, load_or_create(home), database)
    opened = await chromium.new_page()
    await opened.goto(f"http://127.0.0.1:{settings.desk.port}/login")
    yield opened
    await opened.close()
    await runner.cleanup()
    await database.close()


@pytest.mark.parametrize("seed", range(20))
async def test_the_page_sees_what_the_server_says(seed: int, page: Page) -> None:
    chance = random.Random(seed)
    pushes = [a_push(chance) for _ in range(200)]
    expected = Seen()
    for push in pushes:
        expected.apply(push)
    folded = await page.evaluate(FOLD, [msgspec.to_builtins(push) for push in pushes])
    assert folded == msgspec.json.decode(msgspec.json.encode(expected))
    assert folded["seats"]
