"""The API for other systems: what a token opens, each change once, and nothing of anybody else's."""

from __future__ import annotations

import asyncio
import os
import re
from asyncio.subprocess import PIPE, STDOUT
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given
from hypothesis import settings as bounds
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)
from sqlalchemy import text
from typer.testing import CliRunner

from agent_desk.api import openapi, pace
from agent_desk.problems import API, What
from casework import city, faq
from casework.moves import BY_TAG
from casework.rights import Right
from casework.store import answered
from casework.store.posts import Post
from casework.store.systems import NewToken, all_tokens, create_token, revoke_token
from casework.words import Part
from cli.main import app
from hotline import audit, clock
from hotline.db.engine import Database
from tests.unit.api_room import CASE, CITIZEN, Client, Room, opened
from tests.unit.test_desk import Browser

LIGHTS = "urban-management"
PNG = b"\x89PNG\r\n\x1a\n" + b"0" * 40


@pytest.fixture
async def room(city_database: Database, tmp_path: Path) -> AsyncIterator[Room]:
    async with opened(city_database, tmp_path) as room:
        yield room


async def filed(client: Client, **more: object) -> str:
    answer = await client.post("/cases", CASE | more)
    assert answer.status == 201, answer.json
    return str(answer.json["id"])


async def dispatched(client: Client, unit: str = LIGHTS, **more: object) -> str:
    id_ = await filed(client, **more)
    sent = await client.post(
        f"/cases/{id_}/dispatch", {"reason": "归口", "unit": unit, "profile": "five_days"}
    )
    assert sent.status == 200, sent.json
    return id_


pytestmark = pytest.mark.slow


async def test_a_case_goes_the_whole_way_through_the_hands_of_four_systems(room: Room) -> None:
    platform = await room.system("platform", Post(Part.DISPATCHER), Post(Part.REVIEWER), Post(Part.VISITOR))
    lights = await room.unit(LIGHTS)
    id_ = await dispatched(platform)
    assert (await lights.get(f"/cases/{id_}")).json["moves"][:2] == ["accept", "ask_extension"]
    for client, move, fields in (
        (lights, "accept", {}),
        (lights, "reply", {"is_citizen_told": True}),
        (platform, "pass_review", {}),
        (platform, "visited", {"is_solved": True, "satisfaction": 5, "is_in_time": True}),
        (platform, "close", {}),
        (platform, "archive", {}),
    ):
        answer = await client.post(f"/cases/{id_}/{move}", {"reason": "已更换灯具"} | fields)
        assert answer.status == 200, (move, answer.json)
    assert answer.json["state"] == "archived" and answer.json["satisfaction"] == 5
    history = (await platform.get(f"/cases/{id_}/history")).json["items"]
    assert [(one["move"], one["actor"]) for one in history][:3] == [
        ("open", "platform"), ("dispatch", "platform"), ("accept", LIGHTS[:16]),
    ]  # fmt: skip
    met = (await platform.get(f"/cases/{id_}/contacts")).json["items"]
    assert [(one["what"], one["words"]) for one in met] == [("open", "三晚了"), ("visited", "已更换灯具")]
    scores = (await lights.get("/scores")).json["items"]
    assert [(one["unit"], one["points"]) for one in scores] == [("市城市管理局", "100.00")]


async def test_a_move_that_the_rules_forbid_is_refused_with_the_rule_s_reason(room: Room) -> None:
    platform, id_ = await room.dispatcher(), ""
    id_ = await filed(platform)
    early = await platform.post(f"/cases/{id_}/archive", {"reason": "办完"})
    assert early.problem == (409, "refused")
    assert (early.json["code"], early.json["detail"]) == ("wrong_state", "工单当前环节不能进行此操作")
    beside = await platform.post(
        f"/cases/{id_}/dispatch", {"reason": "归口", "unit": "daimiao", "profile": "five_days"}
    )
    assert (beside.problem, beside.json["code"]) == ((409, "refused"), "not_below")
    assert (await platform.post(f"/cases/{id_}/accept", {"reason": " "})).problem == (422, "invalid")
    assert (await platform.post(f"/cases/{id_}/accept", {})).problem == (422, "invalid")


