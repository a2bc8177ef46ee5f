"""Owns where one node's files lie. Pure names: nothing here touches the disk."""

from __future__ import annotations

import hashlib
import tempfile
from pathlib import Path

CONTROL_SOCKET = "asterisk.ctl"
_SOCKET_ROOM = 100
"""A Unix socket's name has 108 bytes; Asterisk wants a few of them for itself."""


class NodePaths:
    """Every directory and file of the node that lives in `home` (made absolute)."""

    def __init__(self, home: Path) -> None:
        self.home = home.absolute()
        self.etc = self.home / "etc"
        self.spool = self.home / "spool"
        self.log = self.home / "log"
        self.db = self.home / "db"
        self.data = self.home / "data"
        self.keys = self.home / "keys"
        self.cache = self.home / "cache"
        self.modules = self.home / "modules"
        """Link to the modules of the program in use, made by the node."""
        self.sounds = self.data / "sounds" / "zh"
        """Mandarin prompts (language zh); `ivr.prompts` fills it."""
        self.moh = self.data / "moh"
        """Hold music (等待音乐)."""
        self.recordings = self.spool / "monitor"
        """Recordings (录音), named by the citizen's Uniqueid."""
        self.config = self.etc / "asterisk.conf"
        self.messages = self.log / "messages"
        self.console_log = self.log / "console"
        """What Asterisk prints before its logger runs, and when it dies."""
        self.cel = self.log / "cel-custom" / "hotline.csv"
        """Channel event log (CEL): Asterisk's own account of every call, CSV."""
        self.run = self._run_directory()
        self.control = self.run / CONTROL_SOCKET
        self.pid_file = self.run / "asterisk.pid"

    def _run_directory(self) -> Path:
        """`home`/run, or a short stand-in derived from `home` when a socket in there had too long a name."""
        run = self.home / "run"
        if len(bytes(run / CONTROL_SOCKET)) <= _SOCKET_ROOM:
            return run
        mark = hashlib.sha256(bytes(self.home)).hexdigest()[:16]
        return Path(tempfile.gettempdir()) / f"hotline-run-{mark}"

    def directories(self) -> tuple[Path, ...]:
        """What must exist before Asterisk starts, parents first."""
        return (
            self.home, self.etc, self.run, self.spool, self.recordings, self.log, self.cel.parent,
            self.db, self.data, self.data / "sounds", self.sounds, self.moh, self.keys, self.cache,
        )  # fmt: skip
