"""Owns the page of recordings (通话录音) and the way to their sound: who may hear, written down first."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterable, Mapping
from datetime import date
from pathlib import Path

import msgspec
import structlog
from aiohttp import web
from sqlalchemy.ext.asyncio import AsyncSession

from agent_desk import pages
from agent_desk.guard import SESSION_ID, api_session_of, session_of
from agent_desk.rights import check_person
from agent_desk.sessions import Session, Sessions
from ctiserver import recordings
from ctiserver.recordings import RecordedCall, Wanted
from hotline import audit, clock
from hotline.audit import Deed
from hotline.db.engine import FAILURES, Database, reason
from hotline.identity.roles import Role
from hotline.local_time import SECOND_US, date_time, duration, local_day
from hotline.numbers import describe
from hotline.settings import Settings

HEARS_ALL = frozenset({Role.SUPERVISOR, Role.ADMIN})
"""May play and download any recording; an agent plays those of the calls they answered themselves."""
MOST = 100
"""Calls on one page."""
ONE_PLAYING_US = 1800 * SECOND_US
"""How long a player may go on asking for later parts before that counts as playing anew."""
_MOST_PLAYINGS = 10_000
_DATABASE_S = 5.0
_AGENT = re.compile(r"[0-9]{4}")
_DIGITS = re.compile(r"\+?[0-9]{3,20}")

log = structlog.get_logger()


class BadSearch(ValueError):
    """What was typed cannot be looked for; the text is for the person who typed it."""


class Playing(msgspec.Struct, frozen=True):
    """One recording in one session's player."""

    session: str
    conversation: str
    direction: str


class Playings:
    """Which playings are written down already, so that a player's later requests are not written again."""

    def __init__(self) -> None:
        self._begun: dict[Playing, int] = {}

    def is_new(self, playing: Playing, first_byte: int, now_us: int) -> bool:
        """Whether this request begins a playing: at the first byte, or when none was begun lately."""
        begun_us = self._begun.get(playing)
        return first_byte == 0 or begun_us is None or now_us - begun_us > ONE_PLAYING_US

    def note(self, playing: Playing, now_us: int) -> None:
        """It is written down. The oldest is forgotten first."""
        self._begun.pop(playing, None)
        while len(self._begun) >= _MOST_PLAYINGS:
            del self._begun[next(iter(self._begun))]
        self._begun[playing] = now_us


class Sounds:
    """Gives recordings out. Each playing and each download is written down before a byte of it goes out."""

    def __init__(self, settings: Settings, database: Database) -> None:
        self._root = settings.recordings
        self._database = database
        self._playings = Playings()

    async def give(self, request: web.Request, *, answered_by: str, may_download: bool) -> web.StreamResponse:
        """One direction of a recording, whole or in part (Range); who may hear it was asked before.

        `answered_by`: only of a call that this agent answered; "" for any. What cannot be written into the
        audit trail is not played.
        """
        session = api_session_of(request)
        is_download = "download" in request.query
        try:
            async with asyncio.timeout(_DATABASE_S):
                async with self._database.read() as reading:
                    await check_person(reading, session)
                    file = await self._file(request, reading, answered_by)
                if is_download and not may_download:
                    raise web.HTTPForbidden
                await self._write_down(request, session, is_download=is_download)
        except FAILURES as error:
            log.error("recording not played: the database is not there", why=reason(error))
            return web.json_response({"message": "暂时不能播放录音，请稍后再试"}, status=503)
        headers = {"Content-Type": "audio/flac"}
        if is_download:
            headers["Content-Disposition"] = f'attachment; filename="{file.name}"'
        return web.FileResponse(file, headers=headers)

    async def _write_down(self, request: web.Request, session: Session, *, is_download: bool) -> None:
        """An entry in the audit trail for each playing and each download. Raises what the database raises."""
        playing, now_us = _playing(request), clock.now().utc_us
        if not is_download and not self._playings.is_new(playing, _first_byte(request), now_us):
            return
        async with self._database.begin() as writing:
            await audit.record(writing, _deed(session, playing, is_download=is_download), now_us)
        if not is_download:
            self._playings.note(playing, now_us)

    async def _file(self, request: web.Request, reading: AsyncSession, answered_by: str) -> Path:
        """The file, if it is there and may be heard; otherwise there is no such page."""
        of = request.match_info
        path = await recordings.path_of(reading, of["conversation"], of["direction"], answered_by=answered_by)
        if path is None:
            raise web.HTTPNotFound
        try:
            file = recordings.inside(self._root, path)
        except recordings.OutOfPlace:
            log.error("recording out of place", conversation=of["conversation"])
            raise web.HTTPNotFound from None
        if not file.is_file():
            log.error("recording is gone", conversation=of["conversation"], direction=of["direction"])
            raise web.HTTPNotFound
        return file


