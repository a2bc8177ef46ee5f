"""Owns the tests of a hotline's settings: what a file may say, and the one sentence when it may not."""

from pathlib import Path

import msgspec
import pytest

from hotline.errors import BadSettings
from hotline.settings import SeatSettings, Settings, check, load


def write(folder: Path, text: str) -> Path:
    path = folder / "hotline.toml"
    path.write_text(text, encoding="utf-8")
    return path


def hook(**other: str) -> str:
    fields = {"name": "'police'", "url": "'https://host/hooks'", **other}
    return "[[webhooks]]\n" + "".join(f"{name} = {value}\n" for name, value in fields.items())


def test_an_empty_file_gives_the_defaults_of_tai_an(tmp_path: Path) -> None:
    settings = load(write(tmp_path, ""))
    assert (settings.city, settings.area_code) == ("泰安", "0538")
    assert len(settings.seat_ids) == 57
    assert (settings.seat_ids[0], settings.seat_ids[-1]) == ("8001", "8057")


def test_the_defaults_themselves_pass_the_check() -> None:
    check(Settings())


def test_everything_listens_on_loopback_unless_told_otherwise() -> None:
    settings = Settings()
    hosts = {settings.switch.host, settings.cti.host, settings.ivr.host, settings.desk.host}
    assert hosts == {"127.0.0.1"}


def test_the_state_directory_lies_beside_the_settings_file(tmp_path: Path) -> None:
    settings = load(write(tmp_path, 'state_dir = "data"'))
    assert settings.state == (tmp_path / "data").resolve()
    assert settings.database == f"sqlite+aiosqlite:///{tmp_path.resolve() / 'data' / 'hotline.db'}"


