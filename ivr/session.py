"""Owns one AGI dialogue with Asterisk: reading is bounded, what goes out is checked, answers are typed."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Mapping

import msgspec

from ivr.errors import BadReply, BadRequest, CallerGone, CommandFailed, CommandRefused, TooSlow
from ivr.waiting import QueueFigures

MAX_LINE = 8192
"""Bytes, either way. Asterisk reads commands of this length at most (AGI_BUF_LEN in res_agi.c)."""
MAX_HEADERS = 200
"""Asterisk sends about 25, and up to 127 arguments."""
MAX_USAGE_LINES = 200
"""Lines of help that may follow status 520."""
ANY_KEY = "0123456789*#"
ANSWER_S = 5.0
"""Asterisk answers a command that plays nothing at once; beyond this it hangs."""
PROMPT_S = 60.0
"""No prompt is longer."""

_REPLY = re.compile(r"(?P<status>\d{3})(?P<more>[ -])(?P<text>.*)", re.DOTALL)
_RESULT = re.compile(r"result=(?P<result>\S*)(?: \((?P<data>.*)\))?(?: endpos=(?P<endpos>-?\d+))?", re.DOTALL)
_SOUND = re.compile(r"[a-z0-9][a-z0-9-]{0,60}(/[a-z0-9][a-z0-9-]{0,60})?")
_VARIABLE = re.compile(r"[A-Z][A-Z0-9_]{0,63}")
_QUEUE = re.compile(r"[0-9]{1,16}")
_LANGUAGE = re.compile(r"[a-z]{2}(_[A-Z]{2})?")
_DIGITS = re.compile(r"[0-9*#]*")
_UNIQUEID = re.compile(r"[0-9A-Za-z._-]{1,150}")
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")


class Reply(msgspec.Struct, frozen=True):
    """A successful answer (200): `result`, and what stood in parentheses behind it."""

    result: str
    data: str | None
    endpos: int = 0


class Played(msgspec.Struct, frozen=True):
    """A sound was played: the key that cut it short (None: played to its end), and the sample it came to."""

    key: str | None
    endpos: int


def quote(value: str) -> str:
    """One AGI argument, whatever it holds; ValueError for control characters, which no argument can carry."""
    if _CONTROL.search(value):
        raise ValueError("an AGI argument holds a control character")
    escaped = value.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


async def read_headers(reader: asyncio.StreamReader) -> dict[str, str]:
    """Read Asterisk's introduction, up to the empty line. The caller sets the deadline.

    Of two headers with one name the first counts: Asterisk's own come before what a caller can influence.
    """
    headers: dict[str, str] = {}
    for _ in range(MAX_HEADERS):
        line = await _read_line(reader)
        if not line:
            break
        name, colon, value = line.partition(":")
        if not colon or not name.startswith("agi_"):
            raise BadRequest("a header that is not AGI's")
        headers.setdefault(name, value.strip())
    else:
        raise BadRequest(f"more than {MAX_HEADERS} headers")
    if not _UNIQUEID.fullmatch(headers.get("agi_uniqueid", "")):
        raise BadRequest("no Uniqueid among the headers")
    return headers


async def _read_line(reader: asyncio.StreamReader) -> str:
    """One line without its end. A caller's name may be in any encoding, so undecodable bytes are replaced."""
    try:
        line = await reader.readuntil(b"\n")
    except asyncio.LimitOverrunError as error:
        raise BadReply(f"a line of more than {MAX_LINE} bytes") from error
    except (asyncio.IncompleteReadError, OSError) as error:
        raise CallerGone("the connection ended") from error
    return line.rstrip(b"\r\n").decode(errors="replace")


