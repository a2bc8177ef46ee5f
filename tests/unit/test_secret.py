"""Owns the tests of the hotline's secrets: made once, readable by their owner alone, shown to nobody."""

import stat
from pathlib import Path

import msgspec
import pytest

from hotline.errors import BadSettings
from hotline.secret import Secrets, load_or_create


def test_the_first_start_makes_secrets_and_the_second_reads_them(tmp_path: Path) -> None:
    made = load_or_create(tmp_path / "state")
    assert load_or_create(tmp_path / "state") == made


def test_two_hotlines_share_no_secret_and_no_word_serves_twice(tmp_path: Path) -> None:
    words = [*words_of(load_or_create(tmp_path / "a")), *words_of(load_or_create(tmp_path / "b"))]
    assert len(set(words)) == len(words)
    assert min(map(len, words)) >= 32


def test_only_the_owner_can_read_the_file_and_its_directory(tmp_path: Path) -> None:
    load_or_create(tmp_path / "state")
    assert stat.S_IMODE((tmp_path / "state" / "secrets.json").stat().st_mode) == 0o600
    assert stat.S_IMODE((tmp_path / "state").stat().st_mode) == 0o700


def test_printing_secrets_shows_none_of_them(tmp_path: Path) -> None:
    made = load_or_create(tmp_path)
    shown = f"{made} {made!r} {[made]}"
    assert not [word for word in words_of(made) if word in shown]


def test_a_damaged_file_is_refused_and_left_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / "secrets.json"
    path.write_text('{"ami_cti": "half', encoding="utf-8")
    with pytest.raises(BadSettings, match=r"secrets\.json; restore the file") as refused:
        load_or_create(tmp_path)
    assert "half" not in str(refused.value)
    assert path.read_text(encoding="utf-8") == '{"ami_cti": "half'


def test_a_state_directory_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("", encoding="utf-8")
    with pytest.raises(BadSettings, match=r"cannot write .*file/state/secrets\.json"):
        load_or_create(tmp_path / "file" / "state")


def words_of(secrets: Secrets) -> list[str]:
    return [str(word) for word in msgspec.structs.astuple(secrets)]
