"""Owns how other systems are told that something did not go: problem details (RFC 9457), in Chinese."""

from __future__ import annotations

from enum import StrEnum

import msgspec
from aiohttp import web

API, OPEN311 = "/api/v1", "/open311/v2"
PATH = f"{API}/problems"
"""Where the list of all problems is; each `type` is a place in it."""


class What(StrEnum):
    """A kind of problem; the value is the stable end of its `type`."""

    MALFORMED = "malformed"
    UNAUTHENTICATED = "unauthenticated"
    FORBIDDEN = "forbidden"
    NOT_FOUND = "not-found"
    METHOD = "method-not-allowed"
    REFUSED = "refused"
    CHANGED = "changed"
    TOO_LARGE = "too-large"
    NOT_JSON = "not-json"
    INVALID = "invalid"
    KEY_REUSED = "key-reused"
    TOO_MANY = "too-many-requests"
    FAILED = "failed"
    UNAVAILABLE = "unavailable"

    @property
    def status(self) -> int:
        """The HTTP status."""
        return _KINDS[self][0]

    @property
    def name_zh(self) -> str:
        """The kind's name, the same for every problem of it."""
        return _KINDS[self][1]

    @property
    def uri(self) -> str:
        """The `type`."""
        return f"{PATH}#{self.value}"


_KINDS: dict[What, tuple[int, str]] = {
    What.MALFORMED: (400, "请求格式不正确"),
    What.UNAUTHENTICATED: (401, "没有令牌，或令牌无效、已吊销"),
    What.FORBIDDEN: (403, "令牌没有此项权限"),
    What.NOT_FOUND: (404, "没有这一项，或与本系统无关"),
    What.METHOD: (405, "此地址不支持这种请求方式"),
    What.REFUSED: (409, "按办理规则不能进行此操作"),
    What.CHANGED: (412, "已有新的变化，请重新读取后再操作"),
    What.TOO_LARGE: (413, "提交的内容过大"),
    What.NOT_JSON: (415, "请求内容须为 application/json"),
    What.INVALID: (422, "内容不符合接口约定"),
    What.KEY_REUSED: (422, "同一个 Idempotency-Key 不能用于不同的请求"),
    What.TOO_MANY: (429, "请求过于频繁，请稍后再试"),
    What.FAILED: (500, "系统出错，请稍后重试"),
    What.UNAVAILABLE: (503, "数据库暂不可用，请稍后重试；没有内容被保存"),
}
_BY_STATUS = {what.status: what for what in reversed(What)}


class Details(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What went wrong (RFC 9457). `detail` is for a person; programs look at `type` and `code`."""

    type: str
    title: str
    status: int
    detail: str = ""
    code: str = ""
    """Of a refusal: which rule of casework says no."""


class Problem(Exception):
    """Ends a request. `code`: of a refusal, which."""

    def __init__(self, what: What, detail: str = "", *, code: str = "", wait_s: int = 0) -> None:
        super().__init__(what.value)
        self.what = what
        self.detail = detail or what.name_zh
        self.code = code
        self._wait_s = wait_s

    def answer(self) -> web.Response:
        """What is sent back."""
        headers = {"Retry-After": str(self._wait_s)} if self._wait_s else {}
        if self.what is What.UNAUTHENTICATED:
            headers["WWW-Authenticate"] = 'Bearer realm="12345"'
        body = Details(
            type=self.what.uri,
            title=self.what.name_zh,
            status=self.what.status,
            detail=self.detail,
            code=self.code,
        )
        return web.Response(
            body=msgspec.json.encode(body),
            status=self.what.status,
            content_type="application/problem+json",
            headers=headers,
        )


def of_status(status: int) -> Problem:
    """The problem that the server itself found before any door of ours."""
    return Problem(_BY_STATUS.get(status, What.MALFORMED))
