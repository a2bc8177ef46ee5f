"""Owns the reading of the clocks. Only shells import it; pure code takes a `hotline.moment.Moment`."""

from __future__ import annotations

import time

from hotline.moment import Moment

__all__ = ["Moment", "now"]


def now() -> Moment:
    """This instant on both clocks, in microseconds."""
    return Moment(utc_us=time.time_ns() // 1000, mono_us=time.monotonic_ns() // 1000)
