"""The command `hotline` as people and systemd meet it: its sentences of error, exit statuses, people."""

from __future__ import annotations

import os
import signal
import socket
import sys

import pytest

from asterisk_conf.node import NodePaths
from hotline.secret import load_or_create
from tests.integration.command_site import Site, running, told, until


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
