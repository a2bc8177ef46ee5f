"""Owns the settings of one hotline: their types, defaults, file form (TOML) and checks. Holds no secret."""

from __future__ import annotations

import ipaddress
import re
from pathlib import Path
from urllib.parse import SplitResult, urlsplit

import msgspec

from hotline.errors import BadSettings
from hotline.ivr_settings import IvrSettings, check_ivr, check_spoken

LOOPBACK = "127.0.0.1"
HOOK_EVENTS = (
    "call.offered",
    "call.answered",
    "call.ended",
    "call.three_way",
    "call.missed",
    "emergency.called",
    "emergency.changed",
    "emergency.case",
    "case.filed",
    "case.dispatched",
    "case.accepted",
    "case.replied",
    "case.reviewed",
    "case.visited",
    "case.closed",
    "case.overdue",
    "case.changed",
)
"""What a webhook may ask for; docs/api/webhooks.md says when each is sent."""
SHORTEST_KEEP_DAYS = 183
"""Half a year: no hotline may throw a recording away sooner."""


class TrunkSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A SIP trunk (中继) to the public network or to a department's switch, identified by its address."""

    name: str
    host: str
    port: int = 5060
    label: str = ""
    """What agents see of the calls that come over it: "110转来"."""
    is_emergency: bool = False
    """It comes from an emergency service: no greeting, and first in line."""


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
    softphones: tuple[str, ...] = ()
    """Seats that talk in the page (网页话机), not by a desk phone: numbers, or ranges as "8001-8020"."""


class SupervisorSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The supervisors' phones (班长话机): `count` of them, numbered upward from `first`; 0 is none."""

    first: int = 8901
    count: int = 4
    tell_agent: bool = False
    """Whether an agent is shown that a supervisor listens. That it happened is recorded either way."""


class VisitSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The visit back (回访). In the script {city}, {title} and {unit} stand for the case's own words."""

    script: str = (
        "您好，这里是{city} 12345 政务服务便民热线。您反映的“{title}”，{unit}已经答复。"
        "想请您评价一下：问题是否得到解决？您对办理结果满意吗？承办单位是否及时与您联系？"
    )

    def script_for(self, city: str, title: str, unit: str) -> str:
        """What the visitor says about this case."""
        words = {"{city}": city, "{title}": title, "{unit}": unit}
        return re.sub(r"\{(?:city|title|unit)\}", lambda found: words[found[0]], self.script)


class RestSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Rest by approval (小休审批): off while `reasons` is empty."""

    reasons: tuple[str, ...] = ()
    """Out of `not_ready_reasons`: a seat asks for these, and a supervisor grants or refuses."""
    most: int = 0
    """So many seats may rest for these at once, unless a supervisor says why more; 0: no limit."""


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
    repeat_within_min: int = 10
    """Who gave up in a queue less than so many minutes ago comes before others; 0: nobody does."""
    last_agent_within_h: int = 0
    """Answered less than so many hours ago: to the same agent, if free (上次坐席优先); 0: nobody."""
    miss_limit: int = 2
    """After so many unanswered rings in a row a seat is put not ready (未接); 0: never."""
    max_waiting: int = 0
    """Nobody else is let in while so many wait: they hear that all seats are busy; 0: no limit."""
    hours: str = ""
    """Open from and to (城市时间), as "08:30-17:30"; "": always."""
    days: str = "mon-fri"
    """The days on which `hours` hold: "mon-fri", "mon-sat" or "mon-sun"; closed on the others."""
    name: str = "综合"
    """As pages show it, beside those of `skills`."""


class SkillSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A queue of its own for callers who need a certain skill (技能队列): 企业专席, 台胞, English, 方言.

    Its times and its service level are those of `queue`.
    """

    id: str
    name: str
    number: str
    overflow_s: int = 0
    """A seat of penalty p may ring for a caller who has waited p times as long; 0: at once, if no better one
    is free.
    """
    max_waiting: int = 0
    hours: str = ""
    days: str = "mon-fri"
    """These three as in `queue`."""


class CallbackSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Callback keeping one's place (保位回呼), in every queue."""

    key: str = "2"
    """What a waiting caller presses to be called back; "" or "0": it is not offered."""
    offer_every_s: int = 45
    """How often a waiting caller is told of it, seconds."""
    tries: int = 3
    """How often a citizen who does not answer is called before people work it off as a missed call."""
    retry_s: int = 600
    """Pause between two tries, seconds."""


class LineSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A legacy line that was merged into the hotline (并入热线): it keeps its number (DNIS) and leads to
    `queue`; agents see `label`.
    """

    number: str
    queue: str
    label: str
    greeting: str = ""
    """How its callers are greeted; "": as everybody."""


class CtiSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The CTI server's push endpoint (WebSocket), and its figures for monitoring."""

    host: str = LOOPBACK
    push_port: int = 8765
    metrics_port: int = 0
    """Prometheus' `/metrics`, on loopback only; 0: none."""


class DeskSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The desk's web server."""

    host: str = LOOPBACK
    port: int = 8080
    public_url: str = ""
    """What agents open, as "https://desk.example", where a proxy with TLS stands in front or the desk has a
    certificate; "": neither.
    """
    certificate: str = ""
    """PEM file of the desk's own certificate (证书) with its chain; "": plain HTTP on loopback."""
    certificate_key: str = ""
    """PEM file of its key, without a password."""
    jurisdiction_id: str = ""
    """What Open311 calls this city, as "taian.gov.cn"; "": whatever is asked for is this one."""


class WebhookSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """One integrator's address to which events of calls and cases are sent, signed (回调). Its secret is in
    the state directory.
    """

    name: str
    url: str
    """https; http only to a loopback or private address."""
    events: tuple[str, ...] = ()
    """Out of HOOK_EVENTS; empty: all of them."""
    timeout_s: int = 10
    """How long one try may take, seconds."""
    with_numbers: bool = False
    """Whether `call.*` and `case.*` carry the citizen's number; `emergency.*` always do, secret cases never.
    """
    units: tuple[str, ...] = ()
    """Only `case.*` of cases that concern these units, by their names; empty: of all cases."""
    with_words: bool = False
    """Whether `case.*` carry the case's title and what was written with the move; secret cases never do."""


class RecordingSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The archive of recordings (录音)."""

    keep_days: int = SHORTEST_KEEP_DAYS
    """日志与录音至少六个月 (网络安全法 第二十一条 for logs): then the file is removed, its record stays."""
    directory: str = ""
    """Absolute; empty means `recordings` in `state_dir`."""


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
    outbound_per_agent: int = 0
    """外呼限额: so many citizens an agent may call in a day; 0: no limit."""
    outbound_per_number: int = 0
    """So often the hotline may call one number in a day, whoever calls; 0: no limit."""
    emergency_trunks: tuple[str, ...] = ()
    """Routes to 110, 119, 120, 122, tried in this order; none: `outbound_trunk` alone."""
    switch: SwitchSettings = msgspec.field(default_factory=SwitchSettings)
    trunks: tuple[TrunkSettings, ...] = (TrunkSettings(name="city", host="127.0.0.2", port=5060),)
    seats: SeatSettings = msgspec.field(default_factory=SeatSettings)
    supervisors: SupervisorSettings = msgspec.field(default_factory=SupervisorSettings)
    rest: RestSettings = msgspec.field(default_factory=RestSettings)
    queue: QueueSettings = msgspec.field(default_factory=QueueSettings)
    skills: tuple[SkillSettings, ...] = ()
    lines: tuple[LineSettings, ...] = ()
    callback: CallbackSettings = msgspec.field(default_factory=CallbackSettings)
    cti: CtiSettings = msgspec.field(default_factory=CtiSettings)
    ivr: IvrSettings = msgspec.field(default_factory=IvrSettings)
    desk: DeskSettings = msgspec.field(default_factory=DeskSettings)
    webhooks: tuple[WebhookSettings, ...] = ()
    recording: RecordingSettings = msgspec.field(default_factory=RecordingSettings)
    visit: VisitSettings = msgspec.field(default_factory=VisitSettings)

    @property
    def state(self) -> Path:
        """The state directory as a path."""
        return Path(self.state_dir)

    @property
    def seat_ids(self) -> tuple[str, ...]:
        """The seats' numbers as text, in order: ("8001", …)."""
        return tuple(str(n) for n in range(self.seats.first, self.seats.first + self.seats.count))

    @property
    def softphone_ids(self) -> tuple[str, ...]:
        """The seats that talk in the page (网页话机), in order."""
        spans = [_span(text) for text in self.seats.softphones]
        return tuple(seat for seat in self.seat_ids if any(int(seat) in span for span in spans))

    @property
    def desk_phone_ids(self) -> tuple[str, ...]:
        """Every phone that stands on a desk: all of `phone_ids` but those in the page."""
        return tuple(phone for phone in self.phone_ids if phone not in self.softphone_ids)

    @property
    def desk_origins(self) -> tuple[str, ...]:
        """Where the desk's pages come from, as a browser names it in `Origin`."""
        hosts = sorted({self.desk.host, LOOPBACK, "localhost"})
        own = tuple(f"{scheme}://{host}:{self.desk.port}" for host in hosts for scheme in ("http", "https"))
        return (*own, self.desk.public_url) if self.desk.public_url else own

    @property
    def desk_url(self) -> str:
        """What agents open, without a slash at the end."""
        return self.desk.public_url or f"http://{self.desk.host}:{self.desk.port}"

    @property
    def page_push_url(self) -> str:
        """Where a page opens its WebSocket to the CTI server; at a public address its `/push` leads there."""
        if self.desk.public_url:
            return f"{self.desk.public_url.replace('http', 'ws', 1)}/push"
        return f"ws://{self.cti.host}:{self.cti.push_port}/v1"

    @property
    def recordings(self) -> Path:
        """The directory of archived recordings."""
        return Path(self.recording.directory) if self.recording.directory else self.state / "recordings"

    @property
    def queues(self) -> tuple[SkillSettings, ...]:
        """Every queue in one form, the general one first."""
        general = SkillSettings(
            id="general",
            name=self.queue.name,
            number=self.queue.number,
            max_waiting=self.queue.max_waiting,
            hours=self.queue.hours,
            days=self.queue.days,
        )
        return (general, *self.skills)

    @property
    def callback_key(self) -> str:
        """The key for a callback, "" when it is not offered."""
        return self.callback.key.replace("0", "")

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


def _span(text: str) -> range:
    """ "8001" or "8001-8020" as numbers; empty for what is neither (`check` refuses it)."""
    first, _, last = text.partition("-")
    if not (_SEAT.fullmatch(first) and _SEAT.fullmatch(last or first)):
        return range(0)
    return range(int(first), int(last or first) + 1)


WORST_PENALTY = 9
"""The highest penalty that a seat can have in a queue."""

