"""Owns the stage of demo and rehearsal: a hotline on ports of its own with the city around it, invented
people inside.
"""

from __future__ import annotations

import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import msgspec

from cli.run import Hotline, Say
from cli.seed import seed
from hotline import clock
from hotline.db import migrate
from hotline.identity.roles import Role
from hotline.identity.token import mint
from hotline.settings import DeskSettings, Settings, TrunkSettings, check
from rehearsal.city import City
from rehearsal.config import CityPlan
from rehearsal.ports import CITY_HOST, HOTLINE_HOST, free_ports

_TOKEN_S = 30
_RTP = (12_000, 21_999)


def stage_settings(site: Settings, state: Path, *, seats: int, ports: list[int]) -> Settings:
    """The site's own rules on a stage: its state, database and seven ports apart from the site's."""
    sip, http, ami, trunk, push, ivr, desk = ports
    replace = msgspec.structs.replace
    switch = replace(
        site.switch,
        host=HOTLINE_HOST,
        sip_port=sip,
        http_port=http,
        ami_port=ami,
        rtp_first=_RTP[0],
        rtp_last=_RTP[1],
    )
    staged = replace(
        site,
        state_dir=str(state.resolve()),
        database_url="",
        switch=switch,
        trunks=(TrunkSettings(name="city", host=CITY_HOST, port=trunk),),
        outbound_trunk="city",
        seats=replace(site.seats, count=seats),
        cti=replace(site.cti, host=HOTLINE_HOST, push_port=push, metrics_port=0),
        ivr=replace(site.ivr, host=HOTLINE_HOST, port=ivr, hours="always"),  # played at any time of day
        desk=DeskSettings(host=HOTLINE_HOST, port=desk),
        webhooks=(),  # no emergency centre hears of invented calls
        recording=replace(site.recording, directory=""),
    )
    check(staged)
    return staged


class Stage:
    """A running hotline and its city."""

    def __init__(self, hotline: Hotline, city: City) -> None:
        self.hotline = hotline
        self.city = city

    @property
    def settings(self) -> Settings:
        """The stage's settings."""
        return self.hotline.settings

    @property
    def push_url(self) -> str:
        """Where screens connect."""
        return f"ws://{self.settings.cti.host}:{self.settings.cti.push_port}/v1"

    async def token_for(self, person: str, seat: str, role: Role = Role.AGENT) -> str:
        """A fresh push token for an invented agent at a seat, or a supervisor with a phone."""
        expires_us = clock.now().utc_us + _TOKEN_S * 1_000_000
        key = self.hotline.secrets.push_key
        return mint(key, person, role, seat or None, expires_us, secrets.token_hex(12))


@asynccontextmanager
async def stage(settings: Settings, say: Say) -> AsyncIterator[Stage]:
    """Raise the curtain: everything up, every phone registered; all of it down at the end."""
    settings.state.mkdir(parents=True, exist_ok=True, mode=0o700)
    file = settings.state / "settings.json"
    file.write_bytes(msgspec.json.format(msgspec.json.encode(settings)))
    hotline = Hotline(settings, file, say)
    trunk = settings.trunks[0]
    plan = CityPlan(
        host=trunk.host, sip_port=trunk.port, ami_port=free_ports(1)[0], rtp_first=_RTP[0], rtp_last=_RTP[1]
    )
    city = City(settings.state / "city", hotline.node.program, settings, hotline.secrets, plan)
    await migrate.upgrade(settings.database)
    await seed(settings)
    try:
        await hotline.start()
        await city.start()
        await city.wait_registered(within_s=30)
        say(f"the city is there: {settings.seats.count} seats' phones, departments, 110, citizens")
        yield Stage(hotline, city)
    finally:
        await city.stop()
        await hotline.stop()
