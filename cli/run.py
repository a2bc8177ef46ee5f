"""Owns a whole hotline on one machine: Asterisk, database, prompts, and our four processes, watched and
restarted.
"""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import os
import signal
import sys
from collections.abc import Callable, Coroutine, Iterator
from pathlib import Path
from typing import Any

import structlog

from asterisk_conf import install, music
from asterisk_conf.node import Node
from asterisk_conf.ports import hotline_ports
from asterisk_conf.render import render
from cli.process import PROCESSES
from hotline import ready
from hotline.db import migrate
from hotline.errors import HotlineError, SwitchUnavailable
from hotline.secret import Secrets, load_or_create
from hotline.settings import Settings
from ivr import outlook

Say = Callable[[str], None]

READY_WITHIN_S = 30.0
_AGAIN_FIRST_S, _AGAIN_LAST_S = 0.2, 5.0
_STOP_WITHIN_S = 10.0
_WORDS = 4_000

log = structlog.get_logger("run")


def home_of_switch(settings: Settings) -> Path:
    """Where the hotline's own Asterisk lives."""
    return settings.state / "asterisk"


def log_of(settings: Settings, name: str) -> Path:
    """The log file of one of our processes."""
    return settings.state / "log" / f"{name}.log"


class Child:
    """One of our processes, started again whenever it dies."""

    def __init__(self, name: str, settings: Settings, file: Path, say: Say) -> None:
        self.name = name
        self._file = file
        self._log = log_of(settings, name)
        self._log_begin = 0
        self._say = say
        self._process: asyncio.subprocess.Process | None = None
        self._watch: asyncio.Task[None] | None = None
        self._serves = asyncio.Event()

    @property
    def pid(self) -> int | None:
        """Its process id now, None between two lives."""
        process = self._process
        return process.pid if process is not None and process.returncode is None else None

    async def start(self) -> None:
        """Return when it serves; HotlineError with its own sentence when it does not come up."""
        await self._launch()
        self._watch = asyncio.create_task(self._keep_alive())

    async def stop(self) -> None:
        """Ask it to end, insist after a while."""
        if self._watch is not None:
            self._watch.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._watch
        process = self._process
        if process is None or process.returncode is not None:
            return
        with contextlib.suppress(ProcessLookupError):
            process.terminate()
        try:
            await asyncio.wait_for(process.wait(), _STOP_WITHIN_S)
        except TimeoutError:
            process.kill()
            await process.wait()

    def kill(self) -> None:
        """End it as a crash would; it comes back."""
        if self.pid is not None:
            self._serves.clear()
            os.kill(self.pid, signal.SIGKILL)

    async def back(self) -> None:
        """Return when it serves, say after `kill`."""
        await self._serves.wait()

    async def _launch(self) -> None:
        self._log.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        ear = ready.Ear()
        try:
            with self._log.open("ab") as output:
                self._log_begin = output.tell()
                self._process = await asyncio.create_subprocess_exec(
                    sys.executable,
                    *("-m", "cli.process", self.name, "--settings", str(self._file), "--follow-stdin"),
                    stdin=asyncio.subprocess.PIPE,
                    stdout=output,
                    stderr=output,
                    env={**os.environ, "NOTIFY_SOCKET": ear.address},
                    start_new_session=True,
                )
            await self._until_ready(ear, self._process)
            self._serves.set()
        finally:
            ear.close()

    async def _until_ready(self, ear: ready.Ear, process: asyncio.subprocess.Process) -> None:
        heard, ended = asyncio.create_task(ear.heard()), asyncio.create_task(process.wait())
        await asyncio.wait({heard, ended}, timeout=READY_WITHIN_S, return_when=asyncio.FIRST_COMPLETED)
        for task in (heard, ended):
            task.cancel()
        if heard.done() and not heard.cancelled():
            return
        if process.returncode is None:
            process.kill()
            raise HotlineError(f"{self.name} was not ready after {READY_WITHIN_S:g} s; see {self._log}")
        raise HotlineError(self._last_words())

    def _last_words(self) -> str:
        try:
            text = self._log.read_bytes()[self._log_begin :][-_WORDS:].decode(errors="replace")
        except OSError:
            text = ""
        errors = [line[7:] for line in text.splitlines() if line.startswith("error: ")]
        return errors[-1] if errors else f"{self.name} ended while starting; see {self._log}"

    async def _keep_alive(self) -> None:
        pause = _AGAIN_FIRST_S
        while True:
            if self._process is not None:
                await self._process.wait()
                self._say(f"{self.name} ended with status {self._process.returncode}; starting it again")
            try:
                await self._launch()
            except HotlineError as error:
                self._say(f"{self.name}: {error}")
                await asyncio.sleep(pause)
                pause = min(pause * 2, _AGAIN_LAST_S)
            else:
                pause = _AGAIN_FIRST_S


