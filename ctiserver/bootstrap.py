"""Owns the wiring of the CTI server: the only place where the floor, the switch, the screens and the
journal meet.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable

import structlog
from sqlalchemy.exc import SQLAlchemyError

from asterisk_conf.paths import NodePaths
from asterisk_conf.ports import ami_host
from casework.calendar import china
from ctiserver.ami.connection import Link
from ctiserver.ami.errors import ActionError, OutcomeUnknown, Refused
from ctiserver.ami.phones import PhoneBook
from ctiserver.api.commands import Actor, Command, Refusal
from ctiserver.api.history import CallStarted, History
from ctiserver.api.pushes import Push, Snapshot
from ctiserver.api.states import CaseBrief, Contact
from ctiserver.hooks.service import Webhooks
from ctiserver.metrics import Figures, MetricsServer
from ctiserver.model.effects import MoveToRoom, SendKey, SendTo, SwitchEffect
from ctiserver.model.events import Event
from ctiserver.model.figures import COUNTED
from ctiserver.model.state import Rules
from ctiserver.push.server import PushServer
from ctiserver.service.context import Callers
from ctiserver.service.loop import Service
from ctiserver.service.ports import SwitchRefused
from ctiserver.store import handover
from ctiserver.store.cel import SwitchAccount
from ctiserver.store.database import DatabaseStore
from ctiserver.store.keeper import JournalKeeper
from ctiserver.store.port import PROJECTOR, decode
from ctiserver.store.projector import Projector, ProjectorHealth
from hotline import clock, directory, ids, numbers
from hotline.db.engine import FAILURES, Database, make_engine, reason
from hotline.identity.people import list_people
from hotline.identity.skills import Skills, all_skills
from hotline.journal import Journal, JournalHealth
from hotline.local_time import day_start_us, local_day
from hotline.secret import Secrets, load_or_create
from hotline.settings import Settings

log = structlog.get_logger("ctiserver")

FIRST_LINK_S = 20.0
MARK_EVERY_S = 10.0
RULES_EVERY_S = 15.0
HAND_OVER_EVERY_S = 1.0
IN_TRANSIT_S = (0.02, 0.05, 0.1, 0.2)
"""Pauses before a move is asked for again: Asterisk takes some milliseconds from one place to the next."""
_IN_TRANSIT = "channel not up"
"""Its word for a channel on its way; also for one that is ending, which no pause brings back."""
KEY_GAP_S = 0.25
"""From one key to the next: sent closer together, the far end hears keys twice."""
CONTACTS = 5
"""Earlier contacts shown beside a call."""
_READ_AT_ONCE = 5_000


async def read_history(journal: Journal, after: int) -> list[History]:
    """The domain events in the journal since `after`; what this version does not know is left out."""
    history: list[History] = []
    while entries := await journal.read(after, _READ_AT_ONCE):
        history += [event for entry in entries if (event := decode(entry).event) is not None]
        after = entries[-1].seq
    return history


async def read_day(journal: Journal, node: str, now_us: int) -> list[History]:
    """What the journal has of the day (Shanghai's) so far that figures and quotas are made of, in order."""
    midnight = ids.make(node, day_start_us(local_day(now_us)), bytes(ids.RANDOM_BYTES))
    kinds = [str(kind.__struct_config__.tag) for kind in (CallStarted, *COUNTED)]
    entries = [entry for kind in kinds for entry in await journal.since(midnight, kind)]
    entries.sort(key=lambda entry: entry.seq)
    return [event for entry in entries if (event := decode(entry).event) is not None]


class LinkedSwitch:
    """The link as the service wants it: one kind of refusal."""

    def __init__(self, link: Link) -> None:
        self._link = link

    async def perform(self, effect: SwitchEffect) -> None:
        """Have the effect done at the switch."""
        try:
            await self._moved_on(effect)
            if isinstance(effect, SendKey):
                await asyncio.sleep(KEY_GAP_S)
        except OutcomeUnknown:
            log.warning("answer lost; the next look at the switch will tell", ref=effect.ref)
        except ActionError as error:
            raise SwitchRefused(str(error)) from error

    async def _moved_on(self, effect: SwitchEffect) -> None:
        """Perform; a move of a channel that is on its way from the last one is asked for again, for it was
        refused and not begun.
        """
        for pause_s in IN_TRANSIT_S if isinstance(effect, SendTo | MoveToRoom) else ():
            try:
                return await self._link.perform(effect)
            except Refused as error:
                if _IN_TRANSIT not in str(error):
                    raise
            await asyncio.sleep(pause_s)
        return await self._link.perform(effect)

    async def resync(self) -> None:
        """Look at the whole switch."""
        try:
            await self._link.resync()
        except ActionError as error:
            raise SwitchRefused(str(error)) from error


def rules_of(
    settings: Settings, units: list[directory.Unit], names: dict[str, str], skills: Skills | None = None
) -> Rules:
    """The model's rules from the settings, the directory, the people and their skills (None: not known)."""
    return Rules(
        node=settings.node,
        seats=settings.seat_ids,
        softphones=frozenset(settings.softphone_ids),
        trunks=tuple(trunk.name for trunk in settings.trunks),
        queue=settings.queue.number,
        reasons=settings.not_ready_reasons,
        emergency=settings.emergency_numbers,
        wrap_up_ms=settings.queue.wrapup_s * 1000,
        short_abandon_ms=settings.queue.short_abandon_s * 1000,
        service_level_ms=settings.queue.service_level_s * 1000,
        emergency_routes=settings.emergency_trunks,
        outbound=settings.outbound_allowed,
        area_code=settings.area_code,
        calls_per_agent=settings.outbound_per_agent,
        calls_per_number=settings.outbound_per_number,
        supervisors=settings.supervisor_ids,
        tells_agent=settings.supervisors.tell_agent,
        rest_reasons=settings.rest.reasons,
        rest_most=settings.rest.most,
        directory={number: unit.name for unit in units for number in unit.numbers},
        others={
            number: (*unit.numbers[place + 1 :], *unit.numbers[:place])
            for unit in units
            for place, number in enumerate(unit.numbers)
        },
        names=names,
        queues={queue.number: queue.name for queue in settings.queues},
        skills=skills,
        miss_limit=settings.queue.miss_limit,
        repeat_within_ms=settings.queue.repeat_within_min * 60_000,
        last_agent_within_ms=settings.queue.last_agent_within_h * 3_600_000,
        trunk_labels={trunk.name: trunk.label for trunk in settings.trunks if trunk.label},
        labels={line.number: line.label for line in settings.lines},
        hours={queue.number: (queue.hours, queue.days) for queue in settings.queues if queue.hours},
        callback_tries=settings.callback.tries,
        callback_retry_ms=settings.callback.retry_s * 1000,
    )


class CtiServer:
    """Everything of one CTI server process."""

    def __init__(self, settings: Settings, keys: Secrets, journal: Journal) -> None:
        self._settings = settings
        self._journal = journal
        self._database = Database(make_engine(settings.database))
        self._store = DatabaseStore(self._database, self._key_of)
        self._account = SwitchAccount(
            NodePaths(settings.state / "asterisk").cel, settings.state / "cti-mark.json"
        )
        self._names: dict[str, str] = {}
        self._units: list[directory.Unit] = []
        self._skills: Skills | None = None
        self._projector = Projector(journal, self._store, settings.node, _report_projector)
        self._webhooks = Webhooks(settings, journal, self._describe, self._cases, self._database)
        self._push_key = keys.push_key
        self.link = Link(
            ami_host(settings),
            settings.switch.ami_port,
            "cti",
            keys.ami_cti,
            trunk=settings.outbound_trunk,
            ring_s=settings.third_party_ring_s,
            own_number=settings.queue.number,
            on_event=self._on_event,
            phone_book=PhoneBook(ami_host(settings), settings.switch.ami_port, keys.ami_system),
        )
        self.service: Service
        self.push: PushServer
        self._metrics = MetricsServer(settings.cti.metrics_port, self._figures)
        self._tasks: list[asyncio.Task[None]] = []

    def tell(self, push: Push) -> None:
        """The service's pushes, for the push server."""
        self.push.tell(push)

    def snapshot(self) -> Snapshot:
        """The floor, for the push server."""
        return self.service.snapshot()

    async def command(self, actor: Actor, command: Command, key: str) -> dict[str, str] | Refusal:
        """A client's command, for the push server."""
        return await self.service.command(actor, command, key)

    def _on_event(self, event: Event) -> None:
        self.service.put(event)

    async def start(self) -> None:
        """Open the screens' port, meet the switch, and know the floor."""
        await self._read_rules()
        history = await read_history(self._journal, self._account.mark.journal_seq)
        self.service = Service(
            self._rules(),
            history,
            clock=clock.now,
            switch=LinkedSwitch(self.link),
            audience=self,
            keeper=JournalKeeper(self._journal, self._settings.node),
            memory=Callers(self._settings.area_code, self._settings.city, self._past),
            account=self._account,
            day=await read_day(self._journal, self._settings.node, clock.now().utc_us),
        )
        self.push = PushServer(self._settings, self._push_key, self, lambda p: self._names.get(p, ""))
        await self.push.start()
        await self._metrics.start()
        await self._webhooks.start()
        await self.link.start(FIRST_LINK_S)
        self._tasks = [
            asyncio.create_task(self._projector.run()),
            asyncio.create_task(self._every(MARK_EVERY_S, self._note)),
            asyncio.create_task(self._every(RULES_EVERY_S, self._refresh_rules)),
            asyncio.create_task(self._every(HAND_OVER_EVERY_S, self._enter_hand_overs)),
        ]

    async def stop(self) -> None:
        """Leave the switch alone and go."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._metrics.stop()
        await self._webhooks.stop()
        await self.link.stop()
        if hasattr(self, "service"):
            await self.service.stop()
        if hasattr(self, "push"):
            await self.push.stop()
        await self._database.close()

    async def _figures(self) -> Figures:
        """What monitoring is shown, read when it asks."""
        return Figures(
            floor=self.service.snapshot(),
            link=self.link.counters,
            is_up=self.link.is_up,
            queues=self.push.queues(),
            unwritten=self._journal.waiting,
            unprojected=await self._journal.behind(PROJECTOR),
            now_us=clock.now().utc_us,
            hooks=await self._webhooks.figures(),
        )

    async def _past(self, key: str) -> tuple[tuple[Contact, ...], tuple[CaseBrief, ...]]:
        return await self._store.recent(key, CONTACTS)

    async def _cases(self, key: str) -> tuple[CaseBrief, ...]:
        return (await self._past(key))[1]

    def _describe(self, number: str) -> numbers.CallerNumber:
        return numbers.describe(number, self._settings.area_code, self._settings.city)

    def _key_of(self, number: str) -> str:
        return self._describe(number).key

    async def _every(self, seconds: float, work: Callable[[], Awaitable[None]]) -> None:
        while True:
            await asyncio.sleep(seconds)
            await work()

    async def _note(self) -> None:
        """Move the mark before which nothing needs to be read again."""
        seq = await self._journal.checkpoint(PROJECTOR)
        floor = self.service.snapshot()
        starts = [view.started_us for view in floor.conversations]
        starts += [callback.asked_us for callback in floor.callbacks]
        self._account.note(seq, min(starts, default=0), clock.now().utc_us)

    async def _enter_hand_overs(self) -> None:
        """What was handed over to 110 is written on the case; a database that fails is asked again."""
        try:
            if done := await handover.enter(self._database, clock.now().utc_us, china()):
                log.info("hand-overs entered", count=done)
        except FAILURES as error:
            log.warning("hand-overs wait for the database", why=reason(error))

    async def _read_rules(self) -> bool:
        """Read directory, people and skills; False when nothing is new or the database does not answer."""
        try:
            async with self._database.read() as session:
                units = await directory.all_units(session)
                people = await list_people(session)
                skills = await all_skills(session, [queue.number for queue in self._settings.queues])
        except (SQLAlchemyError, OSError, TimeoutError) as error:
            log.warning("directory, people and skills not read; the last ones hold", why=type(error).__name__)
            return False
        names = {person.number: person.name for person in people}
        is_new = (units, names, skills) != (self._units, self._names, self._skills)
        self._units, self._names, self._skills = units, names, skills
        return is_new

    async def _refresh_rules(self) -> None:
        if await self._read_rules():
            self.service.change_rules(self._rules())

    def _rules(self) -> Rules:
        return rules_of(self._settings, self._units, self._names, self._skills)


def _report(health: JournalHealth) -> None:
    if health.is_well:
        log.info("journal well again", lost=health.lost)
    else:
        log.error("journal cannot be written", why=health.why, waiting=health.waiting, lost=health.lost)


def _report_projector(health: ProjectorHealth) -> None:
    if health.is_well:
        log.info("database well again")
    else:
        log.warning("database does not take the journal; it waits", why=health.why)


async def run(settings: Settings, stop: asyncio.Event, ready: Callable[[], None]) -> None:
    """The CTI server from start to `stop`; `ready` is called once it knows the floor and screens can
    connect.
    """
    keys = load_or_create(settings.state)
    await asyncio.to_thread(numbers.warm_up)
    journal = Journal.open(settings.state / "journal.db", _report)
    try:
        server = CtiServer(settings, keys, journal)
        try:
            await server.start()
            ready()
            await stop.wait()
        finally:
            with contextlib.suppress(asyncio.CancelledError):
                await server.stop()
    finally:
        await journal.close()
