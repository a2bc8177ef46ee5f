"""Owns what all tables share: the metadata, the naming of constraints, and the column types of our own."""

from __future__ import annotations

from typing import Annotated

from sqlalchemy import BigInteger, Integer, MetaData, String
from sqlalchemy.orm import DeclarativeBase, mapped_column

NAMING = {
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
    "fk": "fk_%(table_name)s_%(column_0_N_name)s",
    "pk": "pk_%(table_name)s",
}
"""Every constraint has a name on every database, so that a migration can find it."""


class Base(DeclarativeBase):
    """The root of every room's tables."""

    metadata = MetaData(naming_convention=NAMING)


Utc = Annotated[int, mapped_column(BigInteger)]
"""An instant: microseconds since 1970 in UTC."""

Key = Annotated[str, mapped_column(String(80), primary_key=True)]
"""An identifier of ours or of the switch, as a primary key."""

RowId = Annotated[
    int, mapped_column(BigInteger().with_variant(Integer, "sqlite"), primary_key=True, autoincrement=True)
]
"""A row's number within one database; never leaves it."""
