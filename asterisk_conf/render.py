"""Owns the text of Asterisk's files. Pure: the same settings, secrets and paths give the same text."""

from __future__ import annotations

import hashlib
import hmac
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import jinja2

from asterisk_conf.paths import NodePaths
from asterisk_conf.ports import ami_host
from hotline.errors import BadSettings
from hotline.secret import Secrets
from hotline.settings import WORST_PENALTY, Settings

SIP_MODULES = (
    "res_timing_timerfd",
    "res_sorcery_config",
    "res_sorcery_memory",
    "res_sorcery_astdb",
    "res_pjproject",
    "res_pjsip",
    "res_pjsip_session",
    "res_pjsip_pubsub",
    "res_pjsip_endpoint_identifier_ip",
    "res_pjsip_endpoint_identifier_user",
    "res_pjsip_authenticator_digest",
    "res_pjsip_sdp_rtp",
    "res_pjsip_caller_id",
    "res_pjsip_rfc3326",
    "res_pjsip_dtmf_info",
    "res_pjsip_nat",
    "res_rtp_asterisk",
    "chan_pjsip",
    "codec_alaw",
    "codec_ulaw",
    "codec_a_mu",
    "format_wav",
    "format_pcm",
    "format_sln",
    "bridge_simple",
    "bridge_native_rtp",
    "pbx_config",
    "func_callerid",
    "func_channel",
    "func_logic",
    "func_strings",
    "app_playback",
)
"""What any node needs that carries SIP calls by a dialplan."""

MODULES = (
    *SIP_MODULES,
    "res_pjsip_registrar",
    "res_pjsip_logger",
    "res_speech",
    "res_agi",
    "res_musiconhold",
    "res_manager_devicestate",
    "bridge_softmix",
    "bridge_holding",
    "bridge_builtin_features",
    "func_timeout",
    "app_queue",
    "app_confbridge",
    "app_mixmonitor",
    "app_chanspy",
    "app_senddtmf",
    "app_stack",
    "app_originate",
    "app_channelredirect",
    "app_dial",
    "func_global",
    "res_mutestream",
    "app_echo",
    "app_userevent",
    "app_waitforsilence",
    "res_cdrel_custom",
    "cel_custom",
)
"""What the hotline's node loads, and nothing else."""

SOFTPHONE_MODULES = (
    "res_http_websocket",
    "res_pjsip_transport_websocket",
    "res_srtp",
)
"""What it loads beside them for seats that talk in the page (网页话机)."""

EVENTS = (
    "FullyBooted", "Shutdown", "Reload",
    "Newchannel", "Newstate", "Hangup", "OriginateResponse", "Hold", "Unhold",
    "MusicOnHoldStart",
    "BridgeEnter", "BridgeLeave", "ConfbridgeJoin", "ConfbridgeLeave", "ConfbridgeEnd",
    "QueueCallerJoin", "QueueCallerLeave", "QueueCallerAbandon",
    "AgentCalled", "AgentConnect", "AgentRingNoAnswer", "AgentComplete",
    "QueueMemberAdded", "QueueMemberRemoved", "QueueMemberPause", "QueueMemberStatus",
    "DeviceStateChange", "ChanSpyStart", "ChanSpyStop", "UserEvent",
)  # fmt: skip
"""The AMI events that the CTI server is sent."""

CEL_FIELDS = (
    "eventtime", "eventtype", "CHANNEL(uniqueid)", "CHANNEL(linkedid)", "CHANNEL(channame)",
    "CALLERID(num)", "CALLERID(name)", "CHANNEL(exten)", "CHANNEL(context)",
    "CHANNEL(appname)", "CHANNEL(appdata)", "BRIDGEPEER", "eventextra",
)  # fmt: skip
"""The columns of the channel event log, as cel_custom names them."""

PROBE_S = 2
"""How long the greeting may take to show that it is there; afterwards it sets the call's clock itself."""

SILENCE_S = 6
"""Silence that ends a message (留言), or shows that none is left."""

TIME_ZONE = "CST-8"
"""The hours of a queue are China's. In this form Asterisk needs no time zone files."""

_TEMPLATES = Path(__file__).parent / "templates"
_BASE = ("asterisk.conf", "modules.conf", "logger.conf", "indications.conf")
_HOTLINE = (
    "rtp.conf", "pjsip.conf", "queues.conf", "queuerules.conf", "confbridge.conf", "extensions.conf",
    "manager.conf", "cel.conf", "cel_custom.conf", "musiconhold.conf", "features.conf",
)  # fmt: skip
_SHORT = {
    "acl.conf": "; Asterisk complains when this file is absent.\n",
    "ccss.conf": "; Asterisk complains when this file is absent.\n",
    "pjproject.conf": "; Asterisk complains when this file is absent.\n",
    "queuerules.conf": "; Asterisk complains when this file is absent.\n",
    "stasis.conf": "; The defaults do.\n",
    "udptl.conf": "; No fax.\n",
    "cdr.conf": "[general]\nenable = no\n",
}
_PLAIN = re.compile(r"[0-9A-Za-z_.:,()\[\]-]*")
_SECRET = re.compile(r"[0-9A-Za-z_-]{8,}")
_PATH = re.compile(r"/[^\x00-\x1f\x7f;\\]*[^\x00-\x20\x7f;\\]")


