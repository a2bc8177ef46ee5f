"""Owns how a case is taken in (受理): during a call by a script's request, otherwise by a form."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import msgspec
from aiohttp import web
from multidict import MultiDict
from sqlalchemy.ext.asyncio import AsyncSession

from agent_desk.cases import forms
from agent_desk.cases.desk import CASE_PATH, Asker, Desk, decoded, refused, with_database
from agent_desk.guard import api_session_of
from casework.allowed import post_for
from casework.calendar import china
from casework.case import NAME_LIMIT, TEXT_LIMIT, TITLE_LIMIT, Case
from casework.catalogue import Matter, Suggestion, alike, suggest
from casework.moves import Urge
from casework.service import NewCase, cases_of, move_case, open_case
from casework.words import Kind, Part, Refusal
from hotline import clock
from hotline.numbers import describe
from hotline.settings import Settings

FRONT = frozenset({Part.AGENT, Part.DISPATCHER, Part.SUPERVISOR})
"""Who takes cases in."""
_MOST_MATTERS = 12
_ALREADY = "该市民同一事项已有在办工单：请在原工单上催办，确为另一件事再受理"


class Filing(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a page sends to file a case. `number`: as dialled; `conversation`: the call's id."""

    title: str
    text: str = ""
    kind: Kind = Kind.HELP
    topic: str = ""
    place: str = ""
    unit: str = ""
    number: str = ""
    conversation: str = ""
    is_secret: bool = False


