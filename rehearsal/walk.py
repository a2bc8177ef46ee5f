"""Owns the rehearsal of the IVR: every way is walked by a citizen of its own, and judged."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable

import structlog

from hotline.errors import AmiRefused
from rehearsal.caller import WITHIN_S, Caller, Kept, Props
from rehearsal.city import City
from rehearsal.legs import CallEnded
from rehearsal.lobby import Lobby
from rehearsal.report import Report, Spread, Tried
from rehearsal.ways import FIRST, WAYS

log = structlog.get_logger("rehearsal")

_RECORDS_S = 15.0
"""From the last hang-up until every record is there."""
_LOOK_AGAIN_S = 0.25

Records = Callable[[], Awaitable[list[Kept]]]
"""The finished records of the hotline."""


def number_of(way: str) -> str:
    """The phone of the citizen who walks that way."""
    return f"1380537{list(WAYS).index(way) + 1:04d}"


class Walk:
    """One rehearsal of the IVR on a stage that stands, in its emergency mode. `end_mode` ends that and
    returns when callers hear it.
    """

    def __init__(
        self,
        city: City,
        lobby: Lobby,
        props: Props,
        records: Records,
        end_mode: Callable[[], Awaitable[None]],
    ) -> None:
        self._city, self._lobby, self._props = city, lobby, props
        self._records, self._end_mode = records, end_mode
        self._callers: dict[str, Caller] = {}
        self._trouble: dict[str, str] = {}

    async def run(self, rate: float, say: Callable[[str], None]) -> Report:
        """Begin `rate` ways a second, listen to what was heard, read what was kept."""
        walking = [asyncio.create_task(self._walk(FIRST))]
        with contextlib.suppress(CallEnded, TimeoutError):  # its own way says so
            await self._lobby.comes_to(number_of(FIRST), "g", WITHIN_S)
        await self._end_mode()
        for name in WAYS:
            if name != FIRST:
                walking.append(asyncio.create_task(self._walk(name)))
                await asyncio.sleep(1 / rate)
        await asyncio.gather(*walking)
        say(f"{len(self._callers)} ways were walked; listening to what was heard")
        return await self._report(await self._kept())

    async def _walk(self, name: str) -> None:
        number = number_of(name)
        caller = self._callers[name] = Caller(
            self._city, self._lobby, self._props, number, list(WAYS).index(name) + 1
        )
        try:
            await WAYS[name](caller)
        except (CallEnded, TimeoutError, AmiRefused) as error:
            self._trouble[name] = f"{type(error).__name__}: {error}"
        for each in caller.everybody:
            await each.hang_up()

    async def _kept(self) -> dict[str, list[Kept]]:
        """The records of our callers, once all are there or none has come for a while."""
        numbers = {each.number for caller in self._callers.values() for each in caller.everybody}
        found: list[Kept] = []
        for _ in range(round(_RECORDS_S / _LOOK_AGAIN_S)):
            found = [row for row in await self._records() if row.number in numbers]
            if {row.number for row in found} == numbers:
                break
            await asyncio.sleep(_LOOK_AGAIN_S)
        return {number: [row for row in found if row.number == number] for number in numbers}

    async def _judge(self, name: str, kept: dict[str, list[Kept]]) -> bool:
        faults = [self._trouble[name]] if name in self._trouble else []
        for each in self._callers[name].everybody:
            try:
                faults += await each.faults(kept[each.number])
            except (CallEnded, TimeoutError) as error:
                faults.append(f"{type(error).__name__}: {error}")
        if faults:
            log.warning("way not right", way=name, why=faults)
        return not faults

    async def _report(self, kept: dict[str, list[Kept]]) -> Report:
        tried = {name: Tried(1, int(await self._judge(name, kept))) for name in WAYS}
        callers = [each for caller in self._callers.values() for each in caller.everybody]
        once = sum(len(rows) == 1 for rows in kept.values())
        return Report(
            offered=len(callers),
            answered=0,
            abandoned=sum("abandon" in row.outcome for rows in kept.values() for row in rows),
            pops=0,
            pops_before_answer=0,
            three_way_ok=0,
            three_way_asked=0,
            emergency_ok=0,
            emergency_asked=0,
            audio_ok=sum(each.right for each in callers),
            audio_checked=sum(each.checked for each in callers),
            records=once,
            lost=len(kept) - once,
            pop_ms=Spread(),
            three_way_invite_ms=Spread(),
            exercises=tried,
        )