_NAME = re.compile(r"[a-z][a-z0-9_]{0,30}")
_HOST = re.compile(r"[0-9A-Za-z.:-]{1,255}")
_NUMBER = re.compile(r"[0-9]{3,16}")
_SEAT = re.compile(r"[0-9]{3,5}")
_PATTERN = re.compile(r"[0-9XZN]{3,16}")
_URL = re.compile(r"[!-~]{1,1000}")
_PRIVATE = tuple(map(ipaddress.ip_network, ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "fc00::/7")))
_ORIGIN = re.compile(r"https?://[0-9a-z][0-9a-z.-]{0,252}(:[0-9]{1,5})?")
_HOURS = re.compile(r"([01][0-9]|2[0-3]):[0-5][0-9]-([01][0-9]|2[0-3]):[0-5][0-9]")
_DAYS = ("mon-fri", "mon-sat", "mon-sun")
_SKILL = re.compile(r"[a-z]{1,31}")


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
    _check_webhooks(settings.webhooks)
    _check_recording(settings.recording)
    _check_queues(settings)
    _check_callback(settings)
    numbers = tuple(queue.number for queue in settings.queues)
    check_ivr(settings.ivr, numbers, settings.emergency_numbers, bool(settings.callback_key))
    queue = settings.queue
    if min(queue.ring_s, queue.wrapup_s, queue.announce_every_s, queue.service_level_s) < 1:
        raise BadSettings(
            "queue: ring_s, wrapup_s, announce_every_s and service_level_s are at least 1 second"
        )
    if not 0 <= queue.repeat_within_min <= 1440:
        raise BadSettings("queue: repeat_within_min is 0 to 1440 minutes")
    if not 0 <= queue.last_agent_within_h <= 8760:
        raise BadSettings("queue: last_agent_within_h is 0 to 8760 hours")
    if not 0 <= queue.miss_limit <= 100:
        raise BadSettings("queue: miss_limit is 0 to 100 calls")
    for reason in settings.not_ready_reasons:
        if not reason or len(reason) > 20 or any(c in reason for c in ";|\r\n\0,"):
            raise BadSettings(
                f"not_ready_reasons: {reason!r} must be 1 to 20 characters without ; | , or line breaks"
            )
    for reason in settings.rest.reasons:
        if reason not in settings.not_ready_reasons:
            raise BadSettings(f"rest.reasons: {reason!r} is none of not_ready_reasons")
    if not 0 <= settings.rest.most <= 2000:
        raise BadSettings("rest.most is 0 to 2000 seats")


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
        if trunk.label:
            _check_word(f"label of trunk {trunk.name}", trunk.label)
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
    if not (0 <= settings.outbound_per_agent <= 10_000 and 0 <= settings.outbound_per_number <= 10_000):
        raise BadSettings("outbound_per_agent and outbound_per_number are 0 to 10000 calls")
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
    if settings.desk.public_url and not _ORIGIN.fullmatch(settings.desk.public_url):
        raise BadSettings(
            f"desk.public_url: {settings.desk.public_url!r} is not https://host or https://host:port"
        )
    desk = settings.desk
    if bool(desk.certificate) != bool(desk.certificate_key):
        raise BadSettings("desk.certificate and desk.certificate_key go together")
    if desk.certificate and not desk.public_url.startswith("https:"):
        raise BadSettings("desk.certificate needs desk.public_url, the https address that agents open")
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
    for text in seats.softphones:
        span = _span(text)
        if not span or span[0] < seats.first or span[-1] >= seats.first + seats.count:
            raise BadSettings(f"seats.softphones: {text!r} is no seat, and no range of seats")
    supervisors = settings.supervisors
    if not 0 <= supervisors.count <= 200 or not 100 <= supervisors.first <= 99999:
        raise BadSettings("supervisors: count is 0 to 200, first 100 to 99999")
    for taken in (*settings.seat_ids, *(queue.number for queue in settings.queues)):
        if taken in settings.supervisor_ids:
            raise BadSettings(f"supervisors: {taken} is a seat's or a queue's number too")


def _check_webhooks(hooks: tuple[WebhookSettings, ...]) -> None:
    names = [hook.name for hook in hooks]
    if len(set(names)) != len(names):
        raise BadSettings("webhooks: two webhooks have one name")
    for hook in hooks:
        if not _NAME.fullmatch(hook.name):
            raise BadSettings(
                f"webhooks: name {hook.name!r} must be lower-case letters, digits and _, at most 31"
            )
        _check_hook_url(hook)
        if unknown := [kind for kind in hook.events if kind not in HOOK_EVENTS]:
            raise BadSettings(f"webhooks: {unknown[0]!r} of {hook.name} is none of {', '.join(HOOK_EVENTS)}")
        if not 1 <= hook.timeout_s <= 60:
            raise BadSettings(f"webhooks: timeout_s of {hook.name} is 1 to 60 seconds")


def _check_hook_url(hook: WebhookSettings) -> None:
    """The message does not repeat the URL: its query may hold a password."""
    where = f"webhooks: url of {hook.name}"
    if not _URL.fullmatch(hook.url):
        raise BadSettings(f"{where} must be plain ASCII without blanks, at most 1000 characters")
    try:
        url = urlsplit(hook.url)
        has_port = url.port != 0
    except ValueError as error:
        raise BadSettings(f"{where} has a host or port that is none") from error
    if url.scheme not in ("http", "https") or not url.hostname or not has_port:
        raise BadSettings(f"{where} must be https://host/… or http://host/…")
    if url.username is not None or url.fragment:
        raise BadSettings(f"{where} must hold no user name, password or #")
    if url.scheme == "http" and not _is_near(url):
        raise BadSettings(f"{where} must be https: plain http is for loopback and private addresses only")


