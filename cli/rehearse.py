"""Owns `hotline rehearse`: a full rehearsal for a site before it opens, on a stage of its own beside the
site.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from enum import StrEnum
from itertools import count
from pathlib import Path
from string import ascii_lowercase

import msgspec
from sqlalchemy import select

from asterisk_conf.paths import NodePaths
from asterisk_conf.ports import ami_host
from cli.rehearse_ivr import QUEUES, ivr_rules, offered_callback, walk_the_ivr
from cli.run import Say, home_of_switch
from cli.stage import Stage, stage, stage_settings
from ctiserver.store.tables import CallRow, SupervisionRow, ThirdPartyAttemptRow
from hotline import directory
from hotline.db.engine import Database
from hotline.errors import HotlineError
from hotline.identity.roles import Role
from hotline.settings import Settings, SkillSettings
from rehearsal.crew import DRILLS, EXTRA_SEATS, Cast
from rehearsal.ports import free_ports
from rehearsal.report import Report
from rehearsal.run import Plan, Rehearsal
from rehearsal.scene import Recorded

_FIRST_DRILL = 19901
"""Drills have the first free numbers from here on."""


class Scenario(StrEnum):
    """What is tried with the calls."""

    DEFAULT = "default"
    """Two talk; each tenth call becomes a three-way one, each twentieth one with 110."""
    FULL = "full"
    """Beside these, every other call tries in its turn what agents and supervisors can do."""
    IVR = "ivr"
    """Instead of these, every way through the IVR is walked once by keys, up to the queue; nobody answers."""


class Process(StrEnum):
    """Which of our processes can be killed in the middle (`cli.process.PROCESSES`)."""

    CTI = "cti"
    IVR = "ivr"
    DESK = "desk"
    ARCHIVE = "archive"


class CannotRehearse(HotlineError):
    """A rehearsal needs something that the settings do not give, or was asked for two things that do not go
    together.
    """


async def rehearse(
    site: Settings,
    *,
    calls: int,
    rate: float,
    seats: int,
    say: Say,
    scenario: Scenario = Scenario.DEFAULT,
    kill: tuple[Process, ...] = (),
) -> Report:
    """`calls` real calls at `rate` a second to `seats` seats. Logs and recordings stay in
    state_dir/rehearsal.
    """
    if scenario is Scenario.IVR:
        return await rehearse_ivr(site, rate=rate, say=say, kill=kill)
    is_full = scenario is Scenario.FULL
    if is_full and not (site.supervisors.count and site.not_ready_reasons):
        raise CannotRehearse("a full rehearsal needs supervisors.count and not_ready_reasons in the settings")
    state = empty_state(site)
    staged = full_rules(site) if is_full else site
    standing = seats + EXTRA_SEATS if is_full else seats
    settings = stage_settings(staged, state, seats=standing, ports=free_ports(7))
    plan = Plan(
        calls=calls,
        rate=rate,
        seats=seats,
        departments=departments(),
        kill=tuple(process.value for process in kill),
    )
    async with stage(settings, say) as there:
        return await on_stage(there, plan, say, cast_of(there, plan) if is_full else None)


def full_rules(site: Settings) -> Settings:
    """The site's rules, and what a full rehearsal tries although the site does without: queues for its
    drills, callbacks, and the preference for the last agent.
    """
    replace = msgspec.structs.replace
    return replace(
        site,
        skills=(*site.skills, *drill_queues(site, DRILLS)),
        callback=offered_callback(site),
        queue=site.queue if site.queue.last_agent_within_h else replace(site.queue, last_agent_within_h=1),
    )


async def rehearse_ivr(site: Settings, *, rate: float, say: Say, kill: tuple[Process, ...] = ()) -> Report:
    """Every way through the IVR once, `rate` begun a second; CannotRehearse together with a kill."""
    if kill:
        raise CannotRehearse("--kill is for rehearsals in which agents answer, not for --scenario ivr")
    settings = stage_settings(ivr_stage_rules(site), empty_state(site), seats=1, ports=free_ports(7))
    async with stage(settings, say) as there:
        return await walk_the_ivr(there, rate, say)


def ivr_stage_rules(site: Settings) -> Settings:
    """`ivr_rules` with numbers that are free at this site."""
    queues = drill_queues(site, QUEUES)
    line = next(number for number in free_numbers(site) if number not in {q.number for q in queues})
    return ivr_rules(site, queues, line)


def drill_queues(site: Settings, how_many: int) -> tuple[SkillSettings, ...]:
    """Queues for a rehearsal alone, beside the site's own."""
    return tuple(
        SkillSettings(id=f"drill{letter}", name=f"演练{letter.upper()}", number=number)
        for letter, number in zip(ascii_lowercase[:how_many], free_numbers(site), strict=False)
    )