def render(settings: Settings, secrets: Secrets, paths: NodePaths) -> dict[str, str]:
    """The hotline's files, name -> text. BadSettings for a value that Asterisk would read otherwise."""
    _check_secrets(secrets)
    softphones = settings.softphone_ids
    values = {
        "switch": settings.switch,
        "trunks": settings.trunks,
        "queue": settings.queue,
        "queues": settings.queues,
        "lines": settings.lines,
        "callback": settings.callback,
        "callback_key": settings.callback_key,
        "prefers_last_agent": settings.queue.last_agent_within_h > 0,
        "worst_penalty": WORST_PENALTY,
        "time_zone": TIME_ZONE,
        "ivr": settings.ivr,
        "ami_host": ami_host(settings),
        "secrets": secrets,
        "phones": [(phone, seat_password(secrets, phone)) for phone in settings.desk_phone_ids],
        "softphones": softphones,
        # Asterisk takes ports in pairs, the even one for RTP, and warns when the first is odd.
        "rtp_first": settings.switch.rtp_first + settings.switch.rtp_first % 2,
        "events": EVENTS,
        "cel_fields": CEL_FIELDS,
        "probe_s": PROBE_S,
        "silence_s": SILENCE_S,
        "emergency": settings.emergency_numbers,
        "emergency_trunks": settings.emergency_trunks or (settings.outbound_trunk,),
        "ring_s": settings.third_party_ring_s,
    }
    modules = (*MODULES, *SOFTPHONE_MODULES) if softphones else MODULES
    names = (*_HOTLINE, "http.conf", "sorcery.conf") if softphones else _HOTLINE
    return render_base(paths, modules) | render_templates(environment(), names, values)


def render_base(paths: NodePaths, modules: Sequence[str]) -> dict[str, str]:
    """The files that any node needs to start quietly, whatever it is for."""
    values = {"paths": paths, "modules": modules, "entity_id": _entity_id(paths.home)}
    return render_templates(environment(), _BASE, values) | _SHORT


def environment(templates: Path = _TEMPLATES) -> jinja2.Environment:
    """Templates that fail on a missing name and refuse every value that could become more than a value."""
    return jinja2.Environment(
        loader=jinja2.FileSystemLoader(templates),
        undefined=jinja2.StrictUndefined,
        finalize=_safe,
        autoescape=False,  # noqa: S701 - these files are no HTML; `finalize` checks every value
        keep_trailing_newline=True,
    )


def render_templates(
    templates: jinja2.Environment, names: Sequence[str], values: Mapping[str, Any]
) -> dict[str, str]:
    """Fill `<name>.j2` for each of `names`."""
    return {name: templates.get_template(f"{name}.j2").render(values, authority=authority) for name in names}


def seat_password(secrets: Secrets, seat: str) -> str:
    """The SIP password of a seat's or supervisor's phone: derived, so that it is stored nowhere."""
    return hmac.new(secrets.seat_key.encode(), seat.encode(), hashlib.sha256).hexdigest()[:32]


def authority(host: str, port: int) -> str:
    """host:port as SIP and AGI addresses write it."""
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def _safe(value: object) -> object:
    """Let a value into a file only when Asterisk's parser can read nothing else in it."""
    if isinstance(value, Path):
        if not _PATH.fullmatch(str(value)):
            raise BadSettings(f"directory {str(value)!r} has a character that Asterisk's files cannot hold")
    elif not isinstance(value, jinja2.Undefined) and not _PLAIN.fullmatch(str(value)):
        raise BadSettings(f"the setting {value!r} has a character that Asterisk's files cannot hold")
    return value


def _check_secrets(secrets: Secrets) -> None:
    """An empty or odd secret, from a file somebody edited, is no open door and is shown in no error."""
    for name in ("ami_cti", "ami_system", "seat_key"):
        if not _SECRET.fullmatch(getattr(secrets, name)):
            raise BadSettings(
                f"the secret {name} is no word of at least 8 letters and digits; remove the file"
            )


def _entity_id(home: Path) -> str:
    """A locally administered MAC address of this node's own."""
    mark = hashlib.sha256(bytes(home)).digest()
    return ":".join(f"{byte:02x}" for byte in (0x02, *mark[:5]))
