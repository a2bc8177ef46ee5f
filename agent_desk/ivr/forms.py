"""Owns how a filled-in form becomes an announcement or a restriction: what is wrong is told by its field."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import datetime

import msgspec

from hotline.ivr_settings import LONGEST_TEXT, is_spoken
from hotline.local_time import DAY_US, SECOND_US, instant_us
from hotline.numbers import key_of
from hotline.settings import Settings
from hotline.standing import LONGEST_DAYS, LONGEST_H, Announcement

ANNOUNCEMENT = ("text", "queue", "district", "from", "until", "recording")
RESTRICTION = ("number", "days", "why")
LONGEST_WHY = 200


class BadFields(ValueError):
    """What was filled in cannot be done; `faults` has a sentence for each field."""

    def __init__(self, faults: dict[str, str]) -> None:
        super().__init__(", ".join(faults))
        self.faults = faults


class Restriction(msgspec.Struct, frozen=True, kw_only=True):
    """Whom to serve after all others, until when (UTC microseconds) and why."""

    citizen: str
    until_us: int
    why: str


def announcement(
    typed: Mapping[str, str], settings: Settings, districts: Collection[str], id_: str, now_us: int
) -> Announcement:
    """The announcement that was filled in; BadFields when it cannot be. No beginning means now."""
    faults: dict[str, str] = {}
    text, queue, district = typed["text"].strip(), typed["queue"], typed["district"]
    if not is_spoken(text):
        faults["text"] = f"请填写 1 至 {LONGEST_TEXT} 个字的公告内容，不能分段，不能只有标点"
    if queue and queue not in (each.number for each in settings.queues):
        faults["queue"] = "没有这个队列，请从列表中选择"
    if district and district not in districts:
        faults["district"] = "没有这个区县，请从列表中选择"
    from_us, until_us = _wall("from", typed, faults) or now_us, _wall("until", typed, faults)
    if not until_us:
        faults.setdefault("until", "请填写结束时间")
    elif until_us <= max(from_us, now_us):
        faults["until"] = "结束时间须在开始时间和现在之后"
    elif until_us - from_us > LONGEST_H * 3600 * SECOND_US:
        faults["until"] = f"一条公告最多播放 {LONGEST_H // 24} 天"
    if faults:
        raise BadFields(faults)
    return Announcement(
        id=id_, text=text, queue=queue, district=district, from_us=from_us, until_us=until_us,
        recording=typed["recording"],
    )  # fmt: skip


def restriction(typed: Mapping[str, str], settings: Settings, now_us: int) -> Restriction:
    """The restriction that was filled in; BadFields when it cannot be."""
    faults: dict[str, str] = {}
    citizen, why = key_of(typed["number"], settings.area_code), typed["why"].strip()
    if not citizen:
        faults["number"] = "这不是电话号码"
    elif citizen in settings.emergency_numbers:
        faults["number"] = "不能限制紧急号码"
    days = int(typed["days"]) if typed["days"].isascii() and typed["days"].isdigit() else 0
    if not 1 <= days <= LONGEST_DAYS:
        faults["days"] = f"请填写 1 至 {LONGEST_DAYS} 天"
    if not 1 <= len(why) <= LONGEST_WHY:
        faults["why"] = f"请填写原因，最多 {LONGEST_WHY} 个字；记入审计"
    if faults:
        raise BadFields(faults)
    return Restriction(citizen=citizen, until_us=now_us + days * DAY_US, why=why)


def _wall(name: str, typed: Mapping[str, str], faults: dict[str, str]) -> int:
    """The instant that a field says by Shanghai's clock; 0 when it is empty or wrong."""
    if not typed[name]:
        return 0
    try:
        wall = datetime.fromisoformat(typed[name])
        if wall.tzinfo is None and 2000 <= wall.year < 2100:
            return instant_us(wall)
    except ValueError:
        pass
    faults[name] = "时间格式不对，如 2026-11-26 08:00"
    return 0
