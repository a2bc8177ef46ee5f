"""Owns the pages on which an administrator changes units and the catalogue (组织和派单目录的维护)."""

from __future__ import annotations

import re
import secrets
from collections.abc import Iterable
from typing import Any

import msgspec
from aiohttp import web
from sqlalchemy.ext.asyncio import AsyncSession

from agent_desk.cases import forms
from agent_desk.cases.desk import Asker, Desk, with_database
from agent_desk.cases.forms import BadForm, Field, Typed
from casework import register_service
from casework.catalogue import Matter
from casework.deadlines import ProfileName
from casework.register_service import UNIT, Change
from casework.store import edits
from casework.store.edits import Edit
from casework.store.matters import MATTER
from hotline import audit, clock
from hotline.audit import Deed
from hotline.directory import BadUnit, Unit, UnitKind, all_units
from hotline.local_time import date_time, local_day

_SUBJECT = "{id:new|[a-z][a-z0-9-]{0,30}}"
_NEW = "new"
_SPACES = re.compile(r"[\s,，、;；]+")
_KINDS = {
    UnitKind.CITY: "市直部门", UnitKind.COUNTY: "县市区、功能区", UnitKind.TOWN: "乡镇街道",
    UnitKind.VILLAGE: "村居社区", UnitKind.SERVICE: "公共服务企业",
}  # fmt: skip
_BAD_UNIT = "号码只填 3 至 16 位数字，用空格隔开；名称不能有特殊字符"


class Shown(msgspec.Struct, frozen=True):
    """What a page is about: a unit or a matter, as it stands (None for a new one)."""

    kind: str
    title: str
    fields: list[Field]
    values: dict[str, Any]
    subject: str


