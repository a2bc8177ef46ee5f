"""When a unit is open, how that is written, and how a table of units comes into the directory."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

import pytest
from msgspec.structs import replace
from typer.testing import CliRunner, Result

from agent_desk.listing import shown
from casework.calendar import is_workday
from cli.main import app
from cli.units import COLUMNS
from hotline.directory import demo_directory
from hotline.local_time import SHANGHAI
from hotline.office_hours import BadHours, form_zh, read, standing, standing_zh

DAY = "workdays 09:00-12:00,13:30-17:00"
UNIT = replace(demo_directory()[5], office_hours=DAY)


def at(text: str) -> int:
    """Shanghai's time as UTC microseconds."""
    return int(datetime.fromisoformat(text).replace(tzinfo=SHANGHAI).timestamp()) * 1_000_000


def told(form: str, when: str) -> str:
    return standing_zh(standing(read(form), at(when), is_workday), at(when))


@pytest.mark.parametrize(
    ("when", "words"),
    [
        ("2026-11-25 09:00", "上班中 至 12:00"),
        ("2026-11-25 08:59", "已下班 09:00 上班"),
        ("2026-11-25 12:00", "已下班 13:30 上班"),
        ("2026-11-25 16:59", "上班中 至 17:00"),
        ("2026-11-25 17:00", "已下班 明天 09:00 上班"),
        ("2026-11-27 17:00", "已下班 周一 09:00 上班"),
        ("2026-09-30 18:00", "已下班 10-08 09:00 上班"),  # the National Day's holidays
        ("2026-10-10 10:00", "上班中 至 12:00"),  # a Saturday that is worked (调休)
        ("2099-01-03 10:00", "已下班 周一 09:00 上班"),  # no calendar yet: Monday to Friday
    ],
)
def test_an_office_is_open_in_its_hours_on_working_days(when: str, words: str) -> None:
    assert told(DAY, when) == words


@pytest.mark.parametrize(
    ("form", "when", "words"),
    [
        ("always", "2026-10-01 03:00", "上班中"),
        ("mon-sun 05:30-22:00", "2026-10-01 05:30", "上班中 至 22:00"),
        ("mon-sun 00:00-02:00,20:00-24:00", "2026-11-25 23:00", "上班中 至 明天 02:00"),
        ("mon-fri 09:00-17:00; sat 09:00-12:00", "2026-11-28 10:00", "上班中 至 12:00"),
        ("sun 09:00-12:00", "2026-11-29 12:00", "已下班 12-06 09:00 上班"),
    ],
)
def test_hours_may_span_midnight_weekends_and_the_whole_day(form: str, when: str, words: str) -> None:
    assert told(form, when) == words


def test_hours_are_shown_as_people_write_them() -> None:
    assert form_zh(read("mon-fri 09:00-12:00,14:00-17:30; sat 09:00-12:00")) == (
        "周一至周五 09:00-12:00、14:00-17:30；周六 09:00-12:00"
    )
    assert form_zh(read(DAY)) == "工作日 09:00-12:00、13:30-17:00"
    assert form_zh(read("always")) == "每天 00:00-24:00"


@pytest.mark.parametrize(
    "form",
    [
        "",
        "09:00-12:00",
        "mon-fri",
        "fri-mon 09:00-12:00",
        "monday 09:00-12:00",
        "mon 9:00-12:00",
        "mon 12:00-09:00",
        "mon 09:00-24:01",
        "mon 09:00-12:00,11:00-13:00",
        "mon 09:00-12:00;",
        "mon ٠٩:00-12:00",
        "mon 09:00-12:00;" * 20,
    ],
)
def test_hours_in_another_form_are_refused(form: str) -> None:
    with pytest.raises(BadHours, match="office hours"):
        read(form)


def test_a_unit_beside_the_call_says_whether_it_is_open_and_when_that_ends() -> None:
    open_now = shown(UNIT, at("2026-11-25 10:00"))
    assert (open_now["is_open"], open_now["changes_us"]) == (True, at("2026-11-25 12:00"))
    assert shown(UNIT, at("2026-11-25 12:30"))["is_open"] is False


def test_a_unit_whose_hours_nobody_has_said_is_neither_open_nor_closed() -> None:
    unknown = shown(replace(UNIT, office_hours="", office_remark="先打值班室"), at("2026-11-25 10:00"))
    assert (unknown["is_open"], unknown["standing"], unknown["hours"]) == (None, "", "先打值班室")


def directory(tmp_path: Path, *words: str) -> Result:
    file = tmp_path / "hotline.toml"
    file.touch()
    return CliRunner().invoke(app, ["directory", *words, "--settings", str(file)])


def table(tmp_path: Path, *lines: str) -> str:
    path = tmp_path / "units.csv"
    path.write_text("\n".join((",".join(COLUMNS), *lines)), encoding="utf-8-sig")
    return str(path)


def test_a_table_of_units_comes_into_the_directory(tmp_path: Path) -> None:
    lines = table(
        tmp_path,
        'water,市水利局,sslj,city,05386991014;05386991114,"workdays 09:00-12:00,14:00-17:30",值班室在三楼',
        "bus,公交公司,gjgs,service,05386993004,,",
    )
    assert "2 units" in directory(tmp_path, "load", lines).stdout
    listed = directory(tmp_path, "list").stdout
    assert "05386991014 05386991114   workdays 09:00-12:00,14:00-17:30   市水利局" in listed
    assert "hours not known   公交公司" in listed


@pytest.mark.parametrize(
    ("line", "why"),
    [
        ("water,市水利局,sslj,city,05386991014,工作日,", "unit water: office hours"),
        ("water,市水利局,sslj,office,05386991014,,", "line 2: 'office' is none of"),
        ("water,市水利局,sslj,city,0538-699,,", "'0538-699' is not a number"),
        ("water,市水利局", "line 2: there must be 7 columns"),
        ("water,甲,j,city,12345678,,\nwater,乙,y,city,12345678,,", "two units have the id water"),
        ("water,甲,j,city,12345678,,\nfire,甲,y,city,12345678,,", "two units have the name 甲"),
    ],
)
def test_a_wrong_line_is_named_and_nothing_is_taken_in(tmp_path: Path, line: str, why: str) -> None:
    first = "bus,公交公司,gjgs,service,05386993004,,"
    answer = directory(tmp_path, "load", table(tmp_path, *line.split("\n"), first))
    assert answer.exception is not None
    assert why in str(answer.exception)
    assert directory(tmp_path, "list").stdout == ""
