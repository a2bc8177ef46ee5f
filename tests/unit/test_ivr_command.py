"""`hotline ivr …` at a terminal: what it changes, what it shows, and how a mistake is told."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest
from typer.testing import CliRunner

from casework.service import NewCase, open_case
from cli.main import app
from hotline import audit, clock
from hotline.db.engine import Database
from hotline.directory import demo_directory, save_units
from hotline.ivr_applied import applied_file
from hotline.ivr_settings import IvrSettings
from hotline.settings import load
from ivr.outlook import Outlook

pytestmark = pytest.mark.slow

Hotline = Callable[..., str]
SITE = """
state_dir = "."
[[skills]]
id = "enterprise"
name = "企业专席"
number = "12346"
[ivr]
[[ivr.modes]]
id = "storm"
greeting = "险情请拨119。"
queue = "12346"
[[ivr.keys]]
key = "2"
does = "case"
text = "查询诉求进度"
"""


@pytest.fixture
def file(tmp_path: Path, sqlite_template: Path) -> Path:
    shutil.copy(sqlite_template, tmp_path / "hotline.db")
    path = tmp_path / "hotline.toml"
    path.write_text(SITE)
    return path


@pytest.fixture
def hotline(file: Path) -> Hotline:
    def run(*words: str, is_well: bool = True) -> str:
        done = CliRunner().invoke(app, ["ivr", *words, "--settings", str(file)])
        assert (done.exit_code == 0) is is_well, done.output
        return done.output if is_well else str(done.exception)

    return run


def test_a_mode_is_switched_and_an_unknown_one_refused_with_the_known_ones(
    hotline: Hotline, file: Path
) -> None:
    assert hotline("mode").strip() == "normal"
    hotline("mode", "storm")
    assert hotline("mode").strip() == "storm"
    assert hotline("mode", "flood", is_well=False) == (
        "there is no mode 'flood'; the settings have normal, storm"
    )
    assert [entry.what for entry in asyncio.run(trail(file))] == ["ivr.mode"]


async def trail(file: Path) -> list[audit.Entry]:
    database = await Database.open(load(file).database)
    async with database.read() as session:
        found = await audit.newest(session, 10)
    await database.close()
    return found


def test_an_announcement_is_listed_until_it_is_withdrawn(hotline: Hotline) -> None:
    hotline("announce", "停水", "--hours", "2", "--queue", "12346")
    listed = hotline("announcements")
    assert "停水" in listed
    id_ = listed.split()[0]
    hotline("withdraw", id_)
    assert hotline("announcements") == ""
    assert "no announcement" in hotline("withdraw", "x", is_well=False)
    assert "no queue '9'" in hotline("announce", "停水", "--hours", "2", "--queue", "9", is_well=False)
    assert "1 to 200" in hotline("announce", "", "--hours", "2", is_well=False)


def test_a_nuisance_caller_is_restricted_with_a_reason_and_pardoned(hotline: Hotline, file: Path) -> None:
    hotline("restrict", "13805380001", "--days", "3", "--why", "骚扰")
    assert [entry.why for entry in asyncio.run(trail(file))] == ["骚扰"]
    hotline("pardon", "13805380001")
    assert "not restricted" in hotline("pardon", "13805380001", is_well=False)
    assert "say why" in hotline("restrict", "13805380001", "--days", "3", "--why", " ", is_well=False)
    wrong = hotline("restrict", "x", "--days", "3", "--why", "y", is_well=False)
    assert wrong == "'x' is not a citizen's telephone number"


def test_a_walk_shows_every_sentence_and_where_the_caller_goes(hotline: Hotline, file: Path) -> None:
    number = asyncio.run(a_case(file))
    seen = hotline("walk", "--caller", "13805380001", "--keys", "2,1")
    assert "查询诉求进度请按2，人工服务请按0，或稍候。" in seen
    assert "已经受理" in seen
    assert f"to queue 12345; path g.r.m2.s{number}.t1.u" in seen
    assert "119 was typed" in hotline("walk", "--keys", "119")


def test_an_announcement_for_a_district_is_not_played_to_a_caller_whose_case_lies_elsewhere(
    hotline: Hotline, file: Path
) -> None:
    asyncio.run(a_case(file))
    wrong = hotline("announce", "停水", "--hours", "2", "--district", "月亮区", is_well=False)
    assert "there is no district '月亮区'; the directory has 泰山区" in wrong
    hotline("announce", "岱岳区停水", "--hours", "2", "--district", "岱岳区")
    hotline("announce", "泰山区停水", "--hours", "2", "--district", "泰山区")
    seen = hotline("walk", "--caller", "13805380001", "--keys", "0")
    assert "泰山区停水" in seen and "岱岳区停水" not in seen
    assert "岱岳区停水" in hotline("walk", "--keys", "0"), "who withholds the number may live anywhere"


async def a_case(file: Path) -> str:
    database = await Database.open(load(file).database)
    new = NewCase(
        citizen="+8613805380001",
        title="路灯",
        text="不亮",
        unit="住建局",
        actor="1001",
        place="泰山区岱庙街道",
    )
    async with database.begin() as session:
        await save_units(session, demo_directory())
    case = await open_case(database, new, "n1", clock.now().utc_us)
    await database.close()
    return case.number  # type: ignore[union-attr]


async def test_settings_that_were_applied_are_in_force_without_a_restart(file: Path) -> None:
    outlook = Outlook(load(file))
    try:
        file.write_text(SITE.replace('key = "2"', 'key = "7"'))
        await asyncio.to_thread(CliRunner().invoke, app, ["ivr", "apply", "--settings", str(file)])
        await outlook.look()
        assert [key.key for key in outlook.settings.ivr.keys] == ["7"]
        applied_file(outlook.settings).write_text("{")
        await outlook.look()
        assert [key.key for key in outlook.settings.ivr.keys] == ["7"]
        applied_file(outlook.settings).write_bytes(msgspec.json.encode(IvrSettings()))
        await outlook.look()
        assert outlook.settings.ivr.keys == ()
    finally:
        await outlook.stop()


async def test_what_was_known_last_holds_while_the_database_is_away(file: Path, hotline: Hotline) -> None:
    outlook = Outlook(load(file))
    try:
        await asyncio.to_thread(hotline, "mode", "storm")
        await outlook.look()
        assert outlook.standing.mode == "storm"
        await outlook.stop()
        (file.parent / "hotline.db").rename(file.parent / "away.db")
        lonely = Outlook(load(file))
        lonely.standing = outlook.standing
        await lonely.look()
        assert lonely.standing.mode == "storm"
    finally:
        await outlook.stop()
