"""The link's story in orders that no real Asterisk can be made to follow: a scripted server plays them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import pytest

from ctiserver.ami import connection
from ctiserver.ami.connection import NEEDED, Link
from ctiserver.ami.errors import ListenerLost, NotSent, OutcomeUnknown, Refused
from ctiserver.ami.session import Session
from ctiserver.model.effects import HangUpChannel, SendTo
from ctiserver.model.events import Event, LinkLost, PhoneChanged, Resynced, SwitchStopped
from tests.integration.ami_tools import Heard

HANG_UP = HangUpChannel("r", "PJSIP/city-00000001")
Say = Callable[[str], None]


def phone(seat: int, more: str = "") -> str:
    return f"Event: DeviceStateChange\r\n{more}Device: PJSIP/{seat}\r\nState: NOT_INUSE\r\n\r\n"


class Script:
    """An AMI server that answers each action as it is told to; by default as an idle Asterisk."""

    def __init__(self) -> None:
        self.port = 0
        self.asked: list[str] = []
        self.on: dict[str, Callable[[str, Say], None]] = {}
        self.greeting = "Asterisk Call Manager/11.0.0\r\n"
        self.boots = True
        self._writers: list[asyncio.StreamWriter] = []

    def say(self, text: str) -> None:
        """Say something unasked, on the newest connection."""
        self._writers[-1].write(text.encode())

    def hang_up(self) -> None:
        self._writers[-1].transport.abort()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._writers.append(writer)
        self.say(self.greeting)
        try:
            while True:
                text = (await reader.readuntil(b"\r\n\r\n")).decode()
                fields = dict(line.split(": ", 1) for line in text.strip().split("\r\n"))
                self.asked.append(fields["Action"])
                self._answer(fields["Action"], f"ActionID: {fields['ActionID']}\r\n")
        except (asyncio.IncompleteReadError, ConnectionError):
            writer.transport.abort()

    def _answer(self, action: str, mark: str) -> None:
        if action in self.on:
            self.on[action](mark, self.say)
        elif action in ("CoreShowChannels", "QueueStatus", "DeviceStateList"):
            self.say(f"Response: Success\r\n{mark}EventList: start\r\n\r\n{done(mark)}")
        elif action == "ListCommands":
            self.say(f"Response: Success\r\n{mark}" + "".join(f"{each}: x\r\n" for each in NEEDED) + "\r\n")
        else:
            self.say(f"Response: Success\r\n{mark}\r\n")
        if action == "Login" and self.boots:
            self.say("Event: FullyBooted\r\nUptime: 41\r\n\r\n")


def done(mark: str) -> str:
    return f"Event: ListComplete\r\n{mark}EventList: Complete\r\nListItems: 0\r\n\r\n"


@asynccontextmanager
async def played(script: Script) -> AsyncIterator[Script]:
    server = await asyncio.start_server(script.serve, "127.0.0.1", 0)
    script.port = server.sockets[0].getsockname()[1]
    try:
        yield script
    finally:
        server.close()
        for writer in script._writers:
            writer.transport.abort()


@asynccontextmanager
async def up(script: Script, heard: Callable[[Event], None], **more: float) -> AsyncIterator[Link]:
    async with played(script):
        link = Link("127.0.0.1", script.port, "cti", "word", trunk="city", ring_s=3, on_event=heard, **more)  # type: ignore[arg-type]
        await link.start(2)
        yield link
        await link.stop()


async def test_what_happens_during_a_look_is_told_after_it_and_its_items_are_no_events() -> None:
    script, heard = Script(), Heard()

    def list_devices(mark: str, say: Say) -> None:
        say(phone(8001) + f"Response: Success\r\n{mark}EventList: start\r\n\r\n" + phone(8002, mark))
        say("Event: OriginateResponse\r\nActionID: other\r\nResponse: Success\r\nUniqueid: x\r\n\r\n")
        say(phone(8003) + done(mark) + phone(8004))

    script.on["DeviceStateList"] = list_devices
    async with up(script, heard):
        await heard.next(PhoneChanged, lambda event: event.seat == "8004")
    look, *after = heard.events
    assert isinstance(look, Resynced)
    assert look.snapshot.phones_up == ("8002",)
    assert look.snapshot.up_s == 41
    assert after == [PhoneChanged(seat, True) for seat in ("8001", "8003", "8004")]


async def test_a_connection_that_breaks_during_a_look_tells_what_it_heard_and_then_its_loss() -> None:
    script, heard = Script(), Heard()
    async with up(script, heard) as link:

        def break_off(_mark: str, say: Say) -> None:
            say(phone(8001) + "Event: Shutdown\r\nShutdown: Cleanly\r\n\r\n")
            asyncio.get_running_loop().call_later(0.02, script.hang_up)
            del script.on["QueueStatus"]

        script.on["QueueStatus"] = break_off
        await link.resync()
        await heard.next(Resynced, since=1)
    assert [type(event) for event in heard.events] == [
        Resynced,
        PhoneChanged,
        SwitchStopped,
        LinkLost,
        Resynced,
    ]


async def test_a_look_that_is_no_longer_wanted_holds_nothing_back() -> None:
    script, heard = Script(), Heard()
    async with up(script, heard) as link:
        script.on["QueueStatus"] = lambda _mark, say: say(phone(8001))
        look = asyncio.create_task(link.resync())
        await asyncio.sleep(0.05)
        assert heard.all(PhoneChanged) == []
        look.cancel()
        assert await heard.next(PhoneChanged) == PhoneChanged("8001", True)


async def test_an_answer_that_got_lost_with_the_link_is_unknown_and_the_action_is_not_said_again() -> None:
    script, heard = Script(), Heard()
    async with up(script, heard) as link:
        script.on["Hangup"] = lambda _mark, _say: script.hang_up()
        with pytest.raises(OutcomeUnknown, match="no answer came"):
            await link.perform(HANG_UP)
        await heard.next(LinkLost)
        with pytest.raises(NotSent):
            await link.perform(HANG_UP)
        await heard.next(Resynced, since=1)
        await link.perform(SendTo("r", "PJSIP/city-00000002", "farewell", "s"))
    assert script.asked.count("Redirect") == 1
    assert script.asked.count("Hangup") == 1


async def test_actions_reach_asterisk_in_the_order_in_which_they_were_asked() -> None:
    script, heard = Script(), Heard()
    marks: list[str] = []
    async with up(script, heard) as link:
        script.on["Hangup"] = lambda mark, say: (marks.append(mark), say(f"Response: Success\r\n{mark}\r\n"))[
            1
        ]
        await asyncio.gather(*(asyncio.create_task(link.perform(HANG_UP)) for _ in range(50)))
    numbers = [int(mark.strip().rpartition("/")[2]) for mark in marks]
    assert numbers == sorted(numbers)
    assert len(numbers) == 50


async def test_an_action_without_answer_is_unknown_after_its_time_and_a_late_answer_harms_nobody() -> None:
    script = Script()
    marks: list[str] = []
    async with played(script):
        session = Session(lambda _frame: None, None)
        await session.open("127.0.0.1", script.port, "cti", "word", 2)
        script.on["Ping"] = lambda mark, _say: marks.append(mark)
        with pytest.raises(OutcomeUnknown, match=r"within 0\.05 s"):
            await session.act([("Action", "Ping")], within_s=0.05)
        script.say(f"Response: Success\r\n{marks[0]}\r\n")
        script.on["Ping"] = lambda mark, say: say(f"Response: Error\r\n{mark}Message: 不行\r\n\r\n")
        with pytest.raises(Refused, match="不行"):
            await session.act([("Action", "Ping")])
        session.close("done")
        with pytest.raises(NotSent):
            session.send([("Action", "Ping")])


async def test_a_list_that_asterisk_cancels_is_a_refusal() -> None:
    script = Script()
    script.on["QueueStatus"] = lambda mark, say: say(
        f"Response: Success\r\n{mark}EventList: start\r\n\r\n"
        f"Event: QueueStatusComplete\r\n{mark}EventList: cancelled\r\n\r\n"
    )
    async with played(script):
        session = Session(lambda _frame: None, None)
        await session.open("127.0.0.1", script.port, "cti", "word", 2)
        with pytest.raises(Refused, match="cancelled"):
            await session.list("QueueStatus")
        session.close("done")


async def test_bad_frames_among_good_ones_are_counted_and_the_story_goes_on() -> None:
    script, heard = Script(), Heard()
    async with up(script, heard) as link:
        before = link.counters
        script.say(
            "nonsense\r\n\r\n" + "Event: Hangup\r\nCause: 16\r\n\r\n" + "Event: VarSet\r\n\r\n" + phone(8001)
        )
        await heard.next(PhoneChanged)
        after = link.counters
    assert (after.dropped - before.dropped, after.ignored - before.ignored) == (2, 1)


async def test_a_flood_during_a_look_costs_the_link_and_not_the_memory(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(connection, "MAX_HELD", 10)
    script, heard = Script(), Heard()
    async with up(script, heard) as link:

        def flood(_mark: str, say: Say) -> None:
            del script.on["QueueStatus"]
            say(phone(8001) * 11)

        script.on["QueueStatus"] = flood
        await link.resync()
        await heard.next(Resynced, since=1)
    assert [type(event) for event in heard.events] == [Resynced, *[PhoneChanged] * 10, LinkLost, Resynced]


async def test_a_consumer_that_fails_costs_the_link_and_a_fresh_look_mends_it() -> None:
    script, told = Script(), Heard()

    def hear(event: Event) -> None:
        if isinstance(event, PhoneChanged) and event.seat == "8666":
            raise LookupError("a bug")
        told(event)

    loop = asyncio.get_running_loop()
    loop.set_exception_handler(lambda _loop, _context: None)
    async with up(script, hear):
        script.say(phone(8666))
        await told.next(Resynced, since=1)
    assert [type(event) for event in told.events] == [Resynced, LinkLost, Resynced]


async def test_while_asterisk_still_boots_nobody_is_told_that_it_is_there(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    script, heard = Script(), Heard()
    script.boots = False
    async with played(script):
        link = Link("127.0.0.1", script.port, "cti", "word", trunk="city", ring_s=3, on_event=heard)
        starting = asyncio.create_task(link.start(5))
        await asyncio.sleep(0.1)
        script.say(phone(8001))
        await asyncio.sleep(0.05)
        assert "ListCommands" in script.asked
        assert heard.events == []
        script.say("Event: FullyBooted\r\nUptime: 0\r\n\r\n")
        await starting
        assert [type(event) for event in heard.events] == [Resynced, PhoneChanged]
        await link.stop()


async def test_a_session_that_is_never_let_in_says_why() -> None:
    script = Script()
    script.on["Login"] = lambda _mark, _say: script.hang_up()
    async with played(script):
        session = Session(lambda _frame: None, None)
        with pytest.raises(ListenerLost, match="no Asterisk manager interface on 127"):
            await session.open("127.0.0.1", script.port, "cti", "word", 2)


PINGS = {"ping_every_s": 0.05, "ping_deadline_s": 0.15}


async def test_a_ping_answered_late_because_much_happens_is_no_loss() -> None:
    script, heard = Script(), Heard()
    marks: list[str] = []
    script.on["Ping"] = lambda mark, _say: marks.append(mark)
    async with up(script, heard, **PINGS):
        for _ in range(7):
            await asyncio.sleep(0.05)
            script.say(phone(8001))
        del script.on["Ping"]
        script.say(f"Response: Success\r\n{marks[0]}\r\n")
        await asyncio.sleep(0.3)
    assert heard.all(LinkLost) == []
    assert len(marks) == 1


async def test_a_ping_never_answered_is_a_loss_though_events_still_come() -> None:
    script, heard = Script(), Heard()
    script.on["Ping"] = lambda _mark, _say: None
    async with up(script, heard, **PINGS):
        for _ in range(15):
            await asyncio.sleep(0.05)
            script.say(phone(8001))
    assert heard.all(LinkLost) != []
