"""Owns the files of the city's Asterisk, rendered from the hotline's settings. Pure."""

from __future__ import annotations

from pathlib import Path

import msgspec

from asterisk_conf.paths import NodePaths
from asterisk_conf.render import SIP_MODULES, environment, render_base, render_templates, seat_password
from hotline.secret import Secrets
from hotline.settings import Settings
from rehearsal import tones

ANSWER_AFTER_S = 0.8
"""How long a phone rings by default before somebody takes it."""

_MODULES = (
    *SIP_MODULES,
    "app_bridgewait",
    "app_mixmonitor",
    "app_playtones",
    "app_senddtmf",
    "app_userevent",
    "bridge_holding",
    "func_global",
    "res_pjsip_outbound_authenticator_digest",
    "res_pjsip_outbound_registration",
)
_FILES = ("extensions.conf", "manager.conf", "pjsip.conf", "rtp.conf")
_EMPTY = ("cel.conf", "features.conf")
"""Asterisk complains of their absence; the city wants their defaults, that is none of it."""
_EVENTS = (
    "DTMFEnd",
    "FullyBooted",
    "Hangup",
    "Newchannel",
    "Newstate",
    "OriginateResponse",
    "Registry",
    "UserEvent",
)


class CityPlan(msgspec.Struct, frozen=True, kw_only=True):
    """Where the city's Asterisk listens: SIP and AMI on `host`, RTP in a closed range of UDP ports."""

    host: str
    sip_port: int
    ami_port: int
    rtp_first: int
    rtp_last: int
    recording: bool = True
    """Keep what each leg heard; without it the city costs less and nothing can be listened to."""


def heard_dir(paths: NodePaths) -> Path:
    """Where the city keeps what each leg heard."""
    return paths.recordings


def render_city(
    paths: NodePaths, hotline: Settings, secrets: Secrets, city: CityPlan, ami_secret: str
) -> dict[str, str]:
    """All files of the city's node: a trunk to the hotline, everybody's phones, their behaviour."""
    phones = [{"seat": seat, "password": seat_password(secrets, seat)} for seat in hotline.desk_phone_ids]
    named = {seat: tones.seat_hz(i) for i, seat in enumerate(hotline.seat_ids)}
    named |= {phone: tones.supervisor_hz(i) for i, phone in enumerate(hotline.supervisor_ids)}
    named |= tones.EMERGENCY_HZ
    values = {
        "city": city,
        "hotline": hotline,
        "phones": phones,
        "named": named,
        "first_hz": tones.OUTSIDE_HZ.start,
        "step_hz": tones.OUTSIDE_HZ.step,
        "count_hz": len(tones.OUTSIDE_HZ),
        "default": f"answer,{ANSWER_AFTER_S:g},0,0",
        "heard": heard_dir(paths),
        "ami_secret": ami_secret,
        "events": _EVENTS,
    }
    templates = environment(Path(__file__).parent / "templates")
    quiet = dict.fromkeys(_EMPTY, "[general]\n")
    return render_base(paths, _MODULES) | quiet | render_templates(templates, _FILES, values)
