"""Owns what a node listens on: which ports a hotline's switch wants, and whether they are free."""

from __future__ import annotations

import socket

import msgspec

from hotline.errors import PortBusy
from hotline.settings import LOOPBACK, Settings


class Ports(msgspec.Struct, frozen=True, kw_only=True):
    """What a node listens on; checked before it starts. `ami_host` is `host` when it is left out."""

    host: str
    sip: int
    ami: int
    ami_host: str = ""
    http: int = 0
    """0: it serves no HTTP."""


def hotline_ports(settings: Settings) -> Ports:
    """What the switch that `render` configures listens on."""
    switch = settings.switch
    http = switch.http_port if settings.softphone_ids else 0
    return Ports(
        host=switch.host, sip=switch.sip_port, ami=switch.ami_port, ami_host=ami_host(settings), http=http
    )


def ami_host(settings: Settings) -> str:
    """Where AMI and HTTP listen: with the switch when that is on loopback, and on loopback in any case."""
    return settings.switch.host if settings.switch.host.startswith("127.") else LOOPBACK


def check_free(ports: Ports) -> None:
    """Raise PortBusy, naming the port, unless a node could listen on all of `ports`."""
    _check("SIP", socket.SOCK_DGRAM, ports.host, ports.sip)
    _check("AMI", socket.SOCK_STREAM, ports.ami_host or ports.host, ports.ami)
    if ports.http:
        _check("HTTP", socket.SOCK_STREAM, ports.ami_host or ports.host, ports.http)


def _check(what: str, kind: socket.SocketKind, host: str, port: int) -> None:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, kind) as probe:
        if kind == socket.SOCK_STREAM:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # as Asterisk does
        try:
            probe.bind((host, port))
        except OSError as error:
            protocol = "TCP" if kind == socket.SOCK_STREAM else "UDP"
            raise PortBusy(
                f"{protocol} port {port} on {host}, wanted for Asterisk's {what}, cannot be used: "
                f"{error.strerror}; free it or set another one"
            ) from error
