"""Owns one pass of the archive: every ended call's recording is kept, or said to be missing, exactly once.

The order of the steps is what makes a crash harmless: file on the disk, row in the database, and only then
the WAV is deleted. Whatever was done before the crash is found by the next pass and not done again.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from typing import TypeVar

import msgspec
import structlog

from ctiserver.archive import rules
from ctiserver.archive.errors import ArchiveTrouble, NoSound, OutOfPlace
from ctiserver.archive.records import Recording, Records
from ctiserver.archive.rules import BadConversation, Call, Direction, Kept, Source, Step
from ctiserver.archive.shelf import FULL, File, Shelf
from hotline import clock
from hotline.local_time import DAY_US

PAGE = 50
"""How many calls are looked up at once."""
_LATE_US = DAY_US
"""How much later than newer calls one may come into the database and still be looked for."""

log = structlog.get_logger("archive")

_Item = TypeVar("_Item")


class Pass(msgspec.Struct):
    """What one pass did: directions kept and found missing, files removed because their time was over.

    `waiting`: recordings that the switch may still write or whose call is not known (yet); `troubles`: one
    sentence for each recording that could not be kept.
    """

    kept: int = 0
    missing: int = 0
    removed: int = 0
    waiting: int = 0
    troubles: list[str] = []


class Archive:
    """Keeps the recordings of one node. `keep_days`: for how long."""

    def __init__(self, shelf: Shelf, records: Records, node: str, keep_days: int) -> None:
        self._shelf = shelf
        self._records = records
        self._node = node
        self._keep_days = keep_days
        self._since_us = 0

    async def run_once(self) -> Pass:
        """One pass over all that is due. Raises what the database raises, and OSError for a full disk."""
        done = Pass()
        spooled = await self._keep_spooled(done)
        await self._note_missing(done, spooled)
        await self._remove_expired(done)
        return done

    async def _keep_spooled(self, done: Pass) -> frozenset[str]:
        """Keep what lies in the spool; returns the conversations of it."""
        uids = await asyncio.to_thread(self._shelf.uids)
        for page in _pages(uids):
            ids = [f"{self._node}-{uid}" for uid in page]
            calls = {call.conversation: call for call in await self._records.known(ids)}
            kept = await self._records.kept(ids)
            now_us = clock.now().utc_us
            for id_, uid in zip(ids, page, strict=True):
                call = calls.get(id_) or rules.unknown_call(id_, uid, now_us)
                if call is None or not call.ended_us:
                    done.waiting += 1
                else:
                    await self._try(call, kept, done)
        return frozenset(f"{self._node}-{uid}" for uid in uids)

    async def _note_missing(self, done: Pass, spooled: frozenset[str]) -> None:
        """Mark calls of which there is neither WAV nor row.

        A call comes into the database in the order of the journal, so that after a first look at everything
        the newest day is enough; unless something had to wait.
        """
        newest_us = await self._records.newest_start_us()
        before, after = (done.waiting, len(done.troubles)), (0, "")
        while page := await self._records.unrecorded(self._since_us, after, PAGE):
            for call in page:
                if call.conversation not in spooled:
                    await self._try(call, {}, done)
            after = page[-1].started_us, page[-1].conversation
        if before == (done.waiting, len(done.troubles)):
            self._since_us = max(0, newest_us - _LATE_US)

    async def _try(self, call: Call, kept: dict[tuple[str, Direction], Kept], done: Pass) -> None:
        """Settle one call; its own trouble holds up no other call, that of the whole disk does."""
        try:
            await self._settle(call, kept, done)
        except (ArchiveTrouble, BadConversation) as error:
            done.troubles.append(str(error))
            log.error("recording not kept", conversation=call.conversation, why=str(error))
        except OSError as error:
            if error.errno in FULL:
                raise
            done.troubles.append(error.strerror or type(error).__name__)
            log.error("recording not kept", conversation=call.conversation, why=error.strerror)

    async def _settle(self, call: Call, kept: dict[tuple[str, Direction], Kept], done: Pass) -> None:
        sources = {way: await self._look(call, way, done) for way in Direction}
        now_us = clock.now().utc_us
        steps = {
            way: await self._step(call, source, kept.get((call.conversation, way)), now_us)
            for way, source in sources.items()
        }
        if Step.WAIT in steps.values():
            done.waiting += 1
            return
        recordings = []
        for way, source in sources.items():
            if steps[way] is Step.KEEP and source is not None:
                recordings.append(await self._keep(call, way, source))
            elif steps[way] in {Step.EMPTY, Step.MISS}:
                recordings.append(self._missing(call, way))
        await self._write(recordings, done)
        for way, step in steps.items():
            if step in {Step.KEEP, Step.DISCARD, Step.EMPTY}:
                await asyncio.to_thread(self._shelf.discard, call.uid, way)

    async def _look(self, call: Call, way: Direction, done: Pass) -> Source | None:
        """The WAV in the spool. One that cannot be read is missing, and stays for a person to look at."""
        try:
            return await asyncio.to_thread(self._shelf.source, call.uid, way)
        except NoSound as error:
            done.troubles.append(str(error))
            return None

    async def _step(self, call: Call, source: Source | None, kept: Kept | None, now_us: int) -> Step:
        step = rules.next_step(call, source, kept, now_us)
        if step is Step.DISCARD and kept is not None and not kept.removed_us:
            is_there = await asyncio.to_thread(self._shelf.holds, kept.path, kept.sha256)
            return step if is_there else Step.KEEP
        return step

    async def _keep(self, call: Call, way: Direction, source: Source) -> Recording:
        """Encode, prove, file. The row that says so is the caller's next step."""
        path = rules.place(call.conversation, way, call.started_us)
        part = await asyncio.to_thread(self._shelf.encode, call.uid, way, source)
        await asyncio.to_thread(self._shelf.compare, call.uid, way, source, part)
        file: File = await asyncio.to_thread(self._shelf.publish, part, path)
        from_us = max(call.started_us, source.changed_us - source.duration_ms * 1000)
        return Recording(
            conversation=call.conversation,
            direction=way,
            path=path,
            bytes=file.bytes,
            sha256=file.sha256,
            duration_ms=source.duration_ms,
            from_us=from_us,
            is_missing=False,
            gap_ms=rules.gap_ms(call.call_ms, source.duration_ms),
            kept_us=clock.now().utc_us,
            expires_us=rules.expires_us(from_us, self._keep_days),
        )

    def _missing(self, call: Call, way: Direction) -> Recording:
        log.error("a call has no recording", conversation=call.conversation, direction=way.value)
        return Recording(
            conversation=call.conversation,
            direction=way,
            from_us=call.started_us,
            is_missing=True,
            gap_ms=rules.gap_ms(call.call_ms, 0),
            kept_us=clock.now().utc_us,
            expires_us=rules.expires_us(call.started_us, self._keep_days),
        )

    async def _write(self, recordings: Sequence[Recording], done: Pass) -> None:
        if not recordings:
            return
        await self._records.write(recordings)
        for recording in recordings:
            done.missing += recording.is_missing
            done.kept += not recording.is_missing
            if recording.gap_ms and not recording.is_missing:
                log.error("a recording has a gap", conversation=recording.conversation, ms=recording.gap_ms)

    async def _remove_expired(self, done: Pass) -> None:
        """Remove files whose time is over; a page for each pass."""
        now_us = clock.now().utc_us
        begun_until_us = now_us - self._keep_days * DAY_US
        for kept in await self._records.expired(now_us, begun_until_us, PAGE):
            if not rules.is_due(kept, self._keep_days, now_us):
                continue
            try:
                await asyncio.to_thread(self._shelf.remove, kept.path)
            except OutOfPlace as error:
                done.troubles.append(str(error))
                log.error("recording not removed", conversation=kept.conversation, why=str(error))
                continue
            await self._records.removed(kept, clock.now().utc_us)
            done.removed += 1


def _pages(items: Sequence[_Item]) -> Iterator[Sequence[_Item]]:
    return (items[at : at + PAGE] for at in range(0, len(items), PAGE))
