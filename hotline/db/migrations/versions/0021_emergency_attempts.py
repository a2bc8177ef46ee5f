"""Calls to emergency services are found by their time."""

from __future__ import annotations

from alembic import op

revision = "0021"
down_revision = "0020"


def upgrade() -> None:
    op.create_index(
        "ix_third_party_attempts_is_emergency_asked_us", "third_party_attempts", ["is_emergency", "asked_us"]
    )