def free_numbers(site: Settings) -> Iterator[str]:
    """Numbers that nothing at this site has."""
    taken = {queue.number for queue in site.queues} | {line.number for line in site.lines}
    return (str(number) for number in count(_FIRST_DRILL) if str(number) not in taken)


def empty_state(site: Settings) -> Path:
    """`leftovers`, with nothing in it any more."""
    state = leftovers(site)
    if state.exists():
        shutil.rmtree(state)
    return state


def departments() -> tuple[str, ...]:
    """The numbers that the rehearsal's agents bring in, one for each unit."""
    emergency = directory.UnitKind.EMERGENCY
    return tuple(unit.numbers[0] for unit in directory.demo_directory() if unit.kind is not emergency)


def agents_at(seats: tuple[str, ...]) -> tuple[tuple[str, str], ...]:
    """The agent (工号) of each seat in a room's order."""
    return tuple((f"{1001 + n}", seat) for n, seat in enumerate(seats))


def cast_of(there: Stage, plan: Plan) -> Cast:
    """Who takes part in a full rehearsal beside the plan's seats."""
    settings = there.settings
    return Cast(
        colleagues=agents_at(settings.seat_ids)[plan.seats : plan.seats + EXTRA_SEATS],
        queues=tuple(queue.number for queue in settings.skills[-DRILLS:]),
        callback_key=settings.callback_key,
        supervisors=tuple((f"{9001 + n}", phone) for n, phone in enumerate(settings.supervisor_ids)),
        supervisor_token=lambda person, phone: there.token_for(person, phone, Role.SUPERVISOR),
        not_ready=settings.not_ready_reasons[0],
        node=settings.node,
        recordings=NodePaths(home_of_switch(settings)).recordings,
    )


async def on_stage(there: Stage, plan: Plan, say: Say, cast: Cast | None = None) -> Report:
    """The rehearsal itself, on a stage that stands; a full one with a cast."""
    settings = there.settings
    database = await Database.open(settings.database)

    async def kill(name: str) -> None:
        there.hotline.children[name].kill()
        await there.hotline.children[name].back()

    switch = settings.switch
    try:
        rehearsal = Rehearsal(there.city, plan, there.push_url, there.token_for, say, kill=kill, cast=cast)
        ami = (ami_host(settings), switch.ami_port, there.hotline.secrets.ami_cti)
        agents = list(agents_at(settings.seat_ids[: plan.seats]))
        return await rehearsal.run(agents, ami, lambda: kept_in(database))
    finally:
        await database.close()


async def kept_in(database: Database) -> list[Recorded]:
    """What the hotline has kept of every call."""
    attempt, supervision = ThirdPartyAttemptRow, SupervisionRow
    async with database.read() as session:
        rows = await session.execute(
            select(
                CallRow.conversation,
                CallRow.number,
                CallRow.outcome,
                CallRow.seat,
                CallRow.rating,
                CallRow.is_outbound,
            ).order_by(CallRow.started_us)
        )
        thirds: dict[str, list[str]] = {}
        for call, number in await session.execute(
            select(attempt.conversation, attempt.number).where(attempt.answered_us > 0).order_by(attempt.n)
        ):
            thirds.setdefault(call, []).append(number)
        supervised: dict[str, list[str]] = {}
        for call, what in await session.execute(
            select(supervision.conversation, supervision.what).order_by(supervision.at_us)
        ):
            supervised.setdefault(call, []).append(what)
        return [
            Recorded(
                number=number,
                outcome=outcome,
                seat=seat,
                thirds=tuple(thirds.get(call, ())),
                supervised=tuple(supervised.get(call, ())),
                rating=rating,
                is_outbound=is_outbound,
            )
            for call, number, outcome, seat, rating, is_outbound in rows
        ]


def leftovers(site: Settings) -> Path:
    """Where logs and recordings of the last rehearsal lie."""
    return site.state / "rehearsal"
