"""Owns the tests of finding an Asterisk and the host's Debian mirror, and of the hold music."""

from __future__ import annotations

import array
import io
import stat
import wave
from pathlib import Path

import pytest

from asterisk_conf import install, mirror, music
from hotline.errors import SwitchUnavailable

DEB822 = """\
# The mirror nearest to us
Types: deb
URIs: http://mirror.example/debian
Suites: bookworm bookworm-updates
Components: main
Signed-By: /usr/share/keyrings/debian-archive-keyring.gpg

Types: deb
URIs: http://mirror.example/debian-security
Suites: bookworm-security
Components: main

Enabled: no
Types: deb
URIs: http://off.example/debian
Suites: bookworm
Components: main
"""
ONE_LINE = """\
# deb http://old.example/debian bookworm main
deb-src http://source.example/debian bookworm main
deb [arch=amd64 signed-by=/k.gpg] https://docker.example/linux/debian bookworm stable
deb [trusted=yes] http://frozen.example/debian/ bookworm main contrib # ours
deb http://security.example/debian-security bookworm-security main
"""


def apt(folder: Path, **texts: str) -> Path:
    (folder / "sources.list.d").mkdir()
    for name, text in texts.items():
        place = (
            folder / "sources.list" if name == "list" else folder / "sources.list.d" / name.replace("_", ".")
        )
        place.write_text(text)
    return folder


def line(folder: Path) -> str:
    source = mirror.debian_source(folder, "bookworm")
    assert source is not None
    return source.line("forky")


def test_the_mirror_is_read_from_the_newer_form(tmp_path: Path) -> None:
    keyring = "/usr/share/keyrings/debian-archive-keyring.gpg"
    expected = f"deb [signed-by={keyring}] http://mirror.example/debian forky main"
    assert line(apt(tmp_path, debian_sources=DEB822)) == expected


def test_the_mirror_is_read_from_the_one_line_form_with_its_trust(tmp_path: Path) -> None:
    assert line(apt(tmp_path, list=ONE_LINE)) == "deb [trusted=yes] http://frozen.example/debian/ forky main"


def test_a_mirror_with_an_odd_path_is_known_by_the_hosts_release(tmp_path: Path) -> None:
    folder = apt(tmp_path, site_list="deb http://cache.example/d12 bookworm main\n")
    assert line(folder) == "deb http://cache.example/d12 forky main"


def test_a_file_of_mirrors_gives_its_first(tmp_path: Path) -> None:
    (tmp_path / "mirrors").write_text(
        "# list\nhttp://one.example/debian/ priority:1\nhttp://two.example/debian/\n"
    )
    text = f"deb mirror+file:{tmp_path}/mirrors bookworm main\n"
    assert line(apt(tmp_path, list=text)) == "deb http://one.example/debian/ forky main"


def test_third_parties_and_security_are_no_debian_mirror(tmp_path: Path) -> None:
    text = (
        "deb https://n.example nodistro main\ndeb http://s.example/debian-security bookworm-security main\n"
    )
    assert mirror.debian_source(apt(tmp_path, list=text), "bookworm") is None


def program(folder: Path, version: str) -> Path:
    """A host whose PATH has an Asterisk of this version."""
    script = folder / "asterisk"
    script.write_text(f"#!/bin/sh\necho 'Asterisk {version}'\n")
    script.chmod(script.stat().st_mode | stat.S_IXUSR)
    return folder


def test_an_asterisk_that_is_too_old_or_half_installed_is_no_asterisk(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", f"{program(tmp_path, '18.9.0')}:/usr/bin:/bin")
    assert install.find(tmp_path / "cache") is None
    (tmp_path / "cache/asterisk/usr/sbin").mkdir(parents=True)
    (tmp_path / "cache/asterisk/usr/sbin/asterisk").write_text("")
    assert install.find(tmp_path / "cache") is None


def test_without_a_tool_to_fetch_one_the_sentence_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(SwitchUnavailable, match="no mmdebstrap"):
        install.install(tmp_path / "cache", lambda _: None)


def test_a_failed_installation_leaves_nothing_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tool = tmp_path / "mmdebstrap"
    tool.write_text('#!/bin/sh\nfor word; do case "$word" in */asterisk.new-*) mkdir "$word";; esac; done\n'
                    "echo 'E: the mirror is down' >&2\nexit 25\n")  # fmt: skip
    tool.chmod(0o700)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    source = mirror.Source("http://mirror.example/debian", ("bookworm",), ("main",))
    monkeypatch.setattr(mirror, "debian_source", lambda **_: source)
    monkeypatch.setattr(install, "_host_program", lambda: None)
    said: list[str] = []
    with pytest.raises(SwitchUnavailable, match="could not fetch Asterisk: E: the mirror is down"):
        install.install(tmp_path / "cache", said.append)
    assert [path.name for path in (tmp_path / "cache").iterdir()] == ["asterisk.lock"]
    assert "http://mirror.example/debian" in said[0]


def test_the_cache_can_be_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOTLINE_CACHE", str(tmp_path))
    assert install.cache_dir() == tmp_path
    monkeypatch.delenv("HOTLINE_CACHE")
    assert install.cache_dir() == Path.home() / ".cache" / "hotline-12345"


def samples() -> array.array[int]:
    with wave.open(io.BytesIO(music.compose())) as file:
        assert (file.getframerate(), file.getnchannels(), file.getsampwidth()) == (8000, 1, 2)
        return array.array("h", file.readframes(file.getnframes()))


def test_the_hold_music_is_soft_never_clips_and_joins_its_end_to_its_beginning() -> None:
    piece = samples()
    assert 30 * 8000 < len(piece) < 60 * 8000
    assert 2000 < max(map(abs, piece)) < 6000
    assert abs(piece[0]) < 50
    assert abs(piece[-1]) < 50


def test_the_hold_music_never_falls_silent_for_a_second() -> None:
    piece = samples()
    for start in range(0, len(piece) - 8000, 8000):
        assert max(map(abs, piece[start : start + 8000])) > 100, start / 8000


def test_the_hold_music_is_made_once(tmp_path: Path) -> None:
    made = music.ensure(tmp_path / "moh")
    before = made.stat().st_mtime_ns
    assert music.ensure(tmp_path / "moh") == made
    assert made.stat().st_mtime_ns == before
    assert sorted(path.name for path in made.parent.iterdir()) == ["hold.wav", "ringing"]
