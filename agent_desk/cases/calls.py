"""Owns the calls of a case on its page: which they are, and the way to their sound for who may hear it."""

from __future__ import annotations

from collections.abc import Iterable

from aiohttp import web
from sqlalchemy.ext.asyncio import AsyncSession

from agent_desk import recordings as tapes
from agent_desk.cases import shown
from agent_desk.cases.desk import CASE_PATH, Asker, Desk, with_database
from agent_desk.recordings import Sounds
from casework.case import Case
from casework.history import Entry, spoken_in
from casework.moves import Visited, tag_of
from casework.rights import may_hear
from casework.service import history_of
from casework.words import Part
from ctiserver import recordings
from ctiserver.recordings import RecordedCall
from hotline.settings import Settings

MOST = 50
"""Calls on one page; nobody is called about a case more often."""
_VISITED = tag_of(Visited)
"""What a call is for that was made about the case, whether or not its outcome is written down yet."""


class CallViews:
    """The handlers."""

    def __init__(self, desk: Desk, sounds: Sounds) -> None:
        self._desk = desk
        self._sounds = sounds

    def routes(self) -> Iterable[web.AbstractRouteDef]:
        """The address of a recording, by its case."""
        path = CASE_PATH + "/calls/{conversation}/{direction}"
        return (web.get(path, with_database(self.sound), allow_head=False),)

    async def sound(self, request: web.Request) -> web.StreamResponse:
        """One direction of a call of this case: to an agent their own call, to the platform's people any."""
        async with self._desk.database.read() as session:
            asker = await self._desk.asker(request, session)
            case = await self._desk.seen(request, session, asker)
            calls = await _calls_of(session, case, spoken_in(case, await history_of(session, case.id)))
        wanted = request.match_info["conversation"]
        if not _is_shown(asker) or wanted not in {call.conversation for call in calls}:
            raise web.HTTPNotFound
        own = "" if may_hear(asker.posts) else asker.person.number
        return await self._sounds.give(request, answered_by=own, may_download=False)


async def calls_shown(
    session: AsyncSession, settings: Settings, asker: Asker, case: Case, entries: Iterable[Entry]
) -> list[dict[str, object]]:
    """The calls as the case's page lists them; none for a unit's people."""
    if not _is_shown(asker):
        return []
    purposes = spoken_in(case, entries)
    return [
        tapes.shown(call, settings)
        | {
            "purpose": shown.move_label(purposes.get(call.conversation, _VISITED)),
            "is_heard": may_hear(asker.posts) or call.agent == asker.person.number,
        }
        for call in await _calls_of(session, case, purposes)
    ]


async def _calls_of(session: AsyncSession, case: Case, spoken: Iterable[str]) -> list[RecordedCall]:
    return await recordings.of_case(session, case.id, set(spoken), MOST)


def _is_shown(asker: Asker) -> bool:
    return any(post.part is not Part.UNIT for post in asker.posts)
