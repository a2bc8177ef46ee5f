"""Owns the tests of the desk's door: log-in, lock, sessions, forms, headers, roles, on a real server."""

import asyncio
import html
import json
import re
import shutil
import socket
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import msgspec
import pytest
from sqlalchemy import text

from agent_desk.app import run, serve
from agent_desk.sessions import COOKIE, LIFETIME_US, Sessions
from hotline import clock
from hotline.db.engine import Database
from hotline.db.migrate import upgrade
from hotline.directory import demo_directory, save_units
from hotline.errors import BadSettings, DatabaseUnavailable, PortBusy
from hotline.identity.people import NewPerson, Person, create_person, set_enabled
from hotline.identity.roles import Role
from hotline.identity.token import verify
from hotline.secret import Secrets, screen_word
from hotline.settings import DeskSettings, SeatSettings, Settings, SwitchSettings
from rehearsal.browser import WORD
from rehearsal.browser import Browser as PlainBrowser
from tests.unit.desk_city import PASSWORD

KEYS = Secrets(ami_cti="a", ami_system="b", push_key="push", seat_key="c", session_key="session")
PEOPLE = (
    NewPerson(number="1001", name="<script>alert(1)</script>", role=Role.AGENT),
    NewPerson(number="9001", name="李班长", role=Role.SUPERVISOR),
    NewPerson(number="9902", name="大屏", role=Role.WALL),
)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Browser(PlainBrowser):
    """A browser whose cookie can be looked at, of somebody with the tests' password."""

    async def log_in(self, number: str, password: str = PASSWORD) -> aiohttp.ClientResponse:
        return await super().log_in(number, password)

    def cookie(self) -> str:
        return next((morsel.value for morsel in self.http.cookie_jar if morsel.key == COOKIE), "")


async def led_to(browser: Browser, path: str, cookie: str) -> str:
    """Where the desk sends somebody who holds nothing but that cookie."""
    headers = {"Cookie": f"{COOKIE}={cookie}"}
    jar = aiohttp.DummyCookieJar()
    async with (
        aiohttp.ClientSession(cookie_jar=jar) as other,
        other.get(browser.base + path, headers=headers, allow_redirects=False) as answer,
    ):
        return answer.headers["Location"]


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The database with its people, made once: a password's hash is slow by design."""
    path = tmp_path_factory.mktemp("desk") / "hotline.db"
    asyncio.run(fill(f"sqlite+aiosqlite:///{path}"))
    return path


async def fill(url: str) -> None:
    await upgrade(url)
    database = await Database.open(url)
    async with database.begin() as session:
        for person in PEOPLE:
            await create_person(session, person, PASSWORD, clock.now().utc_us)
        await save_units(session, demo_directory())
    await database.close()


@pytest.fixture
async def database(template: Path, tmp_path: Path) -> AsyncIterator[Database]:
    shutil.copy(template, tmp_path / "hotline.db")
    opened = await Database.open(f"sqlite+aiosqlite:///{tmp_path / 'hotline.db'}")
    yield opened
    await opened.close()


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(state_dir=str(tmp_path), desk=DeskSettings(port=free_port()))


@pytest.fixture
async def browser(settings: Settings, database: Database) -> AsyncIterator[Browser]:
    runner = await serve(settings, KEYS, database)
    async with aiohttp.ClientSession(cookie_jar=aiohttp.CookieJar(unsafe=True)) as http:
        yield Browser(http, f"http://127.0.0.1:{settings.desk.port}")
    await runner.cleanup()


async def test_a_stranger_is_led_to_the_log_in(browser: Browser) -> None:
    for path in ("/", "/agent", "/wall", "/seats"):
        async with browser.http.get(browser.base + path, allow_redirects=False) as answer:
            assert (answer.status, answer.headers["Location"]) == (303, "/login")