class RegisterViews:
    """The handlers; for administrators."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    def routes(self) -> Iterable[web.AbstractRouteDef]:
        """Every address of the changes."""
        return (
            web.get("/cases/units/" + _SUBJECT, with_database(self.unit)),
            web.post("/cases/units/" + _SUBJECT, with_database(self.change_unit)),
            web.get("/cases/matters/" + _SUBJECT, with_database(self.matter)),
            web.post("/cases/matters/" + _SUBJECT, with_database(self.change_matter)),
            web.post("/cases/edits/{edit:[0-9]{1,15}}/undo", with_database(self.undo)),
        )

    async def unit(self, request: web.Request) -> web.Response:
        """A unit's form and what was changed before."""
        async with self._desk.database.read() as session:
            asker = await self._desk.administrator(request, session)
            return await self._page(request, session, asker, await self._shown_unit(request, session))

    async def matter(self, request: web.Request) -> web.Response:
        """A matter's form and what was changed before."""
        async with self._desk.database.read() as session:
            asker = await self._desk.administrator(request, session)
            return await self._page(request, session, asker, await self._shown_matter(request, session))

    async def change_unit(self, request: web.Request) -> web.Response:
        """Keep a unit as typed; refused, the form comes back with why."""
        form = await request.post()
        async with self._desk.database.begin() as session:
            asker = await self._desk.administrator(request, session)
            shown = await self._shown_unit(request, session)
            new = _unit(form, _id_of(request), await all_units(session))
            try:
                refusal = await register_service.change_unit(session, new, _change(form, asker))
            except BadUnit:
                return await self._page(request, session, asker, shown, _BAD_UNIT, form)
            if refusal is not None:
                return await self._page(request, session, asker, shown, refusal.value, form)
            await _write_down(session, asker, UNIT + new.id, forms.text(form, "why"))
        raise web.HTTPSeeOther(f"/cases/units/{new.id}")

    async def change_matter(self, request: web.Request) -> web.Response:
        """Keep a matter as typed, from the day on; refused, the form comes back with why."""
        form = await request.post()
        id_ = _id_of(request)
        async with self._desk.database.begin() as session:
            asker = await self._desk.administrator(request, session)
            shown = await self._shown_matter(request, session)
            try:
                new = None if forms.text(form, "is_ended") else _matter(form, id_)
                change = _change(form, asker)
            except BadForm as error:
                return await self._page(request, session, asker, shown, str(error), form)
            refusal = await register_service.change_matter(session, id_, new, change)
            if refusal is not None:
                return await self._page(request, session, asker, shown, refusal.value, form)
            await _write_down(session, asker, MATTER + id_, forms.text(form, "why"))
        raise web.HTTPSeeOther(f"/cases/matters/{id_}")

    async def undo(self, request: web.Request) -> web.Response:
        """Make the last change of a unit or matter undone (撤销); itself a change, with its reason."""
        form = await request.post()
        async with self._desk.database.begin() as session:
            asker = await self._desk.administrator(request, session)
            edit = await edits.edit_of(session, int(request.match_info["edit"]))
            if edit is None:
                raise web.HTTPNotFound
            refusal = await register_service.undo(session, edit, _change(form, asker))
            back = _address(edit)
            if refusal is not None:
                return self._desk.page(request, "refused", asker, 409, message=refusal.value, back=back)
            await _write_down(session, asker, edit.subject, forms.text(form, "why"))
        raise web.HTTPSeeOther(back)

    async def _shown_unit(self, request: web.Request, session: AsyncSession) -> Shown:
        id_, units = request.match_info["id"], await all_units(session)
        unit = next((one for one in units if one.id == id_ and one.kind in _KINDS), None)
        if unit is None and id_ != _NEW:
            raise web.HTTPNotFound
        others = [(one.id, one.name) for one in units if one.id != id_ and one.kind in _KINDS]
        fields = [
            Field("name", "名称", "text"),
            Field("parent", "上级", "select", [("", "平台直属"), *others]),
            Field("kind", "类型", "select", [(kind.value, label) for kind, label in _KINDS.items()]),
            Field("initials", "拼音首字母", "optional"),
            Field("numbers", "号码，按先后用空格隔开", "optional"),
            Field("is_closed", "停用（不再转办，已有工单照常办完）", "check"),
        ]
        values = msgspec.to_builtins(unit) | {"numbers": " ".join(unit.numbers)} if unit is not None else {}
        return Shown("units", unit.name if unit else "新增单位", fields, values, UNIT + id_)

    async def _shown_matter(self, request: web.Request, session: AsyncSession) -> Shown:
        id_ = request.match_info["id"]
        kept = await edits.edits_of(session, MATTER + id_)
        matter = next((one for one in await self._desk.matters(session) if one.id == id_), None)
        if matter is None and id_ != _NEW and not kept:
            raise web.HTTPNotFound
        tree_units = [one for one in await all_units(session) if one.kind in _KINDS and not one.is_closed]
        units = [(one.id, one.name) for one in tree_units]
        fields = [
            Field("name", "事项", "text"),
            Field("category", "类别", "text"),
            Field("unit", "负责单位", "select", units),
            Field("assisting", "协办单位", "many", units),
            Field("profile", "办理时限", "select", [(one.value, one.label) for one in ProfileName]),
            Field("is_local", "属地优先", "check"),
            Field("keywords", "关键词，用空格隔开", "optional"),
            Field("from", "从哪天起（空为现在）", "date"),
            Field("is_ended", "停用这个事项", "check"),
        ]
        values = msgspec.to_builtins(matter) | {"keywords": " ".join(matter.keywords)} if matter else {}
        title = matter.name if matter else "新增事项" if id_ == _NEW else "未生效或已停用的事项"
        return Shown("matters", title, fields, values, MATTER + id_)

    async def _page(
        self,
        request: web.Request,
        session: AsyncSession,
        asker: Asker,
        shown: Shown,
        message: str = "",
        form: Typed | None = None,
    ) -> web.Response:
        values = shown.values if form is None else _typed(form)
        kept = await edits.edits_of(session, shown.subject)
        return self._desk.page(
            request,
            "edit",
            asker,
            400 if message else 200,
            shown=shown,
            values=values,
            message=message,
            edits=[_told(edit, is_last=place == 0) for place, edit in enumerate(kept)],
            today=local_day(clock.now().utc_us).isoformat(),
        )


