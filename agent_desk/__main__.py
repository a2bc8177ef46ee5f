"""Owns `python -m agent_desk --settings FILE`: the desk alone, until SIGINT or SIGTERM."""

from __future__ import annotations

import argparse
import asyncio
import signal
import sys
from pathlib import Path

from agent_desk.app import run
from hotline.errors import HotlineError
from hotline.settings import Settings, load


async def _until_signal(settings: Settings) -> None:
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    await run(settings, stop)


def main() -> int:
    """Run the desk; exit status 2 with one sentence when something can be mended by the operator."""
    parser = argparse.ArgumentParser(prog="agent_desk", description="The desk's web server.")
    parser.add_argument("--settings", type=Path, required=True, help="the hotline's settings file (TOML)")
    try:
        asyncio.run(_until_signal(load(parser.parse_args().settings)))
    except HotlineError as error:
        sys.stderr.write(f"error: {error}\n")
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