async def test_who_read_an_older_version_changes_nothing(room: Room) -> None:
    platform, lights = await room.dispatcher(), await room.unit(LIGHTS)
    id_ = await dispatched(platform)
    read = await lights.get(f"/cases/{id_}")
    assert (await lights.get(f"/cases/{id_}", If_None_Match=read.etag)).status == 304
    assert (await platform.post(f"/cases/{id_}/urge", {"reason": "又来电"})).status == 200
    assert (await lights.get(f"/cases/{id_}", If_None_Match=read.etag)).status == 200
    late = await lights.post(f"/cases/{id_}/accept", {"reason": "已签收"}, If_Match=read.etag)
    assert late.problem == (412, "changed")
    now = await lights.get(f"/cases/{id_}")
    assert (now.json["state"], now.json["urged"]) == ("dispatched", 1)
    taken = await lights.post(f"/cases/{id_}/accept", {"reason": "已签收"}, If_Match=now.etag)
    assert taken.status == 200 and taken.etag == (await lights.get(f"/cases/{id_}")).etag


async def test_the_same_request_under_the_same_key_is_done_once_even_five_times_at_once(room: Room) -> None:
    platform = await room.dispatcher()
    answers = await asyncio.gather(*(platform.post("/cases", CASE, Idempotency_Key="k-1") for _ in range(5)))
    assert {(one.status, one.raw, one.etag, one.headers["Location"]) for one in answers} == {
        (201, answers[0].raw, answers[0].etag, f"{API}/cases/{answers[0].json['id']}")
    }
    assert sum("Idempotent-Replayed" in one.headers for one in answers) == 4
    assert len((await platform.get("/cases")).json["items"]) == 1
    other = await platform.post("/cases", CASE | {"title": "停水"}, Idempotency_Key='"k-1"')
    assert other.problem == (422, "key-reused")
    assert (await platform.post("/cases", CASE, Idempotency_Key="k 1")).problem == (400, "malformed")
    another = await room.dispatcher("another")
    assert (await another.post("/cases", CASE, Idempotency_Key="k-1")).json["id"] != answers[0].json["id"]


async def test_a_refused_request_leaves_its_key_free(room: Room) -> None:
    platform, lights = await room.dispatcher(), await room.unit(LIGHTS)
    id_ = await filed(platform)
    move = (f"/cases/{id_}/urge", {"reason": "又来电"})
    assert (await lights.post(*move, Idempotency_Key="k")).problem == (404, "not-found")
    sent = {"reason": "归口", "unit": LIGHTS, "profile": "five_days"}
    assert (await platform.post(f"/cases/{id_}/dispatch", sent, Idempotency_Key="k")).status == 200
    accept = (f"/cases/{id_}/accept", {"reason": "签收"})
    assert (await lights.post(*accept, Idempotency_Key="k")).status == 200


async def test_a_stranger_s_case_and_a_guessed_id_are_the_same_nothing(room: Room) -> None:
    platform, stranger = await room.dispatcher(), await room.unit("education")
    id_ = await dispatched(platform)
    guessed = id_[:-4] + "ZZZZ"
    file = (await platform.post(f"/cases/{id_}/files?name=a.png", PNG)).json["id"]
    for end in ("", "/history", "/contacts", "/files", f"/files/{file}"):
        theirs, nobodys = (
            await stranger.get(f"/cases/{id_}{end}"),
            await stranger.get(f"/cases/{guessed}{end}"),
        )
        assert theirs.problem == nobodys.problem == (404, "not-found")
        assert theirs.raw == nobodys.raw
    for end in ("accept", "citizen"):
        moved = await stranger.post(f"/cases/{id_}/{end}", {"reason": "看看"})
        assert moved.problem == (404, "not-found")
    mine = await filed(platform)
    merged = await platform.post(f"/cases/{mine}/merge", {"reason": "同一事项", "master": guessed})
    assert (merged.problem, merged.json["code"]) == ((409, "refused"), "no_master")
    assert (await stranger.get("/cases")).json == {"items": [], "next": None}
    nobody = await room.system("postless")
    assert (await nobody.get(f"/cases/{id_}")).problem == (404, "not-found")
    assert (await nobody.get("/cases")).json == {"items": [], "next": None}


