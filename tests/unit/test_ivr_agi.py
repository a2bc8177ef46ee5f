"""The greeting server against Asterisk's side of AGI, played byte for byte over a real TCP connection."""

from __future__ import annotations

import asyncio
import socket
import struct
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from structlog.testing import capture_logs

from hotline.errors import BadSettings, PortBusy
from hotline.settings import IvrSettings, Settings
from ivr import session as agi_session
from ivr.app import FastAgi, IvrServer, run, serve
from ivr.errors import AgiError, CommandRefused, TooSlow
from ivr.session import Played, Session, quote

NUMBER = "13800138000"
NAME = "王小明"
UNIQUEID = "n1-1764000000.42"
GREETING = b'STREAM FILE hotline/greeting "0123456789*#" 0\n'
RECORDING = b'STREAM FILE hotline/recording "0123456789*#" 0\n'
SET_PATH = b'SET VARIABLE HOTLINE_IVR_PATH "g"\n'
SET_CLOCK = b'SET VARIABLE TIMEOUT(absolute) "17.0"\n'
ON_TO_NOTICE = b'SET VARIABLE HOTLINE_IVR_PATH "g@0.r"\n'
TO_QUEUE = b'SET VARIABLE HOTLINE_TO "12345"\n'
ON_TO_QUEUE = b'SET VARIABLE HOTLINE_IVR_PATH "g@0.r@0.q"\n'
OK = b"200 result=1\n"
PROMPTS = (GREETING, RECORDING)


def site(port: int = 0, host: str = "127.0.0.1") -> Settings:
    return Settings(ivr=IvrSettings(host=host, port=port))


def introduction(script: str = "greeting", name: bytes = NAME.encode()) -> bytes:
    """What Asterisk 22 sends for agi://127.0.0.1/<script>, header for header."""
    lines = [
        b"agi_network: yes",
        b"agi_network_script: " + script.encode(),
        b"agi_request: agi://127.0.0.1/" + script.encode(),
        b"agi_channel: PJSIP/city-0000002a",
        b"agi_language: zh",
        b"agi_type: PJSIP",
        b"agi_uniqueid: " + UNIQUEID.encode(),
        b"agi_version: 22.10.1",
        b"agi_callerid: " + NUMBER.encode(),
        b"agi_calleridname: " + name,
        b"agi_callingpres: 0",
        b"agi_dnid: 12345",
        b"agi_rdnis: unknown",
        b"agi_context: from-pstn",
        b"agi_extension: 12345",
        b"agi_priority: 6",
        b"agi_enhanced: 0.0",
        b"agi_accountcode: ",
        b"agi_threadid: 140028",
        b"",
        b"",
    ]
    return b"\n".join(lines)


class Asterisk:
    """One FastAGI connection as Asterisk has it."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer

    def say(self, data: bytes) -> None:
        self.writer.write(data)

    async def command(self) -> bytes:
        """The next command; empty when the server has returned the call."""
        async with asyncio.timeout(3):
            try:
                return await self.reader.readline()
            except ConnectionError:
                return b""

    async def greets(self) -> None:
        """Up to the greeting's first sound."""
        await self.answer(SET_PATH, OK)
        await self.answer(SET_CLOCK, OK)

    async def notice(self) -> None:
        """Up to the recording notice."""
        await self.answer(ON_TO_NOTICE, OK)
        await self.answer(SET_CLOCK, OK)

    async def answer(self, expected: bytes, reply: bytes) -> None:
        assert await self.command() == expected
        self.say(reply)

    def reset(self) -> None:
        """Go without a FIN, as a crashing Asterisk or a cut wire does."""
        sock = self.writer.get_extra_info("socket")
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.writer.transport.abort()

    def close(self) -> None:
        self.writer.close()


@asynccontextmanager
async def listening(**limits: Any) -> AsyncIterator[tuple[IvrServer, FastAgi]]:
    agi = FastAgi(**limits)
    server = await serve(site(), agi)
    try:
        yield server, agi
    finally:
        await server.stop(grace_s=0)
        assert server.calls == 0


async def connect(server: IvrServer) -> Asterisk:
    return Asterisk(*await asyncio.open_connection("127.0.0.1", server.port))


async def idle(server: IvrServer, calls: int = 0) -> None:
    """Until only `calls` are in the IVR."""
    async with asyncio.timeout(3):
        while server.calls != calls:  # noqa: ASYNC110 - the server tells nobody when a call ends
            await asyncio.sleep(0.005)


