"""Owns the entry of a hand-over (移交) in the history of the case that was taken in during the call.

Whichever comes first, the call to 110 or the case: the database holds both a moment later, and who looks
finds them together. A case knows its hand-overs, so that each is entered once, however often one looks.
"""

from __future__ import annotations

from sqlalchemy import select

from casework.case import Case
from casework.deadlines import Calendar
from casework.moves import HandOver
from casework.service import move_case
from casework.store import cases as store
from casework.supervision import SYSTEM
from ctiserver.store.tables import ThirdPartyAttemptRow
from hotline.db.engine import Database
from hotline.local_time import DAY_US

LOOK_BACK_US = DAY_US
"""How long after a call its case may still be taken in."""


async def enter(database: Database, now_us: int, calendar: Calendar) -> int:
    """Enter what is not entered yet; how much that was. Raises what a database raises."""
    row = ThirdPartyAttemptRow
    query = select(row.conversation, row.n, row.number).where(
        row.is_emergency, row.asked_us >= now_us - LOOK_BACK_US
    )
    async with database.read() as session:
        moves = [_move(call, n, number) for call, n, number in await session.execute(query)]
        found = [
            (case, move)
            for move in moves
            for case in await store.of_conversation(session, move.conversation)
            if move.key not in case.handed
        ]
    done = [await move_case(database, case.id, move, now_us, calendar) for case, move in found]
    return sum(isinstance(one, Case) for one in done)


def _move(conversation: str, n: int, service: str) -> HandOver:
    return HandOver(actor=SYSTEM, reason=f"已转接 {service}", service=service, conversation=conversation, n=n)