async def test_an_agent_logs_in_chooses_a_seat_and_gets_the_page(browser: Browser) -> None:
    answer = await browser.log_in("1001")
    assert (answer.status, answer.headers["Location"]) == (303, "/")
    status, _ = await browser.get("/")
    assert status == 200
    chosen = await browser.post("/seats", seat="8012")
    assert (chosen.status, chosen.headers["Location"]) == (303, "/agent?sign_in=1")
    status, text = await browser.get("/agent")
    assert 'href="/knowledge"' in text, "answers are one click away"
    assert status == 200
    assert "8012 座席" in text


async def test_a_name_is_text_on_every_page_whatever_it_holds(browser: Browser) -> None:
    await browser.log_in("1001")
    for path in ("/seats", "/agent"):
        _, text = await browser.get(path)
        assert "<script>alert" not in text
        assert "&lt;script&gt;alert(1)&lt;/script&gt;" in text
        await browser.post("/seats", seat="8001")


async def test_what_was_typed_at_the_log_in_comes_back_as_text(browser: Browser) -> None:
    answer = await browser.log_in('"><script>x</script>', "wrong")
    text = await answer.text()
    assert answer.status == 403
    assert "<script>x" not in text


async def test_a_wrong_password_and_an_unknown_number_look_the_same(browser: Browser) -> None:
    known = await (await browser.log_in("1001", "wrong")).text()
    unknown = await (await browser.log_in("7777", "wrong")).text()
    assert "工号或密码不正确" in known
    assert WORD.sub("", known).replace("1001", "") == WORD.sub("", unknown).replace("7777", "")


async def test_the_fifth_wrong_password_locks_the_number(browser: Browser) -> None:
    for _ in range(5):
        answer = await browser.log_in("1001", "wrong")
        assert "工号或密码不正确" in await answer.text()
    locked = await browser.log_in("1001", PASSWORD)
    assert locked.status == 403
    assert "账号已锁定 5 分钟" in await locked.text()
    assert (await browser.log_in("9001")).status == 303


async def test_log_in_gives_a_new_session_id_and_the_old_one_stays_worthless(browser: Browser) -> None:
    await browser.get("/login")
    before = browser.cookie()
    await browser.log_in("1001")
    assert before
    assert browser.cookie() != before
    assert await led_to(browser, "/", before) == "/login"
    assert await led_to(browser, "/", browser.cookie()) == "/agent"


async def test_a_session_ends_at_log_out_even_for_who_kept_the_cookie(browser: Browser) -> None:
    await browser.log_in("9001")
    kept = browser.cookie()
    await browser.get("/wall")
    assert await led_to(browser, "/", kept) == "/wall"
    await browser.post("/logout")
    assert await led_to(browser, "/", kept) == "/login"


async def test_the_cookie_is_closed_to_scripts_and_other_sites(browser: Browser) -> None:
    answer = await browser.log_in("1001")
    flags = answer.headers["Set-Cookie"]
    assert "HttpOnly" in flags
    assert "SameSite=Strict" in flags


async def test_a_forged_cookie_is_nobody(browser: Browser) -> None:
    await browser.log_in("1001")
    sid, _, signature = browser.cookie().partition(".")
    for forged in (sid, f"{sid}.{'0' * 64}", f"{sid[::-1]}.{signature}", "x" * 5000, "ü.ü"):
        assert await led_to(browser, "/", forged) == "/login"


@pytest.mark.parametrize("origin", ["", "null", "http://evil.example", "http://127.0.0.1:1"])
async def test_a_form_sent_from_another_site_is_refused(browser: Browser, origin: str) -> None:
    await browser.log_in("1001")
    await browser.get("/seats")
    assert (await browser.post("/seats", origin=origin, seat="8001")).status == 403
    assert (await browser.post("/seats", seat="8001")).status == 303


@pytest.mark.parametrize("word", ["", "0" * 64, "ü"])
async def test_a_form_without_our_word_is_refused(browser: Browser, word: str) -> None:
    await browser.log_in("1001")
    await browser.get("/seats")
    assert (await browser.post("/seats", form_word=word, seat="8001")).status == 403
    token = await browser.http.post(browser.base + "/api/token", headers={"Origin": browser.base})
    assert token.status == 403


