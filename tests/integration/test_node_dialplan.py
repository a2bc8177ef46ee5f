"""Owns the tests of what Asterisk alone does for a caller, and of what each AMI user may do."""

import asyncio
import contextlib
import re
import socket
from collections.abc import AsyncIterator, Awaitable, Callable

import pytest
import pytest_asyncio
from test_node import SECRETS, Node, complaints, hotline, started

from asterisk_conf import render as rendering
from hotline.settings import Settings

Headers = dict[str, str]


class Ami:
    """A bare manager client: sends one action at a time and keeps every event."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.events: list[Headers] = []
        self._reader, self._writer = reader, writer

    @classmethod
    async def login(cls, settings: Settings, user: str, secret: str) -> "Ami":
        port = settings.switch.ami_port
        ami = cls(*await asyncio.open_connection("127.0.0.1", port))
        await ami._reader.readline()
        answer = await ami.ask("Login", Username=user, Secret=secret)
        assert answer["Response"] == "Success", answer
        return ami

    async def ask(self, action: str, **fields: str) -> Headers:
        lines = [f"Action: {action}", *(f"{name}: {value}" for name, value in fields.items()), "", ""]
        self._writer.write("\r\n".join(lines).encode())
        while "Response" not in (message := await self._message()):
            self.events.append(message)
        return message

    async def list(self, action: str, complete: str, **fields: str) -> list[Headers]:
        """The items of a list answer."""
        assert (await self.ask(action, **fields))["Response"] == "Success", action
        items: list[Headers] = []
        while (message := await self._message())["Event"] != complete:
            items.append(message)
        return items

    async def until(self, event: str, **fields: str) -> Headers:
        """The next event of this name with these headers."""
        async with asyncio.timeout(8):
            while True:
                message = await self._message()
                self.events.append(message)
                if message["Event"] == event and fields.items() <= message.items():
                    return message

    async def call(self, extension: str, context: str, channel_id: str) -> None:
        """A caller enters at an extension and listens for as long as they are let. Ids are used once only."""
        answer = await self.ask(
            "Originate", Channel=f"Local/{extension}@{context}/n", Application="Wait", Data="60",
            ChannelId=f"{channel_id}-1", OtherChannelId=f"{channel_id}-2", Async="true", Timeout="30000",
        )  # fmt: skip
        assert answer["Response"] == "Success", answer

    async def close(self) -> None:
        self._writer.close()
        with contextlib.suppress(OSError):
            await self._writer.wait_closed()

    async def _message(self) -> Headers:
        raw = (await self._reader.readuntil(b"\r\n\r\n")).decode()
        return dict(line.split(": ", 1) for line in raw.split("\r\n") if ": " in line)


async def eventually(holds: Callable[[], bool]) -> None:
    async with asyncio.timeout(5):
        while not holds():  # noqa: ASYNC110 - a file of another process tells nobody that it grew
            await asyncio.sleep(0.02)


@pytest.fixture(scope="module")
def settings() -> Settings:
    return hotline()


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def switch(tmp_path_factory: pytest.TempPathFactory, settings: Settings) -> AsyncIterator[Node]:
    """One Asterisk for this module; a greeting must show itself in 0.5 s here."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(rendering, "PROBE_S", 0.5)
        node = await started(tmp_path_factory.mktemp("switch"), settings)
    yield node
    await node.stop()


@pytest_asyncio.fixture(loop_scope="module")
async def cti(switch: Node, settings: Settings) -> AsyncIterator[Ami]:
    ami = await Ami.login(settings, "cti", SECRETS.ami_cti)
    yield ami
    for channel in await ami.list("CoreShowChannels", "CoreShowChannelsComplete"):
        await ami.ask("Hangup", Channel=channel["Channel"])
    await ami.close()


@pytest_asyncio.fixture(loop_scope="module")
async def system(switch: Node, settings: Settings) -> AsyncIterator[Ami]:
    ami = await Ami.login(settings, "system", SECRETS.ami_system)
    yield ami
    await ami.close()


pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest.mark.parametrize(
    ("action", "fields"),
    [
        ("Command", {"Command": "core show uptime"}),
        ("Originate", {"Channel": "Local/600@from-seat", "Application": "System", "Data": "id"}),
        ("Originate", {"Channel": "Local/600@from-seat", "Application": "Exec", "Data": "System(id)"}),
        ("Reload", {}),
        ("GetConfig", {"Filename": "manager.conf"}),
        ("UpdateConfig", {"SrcFilename": "manager.conf", "DstFilename": "manager.conf"}),
        ("Getvar", {"Variable": "SHELL(id)"}),
    ],
)
async def test_the_cti_user_may_not(cti: Ami, action: str, fields: Headers) -> None:
    answer = await cti.ask(action, **fields)
    assert answer["Response"] == "Error", answer


