"""The phone in the page (网页话机) as the floor knows it: its secret, and a call taken up after a reload."""

from __future__ import annotations

import msgspec

from ctiserver.api.commands import Code, OpenPhone, SignIn, SignOut, TakeUp, ThreeWay
from ctiserver.api.states import Phase, SeatState
from ctiserver.model.effects import AdmitPhone, CallSeat, HangUpChannel, SendTo
from tests.unit.test_agents_calls import ask, effects
from tests.unit.test_floor import HOUSING, state_of, talking
from tests.unit.world import RULES, World

SECRET = "0123456789abcdef" * 2
IN_PAGE = msgspec.structs.replace(RULES, softphones=frozenset({"8001"}))


def talks() -> tuple[World, str, str]:
    """Seat 8001, whose phone is in the page, talks with a citizen."""
    world, citizen, leg = talking()
    world.change_rules(IN_PAGE)
    return world, citizen, leg


def test_a_secret_lasts_until_its_agent_leaves_the_seat() -> None:
    world = World(rules=IN_PAGE)
    world.ask("8001", "1001", SignIn())
    assert ask(world, OpenPhone(SECRET)) == {}
    assert effects(world, AdmitPhone)[-1].secret == SECRET
    assert ask(world, SignOut()) == {}
    assert effects(world, AdmitPhone)[-1].secret == ""
    assert ask(world, OpenPhone(SECRET)).code is Code.NOT_SIGNED_IN  # type: ignore[attr-defined]


def test_a_seat_with_a_desk_phone_is_given_no_secret_and_takes_nothing_up() -> None:
    world = World(rules=IN_PAGE)
    world.ask("8002", "1002", SignIn(ready=True))
    assert world.ask("8002", "1002", OpenPhone(SECRET)).code is Code.NO_SOFTPHONE  # type: ignore[attr-defined]
    citizen = world.call()
    world.queue(citizen)
    world.answer(world.ring(citizen, "8002"))
    assert world.ask("8002", "1002", TakeUp()).code is Code.NO_SOFTPHONE  # type: ignore[attr-defined]
    world.ask("8002", "1002", SignOut())
    assert effects(world, AdmitPhone) == []


def test_a_call_whose_page_was_loaded_anew_comes_back_to_the_same_seat() -> None:
    world, citizen, _leg = talks()
    assert isinstance(ask(world, TakeUp()), dict)
    assert [(e.context, e.exten) for e in effects(world, SendTo)] == [("room-citizen", citizen)]
    assert [e.seat for e in effects(world, CallSeat)] == ["8001"]
    assert len(effects(world, HangUpChannel)) == 1, "the leg without sound goes"
    world.third_answers(f"st-{citizen}-1")
    assert state_of(world) is SeatState.TALKING
    conversation = world.seen.conversations[f"n1-{citizen}"]
    assert conversation.phase in (Phase.TALKING, Phase.CONFERENCE)
    assert [p.label for p in conversation.participants if p.role == "seat"] == ["8001"]
    assert all("call.drop" not in p.actions for p in conversation.participants), "nobody drops themselves"


def test_a_phone_that_does_not_come_back_leaves_the_citizen_first_in_line() -> None:
    world, citizen, _leg = talks()
    ask(world, TakeUp())
    world.feed(*world.hang_up(f"st-{citizen}-1", 19))
    assert world.waiting == [citizen]


def test_nothing_is_taken_up_while_somebody_is_called() -> None:
    world, _citizen, _leg = talks()
    ask(world, ThreeWay(HOUSING))
    assert ask(world, TakeUp()).code is Code.THIRD_PARTY_PENDING  # type: ignore[attr-defined]