async def test_the_citizen_of_a_secret_case_is_for_those_alone_who_have_the_right(room: Room) -> None:
    platform, lights = await room.dispatcher(), await room.unit(LIGHTS)
    trusted = await room.system("trusted", Post(Part.SUPERVISOR))
    id_ = await dispatched(platform, is_secret=True, conversation="n1-1.1")
    for client in (platform, lights):
        for path in ("", "/history", "/contacts", "/files"):
            answer = await client.get(f"/cases/{id_}{path}")
            assert CITIZEN[-4:] not in answer.raw.decode() and "n1-1.1" not in answer.raw.decode()
        asked = await client.post(f"/cases/{id_}/citizen", {"reason": "核实"})
        assert asked.problem == (403, "forbidden")
    assert (await trusted.get(f"/cases/{id_}")).json["citizen"] == "138****6987"
    found = await trusted.post(f"/cases/{id_}/citizen", {"reason": "核实情况"})
    assert (found.json["number"], found.json["place"]) == (CITIZEN, "山东省泰安市")
    async with room.database.read() as session:
        (deed,) = await audit.newest(session, 1)
    assert (deed.person, deed.role, deed.what, deed.whom, deed.why) == (
        "trusted", "system", "case.number", id_, "核实情况",
    )  # fmt: skip


async def test_a_number_leaves_only_by_the_door_that_writes_down_why(room: Room) -> None:
    reader = await room.system("reader", Post(Part.DISPATCHER), rights=(Right.READ,))
    platform = await room.dispatcher()
    id_ = await filed(platform)
    assert CITIZEN not in (await reader.get("/cases")).raw.decode()
    assert (await reader.get(f"/cases/{id_}")).json["citizen"] == "138****6987"
    assert (await reader.post(f"/cases/{id_}/citizen", {"reason": "核实"})).problem == (403, "forbidden")
    assert (await reader.post("/cases", CASE)).problem == (403, "forbidden")
    for _ in range(2):
        asked = await platform.post(f"/cases/{id_}/citizen", {"reason": "回电"}, Idempotency_Key="once")
        assert asked.json["number"] == CITIZEN and "Idempotent-Replayed" not in asked.headers
    async with room.database.read() as session:
        assert [one.what for one in await audit.newest(session, 2)] == ["case.number"] * 2
        kept = (await session.execute(text("SELECT answer FROM system_answers"))).scalars().all()
    assert not any(CITIZEN in answer for answer in kept)


async def test_a_list_is_read_page_by_page_and_has_each_case_once_while_more_come(room: Room) -> None:
    platform, lights = await room.dispatcher(), await room.unit(LIGHTS)
    ids = [await dispatched(platform) for _ in range(3)] + [await filed(platform) for _ in range(4)]
    found: list[str] = []
    cursor = ""
    while True:
        page = (await platform.get(f"/cases?limit=3&cursor={cursor}")).json
        found += [one["id"] for one in page["items"]]
        await filed(platform)
        if page["next"] is None:
            break
        cursor = page["next"]
    assert found == ids[::-1]
    theirs = (await lights.get("/cases?limit=2")).json
    assert [one["id"] for one in theirs["items"]] == [ids[2], ids[1]]
    rest = (await lights.get(f"/cases?limit=2&cursor={theirs['next']}")).json
    assert ([one["id"] for one in rest["items"]], rest["next"]) == ([ids[0]], None)
    number = (await platform.get(f"/cases/{ids[0]}")).json["number"]
    for query, count in (
        (f"number={number}", 1), ("state=dispatched", 3), ("kind=求助", 10), ("kind=投诉", 0),
        (f"unit={LIGHTS}", 3), ("unit=nowhere", 0), ("q=路灯", 10), ("since=2099-01-01", 0),
        ("until=2020-01-01", 0), ("until=9999-12-31", 10), ("since=0001-01-01", 10),
        ("q=路灯&since=0001-01-01&until=9999-12-31", 10),
    ):  # fmt: skip
        assert len((await platform.get(f"/cases?{query}")).json["items"]) == count, query
    for query in (
        "limit=0",
        "limit=201",
        "state=nowhere",
        "cursor=xx",
        "since=yesterday",
        "colour=red",
        "q=a&q=b",
    ):
        assert (await platform.get(f"/cases?{query}")).problem == (400, "malformed"), query


