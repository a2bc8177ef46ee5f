"""Calls to emergency services are found by their time."""

from __future__ import annotations

from alembic import op

revision = "0023"
down_revision = "0022"


def upgrade() -> None:
    op.create_index(
        "ix_third_party_attempts_is_emergency_asked_us", "third_party_attempts", ["is_emergency", "asked_us"]
    )
