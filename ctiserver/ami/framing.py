"""Owns the cut of AMI's byte stream into frames, however the network chopped it. Pure; knows no event."""

from __future__ import annotations

EDGE = b"\r\n\r\n"
"""What ends a frame."""
MAX_FRAME = 65_536
"""Bytes. Asterisk's longest answer that we ask for (ListCommands) has about 6,000."""
MAX_LINE = 8_192
"""Bytes. Asterisk itself cuts a channel variable at 4,096."""
_GREETING = b"Asterisk Call Manager/"
_MAX_GREETING = 128
_EVENT = b"Event: "
_KINDS = (_EVENT, b"Response: ")


class NotAsterisk(Exception):
    """What came first is not the greeting of Asterisk's manager interface."""


class Framer:
    """Bytes in, complete frames out, each without its closing blank line.

    A frame that is too long, has too long a line, or is neither event nor answer is dropped and counted; the
    frames around it stay exact. Keeps at most `MAX_FRAME` bytes between two calls.
    """

    def __init__(self, *, is_greeted: bool = False) -> None:
        self.dropped = 0
        """Frames thrown away so far."""
        self.is_greeted = is_greeted
        """The greeting line has been seen; a recorded stream may start behind it."""
        self._rest = bytearray()
        self._is_skipping = False

    def feed(self, data: bytes) -> list[bytes]:
        """Take bytes in; NotAsterisk when the stream does not begin as AMI does."""
        rest = self._rest
        start = max(0, len(rest) - len(EDGE) + 1)
        rest += data
        if not self.is_greeted:
            if not self._greeting():
                return []
            start = 0
        if rest.find(EDGE, start) < 0:
            self._bound()
            return []
        frames = bytes(rest).split(EDGE)
        self._rest = bytearray(frames.pop())
        if self._is_skipping:
            self._is_skipping = False
            del frames[0]
        self._bound()
        # Nearly every frame is an event and right at once; only the others are looked at closely.
        return [
            kept
            for frame in frames
            if (
                kept := frame if len(frame) <= MAX_LINE and frame.startswith(_EVENT) else self._checked(frame)
            )
        ]

    def _greeting(self) -> bool:
        """Take the first line off; False while it has not come whole."""
        end = self._rest.find(b"\r\n")
        line = bytes(self._rest if end < 0 else self._rest[:end])
        is_it = _GREETING.startswith(line[: len(_GREETING)]) if end < 0 else line.startswith(_GREETING)
        if not is_it or len(line) > _MAX_GREETING:
            raise NotAsterisk
        if end < 0:
            return False
        del self._rest[: end + 2]
        self.is_greeted = True
        return True

    def _bound(self) -> None:
        """Give up on an unfinished frame that is already too long; go on behind its end."""
        if len(self._rest) < MAX_FRAME + len(EDGE):
            return
        if not self._is_skipping:
            self.dropped += 1
            self._is_skipping = True
        del self._rest[: -len(EDGE) + 1]

    def _checked(self, frame: bytes) -> bytes | None:
        """The frame, or None when it is none; stray line ends before it are forgiven."""
        size = len(frame)
        frame = frame.lstrip(b"\r\n")
        if not frame:
            return None
        if size > MAX_FRAME or not frame.startswith(_KINDS) or max(map(len, frame.split(b"\r\n"))) > MAX_LINE:
            self.dropped += 1
            return None
        return frame