async def test_a_form_word_is_good_for_its_own_session_only(browser: Browser) -> None:
    await browser.get("/login")
    stale = browser.word
    await browser.log_in("1001")
    assert (await browser.post("/seats", form_word=stale, seat="8001")).status == 403


async def test_a_foreign_host_name_is_refused(browser: Browser) -> None:
    assert (await browser.get("/login", Host="evil.example"))[0] == 400


@pytest.mark.parametrize("path", ["/login", "/nowhere", "/static/agent.js", "/api/directory"])
async def test_every_answer_carries_the_security_headers(browser: Browser, path: str) -> None:
    async with browser.http.get(browser.base + path) as answer:
        policy = answer.headers["Content-Security-Policy"]
        assert "default-src 'none'" in policy
        assert "unsafe" not in policy
        assert "connect-src 'self' ws://127.0.0.1:8765;" in policy
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        assert answer.headers["X-Frame-Options"] == "DENY"
        assert "aiohttp" not in answer.headers["Server"]
        assert answer.headers["Cache-Control"] in ("no-store", "no-cache")
        assert answer.headers["Referrer-Policy"] == "same-origin"


async def test_no_page_has_an_inline_script_or_style(browser: Browser) -> None:
    await browser.log_in("1001")
    await browser.get("/seats")
    await browser.post("/seats", seat="8001")
    for path in ("/seats", "/agent"):
        _, text = await browser.get(path)
        assert re.findall(r"<script(?![^>]*src=)", text) == []
        assert re.findall(r"<style|\sstyle=|\son[a-z]+=", text) == []
        assert re.findall(r"(?:src|href)=\"(?!/)", text) == []


async def test_each_role_sees_its_own_pages_only(browser: Browser) -> None:
    await browser.log_in("9001")
    assert (await browser.get("/wall"))[0] == 200
    assert (await browser.get("/agent"))[0] == 403
    assert (await browser.post("/seats", seat="8001")).status == 403
    await browser.post("/logout")
    await browser.log_in("1001")
    assert (await browser.get("/wall"))[0] == 403


@pytest.mark.parametrize("seat", ["", "8000", "8058", "../8001", "８００１"])
async def test_a_seat_that_does_not_exist_cannot_be_chosen(browser: Browser, seat: str) -> None:
    await browser.log_in("1001")
    await browser.get("/seats")
    assert (await browser.post("/seats", seat=seat)).status == 400


async def ask_token(browser: Browser) -> aiohttp.ClientResponse:
    headers = {"Origin": browser.base, "X-Form-Word": browser.word}
    return await browser.http.post(browser.base + "/api/token", headers=headers)


async def test_the_push_token_names_person_role_and_seat(browser: Browser) -> None:
    await browser.log_in("1001")
    await browser.get("/seats")
    await browser.post("/seats", seat="8007")
    answer = await (await ask_token(browser)).json()
    now_us = clock.now().utc_us
    claims = verify(KEYS.push_key, answer["token"], now_us)
    assert (claims.person, claims.role, claims.seat) == ("1001", Role.AGENT, "8007")
    assert abs(answer["now_us"] - now_us) < 2_000_000
    assert claims.expires_us < now_us + 61_000_000


async def test_a_supervisor_chooses_a_phone_and_the_token_names_it(browser: Browser) -> None:
    await browser.log_in("9001")
    _, text = await browser.get("/wall")
    assert [phone for phone in ("8901", "8904", "8905", "8001") if f'value="{phone}"' in text] == [
        "8901", "8904",
    ]  # fmt: skip
    for phone, bound in (("8902", "8902"), ("", None)):
        assert (await browser.post("/phone", phone=phone)).status == 303
        word = (await (await ask_token(browser)).json())["token"]
        claims = verify(KEYS.push_key, word, clock.now().utc_us)
        assert (claims.role, claims.seat) == (Role.SUPERVISOR, bound)
    for nonsense in ("8001", "8905", "../8901", "８９０１"):
        assert (await browser.post("/phone", phone=nonsense)).status == 400


