"""The command `hotline` as people and systemd meet it: its sentences of error, exit statuses, signals."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from asterisk_conf.node import NodePaths
from hotline.secret import load_or_create
from rehearsal.ports import free_ports

ROOT = Path(__file__).parents[2]
COMMAND = (sys.executable, "-m", "cli.main")
KEYS = [
    *("offered", "answered", "abandoned", "pops", "pops_before_answer", "three_way_ok", "three_way_asked"),
    *("emergency_ok", "emergency_asked", "audio_ok", "audio_checked", "records", "lost"),
    *("pop_ms", "three_way_invite_ms"),
]
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


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    there = Site(tmp_path)
    yield there
    for pid in there.processes():
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


@pytest.mark.parametrize(
    ("head", "ports", "part"),
    [
        ('citty = "泰安"', {}, "citty"),
        ("", {"desk_port": 70000}, "desk.port: 70000"),
        ("", {"sip_port": 0}, "switch.sip_port: 0"),
        ("", {"desk_port": 4444, "ivr_port": 4444}, "both want port 4444"),
        ("city = ", {}, "hotline.toml"),
        ("city = 5", {}, "city"),
        ('outbound_trunk = "moon"', {}, "moon"),
    ],
)
@pytest.mark.parametrize("command", ["run", "status", "doctor"])
def test_settings_that_cannot_work_are_told_in_one_sentence(
    site: Site, command: str, head: str, ports: dict[str, int], part: str
) -> None:
    site.write(head, **ports)
    told(site, site.call(command), part)


def test_a_settings_file_that_is_not_there_is_named(site: Site) -> None:
    told(site, site.call("run", "--settings", "nowhere.toml"), "nowhere.toml", "No such file")


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("sip_port", socket.SOCK_DGRAM),
        ("ami_port", socket.SOCK_STREAM),
        ("ivr_port", socket.SOCK_STREAM),
        ("push_port", socket.SOCK_STREAM),
        ("desk_port", socket.SOCK_STREAM),
    ],
)
def test_a_busy_port_is_named_and_nothing_is_left_running(
    site: Site, name: str, kind: socket.SocketKind
) -> None:
    with socket.socket(socket.AF_INET, kind) as other:
        other.bind(("127.0.0.1", site.port[name]))
        if kind == socket.SOCK_STREAM:
            other.listen()
        told(site, site.call("run"), str(site.port[name]))
    until(lambda: not site.processes())


@pytest.mark.parametrize(
    ("url", "part"),
    [
        ("sqlite+aiosqlite:////proc/nowhere/hotline.db", "/proc/nowhere"),
        ("sqlite+aiosqlite:///{home}/hotline.toml", "not a database"),
        ("postgresql+asyncpg://hotline:geheim@127.0.0.1:1/hotline", "hotline:***@127.0.0.1:1"),
        ("mysql://hotline", "mysql"),
    ],
)
def test_a_database_that_cannot_be_opened_is_named(site: Site, url: str, part: str) -> None:
    site.write(f'database_url = "{url.format(home=site.home)}"')
    ended = site.call("run")
    told(site, ended, part)
    assert "geheim" not in ended.stderr
    assert not site.processes()


def test_run_serves_and_sigterm_leaves_nothing_behind(site: Site) -> None:
    with running(site) as process:
        told(site, site.call("run"), "runs already from")
        seen = site.call("status", "--json")
        assert seen.returncode == 0, seen.stdout
        status = json.loads(seen.stdout)
        assert status["is_up"] and status["linked"]
        assert sum(status["seats"].values()) == 8
        parts = {"asterisk", "cti", "ivr", "desk", "archive", "database"}
        assert {part["name"] for part in status["parts"]} == parts
        assert "in use; this hotline runs" in site.call("doctor").stdout
        process.send_signal(signal.SIGTERM)
        assert process.wait(30) == 0
    assert not site.processes()
    stopped = site.call("status", "--json")
    assert stopped.returncode == 1
    assert not json.loads(stopped.stdout)["is_up"]


def test_after_ctrl_c_asterisk_goes_on_when_it_was_told_to(site: Site) -> None:
    with running(site, "--keep-switch") as process:
        asterisk = site.asterisk()
        process.send_signal(signal.SIGINT)
        assert process.wait(30) == 0
    assert asterisk is not None
    assert site.processes() == [asterisk]
    with running(site) as process:
        assert site.asterisk() == asterisk
        process.send_signal(signal.SIGINT)
        assert process.wait(30) == 0
    assert not site.processes()


def test_a_killed_supervisor_takes_our_processes_along_and_leaves_the_switch(site: Site) -> None:
    with running(site) as process:
        asterisk = site.asterisk()
        process.kill()
        until(lambda: site.processes() == [asterisk])
    with socket.socket() as other:
        other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        other.bind(("127.0.0.1", site.port["push_port"]))
        other.listen()
        told(site, site.call("run"), str(site.port["push_port"]))
    assert site.asterisk() == asterisk, "a start that fails ends nobody's calls"
    with running(site) as process:
        assert site.asterisk() == asterisk
        assert site.call("status").returncode == 0


@pytest.mark.parametrize(
    ("old", "new", "part"),
    [("originate", "log", "originate"), ("{secret}", "another", "refused")],
)
def test_an_ami_that_refuses_is_told_in_one_sentence(site: Site, old: str, new: str, part: str) -> None:
    with running(site, "--keep-switch") as process:
        process.send_signal(signal.SIGTERM)
        process.wait(30)
    asterisk = site.asterisk()
    assert asterisk is not None
    manager = NodePaths(site.state / "asterisk").etc / "manager.conf"
    secret = load_or_create(site.state).ami_cti
    manager.write_text(manager.read_text().replace(old.format(secret=secret), new))
    os.kill(asterisk, signal.SIGHUP)
    words = ("cti", "--settings", "hotline.toml")
    ended = site.call(*words, program=(sys.executable, "-m", "cli.process"))
    told(site, ended, part)


def test_the_demo_plays_three_calls_and_ends(site: Site) -> None:
    ended = site.call("demo", "--calls", "3", "--rate", "2")
    assert ended.returncode == 0, ended.stderr
    assert ended.stdout.count("its screen shows the caller") >= 3
    assert "3 calls were played" in ended.stdout
    assert "Traceback" not in ended.stdout + ended.stderr
    assert not site.processes()


def test_the_rehearsals_report_is_for_programs_too(site: Site) -> None:
    ended = site.call(
        "rehearse", *("--calls", "4"), *("--rate", "1"), *("--seats", "4"), *("--json", "report.json")
    )
    assert ended.returncode == 0, ended.stdout + ended.stderr
    report = json.loads((site.home / "report.json").read_text())
    assert list(report) == KEYS
    assert list(report["pop_ms"]) == list(report["three_way_invite_ms"]) == ["p50", "p99"]
    assert report["offered"] == report["records"] == 4
    assert report["lost"] == 0


def test_people_are_added_without_their_password_on_a_command_line(site: Site) -> None:
    added = site.call("person", "add", "1001", "王丽娟", "--role", "agent", text="correct horse\n")
    assert added.returncode == 0, added.stderr
    given = site.call("person", "skills", "1001", "--queue", "12345:3")
    assert given.stdout == "1001 serves 12345 (penalty 3)\n"
    assert site.call("person", "skills", "1001").stdout == "1001 serves 12345 (penalty 0)\n"
    told(site, site.call("person", "skills", "1001", "--queue", "12399:0"), "no queue '12399'")
    told(site, site.call("person", "skills", "1001", "--queue", "12345:x"), "not a queue and a penalty")
    told(site, site.call("person", "skills", "1009", "--queue", "12345:0"), "nobody with number '1009'")
    told(site, site.call("person", "add", "1001", "李", "--role", "agent", text="correct horse\n"), "1001")
    told(site, site.call("person", "add", "1002", "李", "--role", "agent", text="short\n"), "8 to 128")
    told(
        site, site.call("person", "add", "12", "李", "--role", "agent", text="correct horse\n"), "four digits"
    )
    assert site.call("person", "list").stdout.split() == ["1001", "agent", "王丽娟"]


def test_a_phones_password_goes_to_a_file_of_its_owner_and_not_to_the_screen(site: Site) -> None:
    shown = site.call("phone", "8003")
    assert shown.returncode == 0, shown.stderr
    path = site.state / "phones" / "8003.txt"
    assert path.stat().st_mode & 0o777 == 0o600
    account = dict(line.split(" = ") for line in path.read_text().splitlines())
    assert account["user"] == "8003" and account["port"] == str(site.port["sip_port"])
    assert len(account["password"]) == 32 and account["password"] not in shown.stdout
    assert f"{path}" in shown.stdout
    told(site, site.call("phone", "9999"), "8001 to 8008")


def test_the_word_of_a_wall_display_goes_to_a_file_and_a_new_one_is_another(site: Site) -> None:
    shown = site.call("screen")
    path = site.state / "screen-word"
    assert shown.returncode == 0, shown.stderr
    assert path.stat().st_mode & 0o777 == 0o600
    first = path.read_text().strip()
    assert f"{path}" in shown.stdout and first not in shown.stdout
    assert site.call("screen").returncode == 0 and path.read_text().strip() == first
    assert site.call("screen", "--new").returncode == 0 and path.read_text().strip() != first