def ending(logs: list[Any]) -> dict[str, Any]:
    """The one line that says how a call ended, which names it by its Uniqueid."""
    (line,) = [entry for entry in logs if entry["event"] in ("call_served", "call_returned", "flow_failed")]
    assert line["uniqueid"] == UNIQUEID
    return line


# The greeting


async def test_a_citizen_hears_the_greeting_and_the_recording_notice_then_goes_on() -> None:
    with capture_logs() as logs:
        async with listening() as (server, _):
            asterisk = await connect(server)
            asterisk.say(introduction())
            await asterisk.greets()
            await asterisk.answer(GREETING, b"200 result=0 endpos=48000\n")
            await asterisk.notice()
            await asterisk.answer(RECORDING, b"200 result=0 endpos=36000\n")
            await asterisk.answer(TO_QUEUE, OK)
            await asterisk.answer(ON_TO_QUEUE, OK)
            assert await asterisk.command() == b""
    assert ending(logs)["outcome"] == "heard"


@pytest.mark.parametrize("key", "0123456789*#")
async def test_any_key_skips_the_greeting_but_not_the_notice(key: str) -> None:
    with capture_logs() as logs:
        async with listening() as (server, _):
            asterisk = await connect(server)
            asterisk.say(introduction())
            await asterisk.greets()
            await asterisk.answer(GREETING, b"200 result=%d endpos=800\n" % ord(key))
            await asterisk.notice()
            await asterisk.answer(RECORDING, b"200 result=%d endpos=4000\n" % ord("*"))
            rest = RECORDING.replace(b" 0\n", b" 4000\n")
            await asterisk.answer(rest, b"200 result=0 endpos=16000\n")
            await asterisk.answer(TO_QUEUE, OK)
            await asterisk.answer(ON_TO_QUEUE, OK)
            assert await asterisk.command() == b""
    assert ending(logs)["outcome"] == "skipped"


@pytest.mark.parametrize("number", ["110", "119", "120", "122"])
async def test_an_emergency_number_typed_in_the_greeting_is_put_first_in_the_queue(number: str) -> None:
    first, second, third = (b"200 result=%d endpos=%d\n" % (ord(key), n) for n, key in enumerate(number, 1))
    with capture_logs() as logs:
        async with listening() as (server, _):
            asterisk = await connect(server)
            asterisk.say(introduction())
            await asterisk.greets()
            await asterisk.answer(GREETING, first)
            await asterisk.notice()
            await asterisk.answer(RECORDING, second)
            await asterisk.answer(RECORDING.replace(b" 0\n", b" 2\n"), third)
            await asterisk.answer(b'SET VARIABLE QUEUE_PRIO "20"\n', OK)
            await asterisk.answer(b'SET VARIABLE HOTLINE_IVR_PATH "g@0.r.e%s"\n' % number.encode(), OK)
            assert await asterisk.command() == b""
    assert ending(logs)["outcome"] == "emergency"


async def test_a_missing_sound_file_costs_the_citizen_only_that_sentence() -> None:
    with capture_logs() as logs:
        async with listening() as (server, _):
            asterisk = await connect(server)
            asterisk.say(introduction())
            await asterisk.greets()
            await asterisk.answer(GREETING, b"200 result=-1 endpos=0\n")
            await asterisk.answer(b"CHANNEL STATUS\n", b"200 result=6\n")
            await asterisk.notice()
            await asterisk.answer(RECORDING, b"200 result=0 endpos=36000\n")
            await asterisk.answer(TO_QUEUE, OK)
            await asterisk.answer(ON_TO_QUEUE, OK)
            assert await asterisk.command() == b""
    assert ending(logs)["outcome"] == "heard"
    missing = [entry["prompt"] for entry in logs if entry["event"] == "prompt_missing"]
    assert missing == ["hotline/greeting"]


async def dies_with_sighup(asterisk: Asterisk) -> None:
    """What res_agi does: the prompt's -1, HANGUP once it has noticed, 511 for the command that follows."""
    asterisk.say(b"200 result=-1 endpos=4000\nHANGUP\n")
    if await asterisk.command():
        asterisk.say(b"511 Command Not Permitted on a dead channel or intercept routine\n")


