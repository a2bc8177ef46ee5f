"""Records the traces anew, from a real Asterisk and a city: `python -m tests.replay.record [NAME…]`."""

from __future__ import annotations

import asyncio
import sys
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

from asterisk_conf import install, music
from asterisk_conf.node import Node, Ports
from asterisk_conf.render import render
from ctiserver.ami.capture import Recorder, open_trace
from ctiserver.ami.connection import Link
from ctiserver.model.effects import (
    AddMember,
    CallThirdParty,
    HangUpChannel,
    MoveToRoom,
    PauseMember,
    RemoveMember,
    SendTo,
)
from ctiserver.model.events import (
    BridgeEntered,
    CallerQueued,
    Channel,
    ChannelChanged,
    ChannelHungUp,
    OriginateFailed,
    RoomJoined,
    RoomLeft,
    SeatNotAnswered,
    SeatRung,
)
from hotline.secret import load_or_create
from hotline.settings import QueueSettings, Settings, SwitchSettings, TrunkSettings
from rehearsal.city import CitizenCall, City, answer, busy, no_answer
from rehearsal.config import CityPlan
from rehearsal.legs import Leg
from tests.integration.ami_tools import Heard
from tests.integration.conftest import _free_ports
from tests.replay.load import TRACES

SEAT, OTHER = "8001", "8002"
DEPARTMENT = "05386991001"
TALK_S = 0.5


class Stage:
    """One scenario's people: a link that is recorded, what it hears, and the city."""

    def __init__(self, link: Link, heard: Heard, city: City) -> None:
        self.link, self.heard, self.city = link, heard, city

    async def sign_in(self, seat: str = SEAT, agent: str = "1001") -> None:
        await self.link.perform(AddMember("r", "12345", seat, agent, False, ""))

    async def queued(self, n: int = 1) -> tuple[CitizenCall, Channel]:
        since = self.heard.mark()
        citizen = await self.city.call(f"1380013800{n}", name=f"市民{n}", n=n)
        return citizen, (await self.heard.next(CallerQueued, since=since)).channel

    async def talking(self, n: int = 1) -> tuple[CitizenCall, Leg, Channel, Channel]:
        since = self.heard.mark()
        citizen, channel = await self.queued(n)
        rung = await self.heard.next(SeatRung, lambda e: e.channel.linkedid == channel.uid, since=since)
        await self.heard.next(BridgeEntered, lambda e: e.channel.uid == rung.channel.uid, since=since)
        await asyncio.sleep(TALK_S)
        return citizen, await self.city.leg(rung.seat), channel, rung.channel

    async def third(self, channel: Channel, leg: Channel, number: str, n: int = 1) -> str:
        if n == 1:
            await self.link.perform(MoveToRoom("r", channel.name, leg.name, channel.uid))
        uid = f"tp-{channel.uid}-{n}"
        await self.link.perform(CallThirdParty("r", uid, number, channel.uid, ""))
        return uid

    async def joined(self, uid: str) -> Channel:
        joined = await self.heard.next(RoomJoined, lambda e: e.channel.uid == uid)
        await asyncio.sleep(TALK_S)
        return joined.channel

    async def gone(self, uid: str) -> None:
        await self.heard.next(ChannelHungUp, lambda e: e.channel.uid == uid)


async def answered(stage: Stage) -> None:
    await stage.sign_in()
    citizen, _, channel, leg = await stage.talking()
    await citizen.hang_up()
    await stage.gone(channel.uid)
    await stage.gone(leg.uid)


async def seat_hangs_up(stage: Stage) -> None:
    await stage.sign_in()
    _, seat, channel, _ = await stage.talking()
    await stage.city.hang_up(seat)
    await stage.gone(channel.uid)


async def abandoned_in_queue(stage: Stage) -> None:
    citizen, channel = await stage.queued()
    await asyncio.sleep(TALK_S)
    await citizen.hang_up()
    await stage.gone(channel.uid)