async def test_files_come_to_a_case_and_go_out_as_they_came(room: Room) -> None:
    lights, platform = await room.unit(LIGHTS), await room.dispatcher()
    id_ = await dispatched(platform)
    at = f"/cases/{id_}/files"
    one, again = [await lights.post(f"{at}?name=现场.png", PNG, Idempotency_Key="f") for _ in range(2)]
    assert one.status == 201 and one.raw == again.raw
    assert len((await lights.get(at)).json["items"]) == 1
    got = await platform.get(f"{at}/{one.json['id']}")
    assert (got.raw, got.headers["Content-Type"]) == (PNG, "image/png")
    assert got.headers["Content-Disposition"].startswith("attachment")
    wrong = await lights.post(f"{at}?name=a.exe", PNG)
    assert (wrong.problem, wrong.json["code"]) == ((422, "invalid"), "not_this_kind")
    assert (await lights.post(f"{at}?name=a.png", PNG + b"0" * 11_000_000)).problem == (413, "too-large")


async def test_the_directory_the_catalogue_and_the_knowledge_are_there_to_read(room: Room) -> None:
    async with room.database.begin() as session:
        await faq.seed_knowledge(session, city.demo_units(), "n1", clock.now().utc_us)
    client = await room.system("app", rights=(Right.DIRECTORY, Right.KNOWLEDGE, Right.FIGURES))
    units = (await client.get("/units")).json["items"]
    assert {"id", "name", "kind", "parent", "numbers", "office_hours"} == units[0].keys()
    assert (await client.get(f"/units/{LIGHTS}")).json["name"] == "市城市管理局"
    assert (await client.get("/units/nowhere")).problem == (404, "not-found")
    matter = next(one for one in (await client.get("/matters")).json["items"] if one["name"] == "路灯维修")
    assert matter["unit"] == LIGHTS
    (best, *_) = (await client.get("/knowledge?q=路灯维修")).json["items"]
    read = await client.get(f"/knowledge/{best['id']}")
    assert read.json == best
    assert (await client.get(f"/knowledge/{best['id']}", If_None_Match=read.etag)).status == 304
    assert (await client.get("/figures/loads")).json == {"items": []}
    assert (await client.get("/scores?month=2026-13")).problem == (400, "malformed")


async def test_a_revoked_token_opens_nothing_from_the_next_request_on(room: Room) -> None:
    platform = await room.dispatcher()
    assert (await platform.get("/cases")).status == 200
    async with room.database.begin() as session:
        (token,) = await all_tokens(session)
        assert token.used_us > 0
        await revoke_token(session, token.id, clock.now().utc_us)
    refused = await platform.get("/cases")
    assert refused.problem == (401, "unauthenticated")
    assert refused.headers["WWW-Authenticate"].startswith("Bearer")
    for word in ("", "hk_000000000000_" + "x" * 43, platform.token[:-1] + "_", "x" * 3000):
        assert (await Client(room.http, platform.base, word).get("/cases")).problem == (
            401,
            "unauthenticated",
        )
    async with room.database.read() as session:
        (kept,) = (await session.execute(text("SELECT * FROM system_tokens"))).mappings().all()
    assert platform.token not in str(kept) and platform.token.split("_", 2)[2] not in str(kept)


async def test_who_asks_too_fast_is_told_how_long_to_wait_and_others_do_not_notice(room: Room) -> None:
    greedy, calm = await room.system("greedy", per_minute=12), await room.dispatcher()
    answers = [await greedy.get("/units") for _ in range(4)]
    assert [one.status for one in answers] == [200, 200, 429, 429]
    assert answers[-1].problem == (429, "too-many-requests")
    assert 1 <= int(answers[-1].headers["Retry-After"]) <= 5
    assert (await calm.get("/units")).status == 200


def test_a_pace_lets_through_what_it_promises_and_no_more() -> None:
    now, let, state = 0, 0, None
    while now < 600_000_000:
        state, wait_s = pace.step(state, 60, now)
        let += not wait_s
        now += 100_000
    assert 600 <= let <= 610


