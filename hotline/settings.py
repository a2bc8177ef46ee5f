"""Owns the settings of one hotline: their types, defaults, file form (TOML) and checks. Holds no secret."""

from __future__ import annotations

import re
from pathlib import Path

import msgspec

from hotline.errors import BadSettings

LOOPBACK = "127.0.0.1"


class TrunkSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A SIP trunk (中继) to the public network or to a department's switch, identified by its address."""

    name: str
    host: str
    port: int = 5060


class SwitchSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Where the hotline's Asterisk listens. Ports are TCP/UDP numbers, RTP a closed range of UDP ports."""

    host: str = LOOPBACK
    sip_port: int = 5060
    http_port: int = 8088
    ami_port: int = 5038
    rtp_first: int = 10000
    rtp_last: int = 11999


class SeatSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The room's seats (座席): `count` of them, numbered upward from `first`. Tai'an has 57."""

    first: int = 8001
    count: int = 57


class SupervisorSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The supervisors' phones (班长话机): `count` of them, numbered upward from `first`; 0 is none."""

    first: int = 8901
    count: int = 4
    tell_agent: bool = False
    """Whether an agent is shown that a supervisor listens. That it happened is recorded either way."""


class QueueSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The queue (排队) behind one dialled number. Times in seconds."""

    number: str = "12345"
    ring_s: int = 20
    wrapup_s: int = 60
    """How long an agent may finish notes after a call (话后整理) before the next one comes."""
    wrapup_floor_s: int = 2
    """app_queue's own pause after a call: holds when the CTI server is down."""
    announce_every_s: int = 30
    short_abandon_s: int = 5
    """A caller who hangs up sooner is a short abandon and not counted against the hotline."""
    service_level_s: int = 15
    """T of GB/T 33358: answered within T."""


class CtiSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The CTI server's push endpoint (WebSocket), and its figures for monitoring."""

    host: str = LOOPBACK
    push_port: int = 8765
    metrics_port: int = 0
    """Prometheus' `/metrics`, on loopback only; 0: none."""


class IvrSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The FastAGI endpoint that greets callers."""

    host: str = LOOPBACK
    port: int = 4573


class DeskSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The desk's web server."""

    host: str = LOOPBACK
    port: int = 8080


