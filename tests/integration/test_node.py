"""Owns the tests of one real Asterisk's life: clean start, named failures, stop, crash, two side by side."""

import asyncio
import os
import re
import signal
import socket
import stat
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import msgspec
import pytest

from asterisk_conf import install, music
from asterisk_conf.node import Node, Ports
from asterisk_conf.paths import NodePaths
from asterisk_conf.ports import hotline_ports
from asterisk_conf.render import render, seat_password
from hotline.errors import PortBusy, SwitchUnavailable
from hotline.secret import Secrets
from hotline.settings import IvrSettings, QueueSettings, Settings, SwitchSettings, TrunkSettings

SECRETS = Secrets(
    ami_cti="c" * 32, ami_system="s" * 32, push_key="p" * 32, seat_key="k" * 32, session_key="w" * 32
)


def free_port(kind: int = socket.SOCK_STREAM) -> int:
    with socket.socket(socket.AF_INET, kind) as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def hotline() -> Settings:
    first = 20000 + free_port() % 20000
    switch = SwitchSettings(
        sip_port=free_port(socket.SOCK_DGRAM), ami_port=free_port(), rtp_first=first, rtp_last=first + 40
    )
    trunk = TrunkSettings(name="city", host="127.0.0.2", port=free_port(socket.SOCK_DGRAM))
    return Settings(switch=switch, ivr=IvrSettings(port=free_port()), trunks=(trunk,))


def new_node(home: Path) -> Node:
    program = install.find(install.cache_dir())
    assert program is not None, "no Asterisk: run make setup"
    music.ensure(NodePaths(home).moh)
    return Node(home, program)


async def started(home: Path, settings: Settings) -> Node:
    node = new_node(home)
    await node.start(render(settings, SECRETS, node.paths), hotline_ports(settings))
    return node


@pytest.fixture
async def node(tmp_path: Path) -> AsyncIterator[Node]:
    """A running hotline Asterisk of its own, for tests that end it."""
    node = await started(tmp_path / "node", hotline())
    yield node
    await node.stop()


def complaints(node: Node) -> list[str]:
    return [line for line in node.log.read_text().splitlines() if "WARNING" in line or "ERROR" in line]


async def test_the_rendered_files_start_without_a_complaint_and_are_for_our_eyes_only(node: Node) -> None:
    assert complaints(node) == []
    assert "fully booted" in await node.console("core waitfullybooted")
    for path in node.paths.etc.iterdir():
        assert stat.S_IMODE(path.stat().st_mode) == 0o600, path
    for path in (node.paths.home, node.paths.etc, node.paths.run, node.paths.recordings):
        assert stat.S_IMODE(path.stat().st_mode) == 0o700, path


async def test_all_57_seats_the_trunk_and_the_queue_are_there(node: Node) -> None:
    endpoints = await node.console("pjsip show endpoints")
    assert all(f"Endpoint:  {seat}" in endpoints for seat in Settings().seat_ids)
    assert "Match: 127.0.0.2/32" in endpoints
    assert "'leastrecent' strategy" in await node.console("queue show 12345")
    assert "default" in await node.console("moh show classes")


async def test_no_secret_stands_in_the_process_list(node: Node) -> None:
    words = Path(f"/proc/{node.pid}/cmdline").read_text()
    names = {word.split("=")[0] for word in Path(f"/proc/{node.pid}/environ").read_text().split("\0")}
    assert names <= {"PATH", "HOME", "TZ", "LANG", ""}
    for secret in (SECRETS.ami_cti, SECRETS.ami_system, SECRETS.seat_key, seat_password(SECRETS, "8001")):
        assert secret not in words


async def test_it_has_room_for_the_sockets_of_many_calls(node: Node) -> None:
    limits = Path(f"/proc/{node.pid}/limits").read_text()
    assert int(re.findall(r"Max open files\s+(\d+)", limits)[0]) >= 4096


async def test_a_taken_sip_or_ami_port_is_named_in_one_sentence(tmp_path: Path) -> None:
    settings = hotline()
    node = new_node(tmp_path / "node")
    files = render(settings, SECRETS, node.paths)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as taken:
        taken.bind(("127.0.0.1", settings.switch.sip_port))
        with pytest.raises(PortBusy, match=f"^UDP port {settings.switch.sip_port} on 127.0.0.1, wanted for "):
            await node.start(files, hotline_ports(settings))
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", settings.switch.ami_port))
        taken.listen()
        with pytest.raises(PortBusy, match=f"^TCP port {settings.switch.ami_port} .* Asterisk's AMI"):
            await node.start(files, hotline_ports(settings))
    assert node.pid is None