def _is_near(url: SplitResult) -> bool:
    """Whether the host is this machine or an address that is not routed on the internet (RFC 1918, 4193)."""
    if url.hostname == "localhost":
        return True
    try:
        address = ipaddress.ip_address(url.hostname or "")
    except ValueError:
        return False
    return address.is_loopback or any(address in net for net in _PRIVATE if net.version == address.version)


def _check_recording(recording: RecordingSettings) -> None:
    if not SHORTEST_KEEP_DAYS <= recording.keep_days <= 36_500:
        raise BadSettings(f"recording.keep_days: {SHORTEST_KEEP_DAYS} (half a year) to 36500")
    if recording.directory and (not Path(recording.directory).is_absolute() or "\0" in recording.directory):
        raise BadSettings("recording.directory must be an absolute path, or empty for one in state_dir")


def _check_queues(settings: Settings) -> None:
    """Each queue has a number and an id of its own, and each merged line leads to one of them."""
    numbers = [queue.number for queue in settings.queues]
    for skill in settings.skills:
        if not _SKILL.fullmatch(skill.id):
            raise BadSettings(f"skills: id {skill.id!r} must be lower-case letters, at most 31")
        if not _NUMBER.fullmatch(skill.number) or skill.number in settings.seat_ids:
            raise BadSettings(
                f"skills: number {skill.number!r} of {skill.id} must be 3 to 16 digits, no seat's"
            )
        if not 0 <= skill.overflow_s <= 3600:
            raise BadSettings(f"skills: overflow_s of {skill.id} is 0 to 3600 seconds")
    for queue in settings.queues:
        _check_word(f"name of queue {queue.number}", queue.name)
        _check_door(queue)
    if len(set(numbers)) != len(numbers):
        raise BadSettings("skills: two queues have one number")
    if len({queue.id for queue in settings.queues}) != len(numbers):
        raise BadSettings("skills: two have one id, or one is called general")
    for line in settings.lines:
        if not _NUMBER.fullmatch(line.number) or line.number in numbers:
            raise BadSettings(f"lines: number {line.number!r} must be 3 to 16 digits, no queue's")
        if line.queue not in numbers:
            raise BadSettings(f"lines: {line.number} leads to {line.queue!r}, which is no queue's number")
        _check_word(f"label of line {line.number}", line.label)
        if line.greeting:
            check_spoken(f"greeting of line {line.number}", line.greeting)
    if len({line.number for line in settings.lines}) != len(settings.lines):
        raise BadSettings("lines: two have one number")


def _check_door(queue: SkillSettings) -> None:
    """What keeps callers out of a queue: its limit, its hours and days."""
    if not 0 <= queue.max_waiting <= 10_000:
        raise BadSettings(f"max_waiting of queue {queue.number} is 0 to 10000")
    if queue.hours and not _HOURS.fullmatch(queue.hours):
        raise BadSettings(f"hours of queue {queue.number}: {queue.hours!r} is not like 08:30-17:30")
    if queue.days not in _DAYS:
        raise BadSettings(f"days of queue {queue.number}: {queue.days!r} is none of {', '.join(_DAYS)}")


def _check_callback(settings: Settings) -> None:
    """Its key is one digit, and begins no emergency number: whoever types that means it."""
    callback = settings.callback
    if callback.key and not re.fullmatch(r"[0-9]", callback.key):
        raise BadSettings(f'callback.key: {callback.key!r} is not one digit, or "" for no callbacks')
    if any(number.startswith(settings.callback_key or "-") for number in settings.emergency_numbers):
        raise BadSettings(f"callback.key: {callback.key} begins an emergency number")
    if not 5 <= callback.offer_every_s <= 3600:
        raise BadSettings("callback.offer_every_s is 5 to 3600 seconds")
    if not 1 <= callback.tries <= 20:
        raise BadSettings("callback.tries is 1 to 20")
    if not 1 <= callback.retry_s <= 86_400:
        raise BadSettings("callback.retry_s is 1 to 86400 seconds")


def _check_word(what: str, word: str) -> None:
    if not 1 <= len(word) <= 20 or not word.isprintable():
        raise BadSettings(f"{what}: {word!r} must be 1 to 20 printable characters")
