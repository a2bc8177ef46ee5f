"""GeoReport v2: the standard's own examples, sent and answered; what it may not say about citizens."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

from agent_desk.open311 import mapping, wire
from casework.rights import Right
from casework.store.posts import Post
from casework.words import CaseState, Part
from hotline.db.engine import Database
from hotline.local_time import DAY_US
from tests.unit.api_room import CITIZEN, Room, opened

SINKHOLE = {
    "jurisdiction_id": "city.gov",
    "lat": "37.76524078",
    "long": "-122.4212043",
    "address_string": "1234 5th street",
    "email": "smit333@sfgov.edu",
    "device_id": "tt222111",
    "account_id": "123456",
    "first_name": "john",
    "last_name": "smith",
    "phone": "111111111",
    "description": "A large sinkhole is destroying the street",
    "media_url": "http://farm3.static.flickr.com/2002/2212426634_5ed477a060.jpg",
    "attribute[WHISPAWN]": "123456",
    "attribute[WHISDORN]": "COISL001",
}
"""The example of the standard's "POST Service Request", without its key and its service."""
HERE = {"service_code": "other", "address_string": "这里"}


class App:
    """An app that speaks the standard."""

    def __init__(self, room: Room, key: str) -> None:
        self.room, self.key = room, key

    async def get(self, path: str, **query: str) -> tuple[int, str]:
        url = f"{self.room.base}/open311/v2{path}"
        async with self.room.http.get(url, params=query) as answer:
            return answer.status, await answer.text()

    async def json(self, path: str, **query: str) -> Any:
        status, text = await self.get(path, **({"api_key": self.key} | query))
        assert status == 200, text
        return json.loads(text)

    async def ask(self, form: str = "json", **fields: str) -> tuple[int, str]:
        url = f"{self.room.base}/open311/v2/requests.{form}"
        async with self.room.http.post(url, data={"api_key": self.key} | fields) as answer:
            return answer.status, await answer.text()

    async def number(self, **fields: str) -> str:
        status, text = await self.ask(**fields)
        assert status == 201, text
        return str(json.loads(text)[0]["service_request_id"])

    async def code_of(self, name: str) -> str:
        services = await self.json("/services.json")
        return str(next(one["service_code"] for one in services if one["service_name"] == name))


@pytest.fixture
async def app(city_database: Database, tmp_path: Path) -> AsyncIterator[App]:
    async with opened(city_database, tmp_path, jurisdiction_id="city.gov") as room:
        yield App(room, (await room.system("citizen-app", Post(Part.DISPATCHER))).token)


def tags(element: ElementTree.Element) -> list[str]:
    return [child.tag for child in element]


@pytest.mark.slow
async def test_the_services_are_the_catalogue_in_the_form_of_the_standard_s_example(app: App) -> None:
    status, text = await app.get("/services.xml", jurisdiction_id="city.gov")
    assert status == 200 and text.startswith('<?xml version="1.0" encoding="utf-8"?>\n<services><service>')
    first = ElementTree.fromstring(text)[0]
    assert sorted(tags(first)) == sorted(
        ["service_code", "service_name", "description", "metadata", "type", "keywords", "group"]
    )
    assert (first.findtext("metadata"), first.findtext("type")) == ("true", "realtime")
    services = await app.json("/services.json")
    lights = next(one for one in services if one["service_name"] == "路灯维修")
    assert lights["group"] == "城市管理" and lights["metadata"] is True
    assert services[-1]["service_code"] == "other"
    code = lights["service_code"]
    _, text = await app.get(f"/services/{code}.xml")
    definition = ElementTree.fromstring(text)
    assert (definition.tag, tags(definition)) == ("service_definition", ["service_code", "attributes"])
    attribute = definition[1][0]
    assert tags(attribute) == [
        "variable", "code", "datatype", "required", "datatype_description", "order", "description", "values",
    ]  # fmt: skip
    assert (tags(attribute[7][0]), attribute[7][0].findtext("key")) == (["key", "name"], "咨询")
    values = (await app.json(f"/services/{code}.json"))["attributes"][0]["values"]
    assert values[0] == {"key": "咨询", "name": "咨询"}
    assert (await app.get("/discovery.json"))[0] == (await app.get("/discovery.xml"))[0] == 200


