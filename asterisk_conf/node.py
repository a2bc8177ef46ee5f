"""Owns the life of one private Asterisk: files in place, launch, readiness, stop. Not what the files say."""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import functools
import os
import resource
import signal
from collections.abc import Mapping
from pathlib import Path

import structlog

from asterisk_conf.install import Program
from asterisk_conf.paths import NodePaths
from asterisk_conf.ports import Ports, check_free
from hotline.errors import SwitchUnavailable

__all__ = ["Node", "Ports"]

_log = structlog.get_logger(__name__)
_PR_SET_PDEATHSIG = 1
_LOOK_AGAIN_S = 0.02
_MAX_FILES = 65536
"""A call holds some ten files and sockets; the usual limit of 1024 would end at a hundred calls."""
_NICE = -10
"""Where we may, voices go before reports: speech that comes 20 ms late is a gap."""
_ENVIRONMENT = ("PATH", "HOME", "TZ", "LANG")
"""What Asterisk gets of our environment; the rest, secrets perhaps, is none of its business."""
_libc = ctypes.CDLL(None)


class Node:
    """One Asterisk living in `home`. Its files, sockets, database and recordings all lie there."""

    def __init__(self, home: Path, program: Program) -> None:
        self.paths = NodePaths(home)
        self.program = program
        self._pid: int | None = None
        self._child: asyncio.subprocess.Process | None = None
        self._log_begin = 0

    @property
    def pid(self) -> int | None:
        """Process id of the running Asterisk, None when there is none."""
        return self._pid if self._pid is not None and self._is_ours(self._pid) else None

    @property
    def log(self) -> Path:
        """Asterisk's message log."""
        return self.paths.messages

    def attach(self) -> bool:
        """Take over an Asterisk that already runs from this home; False when there is none."""
        try:
            pid = int(self.paths.pid_file.read_text())
        except (OSError, ValueError):
            return False
        if not self._is_ours(pid):
            return False
        self._pid = pid
        return True

    async def start(
        self, files: Mapping[str, str], ports: Ports, *, detached: bool = False, within_s: float = 30.0
    ) -> None:
        """Write `files`, launch, and return when Asterisk is fully booted.

        A detached node goes on when our process ends; another one gets SIGTERM when the thread that started
        it ends. Raises PortBusy, or SwitchUnavailable with Asterisk's last words.
        """
        if self.attach():
            raise SwitchUnavailable(f"an Asterisk (process {self._pid}) already runs from {self.paths.home}")
        check_free(ports)
        self._prepare(files)
        child = await self._launch(detached=detached)
        try:
            await asyncio.wait_for(self._booted(child), within_s)
        except TimeoutError:
            self.kill()
            await self._gone()
            words = self._last_words()
            raise SwitchUnavailable(f"Asterisk was not ready after {within_s:g} s: {words}") from None
        except asyncio.CancelledError:
            self.kill()
            raise
        _log.info("switch started", pid=self._pid, version=self.program.version)

    async def stop(self, within_s: float = 10.0) -> None:
        """End it in good order (calls hung up, its database written), by force after `within_s` seconds."""
        if self.pid is None and not self.attach():
            return
        try:
            async with asyncio.timeout(within_s):
                with contextlib.suppress(OSError, SwitchUnavailable):
                    await self.console("core stop now")
                await self._gone()
        except TimeoutError:
            self.kill()
            await self._gone()
        _log.info("switch stopped", pid=self._pid)
        self._pid = self._child = None

    async def reload(self, files: Mapping[str, str]) -> None:
        """Write changed `files` and have Asterisk read all its configuration again; calls go on."""
        self._write(files)
        await self.console("core reload")

    def kill(self) -> None:
        """End it at once (SIGKILL), as a crash would."""
        pid = self.pid
        if pid is not None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)

    async def wait(self) -> None:
        """Return when the running Asterisk has ended, for whatever reason."""
        await self._gone()

    async def console(self, command: str) -> str:
        """Run one console command over the control socket and return what it prints."""
        if any(mark in command for mark in "\0\r\n"):
            raise ValueError("a console command is one line")
        try:
            reader, writer = await asyncio.open_unix_connection(str(self.paths.control), limit=1 << 22)
        except OSError as error:
            raise SwitchUnavailable(f"no Asterisk answers at {self.paths.control}") from error
        try:
            await reader.readline()  # the greeting: host/pid/version
            writer.write(b"cli quit after " + command.encode() + b"\0")
            await writer.drain()
            return (await reader.read(-1)).decode(errors="replace")
        except ConnectionError:
            return ""  # it ended while answering, as "core stop now" makes it do
        finally:
            writer.close()

    def _is_ours(self, pid: int) -> bool:
        """True when `pid` lives and was launched with our configuration file (a reused pid was not)."""
        try:
            words = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
        except OSError:
            return False
        return os.fsencode(self.paths.config) in words

    def _prepare(self, files: Mapping[str, str]) -> None:
        if os.path.lexists(self.paths.run) and self.paths.run.lstat().st_uid != os.geteuid():
            raise SwitchUnavailable(f"{self.paths.run} belongs to another user; remove it")
        for directory in self.paths.directories():
            directory.mkdir(parents=True, exist_ok=True)
            directory.chmod(0o700)
        _link(self.paths.modules, self.program.modules)
        _link(self.paths.data / "documentation", self.program.data / "documentation")
        _link(self.paths.data / "sounds" / "en", self.program.data / "sounds" / "en")
        self.paths.pid_file.unlink(missing_ok=True)
        self.paths.console_log.unlink(missing_ok=True)
        self._write(files)

    def _write(self, files: Mapping[str, str]) -> None:
        """Bring `etc` to exactly `files`; a file whose text stays is not touched, so a reload skips it."""
        for stale in self.paths.etc.glob("*.conf"):
            if stale.name not in files:
                stale.unlink()
        for name, text in files.items():
            target = self.paths.etc / name
            if target.exists() and target.read_bytes() == text.encode():
                continue
            fresh = target.with_name(f".{name}.new")
            with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
                file.write(text.encode())
            fresh.replace(target)

    async def _launch(self, *, detached: bool) -> asyncio.subprocess.Process:
        """Asterisk gets a session of its own, so that Ctrl-C at the terminal is ours to handle."""
        with contextlib.suppress(OSError):
            self._log_begin = self.paths.messages.stat().st_size
        with self.paths.console_log.open("wb") as console:
            child = await asyncio.create_subprocess_exec(
                *self.program.command, "-f", "-C", str(self.paths.config),
                stdin=asyncio.subprocess.DEVNULL, stdout=console, stderr=console, cwd=self.paths.home,
                env={name: os.environ[name] for name in _ENVIRONMENT if name in os.environ},
                start_new_session=True, preexec_fn=functools.partial(_before_exec, detached),
            )  # fmt: skip
        self._child, self._pid = child, child.pid
        return child

    async def _booted(self, child: asyncio.subprocess.Process) -> None:
        """Ask over the control socket, once Asterisk has opened it; it answers when it is fully booted."""
        while child.returncode is None:
            with contextlib.suppress(SwitchUnavailable):
                if "fully booted" in await self.console("core waitfullybooted"):
                    return
            await asyncio.sleep(_LOOK_AGAIN_S)
        raise SwitchUnavailable(f"Asterisk ended while starting: {self._last_words()}")

    async def _gone(self) -> None:
        if self._child is not None:
            await self._child.wait()
            return
        pid = self.pid
        if pid is not None:
            await _ended(pid)

    def _last_words(self) -> str:
        """The last lines that name an error, else the last lines, from both logs."""
        lines: list[str] = []
        for log, begin in ((self.paths.messages, self._log_begin), (self.paths.console_log, 0)):
            with contextlib.suppress(OSError):
                lines += log.read_bytes()[begin:].decode(errors="replace").splitlines()
        errors = [line for line in lines if "ERROR" in line or "rror" in line]
        return " | ".join((errors or lines)[-3:]) or f"it said nothing; see {self.paths.log}"


def _link(name: Path, target: Path) -> None:
    if name.is_symlink() and name.readlink() == target:
        return
    name.unlink(missing_ok=True)
    name.symlink_to(target)


async def _ended(pid: int) -> None:
    """Wait for a process that is not our child."""
    try:
        handle = os.pidfd_open(pid)
    except ProcessLookupError:
        return
    loop, ended = asyncio.get_running_loop(), asyncio.Event()
    loop.add_reader(handle, ended.set)
    try:
        await ended.wait()
    finally:
        loop.remove_reader(handle)
        os.close(handle)


def _before_exec(detached: bool) -> None:
    """Runs in the child before it becomes Asterisk: open files, priority, and an end with its parent."""
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    files = _MAX_FILES if hard == resource.RLIM_INFINITY else min(_MAX_FILES, hard)
    resource.setrlimit(resource.RLIMIT_NOFILE, (files, hard))
    with contextlib.suppress(PermissionError):
        os.setpriority(os.PRIO_PROCESS, 0, _NICE)
    if not detached:
        _libc.prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
