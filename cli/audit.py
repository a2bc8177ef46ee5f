"""Owns `hotline audit`: the walk along the audit trail, and its last entries for a person to read."""

from __future__ import annotations

from casework.history import BrokenLink
from casework.service import verify_history
from cli.database import reading
from hotline import audit
from hotline.audit import Entry, Verdict
from hotline.local_time import date_time
from hotline.settings import Settings


async def verify(settings: Settings) -> tuple[Verdict, list[BrokenLink]]:
    """Walk the audit trail, and the histories of all cases; DatabaseUnavailable when they cannot be read."""
    async with reading(settings, "the audit trail cannot be read") as session:
        return await audit.verify(session), await verify_history(session)


async def last(settings: Settings, count: int) -> list[Entry]:
    """The last `count` entries, oldest first."""
    async with reading(settings, "the audit trail cannot be read") as session:
        return (await audit.newest(session, count))[::-1]


def verdict_lines(verdict: Verdict) -> list[str]:
    """For a person. What a note of the last hash is good for stands in the guide."""
    counted = f"{verdict.right} entries are right"
    if verdict.broken_seq:
        return [f"entry {verdict.broken_seq} was changed or removed; before it {counted}"]
    return [counted, f"last hash {verdict.head}"] if verdict.right else [counted]


def history_lines(broken: list[BrokenLink]) -> list[str]:
    """For a person: each case whose history is not what was written, by its id; a day for lost numbers."""
    if not broken:
        return ["the histories of all cases are right"]
    return [f"case {one.case_id}, entry {one.seq}: the history was changed ({one.why})" for one in broken]


def entry_line(entry: Entry) -> str:
    """One entry on one line, in Shanghai's time."""
    deed = f"{entry.person} ({entry.role})  {entry.what}  {entry.whom}"
    return f"{entry.seq:>6}  {date_time(entry.at_us)}  {deed}" + (f"  {entry.why}" if entry.why else "")