class Urging(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a page sends when a citizen asks after an open case. `conversation`: the call's id."""

    text: str
    conversation: str = ""


class IntakeViews:
    """The handlers."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    def routes(self) -> Iterable[web.AbstractRouteDef]:
        """The form's address, and those of the agent's page."""
        return (
            web.get("/cases/new", with_database(self.form)),
            web.post("/cases/new", with_database(self.take_in)),
            web.post("/api/cases", with_database(self.file)),
            web.post("/api" + CASE_PATH + "/urge", with_database(self.urge)),
            web.post("/api/cases/suggestion", with_database(self.suggestion)),
        )

    async def form(self, request: web.Request) -> web.Response:
        """The empty form."""
        async with self._desk.database.read() as session:
            asker = await self._front(request, session)
            return await self._form_page(request, session, asker, MultiDict())

    async def take_in(self, request: web.Request) -> web.Response:
        """File what the form says; refused, it comes back as it was typed."""
        form = await request.post()
        names = [name for name in Filing.__struct_fields__ if name not in ("is_secret", "conversation")]
        open_cases: list[Case] = []
        values: dict[str, Any] = {name: forms.text(form, name) for name in names}
        async with self._desk.database.read() as session:
            asker = await self._front(request, session)
        try:
            filing = msgspec.convert(values | {"is_secret": "is_secret" in form}, Filing)
        except msgspec.ValidationError:
            message = "诉求类型不对，请重新选择"
        else:
            async with self._desk.database.read() as session:
                open_cases = await self._alike(session, filing, await self._desk.matters(session))
            if open_cases and "is_other" not in form:
                message = _ALREADY
            else:
                case = await self._open(filing, asker)
                if isinstance(case, Case):
                    raise web.HTTPSeeOther(f"/cases/{case.id}")
                message = case.value
        async with self._desk.database.read() as session:
            return await self._form_page(request, session, asker, form, message, open_cases)

    async def file(self, request: web.Request) -> web.Response:
        """The agent's page files a case during the call: 201 with its number, 422 with why not."""
        api_session_of(request)
        filing = decoded(await request.read(), Filing)
        async with self._desk.database.read() as session:
            asker = await self._front(request, session)
        case = await self._open(filing, asker)
        if isinstance(case, Refusal):
            return refused(case)
        return web.json_response(
            {"id": case.id, "number": case.number, "state": case.state.value}, status=201
        )

    async def urge(self, request: web.Request) -> web.Response:
        """The agent's page adds a call to an open case (催办): 200 with how often by now, or 422."""
        api_session_of(request)
        urging = decoded(await request.read(), Urging)
        async with self._desk.database.read() as session:
            asker = await self._front(request, session)
            case = await self._desk.seen(request, session, asker)
        actor = post_for(case, Urge, asker.posts)
        move = Urge(actor=actor, reason=urging.text, conversation=urging.conversation[:80])
        after = await move_case(self._desk.database, case.id, move, clock.now().utc_us, china())
        if isinstance(after, Refusal):
            return refused(after)
        case = after or case
        return web.json_response({"id": case.id, "number": case.number, "urged": case.urged})

    async def suggestion(self, request: web.Request) -> web.Response:
        """Whom to send it to and why, from what is typed so far; `unit` null when nothing is known.

        With the citizen's open cases of the same matter: one of them is to be urged, not a second one filed.
        """
        api_session_of(request)
        filing = decoded(await request.read(), Filing)
        async with self._desk.database.read() as session:
            await self._front(request, session)
            tree, matters = await self._desk.tree(session), await self._desk.matters(session)
            open_cases = await self._alike(session, filing, matters)
        words = f"{filing.title} {filing.text}"
        found = suggest(tree, matters, topic=filing.topic, place=filing.place or words, words=words)
        typed = filing.topic.strip()
        fitting = [one for one in matters if typed and (typed in one.name or typed in one.category)]
        return web.json_response(
            {
                **_told(found),
                "matters": [{"name": one.name, "category": one.category} for one in fitting[:_MOST_MATTERS]],
                "open": [_named(one) for one in open_cases],
            }
        )

    async def _front(self, request: web.Request, session: AsyncSession) -> Asker:
        asker = await self._desk.asker(request, session)
        if not any(post.part in FRONT for post in asker.posts):
            raise web.HTTPForbidden
        return asker

    async def _alike(self, session: AsyncSession, filing: Filing, matters: list[Matter]) -> list[Case]:
        """The citizen's open cases of the matter that is being filed."""
        cases = await cases_of(session, citizen_of(self._desk.settings, filing.number), is_open=True)
        return alike(cases, matters, topic=filing.topic, words=f"{filing.title} {filing.text}")

    async def _open(self, filing: Filing, asker: Asker) -> Case | Refusal:
        new = NewCase(
            citizen=citizen_of(self._desk.settings, filing.number),
            title=filing.title,
            text=filing.text,
            unit=filing.unit,
            actor=asker.person.number,
            conversation=filing.conversation[:80],
            kind=filing.kind,
            topic=filing.topic,
            place=filing.place,
            is_secret=filing.is_secret,
        )
        return await open_case(self._desk.database, new, self._desk.settings.node, clock.now().utc_us)

    async def _form_page(
        self,
        request: web.Request,
        session: AsyncSession,
        asker: Asker,
        form: forms.Typed,
        message: str = "",
        open_cases: Iterable[Case] = (),
    ) -> web.Response:
        return self._desk.page(
            request,
            "new",
            asker,
            400 if message else 200,
            form={name: forms.text(form, name) for name in Filing.__struct_fields__},
            kinds=[kind.value for kind in Kind],
            matters=await self._desk.matters(session),
            limits={"title": TITLE_LIMIT, "text": TEXT_LIMIT, "name": NAME_LIMIT},
            message=message,
            open=[_named(one) for one in open_cases],
        )


def citizen_of(settings: Settings, number: str) -> str:
    """The citizen's canonical form (`CallerNumber.key`) of a number as it was given; "" for none."""
    return describe(number, settings.area_code, settings.city).key[:64] if number else ""


def _named(case: Case) -> dict[str, str]:
    return {
        "id": case.id,
        "number": case.number,
        "title": case.title,
        "state": case.state.label,
        "unit": case.unit,
    }


def _told(found: Suggestion | None) -> dict[str, object]:
    if found is None:
        return {"unit": None, "reason": "", "topic": "", "profile": "", "assisting": []}
    return {
        "unit": {"id": found.unit.id, "name": found.unit.name},
        "reason": found.reason,
        "topic": found.matter,
        "profile": found.profile.label,
        "assisting": [unit.name for unit in found.assisting],
    }
