"""Owns the API's operations on cases: listing, reading, taking in, files, the citizen behind a case."""

from __future__ import annotations

import asyncio
import re
from datetime import date, timedelta
from typing import Annotated

import msgspec
from aiohttp import web
from msgspec import Meta

from agent_desk.api import shapes
from agent_desk.api.door import is_named
from agent_desk.api.operation import ID_FORM, Call, Operation, Reply, cursor_of, place_of
from agent_desk.cases.files import as_download, directory_of
from agent_desk.cases.intake import FRONT, citizen_of
from agent_desk.problems import API, Problem, What
from casework.calendar import china
from casework.case import NAME_LIMIT, TEXT_LIMIT, TITLE_LIMIT, Case
from casework.rights import Right, may_see, shown_to, units_of
from casework.service import NewCase, Stored, attach_in, history_of, open_in, store_file
from casework.store import cases as store
from casework.store import files, lists
from casework.store.lists import Wanted
from casework.words import CaseState, Kind, Refusal
from hotline import audit
from hotline.audit import Deed
from hotline.directory import name_of
from hotline.local_time import day_start_us
from hotline.numbers import describe

MOST = 200
"""Cases on one page."""
_UPLOAD_S = 120.0
"""10 MB from a village's office take their time."""
Name = Annotated[str, Meta(max_length=NAME_LIMIT)]
UnitId = Annotated[str, Meta(pattern="^[a-z][a-z0-9-]{0,30}$", description="承办单位的 id，见 /units")]
_WRONG = frozenset(
    {
        Refusal.NO_TITLE, Refusal.NO_REASON, Refusal.NO_WORDS, Refusal.NO_WAY_OUT, Refusal.TOO_LONG,
        Refusal.EMPTY_FILE, Refusal.NOT_THIS_KIND,
    }
)  # fmt: skip
"""Refusals of what was sent, whatever the case's state."""
_DAY = timedelta(days=1)
_FIRST_DAY = date(2000, 1, 1)
"""Before any case; a calendar's first day cannot be told in Shanghai's time."""
_PLACE = re.compile(rf"([0-9]{{1,18}}) ({ID_FORM})")