@pytest.mark.slow
async def test_the_standard_s_own_example_is_taken_in_and_loses_nothing(app: App) -> None:
    status, text = await app.ask("xml", service_code="other", **SINKHOLE)
    asked = ElementTree.fromstring(text)
    assert (status, asked.tag, asked[0].tag) == (201, "service_requests", "request")
    assert tags(asked[0]) == ["service_request_id", "service_notice", "account_id"]
    number = asked[0].findtext("service_request_id")
    (read,) = await app.json(f"/requests/{number}.json")
    assert (read["status"], read["address"], read["service_code"]) == ("open", "1234 5th street", "other")
    assert read["description"].splitlines() == [
        SINKHOLE["description"],
        "联系人：smith john，smit333@sfgov.edu",
        "坐标：37.76524078,-122.4212043",
        "附图：http://farm3.static.flickr.com/2002/2212426634_5ed477a060.jpg",
        "WHISPAWN：123456",
        "WHISDORN：COISL001",
    ]
    _, text = await app.get(f"/requests/{number}.xml", api_key=app.key)
    assert tags(ElementTree.fromstring(text)[0]) == [
        "service_request_id", "status", "status_notes", "service_name", "service_code", "description",
        "agency_responsible", "service_notice", "requested_datetime", "updated_datetime", "expected_datetime",
        "address", "address_id", "zipcode", "lat", "long", "media_url",
    ]  # fmt: skip
    assert "111111111" not in text


@pytest.mark.slow
async def test_a_request_is_found_by_number_status_service_time_and_token(app: App) -> None:
    platform, code = await app.room.dispatcher(), await app.code_of("路灯维修")
    complaint = {"description": "路灯不亮", "attribute[kind]": "投诉"}
    lamp = await app.number(service_code=code, address_string="岱庙街道", **complaint)
    where = {"lat": "36.2", "long": "117.09"}
    spot = await app.number(service_code="other", description="井盖丢失", phone=CITIZEN, **where)
    by_number = {one["number"]: one for one in (await platform.get("/cases")).json["items"]}
    assert (by_number[lamp]["topic"], by_number[lamp]["kind"]) == ("路灯维修", "投诉")
    id_ = by_number[spot]["id"]
    away = {"reason": "不属本市", "ground": "其他不属受理范围", "way": "请拨打 12319"}
    assert (await platform.post(f"/cases/{id_}/turn_away", away)).status == 200
    for query, found in (
        ({}, [spot, lamp]),
        ({"status": "open"}, [lamp]),
        ({"status": "closed"}, [spot]),
        ({"status": "open,closed"}, [spot, lamp]),
        ({"service_code": code}, [lamp]),
        ({"service_code": f"{code},other"}, [spot, lamp]),
        ({"service_request_id": f"{lamp}, {spot}", "status": "closed"}, [spot, lamp]),
        ({"end_date": "2020-01-01T00:00:00Z"}, []),
        ({"start_date": "2020-01-01T00:00:00+08:00"}, []),
        ({"start_date": "", "end_date": "", "status": ""}, [spot, lamp]),
    ):
        listed = await app.json("/requests.json", **query)
        assert [one["service_request_id"] for one in listed] == found, query
    (closed,) = await app.json(f"/requests/{spot}.json")
    assert (closed["status"], closed["status_notes"]) == ("closed", "不予受理")
    assert (closed["lat"], closed["long"], closed["address"]) == (36.2, 117.09, None)
    assert await app.json(f"/tokens/{id_}.json") == [{"service_request_id": spot, "token": id_}]