class Session:
    """A call in our hands, from Asterisk's introduction until we return it to the dialplan by closing.

    Methods raise CallerGone once the citizen has hung up, and another AgiError when the dialogue breaks off.
    """

    def __init__(
        self, headers: Mapping[str, str], reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        self._headers = headers
        self._reader = reader
        self._writer = writer

    @property
    def uniqueid(self) -> str:
        """Asterisk's id of the citizen's channel."""
        return self._headers["agi_uniqueid"]

    @property
    def script(self) -> str:
        """The path that the dialplan asked for: agi://host:port/<script>, without a query."""
        return self._headers.get("agi_network_script", "").partition("?")[0]

    @property
    def dialled(self) -> str:
        """The number that was dialled: the extension at which the dialplan handed the call over."""
        return self._headers.get("agi_extension", "")

    @property
    def number(self) -> str:
        """The caller's number as Asterisk has it; "unknown" when there is none."""
        return self._headers.get("agi_callerid", "")

    async def stream_file(self, sound: str, *, offset: int = 0, escape: str = ANY_KEY) -> Played:
        """Play `sound` from sample `offset` on, until its end or a key of `escape`."""
        arguments = (_sound(sound), quote(_digits(escape)), str(max(0, offset)))
        reply = await self._heard(await self._command("STREAM FILE", *arguments, busy_s=PROMPT_S))
        return Played(_key(reply), reply.endpos)

    async def wait_digit(self, *, timeout_s: float) -> str | None:
        """Wait for one key; None when the caller pressed none in time."""
        reply = await self._command("WAIT FOR DIGIT", _milliseconds(timeout_s), busy_s=timeout_s)
        return _key(await self._heard(reply))

    async def set_variable(self, name: str, value: str) -> None:
        """Set a channel variable."""
        await self._command("SET VARIABLE", _variable(name), quote(value))

    async def set_clock(self, seconds: float) -> None:
        """Have the dialplan take the call over in that time, whatever becomes of us."""
        await self._command("SET VARIABLE", "TIMEOUT(absolute)", quote(f"{seconds:.1f}"))

    async def set_language(self, language: str) -> None:
        """Play sounds of that language from now on, also in the queue."""
        await self._command("SET VARIABLE", "CHANNEL(language)", quote(_language(language)))

    async def get_variable(self, name: str) -> str | None:
        """Read a channel variable; None when it is not set."""
        reply = await self._command("GET VARIABLE", _variable(name))
        return (reply.data or "") if reply.result == "1" else None

    async def queue_figures(self, queue: str) -> QueueFigures:
        """How a queue stands now, by its number, as app_queue counts it."""
        await self._command("GET VARIABLE", f"QUEUE_VARIABLES({_number(queue)})")
        asked = (
            f"QUEUE_WAITING_COUNT({queue})",
            f"QUEUE_MEMBER({queue},logged)",
            f"QUEUE_MEMBER({queue},ready)",
            "QUEUETALKTIME",
        )
        waiting, seats, ready, talk_s = [
            _count((await self._command("GET VARIABLE", name)).data) for name in asked
        ]
        return QueueFigures(waiting=waiting, seats=seats, ready=ready, talk_s=talk_s)

    async def _heard(self, reply: Reply) -> Reply:
        """Pass on the reply of a command that plays or listens, unless it failed.

        Asterisk says -1 for a hang-up and for a missing sound file alike. But it reports a hang-up before it
        reads our next command, so that asking for the channel's state tells them apart.
        """
        if reply.result == "-1":
            await self._command("CHANNEL STATUS")
            raise CommandFailed("Asterisk could not play or listen")
        return reply

    async def _command(self, name: str, *arguments: str, busy_s: float = 0.0) -> Reply:
        """Send one command and read its answer; `busy_s` is how long playing or listening may take."""
        line = " ".join((name, *arguments)).encode() + b"\n"
        if len(line) >= MAX_LINE:
            raise ValueError(f"{name}: arguments of more than {MAX_LINE} bytes")
        within = ANSWER_S + busy_s
        try:
            async with asyncio.timeout(within):
                self._writer.write(line)
                await self._writer.drain()
                return await self._read_reply(name)
        except TimeoutError as error:
            raise TooSlow(f"no answer to {name} within {within:.0f} s") from error
        except OSError as error:
            raise CallerGone("the connection broke") from error

    async def _read_reply(self, name: str) -> Reply:
        """The final answer to a command: 100 only says that it is being worked on."""
        while True:
            line = await _read_line(self._reader)
            if line == "HANGUP":
                raise CallerGone("the caller hung up")
            match = _REPLY.fullmatch(line)
            if match is None:
                raise BadReply(f"no AGI answer to {name}")
            match match["status"]:
                case "100":
                    continue
                case "200":
                    return _result(name, match["text"])
                case "511":
                    raise CallerGone("the channel is dead")
                case "520" if match["more"] == "-":
                    await self._skip_usage()
                    raise CommandRefused(f"{name} was misused")
                case status:
                    raise CommandRefused(f"{name} was answered with status {status}")

    async def _skip_usage(self) -> None:
        """Read the help that comes with status 520, so that the next answer is the next command's."""
        for _ in range(MAX_USAGE_LINES):
            if (await _read_line(self._reader)).startswith("520 "):
                return
        raise BadReply("help without an end")


def _result(name: str, text: str) -> Reply:
    match = _RESULT.fullmatch(text)
    if match is None:
        raise BadReply(f"no AGI result for {name}")
    return Reply(match["result"], match["data"], max(0, int(match["endpos"] or 0)))


def _key(reply: Reply) -> str | None:
    """Asterisk reports a key as its ASCII code, and 0 for none."""
    if reply.result == "0":
        return None
    if reply.result.isascii() and reply.result.isdigit() and len(reply.result) <= 3:
        key = chr(int(reply.result))
        if key in ANY_KEY or key in "ABCD":
            return key
    raise BadReply("a key that no telephone has")


def _milliseconds(seconds: float) -> str:
    """Asterisk takes a wait below 1 ms for one without end."""
    if seconds < 0.001:
        raise ValueError("not a time to wait")
    return str(int(seconds * 1000))


def _sound(name: str) -> str:
    if not _SOUND.fullmatch(name):
        raise ValueError("not a prompt's name")
    return name


def _variable(name: str) -> str:
    if not _VARIABLE.fullmatch(name):
        raise ValueError("not a channel variable's name")
    return name


def _number(queue: str) -> str:
    if not _QUEUE.fullmatch(queue):
        raise ValueError("not a queue's number")
    return queue


def _count(value: str | None) -> int:
    """What a function of Asterisk counts; 0 for what it does not know."""
    return int(value) if value is not None and _QUEUE.fullmatch(value) else 0


def _language(name: str) -> str:
    if not _LANGUAGE.fullmatch(name):
        raise ValueError("not a language")
    return name


def _digits(keys: str) -> str:
    if not _DIGITS.fullmatch(keys):
        raise ValueError("not a telephone's keys")
    return keys