def _id_of(request: web.Request) -> str:
    """The id in the address; a fresh one for what is new."""
    id_ = request.match_info["id"]
    return f"n{secrets.token_hex(6)}" if id_ == _NEW else id_


def _unit(form: Typed, id_: str, units: list[Unit]) -> Unit:
    old = next((unit for unit in units if unit.id == id_), None)
    kind = forms.text(form, "kind")
    typed: dict[str, Any] = {
        "name": forms.text(form, "name").strip(),
        "parent": forms.text(form, "parent"),
        "kind": UnitKind(kind) if kind in {one.value for one in _KINDS} else UnitKind.CITY,
        "initials": forms.text(form, "initials").strip().lower(),
        "numbers": tuple(filter(None, _SPACES.split(forms.text(form, "numbers")))),
        "is_closed": forms.text(form, "is_closed") != "",
    }
    return msgspec.structs.replace(old, **typed) if old is not None else Unit(id=id_, **typed)


def _matter(form: Typed, id_: str) -> Matter:
    profile = forms.text(form, "profile")
    if profile not in {one.value for one in ProfileName}:
        raise BadForm("请选择办理时限")
    return Matter(
        id=id_,
        name=forms.text(form, "name").strip(),
        category=forms.text(form, "category").strip(),
        unit=forms.text(form, "unit"),
        keywords=tuple(filter(None, _SPACES.split(forms.text(form, "keywords"))))[:20],
        assisting=tuple(str(one) for one in form.getall("assisting", []))[:10],
        profile=ProfileName(profile),
        is_local=forms.text(form, "is_local") != "",
    )


def _change(form: Typed, asker: Asker) -> Change:
    """Who changes it, why and from when on; BadForm for a day that is none."""
    from_us = forms.day_us(forms.text(form, "from"), 0)
    return Change(asker.person.number, clock.now().utc_us, forms.text(form, "why")[:200], from_us)


async def _write_down(session: AsyncSession, asker: Asker, subject: str, why: str) -> None:
    who = asker.person
    deed = Deed(person=who.number, role=who.role.value, what="register.change", whom=subject, why=why[:200])
    await audit.record(session, deed, clock.now().utc_us)


def _typed(form: Typed) -> dict[str, Any]:
    values: dict[str, Any] = {name: forms.text(form, name) for name in form}
    return values | {"assisting": [str(one) for one in form.getall("assisting", [])]}


def _address(edit: Edit) -> str:
    kind, _, id_ = edit.subject.partition(":")
    return f"/cases/{'units' if kind == 'unit' else 'matters'}/{id_}"


def _told(edit: Edit, *, is_last: bool) -> dict[str, object]:
    """A change as the page lists it: what differs, in words."""
    before, after = (msgspec.json.decode(kept) if kept else {} for kept in (edit.before, edit.after))
    if not edit.before:
        what = "新增"
    elif not edit.after:
        what = "停用"
    else:
        what = "；".join(
            f"{_WORDS[name]}：{_word(before.get(name))} → {_word(after.get(name))}"
            for name in _WORDS
            if before.get(name) != after.get(name)
        )
    return {
        "id": edit.id,
        "time": date_time(edit.at_us),
        "person": edit.person,
        "from": date_time(edit.from_us)[:16] if edit.from_us > edit.at_us else "",
        "what": what,
        "why": edit.why,
        "is_last": is_last,
    }


_WORDS = {
    "name": "名称", "parent": "上级", "kind": "类型", "initials": "首字母", "numbers": "号码",
    "is_closed": "停用", "category": "类别", "unit": "负责单位", "assisting": "协办", "profile": "时限",
    "is_local": "属地优先", "keywords": "关键词",
}  # fmt: skip


def _word(value: object) -> str:
    if isinstance(value, list):
        return "、".join(map(str, value)) or "无"
    if isinstance(value, bool):
        return "是" if value else "否"
    return str(value) if value else "无"
