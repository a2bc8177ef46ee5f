"""Owns what callers did in the IVR of late (自动语音统计): the door to its figures."""

from __future__ import annotations

from sqlalchemy import or_, select
from sqlalchemy.ext.asyncio import AsyncSession

from ctiserver.api import way
from ctiserver.store.tables import CallRow


async def figures(session: AsyncSession, since_us: int) -> way.Figures:
    """The ways of all calls that began since then (UTC microseconds), counted."""
    query = select(CallRow.ivr_path, CallRow.ivr_failure).where(
        CallRow.started_us >= since_us, or_(CallRow.ivr_path != "", CallRow.ivr_failure != "")
    )
    return way.count([(path, why) for path, why in await session.execute(query)])
