"""Owns the rig: the real CTI server between a scripted switch and 57 screens, all in one poll loop."""

from __future__ import annotations

import asyncio
import os
import secrets
import select
import socket
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import msgspec

from bench.desks import Desk
from bench.switch import Switch
from cli.stage import stage_settings
from hotline import clock
from hotline.db import migrate
from hotline.identity import token
from hotline.identity.roles import Role
from hotline.secret import load_or_create
from hotline.settings import Settings
from rehearsal.ports import free_ports

SEATS = 57
_START_S = 30.0


class Rig:
    """`on_text` gets every message of every screen, with the moment of its reading."""

    def __init__(self, settings: Settings, on_text: Callable[[bytes, float], None]) -> None:
        self.settings = settings
        self._on_text = on_text
        self._poll = select.epoll()
        self._readers: dict[int, Callable[[], None]] = {}
        self._desks: list[Desk] = []
        self._is_ready = False
        self.switch = Switch(
            settings.switch.host, settings.switch.ami_port, settings.seat_ids, settings.queue.number
        )
        self._cti: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int:
        """The CTI server's process."""
        assert self._cti is not None
        return self._cti.pid

    def start(self) -> None:
        """Bring the CTI server up and connect every seat's screen."""
        file = self.settings.state / "settings.json"
        file.write_bytes(msgspec.json.encode(self.settings))
        address = f"hotline-bench-{secrets.token_hex(8)}"
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as ear:
            ear.bind(f"\0{address}")
            self._watch(ear.fileno(), self._ready)
            self._watch(self.switch.fileno(), self._accept)
            with (self.settings.state / "cti.log").open("wb") as log:
                self._cti = subprocess.Popen(
                    [sys.executable, "-m", "cli.process", "cti", "--settings", str(file), "--follow-stdin"],
                    stdin=subprocess.PIPE, stdout=log, stderr=log,
                    env={**os.environ, "NOTIFY_SOCKET": f"@{address}"},
                )  # fmt: skip
            self.until(lambda: self._is_ready, _START_S)
            self._unwatch(ear.fileno())
        key = load_or_create(self.settings.state).push_key
        for seat in self.settings.seat_ids:
            self._connect(seat, key)
        self.until(lambda: all(desk.is_open for desk in self._desks), _START_S)

    def turn(self, timeout_s: float) -> None:
        """Serve whoever has something to say, waiting at most so long for the first."""
        for fd, _ in self._poll.poll(max(0.0, timeout_s)):
            self._readers[fd]()

    def until(self, is_so: Callable[[], bool], within_s: float) -> None:
        """Go on until it is so; TimeoutError with the log's place when it does not come."""
        deadline = time.monotonic() + within_s
        while not is_so():
            if time.monotonic() > deadline:
                raise TimeoutError(f"the CTI server did not get there within {within_s:g} s")
            self.turn(0.02)

    def records(self) -> int:
        """Ended calls in the database: the journal is written and its projector has come so far."""
        with closing(
            sqlite3.connect(f"file:{self.settings.state / 'hotline.db'}?mode=ro", uri=True)
        ) as found:
            row = found.execute("SELECT count(*) FROM calls WHERE outcome != ''").fetchone()
        return int(row[0])

    def stop(self) -> None:
        """Take all of it down."""
        for desk in self._desks:
            desk.close()
        self.switch.close()
        self._poll.close()
        if self._cti is not None:
            self._cti.kill()
            self._cti.communicate()

    def _connect(self, seat: str, key: str) -> None:
        expires_us = clock.now().utc_us + 60_000_000
        word = token.mint(key, str(int(seat) - 7000), Role.AGENT, seat, expires_us, secrets.token_hex(8))
        desk = Desk(self.settings.cti.host, self.settings.cti.push_port, word, self._on_text)
        self._desks.append(desk)
        self._watch(desk.fileno(), desk.read)

    def _ready(self) -> None:
        self._is_ready = True

    def _accept(self) -> None:
        self._unwatch(self.switch.fileno())
        self.switch.accept()
        self._watch(self.switch.fileno(), self.switch.read)

    def _watch(self, fd: int, reader: Callable[[], None]) -> None:
        self._readers[fd] = reader
        self._poll.register(fd, select.EPOLLIN)

    def _unwatch(self, fd: int) -> None:
        self._poll.unregister(fd)
        del self._readers[fd]


@contextmanager
def rig(on_text: Callable[[bytes, float], None] = lambda _body, _now: None) -> Iterator[Rig]:
    """A rig that stands, with a database of its own; all of it gone at the end."""
    with tempfile.TemporaryDirectory(prefix="hotline-bench-") as home:
        settings = stage_settings(Settings(), Path(home), seats=SEATS, ports=free_ports(7))
        asyncio.run(migrate.upgrade(settings.database))
        load_or_create(settings.state)
        made = Rig(settings, on_text)
        try:
            made.start()
            yield made
        finally:
            made.stop()
