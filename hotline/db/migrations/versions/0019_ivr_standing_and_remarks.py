"""Since when and by whom the hotline stands as it does; announcements to a district, and recorded ones;
remarks after the rating.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0019"
down_revision = "0018"


def upgrade() -> None:
    for table in ("ivr_switches", "ivr_announcements", "ivr_restricted"):
        op.add_column(table, sa.Column("at_us", sa.BigInteger(), nullable=False, server_default=sa.text("0")))
        op.add_column(table, sa.Column("person", sa.String(16), nullable=False, server_default=""))
    op.add_column(
        "ivr_announcements", sa.Column("district", sa.String(60), nullable=False, server_default="")
    )
    op.add_column(
        "ivr_announcements", sa.Column("recording", sa.String(64), nullable=False, server_default="")
    )
    op.add_column("calls", sa.Column("has_remark", sa.Boolean(), nullable=False, server_default=sa.false()))
