"""Owns `hotline rehearse`: a full rehearsal for a site before it opens, on a stage of its own beside the
site.
"""

from __future__ import annotations

import shutil
from pathlib import Path

from sqlalchemy import select

from asterisk_conf.ports import ami_host
from cli.run import Say
from cli.stage import Stage, stage, stage_settings
from ctiserver.store.tables import CallRow
from hotline import directory
from hotline.db.engine import Database
from hotline.settings import Settings
from rehearsal.ports import free_ports
from rehearsal.report import Report
from rehearsal.run import Plan, Recorded, Rehearsal


async def rehearse(site: Settings, *, calls: int, rate: float, seats: int, say: Say) -> Report:
    """`calls` real calls at `rate` a second to `seats` seats. Logs and recordings stay in
    state_dir/rehearsal.
    """
    state = site.state / "rehearsal"
    if state.exists():
        shutil.rmtree(state)
    settings = stage_settings(site, state, seats=seats, ports=free_ports(7))
    async with stage(settings, say) as there:
        return await on_stage(
            there, Plan(calls=calls, rate=rate, seats=seats, departments=departments()), say
        )


def departments() -> tuple[str, ...]:
    """The numbers that the rehearsal's agents bring in, one for each unit."""
    emergency = directory.UnitKind.EMERGENCY
    return tuple(unit.numbers[0] for unit in directory.demo_directory() if unit.kind is not emergency)


async def on_stage(there: Stage, plan: Plan, say: Say) -> Report:
    """The rehearsal itself, on a stage that stands."""
    settings = there.settings
    database = await Database.open(settings.database)

    async def records() -> list[Recorded]:
        async with database.read() as session:
            rows = await session.execute(select(CallRow.number, CallRow.outcome))
            return [Recorded(number=number, outcome=outcome) for number, outcome in rows]

    agents = [(f"{1001 + n}", seat) for n, seat in enumerate(settings.seat_ids[: plan.seats])]
    switch = settings.switch
    try:
        rehearsal = Rehearsal(there.city, plan, there.push_url, there.token_for, say)
        ami = (ami_host(settings), switch.ami_port, there.hotline.secrets.ami_cti)
        return await rehearsal.run(agents, ami, records)
    finally:
        await database.close()


def leftovers(site: Settings) -> Path:
    """Where logs and recordings of the last rehearsal lie."""
    return site.state / "rehearsal"