async def dies_without_sighup(asterisk: Asterisk) -> None:
    """With AGISIGHUP=no there is no HANGUP line."""
    asterisk.say(b"200 result=-1 endpos=4000\n")
    await asterisk.answer(b"CHANNEL STATUS\n", b"511 Command Not Permitted on a dead channel\n")


async def dies_by_hangup_line(asterisk: Asterisk) -> None:
    asterisk.say(b"HANGUP\n")


async def dies_by_end_of_stream(asterisk: Asterisk) -> None:
    asterisk.close()


async def dies_by_reset(asterisk: Asterisk) -> None:
    asterisk.reset()


@pytest.mark.parametrize("prompt", PROMPTS)
@pytest.mark.parametrize(
    "die",
    [dies_with_sighup, dies_without_sighup, dies_by_hangup_line, dies_by_end_of_stream, dies_by_reset],
)
async def test_a_citizen_may_hang_up_inside_every_prompt(
    prompt: bytes, die: Callable[[Asterisk], Awaitable[None]]
) -> None:
    with capture_logs() as logs:
        async with listening() as (server, _):
            asterisk = await connect(server)
            asterisk.say(introduction())
            await asterisk.greets()
            if prompt == RECORDING:
                await asterisk.answer(GREETING, b"200 result=0 endpos=1\n")
                await asterisk.notice()
            assert await asterisk.command() == prompt
            await die(asterisk)
            await idle(server)
    assert ending(logs)["outcome"] == "caller_gone"


async def test_a_hang_up_between_two_commands_is_noticed_at_the_next() -> None:
    with capture_logs() as logs:
        async with listening() as (server, _):
            asterisk = await connect(server)
            asterisk.say(introduction() + b"HANGUP\n")
            await idle(server)
    assert ending(logs)["outcome"] == "caller_gone"


async def test_no_log_line_shows_who_called() -> None:
    with capture_logs() as logs:
        async with listening() as (server, _):
            for reply in (b"200 result=1\n", b"510 what\n", b"HANGUP\n", NUMBER.encode() + b"\n"):
                asterisk = await connect(server)
                asterisk.say(introduction())
                await asterisk.answer(SET_PATH, reply)
                asterisk.close()
                await idle(server)
    assert len(logs) >= 4
    assert NUMBER not in repr(logs)
    assert NAME not in repr(logs)


async def test_a_callers_name_in_another_encoding_does_not_cost_the_greeting() -> None:
    async with listening() as (server, _):
        asterisk = await connect(server)
        asterisk.say(introduction(name=NAME.encode("gbk")))
        assert await asterisk.command() == SET_PATH


async def test_a_query_behind_the_script_still_finds_it() -> None:
    async with listening() as (server, _):
        asterisk = await connect(server)
        asterisk.say(introduction(script="greeting?from=trunk"))
        assert await asterisk.command() == SET_PATH


async def test_an_unknown_script_returns_the_call_at_once() -> None:
    with capture_logs() as logs:
        async with listening() as (server, _):
            asterisk = await connect(server)
            asterisk.say(introduction(script="no-such-script"))
            assert await asterisk.command() == b""
    (line,) = [entry for entry in logs if entry["event"] == "script_unknown"]
    assert line["uniqueid"] == UNIQUEID


async def test_a_header_that_a_caller_forges_cannot_choose_the_script() -> None:
    forged = introduction(name=b"x\nagi_network_script: no-such-script")
    async with listening() as (server, _):
        asterisk = await connect(server)
        asterisk.say(forged)
        assert await asterisk.command() == SET_PATH


# Bad company


async def test_clients_that_connect_and_close_leave_nothing_behind() -> None:
    async with listening() as (server, _):
        for leave in (Asterisk.close, Asterisk.reset) * 20:
            leave(await connect(server))
        await idle(server)
        asterisk = await connect(server)
        asterisk.say(introduction())
        assert await asterisk.command() == SET_PATH


async def test_an_introduction_that_breaks_off_leaves_nothing_behind() -> None:
    async with listening() as (server, _):
        whole = introduction()
        for end in range(0, len(whole) - 1, 7):
            asterisk = await connect(server)
            asterisk.say(whole[:end])
            asterisk.close()
        await idle(server)


async def test_one_byte_at_a_time_is_as_good_as_a_whole_packet() -> None:
    async with listening() as (server, _):
        asterisk = await connect(server)
        sock = asterisk.writer.get_extra_info("socket")
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for byte in introduction():
            asterisk.say(bytes([byte]))
            await asyncio.sleep(0)
        await asterisk.answer(SET_PATH, b"")
        for byte in b"100 Trying...\n200 result=1\n":
            asterisk.say(bytes([byte]))
            await asyncio.sleep(0)
        await asterisk.answer(SET_CLOCK, OK)
        assert await asterisk.command() == GREETING