async def abandoned_while_ringing(stage: Stage) -> None:
    await stage.sign_in()
    await stage.city.behave(SEAT, no_answer())
    citizen, channel = await stage.queued()
    rung = await stage.heard.next(SeatRung)
    await stage.heard.next(
        ChannelChanged, lambda e: e.channel.uid == rung.channel.uid and e.channel.is_ringing
    )
    await citizen.hang_up()
    await stage.gone(channel.uid)
    await stage.gone(rung.channel.uid)


async def seat_does_not_answer(stage: Stage) -> None:
    await stage.sign_in()
    await stage.city.behave(SEAT, no_answer())
    citizen, channel = await stage.queued()
    missed = await stage.heard.next(SeatNotAnswered)
    await stage.city.behave(SEAT, answer())
    await stage.heard.next(BridgeEntered, lambda e: e.channel.uid == missed.channel.uid)
    await citizen.hang_up()
    await stage.gone(channel.uid)


async def three_way_seat_leaves(stage: Stage) -> None:
    await stage.sign_in()
    citizen, seat, channel, leg = await stage.talking()
    uid = await stage.third(channel, leg, DEPARTMENT)
    await stage.joined(uid)
    await stage.city.hang_up(seat)
    await stage.gone(leg.uid)
    await asyncio.sleep(TALK_S)
    await citizen.hang_up()
    await stage.gone(channel.uid)
    await stage.gone(uid)


async def emergency_110_citizen_leaves(stage: Stage) -> None:
    await stage.sign_in()
    citizen, _, channel, leg = await stage.talking()
    uid = await stage.third(channel, leg, "110")
    await stage.joined(uid)
    await citizen.hang_up()
    for each in (channel.uid, leg.uid, uid):
        await stage.gone(each)


async def third_busy_then_another(stage: Stage) -> None:
    await stage.sign_in()
    await stage.city.behave("66610", busy())
    citizen, seat, channel, leg = await stage.talking()
    await stage.gone(await stage.third(channel, leg, "66610"))
    third = await stage.joined(await stage.third(channel, leg, DEPARTMENT, n=2))
    await stage.link.perform(HangUpChannel("r", third.name))
    await stage.gone(third.uid)
    await stage.city.hang_up(seat)
    await stage.heard.next(RoomLeft, lambda e: e.uid == leg.uid)
    await stage.link.perform(SendTo("r", channel.name, "farewell", "s"))
    await stage.gone(channel.uid)
    await citizen.ended()


async def third_does_not_answer(stage: Stage) -> None:
    await stage.sign_in()
    await stage.city.behave("66611", no_answer())
    citizen, _, channel, leg = await stage.talking()
    await stage.third(channel, leg, "66611")
    await stage.heard.next(OriginateFailed)
    await citizen.hang_up()
    await stage.gone(channel.uid)
    await stage.gone(leg.uid)


async def two_calls_at_once(stage: Stage) -> None:
    await stage.sign_in()
    await stage.sign_in(OTHER, "1002")
    first, second = await asyncio.gather(
        stage.city.call("13800138001", n=1), stage.city.call("13800138002", n=2)
    )
    for seat in (SEAT, OTHER):
        await (await stage.city.leg(seat)).answered()
    await asyncio.sleep(TALK_S)
    await asyncio.gather(first.hang_up(), second.hang_up())
    await asyncio.gather(*(leg.ended() for leg in stage.city.parties()))
    for queued in stage.heard.all(CallerQueued):
        await stage.gone(queued.channel.uid)


async def a_look_in_the_middle(stage: Stage) -> None:
    await stage.sign_in()
    citizen, _, channel, leg = await stage.talking()
    await stage.link.resync()
    uid = await stage.third(channel, leg, "120")
    await asyncio.gather(stage.link.resync(), stage.joined(uid))
    await stage.link.resync()
    await citizen.hang_up()
    for each in (channel.uid, leg.uid, uid):
        await stage.gone(each)