class CaseQuery(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What is looked for: all that is given must hold. Days are Shanghai's."""

    q: Annotated[str, Meta(max_length=TITLE_LIMIT)] = ""
    """Words of title, text, place, matter or number."""
    number: Annotated[str, Meta(max_length=24)] = ""
    state: CaseState | None = None
    kind: Kind | None = None
    unit: UnitId | None = None
    """The unit that has the case."""
    since: date | None = None
    """Taken in on this day or later."""
    until: date | None = None
    """Taken in on this day or earlier."""
    limit: Annotated[int, Meta(ge=1, le=MOST)] = 50
    cursor: Annotated[str, Meta(max_length=200)] = ""
    """`next` of the page before."""


class NewCaseBody(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A case to be taken in (受理)."""

    title: Annotated[str, Meta(min_length=1, max_length=TITLE_LIMIT)]
    text: Annotated[str, Meta(max_length=TEXT_LIMIT)] = ""
    kind: Kind = Kind.HELP
    topic: Name = ""
    """A matter's name, see /matters."""
    place: Name = ""
    unit: UnitId | None = None
    """Suggested to the dispatcher."""
    number: Annotated[str, Meta(max_length=64)] = ""
    """The citizen's telephone number."""
    conversation: Annotated[str, Meta(max_length=80)] = ""
    """The call's id, when there was one: the same words from the same call are the same case."""
    is_secret: bool = False
    """保密: name and number are hidden from units."""


class WhyBody(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Why the citizen's number is looked at; it goes into the audit trail."""

    reason: Annotated[str, Meta(min_length=1, max_length=200)]


class FileQuery(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How the file that is sent is called."""

    name: Annotated[str, Meta(min_length=1, max_length=200)]
    """With its ending: jpg, jpeg, png, pdf, docx or xlsx."""


def operations() -> tuple[Operation, ...]:
    """All of them."""
    case, at_case = "/cases/{id}", "/cases/{id}/files"
    return (
        Operation(
            name="list_cases", method="GET", path="/cases", right=Right.READ, handler=list_cases,
            query=CaseQuery, answer=shapes.CaseList,
        ),
        Operation(
            name="file_case", method="POST", path="/cases", right=Right.WRITE, handler=file_case,
            body=NewCaseBody, answer=shapes.WholeCase, status=201,
        ),
        Operation(
            name="read_case", method="GET", path=case, right=Right.READ, handler=read_case,
            answer=shapes.WholeCase,
        ),
        Operation(
            name="read_history", method="GET", path=f"{case}/history", right=Right.READ,
            handler=read_history, answer=shapes.History,
        ),
        Operation(
            name="list_contacts", method="GET", path=f"{case}/contacts", right=Right.READ,
            handler=list_contacts, answer=shapes.Contacts,
        ),
        Operation(
            name="read_citizen", method="POST", path=f"{case}/citizen", right=Right.NUMBERS,
            handler=read_citizen, body=WhyBody, answer=shapes.Citizen, keeps=False,
        ),
        Operation(
            name="list_files", method="GET", path=at_case, right=Right.READ, handler=list_files,
            answer=shapes.Files,
        ),
        Operation(
            name="add_file", method="POST", path=at_case, right=Right.WRITE, handler=add_file,
            query=FileQuery, takes_file=True, answer=shapes.File, status=201, matches=True,
            within_s=_UPLOAD_S,
        ),
        Operation(
            name="read_file", method="GET", path=at_case + "/{file}", right=Right.READ, handler=read_file,
            answer=None,
        ),
    )  # fmt: skip


async def list_cases(call: Call) -> Reply:
    """List cases, newest first, a page at a time."""
    query: CaseQuery = call.query
    wanted = Wanted(
        numbers=(query.number,) if query.number else (),
        words=query.q.strip(),
        states=(query.state,) if query.state else (),
        kind=query.kind.value if query.kind else "",
        unit=await name_of(call.session, query.unit) or query.unit if query.unit else "",
        since_us=day_start_us(max(query.since, _FIRST_DAY)) if query.since else 0,
        until_us=_end_us(query.until) if query.until else 0,
        units=units_of(call.system.posts),
        before=_place(query.cursor) if query.cursor else None,
    )
    found = await lists.found(call.session, wanted, query.limit + 1)
    shown = [shapes.line_of(case) for case in found[: query.limit]]
    more = _cursor(found[query.limit - 1]) if len(found) > query.limit else None
    return Reply(body=shapes.CaseList(shown, more))


async def file_case(call: Call) -> Reply:
    """Take a case in (受理): it has its number at once."""
    body: NewCaseBody = call.body
    if not any(post.part in FRONT for post in call.system.posts):
        raise Problem(What.FORBIDDEN, "令牌的岗位不能受理工单")
    unit = await _named(call, body.unit) if body.unit else ""
    new = NewCase(
        citizen=citizen_of(call.settings, body.number),
        title=body.title,
        text=body.text,
        unit=unit,
        actor=call.system.name,
        conversation=body.conversation,
        kind=body.kind,
        topic=body.topic,
        place=body.place,
        is_secret=body.is_secret,
    )
    case = await open_in(call.session, new, call.settings.node, call.now_us)
    if isinstance(case, Refusal):
        raise refused(case)
    reply = await answered(call, case)
    return msgspec.structs.replace(reply, location=f"{API}/cases/{case.id}")


async def read_case(call: Call) -> Reply:
    """Read a case."""
    return await answered(call, await seen(call))


async def read_history(call: Call) -> Reply:
    """Read a case's history (流转记录)."""
    entries = await history_of(call.session, (await seen(call)).id)
    return Reply(body=shapes.History([shapes.entry_of(one) for one in entries]))


async def list_contacts(call: Call) -> Reply:
    """List when the citizen and the hotline met about a case: intake, urging, visits."""
    case = visible(call, await seen(call))
    return Reply(body=shapes.Contacts(shapes.contacts_of(case, await history_of(call.session, case.id))))


async def read_citizen(call: Call) -> Reply:
    """Read the citizen's number, for a reason, which goes into the audit trail first."""
    case = await seen(call)
    if case.is_secret and not visible(call, case).citizen and case.citizen:
        raise Problem(What.FORBIDDEN, "保密工单：市民号码不对本系统开放")
    why = call.body.reason.strip()
    if not why:
        raise refused(Refusal.NO_REASON)
    deed = Deed(person=call.system.name, role="system", what="case.number", whom=case.id, why=why)
    await audit.record(call.session, deed, call.now_us)
    if not case.citizen:
        return Reply(body=shapes.Citizen("", "", ""))
    known = describe(case.citizen, call.settings.area_code, call.settings.city)
    return Reply(body=shapes.Citizen(known.national or known.raw, known.place, known.carrier))


async def list_files(call: Call) -> Reply:
    """List a case's files (附件)."""
    listed = await files.files_of(call.session, (await seen(call)).id)
    return Reply(body=shapes.Files([shapes.file_of(one) for one in listed]))


async def add_file(call: Call) -> Reply:
    """Add a file to a case: the body is its bytes, at most 10 MB."""
    case = await seen(call, lock=True)
    await check_match(call, case)
    kept: Stored | Refusal = await store_file(directory_of(call.settings), call.query.name, call.body)
    if isinstance(kept, Refusal):
        raise refused(kept)
    added = await attach_in(
        call.session,
        case.id,
        call.system.posts,
        kept,
        node=call.settings.node,
        now_us=call.now_us,
        calendar=china(),
    )
    if isinstance(added, Refusal):
        raise refused(added)
    return Reply(body=shapes.file_of(added), location=f"{API}/cases/{case.id}/files/{added.id}")


async def read_file(call: Call) -> Reply:
    """Read a file's bytes."""
    case = await seen(call)
    listed = {one.id: one for one in await files.files_of(call.session, case.id)}
    wanted = listed.get(call.request.match_info["file"])
    path = files.path_of(directory_of(call.settings), wanted.sha256) if wanted is not None else None
    if wanted is None or path is None or not await asyncio.to_thread(path.is_file):
        raise Problem(What.NOT_FOUND)
    return Reply(file=web.FileResponse(path, headers=as_download(wanted)))


async def seen(call: Call, *, lock: bool = False) -> Case:
    """The case; a stranger's is answered as one that does not exist."""
    case = await store.load(call.session, call.id, lock=lock)
    if case is None or not may_see(case, call.system.posts):
        raise Problem(What.NOT_FOUND)
    return case


def visible(call: Call, case: Case) -> Case:
    """The case without what this system may not know."""
    return shown_to(case, call.system.posts, keeps_secrets=Right.SECRET in call.system.rights)


async def answered(call: Call, case: Case) -> Reply:
    """The case as the answer, with the version that its history gives it."""
    body = shapes.whole_of(visible(call, case), call.system.posts)
    return Reply(body=body, etag=await store.version_of(call.session, case.id))


async def check_match(call: Call, case: Case) -> None:
    """Problem when If-Match names another version of the case than the one that there is."""
    header = call.request.headers.get("If-Match", "")
    if header and not is_named(await store.version_of(call.session, case.id), header):
        raise Problem(What.CHANGED)


def refused(refusal: Refusal) -> Problem:
    """Why casework says no."""
    what = What.INVALID if refusal in _WRONG else What.REFUSED
    return Problem(what, refusal.value, code=refusal.name.lower())


async def _named(call: Call, id_: str) -> str:
    name = await name_of(call.session, id_)
    if name is None:
        raise Problem(What.INVALID, f"没有承办单位 {id_}")
    return name


def _end_us(day: date) -> int:
    return day_start_us(day + _DAY if day < date.max else day)


def _cursor(case: Case) -> str:
    return cursor_of(case.created_us, case.id)


def _place(cursor: str) -> tuple[int, str]:
    created_us, id_ = place_of(cursor, _PLACE)
    return int(created_us), id_
