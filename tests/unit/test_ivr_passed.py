"""What the CTI server makes of a caller who leaves the IVR: the way kept, shown to the agent, remembered."""

from __future__ import annotations

import msgspec
import pytest

from ctiserver.ami.translate import translate
from ctiserver.api.history import CallEnded, IvrPassed
from ctiserver.api.states import Outcome
from ctiserver.model.events import IvrLeft
from ctiserver.model.memory import remember
from tests.unit.world import World

PATH = "g@5.r@2.m2@3.s20261124-0001@11.t0@12.q"
WORDS = "3 秒后按 2，查询案件 20261124-0001，12 秒后按 0"
FRAME = "\r\n".join(
    (
        "Event: UserEvent",
        "Privilege: user,all",
        "Channel: PJSIP/city-00000001",
        "ChannelState: 6",
        "ChannelStateDesc: Up",
        "CallerIDNum: 13805380001",
        "CallerIDName: <unknown>",
        "ConnectedLineNum: <unknown>",
        "ConnectedLineName: <unknown>",
        "Language: zh",
        "AccountCode: ",
        "Context: from-pstn",
        "Exten: 12345",
        "Priority: 7",
        "Uniqueid: 1764000000.1",
        "Linkedid: 1764000000.1",
        "UserEvent: {}",
        f"Path: {PATH}",
        "Status: SUCCESS",
        "CallAt: 05386991014",
    )
)


def left(world: World, uid: str, path: str = PATH, status: str = "SUCCESS", call_at: str = "") -> IvrLeft:
    return IvrLeft(world.legs[uid].channel, path, status, call_at)


def test_the_dialplans_event_is_read_and_nobody_elses() -> None:
    found = translate(FRAME.format("IvrLeft").encode())
    assert isinstance(found, IvrLeft)
    assert (found.channel.uid, found.path, found.status) == ("1764000000.1", PATH, "SUCCESS")
    assert found.call_at == "05386991014"
    assert translate(FRAME.format("Other").encode()) is None


def test_the_agent_reads_the_way_when_the_phone_rings() -> None:
    world = World()
    citizen = world.call("13805380001")
    world.spoke_with(citizen, "1001")
    world.feed(left(world, citizen))
    world.settle()
    (context,) = world.floor.snapshot().contexts
    assert context.way == WORDS
    (passed,) = [event for event in world.history if isinstance(event, IvrPassed)]
    assert (passed.path, passed.failure) == (PATH, "")


def test_a_restarted_server_still_knows_the_way() -> None:
    world = World()
    citizen = world.call("13805380001")
    world.feed(left(world, citizen))
    memory = remember(world.history, 0)
    assert memory.open[f"n1-{citizen}"].ivr_path == PATH


@pytest.mark.parametrize(
    ("status", "path", "why"),
    [("FAILURE", "", "unreachable"), ("TIMEOUT", "g", "late"), ("SUCCESS", "g@5.r", "broken")],
)
def test_why_an_ivr_failed_a_caller_is_kept(status: str, path: str, why: str) -> None:
    world = World()
    citizen = world.call("13805380001")
    world.feed(left(world, citizen, path, status))
    (passed,) = [event for event in world.history if isinstance(event, IvrPassed)]
    assert passed.failure == why


def test_a_call_that_ends_in_the_recording_of_a_message_has_left_one() -> None:
    world = World()
    citizen = world.call("13805380001")
    leg = world.legs[citizen]
    leg.channel = msgspec.structs.replace(leg.channel, context="message-record")
    world.feed(*world.hang_up(citizen))
    (ended,) = [event for event in world.history if isinstance(event, CallEnded)]
    assert (ended.outcome, ended.queue) == (Outcome.MESSAGE, "12345")