async def test_an_agent_cannot_choose_a_supervisors_phone(browser: Browser) -> None:
    await browser.log_in("1001")
    await browser.get("/seats")
    assert (await browser.post("/phone", phone="8901")).status == 403
    assert (await browser.post("/seats", seat="8901")).status == 400


async def test_two_push_tokens_never_are_the_same(browser: Browser) -> None:
    await browser.log_in("9001")
    await browser.get("/wall")
    first, second = [(await (await ask_token(browser)).json())["token"] for _ in range(2)]
    assert first != second


async def test_a_person_who_was_shut_out_gets_no_more_tokens(browser: Browser, database: Database) -> None:
    await browser.log_in("9001")
    await browser.get("/wall")
    assert (await ask_token(browser)).status == 200
    async with database.begin() as session:
        await set_enabled(session, "9001", False)
    assert (await ask_token(browser)).status == 401
    async with browser.http.get(browser.base + "/wall", allow_redirects=False) as answer:
        assert answer.headers["Location"] == "/login"


async def test_a_dead_database_stops_nobody_who_works(browser: Browser, database: Database) -> None:
    await browser.log_in("9001")
    await browser.get("/wall")
    async with database.begin() as session:
        await session.execute(text("DROP TABLE people"))
        await session.execute(text("DROP TABLE units"))
    assert (await ask_token(browser)).status == 200
    assert (await browser.get("/api/directory"))[0] == 503
    await browser.post("/logout")
    refused = await browser.log_in("9001")
    assert refused.status == 503
    assert "暂时无法核对密码" in await refused.text()


async def test_the_directory_is_for_those_who_are_logged_in(browser: Browser) -> None:
    assert (await browser.get("/api/directory"))[0] == 401
    await browser.log_in("1001")
    async with browser.http.get(browser.base + "/api/directory") as answer:
        units = (await answer.json())["units"]
    assert {"id", "name", "initials", "numbers", "hours", "standing", "is_open", "changes_us"} == set(
        units[0]
    )
    assert "市教育局" in {unit["name"] for unit in units}
    assert "110" not in {number for unit in units for number in unit["numbers"]}


async def test_an_oversized_form_is_refused(browser: Browser) -> None:
    await browser.get("/login")
    answer = await browser.post("/login", number="1001", password="x" * 300_000)
    assert answer.status == 413


async def test_files_outside_the_static_directory_are_out_of_reach(browser: Browser) -> None:
    for path in ("/static/../app.py", "/static/%2e%2e/app.py", "/static/%2e%2e%2fapp.py"):
        assert (await browser.get(path))[0] in (403, 404)


async def test_the_desk_says_that_it_is_alive(browser: Browser) -> None:
    assert await browser.get("/healthz") == (200, '{"desk": "ok"}')


async def test_a_busy_port_is_named_in_one_sentence(
    browser: Browser, settings: Settings, database: Database
) -> None:
    with pytest.raises(PortBusy, match=rf"desk.port {settings.desk.port} .* in use"):
        await serve(settings, KEYS, database)


async def test_a_missing_database_is_named_before_anything_listens(settings: Settings) -> None:
    with pytest.raises(DatabaseUnavailable):
        await run(settings, asyncio.Event())


def test_a_session_ends_after_a_shift() -> None:
    sessions = Sessions("key")
    person = Person(number="1001", name="王丽", role=Role.AGENT, enabled=True)
    sid = sessions.open(person, now_us=1)
    assert sessions.find(sid, LIFETIME_US) is not None
    assert sessions.find(sid, 1 + LIFETIME_US) is None
    assert sessions.find(sid, LIFETIME_US) is None


async def sip(browser: Browser, origin: str) -> int:
    """The status with which the way to the switch is refused."""
    with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
        await browser.http.ws_connect(browser.base + "/sip", headers={"Origin": origin}, protocols=("sip",))
    return refused.value.status


