"""A whole hotline's real calls, as an integrator and the emergency centre are told of them."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import msgspec
import pytest
import pytest_asyncio

from casework.rights import Right
from casework.store.posts import Post
from casework.store.systems import NewToken, create_token
from casework.words import Part
from cli.rehearse import departments
from cli.stage import Stage, stage, stage_settings
from ctiserver.api.states import Action, AttemptState, SeatState
from ctiserver.client import Client
from hotline import clock
from hotline.db.engine import Database
from hotline.secret import hook_secret
from hotline.settings import QueueSettings, Settings, WebhookSettings
from rehearsal.city import CitizenCall
from rehearsal.ports import free_ports
from tests.hooks_room import Ear, answering, ear, until

pytestmark = pytest.mark.asyncio(loop_scope="module")

SEAT, AGENT = "8001", "1001"
HOUSING = departments()[0]
EMERGENCIES = ("emergency.called", "emergency.changed", "emergency.case")


class Told:
    """The hotline, and who is told of its calls."""

    def __init__(self, there: Stage, integrator: Ear, police: Ear) -> None:
        self.there = there
        self.integrator = integrator
        self.police = police


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def told(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Told]:
    state = tmp_path_factory.mktemp("stage")
    site = Settings(queue=QueueSettings(wrapup_s=2, short_abandon_s=1), third_party_ring_s=3)
    async with contextlib.AsyncExitStack() as stack:
        integrator, police = [await stack.enter_async_context(ear()) for _ in range(2)]
        integrator.key, police.key = hook_secret(state, "integrator").key, hook_secret(state, "police").key
        hooks = (
            WebhookSettings(name="integrator", url=integrator.url, with_numbers=True),
            WebhookSettings(name="police", url=police.url, events=EMERGENCIES),
        )
        staged = stage_settings(site, state, seats=2, ports=free_ports(7))
        settings = msgspec.structs.replace(staged, webhooks=hooks)
        there = await stack.enter_async_context(stage(settings, lambda _: None))
        yield Told(there, integrator, police)


@contextlib.asynccontextmanager
async def at_seat(there: Stage) -> AsyncIterator[Client]:
    async with Client(there.push_url, lambda: there.token_for(AGENT, SEAT)) as client:
        await client.until(lambda seen: SEAT in seen.seats)
        await client.ask("seat.sign_in", ready=True)
        await client.until(lambda seen: seen.seats[SEAT].state is SeatState.READY)
        yield client
        await client.until(lambda seen: Action.SIGN_OUT in seen.seats[SEAT].actions, 15)
        await client.ask("seat.sign_out")


async def talking(there: Stage, client: Client, number: str, n: int) -> CitizenCall:
    citizen = await there.city.call(number, n=n)
    await citizen.answered()
    await asyncio.sleep(0.5)
    await citizen.press("1")
    await client.until(lambda seen: seen.seats[SEAT].state is SeatState.TALKING, 30)
    return citizen


async def taken_down(there: Stage, conversation: str) -> None:
    """Another system files what the citizen says, at the desk's own door."""
    database = await Database.open(there.settings.database)
    async with database.begin() as session:
        posts = (Post(Part.AGENT),)
        new = NewToken(system="intake", rights=(Right.WRITE,), posts=posts)
        token = await create_token(session, new, clock.now().utc_us)
    await database.close()
    desk = there.settings.desk
    words = {
        "title": "有人落水",
        "text": "大汶河大桥下",
        "number": "13805380032",
        "conversation": conversation,
    }
    async with (
        aiohttp.ClientSession(headers={"Authorization": f"Bearer {token}"}) as http,
        http.post(f"http://{desk.host}:{desk.port}/api/v1/cases", json=words) as answer,
    ):
        assert answer.status == 201


async def answered_by(client: Client, op: str, number: str) -> None:
    await client.ask(op, number=number)
    await client.until(
        lambda seen: any(
            call.attempts and call.attempts[-1].state is AttemptState.ANSWERED
            for call in seen.conversations.values()
        ),
        15,
    )


