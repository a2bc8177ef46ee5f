"""Owns what GeoReport v2 calls our things: a matter is a service, a case a service request. Pure.

The standard: wiki.open311.org/GeoReport_v2.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta

from casework.case import NAME_LIMIT, TEXT_LIMIT, TITLE_LIMIT, Case
from casework.catalogue import Matter
from casework.service import NewCase
from casework.words import PLATFORM, CaseState, Kind
from hotline.local_time import DAY_US, SECOND_US, rfc3339

SPAN_US = 90 * DAY_US
MOST = 1000
"""A list spans no more than 90 days and has no more than 1,000 requests: the standard's own bounds."""
OTHER = "other"
"""The service of what no matter of the catalogue names."""
_TITLE = 40
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_ATTRIBUTE = re.compile(r"attribute\[([^\]]{1,60})\](?:\[\])?")
_PLACE = re.compile(r"(-?[0-9]{1,3}(?:\.[0-9]{1,12})?),(-?[0-9]{1,3}(?:\.[0-9]{1,12})?)")
_URL = re.compile(r"https?://\S{1,1000}")
_KNOWN = frozenset({"kind", "is_secret"})


class BadRequest(ValueError):
    """What the standard answers 400 to; the text says what is wrong."""


def service(matter: Matter) -> dict[str, object]:
    """A matter (事项) as a service."""
    return {
        "service_code": matter.id,
        "service_name": matter.name,
        "description": f"{matter.category}：{matter.name}",
        "metadata": True,
        "type": "realtime",
        "keywords": ", ".join(matter.keywords),
        "group": matter.category,
    }


OTHER_SERVICE: dict[str, object] = {
    "service_code": OTHER,
    "service_name": "其他诉求",
    "description": "目录里没有的事项，由话务员转办",
    "metadata": True,
    "type": "realtime",
    "keywords": "",
    "group": "其他",
}


def definition(code: str) -> dict[str, object]:
    """What may be said about a request of this service, the same for all."""
    kinds = [{"key": kind.value, "name": kind.value} for kind in Kind]
    yes_no = [{"key": "true", "name": "是"}, {"key": "false", "name": "否"}]
    fields = (
        ("kind", "诉求类型", kinds),
        ("is_secret", "保密：向承办单位隐去姓名和号码", yes_no),
    )
    return {
        "service_code": code,
        "attributes": [
            {
                "variable": True,
                "code": name,
                "datatype": "singlevaluelist",
                "required": False,
                "datatype_description": None,
                "order": place,
                "description": note,
                "values": values,
            }
            for place, (name, note, values) in enumerate(fields, 1)
        ],
    }


def new_case(form: Sequence[tuple[str, str]], matter: Matter | None, citizen: str, actor: str) -> NewCase:
    """The case that a posted form asks for; BadRequest when something is wrong. Empty means absent."""
    given = {name: value.replace("\0", "").strip() for name, value in form}
    said = [(found[1], value) for name, value in form if (found := _ATTRIBUTE.fullmatch(name)) and value]
    told = dict(said)
    is_secret = told.get("is_secret", "") in ("true", "1")
    description = given.get("description", "")
    name = matter.name if matter is not None else ""
    text = "\n".join([description, *_more(given, said, is_secret)]).strip()
    if len(text) > TEXT_LIMIT:
        raise BadRequest("description 过长")
    try:
        kind = Kind(told.get("kind") or Kind.HELP)
    except ValueError:
        raise BadRequest("attribute[kind] 不在可选值中") from None
    return NewCase(
        citizen=citizen,
        title=(description.partition("\n")[0][:_TITLE] or name or "其他诉求")[:TITLE_LIMIT],
        text=text,
        unit="",
        actor=actor,
        kind=kind,
        topic=name,
        place=_place(given),
        is_secret=is_secret,
    )


