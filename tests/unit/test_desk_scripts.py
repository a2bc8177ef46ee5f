"""The pages' scripts: they fold pushes as `Seen` in ctiserver.api does, and what a page loads is small."""

import gzip
import json
import random
import re
import subprocess
from pathlib import Path

import msgspec
import pytest

from agent_desk.pages import HERE
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

NODE = Path(__file__).parents[2] / ".venv" / "bin" / "node"
MOST_BYTES = 300_000
"""Compressed: what a page loads of ours, all told."""
FOLD = """
import { Seen } from "./agent_desk/web/seen.ts";
import { readFileSync } from "node:fs";
const plain = (map) => Object.fromEntries(map);
const fold = (pushes) => {
  const seen = new Seen();
  for (const push of pushes) seen.apply(push);
  return {
    seats: plain(seen.seats), queues: plain(seen.queues), conversations: plain(seen.conversations),
    contexts: plain(seen.contexts), callbacks: plain(seen.callbacks), linked: seen.linked,
  };
};
console.log(JSON.stringify(JSON.parse(readFileSync(0, "utf8")).map(fold)));
"""


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


def test_the_page_sees_what_the_server_says() -> None:
    chance = random.Random(12345)
    histories = [[a_push(chance) for _ in range(200)] for _ in range(20)]
    command = [NODE, "--input-type=module", "--eval", FOLD]
    said = subprocess.run(
        command, input=msgspec.json.encode(histories), cwd=HERE.parent, check=True, capture_output=True
    ).stdout
    for pushes, folded in zip(histories, json.loads(said), strict=True):
        expected = Seen()
        for push in pushes:
            expected.apply(push)
        assert folded == msgspec.json.decode(msgspec.json.encode(expected))
        assert folded["seats"]


def loaded(script: Path) -> set[Path]:
    """The script and all that it imports, at once or later."""
    found, open_ends = set(), [script]
    while open_ends:
        file = open_ends.pop()
        if file not in found:
            found.add(file)
            open_ends += [file.parent / name for name in re.findall(r'"\./([\w.-]+\.js)"', file.read_text())]
    return found


@pytest.mark.parametrize("template", sorted(path.name for path in (HERE / "templates").glob("*.html")))
def test_a_page_weighs_no_more_than_its_bound(template: str) -> None:
    text = (HERE / "templates" / "base.html").read_text() + (HERE / "templates" / template).read_text()
    named = {HERE / "static" / name for name in re.findall(r'(?:src|href)="/static/([^"{]+)"', text)}
    files = set().union(*(loaded(file) if file.suffix == ".js" else {file} for file in named))
    assert all(file.is_file() for file in files)
    assert sum(len(gzip.compress(file.read_bytes())) for file in files) <= MOST_BYTES
