"""The push server against real clients: who is let in, what each one gets, and what is refused."""

from __future__ import annotations

import asyncio
import json
import socket

import msgspec
import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

from ctiserver.api.commands import Code, HangUp, SignIn, ThreeWay, refuse
from ctiserver.api.pushes import LinkPush, Notice, Pop, SeatPush
from ctiserver.push import closing
from ctiserver.push.outbox import LIMITS, Limits
from ctiserver.push.server import PushServer
from hotline.errors import BadSettings, PortBusy
from hotline.identity import token
from hotline.identity.roles import Role
from hotline.settings import CtiSettings, Settings
from tests.unit.push_room import KEY, Room, Screen, call, context, mint, open_room, screen, seat, snapshot_of


async def closed_with(link: object, wait_s: float = 5.0) -> int | None:
    """The code with which the server closes, whatever it says before."""
    async with asyncio.timeout(wait_s):
        while True:
            try:
                await link.recv()  # type: ignore[attr-defined]
            except ConnectionClosed as error:
                return error.rcvd.code if error.rcvd is not None else None


async def first_message(room: Room, message: str | bytes) -> int | None:
    async with connect(room.url, proxy=None) as link:
        await link.send(message)
        return await closed_with(link)


async def test_a_screen_sees_the_floor_and_every_change_in_order() -> None:
    async with open_room() as room, screen(room, mint(Role.SUPERVISOR)) as wall:
        assert wall.seen == room.floor
        pushes = [SeatPush(seat("8002", since_us=2)), LinkPush(False), Pop("8001", context("a"))]
        room.tell(*pushes)
        assert [(await wall.frame()).push for _ in pushes] == pushes
        assert wall.seen == room.floor


async def test_an_agent_is_told_of_its_own_seat_only() -> None:
    async with open_room() as room, screen(room, mint(Role.AGENT, "8001")) as own:
        assert set(own.seen.seats) == {"8001"}
        room.tell(SeatPush(seat("8002", since_us=2)), Pop("8002", context("b")))
        room.tell(Notice("8001", "switch_refused", "x"))
        assert isinstance((await own.frame()).push, Notice)


async def test_a_push_is_on_its_way_before_tell_returns() -> None:
    async with open_room() as room, screen(room, mint(Role.AGENT, "8001")) as own:
        room.tell(Pop("8001", context("a")))
        raw = own.link.transport.get_extra_info("socket").dup()
        # Nothing of ours has run since: the bytes lie in this process's own receive buffer.
        raw.setblocking(False)
        assert b'"pop"' in raw.recv(4096, socket.MSG_PEEK)
        raw.close()


@pytest.mark.parametrize(
    "word",
    [
        "",
        "v1.e30.x",
        token.mint("another key", "1001", Role.AGENT, "8001", 2**60, "n"),
        mint(Role.AGENT, "8001", life_us=-1),
        mint(Role.AGENT, "8001")[:-1],
    ],
    ids=["empty", "malformed", "wrong key", "expired", "cut"],
)
async def test_a_bad_token_opens_nothing(word: str) -> None:
    async with open_room() as room:
        assert await first_message(room, msgspec.json.encode({"token": word})) == closing.BAD_TOKEN


@pytest.mark.parametrize(
    "message",
    ["", "{", "[]", '{"token": 5}', '{"token": "x", "more": 1}', "[" * 9000, b"\xff\x00", '{"id": 1}'],
)
async def test_a_first_message_that_is_no_token_opens_nothing(message: str | bytes) -> None:
    async with open_room() as room:
        assert await first_message(room, message) == closing.BAD_TOKEN


async def test_a_token_is_good_for_one_connection() -> None:
    async with open_room() as room:
        word = mint(Role.AGENT, "8001")
        async with screen(room, word):
            pass
        assert await first_message(room, msgspec.json.encode({"token": word})) == closing.BAD_TOKEN


