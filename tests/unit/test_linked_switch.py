"""What the service asks of the link when a channel is still on its way to the last place."""

from __future__ import annotations

from typing import Any

import pytest

from ctiserver import bootstrap
from ctiserver.ami.errors import Refused
from ctiserver.bootstrap import LinkedSwitch
from ctiserver.model.effects import CallThirdParty, SendTo
from ctiserver.service.ports import SwitchRefused

MOVE = SendTo("r", "PJSIP/8001-00000001", "room-seat", "1700000000.1")
CALL = CallThirdParty("r", "tp-1700000000.1-1", "110", "1700000000.1", "")


class Link:
    """Refuses so many times, in Asterisk's words."""

    def __init__(self, words: str, times: int) -> None:
        self.words, self.times, self.asked = words, times, 0

    async def perform(self, _effect: object) -> None:
        self.asked += 1
        if self.asked <= self.times:
            raise Refused(self.words)


async def ask(link: Any, effect: Any) -> None:
    await LinkedSwitch(link).perform(effect)


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bootstrap, "IN_TRANSIT_S", (0.0, 0.0))


async def test_a_channel_on_its_way_is_moved_when_it_has_arrived() -> None:
    link = Link("Redirect failed, channel not up.", 2)
    await ask(link, MOVE)
    assert link.asked == 3


async def test_a_channel_that_does_not_arrive_is_refused_in_the_end() -> None:
    link = Link("Redirect failed, channel not up.", 9)
    with pytest.raises(SwitchRefused):
        await ask(link, MOVE)
    assert link.asked == 3


@pytest.mark.parametrize("effect", [MOVE, CALL], ids=["gone", "a call"])
async def test_nothing_else_is_asked_twice(effect: object) -> None:
    words = "Channel does not exist" if effect is MOVE else "channel not up"
    link = Link(words, 1)
    with pytest.raises(SwitchRefused):
        await ask(link, effect)
    assert link.asked == 1
