"""Owns screens' ends of WebSockets, by hand: so small a reader adds next to nothing to what it measures."""

from __future__ import annotations

import base64
import json
import secrets
import socket
import time
from collections.abc import Callable

_TEXT, _CLOSE, _PING = 1, 8, 9
_NO_MASK = b"\0\0\0\0"
"""The mask of four zero bytes leaves a message as it is."""


class Desk:
    """One screen. `on_text` is called with each message and the moment at which its bytes were read."""

    def __init__(self, host: str, port: int, token: str, on_text: Callable[[bytes, float], None]) -> None:
        self._on_text = on_text
        self._rest = b""
        self.is_open = False
        self._sock = socket.create_connection((host, port))
        key = base64.b64encode(secrets.token_bytes(16)).decode()
        self._sock.sendall(
            f"GET /v1 HTTP/1.1\r\nHost: {host}:{port}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            f"Sec-WebSocket-Key: {key}\r\nSec-WebSocket-Version: 13\r\n\r\n".encode()
        )
        self._send(_TEXT, json.dumps({"token": token}).encode())

    def fileno(self) -> int:
        """What to poll."""
        return self._sock.fileno()

    def read(self) -> None:
        """Take in what the socket has."""
        data = self._sock.recv(262_144)
        now = time.monotonic()
        if not data:
            raise ConnectionError("the CTI server has closed a screen's connection")
        self._rest += data
        if not self.is_open:
            head, edge, rest = self._rest.partition(b"\r\n\r\n")
            if not edge:
                return
            if b" 101 " not in head:
                raise ConnectionError("the CTI server does not take a screen's connection")
            self.is_open, self._rest = True, rest
        while (found := _message(self._rest)) is not None:
            code, body, size = found
            self._rest = self._rest[size:]
            self._take(code, body, now)

    def close(self) -> None:
        """Be gone."""
        self._sock.close()

    def _take(self, code: int, body: bytes, now: float) -> None:
        if code == _TEXT:
            self._on_text(body, now)
        elif code == _PING:
            self._send(_PING + 1, body)
        elif code == _CLOSE:
            raise ConnectionError(f"the CTI server sends a screen away: {body[2:].decode()}")

    def _send(self, code: int, body: bytes) -> None:
        size = bytes([0x80 | len(body)]) if len(body) < 126 else bytes([0x80 | 126]) + len(body).to_bytes(2)
        self._sock.sendall(bytes([0x80 | code]) + size + _NO_MASK + body)


def _message(data: bytes) -> tuple[int, bytes, int] | None:
    """Kind, body and whole size of the first message, or None while it has not come whole."""
    if len(data) < 2:
        return None
    begin = {126: 4, 127: 10}.get(data[1] & 127, 2)
    size = data[1] & 127 if begin == 2 else int.from_bytes(data[2:begin])
    end = begin + size
    return (data[0] & 15, data[begin:end], end) if len(data) >= end >= begin and len(data) >= begin else None
