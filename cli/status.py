"""Owns `hotline status`: what runs, and the floor in figures."""

from __future__ import annotations

import asyncio
import secrets
from collections import Counter

import msgspec

from asterisk_conf import install
from asterisk_conf.node import Node
from cli.run import home_of_switch
from ctiserver.api.states import SEAT_STATE_ZH, SeatState
from ctiserver.archive import health
from ctiserver.client import Client
from hotline import clock
from hotline.db.engine import Database
from hotline.errors import HotlineError
from hotline.identity.roles import Role
from hotline.identity.token import mint
from hotline.secret import load_or_create
from hotline.settings import Settings

_PATIENCE_S = 3.0


class Part(msgspec.Struct, frozen=True):
    """One part of the hotline."""

    name: str
    is_up: bool
    detail: str


class Status(msgspec.Struct, frozen=True, kw_only=True):
    """The hotline at one moment. `seats`: how many in each state; `linked`: the CTI server sees the
    switch.
    """

    is_up: bool
    parts: tuple[Part, ...]
    linked: bool = False
    seats: dict[str, int] = {}
    waiting: int = 0
    conversations: int = 0
    answered: int = 0
    abandoned: int = 0


async def look(settings: Settings) -> Status:
    """Ask every part whether it is there, and the CTI server for the floor."""
    client = await _floor(settings)
    parts = (
        _switch(settings),
        Part("cti", client is not None, f"screens connect to {settings.cti.host}:{settings.cti.push_port}"),
        await _listens("ivr", settings.ivr.host, settings.ivr.port),
        await _listens("desk", settings.desk.host, settings.desk.port),
        _archive(settings),
        await _database(settings),
    )
    is_up = all(part.is_up for part in parts)
    if client is None:
        return Status(is_up=False, parts=parts)
    seen = client.seen
    await client.close()
    queues = seen.queues.values()
    return Status(
        is_up=is_up and seen.linked,
        parts=parts,
        linked=seen.linked,
        seats=dict(Counter(seat.state.value for seat in seen.seats.values())),
        waiting=sum(queue.waiting for queue in queues),
        conversations=len(seen.conversations),
        answered=sum(queue.answered for queue in queues),
        abandoned=sum(queue.abandoned for queue in queues),
    )


def lines(status: Status) -> list[str]:
    """For a person."""
    shown = [f"{'up  ' if part.is_up else 'DOWN'}  {part.name:<9} {part.detail}" for part in status.parts]
    if status.seats:
        by_state = [
            f"{SEAT_STATE_ZH[SeatState(state)]} {count}" for state, count in sorted(status.seats.items())
        ]
        shown.append(f"seats: {', '.join(by_state)}")
        shown.append(
            f"calls: {status.conversations} now, {status.waiting} waiting, "
            f"{status.answered} answered, {status.abandoned} abandoned"
        )
        if not status.linked:
            shown.append("the CTI server does not see the switch")
    return shown


def _switch(settings: Settings) -> Part:
    program = install.find(install.cache_dir())
    if program is None:
        return Part("asterisk", False, "there is none on this machine; run `make setup`")
    node = Node(home_of_switch(settings), program)
    is_up = node.attach()
    return Part("asterisk", is_up, f"process {node.pid}" if is_up else f"none runs from {node.paths.home}")


def _archive(settings: Settings) -> Part:
    if not health.is_running(settings.state):
        return Part("archive", False, "recordings stay in the spool")
    told = health.told(settings.state)
    if told is None:
        return Part("archive", True, f"recordings go to {settings.recordings}")
    kept = f"{told.kept} files kept, {told.missing} missing since it started"
    return Part("archive", not told.why, told.why or kept)


async def _listens(name: str, host: str, port: int) -> Part:
    try:
        async with asyncio.timeout(_PATIENCE_S):
            _, writer = await asyncio.open_connection(host, port)
        writer.close()
    except (OSError, TimeoutError):
        return Part(name, False, f"nothing answers on {host}:{port}")
    return Part(name, True, f"{host}:{port}")


async def _database(settings: Settings) -> Part:
    try:
        database = await Database.open(settings.database)
    except HotlineError as error:
        return Part("database", False, str(error))
    await database.close()
    return Part("database", True, "open, schema up to date")


async def _floor(settings: Settings) -> Client | None:
    """A client that has its snapshot, or None."""
    key = load_or_create(settings.state).push_key

    async def token() -> str:
        expires_us = clock.now().utc_us + 30_000_000
        return mint(key, "0000", Role.SUPERVISOR, None, expires_us, secrets.token_hex(12))

    url = f"ws://{settings.cti.host}:{settings.cti.push_port}/v1"
    try:
        return await Client.connect(url, token, _PATIENCE_S)
    except (OSError, TimeoutError):
        return None
