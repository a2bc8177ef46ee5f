"""How often agents may call out in a day, told as sentences."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from ctiserver.api.commands import Code, Dial, Ready, Refusal, SignIn
from ctiserver.api.history import CallStarted, History
from ctiserver.bootstrap import read_day
from ctiserver.model.events import Resynced
from ctiserver.model.floor import Floor
from ctiserver.model.memory import remember
from ctiserver.store.keeper import JournalKeeper
from hotline.errors import BadSettings
from hotline.journal import Journal
from hotline.local_time import day_start_us, local_day
from hotline.settings import Settings, check
from tests.unit.test_floor import only
from tests.unit.world import RULES, World

CITIZEN, ANOTHER, THIRD = "13905380001", "13905380002", "13905380003"
UNIT = "05386991001"
HOUR_US = 3_600_000_000
SHIFT = -1_600_000_000_000_000


def hotline(per_agent: int = 0, per_number: int = 0) -> World:
    rules = msgspec.structs.replace(
        RULES,
        area_code="0538",
        outbound=("1ZXXXXXXXXX", "0ZXXXXXXXXXX", "0ZXXXXXXXXX", "ZXXXXXX"),
        calls_per_agent=per_agent,
        calls_per_number=per_number,
    )
    world = World(rules=rules)
    world.ask("8001", "1001", SignIn())
    world.ask("8002", "1002", SignIn())
    return world


def call_out(world: World, number: str, seat: str = "8001", about: str = "") -> object:
    """Call, and let it come to nothing: the agent's own phone hangs up."""
    answer = world.ask(seat, f"100{seat[-1]}", Dial(number, about=about))
    if isinstance(answer, dict):
        uid = answer["conversation"].removeprefix("n1-")
        world.feed(*world.hang_up(f"st-{uid}-0"))
    return answer


def code(answer: object) -> Code | None:
    return answer.code if isinstance(answer, Refusal) else None


def restart(world: World, history: list[History], dialled: tuple[CallStarted, ...]) -> None:
    world.floor = Floor(world.rules, remember(history, SHIFT, dialled))
    world.seen.apply(world.floor.snapshot())


def test_an_agent_calls_so_many_citizens_a_day_and_colleagues_go_on() -> None:
    world = hotline(per_agent=2)
    assert code(call_out(world, CITIZEN)) is code(call_out(world, ANOTHER)) is None
    assert code(call_out(world, THIRD)) is Code.OUTBOUND_QUOTA
    assert code(call_out(world, THIRD, "8002")) is None
    assert len(only(world, CallStarted)) == 3, "who was refused has called nobody"


def test_a_citizen_is_called_so_often_whoever_calls_and_however_it_is_dialled() -> None:
    world = hotline(per_number=1)
    assert code(call_out(world, CITIZEN)) is None
    assert code(call_out(world, CITIZEN, "8002")) is Code.NUMBER_QUOTA
    assert code(call_out(world, "0" + CITIZEN)) is Code.NUMBER_QUOTA
    assert code(call_out(world, "8220000")) is None
    assert code(call_out(world, "05388220000")) is Code.NUMBER_QUOTA


def test_calls_back_count_and_obey_as_others_do() -> None:
    world = hotline(per_agent=2, per_number=1)
    assert code(call_out(world, CITIZEN, about="n1-1.2")) is None
    assert code(call_out(world, CITIZEN, about="n1-1.2")) is Code.NUMBER_QUOTA
    assert code(call_out(world, ANOTHER)) is None
    assert code(call_out(world, THIRD, about="n1-1.3")) is Code.OUTBOUND_QUOTA


def test_a_callback_that_was_promised_is_no_agents_choice_and_does_not_count() -> None:
    world = hotline(per_agent=1, per_number=1)
    citizen = world.call(CITIZEN)
    world.queue(citizen)
    world.press_key(citizen)
    world.feed(*world.hang_up(citizen))
    world.ask("8001", "1001", Ready())
    promised = next(event for event in only(world, CallStarted) if event.is_outbound)
    assert (promised.number, promised.agent) == (CITIZEN, "1001")
    world.feed(*world.hang_up(f"st-{promised.uid}-0"))
    assert code(call_out(world, CITIZEN, "8002")) is None
    assert [d.agent for d in remember(world.history, SHIFT).dialled.values()] == ["1002"]


def test_units_of_the_directory_are_called_as_often_as_needed() -> None:
    world = hotline(per_agent=1, per_number=1)
    assert {code(call_out(world, UNIT)) for _ in range(3)} == {None}
    assert code(call_out(world, CITIZEN)) is None
    assert code(call_out(world, UNIT)) is None


def test_without_quotas_nobody_is_refused() -> None:
    world = hotline()
    assert {code(call_out(world, CITIZEN)) for _ in range(30)} == {None}


def test_the_count_begins_anew_at_midnight_in_shanghai() -> None:
    world = hotline(per_number=1)
    midnight_us = day_start_us(local_day(world.utc_us + 24 * HOUR_US))
    world.utc_us = midnight_us - 60_000_000
    assert code(call_out(world, CITIZEN)) is None
    world.utc_us = midnight_us - 1_000_000
    assert code(call_out(world, CITIZEN)) is Code.NUMBER_QUOTA
    world.utc_us = midnight_us
    assert code(call_out(world, CITIZEN)) is None
    assert code(call_out(world, CITIZEN)) is Code.NUMBER_QUOTA


@pytest.mark.parametrize("is_in_history", [True, False])
def test_a_restarted_server_has_not_forgotten_who_was_called(is_in_history: bool) -> None:
    world = hotline(per_agent=2, per_number=1)
    call_out(world, CITIZEN)
    restart(world, world.history if is_in_history else [], tuple(only(world, CallStarted)))
    world.utc_us += 1
    assert code(refused_at(world, CITIZEN)) is Code.NUMBER_QUOTA
    assert code(refused_at(world, ANOTHER)) is None


def refused_at(world: World, number: str) -> object:
    """What the restarted floor says, once it has looked at the switch."""
    world.feed(Resynced(world.snapshot()))
    return call_out(world, number)


async def test_the_days_outbound_calls_are_read_from_the_journal(tmp_path: Path) -> None:
    world = hotline()
    now_us = day_start_us(local_day(world.utc_us)) + 12 * HOUR_US
    world.utc_us = now_us - 13 * HOUR_US
    call_out(world, CITIZEN)
    world.utc_us = now_us
    world.call()
    call_out(world, ANOTHER)
    journal = Journal.open(tmp_path / "journal.db", lambda _: None)
    try:
        JournalKeeper(journal, "n1").keep(world.history)
        await journal.flushed()
        dialled = remember([], 0, await read_day(journal, "n1", now_us)).dialled
        assert [call.number for call in dialled.values()] == [ANOTHER]
    finally:
        await journal.close()


@pytest.mark.parametrize("name", ["outbound_per_agent", "outbound_per_number"])
@pytest.mark.parametrize("value", [-1, 10_001])
def test_quotas_that_cannot_be_are_named(name: str, value: int) -> None:
    with pytest.raises(BadSettings, match=name):
        check(Settings(**{name: value}))
