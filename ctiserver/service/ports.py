"""Owns what the service needs of the world, as Protocols; `ctiserver.bootstrap` plugs the real things in."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

from ctiserver.api.history import History
from ctiserver.api.pushes import Push
from ctiserver.api.states import CallerContext
from ctiserver.model.effects import LookUpCaller, SwitchEffect
from ctiserver.model.reconcile import CelRow
from hotline.moment import Moment

Clock = Callable[[], Moment]


class SwitchRefused(Exception):
    """The switch did not do what an effect asked, or is out of sight; the text is the switch's."""


class Switch(Protocol):
    """The link to Asterisk."""

    async def perform(self, effect: SwitchEffect) -> None:
        """Have it done. Calls are sent in the order in which they are made; raises SwitchRefused."""

    async def resync(self) -> None:
        """Look at the whole switch; a Resynced event follows."""


class Audience(Protocol):
    """Who listens to pushes."""

    def tell(self, push: Push) -> None:
        """Send it to every client that may see it, at once."""


class Keeper(Protocol):
    """The journal."""

    def keep(self, events: Sequence[History]) -> None:
        """Append, without waiting for the disk."""


class Memory(Protocol):
    """Where callers' histories are."""

    def glance(self, asked: LookUpCaller) -> CallerContext:
        """What the number alone tells, at once."""

    async def look_up(self, asked: LookUpCaller) -> CallerContext | None:
        """Everything known, from the database; None when it does not answer in time."""


class Account(Protocol):
    """Asterisk's own account of its calls (CEL)."""

    def rows(self) -> list[CelRow]:
        """Every row since a moment before the oldest conversation still open when we last looked."""
