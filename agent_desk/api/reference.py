"""Owns the API's operations on what cases refer to: units, the catalogue, knowledge, scores, figures."""

from __future__ import annotations

from typing import Annotated

import msgspec
from msgspec import Meta

from agent_desk.api import shapes
from agent_desk.api.operation import Call, Operation, Reply
from agent_desk.cases.scores import PATIENCE_S, may_see, month_of, month_scores
from agent_desk.problems import Problem, What
from casework.knowledge import is_valid
from casework.organisation import Tree
from casework.rights import Right
from casework.store import knowledge, lists
from casework.store.matters import all_matters
from hotline.directory import all_units


class KnowledgeQuery(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What is asked."""

    q: Annotated[str, Meta(min_length=1, max_length=knowledge.MISS_LIMIT)]
    """The question, in words as people say them."""
    limit: Annotated[int, Meta(ge=1, le=20)] = 5


class MonthQuery(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Which month of Shanghai's calendar."""

    month: Annotated[str, Meta(pattern="^20[0-9]{2}-(0[1-9]|1[0-2])$")] | None = None
    """2026-11; the running one without."""


def operations() -> tuple[Operation, ...]:
    """All of them."""
    return (
        Operation(
            name="list_units", method="GET", path="/units", right=Right.DIRECTORY, handler=list_units,
            answer=shapes.Units,
        ),
        Operation(
            name="read_unit", method="GET", path="/units/{unit}", right=Right.DIRECTORY,
            handler=read_unit, answer=shapes.Unit,
        ),
        Operation(
            name="list_matters", method="GET", path="/matters", right=Right.DIRECTORY,
            handler=list_matters, answer=shapes.Matters,
        ),
        Operation(
            name="search_knowledge", method="GET", path="/knowledge", right=Right.KNOWLEDGE,
            handler=search_knowledge, query=KnowledgeQuery, answer=shapes.KnowledgeList,
        ),
        Operation(
            name="read_knowledge", method="GET", path="/knowledge/{id}", right=Right.KNOWLEDGE,
            handler=read_knowledge, answer=shapes.Knowledge,
        ),
        Operation(
            name="read_scores", method="GET", path="/scores", right=Right.FIGURES, handler=read_scores,
            query=MonthQuery, answer=shapes.Scores, within_s=PATIENCE_S,
        ),
        Operation(
            name="read_loads", method="GET", path="/figures/loads", right=Right.FIGURES, handler=read_loads,
            answer=shapes.Loads,
        ),
    )  # fmt: skip


async def list_units(call: Call) -> Reply:
    """List the units of the directory (承办单位), all four tiers."""
    return Reply(body=shapes.Units([shapes.unit_of(unit) for unit in await all_units(call.session)]))


async def read_unit(call: Call) -> Reply:
    """Read one unit."""
    wanted = call.request.match_info["unit"]
    found = next((unit for unit in await all_units(call.session) if unit.id == wanted), None)
    if found is None:
        raise Problem(What.NOT_FOUND)
    return Reply(body=shapes.unit_of(found))


async def list_matters(call: Call) -> Reply:
    """List the responsibility catalogue (派单目录)."""
    found = await all_matters(call.session, call.now_us)
    return Reply(body=shapes.Matters([shapes.matter_of(one) for one in found]))


async def search_knowledge(call: Call) -> Reply:
    """Search the knowledge base: what answers the question and is valid now."""
    query: KnowledgeQuery = call.query
    found = await knowledge.found(call.session, query.q, call.now_us, query.limit)
    return Reply(body=shapes.KnowledgeList([shapes.knowledge_of(one) for one in found]))


async def read_knowledge(call: Call) -> Reply:
    """Read one entry that is valid now."""
    entry = await knowledge.load(call.session, call.id)
    if entry is None or entry.live is None or not is_valid(entry.live, call.now_us):
        raise Problem(What.NOT_FOUND)
    return Reply(body=shapes.knowledge_of(entry.live))


async def read_scores(call: Call) -> Reply:
    """Read a month's scores (考核得分), computed from the histories when asked."""
    month = month_of(call.query.month or "", call.now_us)
    tree = Tree(await all_units(call.session))
    counted = await month_scores(call.session, month, call.system.posts, tree)
    return Reply(body=shapes.Scores(f"{month:%Y-%m}", [shapes.score_of(one) for one in counted]))


async def read_loads(call: Call) -> Reply:
    """Read what lies at each unit now: open and overdue."""
    found = await lists.loads(call.session, call.now_us)
    mine = [shapes.load_of(one) for one in found if may_see(call.system.posts, one.unit)]
    return Reply(body=shapes.Loads(mine))