@pytest.mark.parametrize(
    ("action", "fields"),
    [
        ("Originate", {"Channel": "Local/600@from-seat", "Application": "Wait", "Data": "1"}),
        ("Redirect", {"Channel": "x", "Context": "queue", "Exten": "12345", "Priority": "1"}),
        ("QueueAdd", {"Queue": "12345", "Interface": "PJSIP/8001"}),
        ("Command", {"Command": "core show uptime"}),
    ],
)
async def test_the_system_user_may_not(system: Ami, action: str, fields: Headers) -> None:
    answer = await system.ask(action, **fields)
    assert (answer["Response"], answer["Message"]) == ("Error", "Permission denied")


async def test_the_system_user_may_reload(system: Ami) -> None:
    assert (await system.ask("Reload", Module="app_queue"))["Response"] == "Success"


async def test_a_wrong_password_is_refused(switch: Node, settings: Settings) -> None:
    with pytest.raises(AssertionError, match="Authentication failed"):
        await Ami.login(settings, "cti", "guess")


async def test_every_list_that_a_resync_reads_comes_through_the_event_filter(cti: Ami) -> None:
    await cti.ask("QueueAdd", Queue="12345", Interface="PJSIP/8001", MemberName="1001")
    await cti.call("1.1", "room-citizen", "resync")
    await cti.until("ConfbridgeJoin")
    channels = await cti.list("CoreShowChannels", "CoreShowChannelsComplete")
    bridges = await cti.list("BridgeList", "BridgeListComplete")
    queues = await cti.list("QueueStatus", "QueueStatusComplete")
    rooms = await cti.list("ConfbridgeListRooms", "ConfbridgeListRoomsComplete")
    people = await cti.list("ConfbridgeList", "ConfbridgeListComplete", Conference="1.1")
    devices = await cti.list("DeviceStateList", "DeviceStateListComplete")
    await cti.ask("QueueRemove", Queue="12345", Interface="PJSIP/8001")
    assert {channel["Uniqueid"] for channel in channels} == {"resync-1", "resync-2"}
    assert [bridge["BridgeTechnology"] for bridge in bridges if bridge["BridgeType"] == "base"] == ["softmix"]
    assert [item["Name"] for item in queues if item["Event"] == "QueueMember"] == ["1001"]
    assert [room["Conference"] for room in rooms] == ["1.1"]
    assert [person["MarkedUser"] for person in people] == ["Yes"]
    assert "PJSIP/8001" in {device["Device"] for device in devices}


async def test_only_events_of_use_cross_the_socket(cti: Ami) -> None:
    await cti.call("600", "from-seat", "echo")
    await cti.until("OriginateResponse")
    await cti.ask("Hangup", Channel="echo-1")
    await cti.until("Hangup", Uniqueid="echo-2")
    names = {event["Event"] for event in cti.events}
    assert {"Newchannel", "Newstate", "Hangup"} <= names <= set(rendering.EVENTS)


