"""What Asterisk alone makes of several queues, our processes dead: who is led where, who rings when."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator

import msgspec
import pytest
import pytest_asyncio

from asterisk_conf.node import Node
from ctiserver.ami.connection import Link
from ctiserver.ami.errors import Refused
from ctiserver.model.effects import AddMember, ChangePenalty, PauseMember, RaiseCaller, RemoveMember, SendTo
from ctiserver.model.events import CallerQueued, ChannelHungUp, Member, MemberPaused, SeatRung
from hotline.secret import Secrets
from hotline.settings import LineSettings, Settings, SkillSettings, check
from rehearsal.city import City
from tests.integration.ami_tools import Heard as Ears
from tests.integration.ami_tools import hotline_is_empty, look
from tests.integration.queue_tools import CLOSED, ENTERPRISE, GENERAL, MERGED, SMALL, doors

pytestmark = pytest.mark.asyncio(loop_scope="module")


class Heard(Ears):
    """What an AMI link with the CTI server's rights hears."""

    link: Link


@pytest.fixture(scope="module")
def hotline_settings(hotline_settings: Settings) -> Settings:
    """Two queues, and a merged line that leads to the second; its callers reach others after two seconds."""
    settings = msgspec.structs.replace(
        hotline_settings,
        skills=(
            SkillSettings(id="enterprise", name="企业专席", number=ENTERPRISE, overflow_s=2),
            *doors(),
        ),
        lines=(LineSettings(number=MERGED, queue=ENTERPRISE, label="经12319并入"),),
    )
    check(settings)
    return settings


@pytest_asyncio.fixture(loop_scope="module")
async def heard(
    hotline_node: Node, city: City, hotline_settings: Settings, hotline_secrets: Secrets
) -> AsyncIterator[Heard]:
    """A link that is up; afterwards nobody calls and nobody is signed in."""
    heard = Heard()
    heard.link = Link(
        hotline_settings.switch.host, hotline_settings.switch.ami_port, "cti", hotline_secrets.ami_cti,
        trunk="city", ring_s=3, on_event=heard, own_number=GENERAL,
    )  # fmt: skip
    await heard.link.start()
    yield heard
    for leg in city.parties():
        await city.hang_up(leg)
        await leg.ended()
    await hotline_is_empty(heard.link, heard)
    for member in await members(heard):
        await heard.link.perform(RemoveMember("r", member.queue, member.seat))
    await heard.link.stop()


async def members(heard: Heard) -> list[Member]:
    return sorted((await look(heard.link, heard)).members, key=lambda member: member.queue)


async def serve(heard: Heard, seat: str, **penalties: int) -> None:
    """The seat serves these queues, given as q12345=0."""
    for queue, penalty in penalties.items():
        await heard.link.perform(AddMember("r", queue[1:], seat, f"1{seat[1:]}", False, "", penalty))


@pytest.mark.parametrize(
    ("dialled", "queue"),
    [
        (GENERAL, GENERAL),
        (ENTERPRISE, ENTERPRISE),
        (MERGED, ENTERPRISE),
        ("96345", GENERAL),
    ],
)
async def test_the_dialled_number_leads_to_its_queue(
    heard: Heard, city: City, dialled: str, queue: str
) -> None:
    citizen = await city.call("13805380001", dial=dialled, n=1)
    joined = await heard.next(CallerQueued)
    assert joined.queue == queue
    await citizen.hang_up()


async def test_one_pause_holds_in_every_queue_that_the_seat_serves_and_in_no_other_seats(
    heard: Heard,
) -> None:
    await serve(heard, "8001", q12345=1, q12346=0)
    await serve(heard, "8002", q12345=0)
    await heard.link.perform(PauseMember("r", "8001", True, "用餐"))
    await heard.next(MemberPaused, lambda event: event.queue == ENTERPRISE)
    assert {(m.queue, m.seat, m.is_paused, m.reason) for m in await members(heard)} == {
        (GENERAL, "8001", True, "用餐"),
        (ENTERPRISE, "8001", True, "用餐"),
        (GENERAL, "8002", False, ""),
    }
    await heard.link.perform(PauseMember("r", "8001", False, ""))
    assert not any(member.is_paused for member in await members(heard))