async def test_a_browser_s_cookie_opens_nothing_and_no_other_site_s_page_gets_in(room: Room) -> None:
    jar = aiohttp.CookieJar(unsafe=True)
    async with aiohttp.ClientSession(cookie_jar=jar) as http:
        browser = Browser(http, room.base)
        assert (await browser.log_in("8101")).status == 303
        answer = await http.get(f"{room.base}{API}/cases")
        assert answer.status == 401
        answer = await http.get(f"{room.base}{API}/cases", headers={"Host": "evil.example"})
        assert (answer.status, answer.content_type) == (400, "application/problem+json")


async def test_every_mistake_at_the_door_is_a_problem_with_a_stable_type(room: Room) -> None:
    platform = await room.dispatcher()
    for method, path, body, status in (
        ("GET", "/nowhere", None, 404), ("DELETE", "/cases", None, 405), ("POST", "/cases", b"{", 415),
        ("POST", "/cases", {"title": "x", "colour": 1}, 422), ("POST", "/cases", {"title": ""}, 422),
        ("POST", "/cases", {"title": "x", "text": "x" * 300_000}, 413),
        ("POST", "/cases", {"title": "\0"}, 422),
    ):  # fmt: skip
        answer = await platform.ask(method, path, body)
        assert answer.problem[0] == answer.status == status, (path, answer.raw)
        assert re.search("[\u4e00-\u9fff]", answer.json["detail"])
    broken = await platform.ask("POST", "/cases", b"{", Content_Type="application/json")
    assert broken.problem == (400, "malformed")
    listed = (await platform.get("/problems")).json
    assert {one["type"] for one in listed} == {what.uri for what in What}


async def test_a_database_that_fails_is_told_as_such_and_keeps_nothing(room: Room) -> None:
    platform = await room.dispatcher()
    async with room.database.begin() as session:
        await session.execute(text("ALTER TABLE system_tokens RENAME TO gone"))
    failed = await platform.get("/cases")
    assert failed.problem == (503, "unavailable") and failed.headers["Retry-After"] == "5"


async def test_a_key_taken_twice_at_once_is_taken_once(database: Database) -> None:
    async def take(n: int) -> bool:
        async with database.begin() as session:
            known = await answered.take(session, "app", "key", "what", 1)
            if known is None:
                await asyncio.sleep(0.05)
                await answered.keep(session, "app", "key", f"answer {n}")
            return known is None

    done = await asyncio.gather(*map(take, range(4)))
    assert sum(done) == 1
    async with database.begin() as session:
        assert await answered.take(session, "app", "key", "x", 2) == ("what", f"answer {done.index(True)}")
        assert await answered.take(session, "app", "key", "x", 2 + answered.KEEP_US) is None


async def test_a_list_goes_on_where_it_ended_on_either_database(database: Database, tmp_path: Path) -> None:
    async with opened(database, tmp_path) as room:
        platform = await room.dispatcher()
        ids = [await filed(platform) for _ in range(3)]
        page = (await platform.get("/cases?limit=2")).json
        rest = (await platform.get(f"/cases?limit=2&cursor={page['next']}")).json
    assert [one["id"] for one in (*page["items"], *rest["items"])] == ids[::-1]


async def test_the_guide_s_examples_work_as_they_are_written(room: Room) -> None:
    async with room.database.begin() as session:
        await faq.seed_knowledge(session, city.demo_units(), "n1", clock.now().utc_us)
    guide = (openapi.HOME / "docs/guide/integration.md").read_text()
    script = "set -euo pipefail\n" + "\n".join(re.findall(r"^```bash\n(.*?)^```", guide, re.S | re.M))
    known = {
        "HOTLINE": room.base,
        "PLATFORM": (await room.dispatcher()).token,
        "UNIT": (await room.unit(LIGHTS)).token,
        "POLICE": (await room.system("police", rights=(Right.EMERGENCY,))).token,
    }
    run = await asyncio.create_subprocess_exec(
        "bash", "-x", "-c", script, env=os.environ | known, stdout=PIPE, stderr=STDOUT
    )
    said, _ = await run.communicate()
    assert run.returncode == 0, said.decode()
    assert script.count("curl ") > 10


# --- the contract


@pytest.fixture(scope="module")
def document() -> dict[str, Any]:
    return openapi.document()


def test_the_committed_openapi_document_is_up_to_date() -> None:
    assert openapi.main(["--check"]) == 0, "run `python -m agent_desk.api.openapi` and commit the file"


