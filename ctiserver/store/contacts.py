"""Owns a caller's past in the database: last contacts and open cases, for the screen pop."""

from __future__ import annotations

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from casework.case import Case
from casework.service import cases_of
from ctiserver.api.states import CaseBrief, Contact
from ctiserver.store.port import Past, PastUnknown
from ctiserver.store.tables import CallRow
from hotline.db.engine import FAILURES, Database, reason

LIMIT = 5
"""What fits on the agent's screen beside the call."""


async def recent(database: Database, key: str, limit: int = LIMIT) -> Past:
    """The number's last contacts and open cases, newest first. PastUnknown when the database fails.

    The caller sets the deadline (`asyncio.timeout`): a database that is merely slow is waited for here.
    """
    if not key:
        return (), ()
    try:
        async with database.read() as session:
            contacts = await _contacts(session, key, limit)
            cases = await cases_of(session, key, limit, is_open=True)
    except FAILURES as error:
        raise PastUnknown(reason(error)) from error
    return contacts, tuple(brief(case) for case in cases)


async def _contacts(session: AsyncSession, key: str, limit: int) -> tuple[Contact, ...]:
    query = select(CallRow).where(CallRow.citizen == key).order_by(CallRow.started_us.desc()).limit(limit)
    return tuple(contact_of(row) for row in await session.scalars(query))


def contact_of(row: CallRow) -> Contact:
    """A call in one line."""
    return Contact(
        conversation=row.conversation,
        at_us=row.started_us,
        outcome=row.outcome,
        agent=row.agent,
        talk_ms=row.talk_ms,
    )


def brief(case: Case) -> CaseBrief:
    """A case in one line."""
    return CaseBrief(
        id=case.id,
        number=case.number,
        title=case.title,
        state="open" if case.is_open else "closed",
        unit=case.unit,
        opened_us=case.created_us,
    )
