"""Owns the pages on which cases are worked: the lists of each post, the case with its moves, search."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec
from aiohttp import web
from sqlalchemy.ext.asyncio import AsyncSession

from agent_desk.cases import forms, shown
from agent_desk.cases.calls import calls_shown
from agent_desk.cases.desk import CASE_PATH, Asker, Desk, with_database
from agent_desk.cases.forms import BadForm, Typed
from agent_desk.cases.visits import with_call
from agent_desk.guard import session_of
from casework import moves as m
from casework.allowed import possible
from casework.attachments import ENDINGS
from casework.calendar import china
from casework.case import TITLE_LIMIT, Case
from casework.catalogue import Suggestion, suggest
from casework.moves import Actor, Move
from casework.organisation import Tree
from casework.rights import may_see, shown_to, units_of
from casework.service import case_of_number, history_of, move_case
from casework.store import cases as store
from casework.store import files, lists
from casework.store.lists import Wanted
from casework.words import PLATFORM, CaseState, Kind, Part, Refusal
from hotline import audit, clock
from hotline.audit import Deed
from hotline.identity.people import names_of_all
from hotline.identity.roles import Role
from hotline.local_time import date_time
from hotline.numbers import describe

MOST = 100
"""Cases on one list."""
_QUEUES: dict[Part, tuple[str, tuple[CaseState, ...]]] = {
    Part.DISPATCHER: ("待转办", (CaseState.INTAKE,)),
    Part.REVIEWER: ("待审核", (CaseState.REPLIED,)),
    Part.VISITOR: ("待回访", (CaseState.REVIEWED, CaseState.VISITING)),
}
_FILTERS = ("q", "state", "kind", "topic", "unit", "from", "to", "supervised", "overdue")
_DECIDERS = frozenset({Part.DISPATCHER, Part.SUPERVISOR})


class CaseViews:
    """The handlers."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    def routes(self) -> Iterable[web.AbstractRouteDef]:
        """Every address of casework's pages."""
        return (
            web.get("/cases", with_database(self.inbox)),
            web.get("/cases/next", with_database(self.next)),
            web.get("/cases/catalogue", with_database(self.catalogue)),
            web.get("/cases/ledger", with_database(self.ledger)),
            web.get("/cases/find", with_database(self.find)),
            web.get(CASE_PATH, with_database(self.case)),
            web.get(CASE_PATH + "/print", with_database(self.paper)),
            web.post(CASE_PATH + "/number", with_database(self.number)),
            web.post(CASE_PATH + "/{move:[a-z_]+}", with_database(self.move)),
        )

    async def inbox(self, request: web.Request) -> web.Response:
        """What waits for the person, by post, the most urgent first."""
        now_us = clock.now().utc_us
        async with self._desk.database.read() as session:
            asker = await self._desk.asker(request, session)
            sections = [
                {"title": title, "part": part, "cases": [shown.line(case, now_us) for case in cases]}
                for title, part, cases in await self._waiting(session, asker)
            ]
            is_platform = any(post.part in _DECIDERS for post in asker.posts)
            loads = await lists.loads(session, now_us) if is_platform else []
        return self._desk.page(request, "inbox", asker, sections=sections, loads=loads, most=MOST)

    async def next(self, request: web.Request) -> web.Response:
        """下一件: the first case of the person's first list that has one."""
        async with self._desk.database.read() as session:
            asker = await self._desk.asker(request, session)
            for _, _, cases in await self._waiting(session, asker):
                if cases:
                    raise web.HTTPSeeOther(f"/cases/{cases[0].id}")
        raise web.HTTPSeeOther("/cases")

    async def find(self, request: web.Request) -> web.Response:
        """Cases by number, words (pinyin and slips too), state, kind, matter, unit, day, and what presses."""
        now_us = clock.now().utc_us
        message, meant = "", ""
        found: list[Case] = []
        async with self._desk.database.read() as session:
            asker = await self._desk.asker(request, session)
            tree, matters = await self._desk.tree(session), await self._desk.matters(session)
            try:
                wanted = _wanted(request, asker)
            except BadForm as error:
                message = str(error)
            else:
                found, meant = await self._desk.as_meant(
                    session,
                    wanted.words,
                    lambda words: lists.found(session, msgspec.structs.replace(wanted, words=words), MOST),
                )
        return self._desk.page(
            request,
            "find",
            asker,
            form={name: request.query.get(name, "") for name in _FILTERS},
            kinds=[kind.value for kind in Kind],
            matters=matters,
            meant=meant,
            states=[(state.value, state.label) for state in CaseState],
            units=[unit.name for unit in tree.below(PLATFORM)],
            cases=[shown.line(case, now_us) for case in found],
            message=message,
            most=MOST,
        )

    async def case(self, request: web.Request) -> web.Response:
        """One case, with its history and what can be done."""
        async with self._desk.database.read() as session:
            asker = await self._desk.asker(request, session)
            case = await self._desk.seen(request, session, asker)
            return await self._case_page(request, session, asker, case)

    async def paper(self, request: web.Request) -> web.Response:
        """One case for paper: what was asked, what was done; nothing to click, the number masked."""
        now_us = clock.now().utc_us
        async with self._desk.database.read() as session:
            asker = await self._desk.asker(request, session)
            case = await self._desk.seen(request, session, asker)
            names = await names_of_all(session)
            entries = shown.time_line(await history_of(session, case.id), names)[::-1]
            kept = await files.files_of(session, case.id)
        return self._desk.page(
            request,
            "print",
            asker,
            case=shown.whole(case, now_us),
            entries=entries,
            files=kept,
            printed=date_time(now_us)[:16],
        )

    async def move(self, request: web.Request) -> web.Response:
        """Make a move; refused, the page comes back with the reason and what was typed."""
        kind = m.BY_TAG.get(request.match_info["move"])
        if kind is None or not forms.is_offered(kind):
            raise web.HTTPNotFound
        form = await request.post()
        database, now_us = self._desk.database, clock.now().utc_us
        async with database.read() as session:
            asker = await self._desk.asker(request, session)
            case = await self._desk.seen(request, session, asker)
            tree = await self._desk.tree(session)
            master = await case_of_number(session, forms.text(form, "master").strip())
        actor = _offers(case, asker).get(kind, asker.posts[0])
        try:
            move = forms.read(kind, form, actor, case, tree, master.id if master else "")
        except BadForm as error:
            return await self._again(request, asker, case, str(error), kind, form)
        async with database.read() as session:
            move = await with_call(session, case, move)
        after = await move_case(database, case.id, move, now_us, china())
        if isinstance(after, Refusal):
            return await self._again(request, asker, case, after.value, kind, form)
        if forms.text(form, "then") == "next":
            raise web.HTTPSeeOther("/cases/next")
        is_still_mine = after is not None and may_see(after, asker.posts)
        raise web.HTTPSeeOther(f"/cases/{case.id}" if is_still_mine else "/cases")

    async def number(self, request: web.Request) -> web.Response:
        """Unmask the citizen's number, for a reason, which goes into the audit trail first."""
        why = forms.text(await request.post(), "why").strip()
        async with self._desk.database.begin() as session:
            asker = await self._desk.asker(request, session)
            case = await self._desk.seen(request, session, asker)
            if not why or not case.citizen:
                return await self._case_page(request, session, asker, case, "请填写查看号码的原因", 400)
            who = asker.person
            deed = Deed(
                person=who.number, role=who.role.value, what="case.number", whom=case.id, why=why[:200]
            )
            await audit.record(session, deed, clock.now().utc_us)
            known = describe(case.citizen, self._desk.settings.area_code, self._desk.settings.city)
            return await self._case_page(request, session, asker, case, number=known.national or known.raw)

    async def _waiting(self, session: AsyncSession, asker: Asker) -> list[tuple[str, str, list[Case]]]:
        found: list[tuple[str, str, list[Case]]] = []
        for post in asker.posts:
            if post.part in _QUEUES:
                title, states = _QUEUES[post.part]
                found.append((title, post.part.value, await lists.in_states(session, states, MOST)))
            if post.part is Part.SUPERVISOR:
                found.append(("督办中", post.part.value, await lists.supervised(session, MOST)))
            if post.part is Part.UNIT:
                own = await lists.at_unit(session, post.unit, MOST)
                found.append((f"待办 · {post.unit}", post.part.value, own))
            if post.part is Part.UNIT or post.part in _DECIDERS:
                asked = await lists.asked_of(session, post.unit, MOST)
                found.append(("待审批的退回和延期", post.part.value, asked))
            if post.part is Part.UNIT:
                beside = await lists.beside_unit(session, post.unit, MOST)
                found.append(("协办和已转下级", post.part.value, beside))
        return found

    async def catalogue(self, request: web.Request) -> web.Response:
        """The tree of units and whose duty each matter is."""
        async with self._desk.database.read() as session:
            is_admin = session_of(request).person.role is Role.ADMIN
            ask = self._desk.administrator if is_admin else self._desk.asker
            asker = await ask(request, session)
            tree, matters = await self._desk.tree(session), await self._desk.matters(session)
        names = {one.unit: unit.name for one in matters if (unit := tree.unit(one.unit)) is not None}
        return self._desk.page(
            request,
            "catalogue",
            asker,
            tree=tree,
            platform=PLATFORM,
            matters=matters,
            names=names,
            is_admin=is_admin,
        )

    async def ledger(self, request: web.Request) -> web.Response:
        """The ledger of supervision (督办台账): what is open, and the last entries and closing notes."""
        now_us = clock.now().utc_us
        async with self._desk.database.read() as session:
            asker = await self._desk.platform(request, session)
            cases = await lists.supervised(session, MOST)
            entries = await lists.ledger(session, MOST)
            names = await names_of_all(session)
        lines = [
            shown.time_line([entry], names)[0] | {"id": entry.case_id, "number": number, "title": title}
            for entry, number, title in entries
        ]
        open_cases = [shown.line(case, now_us) for case in cases]
        return self._desk.page(request, "ledger", asker, cases=open_cases, lines=lines, most=MOST)

    async def _again(
        self, request: web.Request, asker: Asker, case: Case, message: str, kind: type[Move], form: Typed
    ) -> web.Response:
        async with self._desk.database.read() as session:
            now = await store.load(session, case.id)
            typed = {name: forms.text(form, name) for name in form}
            return await self._case_page(
                request,
                session,
                asker,
                shown_to(now or case, asker.posts),
                message,
                409,
                typed=typed,
                tried=m.tag_of(kind),
            )

    async def _case_page(
        self,
        request: web.Request,
        session: AsyncSession,
        asker: Asker,
        case: Case,
        message: str = "",
        status: int = 200,
        *,
        number: str = "",
        typed: dict[str, str] | None = None,
        tried: str = "",
    ) -> web.Response:
        now_us = clock.now().utc_us
        tree = await self._desk.tree(session)
        offers = _offers(case, asker)
        names = await names_of_all(session)
        entries = await history_of(session, case.id)
        suggestion = None
        if m.Dispatch in offers:
            suggestion = await self._suggestion(session, tree, case)
        return self._desk.page(
            request,
            "case",
            asker,
            status,
            case=shown.whole(case, now_us),
            entries=shown.time_line(entries, names),
            calls=await calls_shown(session, self._desk.settings, asker, case, entries),
            offers=[forms.offer(kind, case, tree) for kind in forms.in_order(offers)],
            suggestion=suggestion,
            message=message,
            number=number,
            typed=typed or {},
            tried=tried,
            script=self._script(case) if m.Visited in offers else "",
            files=await files.files_of(session, case.id),
            endings=",".join(ENDINGS),
            may_attach=any(m.Attach in possible(case, post) for post in asker.posts),
        )

    def _script(self, case: Case) -> str:
        settings = self._desk.settings
        return settings.visit.script_for(settings.city, case.title, case.unit)

    async def _suggestion(self, session: AsyncSession, tree: Tree, case: Case) -> Suggestion | None:
        words = f"{case.title} {case.text}"
        matters = await self._desk.matters(session)
        return suggest(tree, matters, topic=case.topic, place=case.place or words, words=words)


