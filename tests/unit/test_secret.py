"""Owns the tests of the hotline's secrets: made once, readable by their owner alone, shown to nobody."""

import stat
from pathlib import Path

import msgspec
import pytest

from hotline.errors import BadSettings
from hotline.secret import HookSecret, Secrets, hook_secret, load_or_create


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


def test_each_webhook_has_a_secret_of_its_own_that_stays(tmp_path: Path) -> None:
    first, other = hook_secret(tmp_path / "state", "police"), hook_secret(tmp_path / "state", "reports")
    assert first != other
    assert hook_secret(tmp_path / "state", "police") == first
    assert first.text.startswith("whsec_")
    assert len(first.key) == 32


def test_only_the_owner_can_read_a_webhooks_secret(tmp_path: Path) -> None:
    hook_secret(tmp_path / "state", "police")
    folder = tmp_path / "state" / "hook-secrets"
    assert [path.name for path in folder.iterdir()] == ["police"]
    assert [stat.S_IMODE(path.stat().st_mode) for path in (folder.parent, folder, folder / "police")] == [
        0o700,
        0o700,
        0o600,
    ]


def test_a_removed_secret_is_made_anew(tmp_path: Path) -> None:
    before = hook_secret(tmp_path, "police")
    (tmp_path / "hook-secrets" / "police").unlink()
    assert hook_secret(tmp_path, "police") != before


@pytest.mark.parametrize("text", ["", "whsec_", "whsec_AAAA", "whsec_!!", "hunter2", "whsec_" + "é" * 40])
def test_a_damaged_webhook_secret_signs_nothing(tmp_path: Path, text: str) -> None:
    (tmp_path / "hook-secrets").mkdir()
    (tmp_path / "hook-secrets" / "police").write_text(text, encoding="utf-8")
    with pytest.raises(BadSettings, match=r"hook-secrets/police") as refused:
        hook_secret(tmp_path, "police")
    assert "hunter2" not in str(refused.value)


def test_printing_a_webhooks_secret_does_not_show_it(tmp_path: Path) -> None:
    made = hook_secret(tmp_path, "police")
    assert [str(made), repr([made])] == ["HookSecret(…)", "[HookSecret(…)]"]
    assert HookSecret(b"k" * 32).text == "whsec_a2tra2tra2tra2tra2tra2tra2tra2tra2tra2tra2s="


def words_of(secrets: Secrets) -> list[str]:
    return [str(word) for word in msgspec.structs.astuple(secrets)]
