"""Owns the finding of free ports, so that two hotlines can stand side by side on one machine."""

from __future__ import annotations

import socket
from contextlib import ExitStack

HOTLINE_HOST, CITY_HOST = "127.0.0.1", "127.0.0.2"


def free_ports(count: int) -> list[int]:
    """`count` different ports that neither TCP nor UDP uses on either address now."""
    ports: list[int] = []
    with ExitStack() as held:
        while len(ports) < count:
            probe = held.enter_context(socket.socket(socket.AF_INET, socket.SOCK_STREAM))
            probe.bind((HOTLINE_HOST, 0))
            port = probe.getsockname()[1]
            if _is_free_too(held, port):
                ports.append(port)
    return ports


def is_free(host: str, port: int) -> bool:
    """Whether a server could listen on that TCP port now."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError:
            return False
    return True


def _is_free_too(held: ExitStack, port: int) -> bool:
    try:
        for host, kind in (
            (HOTLINE_HOST, socket.SOCK_DGRAM),
            (CITY_HOST, socket.SOCK_STREAM),
            (CITY_HOST, socket.SOCK_DGRAM),
        ):
            held.enter_context(socket.socket(socket.AF_INET, kind)).bind((host, port))
    except OSError:
        return False
    return True