async def test_the_way_to_the_switch_is_open_to_a_page_of_ours_at_a_seat_with_a_phone_in_it(
    settings: Settings, database: Database
) -> None:
    phones = msgspec.structs.replace(settings, seats=SeatSettings(softphones=("8001",)))
    phones = msgspec.structs.replace(phones, switch=SwitchSettings(http_port=free_port()))
    runner = await serve(phones, KEYS, database)
    async with aiohttp.ClientSession(cookie_jar=aiohttp.CookieJar(unsafe=True)) as http:
        browser = Browser(http, f"http://127.0.0.1:{phones.desk.port}")
        assert await sip(browser, browser.base) == 401
        await browser.log_in("1001")
        await browser.get("/seats")
        await browser.post("/seats", seat="8002")
        assert await sip(browser, browser.base) == 403
        await browser.post("/seats", seat="8001")
        assert await sip(browser, "http://elsewhere.example") == 403
        assert await sip(browser, browser.base) == 503, "there is no switch in this test"
        async with http.get(browser.base + "/agent") as page:
            assert "microphone=(self)" in page.headers["Permissions-Policy"]
    await runner.cleanup()


async def test_a_wall_display_comes_by_its_address_looks_and_can_do_nothing_else(
    browser: Browser, settings: Settings
) -> None:
    word = screen_word(settings.state)
    assert (await browser.get(f"/screen/{word[:-1]}x"))[0] == 404
    status, page = await browser.get(f"/screen/{word}")
    assert (status, "大屏" in page) == (200, True)
    assert f"/screen/{word}" in page, "the page finds back by itself when its session has ended"
    assert [(await browser.get(path))[0] for path in ("/agent", "/recordings", "/seats")] == [403] * 3
    browser.word = json.loads(html.unescape(re.findall(r'data-config="([^"]*)"', page)[0]))["form_word"]
    minted = (await (await ask_token(browser)).json())["token"]
    claims = verify(KEYS.push_key, minted, clock.now().utc_us)
    assert (claims.role, claims.seat) == (Role.WALL, None)
    assert screen_word(settings.state, anew=True) != word
    assert (await ask_token(browser)).status == 401
    assert (await browser.get(f"/screen/{word}"))[0] == 404


def test_an_edited_word_of_the_wall_display_opens_no_door(settings: Settings) -> None:
    (settings.state / "screen-word").write_text("")
    with pytest.raises(BadSettings, match="holds no word"):
        screen_word(settings.state)


async def test_behind_a_proxy_with_tls_pages_stay_at_its_address(
    settings: Settings, database: Database
) -> None:
    public = "https://desk.example"
    desk = msgspec.structs.replace(settings.desk, public_url=public)
    runner = await serve(msgspec.structs.replace(settings, desk=desk), KEYS, database)
    base = f"http://127.0.0.1:{desk.port}"
    proxied = {"Host": "desk.example"}
    async with aiohttp.ClientSession(cookie_jar=aiohttp.DummyCookieJar()) as http:
        async with http.get(f"{base}/login", headers=proxied) as page:
            word = WORD.findall(await page.text())[0]
            assert page.cookies[COOKIE]["secure"]
            assert "connect-src 'self' wss://desk.example;" in page.headers["Content-Security-Policy"]
            cookie = {"Cookie": f"{COOKIE}={page.cookies[COOKIE].value}"}
        form = {"form_word": word, "number": "9001", "password": PASSWORD}
        for origin, status in (("https://elsewhere.example", 403), (public, 303)):
            sent = {**proxied, **cookie, "Origin": origin}
            async with http.post(f"{base}/login", data=form, headers=sent, allow_redirects=False) as answer:
                assert answer.status == status
        cookie = {"Cookie": f"{COOKIE}={answer.cookies[COOKIE].value}"}
        async with http.get(f"{base}/wall", headers={**proxied, **cookie}) as wall:
            assert "wss://desk.example/push" in await wall.text()
    await runner.cleanup()


def test_the_push_server_lets_the_public_address_in() -> None:
    settings = Settings(desk=DeskSettings(public_url="https://desk.example"))
    assert "https://desk.example" in settings.desk_origins
    assert Settings().page_push_url == "ws://127.0.0.1:8765/v1"
