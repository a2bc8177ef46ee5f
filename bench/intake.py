"""Measures how fast AMI is taken in: our framing, translation and model, against panoramisk's mere parsing.

Both get the same bytes in the same pieces, in one process, by turns; the ratio is that of the best rounds.
"""

from __future__ import annotations

import gc
import logging
import re
import time
from collections import deque
from collections.abc import Callable, Iterator
from itertools import count

from panoramisk.ami_protocol import AMIProtocol

from ctiserver.ami.framing import Framer
from ctiserver.ami.translate import translate
from ctiserver.model.floor import Floor
from ctiserver.model.state import Rules
from hotline.moment import Moment
from hotline.settings import Settings
from tests.replay import load

BAR = 3.0
CALLS = 600
ROUNDS = 7
PIECE = 16_384
"""Bytes that one read from the socket brings."""
_UID = re.compile(rb"\b(1[0-9]{9}\.[0-9]+)")
_STORIES = ("answered", "seat_does_not_answer", "three_way_seat_leaves", "abandoned_in_queue", "answered")


def stream() -> tuple[bytes, int]:
    """The events of `CALLS` recorded calls one after another, each with ids of its own; and their number."""
    parts, events = [], 0
    for text, count_of in calls(CALLS):
        parts.append(text)
        events += count_of
    return b"".join(parts), events


def calls(number: int) -> Iterator[tuple[bytes, int]]:
    """The events of recorded calls, each call with ids of its own, and how many events that is."""
    serial = count()
    stories = [_frames(story) for story in _STORIES]
    for n in range(number):
        frames = stories[n % len(stories)]
        text = b"".join(frame + b"\r\n\r\n" for frame in frames)
        renamed = {uid: b"1800000000.%d" % next(serial) for uid in dict.fromkeys(_UID.findall(text))}
        yield _UID.sub(lambda found: renamed[found.group()], text), len(frames)  # noqa: B023 - used at once


def _frames(story: str) -> list[bytes]:
    return [
        frame
        for frame in load.frames(story)
        if frame.startswith(b"Event: ") and (b"\r\nActionID: " not in frame or b"OriginateResp" in frame)
    ]


def rules() -> Rules:
    """The model's rules by default settings."""
    settings = Settings()
    return Rules(
        node=settings.node, seats=settings.seat_ids, trunks=("city",), queue=settings.queue.number,
        reasons=settings.not_ready_reasons, emergency=settings.emergency_numbers, wrap_up_ms=60_000,
        short_abandon_ms=5_000, service_level_ms=15_000,
    )  # fmt: skip


def ours(pieces: list[bytes]) -> int:
    """Frame, translate, step, and show what each read changed; the number of events stepped."""
    framer, floor, stepped = Framer(is_greeted=True), Floor(rules()), 0
    now = time.time_ns() // 1000
    for piece in pieces:
        for frame in framer.feed(piece):
            event = translate(frame)
            if event is not None:
                stepped += 1
                floor.step(event, Moment(now + stepped, stepped))
        floor.settle(Moment(now + stepped, stepped))
    return stepped


def border_only(pieces: list[bytes]) -> int:
    """Frame and translate; the number of events made."""
    framer = Framer(is_greeted=True)
    return sum(translate(frame) is not None for piece in pieces for frame in framer.feed(piece))


def stock(pieces: list[bytes]) -> int:
    """panoramisk's protocol parses, and hands each event to a manager that does nothing with it."""
    manager, protocol = _Idle(), AMIProtocol()
    protocol.connection_made(None)
    protocol.queue, protocol.factory, protocol.encoding = deque(), manager, "utf8"
    protocol.version, protocol.log = "11.0.0", logging.getLogger("bench.stock")
    for piece in pieces:
        protocol.data_received(piece)
    return manager.events


class _Idle:
    save_stream = None
    events = 0

    def dispatch(self, _event: object) -> None:
        self.events += 1


def measure() -> dict[str, float]:
    """Seconds per event of each, and the ratio that the bar is for."""
    data, events = stream()
    pieces = [data[i : i + PIECE] for i in range(0, len(data), PIECE)]
    ways: dict[str, Callable[[list[bytes]], int]] = {
        "ours": ours, "border_only": border_only, "stock": stock,
    }  # fmt: skip
    best = dict.fromkeys(ways, float("inf"))
    assert stock(pieces) == events
    assert ours(pieces) == border_only(pieces) > events / 2
    for _ in range(ROUNDS):
        for name, way in ways.items():
            gc.collect()
            begin = time.process_time()
            way(pieces)
            best[name] = min(best[name], time.process_time() - begin)
    return {
        "events": events,
        "ours_us": best["ours"] / events * 1e6,
        "border_only_us": best["border_only"] / events * 1e6,
        "stock_us": best["stock"] / events * 1e6,
        "border_ratio": best["stock"] / best["border_only"],
        "ratio": best["stock"] / best["ours"],
        "bar": BAR,
    }


if __name__ == "__main__":
    for name, figure in measure().items():
        print(f"{name:16} {figure:10.2f}")