async def test_a_penalty_changes_in_its_queue_alone_and_the_lower_one_rings(heard: Heard, city: City) -> None:
    await serve(heard, "8001", q12345=1, q12346=1)
    await serve(heard, "8002", q12345=2)
    await heard.link.perform(ChangePenalty("r", GENERAL, "8001", 3))
    found = [(member.queue, member.seat, member.penalty) for member in await members(heard)]
    assert sorted(found) == [(GENERAL, "8001", 3), (GENERAL, "8002", 2), (ENTERPRISE, "8001", 1)]
    citizen = await city.call("13805380002", n=2)
    assert (await heard.next(SeatRung)).seat == "8002"
    await citizen.hang_up()


async def test_only_a_seat_that_serves_the_queue_rings(heard: Heard, city: City) -> None:
    await serve(heard, "8001", q12345=0)
    await serve(heard, "8002", q12346=0)
    citizen = await city.call("13805380003", dial=MERGED, n=3)
    assert (await heard.next(SeatRung)).seat == "8002"
    await citizen.hang_up()


async def test_a_general_seat_rings_for_a_special_caller_after_the_overflow_time_and_not_before(
    heard: Heard, city: City
) -> None:
    await serve(heard, "8001", q12345=0, q12346=1)
    citizen = await city.call("13805380004", dial=ENTERPRISE, n=4)
    await heard.next(CallerQueued)
    began = time.monotonic()
    rung = await heard.next(SeatRung)
    assert rung.seat == "8001"
    assert 1.8 <= time.monotonic() - began < 5
    await citizen.hang_up()


@pytest.mark.parametrize("dialled", [ENTERPRISE, GENERAL])
async def test_a_special_seat_rings_at_once_and_a_general_caller_waits_for_no_overflow(
    heard: Heard, city: City, dialled: str
) -> None:
    await serve(heard, "8001", q12345=1, q12346=0)
    citizen = await city.call("13805380005", dial=dialled, n=5)
    await heard.next(CallerQueued)
    began = time.monotonic()
    assert (await heard.next(SeatRung)).seat == "8001"
    assert time.monotonic() - began < 1.5
    await citizen.hang_up()


async def test_a_raised_caller_goes_before_those_who_came_earlier(heard: Heard, city: City) -> None:
    uids, channels = [], []
    for n in (6, 7, 8):
        since = heard.mark()
        await city.call(f"1380538000{n}", n=n)
        joined = await heard.next(CallerQueued, since=since)
        uids.append(joined.channel.uid)
        channels.append(joined.channel.name)
    await heard.link.perform(RaiseCaller("r", GENERAL, channels[2], 5))
    first, second, third = uids
    assert (await look(heard.link, heard)).waiting == {GENERAL: (third, first, second)}
    with pytest.raises(Refused):
        await heard.link.perform(RaiseCaller("r", GENERAL, "PJSIP/city-0000ffff", 5))


async def test_a_closed_queue_turns_its_callers_away_and_by_where_they_end_it_is_known(
    heard: Heard, city: City
) -> None:
    citizen = await city.call("13805380031", dial=CLOSED, n=31)
    ended = await heard.next(ChannelHungUp)
    assert (ended.channel.context, ended.channel.exten, ended.channel.number) == (
        "closed",
        CLOSED,
        citizen.number,
    )
    await citizen.ended()
    assert heard.all(CallerQueued) == []


async def test_an_open_queue_takes_as_many_as_its_limit_and_turns_the_next_away(
    heard: Heard, city: City
) -> None:
    first = await city.call("13805380032", dial=SMALL, n=32)
    assert (await heard.next(CallerQueued)).queue == SMALL
    second = await city.call("13805380033", dial=SMALL, n=33)
    ended = await heard.next(ChannelHungUp)
    assert (ended.channel.context, ended.channel.exten, ended.channel.number) == (
        "full",
        SMALL,
        second.number,
    )
    await first.hang_up()
    await heard.next(ChannelHungUp, lambda event: event.channel.context == "queue")
    since = heard.mark()
    third = await city.call("13805380034", dial=SMALL, n=34)
    assert (await heard.next(CallerQueued, since=since)).queue == SMALL
    await third.hang_up()


@pytest.mark.parametrize("queue", [CLOSED, SMALL])
async def test_who_comes_back_from_a_seat_is_never_turned_away(heard: Heard, city: City, queue: str) -> None:
    await city.call("13805380035", dial=SMALL, n=35)
    await heard.next(CallerQueued)
    back = await city.call("13805380036", n=36)
    joined = await heard.next(CallerQueued, lambda event: event.queue == GENERAL)
    since = heard.mark()
    await heard.link.perform(SendTo("r", joined.channel.name, "requeue", queue))
    again = await heard.next(CallerQueued, since=since)
    assert (again.queue, again.channel.context) == (queue, "queue-first")
    await back.hang_up()