def test_every_move_of_people_has_its_operation_and_the_system_s_own_have_none(
    document: dict[str, Any],
) -> None:
    offered = {one.name for one in openapi.operations()} & BY_TAG.keys()
    assert BY_TAG.keys() - offered == {"attach", "close_with_master", "hand_over", "remind", "warn"}
    assert all(
        len(one["summary"]) > 5
        for path in document["paths"].values()
        for one in path.values()
        if "summary" in one
    )


async def test_the_server_gives_the_contract_that_is_committed(room: Room) -> None:
    async with room.http.get(f"{room.base}{API}/openapi.json") as answer:
        assert await answer.text() == (openapi.HOME / openapi.FILE).read_text()


def operations_of(base: str, token: str, case: str) -> Iterator[tuple[str, Any]]:
    """Each operation with a test of what schemathesis thinks up for it; half of the ids are a case's."""
    schema = schemathesis.openapi.from_url(f"{base}{API}/openapi.json")
    schema.config.generation.allow_x00 = False
    checks = (
        not_a_server_error,
        status_code_conformance,
        content_type_conformance,
        response_schema_conformance,
    )
    for result in schema.get_all_operations():
        operation = result.ok()

        @bounds(
            max_examples=3 if operation.path.count("/") > 2 else 8,
            deadline=None,
            database=None,
            phases=[Phase.generate],
            suppress_health_check=list(HealthCheck),
        )
        @given(thought_up=operation.as_strategy())
        def hold(thought_up: Any) -> None:
            if len(str(thought_up.body)) % 2 and "id" in (thought_up.path_parameters or {}):
                thought_up.path_parameters["id"] = case
            thought_up.call_and_validate(
                base_url=f"{base}{API}", headers={"Authorization": f"Bearer {token}"}, checks=checks
            )

        yield operation.label, hold


async def test_whatever_is_sent_is_answered_as_the_contract_says(room: Room) -> None:
    every = [Post(part) for part in Part if part is not Part.UNIT]
    client = await room.system("fuzzer", *every, Post(Part.UNIT, LIGHTS), per_minute=60_000)
    id_ = await dispatched(client)

    def all_of_them() -> int:
        return sum(hold() is None for _, hold in operations_of(room.base, client.token, id_))

    assert await asyncio.to_thread(all_of_them) == len(openapi.operations())


# --- the command


def test_tokens_are_made_listed_and_revoked_on_the_command_line(tmp_path: Path) -> None:
    file = tmp_path / "hotline.toml"
    file.write_text(f'state_dir = "{tmp_path}"\n')
    run = CliRunner()

    def hotline(*words: str) -> str:
        done = run.invoke(app, ["token", *words, "--settings", str(file)])
        assert done.exit_code == 0, done.output
        return done.output

    made = hotline("create", "bureau", "--right", "cases.read", "--post", "dispatcher").split()[0]
    assert re.fullmatch(r"hk_[0-9a-f]{12}_[A-Za-z0-9_-]{43}", made)
    listed = hotline("list")
    assert "bureau" in listed and "never used" in listed and made.split("_", 2)[2] not in listed
    hotline("revoke", made.split("_")[1])
    assert "revoked" in hotline("list")
    wrong = run.invoke(app, ["token", "create", "x", "--right", "all", "--settings", str(file)])
    assert wrong.exit_code != 0


@pytest.mark.parametrize(
    ("new", "why"),
    [
        (NewToken(system="X", rights=(Right.READ,)), "is no system's name"),
        (NewToken(system="bureau", rights=()), "opens nothing"),
        (NewToken(system="bureau", rights=(Right.READ,), per_minute=0), "times a minute"),
        (NewToken(system="bureau", rights=(Right.READ,), posts=(Post(Part.UNIT, "none"),)), "no unit 'none'"),
        (NewToken(system="bureau", rights=(Right.READ,), posts=(Post(Part.UNIT),)), "have a post at a unit"),
    ],
)
async def test_a_token_that_would_make_no_sense_is_not_made(room: Room, new: NewToken, why: str) -> None:
    with pytest.raises(Exception, match=why):
        async with room.database.begin() as session:
            await create_token(session, new, 1)
