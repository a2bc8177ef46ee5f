"""Owns `hotline person` and `hotline phone`: what a new site needs before its first call, one by one."""

from __future__ import annotations

import os
from pathlib import Path

from asterisk_conf.render import seat_password
from hotline import clock
from hotline.db import migrate
from hotline.db.engine import FAILURES, Database, reason
from hotline.errors import DatabaseUnavailable, HotlineError
from hotline.identity.people import NewPerson, Person, create_person, list_people
from hotline.secret import load_or_create
from hotline.settings import Settings


class NoSuchSeat(HotlineError):
    """A phone that the settings do not have."""


async def add(settings: Settings, new: NewPerson, password: str) -> Person:
    """Let a person in from now on, making the database at need; BadPerson when a value cannot be accepted."""
    database = await _open(settings)
    try:
        async with database.begin() as session:
            return await create_person(session, new, password, clock.now().utc_us)
    except FAILURES as error:
        raise DatabaseUnavailable(f"the person was not written: {reason(error)}") from error
    finally:
        await database.close()


async def everybody(settings: Settings) -> list[Person]:
    """All people, by number."""
    database = await _open(settings)
    try:
        async with database.read() as session:
            return await list_people(session)
    except FAILURES as error:
        raise DatabaseUnavailable(f"the people cannot be read: {reason(error)}") from error
    finally:
        await database.close()


def write_account(settings: Settings, seat: str) -> Path:
    """Write a phone's SIP account, password and all, to a file that its owner alone may read."""
    if seat not in settings.phone_ids:
        first, last = settings.seat_ids[0], settings.seat_ids[-1]
        supervisors = " ".join(settings.supervisor_ids) or "none"
        raise NoSuchSeat(
            f"there is no phone {seat!r}; the seats are {first} to {last}, supervisors {supervisors}"
        )
    password = seat_password(load_or_create(settings.state), seat)
    switch = settings.switch
    lines = {
        "user": seat,
        "password": password,
        "server": switch.host,
        "port": switch.sip_port,
        "transport": "UDP",
        "codecs": "PCMA, PCMU",
    }
    path = settings.state / "phones" / f"{seat}.txt"
    fresh = path.with_name(f".{seat}.new")
    try:
        path.parent.mkdir(exist_ok=True, mode=0o700)
        fresh.unlink(missing_ok=True)
        with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
            file.writelines(f"{name} = {value}\n" for name, value in lines.items())
        fresh.replace(path)
    except OSError as error:
        raise HotlineError(f"cannot write {path}: {error.strerror}") from error
    return path


async def _open(settings: Settings) -> Database:
    await migrate.upgrade(settings.database)
    return await Database.open(settings.database)
