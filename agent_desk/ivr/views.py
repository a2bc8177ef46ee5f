"""Owns the answers of the IVR's pages: mode, announcements, nuisance callers, figures; for supervisors."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Awaitable, Callable, Iterable, Mapping
from pathlib import Path

from aiohttp import BodyPartReader, web
from sqlalchemy.ext.asyncio import AsyncSession

from agent_desk import pages
from agent_desk.cases.desk import ID, with_database
from agent_desk.guard import SESSION_ID, UPLOAD, api_session_of, session_of
from agent_desk.ivr import forms, shown
from agent_desk.ivr.forms import BadFields
from agent_desk.rights import check_person
from agent_desk.sessions import Session, Sessions
from asterisk_conf.paths import NodePaths
from casework.organisation import Tree
from ctiserver import ways
from hotline import clock, ids, recorded, standing
from hotline.audit import Deed
from hotline.db.engine import Database
from hotline.directory import all_units
from hotline.identity.people import list_people
from hotline.identity.roles import Role
from hotline.ivr_applied import BadApplied, read_applied
from hotline.ivr_settings import NORMAL, IvrSettings
from hotline.local_time import DAY_US
from hotline.settings import Settings

SWITCHES = frozenset({Role.SUPERVISOR, Role.ADMIN})
"""Who may change how the hotline stands."""
SEES_MODE = SWITCHES | {Role.WALL}
DAYS = (1, 7, 30, 90)
"""Of how many days the figures can be asked for."""
_CHUNK = 64 * 1024
_FIELD_BYTES = 4096

Change = Callable[[AsyncSession, int], Awaitable[object]]


class IvrViews:
    """The handlers, with what they share."""

    def __init__(self, settings: Settings, database: Database, sessions: Sessions) -> None:
        self._settings = settings
        self._database = database
        self._sessions = sessions

    def routes(self) -> Iterable[web.AbstractRouteDef]:
        """The addresses of the IVR."""
        return (
            web.get("/ivr", with_database(self.page)),
            web.get("/ivr/figures", with_database(self.figures)),
            web.get(f"/ivr/announcements/{ID}/sound", with_database(self.sound), allow_head=False),
            web.post("/ivr/mode", with_database(self.switch_mode)),
            web.post("/ivr/announce", self.announce),
            web.post("/ivr/withdraw", with_database(self.withdraw)),
            web.post("/ivr/restrict", with_database(self.restrict)),
            web.post("/ivr/pardon", with_database(self.pardon)),
            web.get("/api/standing", with_database(self.mode)),
        )

    async def page(self, request: web.Request) -> web.Response:
        """How the hotline stands, with the forms that change it."""
        return await self._page(request, session_of(request, *SWITCHES))

    async def mode(self, request: web.Request) -> web.Response:
        """For the seat wall: the mode's name and since when, "" and 0 when it is in none."""
        if api_session_of(request).person.role not in SEES_MODE:
            raise web.HTTPForbidden
        async with self._database.read() as reading:
            now = await standing.look(reading, clock.now().utc_us)
        mode = shown.mode(now, await self._ivr(), {})
        is_on = now.mode != NORMAL
        return web.json_response(
            {"mode": mode["label"] if is_on else "", "since_us": now.mode_us if is_on else 0}
        )

    async def switch_mode(self, request: web.Request) -> web.Response:
        """应急模式 on or off, if it is still as the person saw it."""
        session, typed = await self._posted(request, ("mode", "seen"))
        if typed["mode"] not in (NORMAL, *(each.id for each in (await self._ivr()).modes)):
            raise web.HTTPBadRequest
        async with self._database.begin() as writing:
            await check_person(writing, session)
            now_us = clock.now().utc_us
            is_as_seen = (await standing.look(writing, now_us)).mode == typed["seen"]
            if is_as_seen:
                deed = _deed(session, "ivr.mode", typed["mode"])
                await standing.switch_mode(writing, typed["mode"], deed, now_us)
        if not is_as_seen:
            message = "模式刚刚被别人切换过，请核对后再操作；没有改动"
            return await self._page(request, session, faults={"mode": message})
        raise web.HTTPSeeOther("/ivr")

    async def announce(self, request: web.Request) -> web.StreamResponse:
        """A hot announcement, typed or recorded. What was typed or brought is never lost by a fault in it."""
        session = session_of(request, *SWITCHES)  # nobody from outside fills our memory
        given, content = await _received(request)
        typed = {name: given.get(name, "") for name in forms.ANNOUNCEMENT}
        return await with_database(lambda asked: self._announce(asked, session, typed, content))(request)

    async def _announce(
        self, request: web.Request, session: Session, typed: dict[str, str], content: bytes
    ) -> web.StreamResponse:
        now_us = clock.now().utc_us
        async with self._database.read() as reading:
            await check_person(reading, session)
            districts = Tree(await all_units(reading)).counties()
            in_use = [each.recording for each in (await standing.look(reading, now_us)).news]
        faults = await self._take_recording(typed, content, in_use)
        id_ = ids.make(self._settings.node, now_us, secrets.token_bytes(ids.RANDOM_BYTES))
        try:
            new = forms.announcement(typed, self._settings, districts, id_, now_us)
        except BadFields as error:
            faults |= error.faults
        if faults:
            return await self._page(request, session, faults=faults, typed=typed)
        deed = _deed(session, "ivr.announce", id_, new.text)
        await self._change(session, lambda writing, at: standing.announce(writing, new, deed, at))
        raise web.HTTPSeeOther("/ivr#news")

    async def withdraw(self, request: web.Request) -> web.Response:
        """An announcement is said no longer."""
        session, typed = await self._posted(request, ("id",))
        if not ids.is_id(typed["id"]):
            raise web.HTTPBadRequest
        deed = _deed(session, "ivr.withdraw", typed["id"])
        await self._change(session, lambda writing, at: standing.withdraw(writing, typed["id"], deed, at))
        raise web.HTTPSeeOther("/ivr#news")

    async def restrict(self, request: web.Request) -> web.Response:
        """A nuisance caller is served after all others for a while."""
        session, typed = await self._posted(request, forms.RESTRICTION)
        try:
            wanted = forms.restriction(typed, self._settings, clock.now().utc_us)
        except BadFields as error:
            return await self._page(request, session, faults=error.faults, typed=typed)
        citizen, until_us = wanted.citizen, wanted.until_us
        deed = _deed(session, "ivr.restrict", citizen, wanted.why)
        await self._change(session, lambda s, at: standing.restrict(s, citizen, until_us, deed, at))
        raise web.HTTPSeeOther("/ivr#nuisance")

    async def pardon(self, request: web.Request) -> web.Response:
        """Served as everybody again. The page names the caller by a mark: it never has the whole number."""
        session, typed = await self._posted(request, ("mark",))
        async with self._database.read() as reading:
            restricted = await standing.restricted_now(reading, clock.now().utc_us)
        citizen = next((e.citizen for e in restricted if shown.mark(e.citizen) == typed["mark"]), "")
        if citizen:
            deed = _deed(session, "ivr.pardon", citizen)
            await self._change(session, lambda writing, at: standing.pardon(writing, citizen, deed, at))
        raise web.HTTPSeeOther("/ivr#nuisance")

    async def sound(self, request: web.Request) -> web.StreamResponse:
        """An announcement as callers hear it."""
        session_of(request, *SWITCHES)
        async with self._database.read() as reading:
            news = (await standing.look(reading, clock.now().utc_us)).news
        prompts = [each.prompt for each in news if each.id == request.match_info["id"]]
        path = self._sounds / f"{prompts[0]}.wav" if prompts else None
        if path is None or not path.is_file():
            raise web.HTTPNotFound
        return web.FileResponse(path, headers={"Content-Type": "audio/wav"})

    async def figures(self, request: web.Request) -> web.Response:
        """Where callers press 0, hang up, go in circles."""
        session = session_of(request, *SWITCHES)
        asked = request.query.get("days", str(DAYS[1]))
        if asked not in map(str, DAYS):
            raise web.HTTPBadRequest
        async with self._database.read() as reading:
            await check_person(reading, session)
            counted = await ways.figures(reading, clock.now().utc_us - int(asked) * DAY_US)
        table = shown.figures(counted)
        return self._render(request, "figures", session, days=int(asked), choices=DAYS, table=table)

    @property
    def _sounds(self) -> Path:
        return NodePaths(self._settings.state / "asterisk").sounds

    async def _ivr(self) -> IvrSettings:
        """The settings in force: callers hear what was applied last."""
        try:
            return await asyncio.to_thread(read_applied, self._settings) or self._settings.ivr
        except BadApplied:
            return self._settings.ivr

    async def _posted(self, request: web.Request, names: Iterable[str]) -> tuple[Session, dict[str, str]]:
        session, form = session_of(request, *SWITCHES), await request.post()
        return session, {name: str(form.get(name, "")).replace("\0", "") for name in names}

    async def _change(self, session: Session, change: Change) -> None:
        async with self._database.begin() as writing:
            await check_person(writing, session)
            await change(writing, clock.now().utc_us)

    async def _take_recording(
        self, typed: dict[str, str], content: bytes, in_use: list[str]
    ) -> dict[str, str]:
        """Keep what was brought, so that it need not be brought again; what is wrong with it."""
        directory = recorded.directory_of(self._settings)
        if content:
            unfit = await asyncio.to_thread(recorded.fault_of, content)
            if unfit is not None:
                return {"file": unfit.value}
            typed["recording"] = await asyncio.to_thread(recorded.keep, directory, content, in_use)
        elif typed["recording"] and not recorded.is_kept(directory, typed["recording"]):
            typed["recording"] = ""
            return {"file": "录音已不在，请重新上传"}
        return {}

    async def _page(
        self,
        request: web.Request,
        session: Session,
        faults: Mapping[str, str] | None = None,
        typed: Mapping[str, str] | None = None,
    ) -> web.Response:
        now_us, ivr = clock.now().utc_us, await self._ivr()
        async with self._database.read() as reading:
            await check_person(reading, session)
            now = await standing.look(reading, now_us)
            restricted = await standing.restricted_now(reading, now_us)
            names = {person.number: person.name for person in await list_people(reading)}
            districts = Tree(await all_units(reading)).counties()
        queues = {queue.number: queue.name for queue in self._settings.queues}
        values = {
            "mode": shown.mode(now, ivr, names),
            "modes": shown.modes(now, ivr, queues),
            "news": [shown.news(each, queues, names, now_us, self._sounds) for each in now.news],
            "restricted": [shown.restricted(each, names) for each in restricted],
            "queues": queues,
            "districts": [(name, name) for name in districts],
            "typed": dict.fromkeys((*forms.ANNOUNCEMENT, *forms.RESTRICTION), "") | dict(typed or {}),
            "faults": faults or {},
        }
        return self._render(request, "standing", session, 409 if faults else 200, **values)

    def _render(
        self, request: web.Request, name: str, session: Session, status: int = 200, **values: object
    ) -> web.Response:
        text = pages.render(
            f"ivr/{name}.html",
            form_word=self._sessions.form_word(request[SESSION_ID]),
            city=self._settings.city,
            person=session.person,
            **values,
        )
        return pages.html(text, status)


def _deed(session: Session, what: str, whom: str, why: str = "") -> Deed:
    person = session.person
    return Deed(person=person.number, role=person.role.value, what=what, whom=whom, why=why)


async def _received(request: web.Request) -> tuple[dict[str, str], bytes]:
    """The fields of a form that may bring a file, and the file: one byte more than is allowed at most."""
    reader = request.get(UPLOAD)
    if reader is None:
        raise web.HTTPBadRequest
    fields: dict[str, str] = {}
    content = bytearray()
    while isinstance(part := await reader.next(), BodyPartReader):
        if part.name == "file":
            while len(content) <= recorded.MOST_BYTES and (chunk := await part.read_chunk(_CHUNK)):
                content += chunk
        elif part.name in forms.ANNOUNCEMENT:
            value = (await part.read_chunk(_FIELD_BYTES)).decode(errors="replace")
            fields[part.name] = value.replace("\0", "")
    return fields, bytes(content[: recorded.MOST_BYTES + 1])
