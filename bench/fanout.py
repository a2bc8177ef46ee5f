"""Owns the measure of the fan-out: how long a push takes to reach 500 clients, against a bare broadcast.

One child process serves both: our push server with 500 walls connected, and a bare server that hands the same
bytes to `websockets.broadcast`. They take turns. This process holds the clients' ends and notes when each
push arrives; a delay counts from just before the server's call, on the machine's one monotonic clock.
"""

from __future__ import annotations

import asyncio
import base64
import json
import logging
import re
import secrets
import select
import socket
import statistics
import subprocess
import sys
import time

import msgspec
import structlog
import uvloop
from websockets.asyncio.server import ServerConnection, broadcast, serve

from ctiserver.api.commands import Actor, Command, Refusal
from ctiserver.api.pushes import SeatPush, Snapshot
from ctiserver.api.states import Seat, SeatState
from ctiserver.push.outbox import frame
from ctiserver.push.server import PushServer
from hotline import clock
from hotline.identity import token
from hotline.identity.roles import Role
from hotline.settings import CtiSettings, Settings

KEY = "bench"
GAP_S = 0.03
MODES = ("ours", "bare")
_SENT = re.compile(rb'"since_us":([0-9]+)')


class _Floor:
    """57 seats that only change when the bench says so."""

    def snapshot(self) -> Snapshot:
        return Snapshot(seats=tuple(_seat(number, 1) for number in range(8001, 8058)), linked=True)

    async def command(self, actor: Actor, command: Command, key: str) -> dict[str, str] | Refusal:
        return {}


def _seat(number: int, since_us: int) -> Seat:
    return Seat(id=str(number), state=SeatState.TALKING, since_us=since_us, agent="1001", phone_up=True)


async def _serve() -> None:
    # Standard output is the way back to the measuring process.
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING))
    ours = PushServer(Settings(cti=CtiSettings(push_port=0)), KEY, _Floor(), str)
    await ours.start()
    listeners: set[ServerConnection] = set()

    async def listen(connection: ServerConnection) -> None:
        listeners.add(connection)
        await connection.wait_closed()

    bare = await serve(listen, "127.0.0.1", 0, compression=None, ping_interval=None)
    print(json.dumps({"ours": ours.port, "bare": bare.sockets[0].getsockname()[1]}), flush=True)
    loop = asyncio.get_running_loop()
    seq = 1
    while line := await loop.run_in_executor(None, sys.stdin.readline):
        mode, rounds = line.split()
        for at in range(int(rounds)):
            seq += 1
            push = SeatPush(_seat(8001 + at % 57, time.monotonic_ns() // 1000))
            if mode == "ours":
                ours.tell(push)
            else:
                broadcast(listeners, frame(seq, msgspec.json.encode(push)), text=True)
            await asyncio.sleep(GAP_S)


def _join(port: int, word: str) -> socket.socket:
    """A WebSocket client's end by hand, past its handshake and first messages."""
    sock = socket.create_connection(("127.0.0.1", port))
    key = base64.b64encode(secrets.token_bytes(16)).decode()
    sock.sendall(
        f"GET /v1 HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        f"Sec-WebSocket-Key: {key}\r\nSec-WebSocket-Version: 13\r\n\r\n".encode()
    )
    got = b""
    while b"\r\n\r\n" not in got:
        got += sock.recv(4096)
    if word:
        body = json.dumps({"token": word}).encode()
        # The mask of four zero bytes leaves the text as it is.
        sock.sendall(bytes([0x81, 0x80 | 126]) + len(body).to_bytes(2) + b"\0\0\0\0" + body)
        while b'"linked":true}}' not in got:
            got += sock.recv(65536)
    sock.setblocking(False)
    return sock


def _word() -> str:
    return token.mint(KEY, "9001", Role.WALL, None, clock.now().utc_us + 60_000_000, secrets.token_hex(8))


def _collect(poll: select.epoll, socks: dict[int, socket.socket], expected: int) -> list[int]:
    """Delays in microseconds of that many pushes."""
    delays: list[int] = []
    deadline = time.monotonic() + 60
    while len(delays) < expected:
        if time.monotonic() > deadline:
            raise TimeoutError(f"{len(delays)} of {expected} pushes came")
        for fd, _ in poll.poll(1):
            data = socks[fd].recv(65536)
            now_us = time.monotonic_ns() // 1000
            delays += [now_us - int(sent) for sent in _SENT.findall(data)]
    return delays


def measure(clients: int = 500, rounds: int = 10, turns: int = 25) -> dict[str, float]:
    """p50 and p99 of both in milliseconds and `ratio` = ours ÷ bare at p99."""
    child = subprocess.Popen(
        [sys.executable, "-m", "bench.fanout", "--serve"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert child.stdin is not None
    assert child.stdout is not None
    socks: list[socket.socket] = []
    try:
        ports = json.loads(child.stdout.readline())
        polls, ends = {}, {}
        for mode in MODES:
            polls[mode] = select.epoll()
            joined = [_join(ports[mode], _word() if mode == "ours" else "") for _ in range(clients)]
            socks += joined
            ends[mode] = {sock.fileno(): sock for sock in joined}
            for sock in joined:
                polls[mode].register(sock, select.EPOLLIN)
        delays: dict[str, list[int]] = {mode: [] for mode in MODES}
        for turn in range(turns + 1):
            # Short turns, each kind first in every other one: what else the machine does strikes both alike.
            for mode in MODES if turn % 2 else MODES[::-1]:
                child.stdin.write(f"{mode} {rounds}\n")
                child.stdin.flush()
                came = _collect(polls[mode], ends[mode], clients * rounds)
                delays[mode] += came if turn else []
    finally:
        for sock in socks:
            sock.close()
        child.stdin.close()
        child.kill()
        child.wait()
    cuts = {mode: statistics.quantiles(delays[mode], n=100) for mode in MODES}
    shown = {f"{mode}_p50_ms": cuts[mode][49] / 1000 for mode in MODES}
    shown |= {f"{mode}_p99_ms": cuts[mode][98] / 1000 for mode in MODES}
    return {"clients": clients, **shown, "ratio": cuts["ours"][98] / cuts["bare"][98]}


if __name__ == "__main__":
    if "--serve" in sys.argv:
        uvloop.run(_serve())
    else:
        print(json.dumps(measure(), indent=2))