async def test_an_asterisk_that_dies_while_starting_is_reported_with_its_last_words(tmp_path: Path) -> None:
    settings = hotline()
    node = new_node(tmp_path / "node")
    files = render(settings, SECRETS, node.paths)
    files["modules.conf"] += "require = app_that_nobody_wrote.so\n"
    with pytest.raises(SwitchUnavailable, match=r"ended while starting.*app_that_nobody_wrote"):
        await node.start(files, hotline_ports(settings))
    assert node.pid is None


async def test_another_process_can_find_the_running_node_and_stop_it(node: Node) -> None:
    other = Node(node.paths.home, node.program)
    assert other.attach()
    assert other.pid == node.pid
    with pytest.raises(SwitchUnavailable, match="already runs"):
        await other.start({}, Ports(host="127.0.0.1", sip=free_port(), ami=free_port()))
    await other.stop()
    assert other.pid is None
    assert node.pid is None
    assert not Node(node.paths.home, node.program).attach()


async def test_after_a_crash_it_starts_again_from_the_same_home(tmp_path: Path) -> None:
    settings = hotline()
    node = await started(tmp_path / "node", settings)
    crashed = node.pid
    node.kill()
    await asyncio.wait_for(node.wait(), 5)
    assert node.pid is None
    await node.start(render(settings, SECRETS, node.paths), hotline_ports(settings))
    try:
        assert node.pid not in (None, crashed)
    finally:
        await node.stop()


async def test_a_reload_brings_changed_settings_into_force_without_a_restart(tmp_path: Path) -> None:
    settings = hotline()
    node = await started(tmp_path / "node", settings)
    try:
        before, pid = node.paths.etc.joinpath("pjsip.conf").stat().st_mtime_ns, node.pid
        changed = msgspec.structs.replace(settings, queue=QueueSettings(service_level_s=77))
        await node.reload(render(changed, SECRETS, node.paths))
        assert "within 77s" in await node.console("queue show 12345")
        assert node.paths.etc.joinpath("pjsip.conf").stat().st_mtime_ns == before
        assert node.pid == pid
    finally:
        await node.stop()


async def test_two_nodes_run_side_by_side_and_keep_to_themselves(tmp_path: Path) -> None:
    deep = tmp_path / ("a-directory-with-a-name-longer-than-any-socket-may-have-" * 2)
    one, two = await asyncio.gather(started(tmp_path / "one", hotline()), started(deep, hotline()))
    try:
        assert one.pid != two.pid
        await one.console("database put family key one")
        assert "entry not found" in (await two.console("database get family key")).lower()
        await one.stop()
        assert "System uptime" in await two.console("core show uptime")
        assert complaints(two) == []
    finally:
        await one.stop()
        await two.stop()


STARTER = """
import asyncio, sys
from pathlib import Path
import test_node
async def main():
    settings = test_node.hotline()
    node = test_node.new_node(Path(sys.argv[1]))
    files = test_node.render(settings, test_node.SECRETS, node.paths)
    await node.start(files, test_node.hotline_ports(settings), detached=sys.argv[2] == "detached")
    print(node.pid, flush=True)
    await asyncio.Event().wait()
asyncio.run(main())
"""


@pytest.mark.parametrize("how", ["attached", "detached"])
async def test_only_a_detached_node_outlives_the_process_that_started_it(tmp_path: Path, how: str) -> None:
    path = os.pathsep.join([str(Path(__file__).parent), *sys.path])
    starter = await asyncio.create_subprocess_exec(
        sys.executable, "-c", STARTER, str(tmp_path / "node"), how,
        stdout=subprocess.PIPE, env=os.environ | {"PYTHONPATH": path},
    )  # fmt: skip
    assert starter.stdout is not None
    pid = int([line async for line in _until_a_number(starter.stdout)][-1])
    starter.send_signal(signal.SIGKILL)
    await starter.wait()
    node = new_node(tmp_path / "node")
    assert node.attach() or how == "attached"
    try:
        if how == "attached":
            await asyncio.wait_for(node.wait(), 10)
            assert not node.attach()
        else:
            assert node.pid == pid
            assert "System uptime" in await node.console("core show uptime")
    finally:
        await node.stop()


async def _until_a_number(stream: asyncio.StreamReader) -> AsyncIterator[str]:
    while line := (await stream.readline()).decode().strip():
        yield line
        if line.isdigit():
            return
