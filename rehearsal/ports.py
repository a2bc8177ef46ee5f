"""Owns the finding of free ports, so that two hotlines can stand side by side on one machine."""

from __future__ import annotations

import fcntl
import itertools
import os
import socket
import tempfile
from contextlib import ExitStack
from pathlib import Path
from typing import BinaryIO

HOTLINE_HOST, CITY_HOST = "127.0.0.1", "127.0.0.2"

_RANGE = range(22_000, 32_000)
"""Above the RTP of stages, below the ports that the system gives to outgoing connections."""

_kept: list[BinaryIO] = []
"""The reservations of this process: they last as long as it does."""


def free_ports(count: int) -> list[int]:
    """`count` different ports that neither TCP nor UDP uses on either address now, and that no other process
    which asked here will be given while this one lives.
    """
    places = _RANGE[os.getpid() * 37 % len(_RANGE) :], _RANGE
    ports: list[int] = []
    for port in itertools.chain(*places):
        if len(ports) == count:
            return ports
        if port not in ports and _is_free_everywhere(port) and _reserve(port):
            ports.append(port)
    raise OSError(f"no {count} free ports from {_RANGE.start} to {_RANGE.stop - 1}")


def is_free(host: str, port: int) -> bool:
    """Whether a server could listen on that TCP port now."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError:
            return False
    return True


def _is_free_everywhere(port: int) -> bool:
    kinds = (socket.SOCK_STREAM, socket.SOCK_DGRAM)
    with ExitStack() as held:
        try:
            for host, kind in itertools.product((HOTLINE_HOST, CITY_HOST), kinds):
                held.enter_context(socket.socket(socket.AF_INET, kind)).bind((host, port))
        except OSError:
            return False
    return True


def _reserve(port: int) -> bool:
    """Between finding a port and listening on it lie seconds: a lock keeps others off."""
    home = Path(tempfile.gettempdir()) / f"hotline-12345-ports-{os.getuid()}"
    home.mkdir(mode=0o700, exist_ok=True)
    lock = (home / str(port)).open("ab")
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        lock.close()
        return False
    _kept.append(lock)
    return True