async def test_an_introduction_that_never_ends_is_cut_off() -> None:
    async with listening(introduction_s=0.1) as (server, _):
        asterisk = await connect(server)
        asterisk.say(introduction()[:-1])
        assert await asterisk.command() == b""


HOSTILE = {
    "10,000 headers": introduction()[:-1] + b"".join(b"agi_arg_%d: x\n" % n for n in range(10_000)) + b"\n",
    "a line that never ends": b"agi_network: " + b"y" * 1_000_000,
    "a browser": b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n",
    "TLS": bytes.fromhex("160301007b010000770303") + bytes(range(256)) + b"\n\n",
    "NULs": bytes(5000) + b"\n\n",
    "nothing but an empty line": b"\n",
    "no Uniqueid": b"agi_network: yes\nagi_network_script: greeting\n\n",
    "a Uniqueid with an escape sequence": b"agi_network: yes\nagi_uniqueid: \x1b[2J\n\n",
}


@pytest.mark.parametrize("hostile", HOSTILE.values(), ids=HOSTILE.keys())
async def test_what_is_not_asterisk_is_turned_away(hostile: bytes) -> None:
    with capture_logs() as logs:
        async with listening() as (server, _):
            stranger = await connect(server)
            stranger.say(hostile)
            assert await stranger.command() == b""
            await idle(server)
            asterisk = await connect(server)
            asterisk.say(introduction())
            assert await asterisk.command() == SET_PATH
    assert [entry["event"] for entry in logs].count("client_refused") == 1


GARBAGE = {
    "no status": b"\xff\xfe\xfd\n",
    "no result": b"200 fine\n",
    "a result that breaks off": b"200 result=1 (half\n",
    "an unknown status": b"999 result=0\n",
    "an unknown command": b"510 Invalid or unknown command\n",
    "usage": b"520-Invalid command syntax.  Proper usage follows:\nUsage\n520 End of proper usage.\n",
    "usage without an end": b"520-Invalid command syntax.\n" + b"more\n" * 1000,
    "a line that never ends": b"200 result=" + b"1" * 1_000_000,
}


@pytest.mark.parametrize("garbage", GARBAGE.values(), ids=GARBAGE.keys())
async def test_an_answer_that_makes_no_sense_returns_the_call(garbage: bytes) -> None:
    with capture_logs() as logs:
        async with listening() as (server, _):
            asterisk = await connect(server)
            asterisk.say(introduction())
            await asterisk.answer(SET_PATH, garbage)
            assert await asterisk.command() == b""
    assert ending(logs)["event"] == "call_returned"


async def test_a_key_that_no_telephone_has_returns_the_call() -> None:
    for result in (b"300", b"7x", b"999999999999999999999"):
        async with listening() as (server, _):
            asterisk = await connect(server)
            asterisk.say(introduction())
            await asterisk.greets()
            await asterisk.answer(GREETING, b"200 result=" + result + b" endpos=1\n")
            assert await asterisk.command() == b""


async def test_a_call_that_takes_too_long_is_returned() -> None:
    with capture_logs() as logs:
        async with listening(call_s=0.1) as (server, _):
            asterisk = await connect(server)
            asterisk.say(introduction())
            assert await asterisk.command() == SET_PATH
            assert await asterisk.command() == b""
    assert ending(logs)["event"] == "call_returned"


async def test_more_calls_than_the_ivr_takes_go_on_ungreeted() -> None:
    async with listening(max_calls=2) as (server, _):
        inside = [await connect(server) for _ in range(2)]
        for asterisk in inside:
            asterisk.say(introduction())
            assert await asterisk.command() == SET_PATH
        outside = await connect(server)
        outside.say(introduction())
        assert await outside.command() == b""
        inside[0].close()
        await idle(server, calls=1)
        next_one = await connect(server)
        next_one.say(introduction())
        assert await next_one.command() == SET_PATH