async def a_seat_at_work(stage: Stage) -> None:
    await stage.sign_in()
    await stage.link.perform(PauseMember("r", SEAT, True, "小休"))
    await stage.link.perform(PauseMember("r", SEAT, False, ""))
    await stage.city.unregister(SEAT)
    await asyncio.sleep(TALK_S)
    await stage.city.register(SEAT)
    await stage.city.wait_registered((SEAT,))
    await stage.link.perform(RemoveMember("r", "12345", SEAT))
    await asyncio.sleep(TALK_S)


SCENARIOS: tuple[Callable[[Stage], Awaitable[None]], ...] = (
    answered,
    seat_hangs_up,
    abandoned_in_queue,
    abandoned_while_ringing,
    seat_does_not_answer,
    three_way_seat_leaves,
    emergency_110_citizen_leaves,
    third_busy_then_another,
    third_does_not_answer,
    two_calls_at_once,
    a_look_in_the_middle,
    a_seat_at_work,
)


@asynccontextmanager
async def town(home: Path) -> AsyncIterator[tuple[Settings, City]]:
    """A hotline's Asterisk whose seats ring for 3 s, and the city around it."""
    sip, http, ami, trunk, city_ami = _free_ports(5)
    settings = Settings(
        state_dir=str(home),
        queue=QueueSettings(ring_s=3),
        third_party_ring_s=3,
        switch=SwitchSettings(sip_port=sip, http_port=http, ami_port=ami, rtp_first=12000, rtp_last=21999),
        trunks=(TrunkSettings(name="city", host="127.0.0.2", port=trunk),),
    )
    program, secrets = install.find(install.cache_dir()), load_or_create(home)
    assert program is not None, "no Asterisk here"
    node = Node(home / "asterisk", program)
    music.ensure(node.paths.moh)
    plan = CityPlan(host="127.0.0.2", sip_port=trunk, ami_port=city_ami, rtp_first=12000, rtp_last=21999)
    city = City(home / "city", program, settings, secrets, plan)
    await node.start(
        render(settings, secrets, node.paths), Ports(host="127.0.0.1", sip=sip, ami=ami, http=http)
    )
    try:
        await city.start()
        await city.wait_registered()
        yield settings, city
    finally:
        await city.stop()
        await node.stop()


async def play(
    scenario: Callable[[Stage], Awaitable[None]], settings: Settings, city: City, to: Path
) -> None:
    """Record one scenario; afterwards nobody talks and nobody is signed in."""
    to.unlink(missing_ok=True)
    heard, secrets = Heard(), load_or_create(settings.state)
    with open_trace(to) as file:
        link = Link(
            "127.0.0.1", settings.switch.ami_port, "cti", secrets.ami_cti, trunk="city", own_number="12345",
            ring_s=settings.third_party_ring_s, on_event=heard, capture=Recorder(file),
        )  # fmt: skip
        await link.start()
        await scenario(Stage(link, heard, city))
        await asyncio.sleep(0.2)
        await link.stop()
    to.chmod(0o644)
    for leg in city.parties():
        await city.hang_up(leg)
        await leg.ended()
    for number in (SEAT, OTHER):
        await city.behave(number, answer())
    await sign_all_out(settings, secrets.ami_cti)


async def sign_all_out(settings: Settings, secret: str) -> None:
    heard = Heard()
    link = Link("127.0.0.1", settings.switch.ami_port, "cti", secret, trunk="city", ring_s=3, on_event=heard)
    await link.start()
    for member in heard.events[0].snapshot.members:  # type: ignore[union-attr]
        await link.perform(RemoveMember("r", member.queue, member.seat))
    await link.stop()


async def main(wanted: list[str]) -> None:
    with tempfile.TemporaryDirectory() as home:
        async with town(Path(home)) as (settings, city):
            for scenario in SCENARIOS:
                name = scenario.__name__  # type: ignore[attr-defined]
                if not wanted or name in wanted:
                    await play(scenario, settings, city, TRACES / f"{name}.ami.gz")
                    print(name)


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1:]))
