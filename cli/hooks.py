"""Owns `hotline hooks`: what waits for integrators and what was given up, their secrets, and a trial."""

from __future__ import annotations

import secrets
import sqlite3
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import msgspec

from ctiserver.api.hooks import PingHook
from ctiserver.hooks.ledger import Delivery, Ledger
from ctiserver.hooks.mapping import hook_id
from ctiserver.hooks.retry import Answered, Delivered, Unanswered, verdict
from ctiserver.hooks.sender import Receiver
from ctiserver.hooks.service import ledger_path
from hotline import clock, ids
from hotline.errors import HotlineError
from hotline.local_time import date_time, rfc3339
from hotline.secret import hook_secret, write_private
from hotline.settings import Settings, WebhookSettings


class NoSuchHook(HotlineError):
    """A webhook that the settings do not have."""


class NoSuchDelivery(HotlineError):
    """An event that no delivery on the list is of."""


class Listed(msgspec.Struct, frozen=True, kw_only=True):
    """A delivery for an operator: nothing of what it says. Times are UTC microseconds, 0: none."""

    hook: str
    id: str
    kind: str
    made_us: int
    tries: int
    due_us: int
    dead_us: int
    why: str


class Trial(msgspec.Struct, frozen=True, kw_only=True):
    """What came of a trial event."""

    is_well: bool
    what: str


async def listed(settings: Settings, *, only_dead: bool) -> list[Listed]:
    """What waits, and what was given up; oldest first."""
    async with _ledger(settings) as ledger:
        return [_listed(one) for one in await ledger.all(only_dead=only_dead)] if ledger is not None else []


async def retry(settings: Settings, id_: str | None) -> int:
    """Have one event's deliveries, or all, tried at once; how many. NoSuchDelivery when the list lacks it."""
    names = [hook.name for hook in settings.webhooks]
    async with _ledger(settings) as ledger:
        count = await ledger.try_now(names, id_) if ledger is not None else 0
    if id_ is not None and not count:
        raise NoSuchDelivery(f"no delivery of {id_!r} is dead or waits for its next try")
    return count


async def try_out(settings: Settings, name: str) -> Trial:
    """Send the webhook a `ping`, once."""
    hook = _hook(settings, name)
    receiver = Receiver(hook, hook_secret(settings.state, name))
    now = clock.now()
    made = ids.make(settings.node, now.utc_us, secrets.token_bytes(ids.RANDOM_BYTES))
    ping = PingHook(id=hook_id(made, "ping"), at=rfc3339(now.utc_us), node=settings.node)
    await receiver.open()
    try:
        came, said = await receiver.post(ping.id, msgspec.json.encode(ping))
    finally:
        await receiver.close()
    took_ms = (clock.now().mono_us - now.mono_us) // 1000
    is_well = isinstance(verdict(came, 1, now.utc_us, 0), Delivered)
    match came:
        case Answered(status):
            words = said.decode(errors="replace")[:200]
            return Trial(is_well=is_well, what=f"HTTP {status} after {took_ms} ms: {words!r}")
        case Unanswered(why):
            return Trial(is_well=False, what=f"{why}, after {took_ms} ms")


def write_secret(settings: Settings, name: str) -> Path:
    """Write a webhook's secret, for its receiver, to a file that its owner alone may read."""
    hook = _hook(settings, name)
    path = settings.state / "hooks" / f"{name}.txt"
    try:
        write_private(path, f"url = {hook.url}\nsecret = {hook_secret(settings.state, name).text}\n")
    except OSError as error:
        raise HotlineError(f"cannot write {path}: {error.strerror}") from error
    return path


def line(one: Listed) -> str:
    """For a person."""
    if one.dead_us:
        then = f"given up {date_time(one.dead_us)}"
    else:
        then = f"next try {date_time(one.due_us)}" if one.due_us else "next try now"
    why = f", {one.why}" if one.why else ""
    return f"{one.hook:<16} {one.id}   tries {one.tries}{why}; {then}"


def _listed(one: Delivery) -> Listed:
    return msgspec.convert(one, Listed, from_attributes=True)


def _hook(settings: Settings, name: str) -> WebhookSettings:
    for hook in settings.webhooks:
        if hook.name == name:
            return hook
    known = ", ".join(hook.name for hook in settings.webhooks) or "none"
    raise NoSuchHook(f"there is no webhook {name!r} in the settings; there are: {known}")


@asynccontextmanager
async def _ledger(settings: Settings) -> AsyncIterator[Ledger | None]:
    """The list; None as long as no CTI server has begun one."""
    path = ledger_path(settings)
    if not path.exists():
        yield None
        return
    ledger = Ledger(path)
    try:
        yield ledger
    except sqlite3.Error as error:
        raise HotlineError(f"cannot read or write {path}: {error}") from error
    finally:
        await ledger.close()
