"""Office hours of units in a form that can be checked; what was written so far becomes their remark."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"


def upgrade() -> None:
    op.add_column("units", sa.Column("office_remark", sa.String(120), nullable=False, server_default=""))
    op.execute("UPDATE units SET office_remark = office_hours, office_hours = ''")
    with op.batch_alter_table("units") as units:
        units.alter_column("office_remark", server_default=None)