async def test_a_silent_visitor_is_shown_the_door(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ctiserver.push.server.TOKEN_S", 0.1)
    async with open_room() as room, connect(room.url, proxy=None) as link:
        assert await closed_with(link) == closing.NO_TOKEN


@pytest.mark.parametrize(
    "origin", ["http://evil.example", "http://127.0.0.1:9999", "null", "http://127.0.0.1"]
)
async def test_a_foreign_page_gets_no_connection(origin: str) -> None:
    async with open_room(desk_port=8123) as room:
        with pytest.raises(InvalidStatus) as refused:
            async with connect(room.url, origin=origin, proxy=None):  # type: ignore[arg-type]
                pass
        assert refused.value.response.status_code == 403


@pytest.mark.parametrize("origin", ["http://127.0.0.1:8123", "http://localhost:8123", None])
async def test_the_desks_pages_and_programs_connect(origin: str | None) -> None:
    async with open_room(desk_port=8123) as room, screen(room, mint(Role.WALL), origin=origin) as wall:
        assert len(wall.seen.seats) == 57


async def test_there_is_one_address() -> None:
    async with open_room() as room:
        with pytest.raises(InvalidStatus) as refused:
            async with connect(room.url.replace("/v1", "/v2"), proxy=None):
                pass
        assert refused.value.response.status_code == 404


async def test_a_command_reaches_the_desk_with_the_tokens_person_and_seat() -> None:
    async with open_room() as room, screen(room, mint(Role.AGENT, "8001")) as own:
        answer = await own.ask('{"id": 7, "op": "call.three_way", "args": {"number": "110"}, "key": "k"}')
        assert answer == {"re": 7, "ok": {"done": "yes"}}
        [(actor, command, key)] = room.asked
        assert (actor.person, actor.name, actor.role, actor.seat) == ("1001", "甲", "agent", "8001")
        assert (command, key) == (ThreeWay("110"), "k")


async def test_a_refusal_says_why() -> None:
    async with open_room() as room, screen(room, mint(Role.AGENT, "8001")) as own:
        room.answer = refuse(Code.IN_CALL)
        answer = await own.ask('{"id": 1, "op": "seat.sign_out"}')
        assert answer == {"re": 1, "error": {"code": "in_call", "message": "通话中不能执行此操作"}}


@pytest.mark.parametrize(
    ("role", "seat_id", "code"), [(Role.WALL, "8001", "not_allowed"), (Role.SUPERVISOR, "", "no_seat")]
)
async def test_who_has_no_seat_commands_nothing(role: Role, seat_id: str, code: str) -> None:
    async with open_room() as room, screen(room, mint(role, seat_id)) as other:
        answer = await other.ask('{"id": 1, "op": "seat.ready"}')
        assert answer["error"]["code"] == code  # type: ignore[index]
        assert room.asked == []


async def test_the_same_key_from_the_same_person_is_done_once() -> None:
    async with open_room() as room:
        async with (
            screen(room, mint(Role.AGENT, "8001")) as one,
            screen(room, mint(Role.AGENT, "8001")) as two,
        ):
            first = await one.ask('{"id": 1, "op": "call.hang_up", "key": "k"}')
            room.answer = refuse(Code.IN_CALL)
            second = await two.ask('{"id": 9, "op": "call.hang_up", "key": "k"}')
            assert first["ok"] == second["ok"]
            other = await one.ask('{"id": 2, "op": "seat.ready", "key": "k"}')
            assert other["error"]["code"] == "bad_message"  # type: ignore[index]
        async with screen(room, mint(Role.AGENT, "8002", person="1002")) as three:
            await three.ask('{"id": 1, "op": "call.hang_up", "key": "k"}')
        assert [actor.person for actor, _, _ in room.asked] == ["1001", "1002"]


@pytest.mark.parametrize(
    ("message", "re", "code"),
    [
        ("", 0, "bad_message"),
        ("null", 0, "bad_message"),
        (b"\x00\xff\xfe", 0, "bad_message"),
        ('{"id": 1', 0, "bad_message"),
        ('{"id": "1", "op": "seat.ready"}', 0, "bad_message"),
        ('{"id": -1, "op": "seat.ready"}', 0, "bad_message"),
        ('{"id": ' + "9" * 400 + ', "op": "seat.ready"}', 0, "bad_message"),
        ('{"id": 1, "op": "seat.ready", "actor": "1002"}', 0, "bad_message"),
        ('{"id": 3, "op": "seat.fly"}', 3, "unknown_op"),
        ('{"id": 3, "op": "seat.not_ready"}', 3, "bad_message"),
        ('{"id": 3, "op": "seat.not_ready", "args": {"reason": 5}}', 3, "bad_message"),
        ('{"id": 3, "op": "seat.ready", "args": {"seat": "8002"}}', 3, "bad_message"),
        ('{"id": 3, "op": "call.three_way", "args": {"number": "1\\r\\nAction: X"}}', 3, "bad_message"),
        ('{"id": 3, "op": "call.three_way", "args": {"number": "' + "1" * 300 + '"}}', 3, "bad_message"),
        ('{"id": 3, "op": "seat.ready", "key": "' + "k" * 65 + '"}', 3, "bad_message"),
        ('{"id": 3, "op": "seat.ready", "key": "\\u0000"}', 3, "bad_message"),
        ('{"id": 3, "op": "seat.ready", "args": ' + "[" * 8000 + "]" * 8000 + "}", 0, "bad_message"),
        ('{"id": 3, "op": "seat.ready", "args": ' + '{"a":' * 2500, 0, "bad_message"),
        ('{"id": 3, "op": "seat.ready", "args": ' + "[" * 20 + "]" * 20 + "}", 0, "bad_message"),
    ],
)
async def test_nonsense_is_refused_and_the_connection_lives(message: str | bytes, re: int, code: str) -> None:
    async with open_room() as room, screen(room, mint(Role.AGENT, "8001")) as own:
        answer = await own.ask(message)
        assert (answer["re"], answer["error"]["code"]) == (re, code)  # type: ignore[index]
        assert room.asked == []
        assert (await own.ask('{"id": 4, "op": "seat.ready"}'))["ok"] == {"done": "yes"}


async def test_who_talks_nothing_but_nonsense_is_shown_the_door() -> None:
    async with open_room() as room, screen(room, mint(Role.AGENT, "8001")) as own:
        for _ in range(25):
            await own.link.send("nonsense")
        assert await closed_with(own.link) == closing.BAD_MESSAGES


async def test_an_oversized_message_ends_the_connection() -> None:
    async with open_room() as room, screen(room, mint(Role.AGENT, "8001")) as own:
        await own.link.send("x" * (17 << 10))
        assert await closed_with(own.link) == 1009


async def test_a_key_held_down_is_too_fast() -> None:
    async with open_room() as room, screen(room, mint(Role.AGENT, "8001")) as own:
        for at in range(60):
            await own.link.send(json.dumps({"id": at, "op": "call.hang_up"}))
        answers = [await own.answer() for _ in range(60)]
        assert [answer["re"] for answer in answers] == list(range(60))
        refused = [answer for answer in answers if "error" in answer]
        assert 30 <= len(refused) <= 40
        assert {answer["error"]["code"] for answer in refused} == {"too_fast"}  # type: ignore[index]
        assert len(room.asked) == 60 - len(refused)


async def test_a_client_that_comes_back_gets_exactly_what_it_missed() -> None:
    async with open_room() as room:
        async with screen(room, mint(Role.AGENT, "8001")) as before:
            room.tell(SeatPush(seat("8001", since_us=2)))
            await before.frame()
        missed = [
            SeatPush(seat("8001", since_us=3)),
            Pop("8001", context("a")),
            SeatPush(seat("8001", since_us=4)),
        ]
        room.tell(*missed, SeatPush(seat("8002", since_us=9)))
        async with screen(room, mint(Role.AGENT, "8001"), resume=before) as after:
            assert after.session == before.session
            assert [(await after.frame()).push for _ in missed] == missed
            room.tell(LinkPush(False))
            assert (await after.frame()).push == LinkPush(False)


async def test_pushes_lost_on_a_broken_connection_come_again() -> None:
    async with open_room() as room, screen(room, mint(Role.SUPERVISOR)) as before:
        told = [SeatPush(seat("8001", since_us=at)) for at in range(2, 6)]
        room.tell(*told[:2])
        before.link.transport.abort()
        await before.link.wait_closed()
        room.tell(*told[2:])
        async with screen(room, mint(Role.SUPERVISOR), resume=before) as after:
            assert [(await after.frame()).push for _ in told] == told


async def test_a_session_is_not_resumed_by_another_person_seat_or_role() -> None:
    async with open_room() as room, screen(room, mint(Role.AGENT, "8001")) as own:
        for word in (
            mint(Role.AGENT, "8001", person="1002"),
            mint(Role.AGENT, "8002"),
            mint(Role.SUPERVISOR),
        ):
            async with screen(room, word, resume=own) as other:
                assert other.session != own.session
        room.tell(SeatPush(seat("8001", since_us=2)))
        assert (await own.frame()).push == SeatPush(seat("8001", since_us=2))


async def test_after_too_long_a_break_there_is_a_fresh_snapshot() -> None:
    async with open_room(Limits(kept=10)) as room:
        async with screen(room, mint(Role.SUPERVISOR)) as before:
            pass
        room.tell_seats(1)
        async with screen(room, mint(Role.SUPERVISOR), resume=before) as after:
            assert after.session != before.session
            assert after.seen == room.floor
            assert len(room.server._fanout) == 1


async def test_a_connection_that_hangs_is_replaced_by_the_next_one() -> None:
    async with (
        open_room() as room,
        screen(room, mint(Role.AGENT, "8001")) as old,
        screen(room, mint(Role.AGENT, "8001"), resume=old) as new,
    ):
        assert await closed_with(old.link) == closing.REPLACED
        room.tell(LinkPush(False))
        assert (await new.frame()).push == LinkPush(False)


async def test_two_tabs_of_one_seat_both_watch() -> None:
    async with (
        open_room() as room,
        screen(room, mint(Role.AGENT, "8001")) as one,
        screen(room, mint(Role.AGENT, "8001")) as two,
    ):
        room.tell(Pop("8001", context("a")))
        assert (await one.frame()).push == (await two.frame()).push == Pop("8001", context("a"))


async def stalled(room: Room, sock: socket.socket) -> Screen:
    """A supervisor's screen that reads its snapshot and then nothing."""
    link = await connect(
        room.url, sock=sock, proxy=None, compression=None, max_queue=1, close_timeout=0.5, ping_interval=None
    )
    came = Screen(link)
    await link.send(msgspec.json.encode({"token": mint(Role.SUPERVISOR, person="1009")}))
    came.session = msgspec.json.decode(await came.message())["session"]
    await came.frame()
    return came


def small_socket(room: Room) -> socket.socket:
    sock = socket.socket()
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    sock.connect(("127.0.0.1", room.server.port))
    return sock


async def test_a_slow_client_is_spared_what_is_outdated_and_ends_with_the_truth() -> None:
    async with open_room() as room, screen(room, mint(Role.SUPERVISOR), max_queue=None) as quick:
        slow = await stalled(room, small_socket(room))
        told = 0
        for _ in range(40):
            told += room.tell_seats(5)
            room.tell(Pop("8001", context("a")))
            told += 1
            await asyncio.sleep(0)
        async with asyncio.timeout(20):
            while quick.last_seq < told + 1:
                await quick.frame()
            assert quick.seen == room.floor, "while the slow one still stands"
            while slow.seen != room.floor:
                await slow.frame()
        assert slow.last_seq < told
        await slow.link.close()


async def test_a_client_too_far_behind_is_closed_and_nobody_else_notices() -> None:
    async with open_room(Limits(waiting=50)) as room, screen(room, mint(Role.AGENT, "8001")) as own:
        slow = await stalled(room, small_socket(room))
        big = context("a", place="泰" * 3000)
        for at in range(200):
            room.tell(Notice("8002", "switch_refused", big.place))
            room.tell(Notice("8001", "switch_refused", str(at)))
            await asyncio.sleep(0)
        async with asyncio.timeout(10):
            assert [(await own.frame()).push.message for _ in range(200)] == [str(at) for at in range(200)]  # type: ignore[union-attr]
            while True:
                try:
                    await slow.frame()
                except ConnectionClosed as error:
                    assert error.rcvd is not None
                    assert error.rcvd.code == closing.TOO_SLOW
                    break
        assert slow.last_seq < 400


async def test_a_client_that_leaves_costs_nothing_after_a_minute() -> None:
    async with open_room() as room:
        async with screen(room, mint(Role.SUPERVISOR)):
            pass
        await asyncio.sleep(0.05)
        fanout = room.server._fanout
        assert len(fanout) == 1
        fanout.expire(2**60)
        assert len(fanout) == 0
        room.tell_seats(1)


async def test_a_taken_port_is_said_in_one_sentence() -> None:
    async with open_room() as room:
        second = PushServer(Settings(cti=CtiSettings(push_port=room.server.port)), KEY, room, str, LIMITS)
        with pytest.raises(PortBusy, match=f"port {room.server.port} on 127.0.0.1 is taken"):
            await second.start()


async def test_an_address_that_is_not_ours_is_said_in_one_sentence() -> None:
    settings = Settings(cti=CtiSettings(host="192.0.2.1", push_port=1024))
    with pytest.raises(BadSettings, match=r"cannot listen on 192\.0\.2\.1"):
        await PushServer(settings, KEY, Room(), str).start()


async def test_stopping_says_good_bye() -> None:
    async with open_room() as room, screen(room, mint(Role.AGENT, "8001")) as own:
        await room.server.stop()
        assert await closed_with(own.link) == 1001


async def test_a_call_that_comes_to_a_seat_brings_its_context() -> None:
    async with open_room() as room:
        room.floor.contexts["a"] = context("a", "泰安")
        room.floor.conversations["a"] = call("a", "8001")
        async with screen(room, mint(Role.AGENT, "8001")) as own:
            assert own.seen.contexts == {"a": context("a", "泰安")}
            assert snapshot_of(own.seen).conversations == (call("a", "8001"),)


async def test_commands_are_done_in_the_order_in_which_they_are_asked() -> None:
    async with open_room() as room, screen(room, mint(Role.AGENT, "8001")) as own:
        await own.link.send('{"id": 1, "op": "seat.sign_in", "args": {"ready": true}}')
        await own.link.send('{"id": 2, "op": "call.hang_up"}')
        assert [(await own.answer())["re"] for _ in range(2)] == [1, 2]
        assert [command for _, command, _ in room.asked] == [SignIn(ready=True), HangUp()]
