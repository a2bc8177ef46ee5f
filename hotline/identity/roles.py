"""Owns the roles that a person can have. Pure."""

from __future__ import annotations

from enum import StrEnum


class Role(StrEnum):
    """What a person may do; `label` is its Chinese name."""

    AGENT = "agent"
    SUPERVISOR = "supervisor"
    ADMIN = "admin"
    WALL = "wall"
    OFFICE = "office"
    """Works on cases alone; sees nothing of the floor."""

    @property
    def label(self) -> str:
        """The role's name on pages."""
        return _LABELS[self]


_LABELS = {
    Role.AGENT: "话务员",
    Role.SUPERVISOR: "班长",
    Role.ADMIN: "管理员",
    Role.WALL: "大屏",
    Role.OFFICE: "办件员",
}
