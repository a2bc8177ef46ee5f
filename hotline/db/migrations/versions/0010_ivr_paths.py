"""Which way callers took through the IVR, and why it failed them."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"


def upgrade() -> None:
    op.add_column("calls", sa.Column("ivr_path", sa.Text(), nullable=False, server_default=""))
    op.add_column("calls", sa.Column("ivr_failure", sa.String(16), nullable=False, server_default=""))
