"""Owns the API's operations on hand-overs (移交): what 110, 119, 120 and 122 are given with a citizen."""

from __future__ import annotations

import re
from datetime import date
from typing import Annotated

import msgspec
from msgspec import Meta

from agent_desk.api import shapes
from agent_desk.api.operation import Call, Operation, Reply, cursor_of, place_of
from agent_desk.problems import Problem, What
from casework.rights import Right
from casework.store import cases as store
from ctiserver import handovers
from ctiserver.handovers import CONVERSATION_FORM
from hotline import audit
from hotline.audit import Deed
from hotline.local_time import day_start_us
from hotline.numbers import describe

MOST = 200
_PLACE = re.compile(rf"([0-9]{{1,18}}) ({CONVERSATION_FORM}) ([0-9]{{1,4}})")


class HandOverQuery(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Which are listed."""

    since: date | None = None
    """On this day of Shanghai's or later."""
    limit: Annotated[int, Meta(ge=1, le=MOST)] = 50
    cursor: Annotated[str, Meta(max_length=200)] = ""
    """`next` of the page before."""


def operations() -> tuple[Operation, ...]:
    """All of them."""
    return (
        Operation(
            name="list_handovers", method="GET", path="/handovers", right=Right.EMERGENCY,
            handler=list_handovers, query=HandOverQuery, answer=shapes.HandOvers,
        ),
        Operation(
            name="read_handover", method="GET", path="/handovers/{conversation}/{n}", right=Right.EMERGENCY,
            handler=read_handover, answer=shapes.WholeHandOver, leaves_trace=True,
        ),
    )  # fmt: skip


async def list_handovers(call: Call) -> Reply:
    """List who was put through to an emergency service, newest first, a page at a time."""
    query: HandOverQuery = call.query
    since_us = day_start_us(query.since) if query.since else 0
    before = _place(query.cursor) if query.cursor else None
    found = await handovers.search(call.session, since_us, before, query.limit + 1)
    shown = found[: query.limit]
    more = _cursor(shown[-1]) if len(found) > query.limit else None
    return Reply(body=shapes.HandOvers([shapes.hand_over_of(one) for one in shown], more))


async def read_handover(call: Call) -> Reply:
    """Read all that is handed over with a citizen: number, words, recording; it leaves a trace."""
    conversation, n = call.request.match_info["conversation"], int(call.request.match_info["n"])
    found = await handovers.find(call.session, conversation, n)
    if found is None:
        raise Problem(What.NOT_FOUND)
    whom = f"{conversation} {n}"
    deed = Deed(person=call.system.name, role="system", what="handover.read", whom=whom)
    await audit.record(call.session, deed, call.now_us)
    known = describe(found.number, call.settings.area_code, call.settings.city)
    cases = await store.of_conversation(call.session, conversation)
    tracks = await handovers.recording_of(call.session, conversation)
    return Reply(body=shapes.whole_hand_over_of(found, known, cases, tracks))


def _cursor(one: handovers.HandOver) -> str:
    return cursor_of(one.at_us, one.conversation, one.n)


def _place(cursor: str) -> tuple[int, str, int]:
    at_us, conversation, n = place_of(cursor, _PLACE)
    return int(at_us), conversation, int(n)