@settings(max_examples=60, deadline=None)
@given(pieces=st.lists(st.binary(max_size=200), max_size=6), introduced=st.booleans())
def test_no_bytes_whatever_break_the_server(pieces: list[bytes], introduced: bool) -> None:
    async def attack() -> None:
        async with listening(introduction_s=0.5, call_s=0.5) as (server, _):
            stranger = await connect(server)
            if introduced:
                stranger.say(introduction())
            for piece in pieces:
                stranger.say(piece)
                await asyncio.sleep(0)
            with suppress(OSError):
                stranger.writer.write_eof()
            await idle(server)

    with capture_logs() as logs:
        asyncio.run(attack())
    assert "flow_failed" not in [entry["event"] for entry in logs]


# The dialogue


@asynccontextmanager
async def dialogue(
    flow: Callable[[Session], Awaitable[str]], script: str = "probe"
) -> AsyncIterator[Asterisk]:
    """Run `flow` for a call; on leaving, the call must have been returned."""
    async with listening() as (server, agi):
        agi.add_route(script, flow)
        asterisk = await connect(server)
        asterisk.say(introduction(script=script))
        yield asterisk
        assert await asterisk.command() == b""


@pytest.mark.parametrize(
    ("reply", "value"),
    [
        (b"200 result=0\n", None),
        (b"200 result=1 ()\n", ""),
        (b"200 result=1 (hangup)\n", "hangup"),
        (b"200 result=1 (a (b) endpos=7)\n", "a (b) endpos=7"),
        ("200 result=1 (泰安)\n".encode(), "泰安"),
    ],
)
async def test_a_variable_reads_as_it_was_set(reply: bytes, value: str | None) -> None:
    seen: list[str | None] = []

    async def flow(session: Session) -> str:
        seen.append(await session.get_variable("HOTLINE_DNIS"))
        return "done"

    async with dialogue(flow) as asterisk:
        await asterisk.answer(b"GET VARIABLE HOTLINE_DNIS\n", reply)
    assert seen == [value]


async def test_a_sound_cut_short_says_by_which_key_and_where() -> None:
    seen: list[Played] = []

    async def flow(session: Session) -> str:
        seen.append(await session.stream_file("hotline/greeting", offset=7))
        return "done"

    async with dialogue(flow) as asterisk:
        await asterisk.answer(GREETING.replace(b" 0\n", b" 7\n"), b"200 result=53 endpos=800\n")
    assert seen == [Played("5", 800)]


@pytest.mark.parametrize(("reply", "key"), [(b"200 result=0\n", None), (b"200 result=42\n", "*")])
async def test_one_key_is_waited_for(reply: bytes, key: str | None) -> None:
    seen: list[str | None] = []

    async def flow(session: Session) -> str:
        seen.append(await session.wait_digit(timeout_s=3))
        return "done"

    async with dialogue(flow) as asterisk:
        await asterisk.answer(b"WAIT FOR DIGIT 3000\n", reply)
    assert seen == [key]


async def test_after_a_refused_command_the_next_answer_is_the_next_commands() -> None:
    async def flow(session: Session) -> str:
        with pytest.raises(CommandRefused):
            await session.set_variable("A", "1")
        assert await session.get_variable("B") == "two"
        return "done"

    with capture_logs() as logs:
        async with dialogue(flow) as asterisk:
            usage = (
                b"520-Invalid command syntax.  Proper usage follows:\n Usage: SET\n520 End of proper usage.\n"
            )
            await asterisk.answer(b'SET VARIABLE A "1"\n', usage)
            await asterisk.answer(b"GET VARIABLE B\n", b"200 result=1 (two)\n")
    assert ending(logs)["outcome"] == "done"


async def test_an_asterisk_that_does_not_answer_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(agi_session, "ANSWER_S", 0.05)

    async def flow(session: Session) -> str:
        with pytest.raises(TooSlow):
            await session.set_variable("A", "1")
        return "done"

    async with dialogue(flow) as asterisk:
        assert await asterisk.command() == b'SET VARIABLE A "1"\n'


BAD_WORDS: dict[str, Callable[[Session], Awaitable[object]]] = {
    "line break in a value": lambda session: session.set_variable("A", "x\nHANGUP"),
    "carriage return in a value": lambda session: session.set_variable("A", "x\rHANGUP"),
    "NUL in a value": lambda session: session.set_variable("A", "x\0"),
    "a value beyond Asterisk's line": lambda session: session.set_variable("A", "长" * 3000),
    "a function as a variable": lambda session: session.get_variable("SHELL(id)"),
    "a queue that is none": lambda session: session.queue_figures("1)"),
    "a sound above the sounds": lambda session: session.stream_file("../../etc/passwd"),
    "a sound with a blank": lambda session: session.stream_file("a b"),
    "escape keys that are none": lambda session: session.stream_file("a", escape='1" 0'),
    "a wait without end": lambda session: session.wait_digit(timeout_s=0),
}


