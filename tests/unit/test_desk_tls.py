"""The desk with a certificate of its own: pages, pushes and cookies by TLS, renewed while people work."""

from __future__ import annotations

import asyncio
import shutil
import ssl
import subprocess
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp
import msgspec
import pytest

from agent_desk import app
from agent_desk.sessions import COOKIE
from cli.doctor import _certificates
from ctiserver.push import closing
from ctiserver.push.server import PushServer
from hotline import clock, tls
from hotline.db.engine import Database
from hotline.errors import BadSettings
from hotline.identity import token
from hotline.identity.people import NewPerson, create_person
from hotline.identity.roles import Role
from hotline.local_time import DAY_US
from hotline.settings import CtiSettings, DeskSettings, Settings, check
from tests.unit.test_desk import KEYS, PASSWORD, Browser, free_port
from tests.unit.test_desk_floor import Hall

PUSH = "/push?session=&seq=0"


def make_pair(where: Path, days: int = 30) -> tuple[Path, Path]:
    """A certificate for 127.0.0.1 that vouches for itself, and its key."""
    where.mkdir(exist_ok=True)
    certificate, key, request, names = (where / name for name in ("c.pem", "k.pem", "r.pem", "names"))
    names.write_text("subjectAltName=IP:127.0.0.1")
    curve = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj", "/CN=desk"]
    subprocess.run(["openssl", "req", "-new", *curve, "-keyout", key, "-out", request], check=True)
    signed = ["-signkey", key, "-days", str(days), "-extfile", names, "-out", certificate]
    subprocess.run(["openssl", "x509", "-req", "-in", request, *signed], check=True)
    return certificate, key


@pytest.fixture(scope="module")
def pairs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, tuple[Path, Path]]]:
    home = tmp_path_factory.mktemp("pairs")
    yield {name: make_pair(home / name, days) for name, days in (("first", 30), ("next", 90), ("gone", -1))}


@pytest.fixture
async def settings(
    database: Database, tmp_path: Path, pairs: dict[str, tuple[Path, Path]]
) -> AsyncIterator[Settings]:
    """A desk with a CTI server's push behind it."""
    async with database.begin() as session:
        new = NewPerson(number="9001", name="李班长", role=Role.SUPERVISOR)
        await create_person(session, new, PASSWORD, clock.now().utc_us)
    for source in pairs["first"]:
        shutil.copy(source, tmp_path)
    port = free_port()
    desk = DeskSettings(
        port=port,
        public_url=f"https://127.0.0.1:{port}",
        certificate=str(tmp_path / "c.pem"),
        certificate_key=str(tmp_path / "k.pem"),
    )
    plain = Settings(state_dir=str(tmp_path), desk=desk, cti=CtiSettings(push_port=0))
    pushing = PushServer(plain, KEYS.push_key, Hall(), lambda person: person)
    await pushing.start()
    yield msgspec.structs.replace(plain, cti=CtiSettings(push_port=pushing.port))
    await pushing.stop()


@pytest.fixture
async def served(
    settings: Settings, database: Database, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Settings]:
    monkeypatch.setattr(app, "_RENEWAL_S", 0.05)
    runner = await app.serve(settings, KEYS, database)
    yield settings
    await runner.cleanup()


@asynccontextmanager
async def browser(settings: Settings) -> AsyncIterator[Browser]:
    trust = ssl.create_default_context(cafile=settings.desk.certificate)
    jar, connector = aiohttp.CookieJar(unsafe=True), aiohttp.TCPConnector(ssl=trust)
    async with aiohttp.ClientSession(cookie_jar=jar, connector=connector) as http:
        yield Browser(http, settings.desk.public_url)


