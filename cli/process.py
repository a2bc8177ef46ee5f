"""Owns how one of our processes runs: its log, its signals, its end. `python -m cli.process cti
--settings FILE`.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import ctypes
import logging
import signal
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path

import structlog
import uvloop

from hotline import ready
from hotline.errors import HotlineError
from hotline.settings import Settings, load

_M_ARENA_MAX = -8
"""`mallopt`'s name for the number of heaps (malloc.h)."""

Run = Callable[[Settings, asyncio.Event, Callable[[], None]], Awaitable[None]]
"""A process: settings, when to stop, what to call once it serves."""

PROCESSES = ("ivr", "cti", "desk", "archive")
"""In the order in which they start."""


def room_of(name: str) -> Run:
    """What runs in that process, one of `PROCESSES`. No other room is loaded: a CTI server that was killed is
    back sooner without the desk's modules.
    """
    match name:
        case "ivr":
            import ivr.app

            return ivr.app.run
        case "cti":
            import ctiserver.bootstrap

            return ctiserver.bootstrap.run
        case "desk":
            import agent_desk.app

            return agent_desk.app.run
        case "archive":
            import ctiserver.archive.process

            return ctiserver.archive.process.run
        case _:
            raise ValueError(name)


def start_log() -> None:
    """One JSON line for each thing worth knowing, on standard output. Ids, never citizens."""
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            structlog.processors.JSONRenderer(ensure_ascii=False),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
        logger_factory=structlog.PrintLoggerFactory(sys.stdout),
    )
    logging.basicConfig(level=logging.WARNING, stream=sys.stdout, format="%(levelname)s %(name)s %(message)s")


async def serve(name: str, settings: Settings, *, follow_stdin: bool) -> None:
    """Run the process until SIGINT, SIGTERM or, if asked to, the end of standard input."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    if follow_stdin:
        reader = asyncio.StreamReader()
        await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
        watch = asyncio.create_task(reader.read())
        watch.add_done_callback(lambda _: stop.set())
    await room_of(name)(settings, stop, ready.tell)


def keep_memory_together() -> None:
    """Two heaps for all threads: glibc's eight for each core keep what the database's threads let go."""
    with contextlib.suppress(AttributeError, OSError):
        ctypes.CDLL(None).mallopt(_M_ARENA_MAX, 2)


def main() -> int:
    """Run; exit status 2 with one sentence when the operator can mend it."""
    parser = argparse.ArgumentParser(prog="cli.process", description="One process of the hotline.")
    parser.add_argument("name", choices=sorted(PROCESSES))
    parser.add_argument("--settings", type=Path, required=True)
    parser.add_argument(
        "--follow-stdin", action="store_true", help="end when standard input does: with the parent process"
    )
    asked = parser.parse_args()
    keep_memory_together()
    start_log()
    try:
        uvloop.run(serve(asked.name, load(asked.settings), follow_stdin=asked.follow_stdin))
    except HotlineError as error:
        sys.stderr.write(f"error: {error}\n")
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