class Hotline:
    """Everything of one hotline. `file` is the settings file that the processes read."""

    def __init__(self, settings: Settings, file: Path, say: Say) -> None:
        self.settings = settings
        self.file = file
        self._say = say
        self.secrets: Secrets = load_or_create(settings.state)
        program = install.find(install.cache_dir())
        if program is None:
            raise SwitchUnavailable("there is no Asterisk on this machine; run `make setup`")
        self.node = Node(home_of_switch(settings), program)
        self.children = {name: Child(name, settings, file, say) for name in PROCESSES}

    async def start(self, *, detached: bool = False) -> None:
        """Bring everything up, in the order in which one needs the other. What is up already is kept."""
        await migrate.upgrade(self.settings.database)
        await self._start_switch(detached=detached)
        for name, child in self.children.items():
            await child.start()
            self._say(f"{name} serves; log {log_of(self.settings, name)}")

    async def stop(self, *, switch: bool = True) -> None:
        """Take everything down. Without `switch`, Asterisk goes on by itself."""
        for child in reversed(self.children.values()):
            await child.stop()
        if switch:
            await self.node.stop()

    async def _start_switch(self, *, detached: bool) -> None:
        paths = self.node.paths
        music.ensure(paths.moh)
        await asyncio.to_thread(outlook.apply, self.settings, paths.sounds, self._say)
        files = render(self.settings, self.secrets, paths)
        if self.node.attach():
            self._say(f"Asterisk runs already (process {self.node.pid}); it reads its configuration again")
            await self.node.reload(files)
            return
        await self.node.start(files, hotline_ports(self.settings), detached=detached)
        self._say(f"Asterisk {self.node.program.version} serves; log {self.node.log}")


async def until_signal() -> None:
    """Return at SIGINT or SIGTERM."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    await stop.wait()


async def run(settings: Settings, file: Path, say: Say, *, keep_switch: bool = False) -> None:
    """`hotline run`: everything in one terminal until Ctrl+C.

    An Asterisk that carried calls before we came is left alone when the start fails.
    """
    hotline = Hotline(settings, file, say)
    with alone(settings.state):
        stop_switch = not hotline.node.attach()
        end = asyncio.create_task(until_signal())
        try:
            if await _before(end, hotline.start(detached=True)):
                stop_switch = not keep_switch
                say(f"the desk: {settings.desk_url}/   (Ctrl+C ends everything)")
                await end
            say("stopping" if stop_switch else "stopping; Asterisk goes on")
        finally:
            end.cancel()
            await hotline.stop(switch=stop_switch)


async def _before(end: asyncio.Task[None], work: Coroutine[Any, Any, None]) -> bool:
    """Whether the work was done before the end came; it is given up when not."""
    task = asyncio.create_task(work)
    try:
        await asyncio.wait({task, end}, return_when=asyncio.FIRST_COMPLETED)
        if task.done():
            task.result()
        return task.done()
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


@contextlib.contextmanager
def alone(state: Path) -> Iterator[None]:
    """Hold the lock of a state directory: two supervisors would end each other's Asterisk."""
    path = state / "run.lock"
    try:
        handle = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    except OSError as error:
        raise HotlineError(f"cannot write {path}: {error.strerror}") from error
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        os.close(handle)
        raise HotlineError(f"a hotline runs already from {state}; end that one first") from error
    try:
        yield
    finally:
        os.close(handle)