def test_an_absolute_state_directory_is_taken_as_it_is(tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    assert load(write(tmp_path, f'state_dir = "{elsewhere}"')).state == elsewhere.resolve()


def test_recordings_lie_in_the_state_directory_unless_told_otherwise(tmp_path: Path) -> None:
    assert load(write(tmp_path, "")).recordings == tmp_path.resolve() / "var" / "recordings"
    elsewhere = tmp_path / "tapes"
    text = f'[recording]\nkeep_days = 365\ndirectory = "{elsewhere}"'
    assert load(write(tmp_path, text)).recordings == elsewhere


def test_a_database_url_in_the_file_wins_over_sqlite(tmp_path: Path) -> None:
    url = "postgresql+asyncpg://hotline@db/hotline"
    assert load(write(tmp_path, f'database_url = "{url}"')).database == url


def test_a_section_changes_only_what_it_names(tmp_path: Path) -> None:
    text = 'city = "济南"\n[seats]\ncount = 3\n[[trunks]]\nname = "city"\nhost = "10.0.0.7"'
    loaded = load(write(tmp_path, text))
    assert loaded.seat_ids == ("8001", "8002", "8003")
    assert [(trunk.name, trunk.host, trunk.port) for trunk in loaded.trunks] == [("city", "10.0.0.7", 5060)]
    assert (
        msgspec.structs.replace(
            loaded, city="泰安", seats=SeatSettings(), trunks=Settings().trunks, state_dir="var"
        )
        == Settings()
    )


@pytest.mark.parametrize(
    "url",
    [
        "https://hooks.example.org/12345?site=1",
        "https://8.8.8.8:8443/",
        "http://127.0.0.1:9000/x",
        "http://[::1]:9000/",
        "http://localhost/",
        "http://10.20.0.9/",
        "http://192.168.3.4/",
        "http://[fd00::7]/",
    ],
)
def test_a_webhook_may_go_by_https_anywhere_and_by_http_nearby(tmp_path: Path, url: str) -> None:
    (loaded,) = load(write(tmp_path, hook(url=f"'{url}'", events="['emergency.called']"))).webhooks
    assert (loaded.url, loaded.events, loaded.with_numbers) == (url, ("emergency.called",), False)


def test_a_refused_url_is_not_repeated(tmp_path: Path) -> None:
    with pytest.raises(BadSettings) as refused:
        load(write(tmp_path, hook(url="'http://8.8.8.8/?password=hunter2'")))
    assert "hunter2" not in str(refused.value)


def test_chinese_text_survives_the_file(tmp_path: Path) -> None:
    settings = load(write(tmp_path, 'city = "临沂"\nnot_ready_reasons = ["小休", "外出"]'))
    assert settings.city == "临沂"
    assert settings.not_ready_reasons == ("小休", "外出")


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("citty = 'x'", "citty"),
        ("[queue]\nring = 3", "ring"),
        ("city = 7", "$.city"),
        ("city = 'x", "hotline.toml"),
        ("node = 'N1'", "node:"),
        ("node = 'n1; drop'", "node:"),
        ("trunks = []", "at least one trunk"),
        ("[[trunks]]\nname = 'city'\nhost = 'a b'", "not an address"),
        ("[[trunks]]\nname = 'city'\nhost = \"x\\nallow=all\"", "not an address"),
        ("[[trunks]]\nname = '[city]'\nhost = '127.0.0.2'", "name '[city]'"),
        ("[[trunks]]\nname='city'\nhost='a'\n[[trunks]]\nname='city'\nhost='b'", "two trunks have one name"),
        ("outbound_trunk = 'moon'", "no trunk named 'moon'"),
        ("emergency_numbers = ['110&119']", "'110&119' is not a number"),
        ("[queue]\nnumber = '12'", "'12' is not a number"),
        ("[queue]\nnumber = '8001'", "seat's number too"),
        ("[queue]\nrepeat_within_min = -1", "repeat_within_min is 0"),
        ("[queue]\nlast_agent_within_h = -1", "last_agent_within_h is 0"),
        ("[queue]\nmiss_limit = -1", "miss_limit is 0"),
        ('[callback]\nkey = "22"', "is not one digit"),
        ('[callback]\nkey = "1"', "begins an emergency number"),
        ("[callback]\noffer_every_s = 1", "offer_every_s is 5"),
        ("[callback]\ntries = 0", "tries is 1"),
        ("[callback]\nretry_s = 0", "retry_s is 1"),
        ("[queue]\nmax_waiting = -1", "max_waiting of queue 12345"),
        ("[queue]\nhours = '8:30-17:30'", "hours of queue 12345"),
        ("[queue]\nhours = '08:30-24:00'", "hours of queue 12345"),
        ("[queue]\ndays = 'sun-mon'", "days of queue 12345"),
        ("[[skills]]\nid='e'\nname='企业'\nnumber='12346'\nhours='daily'", "hours of queue 12346"),
        ("[queue]\nname = ''", "name of queue 12345"),
        ("[[skills]]\nid='E'\nname='企业'\nnumber='12346'", "lower-case letters"),
        ("[[skills]]\nid='e'\nname=''\nnumber='12346'", "name of queue 12346"),
        ("[[skills]]\nid='e'\nname='企业'\nnumber='8001'", "no seat's"),
        ("[[skills]]\nid='e'\nname='企业'\nnumber='12345'", "two queues have one number"),
        ("[[skills]]\nid='e'\nname='企业'\nnumber='12346'\noverflow_s=-1", "overflow_s of e"),
        ("[[skills]]\nid='general'\nname='企业'\nnumber='12346'", "called general"),
        ("[[lines]]\nnumber='123a'\nqueue='12345'\nlabel='x'", "lines: number '123a'"),
        ("[[lines]]\nnumber='12345'\nqueue='12345'\nlabel='x'", "no queue's"),
        ("[[lines]]\nnumber='12319'\nqueue='12346'\nlabel='x'", "no queue's number"),
        ("[[lines]]\nnumber='12319'\nqueue='12345'\nlabel=''", "label of line 12319"),
        ("[queue]\nring_s = 0", "at least 1 second"),
        ("[queue]\nservice_level_s = -1", "at least 1 second"),
        ("[queue]\nnumber = '8901'", "a queue's number too"),
        ("[supervisors]\nfirst = 8057", "8057 is a seat's"),
        ("[supervisors]\ncount = -1", "count is 0 to 200"),
        ("[supervisors]\nfirst = 99", "first 100 to 99999"),
        ("[seats]\ncount = 0", "count is 1 to 2000"),
        ("[seats]\ncount = 2001", "count is 1 to 2000"),
        ("[seats]\nfirst = 99", "first 100 to 99999"),
        ("[seats]\nsoftphones = ['8058']", "'8058' is no seat"),
        ("[seats]\nsoftphones = ['8056-8058']", "no range of seats"),
        ("[seats]\nsoftphones = ['8020-8010']", "no range of seats"),
        ("[seats]\nsoftphones = ['all']", "'all' is no seat"),
        ("[switch]\nrtp_first = 12000", "rtp_first must be below"),
        ("[switch]\nrtp_last = 65536", "rtp_first must be below"),
        ("[switch]\nrtp_first = 80", "rtp_first must be below"),
        ("[desk]\nport = 0", "desk.port: 0"),
        ("[desk]\npublic_url = 'https://desk.example/'", "desk.public_url"),
        ("[desk]\npublic_url = 'desk.example'", "desk.public_url"),
        ('[desk]\npublic_url = "https://x; script-src *"', "desk.public_url"),
        ("[desk]\nport = 70000", "desk.port: 70000"),
        ("[desk]\nport = 8765", "both want port 8765"),
        ("[cti]\nmetrics_port = 8080", "both want port 8080"),
        ("[cti]\nmetrics_port = -1", "cti.metrics_port: -1"),
        (hook(name="'N 1'"), "name 'N 1'"),
        (hook() + hook(), "two webhooks have one name"),
        (hook(url="''"), "plain ASCII without blanks"),
        (hook(url="'https://host/a b'"), "plain ASCII without blanks"),
        (hook(url="'https://host/市民'"), "plain ASCII without blanks"),
        (hook(url="'ftp://host/'"), "must be https://host"),
        (hook(url="'https:///path'"), "must be https://host"),
        (hook(url="'https://host:0/'"), "must be https://host"),
        (hook(url="'https://host:70000/'"), "host or port that is none"),
        (hook(url="'https://[::1/'"), "host or port that is none"),
        (hook(url="'https://me:word@host/'"), "no user name, password"),
        (hook(url="'https://host/#part'"), "no user name, password"),
        (hook(url="'http://hooks.example.org/'"), "must be https: plain http"),
        (hook(url="'http://8.8.8.8/'"), "must be https: plain http"),
        (hook(url="'http://172.32.0.1/'"), "must be https: plain http"),
        (hook(url="'http://0.0.0.0/'"), "must be https: plain http"),
        (hook(events="['call.begun']"), "'call.begun' of police is none of call.offered"),
        (hook(timeout_s="0"), "timeout_s of police is 1 to 60"),
        (hook(timeout_s="61"), "timeout_s of police is 1 to 60"),
        ("[recording]\nkeep_days = 182", "recording.keep_days: 183"),
        ("[recording]\nkeep_days = 36501", "recording.keep_days: 183"),
        ("[recording]\ndirectory = 'tapes'", "absolute path"),
        ("not_ready_reasons = ['']", "not_ready_reasons"),
        ("not_ready_reasons = ['a;b']", "not_ready_reasons"),
        ("not_ready_reasons = ['a|b']", "not_ready_reasons"),
        ('not_ready_reasons = ["a\\nb"]', "not_ready_reasons"),
        ("not_ready_reasons = ['一二三四五六七八九十一二三四五六七八九十一']", "not_ready_reasons"),
    ],
)
def test_a_setting_that_cannot_work_is_refused_in_one_sentence(tmp_path: Path, text: str, says: str) -> None:
    with pytest.raises(BadSettings) as refused:
        load(write(tmp_path, text))
    message = str(refused.value)
    assert says in message
    assert "\n" not in message


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(BadSettings, match=r"cannot read settings file .*nowhere\.toml"):
        load(tmp_path / "nowhere.toml")


def test_a_file_that_is_not_utf8_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "hotline.toml"
    path.write_bytes("city = '泰安'".encode("gb18030"))
    with pytest.raises(BadSettings, match=r"hotline\.toml"):
        load(path)


def test_the_seats_that_talk_in_the_page_are_named_one_by_one_or_as_ranges() -> None:
    settings = Settings(seats=SeatSettings(softphones=("8003-8005", "8001")))
    assert settings.softphone_ids == ("8001", "8003", "8004", "8005")
    assert set(settings.desk_phone_ids) == set(settings.phone_ids) - set(settings.softphone_ids)