class RecordingViews:
    """The handlers, with what they share."""

    def __init__(self, settings: Settings, database: Database, sessions: Sessions, sounds: Sounds) -> None:
        self._settings = settings
        self._database = database
        self._sessions = sessions
        self._sounds = sounds

    def routes(self) -> Iterable[web.AbstractRouteDef]:
        """The addresses of recordings."""
        return (
            web.get("/recordings", self.page),
            web.post("/recordings", self.page),
            web.get("/api/recordings/{conversation}/{direction}", self.sound, allow_head=False),
        )

    async def page(self, request: web.Request) -> web.Response:
        """Search and list. The search is posted: a citizen's number has no place in an address."""
        session = session_of(request, Role.AGENT, *HEARS_ALL)
        form = {name: str(value) for name, value in (await request.post()).items()}
        calls: list[RecordedCall] = []
        message = ""
        try:
            wanted = self._wanted(form)
            async with asyncio.timeout(_DATABASE_S), self._database.read() as reading:
                own = _own(session)
                calls = await recordings.search(reading, wanted, MOST + 1, answered_by=own)
        except BadSearch as error:
            message = str(error)
        except FAILURES as error:
            log.warning("desk_recordings_without_database", why=reason(error))
            message = "暂时查不到录音，请稍后再试"
        return self._page(request, session, form, calls, message)

    async def sound(self, request: web.Request) -> web.StreamResponse:
        """One direction of a recording to those who hear all, or who answered that call."""
        session = api_session_of(request)
        role = session.person.role
        if role is not Role.AGENT and role not in HEARS_ALL:
            raise web.HTTPNotFound
        return await self._sounds.give(request, answered_by=_own(session), may_download=role in HEARS_ALL)

    def _wanted(self, form: Mapping[str, str]) -> Wanted:
        """The search as typed; without number and day, today's calls."""
        number, agent = form.get("number", "").strip(), form.get("agent", "").strip()
        if number and not _DIGITS.fullmatch(number):
            raise BadSearch("号码只填数字，3 至 20 位")
        if agent and not _AGENT.fullmatch(agent):
            raise BadSearch("工号是四位数字")
        try:
            day = date.fromisoformat(form["day"]) if form.get("day") else None
        except ValueError:
            raise BadSearch("日期格式不对") from None
        if not number and day is None:
            day = local_day(clock.now().utc_us)
        city = self._settings
        citizen = describe(number, city.area_code, city.city).key if number else ""
        return Wanted(citizen=citizen, agent=agent, day=day)

    def _page(
        self,
        request: web.Request,
        session: Session,
        form: Mapping[str, str],
        calls: list[RecordedCall],
        message: str,
    ) -> web.Response:
        text = pages.render(
            "recordings.html",
            form_word=self._sessions.form_word(request[SESSION_ID]),
            city=self._settings.city,
            person=session.person,
            form={name: form.get(name, "") for name in ("number", "agent", "day")},
            calls=[shown(call, self._settings) for call in calls[:MOST]],
            has_more=len(calls) > MOST,
            hears_all=session.person.role in HEARS_ALL,
            message=message,
        )
        return pages.html(text)


def shown(call: RecordedCall, settings: Settings) -> dict[str, object]:
    """A call as a page shows it: the number masked."""
    return {
        "conversation": call.conversation,
        "time": date_time(call.started_us),
        "way": "外呼" if call.is_outbound else "来电",
        "number": describe(call.number, settings.area_code, settings.city).masked,
        "agent": call.agent,
        "seat": call.seat,
        "outcome": pages.OUTCOME_ZH[call.outcome] if call.outcome is not None else "",
        "talk": duration(call.talk_ms / 1000) if call.talk_ms else "",
        "rating": pages.RATING_ZH[call.rating] if call.rating is not None else "",
        "has_remark": call.has_remark,
        "tracks": [
            {
                "direction": track.direction.value,
                "label": track.direction.label,
                "is_there": track.is_there,
                "note": _note(track),
            }
            for track in call.tracks
        ],
    }


def _note(track: recordings.Track) -> str:
    if track.is_missing:
        return "没有录音"
    if not track.is_there:
        return "已到期删除"
    return f"缺 {duration(track.gap_ms / 1000)}" if track.gap_ms else ""


def _own(session: Session) -> str:
    """Whose answered calls a session is limited to: an agent's own, "" for those who hear all."""
    return "" if session.person.role in HEARS_ALL else session.person.number


def _playing(request: web.Request) -> Playing:
    of = request.match_info
    return Playing(request[SESSION_ID], of["conversation"], of["direction"])


def _first_byte(request: web.Request) -> int:
    """Where the answer will begin; 0 for a whole file and for what cannot be understood."""
    try:
        return request.http_range.start or 0
    except ValueError:
        return 0


def _deed(session: Session, playing: Playing, *, is_download: bool) -> Deed:
    return Deed(
        person=session.person.number,
        role=session.person.role.value,
        what="recording.download" if is_download else "recording.play",
        whom=f"{playing.conversation}-{playing.direction}",
    )
