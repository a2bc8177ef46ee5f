"""Owns `python -m ctiserver.archive --settings FILE`: the archive alone, until SIGINT or SIGTERM."""

from __future__ import annotations

import argparse
import asyncio
import signal
import sys
from pathlib import Path

from ctiserver.archive.process import run
from hotline.errors import HotlineError
from hotline.settings import Settings, load


async def _until_signal(settings: Settings) -> None:
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    await run(settings, stop)


def main() -> int:
    """Run the archive; exit status 2 with one sentence when something can be mended by the operator."""
    parser = argparse.ArgumentParser(prog="ctiserver.archive", description="The archive of recordings.")
    parser.add_argument("--settings", type=Path, required=True, help="the hotline's settings file (TOML)")
    try:
        asyncio.run(_until_signal(load(parser.parse_args().settings)))
    except HotlineError as error:
        sys.stderr.write(f"error: {error}\n")
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
