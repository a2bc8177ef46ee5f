"""Owns callers whom no phone would send: a bare SIP client over UDP whose From header may be any bytes."""

from __future__ import annotations

import asyncio
import contextlib
import re
import secrets
from collections.abc import Callable, Coroutine

Address = tuple[str, int]

_FIRST_WAIT_S = 0.5
"""T1 of RFC 3261: a request is sent again after this time, then after twice it, and so on."""
_TRIES = 6
_EDGE = b"\r\n\r\n"
_STATUS = re.compile(rb"SIP/2\.0 ([1-6][0-9][0-9]) ")
_URI = re.compile(rb"<?(sip:[^>;\r\n]+)")
_SILENCE = bytes([0xD5]) * 160
"""20 ms of G.711 A-law silence."""
_FRAME_S = 0.02


class RawCall:
    """One call, from its INVITE to its end, whoever ends it."""

    def __init__(self, target: Address, source: str, from_header: bytes, dial: str) -> None:
        self.statuses: list[int] = []
        """Every status that came in answer to the INVITE, in order: 100, 180, 200, …"""
        self.rtp_received = 0
        """How many packets of sound have come."""
        self._target = target
        self._source = source
        self._from = from_header + b";tag=" + secrets.token_hex(8).encode()
        self._uri = f"sip:{dial}@{target[0]}:{target[1]}".encode()
        self._to = b"<" + self._uri + b">"
        self._remote = self._uri
        self._call_id = secrets.token_hex(12).encode()
        self._branch = _branch()
        self._cseq = 1
        self._given_up = False
        self._media: Address | None = None
        self._sip: asyncio.DatagramTransport | None = None
        self._rtp: asyncio.DatagramTransport | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._answered = asyncio.Event()
        self._ended = asyncio.Event()

    @property
    def final(self) -> int | None:
        """The final status of the INVITE, None while there is none."""
        return next((status for status in self.statuses if status >= 200), None)

    async def answered(self, within_s: float = 10.0) -> None:
        """Wait for 200; ConnectionRefusedError with the status when the call is refused."""
        async with asyncio.timeout(within_s):
            await self._answered.wait()
        if self.final != 200:
            raise ConnectionRefusedError(f"the call was refused with {self.final}")

    async def settled(self, within_s: float = 10.0) -> int:
        """Wait for the INVITE's final status and return it."""
        async with asyncio.timeout(within_s):
            await self._answered.wait()
        return self.final or 0

    async def ended(self, within_s: float = 10.0) -> None:
        """Wait until either side has ended the call."""
        async with asyncio.timeout(within_s):
            await self._ended.wait()

    async def hang_up(self) -> None:
        """BYE when it was answered, CANCEL when not yet; then let go of the sockets."""
        if self.statuses and not self._ended.is_set():
            if self.final is None:
                self._given_up = True
                self._send(self._request(b"CANCEL", self._uri, self._cseq, branch=self._branch))
            else:
                self._bye()
            with contextlib.suppress(TimeoutError):
                await self.ended(2.0)
        self.close()

    def close(self) -> None:
        """Fall silent without a word, as a phone does that loses its power."""
        for task in self._tasks:
            task.cancel()
        for transport in (self._sip, self._rtp):
            if transport is not None:
                transport.close()
        self._ended.set()

    async def open(self, *, with_sound: bool) -> None:
        """Open the sockets and send the INVITE."""
        loop = asyncio.get_running_loop()
        self._sip, _ = await loop.create_datagram_endpoint(
            lambda: _Port(self._on_sip), local_addr=(self._source, 0)
        )
        self._rtp, _ = await loop.create_datagram_endpoint(
            lambda: _Port(self._on_rtp), local_addr=(self._source, 0)
        )
        self._spawn(self._invite())
        if with_sound:
            self._spawn(self._play())

    async def _invite(self) -> None:
        body = self._offer()
        extra = b"Content-Type: application/sdp\r\n"
        invite = self._request(b"INVITE", self._uri, self._cseq, branch=self._branch, extra=extra, body=body)
        wait = _FIRST_WAIT_S
        for _ in range(_TRIES):
            self._send(invite)
            await asyncio.sleep(wait)
            if self.statuses:
                return
            wait *= 2

    async def _play(self) -> None:
        """Send silence from the answer on, to where the answer's SDP says."""
        await self._answered.wait()
        loop = asyncio.get_running_loop()
        ssrc, due, count = secrets.token_bytes(4), loop.time(), 0
        while not self._ended.is_set() and self._rtp is not None and self._media is not None:
            head = (
                bytes([0x80, 8])
                + (count % 65536).to_bytes(2, "big")
                + (count * 160).to_bytes(4, "big")
                + ssrc
            )
            self._rtp.sendto(head + _SILENCE, self._media)
            count, due = count + 1, due + _FRAME_S
            await asyncio.sleep(max(0.0, due - loop.time()))

    def _on_rtp(self, _data: bytes) -> None:
        self.rtp_received += 1

    def _on_sip(self, data: bytes) -> None:
        head, _, body = data.partition(_EDGE)
        status = _STATUS.match(head)
        if status is None:
            self._on_request(head)
            return
        code, method = int(status[1]), _header(head, b"CSeq").split()[-1:]
        if method == [b"INVITE"]:
            self._on_invite_status(code, head, body)
        elif method == [b"BYE"] and code >= 200:
            self._ended.set()

    def _on_invite_status(self, code: int, head: bytes, body: bytes) -> None:
        self.statuses.append(code)
        if code < 200:
            return
        self._to = _header(head, b"To")
        if code == 200:
            contact = _URI.search(_header(head, b"Contact"))
            self._remote = contact[1] if contact else self._uri
            self._media = _media(body)
            self._send(self._request(b"ACK", self._remote, self._cseq))
            if self._given_up:  # the answer and our CANCEL crossed
                self._bye()
        else:
            self._send(self._request(b"ACK", self._uri, self._cseq, branch=self._branch))
            self._ended.set()
        self._answered.set()

    def _on_request(self, head: bytes) -> None:
        """Asterisk's own requests within the call: agree to all, and end with its BYE."""
        method = head.split(b" ", 1)[0]
        if method == b"ACK" or not method.isalpha():
            return
        echoed = b"".join(
            name + b": " + _header(head, name) + b"\r\n"
            for name in (b"Via", b"From", b"To", b"Call-ID", b"CSeq")
        )
        body = self._offer() if method in (b"INVITE", b"UPDATE") else b""
        kind = b"Content-Type: application/sdp\r\n" if body else b""
        length = b"Content-Length: %d" % len(body)
        self._send(b"SIP/2.0 200 OK\r\n" + echoed + self._contact() + kind + length + _EDGE + body)
        if method == b"BYE":
            self._ended.set()

    def _bye(self) -> None:
        self._send(self._request(b"BYE", self._remote, self._cseq + 1))

    def _request(
        self,
        method: bytes,
        uri: bytes,
        cseq: int,
        *,
        branch: bytes = b"",
        extra: bytes = b"",
        body: bytes = b"",
    ) -> bytes:
        host, port = self._own(self._sip)
        lines = (
            method + b" " + uri + b" SIP/2.0",
            f"Via: SIP/2.0/UDP {host}:{port};branch=".encode() + (branch or _branch()),
            b"Max-Forwards: 70",
            b"From: " + self._from,
            b"To: " + self._to,
            b"Call-ID: " + self._call_id,
            b"CSeq: %d " % cseq + method,
        )
        return (
            b"\r\n".join(lines)
            + b"\r\n"
            + self._contact()
            + extra
            + b"Content-Length: %d" % len(body)
            + _EDGE
            + body
        )

    def _contact(self) -> bytes:
        host, port = self._own(self._sip)
        return f"Contact: <sip:raw@{host}:{port}>\r\n".encode()

    def _offer(self) -> bytes:
        host, port = self._own(self._rtp)
        return (
            f"v=0\r\no=- 1 1 IN IP4 {host}\r\ns=-\r\nc=IN IP4 {host}\r\nt=0 0\r\n"
            f"m=audio {port} RTP/AVP 8\r\na=rtpmap:8 PCMA/8000\r\na=sendrecv\r\n"
        ).encode()

    def _own(self, transport: asyncio.DatagramTransport | None) -> Address:
        if transport is None:
            raise RuntimeError("the call is not open yet")
        host, port = transport.get_extra_info("sockname")[:2]
        return str(host), int(port)

    def _send(self, data: bytes) -> None:
        if self._sip is not None and not self._sip.is_closing():
            self._sip.sendto(data, self._target)

    def _spawn(self, work: Coroutine[None, None, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


async def nasty_call(
    target: Address, from_header: bytes, dial: str, *, source: str, with_sound: bool = False
) -> RawCall:
    """Call `dial` at `target` from the address `source`; `from_header` goes out as it is, a tag after it."""
    call = RawCall(target, source, from_header, dial)
    await call.open(with_sound=with_sound)
    return call


class _Port(asyncio.DatagramProtocol):
    def __init__(self, on_data: Callable[[bytes], None]) -> None:
        self._on_data = on_data

    def datagram_received(self, data: bytes, addr: object) -> None:
        self._on_data(data)


def _branch() -> bytes:
    return b"z9hG4bK" + secrets.token_hex(8).encode()


def _header(head: bytes, name: bytes) -> bytes:
    """The first header of that name, empty when there is none."""
    found = re.search(rb"^" + name + rb"\s*:\s*(.*?)\r?$", head, re.IGNORECASE | re.MULTILINE)
    return found[1] if found else b""


def _media(body: bytes) -> Address | None:
    host = re.search(rb"^c=IN IP4 ([0-9.]+)", body, re.MULTILINE)
    port = re.search(rb"^m=audio ([0-9]+)", body, re.MULTILINE)
    return (host[1].decode(), int(port[1])) if host and port else None
