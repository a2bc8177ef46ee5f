"""Owns how an operation of the API is declared: once, for router, check of what comes in, and OpenAPI."""

from __future__ import annotations

import base64
import re
from collections.abc import Awaitable, Callable
from typing import Annotated, Any

import msgspec
from aiohttp import web
from msgspec import Meta
from sqlalchemy.ext.asyncio import AsyncSession

from agent_desk.problems import Problem, What
from casework.rights import Right
from casework.store.systems import System
from ctiserver.handovers import CONVERSATION_FORM
from hotline.settings import Settings

USUAL_S = 5.0
"""How long an operation may take."""
ID_FORM = "[a-z][a-z0-9_]{0,30}-[0-9A-Z]{26}"
Id = Annotated[str, Meta(pattern=f"^{ID_FORM}$", description="编号")]
_FORMS = {
    "id": ID_FORM,
    "file": ID_FORM,
    "unit": "[a-z][a-z0-9-]{0,30}",
    "conversation": CONVERSATION_FORM,
    "n": "[0-9]{1,4}",
}
"""The form of each parameter that stands in a path."""


class Nothing(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """No parameters."""


class Call(msgspec.Struct, frozen=True, kw_only=True):
    """What a handler is given. `query` and `body` are what the operation declares, already checked."""

    request: web.Request
    session: AsyncSession
    settings: Settings
    system: System
    query: Any
    body: Any
    now_us: int

    @property
    def id(self) -> str:
        """The id in the path."""
        return self.request.match_info["id"]


class Reply(msgspec.Struct, frozen=True, kw_only=True):
    """What a handler gives back. `etag`: the strong validator (without quotes); "" to have it made."""

    body: msgspec.Struct | None = None
    file: web.FileResponse | None = None
    etag: str = ""
    location: str = ""


Handler = Callable[[Call], Awaitable[Reply]]


class Operation(msgspec.Struct, frozen=True, kw_only=True):
    """One method at one path. A POST runs in one transaction, with its key and its answer."""

    name: str
    method: str
    path: str
    right: Right
    handler: Handler
    query: type[msgspec.Struct] = Nothing
    body: type[msgspec.Struct] | None = None
    takes_file: bool = False
    """The body is a file's bytes."""
    answer: type[msgspec.Struct] | None
    """None: a file's bytes."""
    status: int = 200
    summary: str = ""
    keeps: bool = True
    """Whether an answer is kept for the request's key; one that names a citizen is not."""
    matches: bool = False
    """Whether If-Match is looked at."""
    leaves_trace: bool = False
    """A GET that writes into the audit trail."""
    within_s: float = USUAL_S

    @property
    def route(self) -> str:
        """The path for the router: only what has the form of a parameter is one."""
        return re.sub(r"\{(\w+)\}", lambda found: f"{{{found[1]}:{_FORMS[found[1]]}}}", self.path)

    @property
    def parameters(self) -> dict[str, str]:
        """The parameters in the path, each with its form."""
        return {name: _FORMS[name] for name in re.findall(r"\{(\w+)\}", self.path)}

    def read_query(self, request: web.Request) -> msgspec.Struct:
        """The query as declared; Problem for anything else."""
        given = dict(request.query)
        if len(given) != len(request.query):
            raise Problem(What.MALFORMED, "同一个参数只能出现一次")
        if any("\0" in value for value in given.values()):
            raise Problem(What.MALFORMED, "参数中有不能使用的字符")
        try:
            return msgspec.convert(given, self.query, strict=False)
        except msgspec.ValidationError as error:
            raise Problem(What.MALFORMED, f"参数不符合接口约定：{error}") from None

    def read_body(self, request: web.Request, content: bytes) -> msgspec.Struct | None:
        """The body as declared; Problem for anything else."""
        if self.body is None:
            return None
        if request.content_type != "application/json":
            raise Problem(What.NOT_JSON)
        try:
            return msgspec.json.decode(content, type=self.body)
        except msgspec.ValidationError as error:
            raise Problem(What.INVALID, f"内容不符合接口约定：{error}") from None
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            raise Problem(What.MALFORMED, "不是 JSON") from None


def cursor_of(*place: object) -> str:
    """Where a page ended, as the word by which the next one is asked for."""
    return base64.urlsafe_b64encode(" ".join(map(str, place)).encode()).decode()


def place_of(cursor: str, form: re.Pattern[str]) -> tuple[str, ...]:
    """The parts of a place, which has this form; Problem for a word that no page of ours gave."""
    try:
        found = form.fullmatch(base64.urlsafe_b64decode(cursor.encode()).decode())
    except ValueError:
        found = None
    if found is None:
        raise Problem(What.MALFORMED, "cursor 不是上一页给出的")
    return found.groups()
