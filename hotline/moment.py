"""Owns the value that stands for "now": two clocks read at once. Pure: reading them is `hotline.clock`'s
work.
"""

from __future__ import annotations

import msgspec


class Moment(msgspec.Struct, frozen=True, gc=False):
    """One instant. `utc_us`: microseconds since 1970 UTC, for records; `mono_us`: monotonic microseconds,
    for durations.
    """

    utc_us: int
    mono_us: int