class Settings(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Everything a site can set. `state_dir` is absolute after `load`: databases, recordings, secrets and
    logs live there.
    """

    node: str = "n1"
    city: str = "泰安"
    area_code: str = "0538"
    state_dir: str = "var"
    database_url: str = ""
    """SQLAlchemy async URL; empty means SQLite in `state_dir`."""
    not_ready_reasons: tuple[str, ...] = ("小休", "用餐", "培训", "会议")
    emergency_numbers: tuple[str, ...] = ("110", "119", "120", "122")
    third_party_ring_s: int = 30
    outbound_trunk: str = "city"
    outbound_allowed: tuple[str, ...] = (
        "1ZXXXXXXXXX",
        "0ZXXXXXXXX",
        "0ZXXXXXXXXX",
        "0ZXXXXXXXXXX",
        "ZXXXXXX",
    )
    """What agents may call (外呼): X any digit, Z 1 to 9, N 2 to 9. Nothing else passes."""
    emergency_trunks: tuple[str, ...] = ()
    """Routes to 110, 119, 120, 122, tried in this order; none: `outbound_trunk` alone."""
    switch: SwitchSettings = msgspec.field(default_factory=SwitchSettings)
    trunks: tuple[TrunkSettings, ...] = (TrunkSettings(name="city", host="127.0.0.2", port=5060),)
    seats: SeatSettings = msgspec.field(default_factory=SeatSettings)
    supervisors: SupervisorSettings = msgspec.field(default_factory=SupervisorSettings)
    queue: QueueSettings = msgspec.field(default_factory=QueueSettings)
    cti: CtiSettings = msgspec.field(default_factory=CtiSettings)
    ivr: IvrSettings = msgspec.field(default_factory=IvrSettings)
    desk: DeskSettings = msgspec.field(default_factory=DeskSettings)

    @property
    def state(self) -> Path:
        """The state directory as a path."""
        return Path(self.state_dir)

    @property
    def seat_ids(self) -> tuple[str, ...]:
        """The seats' numbers as text, in order: ("8001", …)."""
        return tuple(str(n) for n in range(self.seats.first, self.seats.first + self.seats.count))

    @property
    def supervisor_ids(self) -> tuple[str, ...]:
        """The supervisors' phones' numbers as text, in order: ("8901", …)."""
        first = self.supervisors.first
        return tuple(str(n) for n in range(first, first + self.supervisors.count))

    @property
    def phone_ids(self) -> tuple[str, ...]:
        """Every phone that registers with the hotline: the seats', then the supervisors'."""
        return self.seat_ids + self.supervisor_ids

    @property
    def database(self) -> str:
        """The SQLAlchemy URL in force."""
        return self.database_url or f"sqlite+aiosqlite:///{self.state / 'hotline.db'}"


_NAME = re.compile(r"[a-z][a-z0-9_]{0,30}")
_HOST = re.compile(r"[0-9A-Za-z.:-]{1,255}")
_NUMBER = re.compile(r"[0-9]{3,16}")
_PATTERN = re.compile(r"[0-9XZN]{3,16}")


def load(path: Path) -> Settings:
    """Read and check a settings file; BadSettings says in one sentence what is wrong and where.

    TOML is for people; a file named *.json holds the same for programs.
    """
    try:
        data = path.read_bytes()
    except OSError as error:
        raise BadSettings(f"cannot read settings file {path}: {error.strerror}") from error
    try:
        decode = msgspec.json.decode if path.suffix == ".json" else msgspec.toml.decode
        settings = decode(data, type=Settings)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise BadSettings(f"settings file {path}: {error}") from error
    settings = msgspec.structs.replace(settings, state_dir=str((path.parent / settings.state_dir).resolve()))
    check(settings)
    return settings


def check(settings: Settings) -> None:
    """Raise BadSettings for a value that no part of the hotline could live with."""
    _check_names(settings)
    _check_ports(settings)
    _check_seats(settings)
    queue = settings.queue
    if min(queue.ring_s, queue.wrapup_s, queue.announce_every_s, queue.service_level_s) < 1:
        raise BadSettings(
            "queue: ring_s, wrapup_s, announce_every_s and service_level_s are at least 1 second"
        )
    for reason in settings.not_ready_reasons:
        if not reason or len(reason) > 20 or any(c in reason for c in ";|\r\n\0,"):
            raise BadSettings(
                f"not_ready_reasons: {reason!r} must be 1 to 20 characters without ; | , or line breaks"
            )


def _check_names(settings: Settings) -> None:
    if not _NAME.fullmatch(settings.node):
        raise BadSettings(f"node: {settings.node!r} must be lower-case letters, digits and _, at most 31")
    if not settings.trunks:
        raise BadSettings("trunks: at least one trunk is needed")
    names = [trunk.name for trunk in settings.trunks]
    for trunk in settings.trunks:
        if not _NAME.fullmatch(trunk.name):
            raise BadSettings(
                f"trunks: name {trunk.name!r} must be lower-case letters, digits and _, at most 31"
            )
        if not _HOST.fullmatch(trunk.host):
            raise BadSettings(f"trunks: host {trunk.host!r} of {trunk.name} is not an address")
    if len(set(names)) != len(names):
        raise BadSettings("trunks: two trunks have one name")
    if settings.outbound_trunk not in names:
        raise BadSettings(f"outbound_trunk: there is no trunk named {settings.outbound_trunk!r}")
    for trunk_name in settings.emergency_trunks:
        if trunk_name not in names:
            raise BadSettings(f"emergency_trunks: there is no trunk named {trunk_name!r}")
    for pattern in settings.outbound_allowed:
        if not _PATTERN.fullmatch(pattern):
            raise BadSettings(f"outbound_allowed: {pattern!r} is not 3 to 16 digits, X, Z or N")
    for number in (settings.queue.number, *settings.emergency_numbers):
        if not _NUMBER.fullmatch(number):
            raise BadSettings(f"{number!r} is not a number of 3 to 16 digits")


def _check_ports(settings: Settings) -> None:
    switch = settings.switch
    if not 1024 <= switch.rtp_first < switch.rtp_last <= 65535:
        raise BadSettings("switch: rtp_first must be below rtp_last, both within 1024 to 65535")
    named = {
        "switch.sip_port": switch.sip_port,
        "switch.http_port": switch.http_port,
        "switch.ami_port": switch.ami_port,
        "cti.push_port": settings.cti.push_port,
        "ivr.port": settings.ivr.port,
        "desk.port": settings.desk.port,
    }
    if settings.cti.metrics_port:
        named["cti.metrics_port"] = settings.cti.metrics_port
    seen: dict[int, str] = {}
    for name, port in named.items():
        if not 1 <= port <= 65535:
            raise BadSettings(f"{name}: {port} is not a port (1 to 65535)")
        if port in seen:
            raise BadSettings(f"{name} and {seen[port]} both want port {port}")
        seen[port] = name


def _check_seats(settings: Settings) -> None:
    seats = settings.seats
    if not 1 <= seats.count <= 2000 or not 100 <= seats.first <= 99999:
        raise BadSettings("seats: count is 1 to 2000, first 100 to 99999")
    if settings.queue.number in settings.seat_ids:
        raise BadSettings(f"queue.number {settings.queue.number} is a seat's number too")
    supervisors = settings.supervisors
    if not 0 <= supervisors.count <= 200 or not 100 <= supervisors.first <= 99999:
        raise BadSettings("supervisors: count is 0 to 200, first 100 to 99999")
    for taken in (*settings.seat_ids, settings.queue.number):
        if taken in settings.supervisor_ids:
            raise BadSettings(f"supervisors: {taken} is a seat's or the queue's number too")
