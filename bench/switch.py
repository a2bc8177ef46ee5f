"""Owns the scripted switch: as much of Asterisk's manager interface as the CTI server asks for."""

from __future__ import annotations

import socket
from collections.abc import Iterable

from ctiserver.ami.connection import NEEDED

_OK = "Response: Success"


class Switch:
    """One port, one CTI server. Every seat is signed in, ready and plugged in; nobody calls by itself."""

    def __init__(self, host: str, port: int, seats: Iterable[str], queue: str) -> None:
        self._seats, self._queue = tuple(seats), queue
        self._listening = socket.create_server((host, port))
        self._cti: socket.socket | None = None
        self._rest = b""
        self.asked = 0
        """Actions answered so far."""

    def fileno(self) -> int:
        """What to poll: the port until the CTI server has come, then its connection."""
        return (self._cti or self._listening).fileno()

    def accept(self) -> None:
        """The CTI server has come."""
        self._cti, _ = self._listening.accept()
        self._cti.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._cti.sendall(b"Asterisk Call Manager/9.0.0\r\n")

    def read(self) -> None:
        """Answer what the CTI server has asked."""
        assert self._cti is not None
        data = self._cti.recv(65536)
        if not data:
            raise ConnectionError("the CTI server has hung up on the scripted switch")
        *actions, self._rest = (self._rest + data).split(b"\r\n\r\n")
        for action in actions:
            lines = (line.partition(": ") for line in action.decode().split("\r\n"))
            self._answer({name: text for name, _, text in lines})

    def tell(self, frames: bytes) -> None:
        """Say something; waits while the CTI server does not read."""
        assert self._cti is not None
        self._cti.sendall(frames)

    def close(self) -> None:
        """Be gone."""
        if self._cti is not None:
            self._cti.close()
        self._listening.close()

    def _answer(self, action: dict[str, str]) -> None:
        self.asked += 1
        word = f"ActionID: {action['ActionID']}"
        match action["Action"]:
            case "Login":
                self._say([_OK, word, "Message: Authentication accepted"])
                self._say(["Event: FullyBooted", "Privilege: system,all", "Uptime: 60", "LastReload: 60"])
            case "ListCommands":
                self._say([_OK, word, *(f"{name}: yes" for name in NEEDED)])
            case "CoreShowChannels":
                self._list(word, "CoreShowChannelsComplete", ())
            case "QueueStatus":
                self._list(word, "QueueStatusComplete", map(self._member, self._seats))
            case "DeviceStateList":
                phones = (
                    ["Event: DeviceStateChange", f"Device: PJSIP/{s}", "State: NOT_INUSE"]
                    for s in self._seats
                )
                self._list(word, "DeviceStateListComplete", phones)
            case _:
                self._say([_OK, word, "Message: done"])

    def _member(self, seat: str) -> list[str]:
        return [
            "Event: QueueMember", f"Queue: {self._queue}", f"Name: {int(seat) - 7000}",
            f"Location: PJSIP/{seat}", "Paused: 0", "PausedReason: ",
        ]  # fmt: skip

    def _list(self, word: str, end: str, items: Iterable[list[str]]) -> None:
        self._say([_OK, word, "EventList: start"])
        for item in items:
            self._say([*item, word])
        self._say([f"Event: {end}", word, "EventList: Complete"])

    def _say(self, lines: list[str]) -> None:
        self.tell(("\r\n".join(lines) + "\r\n\r\n").encode())
