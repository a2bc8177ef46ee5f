"""Owns a site for tests of the command `hotline`, as people and systemd meet it: settings, processes."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from asterisk_conf.node import NodePaths
from rehearsal.ports import free_ports

ROOT = Path(__file__).parents[2]
COMMAND = (sys.executable, "-m", "cli.main")
NAMES = ("sip_port", "http_port", "ami_port", "push_port", "ivr_port", "desk_port")


class Site:
    """A directory with a hotline.toml in it, on free ports, with eight seats."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.port = dict(zip(NAMES, free_ports(len(NAMES)), strict=True))
        self.write()

    @property
    def state(self) -> Path:
        return self.home / "var"

    def write(self, head: str = "", **ports: int) -> None:
        """The settings file; `head` stands before everything else, `ports` replace the free ones."""
        at = {**self.port, **ports}
        (self.home / "hotline.toml").write_text(
            f"{head}\n[switch]\nsip_port = {at['sip_port']}\nhttp_port = {at['http_port']}\n"
            f"ami_port = {at['ami_port']}\nrtp_first = 12000\nrtp_last = 21999\n"
            f"[cti]\npush_port = {at['push_port']}\n[ivr]\nport = {at['ivr_port']}\n"
            f"[desk]\nport = {at['desk_port']}\n[seats]\ncount = 8\n"
        )

    def start(self, *words: str, program: tuple[str, ...] = COMMAND) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [*program, *words],
            cwd=self.home,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def call(
        self, *words: str, text: str = "", program: tuple[str, ...] = COMMAND
    ) -> subprocess.CompletedProcess[str]:
        process = self.start(*words, program=program)
        out, err = process.communicate(text, timeout=100)
        return subprocess.CompletedProcess(words, process.returncode, out, err)

    def asterisk(self) -> int | None:
        """The process id of the site's Asterisk, if one lives."""
        paths = NodePaths(self.state / "asterisk")
        with contextlib.suppress(OSError, ValueError):
            pid = int(paths.pid_file.read_text())
            if os.fsencode(paths.config) in Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0"):
                return pid
        return None

    def processes(self) -> list[int]:
        """Every process that names a file of this site on its command line."""
        found = []
        for entry in Path("/proc").glob("[0-9]*"):
            with contextlib.suppress(OSError):
                if os.fsencode(self.home) in (entry / "cmdline").read_bytes():
                    found.append(int(entry.name))
        return found

    def end(self) -> None:
        """Whatever still runs here is killed."""
        for pid in self.processes():
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)


def until(what: Callable[[], bool], within_s: float = 20) -> None:
    deadline = time.monotonic() + within_s
    while not what():
        assert time.monotonic() < deadline, "it did not come"
        time.sleep(0.05)


@contextlib.contextmanager
def running(site: Site, *words: str) -> Iterator[subprocess.Popen[str]]:
    """`hotline run`, serving; ended by force if the test did not end it."""
    process = site.start("run", *words)
    assert process.stdout is not None
    said = []
    for line in process.stdout:
        said.append(line)
        if line.startswith("the desk: "):
            break
    else:
        pytest.fail("".join(said) + process.communicate()[1])
    try:
        yield process
    finally:
        if process.poll() is None:
            process.kill()
        process.communicate(timeout=30)


def told(site: Site, ended: subprocess.CompletedProcess[str], *parts: str) -> None:
    """One sentence on standard error, exit status 2, and a stack nowhere."""
    assert ended.returncode == 2, ended
    lines = ended.stderr.strip().splitlines()
    assert len(lines) == 1, ended.stderr
    assert lines[0].startswith(("hotline: ", "error: "))
    for part in parts:
        assert part in lines[0]
    logs = [path.read_text(errors="replace") for path in site.home.rglob("log/*") if path.is_file()]
    assert all("Traceback" not in text for text in (ended.stdout, ended.stderr, *logs))
