"""Owns the word "ready" between a process and whoever started it: systemd's notify protocol, both ends."""

from __future__ import annotations

import asyncio
import contextlib
import os
import secrets
import socket


def tell() -> None:
    """Say that this process serves now, if anybody asked to know (NOTIFY_SOCKET)."""
    address = os.environ.get("NOTIFY_SOCKET", "")
    if not address:
        return
    with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sender:
        sender.connect(f"\0{address[1:]}" if address.startswith("@") else address)
        sender.send(b"READY=1")


class Ear:
    """Listens for one process's "ready". Pass `address` to it as NOTIFY_SOCKET."""

    def __init__(self) -> None:
        self.address = f"@hotline-{secrets.token_hex(12)}"
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)
        self._socket.bind(f"\0{self.address[1:]}")

    async def heard(self) -> None:
        """Return when the process has said it."""
        loop = asyncio.get_running_loop()
        while b"READY=1" not in (await loop.sock_recv(self._socket, 4096)).split(b"\n"):
            pass

    def close(self) -> None:
        """Listen no more."""
        self._socket.close()
