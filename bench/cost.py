"""Measures the CTI server's processor time against Asterisk's, in one rehearsal of real calls.

Asterisk's time is the hotline's own switch alone, with its recording; the city's Asterisk counts nowhere.
"""

from __future__ import annotations

import asyncio
import os
import tempfile
from pathlib import Path

from bench.rig import SEATS
from cli.rehearse import departments, on_stage
from cli.stage import stage, stage_settings
from hotline.settings import Settings
from rehearsal.ports import free_ports
from rehearsal.run import Plan

BAR = 0.15
CALLS, RATE, TALK_S = 80, 0.8, 60.0
"""A minute of talk, a third of a real call's: some 48 of 57 seats talk, at ten times the busy hour's rate."""


def processor_s(pid: int) -> float:
    """User and system time of a process and all its threads, in seconds."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


async def _rehearse(calls: int, rate: float) -> dict[str, float]:
    with tempfile.TemporaryDirectory(prefix="hotline-bench-") as home:
        settings = stage_settings(Settings(), Path(home), seats=SEATS, ports=free_ports(7))
        async with stage(settings, lambda _said: None) as there:
            pids = there.hotline.children["cti"].pid, there.hotline.node.pid
            assert pids[0] is not None
            assert pids[1] is not None
            before = [processor_s(pid) for pid in pids if pid is not None]
            plan = Plan(calls=calls, rate=rate, seats=SEATS, departments=departments(), talk_s=TALK_S)
            report = await on_stage(there, plan, lambda _said: None)
            cti, asterisk = (
                processor_s(pid) - was for pid, was in zip(pids, before, strict=True) if pid is not None
            )
    return {
        "calls": calls,
        "records": report.records,
        "cti_ms": cti / calls * 1000,
        "asterisk_ms": asterisk / calls * 1000,
        "pop_p50_ms": report.pop_ms.p50,
        "pop_p99_ms": report.pop_ms.p99,
        "ratio": cti / asterisk,
    }


def measure(calls: int = CALLS, rate: float = RATE) -> dict[str, float]:
    """Milliseconds per call of both, from the agents' sign-in to the last record, and the ratio."""
    return asyncio.run(_rehearse(calls, rate))