def _offers(case: Case, asker: Asker) -> dict[type[Move], Actor]:
    """What the person can do now, each with the post by which they do it."""
    offered: dict[type[Move], Actor] = {}
    for post in asker.posts:
        for kind in possible(case, post):
            if forms.is_offered(kind):
                offered.setdefault(kind, post)
    return offered


def _wanted(request: web.Request, asker: Asker) -> Wanted:
    words = request.query.get("q", "").strip()[:TITLE_LIMIT]
    is_number = len(words) >= 13 and words.replace("-", "").isdigit()
    state = request.query.get("state", "")
    if state and state not in list(CaseState):
        raise BadForm("没有这种状态，请从列表中选择")
    topic = request.query.get("topic", "").strip()[:60]
    return Wanted(
        numbers=(words,) if is_number else (),
        words="" if is_number else words,
        states=(CaseState(state),) if state else (),
        unit=request.query.get("unit", "")[:60],
        kind=request.query.get("kind", "")[:8],
        topics=(topic,) if topic else (),
        is_supervised="supervised" in request.query,
        overdue_us=clock.now().utc_us if "overdue" in request.query else 0,
        since_us=forms.day_us(request.query.get("from", ""), 0),
        until_us=forms.day_us(request.query.get("to", ""), 1),
        units=units_of(asker.posts),
    )