@pytest.mark.parametrize("bad", BAD_WORDS.values(), ids=BAD_WORDS.keys())
async def test_what_asterisk_must_not_read_is_never_sent(bad: Callable[[Session], Awaitable[object]]) -> None:
    async def flow(session: Session) -> str:
        with pytest.raises(ValueError, match=r".") as caught:
            await bad(session)
        assert not isinstance(caught.value, AgiError)
        return "refused"

    with capture_logs() as logs:
        async with dialogue(flow):
            pass
    assert ending(logs)["outcome"] == "refused"


async def test_a_flow_with_a_bug_returns_the_call_and_is_logged() -> None:
    async def flow(session: Session) -> str:
        raise KeyError(session.uniqueid)

    with capture_logs() as logs:
        async with dialogue(flow):
            pass
    assert ending(logs)["event"] == "flow_failed"


def arguments(line: str) -> list[str]:
    """Split a line as res_agi's parse_args does."""
    found: list[str] = []
    quoted = escaped = False
    blank = True
    for char in line:
        if char == '"' and not escaped:
            quoted = not quoted
            if quoted and blank:
                found.append("")
                blank = False
        elif char in " \t" and not quoted and not escaped:
            blank = True
        elif char == "\\" and not escaped:
            escaped = True
        else:
            if blank:
                found.append("")
                blank = False
            found[-1] += char
            escaped = False
    return found


@given(st.text(st.characters(blacklist_categories=["Cs", "Cc"])))
def test_asterisk_reads_a_quoted_value_as_it_was(value: str) -> None:
    assert arguments(f"SET VARIABLE A {quote(value)}") == ["SET", "VARIABLE", "A", value]


# The server


async def test_a_port_in_use_is_named_in_one_sentence() -> None:
    async with listening() as (server, _):
        with pytest.raises(
            PortBusy, match=rf"^the IVR cannot listen: .* port {server.port} on 127\.0\.0\.1$"
        ):
            await serve(site(server.port))


async def test_an_address_that_is_not_ours_is_a_bad_setting() -> None:
    with pytest.raises(BadSettings, match=r"^ivr: cannot listen on 192\.0\.2\.1 port 0: "):
        await serve(site(host="192.0.2.1"))


async def test_a_stop_lets_a_greeting_end() -> None:
    server = await serve(site())
    asterisk = await connect(server)
    asterisk.say(introduction())
    await asterisk.greets()
    assert await asterisk.command() == GREETING
    stopping = asyncio.create_task(server.stop(grace_s=3))
    await asyncio.sleep(0.02)
    with pytest.raises(ConnectionRefusedError):
        await connect(server)
    asterisk.say(b"200 result=0 endpos=1\n")
    await asterisk.notice()
    await asterisk.answer(RECORDING, b"200 result=0 endpos=1\n")
    await asterisk.answer(TO_QUEUE, OK)
    await asterisk.answer(ON_TO_QUEUE, OK)
    assert await asterisk.command() == b""
    await stopping


async def test_a_stop_does_not_wait_longer_than_its_grace() -> None:
    server = await serve(site())
    asterisk = await connect(server)
    asterisk.say(introduction())
    assert await asterisk.command() == SET_PATH
    async with asyncio.timeout(1):
        await server.stop(grace_s=0.05)
    assert await asterisk.command() == b""
    assert server.calls == 0


async def test_it_says_when_it_serves_and_runs_until_it_is_told_to_stop(unused_tcp_port: int) -> None:
    stop, serves = asyncio.Event(), asyncio.Event()
    settings_ = msgspec.structs.replace(site(), ivr=IvrSettings(port=unused_tcp_port))
    running = asyncio.create_task(run(settings_, stop, serves.set))
    async with asyncio.timeout(3):
        await serves.wait()
        asterisk = Asterisk(*await asyncio.open_connection("127.0.0.1", unused_tcp_port))
        asterisk.say(introduction())
        assert await asterisk.command() == SET_PATH
        asterisk.close()
        stop.set()
        await running
    with pytest.raises(ConnectionRefusedError):
        await asyncio.open_connection("127.0.0.1", unused_tcp_port)
