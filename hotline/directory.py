"""Owns the directory (通讯录): whom an agent can bring into a call, and at which numbers."""

from __future__ import annotations

import re
from enum import StrEnum

import msgspec
from sqlalchemy import JSON, Boolean, Integer, String, Text, func, select, text
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Mapped, mapped_column

from hotline.db.base import Base
from hotline.errors import HotlineError
from hotline.office_hours import ALWAYS, BadHours, read

_ID = re.compile(r"[a-z][a-z0-9-]{0,30}")
_NUMBER = re.compile(r"\+?[0-9]{3,16}")


class UnitKind(StrEnum):
    """What a unit is, in the order of the four tiers, with the emergency services first."""

    EMERGENCY = "emergency"
    """110, 119, 120, 122"""
    CITY = "city"
    """市直部门"""
    COUNTY = "county"
    """县市区、功能区"""
    TOWN = "town"
    """乡镇街道"""
    VILLAGE = "village"
    """村居社区"""
    SERVICE = "service"
    """水电气暖等公共服务企业"""


class Unit(msgspec.Struct, frozen=True, kw_only=True):
    """A department or unit (承办单位). `numbers` in the order in which they are tried."""

    id: str
    name: str
    initials: str
    """Pinyin initials of the name, lower case: sczj for 市财政局."""
    kind: UnitKind
    numbers: tuple[str, ...]
    office_hours: str = ""
    """办公时间 in the form of `hotline.office_hours`; "" when nobody has said."""
    office_remark: str = ""
    """What the form cannot say: 采暖季全天."""
    parent: str = ""
    """The id of the unit one tier above; "" right below the platform."""
    former: tuple[str, ...] = ()
    """Names that it had (曾用名): cases keep the name under which they came."""
    is_closed: bool = False
    """停用: nothing new is sent to it; what it has, it works on."""


class UnitRow(Base):
    """A unit in the database; `position` is its place on pages."""

    __tablename__ = "units"

    id: Mapped[str] = mapped_column(String(31), primary_key=True)
    name: Mapped[str] = mapped_column(String(60), unique=True)
    initials: Mapped[str] = mapped_column(String(60), index=True)
    kind: Mapped[str] = mapped_column(String(16))
    numbers: Mapped[list[str]] = mapped_column(JSON)
    office_hours: Mapped[str] = mapped_column(String(120))
    office_remark: Mapped[str] = mapped_column(String(120))
    parent: Mapped[str] = mapped_column(String(31), server_default=text("''"))
    former: Mapped[str] = mapped_column(Text, server_default=text("''"))
    """Former names, one a line."""
    is_closed: Mapped[bool] = mapped_column(Boolean, server_default=text("false"))
    position: Mapped[int] = mapped_column(Integer)


class BadUnit(HotlineError):
    """A unit's id, name, number or office hours that cannot be accepted."""


async def save_units(session: AsyncSession, units: tuple[Unit, ...]) -> None:
    """Put units into the directory in this order, replacing those of the same id; BadUnit if one is wrong."""
    for position, unit in enumerate(units):
        await save_unit(session, unit, position)


async def save_unit(session: AsyncSession, unit: Unit, position: int | None = None) -> None:
    """Put a unit into the directory, or change it, where it stands unless `position` is given; BadUnit if it
    is wrong. A name that it had before becomes a former one.
    """
    _check(unit)
    row = await session.get(UnitRow, unit.id)
    former = dict.fromkeys(unit.former)
    if row is None:
        row = UnitRow(id=unit.id, position=await session.scalar(select(func.count(UnitRow.id))) or 0)
        session.add(row)
    else:
        former |= dict.fromkeys((*row.former.splitlines(), row.name))
    row.name, row.initials, row.kind, row.parent = unit.name, unit.initials, unit.kind.value, unit.parent
    row.numbers, row.office_hours, row.office_remark = (
        list(unit.numbers),
        unit.office_hours,
        unit.office_remark,
    )
    row.former, row.is_closed = "\n".join(name for name in former if name != unit.name), unit.is_closed
    if position is not None:
        row.position = position
    await session.flush()


