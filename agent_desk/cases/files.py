"""Owns how files come to a case and go out again: only to and from those who may see it."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from pathlib import Path
from urllib.parse import quote

import structlog
from aiohttp import BodyPartReader, web

from agent_desk.cases.desk import CASE_PATH, Desk, with_database
from agent_desk.guard import UPLOAD, session_of
from casework.attachments import MOST_BYTES, Attachment
from casework.calendar import china
from casework.service import Stored, attach_in, store_file
from casework.store import files
from casework.words import Refusal
from hotline import clock
from hotline.settings import Settings

_CHUNK = 64 * 1024

log = structlog.get_logger()


class FileViews:
    """The handlers."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._directory = directory_of(desk.settings)

    def routes(self) -> Iterable[web.AbstractRouteDef]:
        """The addresses of a case's files."""
        return (
            web.post(f"{CASE_PATH}/files", self.upload),
            web.get(CASE_PATH + "/files/{file:[a-z][a-z0-9_]*-[0-9A-Z]{26}}", with_database(self.download)),
        )

    async def upload(self, request: web.Request) -> web.StreamResponse:
        """Take one file; refused, the answer says why in a sentence."""
        session_of(request)  # nobody from outside fills our memory
        name, content = await _received(request)
        return await with_database(lambda asked: self._attach(asked, name, content))(request)

    async def _attach(self, request: web.Request, name: str, content: bytes) -> web.StreamResponse:
        async with self._desk.database.read() as session:
            asker = await self._desk.asker(request, session)
            case = await self._desk.seen(request, session, asker)
        kept: Attachment | Refusal | Stored = await store_file(self._directory, name, content)
        if isinstance(kept, Stored):
            async with self._desk.database.begin() as session:
                kept = await attach_in(
                    session,
                    case.id,
                    asker.posts,
                    kept,
                    node=self._desk.settings.node,
                    now_us=clock.now().utc_us,
                    calendar=china(),
                )
        if isinstance(kept, Refusal):
            return self._desk.page(
                request, "refused", asker, 409, message=kept.value, back=f"/cases/{case.id}"
            )
        raise web.HTTPSeeOther(f"/cases/{case.id}")

    async def download(self, request: web.Request) -> web.StreamResponse:
        """Give a file to somebody who may see its case, to be saved, never shown as a page."""
        async with self._desk.database.read() as session:
            asker = await self._desk.asker(request, session)
            case = await self._desk.seen(request, session, asker)
            listed = {one.id: one for one in await files.files_of(session, case.id)}
        wanted = listed.get(request.match_info["file"])
        if wanted is None:
            raise web.HTTPForbidden
        path = files.path_of(self._directory, wanted.sha256)
        if not await asyncio.to_thread(path.is_file):
            log.error("case_file_missing", case=case.id, file=wanted.id)
            raise web.HTTPNotFound
        return web.FileResponse(path, headers=as_download(wanted))


def directory_of(settings: Settings) -> Path:
    """Where the bytes of all files lie."""
    return settings.state / "attachments"


def as_download(file: Attachment) -> dict[str, str]:
    """The headers by which a file is saved and never shown."""
    return {
        "Content-Type": file.media_type,
        "Content-Disposition": f"attachment; filename*=UTF-8''{quote(file.name)}",
    }


async def _received(request: web.Request) -> tuple[str, bytes]:
    """The file's name and its bytes, one byte more than is allowed at most."""
    reader = request.get(UPLOAD)
    part = await reader.next() if reader is not None else None
    if not isinstance(part, BodyPartReader) or part.name != "file":
        raise web.HTTPBadRequest
    content = bytearray()
    while len(content) <= MOST_BYTES and (chunk := await part.read_chunk(_CHUNK)):
        content += chunk
    return part.filename or "", bytes(content[: MOST_BYTES + 1])
