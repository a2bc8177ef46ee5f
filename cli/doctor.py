"""Owns `hotline doctor`: what must be there before calls can come, each with the way to mend it."""

from __future__ import annotations

import shutil
import socket
import stat
from pathlib import Path

import msgspec

from asterisk_conf import install
from asterisk_conf.node import Node
from asterisk_conf.ports import ami_host
from cli.run import home_of_switch
from ctiserver.ami.connection import Link
from hotline import clock, tls
from hotline.db.engine import Database, shown_url
from hotline.errors import AmiRefused, BadSettings, HotlineError, SwitchUnavailable
from hotline.local_time import DAY_US
from hotline.secret import load_or_create
from hotline.settings import Settings

LEAST_FREE_GB = 7.0
"""An hour of 57 talking seats records 6.6 GB, one file for each direction."""
_SOON_DAYS = 14
"""Less is too little to be told in time."""
_TOOLS = ("espeak-ng", "sox", "flac")
_LOOPBACK = ("127.", "::1", "localhost")


class Finding(msgspec.Struct, frozen=True):
    """One thing looked at."""

    what: str
    is_well: bool
    found: str
    mend: str = ""


async def examine(settings: Settings) -> list[Finding]:
    """Look at everything; nothing is changed but what a first start would make (state directory, secrets)."""
    program = install.find(install.cache_dir())
    node = Node(home_of_switch(settings), program) if program is not None else None
    runs = node is not None and node.attach()
    return [
        _asterisk(program),
        *_ports(settings, runs),
        await _ami(settings, runs),
        await _database(settings),
        _disk(settings.state),
        *([_disk(settings.recordings)] if settings.recording.directory else []),
        _secrets(settings),
        _tools(),
        _certificates(settings),
    ]


def _asterisk(program: install.Program | None) -> Finding:
    if program is None:
        return Finding("Asterisk", False, "none", "make setup")
    return Finding("Asterisk", program.major >= install.OLDEST, program.version, "")


def _ports(settings: Settings, runs: bool) -> list[Finding]:
    switch = settings.switch
    wanted = [
        ("SIP", switch.host, switch.sip_port, socket.SOCK_DGRAM),
        ("AMI", ami_host(settings), switch.ami_port, socket.SOCK_STREAM),
        ("push", settings.cti.host, settings.cti.push_port, socket.SOCK_STREAM),
        ("IVR", settings.ivr.host, settings.ivr.port, socket.SOCK_STREAM),
        ("desk", settings.desk.host, settings.desk.port, socket.SOCK_STREAM),
    ]
    return [_port(what, host, port, kind, runs) for what, host, port, kind in wanted]


def _port(what: str, host: str, port: int, kind: socket.SocketKind, runs: bool) -> Finding:
    name = f"port {port} ({what})"
    with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, kind) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, kind == socket.SOCK_STREAM)
        try:
            probe.bind((host, port))
        except OSError as error:
            if runs:
                return Finding(name, True, "in use; this hotline runs")
            return Finding(name, False, error.strerror or "taken", "free it, or set another one")
    return Finding(name, not runs or what not in ("SIP", "AMI"), "free", "restart Asterisk" if runs else "")


async def _ami(settings: Settings, runs: bool) -> Finding:
    if not runs:
        return Finding("AMI rights", True, "Asterisk does not run; seen at the next start")
    switch, keys = settings.switch, load_or_create(settings.state)
    link = Link(
        ami_host(settings),
        switch.ami_port,
        "cti",
        keys.ami_cti,
        trunk=settings.outbound_trunk,
        ring_s=settings.third_party_ring_s,
        on_event=lambda _event: None,
    )
    try:
        await link.start(5)
    except (AmiRefused, SwitchUnavailable) as error:
        return Finding(
            "AMI rights", False, str(error), "`hotline run` writes manager.conf anew and reloads it"
        )
    finally:
        await link.stop()
    return Finding("AMI rights", True, "user cti may do all it must")


async def _database(settings: Settings) -> Finding:
    try:
        database = await Database.open(settings.database)
    except HotlineError as error:
        return Finding("database", False, str(error), "`hotline run` makes and upgrades the schema")
    shown = shown_url(database.engine.url)
    await database.close()
    return Finding("database", True, shown)


def _disk(state: Path) -> Finding:
    place = state
    while not place.exists():
        place = place.parent
    free = shutil.disk_usage(place).free / 1e9
    return Finding(
        "disk", free >= LEAST_FREE_GB, f"{free:.1f} GB free in {place}", "make room for recordings"
    )


def _secrets(settings: Settings) -> Finding:
    path = settings.state / "secrets.json"
    if not path.exists():
        return Finding("secrets", True, "made at first start")
    mode = stat.S_IMODE(path.stat().st_mode)
    return Finding("secrets", mode & 0o077 == 0, f"mode {mode:04o}", f"chmod 600 {path}")


def _tools() -> Finding:
    missing = [tool for tool in _TOOLS if shutil.which(tool) is None]
    found = "no " + ", ".join(missing) if missing else ", ".join(_TOOLS)
    return Finding("prompts, recordings", not missing, found, "make setup")


def _certificates(settings: Settings) -> Finding:
    desk, what = settings.desk, "certificates"
    hosts = {settings.cti.host, settings.switch.host} | ({desk.host} if not desk.certificate else set())
    if outside := sorted(host for host in hosts if not host.startswith(_LOOPBACK)):
        mend = "listen on loopback, with a TLS proxy before it, or give the desk a certificate"
        return Finding(what, False, f"plain text on {', '.join(outside)}", mend)
    if not desk.certificate:
        return Finding(what, True, "not needed: everything listens on loopback")
    try:
        left_us = tls.ends_us(Path(desk.certificate), Path(desk.certificate_key)) - clock.now().utc_us
    except BadSettings as error:
        return Finding(what, False, str(error), "put a valid pair there; the desk reads it within a minute")
    days = left_us // DAY_US
    return Finding(what, days >= _SOON_DAYS, f"valid for {days} days", "renew it")