@pytest.mark.slow
async def test_pages_and_pushes_come_by_tls_at_one_port(served: Settings) -> None:
    async with browser(served) as one:
        answer = await one.log_in("9001")
        assert answer.status == 303 and answer.cookies[COOKIE]["secure"]
        async with one.http.get(f"{one.base}/wall") as wall:
            assert f"wss://127.0.0.1:{served.desk.port}/push" in await wall.text()
            assert wall.headers["Strict-Transport-Security"] == "max-age=31536000"
        word = token.mint(KEYS.push_key, "9001", Role.SUPERVISOR, None, clock.now().utc_us + DAY_US, "once")
        async with one.http.ws_connect(one.base + PUSH, origin=one.base) as socket:
            await socket.send_bytes(msgspec.json.encode({"token": word}))
            assert '"session"' in (await socket.receive()).data
        async with one.http.ws_connect(one.base + PUSH, origin=one.base) as socket:
            await socket.send_bytes(b'{"token":"forged"}')
            assert (await socket.receive()).data == closing.BAD_TOKEN
        with pytest.raises(aiohttp.WSServerHandshakeError, match="403"):
            await one.http.ws_connect(one.base + PUSH, origin="https://elsewhere.example")
    with pytest.raises(aiohttp.ClientConnectionError):
        async with aiohttp.ClientSession() as plain:
            await plain.get(f"http://127.0.0.1:{served.desk.port}/login")


@pytest.mark.slow
async def test_a_renewed_certificate_is_shown_and_nobody_is_logged_out(
    served: Settings, pairs: dict[str, tuple[Path, Path]]
) -> None:
    certificate, key = Path(served.desk.certificate), Path(served.desk.certificate_key)
    async with browser(served) as one:
        await one.log_in("9001")
        certificate.write_text("half writ")
        await asyncio.sleep(0.3)
        assert (await one.get("/wall"))[0] == 200
        for source in pairs["next"]:
            shutil.copy(source, certificate.parent)
        wanted = pairs["next"][0].read_text()
        address = ("127.0.0.1", served.desk.port)
        for _ in range(100):
            if await asyncio.to_thread(ssl.get_server_certificate, address) == wanted:
                break
            await asyncio.sleep(0.05)
        else:
            raise AssertionError("the renewed certificate was never shown")
        assert (await one.get("/wall"))[0] == 200
    assert 88 * DAY_US < tls.ends_us(certificate, key) - clock.now().utc_us < 91 * DAY_US


def test_a_pair_that_cannot_be_used_is_named_before_anybody_comes(
    pairs: dict[str, tuple[Path, Path]], tmp_path: Path
) -> None:
    certificate, key = pairs["first"]
    for pair, why in (
        ((certificate, pairs["next"][1]), "no such pair"),
        ((tmp_path / "none.pem", key), "No such file"),
        ((key, key), "no such pair"),
    ):
        with pytest.raises(BadSettings, match=why):
            tls.server_context(*pair)
    with pytest.raises(BadSettings, match="expired"):
        tls.ends_us(*pairs["gone"])


def test_the_doctor_looks_at_the_certificate(pairs: dict[str, tuple[Path, Path]]) -> None:
    def found(name: str, host: str = "10.1.2.3") -> tuple[bool, str]:
        certificate, key = map(str, pairs[name]) if name else ("", "")
        desk = DeskSettings(host=host, certificate=certificate, certificate_key=key)
        finding = _certificates(Settings(desk=desk))
        return finding.is_well, finding.found

    assert found("first") == (True, "valid for 29 days")
    assert found("gone")[0] is False and "expired" in found("gone")[1]
    assert found("") == (False, "plain text on 10.1.2.3")
    assert found("", "127.0.0.1")[0] is True


@pytest.mark.parametrize(
    ("desk", "why"),
    [
        (DeskSettings(certificate="/c.pem", public_url="https://desk.example"), "go together"),
        (DeskSettings(certificate="/c.pem", certificate_key="/k.pem"), "needs desk.public_url"),
    ],
)
def test_settings_that_could_not_serve_are_refused(desk: DeskSettings, why: str) -> None:
    with pytest.raises(BadSettings, match=why):
        check(Settings(desk=desk))
