"""What tests of several queues share: their numbers, and queues with a door."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone

from hotline.settings import SkillSettings

GENERAL, ENTERPRISE, MERGED = "12345", "12346", "12319"
CLOSED, SMALL = "12347", "12348"
"""One that is never open now; one that is open for two hours about now, and lets one caller wait."""


def hours(begin_h: float, end_h: float) -> str:
    """From and to in China, counted in hours from now."""
    now = datetime.now(timezone(timedelta(hours=8)))
    begin, end = (now + timedelta(hours=at) for at in (begin_h, end_h))
    return f"{begin:%H:%M}-{end:%H:%M}"


def doors() -> tuple[SkillSettings, ...]:
    """The two, as settings."""
    never, now = hours(6, 6), hours(-1, 1)
    return (
        SkillSettings(id="taiwan", name="台胞", number=CLOSED, hours=never, days="mon-sun"),
        SkillSettings(id="english", name="English", number=SMALL, hours=now, days="mon-sun", max_waiting=1),
    )
