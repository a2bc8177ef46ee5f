"""Asterisk's own account on disk: what is read of it, and where reading begins."""

from __future__ import annotations

from pathlib import Path

import pytest

from ctiserver.store.cel import Mark, SwitchAccount

MINUTE_US = 60_000_000
NOON_US = 1_795_492_800_000_000


def line(uid: str, kind: str = "CHAN_START", at: str = "1795492351.816330", name: str = "市民") -> str:
    fields = [at, kind, uid, uid, "PJSIP/city-00000000", "13805380001", name, "12345", "from-pstn"]
    fields += ["Queue", "12345,cC", "", ""]
    return ",".join('"' + field.replace('"', '""') + '"' for field in fields) + "\n"


@pytest.fixture
def cel(tmp_path: Path) -> Path:
    return tmp_path / "hotline.csv"


@pytest.fixture
def marks(tmp_path: Path) -> Path:
    return tmp_path / "cti-mark.json"


def uids(account: SwitchAccount) -> list[str]:
    return [row.uid for row in account.rows()]


def test_a_row_is_read_column_by_column(cel: Path, marks: Path) -> None:
    cel.write_text(line("1.1", "APP_START"))
    (row,) = SwitchAccount(cel, marks).rows()
    assert row.at_us == 1_795_492_351_816_330
    assert (row.kind, row.uid, row.linkedid) == ("APP_START", "1.1", "1.1")
    assert row.channel == "PJSIP/city-00000000"
    assert (row.number, row.name, row.exten, row.app) == ("13805380001", "市民", "12345", "Queue")


def test_there_may_be_no_account_yet(cel: Path, marks: Path) -> None:
    assert SwitchAccount(cel, marks).rows() == []


def test_an_account_that_cannot_be_read_is_an_empty_one(cel: Path, marks: Path) -> None:
    cel.mkdir()
    assert SwitchAccount(cel, marks).rows() == []


def test_half_a_line_at_the_end_waits_until_it_is_whole(cel: Path, marks: Path) -> None:
    whole = line("1.2")
    account = SwitchAccount(cel, marks)
    for cut in range(len(whole)):
        cel.write_text(line("1.1") + whole[:cut])
        assert uids(account) == ["1.1"]
    cel.write_text(line("1.1") + whole)
    assert uids(account) == ["1.1", "1.2"]


def test_what_is_no_row_is_passed_over(cel: Path, marks: Path) -> None:
    cel.write_bytes(b"\n,,\nnonsense\n" + b'"x",' * 12 + b'"x"\n' + b"\xff\xfe\n" + line("1.1").encode())
    assert uids(SwitchAccount(cel, marks)) == ["1.1"]


@pytest.mark.parametrize("name", ['say "hello"', "a,b", "\ufffd", "", "'; DROP TABLE calls"])
def test_a_callers_name_cannot_break_the_line(cel: Path, marks: Path, name: str) -> None:
    cel.write_text(line("1.1", name=name) + line("1.2"))
    assert [row.name for row in SwitchAccount(cel, marks).rows()] == [name, "市民"]


@pytest.mark.parametrize(("at", "at_us"), [("5.5", 5_500_000), ("5", 5_000_000), ("5.0000009", 5_000_000)])
def test_a_time_is_read_to_the_microsecond(cel: Path, marks: Path, at: str, at_us: int) -> None:
    cel.write_text(line("1.1", at=at))
    assert SwitchAccount(cel, marks).rows()[0].at_us == at_us


def test_reading_begins_at_the_mark(cel: Path, marks: Path) -> None:
    account = SwitchAccount(cel, marks)
    cel.write_text(line("1.1"))
    account.note(7, 0, NOON_US)
    with cel.open("a") as file:
        file.write(line("1.2"))
    account.note(9, 0, NOON_US + MINUTE_US)
    assert account.mark == Mark(NOON_US, 7, len(line("1.1").encode()))
    assert uids(account) == ["1.2"]
    assert uids(SwitchAccount(cel, marks)) == ["1.2"]


def test_the_mark_stays_behind_the_oldest_open_call(cel: Path, marks: Path) -> None:
    account = SwitchAccount(cel, marks)
    cel.write_text(line("1.1"))
    began_us = NOON_US + 10 * MINUTE_US
    for minute in range(30):
        account.note(minute, began_us if minute >= 10 else 0, NOON_US + minute * MINUTE_US)
    assert account.mark.journal_seq == 9
    account.note(30, 0, NOON_US + 30 * MINUTE_US)
    assert account.mark.journal_seq == 29


def test_a_mark_so_young_that_a_call_may_have_begun_just_before_is_not_used(cel: Path, marks: Path) -> None:
    account = SwitchAccount(cel, marks)
    account.note(1, 0, NOON_US)
    account.note(2, 0, NOON_US + MINUTE_US // 4)
    assert account.mark == Mark()
    assert not marks.exists()


def test_a_clock_that_jumped_back_moves_no_mark_forward(cel: Path, marks: Path) -> None:
    account = SwitchAccount(cel, marks)
    account.note(1, 0, NOON_US)
    account.note(2, 0, NOON_US - 60 * MINUTE_US)
    assert account.mark == Mark()


def test_a_shorter_log_in_its_place_is_read_whole(cel: Path, marks: Path) -> None:
    account = SwitchAccount(cel, marks)
    cel.write_text(line("1.1") + line("1.2"))
    account.note(1, 0, NOON_US)
    account.note(2, 0, NOON_US + MINUTE_US)
    assert uids(account) == []
    cel.write_text(line("2.1"))
    assert uids(account) == ["2.1"]


def test_a_log_that_was_moved_away_is_an_empty_one_until_the_next(cel: Path, marks: Path) -> None:
    account = SwitchAccount(cel, marks)
    cel.write_text(line("1.1"))
    account.note(1, 0, NOON_US)
    account.note(2, 0, NOON_US + MINUTE_US)
    cel.rename(cel.with_suffix(".1"))
    assert uids(account) == []
    account.note(3, 0, NOON_US + 2 * MINUTE_US)
    assert account.mark.cel_bytes == len(line("1.1").encode())
    account.note(4, 0, NOON_US + 3 * MINUTE_US)
    assert account.mark.cel_bytes == 0


@pytest.mark.parametrize(
    "broken",
    [b"", b"{", b"[]", b'{"at_us": "x"}', b"\xff\xff", b'{"at_us":1,"journal_seq":-5,"cel_bytes":-9}'],
)
def test_a_broken_mark_reads_everything(cel: Path, marks: Path, broken: bytes) -> None:
    cel.write_text(line("1.1"))
    marks.write_bytes(broken)
    account = SwitchAccount(cel, marks)
    assert account.mark == Mark()
    assert uids(account) == ["1.1"]


def test_a_mark_that_cannot_be_saved_holds_for_this_run(cel: Path, tmp_path: Path) -> None:
    account = SwitchAccount(cel, tmp_path / "nowhere" / "mark.json")
    account.note(1, 0, NOON_US)
    account.note(2, 0, NOON_US + MINUTE_US)
    assert account.mark.journal_seq == 1