async def name_of(session: AsyncSession, id_: str) -> str | None:
    """What the unit of that id is called; None for no unit."""
    name: str | None = await session.scalar(select(UnitRow.name).where(UnitRow.id == id_))
    return name


async def all_units(session: AsyncSession) -> list[Unit]:
    """The whole directory, in its order."""
    rows = await session.scalars(select(UnitRow).order_by(UnitRow.position, UnitRow.id))
    return [_unit(row) for row in rows]


def find_units(units: list[Unit], words: str, limit: int = 20) -> list[Unit]:
    """Units whose name contains the words, whose initials begin with them, or whose number does. Pure."""
    wanted = "".join(words.split()).lower()
    if not wanted:
        return units[:limit]
    begins = [unit for unit in units if unit.initials.startswith(wanted) or unit.name.startswith(wanted)]
    holds = [unit for unit in units if unit not in begins and _holds(unit, wanted)]
    return (begins + holds)[:limit]


def _holds(unit: Unit, wanted: str) -> bool:
    return wanted in unit.name or wanted in unit.initials or any(n.startswith(wanted) for n in unit.numbers)


def numbers_of(units: list[Unit]) -> frozenset[str]:
    """Every number in the directory: with the emergency numbers all that a seat may have called."""
    return frozenset(number for unit in units for number in unit.numbers)


def _check(unit: Unit) -> None:
    if not _ID.fullmatch(unit.id):
        raise BadUnit(f"unit {unit.id!r}: an id is lower-case letters, digits and hyphens, at most 31")
    if not 1 <= len(unit.name) <= 60 or not unit.name.isprintable():
        raise BadUnit(f"unit {unit.id}: a name has 1 to 60 printable characters")
    if not unit.initials.isascii() or len(unit.initials) > 60:
        raise BadUnit(f"unit {unit.id}: initials are ASCII letters")
    for number in unit.numbers:
        if not _NUMBER.fullmatch(number):
            raise BadUnit(f"unit {unit.id}: {number!r} is not a number of 3 to 16 digits")
    if unit.parent == unit.id or (unit.parent and not _ID.fullmatch(unit.parent)):
        raise BadUnit(f"unit {unit.id}: {unit.parent!r} cannot be the id of the unit above it")
    _check_hours(unit)


def _check_hours(unit: Unit) -> None:
    if len(unit.office_remark) > 120 or not (unit.office_remark == "" or unit.office_remark.isprintable()):
        raise BadUnit(f"unit {unit.id}: a remark has at most 120 printable characters")
    if unit.office_hours:
        try:
            read(unit.office_hours)
        except BadHours as error:
            raise BadUnit(f"unit {unit.id}: {error}") from error


def _unit(row: UnitRow) -> Unit:
    return Unit(
        id=row.id,
        name=row.name,
        initials=row.initials,
        kind=UnitKind(row.kind),
        numbers=tuple(row.numbers),
        office_hours=row.office_hours,
        office_remark=row.office_remark,
        parent=row.parent,
        former=tuple(row.former.splitlines()),
        is_closed=row.is_closed,
    )


