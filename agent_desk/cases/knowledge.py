"""Owns the pages of the knowledge base (知识库): search, entries, writing, review, what is missing."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import msgspec
from aiohttp import web
from sqlalchemy.ext.asyncio import AsyncSession

from agent_desk.cases import forms, knowing
from agent_desk.cases.desk import ID, Asker, Desk, with_database
from agent_desk.cases.forms import BadForm, Typed
from agent_desk.guard import api_session_of
from casework import knowledge_service as service
from casework.case import NAME_LIMIT, TEXT_LIMIT, TITLE_LIMIT
from casework.knowledge import (
    REASON_LIMIT,
    Act,
    Entry,
    Hindrance,
    Stage,
    Version,
    barred,
    is_insider,
    possible,
    sees_all,
    writes,
)
from casework.store import knowledge as store
from hotline import clock
from hotline.identity.people import names_of_all
from hotline.local_time import DAY_US

ENTRY_PATH = f"/knowledge/{ID}"
MOST, MOST_FOUND, MOST_TOLD = 100, 20, 5
_SOON_US = 30 * DAY_US
_ACTS = {act.name.lower(): act for act in Act if act is not Act.WRITE}


class Sought(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What an agent searched for to the end, in vain."""

    q: str


class KnowledgeViews:
    """The handlers."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    def routes(self) -> Iterable[web.AbstractRouteDef]:
        """Every address of the knowledge base."""
        return (
            web.get("/knowledge", with_database(self.search)),
            web.get("/knowledge/missed", with_database(self.missed)),
            web.get("/knowledge/new", with_database(self.form)),
            web.post("/knowledge/new", with_database(self.write)),
            web.get(ENTRY_PATH, with_database(self.entry)),
            web.get(ENTRY_PATH + "/edit", with_database(self.form)),
            web.post(ENTRY_PATH + "/edit", with_database(self.write)),
            web.post(ENTRY_PATH + f"/{{act:{'|'.join(_ACTS)}}}", with_database(self.act)),
            web.get("/api/knowledge", with_database(self.told)),
            web.post("/api/knowledge/missed", with_database(self.count_miss)),
        )

    async def search(self, request: web.Request) -> web.Response:
        """What answers a question now; without one, what waits for the person. A vain search is counted."""
        asked, now_us = knowing.asked(request.query.get("q", "")), clock.now().utc_us
        async with self._desk.database.read() as session:
            asker = await self._desk.asker(request, session)
            found, meant = await self._found(session, asked, now_us, MOST_FOUND)
            sections = [] if asked else await _waiting(session, asker, now_us)
        if asked and not found:
            await self._miss(asked, asker, now_us)
        return self._desk.page(
            request,
            "knowledge",
            asker,
            asked=asked,
            meant=meant,
            found=[knowing.shown(one, now_us) for one in found],
            sections=[
                {"title": title, "entries": [knowing.shown(one.last, now_us) for one in entries]}
                for title, entries in sections
            ],
            may_write=any(map(writes, asker.posts)),
            most=MOST,
        )

    async def missed(self, request: web.Request) -> web.Response:
        """未检索到清单, for those who can write what is missing."""
        async with self._desk.database.read() as session:
            asker = await self._desk.asker(request, session)
            if not any(writes(post) or sees_all(post) for post in asker.posts):
                raise web.HTTPForbidden
            misses = await store.missed(session, MOST)
        may_write = any(map(writes, asker.posts))
        return self._desk.page(request, "missed", asker, misses=misses, may_write=may_write, most=MOST)

    async def entry(self, request: web.Request) -> web.Response:
        """One entry: to those outside its unit only what is published."""
        async with self._desk.database.read() as session:
            asker = await self._desk.asker(request, session)
            entry = await self._seen(request, session, asker)
            return await self._entry_page(request, session, asker, entry)

    async def form(self, request: web.Request) -> web.Response:
        """The form of a new entry, or of an entry's next version."""
        async with self._desk.database.read() as session:
            asker = await self._desk.asker(request, session)
            entry = await self._to_write(request, session, asker)
            typed = (
                knowing.typed_of(entry.last)
                if entry is not None
                else {"question": knowing.asked(request.query.get("q", ""))}
            )
            return await self._form_page(request, session, asker, entry, typed)

    async def write(self, request: web.Request) -> web.Response:
        """Keep what was written as a draft; refused, it comes back as it was typed."""
        form = await request.post()
        async with self._desk.database.read() as session:
            asker = await self._desk.asker(request, session)
            entry = await self._to_write(request, session, asker)
        try:
            kept: Version | Hindrance | str = await self._write(form, asker, entry)
        except BadForm as error:
            kept = str(error)
        if isinstance(kept, Version):
            raise web.HTTPSeeOther(f"/knowledge/{kept.entry}")
        typed = {name: forms.text(form, name) for name in ("unit", "seq", *knowing.FIELDS)}
        async with self._desk.database.read() as session:
            return await self._form_page(request, session, asker, entry, typed, str(kept))

    async def act(self, request: web.Request) -> web.Response:
        """Submit, publish, send back, withdraw."""
        act, form = _ACTS[request.match_info["act"]], await request.post()
        async with self._desk.database.read() as session:
            asker = await self._desk.asker(request, session)
            entry = await self._seen(request, session, asker)
        actor = next((post for post in asker.posts if barred(entry, act, post) is None), asker.posts[0])
        reason, now_us = knowing.clean(form, "reason"), clock.now().utc_us
        role, read = asker.person.role.value, knowing.read_seq(form)
        database, id_ = self._desk.database, entry.last.entry
        kept = await service.act_on(database, id_, read, act, reason, actor, role, now_us)
        if isinstance(kept, Version):
            raise web.HTTPSeeOther(f"/knowledge/{id_}")
        async with database.read() as session:
            now = await self._seen(request, session, asker)
            return await self._entry_page(request, session, asker, now, kept.value, reason)

    async def told(self, request: web.Request) -> web.Response:
        """For the agent's page, while the citizen speaks: the likeliest answers that are valid now."""
        api_session_of(request)
        asked, now_us = knowing.asked(request.query.get("q", "")), clock.now().utc_us
        async with self._desk.database.read() as session:
            await self._desk.asker(request, session)
            found, meant = await self._found(session, asked, now_us, MOST_TOLD)
        return web.json_response({"entries": [knowing.told(one) for one in found], "meant": meant})

    async def count_miss(self, request: web.Request) -> web.Response:
        """The agent's page says that a search to its end found nothing; counted if that is so."""
        api_session_of(request)
        try:
            asked = knowing.asked(msgspec.json.decode(await request.read(), type=Sought).q)
        except (msgspec.DecodeError, UnicodeDecodeError):
            raise web.HTTPBadRequest from None
        now_us = clock.now().utc_us
        async with self._desk.database.read() as session:
            asker = await self._desk.asker(request, session)
            is_there = bool((await self._found(session, asked, now_us, 1))[0])
        is_counted = not is_there and await self._miss(asked, asker, now_us)
        return web.json_response({"is_counted": is_counted})

    async def _found(
        self, session: AsyncSession, asked: str, now_us: int, most: int
    ) -> tuple[list[Version], str]:
        """What answers it, and the words that were meant where those that were typed find nothing."""
        if not asked:
            return [], ""
        return await self._desk.as_meant(
            session, asked, lambda words: store.found(session, words, now_us, most)
        )

    async def _miss(self, asked: str, asker: Asker, now_us: int) -> bool:
        async with self._desk.database.begin() as session:
            return await store.miss(session, asked, asker.person.number, now_us)

    async def _seen(self, request: web.Request, session: AsyncSession, asker: Asker) -> Entry:
        """The entry as the person may see it; whoever may not is told no more than if there were none."""
        entry = await store.load(session, request.match_info["id"])
        if entry is None:
            raise web.HTTPForbidden
        if any(is_insider(entry, post) for post in asker.posts):
            return entry
        if entry.live is None:
            raise web.HTTPForbidden
        return Entry(entry.live, entry.live)

    async def _to_write(self, request: web.Request, session: AsyncSession, asker: Asker) -> Entry | None:
        """The entry that the person writes anew, None for a new one; whoever does not write is refused."""
        if not any(map(writes, asker.posts)):
            raise web.HTTPForbidden
        if "id" not in request.match_info:
            return None
        entry = await self._seen(request, session, asker)
        if not any(writes(post) and is_insider(entry, post) for post in asker.posts):
            raise web.HTTPForbidden
        return entry

    async def _write(self, form: Typed, asker: Asker, entry: Entry | None) -> Version | Hindrance:
        words, role, now_us = knowing.read_words(form), asker.person.role.value, clock.now().utc_us
        unit = entry.last.unit if entry is not None else forms.text(form, "unit")
        mine = [post for post in asker.posts if writes(post)]
        actor = next((post for post in mine if post.unit == unit), mine[0])
        if entry is None:
            node = self._desk.settings.node
            return await service.write_new(self._desk.database, words, actor, role, node=node, now_us=now_us)
        return await service.rewrite(
            self._desk.database, entry.last.entry, knowing.read_seq(form), words, actor, role, now_us
        )

    async def _entry_page(
        self,
        request: web.Request,
        session: AsyncSession,
        asker: Asker,
        entry: Entry,
        message: str = "",
        reason: str = "",
    ) -> web.Response:
        now_us, is_inside = clock.now().utc_us, any(is_insider(entry, post) for post in asker.posts)
        names = await names_of_all(session)
        versions = await store.versions_of(session, entry.last.entry)
        told = [one for one in versions if is_inside or one.stage is Stage.PUBLISHED]
        offered = {act for post in asker.posts for act in possible(entry, post)}
        return self._desk.page(
            request,
            "entry",
            asker,
            409 if message else 200,
            entry=knowing.shown(entry.last, now_us),
            live=knowing.shown(entry.live, now_us) if entry.live not in (None, entry.last) else None,
            is_inside=is_inside,
            versions=[knowing.line(one, names) for one in reversed(told)],
            acts=[
                (tag, act.value, act in (Act.SEND_BACK, Act.WITHDRAW))
                for tag, act in _ACTS.items()
                if act in offered
            ],
            may_write=Act.WRITE in offered,
            message=message,
            reason=reason,
            limit=REASON_LIMIT,
        )

    async def _form_page(
        self,
        request: web.Request,
        session: AsyncSession,
        asker: Asker,
        entry: Entry | None,
        typed: Mapping[str, str],
        message: str = "",
    ) -> web.Response:
        return self._desk.page(
            request,
            "entry_form",
            asker,
            409 if message else 200,
            form={name: typed.get(name, "") for name in ("unit", "seq", *knowing.FIELDS)},
            path=f"/knowledge/{entry.last.entry}/edit" if entry is not None else "/knowledge/new",
            units=[entry.last.unit]
            if entry is not None
            else [one.unit for one in asker.posts if writes(one)],
            matters=await self._desk.matters(session),
            limits={"question": TITLE_LIMIT, "answer": TEXT_LIMIT, "topic": NAME_LIMIT},
            message=message,
        )


async def _waiting(session: AsyncSession, asker: Asker, now_us: int) -> list[tuple[str, list[Entry]]]:
    """What the person's posts have to do: reviewers everything that waits, units what is their own."""
    found: list[tuple[str, list[Entry]]] = []
    soon_us = now_us + _SOON_US
    if any(map(sees_all, asker.posts)):
        found.append(("待审核", await store.at_stage(session, (Stage.IN_REVIEW,), None, MOST)))
        found.append(("30 天内到期和已过期", await store.ending(session, soon_us, None, MOST)))
    units = [post.unit for post in asker.posts if writes(post)]
    if units:
        mine = (Stage.DRAFT, Stage.IN_REVIEW)
        found.append(("本单位的草稿和待审核", await store.at_stage(session, mine, units, MOST)))
        found.append(("本单位 30 天内到期和已过期", await store.ending(session, soon_us, units, MOST)))
        found.append(("本单位已发布", await store.at_stage(session, (Stage.PUBLISHED,), units, MOST)))
    return found