@pytest.mark.slow
async def test_a_mistake_is_told_by_the_standard_s_codes_in_the_form_that_was_asked_for(app: App) -> None:
    status, text = await app.get("/requests.xml")
    error = ElementTree.fromstring(text)[0]
    assert (status, tags(error), error.findtext("code")) == (403, ["code", "description"], "403")
    wide = {"start_date": "2026-01-01T00:00:00Z", "end_date": "2026-04-02T00:00:00Z"}
    for path, query, code in (
        ("/services.json", {"jurisdiction_id": "elsewhere.gov"}, 404),
        ("/services/nothing.json", {}, 404),
        ("/requests/20200101-0001.json", {}, 404),
        ("/requests.json", {"service_code": "nothing"}, 404),
        ("/requests.json", {"status": "lost"}, 400),
        ("/requests.json", {"start_date": "yesterday"}, 400),
        ("/requests.json", wide, 400),
    ):
        status, text = await app.get(path, api_key=app.key, **query)
        assert (status, json.loads(text)[0]["code"]) == (code, code), path
    for fields, code in (
        ({"description": "坏了", "address_string": "这里"}, 400),
        ({"service_code": "nothing", "address_string": "这里"}, 404),
        ({"service_code": "other", "description": "没有地点"}, 400),
        ({"service_code": "other", "lat": "36.2"}, 400),
        (HERE | {"attribute[kind]": "吵架"}, 400),
        (HERE | {"attribute[is_secret]": "true", "email": "a@b.cn"}, 400),
        (HERE | {"media_url": "javascript:1"}, 400),
        (HERE | {"api_key": "xyz"}, 403),
    ):
        status, text = await app.ask(**fields)
        assert (status, json.loads(text)[0]["code"]) == (code, code), fields
    assert await app.json("/requests.json") == []


@pytest.mark.slow
async def test_what_is_secret_or_a_stranger_s_does_not_come_out_by_this_door(app: App) -> None:
    secret = {"attribute[is_secret]": "true", "description": "举报"}
    number = await app.number(phone=CITIZEN, **HERE, **secret)
    plain = await app.number(description="占道", phone=CITIZEN, **HERE)
    assert [one["service_request_id"] for one in await app.json("/requests.json")] == [plain]
    assert (await app.get(f"/requests/{number}.json", api_key=app.key))[0] == 404
    stranger = App(app.room, (await app.room.unit("education")).token)
    assert await stranger.json("/requests.json") == []
    assert (await stranger.get(f"/requests/{plain}.json", api_key=stranger.key))[0] == 404
    assert (await stranger.ask(**HERE))[0] == 403
    writer = App(app.room, (await app.room.system("form", Post(Part.AGENT), rights=(Right.WRITE,))).token)
    assert await writer.number(description="坑", **HERE)
    assert (await writer.get("/requests.json", api_key=writer.key))[0] == 403


def test_a_window_is_never_wider_than_ninety_days() -> None:
    now = 1_800_000_000_000_000
    since, until = mapping.window("", "", now)
    assert since < now < until and until - since == 90 * DAY_US
    since, until = mapping.window("2026-01-01T00:00:00Z", "", now)
    assert until - since == 90 * DAY_US
    assert mapping.window("2026-01-01T00:00:00Z", "2026-04-01T00:00:00Z", now)
    with pytest.raises(mapping.BadRequest):
        mapping.window("2026-01-01T00:00:00Z", "2026-04-01T00:00:02Z", now)
    assert mapping.instant("1994-11-05T08:15:30-05:00") == mapping.instant("1994-11-05T13:15:30Z")


def test_every_state_is_either_open_or_closed() -> None:
    both = [*mapping.states("open"), *mapping.states("closed")]
    assert sorted(both) == sorted(CaseState) and set(mapping.states("")) == set(CaseState)


def test_xml_says_what_no_xml_may_hold_without_it() -> None:
    made = wire.listed("a", "b", [{"c": "x\0\x08<&\ufffe😀", "d": None, "e": False}], "xml")
    assert [child.text for child in ElementTree.fromstring(made)[0]] == ["x<&😀", None, "false"]