def request(case: Case, codes: Mapping[str, str], updated_us: int) -> dict[str, object]:
    """A case as a service request; nothing of who asked. `codes`: a matter's name -> its service."""
    code = codes.get(case.topic, OTHER)
    spot = _PLACE.fullmatch(case.place)
    is_sent = len(case.chain) > 1
    return {
        "service_request_id": case.number,
        "status": "open" if case.is_open else "closed",
        "status_notes": case.ending.value or case.state.label,
        "service_name": case.topic if code != OTHER else OTHER_SERVICE["service_name"],
        "service_code": code,
        "description": case.text or case.title,
        "agency_responsible": case.unit if is_sent else PLATFORM,
        "service_notice": None,
        "requested_datetime": _second(case.created_us),
        "updated_datetime": _second(updated_us),
        "expected_datetime": _second(case.due_us) if case.due_us else None,
        "address": None if spot else case.place,
        "address_id": None,
        "zipcode": None,
        "lat": float(spot[1]) if spot else None,
        "long": float(spot[2]) if spot else None,
        "media_url": None,
    }


def window(start: str, end: str, now_us: int) -> tuple[int, int]:
    """From when until when is asked, UTC microseconds, the end excluded; BadRequest beyond 90 days."""
    since = instant(start) if start else None
    until = instant(end) + SECOND_US if end else None
    if since is None:
        until = until if until is not None else now_us + SECOND_US
        since = until - SPAN_US
    if until is None:
        until = since + SPAN_US
    if until - since > SPAN_US + SECOND_US:
        raise BadRequest("start_date 与 end_date 相隔不能超过 90 天")
    return since, until


def instant(text: str) -> int:
    """A W3C date and time with its time zone; BadRequest for anything else."""
    try:
        at = datetime.fromisoformat(text.replace(" ", "+"))
        if at.tzinfo is None:
            raise ValueError
        return (at - _EPOCH) // timedelta(microseconds=1)
    except (ValueError, OverflowError):
        raise BadRequest("日期须写成 2026-11-24T09:05:03+08:00，带时区") from None


def states(words: str) -> tuple[CaseState, ...]:
    """The states behind "open", "closed" or both, comma separated; all of them for ""."""
    wanted = {word.strip() for word in words.split(",") if word.strip()} or {"open", "closed"}
    if unknown := wanted - {"open", "closed"}:
        raise BadRequest(f"status 只能是 open 或 closed，不能是 {unknown.pop()}")
    closed = {CaseState.CLOSED, CaseState.ARCHIVED}
    return tuple(one for one in CaseState if ("closed" if one in closed else "open") in wanted)


def comma(words: str) -> tuple[str, ...]:
    """The parts of a comma separated list."""
    return tuple(word.strip() for word in words.split(",") if word.strip())


def _more(given: Mapping[str, str], said: Iterable[tuple[str, str]], is_secret: bool) -> Iterable[str]:
    """What has no field of its own stands below the words; a name is not written where it must be secret."""
    name = f"{given.get('last_name', '')} {given.get('first_name', '')}".strip()
    contact = "，".join(filter(None, (name, given.get("email", ""))))
    if contact and is_secret:
        raise BadRequest("保密诉求请不要填写姓名和邮箱，只留 phone")
    if contact:
        yield f"联系人：{contact}"
    spot = _spot(given)
    if spot and given.get("address_string"):
        yield f"坐标：{spot}"
    if address := given.get("address_id", ""):
        yield f"地址编号：{address}"
    if url := given.get("media_url", ""):
        if not _URL.fullmatch(url):
            raise BadRequest("media_url 须是一个网址")
        yield f"附图：{url}"
    yield from (f"{code}：{value}" for code, value in said if code not in _KNOWN)


def _place(given: Mapping[str, str]) -> str:
    spot, address = _spot(given), given.get("address_string", "")
    if address:
        if len(address) > NAME_LIMIT:
            raise BadRequest(f"address_string 不能超过 {NAME_LIMIT} 个字")
        return address
    if spot or given.get("address_id"):
        return spot
    raise BadRequest("须有地点：lat 和 long，或 address_string，或 address_id")


def _spot(given: Mapping[str, str]) -> str:
    """Latitude and longitude as one word, "" without them."""
    spot = f"{given.get('lat', '')},{given.get('long', '')}"
    if spot == ",":
        return ""
    if not _PLACE.fullmatch(spot):
        raise BadRequest("lat 和 long 须成对，用小数表示")
    return spot


def _second(us: int) -> str:
    return f"{rfc3339(us)[:19]}Z"