async def _silent(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Accepts and says nothing, as a stopped process does."""
    with contextlib.suppress(asyncio.CancelledError):
        await asyncio.Event().wait()
    writer.close()


async def _hangs_greeting(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Shows that it is there, takes a second, and then hangs."""
    await reader.readuntil(b"\n\n")
    writer.write(b'SET VARIABLE TIMEOUT(absolute) "1.0"\n')
    await reader.readline()
    await _silent(reader, writer)


async def _closes(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.close()


async def _babbles(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Talks garbage for as long as anyone listens."""
    with contextlib.suppress(OSError):
        while True:
            writer.write(b"200 tell me \x01 about it\r\n" * 50)
            await writer.drain()
            await asyncio.sleep(0.1)
    writer.close()


Handler = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@pytest.mark.parametrize("greeting", [None, _closes, _silent, _hangs_greeting, _babbles])
async def test_whatever_the_greeting_does_the_caller_reaches_the_queue(
    cti: Ami, settings: Settings, switch: Node, greeting: Handler | None
) -> None:
    async with contextlib.AsyncExitStack() as stack:
        if greeting is not None:
            server = await asyncio.start_server(greeting, "127.0.0.1", settings.ivr.port)
            stack.callback(server.close)
        name = greeting.__name__ if greeting else "dead"
        await cti.call("12345", "from-pstn", name)
        joined = await cti.until("QueueCallerJoin")
    assert (joined["Queue"], joined["Uniqueid"]) == ("12345", f"{name}-2")
    assert joined["ChanVariable"] == "HOTLINE_DNIS=12345"
    await asyncio.sleep(1.2)  # longer than the greeting's time: the clock that saved the caller must be off
    waiting = await cti.list("QueueStatus", "QueueStatusComplete")
    assert [item["Uniqueid"] for item in waiting if item["Event"] == "QueueEntry"] == [f"{name}-2"]
    await cti.ask("Hangup", Channel=f"{name}-1")
    for side in ("citizen", "hotline"):
        recording = switch.paths.recordings / f"{name}-2-{side}.wav"
        await eventually(lambda path=recording: path.stat().st_size > 16000)


async def test_a_caller_who_is_fetched_out_of_the_greeting_leaves_its_clock_behind(
    cti: Ami, settings: Settings
) -> None:
    server = await asyncio.start_server(_hangs_greeting, "127.0.0.1", settings.ivr.port)
    await cti.call("12345", "from-pstn", "fetched")
    await cti.until("OriginateResponse")
    await cti.ask("Redirect", Channel="fetched-2", Context="room-citizen", Exten="9.9", Priority="1")
    await cti.until("ConfbridgeJoin", Uniqueid="fetched-2")
    server.close()
    await asyncio.sleep(1.2)
    people = await cti.list("ConfbridgeList", "ConfbridgeListComplete", Conference="9.9")
    assert [person["Uniqueid"] for person in people] == ["fetched-2"]


async def test_a_caller_who_dialled_the_number_with_a_plus_is_served_as_well(cti: Ami) -> None:
    await cti.call("+12345", "from-pstn", "plus")
    joined = await cti.until("QueueCallerJoin")
    assert joined["ChanVariable"] == "HOTLINE_DNIS=12345"


async def test_a_seats_phone_reaches_nothing_but_its_echo(cti: Ami) -> None:
    for number in ("110", "12345", "8002", "00441632960960"):
        await cti.call(number, "from-seat", f"fraud-{number}")
        assert (await cti.until("OriginateResponse"))["Response"] == "Failure"


async def people_in(cti: Ami, room: str) -> set[str]:
    people = await cti.list("ConfbridgeList", "ConfbridgeListComplete", Conference=room)
    return {person["Uniqueid"] for person in people}


async def test_a_room_lives_on_without_the_seat_and_ends_with_the_citizen(cti: Ami) -> None:
    for who in ("seat", "third", "citizen"):
        await cti.call("7.7", f"room-{who}", f"room-{who}")
        await cti.until("ConfbridgeJoin", Uniqueid=f"room-{who}-2")
    await cti.ask("Hangup", Channel="room-seat-2")
    await cti.until("ConfbridgeLeave", Uniqueid="room-seat-2")
    async with asyncio.timeout(5):  # the room says that somebody leaves before its list is without them
        while (left := await people_in(cti, "7.7")) != {"room-citizen-2", "room-third-2"}:
            assert left == {"room-citizen-2", "room-third-2", "room-seat-2"}
            await asyncio.sleep(0.02)
    await cti.ask("Hangup", Channel="room-citizen-2")
    await cti.until("Hangup", Uniqueid="room-third-2")


async def test_a_citizen_left_alone_in_a_room_is_kept(cti: Ami) -> None:
    for who in ("seat", "citizen"):
        await cti.call("8.8", f"room-{who}", f"alone-{who}")
        await cti.until("ConfbridgeJoin", Uniqueid=f"alone-{who}-2")
    await cti.ask("Hangup", Channel="alone-seat-2")
    await cti.until("Hangup", Uniqueid="alone-seat-2")
    people = await cti.list("ConfbridgeList", "ConfbridgeListComplete", Conference="8.8")
    assert [person["Uniqueid"] for person in people] == ["alone-citizen-2"]
    await cti.ask("Redirect", Channel="alone-citizen-2", Context="queue", Exten="12345", Priority="1")
    await cti.until("QueueCallerJoin", Uniqueid="alone-citizen-2")


INVITE = """INVITE sip:12345@127.0.0.1:{port} SIP/2.0\r
Via: SIP/2.0/UDP {host}:{local};branch=z9hG4bK-{host}-{user}\r
From: <sip:{user}@{host}>;tag=a\r
To: <sip:12345@127.0.0.1>\r
Call-ID: {user}-{host}\r
CSeq: 1 INVITE\r
Contact: <sip:{user}@{host}:{local}>\r
Max-Forwards: 70\r
Content-Length: 0\r
\r
"""


@pytest.mark.parametrize(
    ("host", "user", "status"),
    [
        ("127.0.0.2", "05381234567", b"100"),  # the trunk's own address
        ("127.0.0.3", "05381234567", b"401"),  # a stranger
        ("127.0.0.3", "city", b"401"),  # a stranger who calls himself the trunk
        ("127.0.0.3", "8001", b"401"),  # a stranger who calls himself a seat
    ],
)
async def test_only_the_trunks_address_may_bring_calls(
    switch: Node, settings: Settings, host: str, user: str, status: bytes
) -> None:
    port = settings.switch.sip_port
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as phone:
        phone.bind((host, 0))
        phone.setblocking(False)
        loop, local = asyncio.get_running_loop(), phone.getsockname()[1]
        invite = INVITE.format(port=port, host=host, local=local, user=user).encode()
        await loop.sock_sendto(phone, invite, ("127.0.0.1", port))
        answer = await asyncio.wait_for(loop.sock_recv(phone, 4096), 5)
    assert answer.split()[1] == status


async def test_a_dead_trunk_is_given_up_in_seconds_so_that_110_gets_another_route(cti: Ami) -> None:
    await cti.ask("Originate", Channel="PJSIP/110@city", Application="Wait", Data="1", Async="true")
    assert (await cti.until("OriginateResponse"))["Response"] == "Failure"


async def test_all_of_this_left_no_complaint_but_about_the_greeting(switch: Node) -> None:
    about_the_greeting = re.compile(
        "res_agi|AGI|utils.c: write.. returned error: Connection reset|Broken pipe"
    )
    assert [line for line in complaints(switch) if not about_the_greeting.search(line)] == []