_DAY = "workdays 09:00-12:00,13:30-17:00"
# fmt: off
_DEMO = (
    ("police", "公安报警", "gabj", UnitKind.EMERGENCY, ("110",), ALWAYS),
    ("fire", "消防救援", "xfjy", UnitKind.EMERGENCY, ("119",), ALWAYS),
    ("ambulance", "医疗急救", "yljj", UnitKind.EMERGENCY, ("120",), ALWAYS),
    ("traffic-police", "交通事故报警", "jtsgbj", UnitKind.EMERGENCY, ("122",), ALWAYS),
    ("city-office", "市政府民生服务管理办公室", "szfmsfwglbgs", UnitKind.CITY, ("053800010001",), _DAY),
    ("social-security", "市人力资源和社会保障局", "srlzyhshbzj", UnitKind.CITY,
     ("053800010002", "053800010102"), _DAY),
    ("medical-insurance", "市医疗保障局", "sylbzj", UnitKind.CITY, ("053800010003",), _DAY),
    ("housing", "市住房和城乡建设局", "szfhcxjsj", UnitKind.CITY, ("053800010004", "053800010104"), _DAY),
    ("urban-management", "市城市管理局", "scsglj", UnitKind.CITY, ("053800010005", "053800010105"), ALWAYS),
    ("transport", "市交通运输局", "sjtysj", UnitKind.CITY, ("053800010006",), _DAY),
    ("education", "市教育局", "sjyj", UnitKind.CITY, ("053800010007",), _DAY),
    ("health", "市卫生健康委员会", "swsjkwyh", UnitKind.CITY, ("053800010008",), _DAY),
    ("environment", "市生态环境局", "ssthjj", UnitKind.CITY, ("053800010009", "053800010109"), ALWAYS),
    ("market", "市市场监督管理局", "sscjdglj", UnitKind.CITY, ("053800010010",), _DAY),
    ("civil-affairs", "市民政局", "smzj", UnitKind.CITY, ("053800010011",), _DAY),
    ("public-security", "市公安局", "sgaj", UnitKind.CITY, ("053800010012",), ALWAYS),
    ("planning", "市自然资源和规划局", "szrzyhghj", UnitKind.CITY, ("053800010013",), _DAY),
    ("water", "市水利局", "sslj", UnitKind.CITY, ("053800010014",), _DAY),
    ("tax", "市税务局", "sswj", UnitKind.CITY, ("053800010015",), _DAY),
    ("tourism", "市文化和旅游局", "swhhlyj", UnitKind.CITY, ("053800010016",), _DAY),
    ("taishan-district", "泰山区政府", "tsqzf", UnitKind.COUNTY, ("053800020001",), _DAY),
    ("daiyue-district", "岱岳区政府", "dyqzf", UnitKind.COUNTY, ("053800020002",), _DAY),
    ("xintai", "新泰市政府", "xtszf", UnitKind.COUNTY, ("053800020003",), _DAY),
    ("feicheng", "肥城市政府", "fcszf", UnitKind.COUNTY, ("053800020004",), _DAY),
    ("ningyang", "宁阳县政府", "nyxzf", UnitKind.COUNTY, ("053800020005",), _DAY),
    ("dongping", "东平县政府", "dpxzf", UnitKind.COUNTY, ("053800020006",), _DAY),
    ("high-tech-zone", "高新区管委会", "gxqgwh", UnitKind.COUNTY, ("053800020007",), _DAY),
    ("taishan-scenic", "泰山景区管委会", "tsjqgwh", UnitKind.COUNTY, ("053800020008",), ALWAYS),
    ("water-supply", "自来水公司", "zlsgs", UnitKind.SERVICE, ("053800030001", "053800030101"), ALWAYS),
    ("heating", "热力公司", "rlgs", UnitKind.SERVICE, ("053800030002",), "workdays 08:30-17:30"),
    ("gas", "燃气公司", "rqgs", UnitKind.SERVICE, ("053800030003",), ALWAYS),
    ("bus", "公交公司", "gjgs", UnitKind.SERVICE, ("053800030004",), "mon-sun 05:30-22:00"),
)
# fmt: on
_REMARKS = {"heating": "采暖季全天"}


def demo_directory() -> tuple[Unit, ...]:
    """Units like Tai'an's. No real line has a 0 after the area code: nobody is rung by accident."""
    return tuple(
        Unit(
            id=id_,
            name=name,
            initials=initials,
            kind=kind,
            numbers=numbers,
            office_hours=hours,
            office_remark=_REMARKS.get(id_, ""),
        )
        for id_, name, initials, kind, numbers, hours in _DEMO
    )
