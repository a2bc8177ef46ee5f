"""Owns the API's operations that move a case: one for each move of people, its body the move's fields."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Annotated, Any

import msgspec
from msgspec import Meta

from agent_desk.api import shapes
from agent_desk.api.cases import UnitId, answered, check_match, refused, seen
from agent_desk.api.operation import Call, Id, Operation, Reply
from agent_desk.cases import forms
from agent_desk.problems import Problem, What
from casework.allowed import post_for
from casework.calendar import china
from casework.case import TEXT_LIMIT, Case
from casework.moves import BY_TAG, LABELS, Move, tag_of
from casework.organisation import Tree
from casework.rights import Right, may_see
from casework.service import move_in
from casework.store import cases as store
from casework.words import Refusal
from hotline.contracts import one_line
from hotline.directory import all_units

_Words = Annotated[str, Meta(min_length=1, max_length=TEXT_LIMIT)]
_FIELDS: dict[str, Any] = {
    "reason": Annotated[_Words, Meta(description="原因或办理内容，不能为空")],
    "unit": UnitId,
    "assisting": tuple[UnitId, ...],
    "master": Annotated[Id, Meta(description="主工单的 id")],
    "days": Annotated[int, Meta(ge=1, le=99, description=forms.FIELDS["days"])],
    "way": Annotated[_Words, Meta(description=forms.FIELDS["way"])],
    "suggestion": Annotated[_Words, Meta(description=forms.FIELDS["suggestion"])],
    "conversation": Annotated[str, Meta(max_length=80, description="市民催办的那次通话")],
}
"""Fields that the API takes in another form, or within closer bounds, than the move has them."""


def operations() -> tuple[Operation, ...]:
    """All of them."""
    return tuple(_operation(kind) for kind in BY_TAG.values() if forms.is_offered(kind))


def body_of(kind: type[Move]) -> type[msgspec.Struct]:
    """What the move's operation takes: its fields, but for who moves, which the token says."""
    given = [field for field in msgspec.structs.fields(kind) if field.name != "actor"]
    fields: list[Any] = [
        (field.name, shape) if field.required else (field.name, shape, field.default)
        for field in given
        for shape in [_FIELDS.get(field.name, field.type)]
    ]
    return msgspec.defstruct(
        f"{kind.__name__}Command",
        fields,
        namespace={"__doc__": kind.__doc__},
        module=__name__,
        frozen=True,
        kw_only=True,
        forbid_unknown_fields=True,
    )


def _operation(kind: type[Move]) -> Operation:
    tag = tag_of(kind)
    return Operation(
        name=tag,
        method="POST",
        path=f"/cases/{{id}}/{tag}",
        right=Right.WRITE,
        handler=_handler(kind),
        body=body_of(kind),
        answer=shapes.WholeCase,
        summary=f"{LABELS[kind]}: {one_line(kind.__doc__ or '')}",
        matches=True,
    )


def _handler(kind: type[Move]) -> Callable[[Call], Awaitable[Reply]]:
    async def handle(call: Call) -> Reply:
        case = await seen(call, lock=True)
        await check_match(call, case)
        move = await _move(kind, call, case)
        after = await move_in(call.session, case.id, move, call.now_us, china())
        if isinstance(after, Refusal):
            raise refused(after)
        return await answered(call, after or case)

    return handle


async def _move(kind: type[Move], call: Call, case: Case) -> Move:
    """The move as the domain knows it: units by name, and only those to which it can lead."""
    values = msgspec.structs.asdict(call.body)
    if "unit" in values or "assisting" in values:
        tree = Tree(await all_units(call.session))
        names = {unit.id: unit.name for unit in forms.targets(kind, case, tree)}
        values |= {name: _named(names, values[name]) for name in ("unit", "assisting") if name in values}
    if "master" in values:
        master = await store.load(call.session, values["master"])
        if master is None or not may_see(master, call.system.posts):
            raise refused(Refusal.NO_MASTER)
    actor = post_for(case, kind, call.system.posts)
    return kind(actor=actor, **values)


def _named(names: dict[str, str], given: str | tuple[str, ...]) -> str | tuple[str, ...]:
    wanted = (given,) if isinstance(given, str) else given
    if unknown := [id_ for id_ in wanted if id_ not in names]:
        raise Problem(What.REFUSED, f"不能转给 {unknown[0]}：只能转给直接下级的承办单位", code="not_below")
    found = tuple(names[id_] for id_ in wanted)
    return found[0] if isinstance(given, str) else found