def told_of(receiver: Ear, number: str, lane: str) -> list[str]:
    """What it was told of the call of that number, `call` or `emergency`: each event once, as first heard."""
    (conversation,) = {one.said["conversation"] for one in receiver.heard if one.said["number"] == number}
    mine = {one.id: one.kind for one in receiver.heard if one.said.get("conversation") == conversation}
    return [kind for kind in mine.values() if kind.startswith(f"{lane}.")]


def is_over(receiver: Ear, number: str) -> bool:
    """Whether it heard of the call's end."""
    return any(one.kind == "call.ended" and one.said["number"] == number for one in receiver.heard)


async def test_real_calls_are_told_in_order_and_signed(told: Told) -> None:
    there, integrator, police = told.there, told.integrator, told.police
    department, emergency = "13805380031", "13805380032"
    async with at_seat(there) as client:
        for n, (number, op, third) in enumerate(
            ((department, "call.three_way", HOUSING), (emergency, "emergency.call", "110"))
        ):
            await client.until(lambda seen: seen.seats[SEAT].state is SeatState.READY, 15)
            citizen = await talking(there, client, number, 31 + n)
            await answered_by(client, op, third)
            if op == "emergency.call":
                await taken_down(there, client.seen.seats[SEAT].conversation)
                await police.until_kind("emergency.case")
            await citizen.hang_up()
            await until(lambda number=number: is_over(integrator, number))
    await until(lambda: "left" in [one.said["third"]["state"] for one in police.heard if "third" in one.said])
    for number in (department, emergency):
        heard = told_of(integrator, number, "call")
        assert heard[:3] == ["call.offered", "call.answered", "call.three_way"]
        assert heard.count("call.ended") == 1
        assert set(heard[heard.index("call.ended") + 1 :]) <= {"call.three_way"}, "who is left over leaves"
    assert told_of(integrator, department, "emergency") == []
    assert sorted(told_of(integrator, emergency, "emergency")) == sorted(police.kinds)
    assert police.kinds[0] == "emergency.called" and police.kinds.count("emergency.case") == 1
    words = next(one.said for one in police.heard if one.kind == "emergency.case")
    assert (words["number"], words["service"], words["text"]) == (emergency, "110", "大汶河大桥下")
    called = police.heard[0].said
    assert words["conversation"] == called["conversation"]
    assert (called["number"], called["seat"], called["agent"]) == (emergency, SEAT, AGENT)
    assert (called["third"]["number"], called["has_cases"]) == ("110", True)
    assert all(one.is_signed for one in (*integrator.heard, *police.heard))


async def test_killing_the_cti_server_loses_no_event_and_changes_no_id(told: Told) -> None:
    there, integrator = told.there, told.integrator
    number = "13805380033"
    cti = there.hotline.children["cti"]
    async with at_seat(there) as client:
        # What the call before this one still tells until here has been taken, and comes no second time.
        integrator.manner, before = answering(503), len(integrator.heard)
        citizen = await talking(there, client, number, 33)
        await integrator.until(before + 2)
        refused = {one.id for one in integrator.heard[before:]}
        cti.kill()
        await cti.stop()  # it is dead already, and is not started again
        integrator.manner, dead_at = answering(204), len(integrator.heard)
        await cti.start()
        await citizen.hang_up()
        await until(lambda: is_over(integrator, number), 30)
    await until(
        lambda: refused <= {one.id for one in integrator.heard[dead_at:]}, 45
    )  # its third try may be 17 s after the second
    assert sorted(told_of(integrator, number, "call")) == ["call.answered", "call.ended", "call.offered"]
    assert all(one.is_signed for one in integrator.heard)


async def test_no_log_of_ours_holds_a_number_or_an_address(told: Told) -> None:
    for log in Path(told.there.settings.state, "log").glob("*.log"):
        text = log.read_text()
        for secret in ("1380538", told.police.url, "whsec_"):
            assert secret not in text, f"{log.name} holds {secret}"
