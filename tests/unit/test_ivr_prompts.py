"""The prompts that callers hear, rendered with the real espeak-ng and sox."""

from __future__ import annotations

import math
import shutil
import subprocess
import sys
import threading
import time
import wave
from array import array
from itertools import pairwise
from pathlib import Path

import pytest

from hotline.errors import BadSettings
from hotline.ivr_settings import DIALECT, IvrSettings, KeySettings
from hotline.settings import Settings, check
from ivr import dialect, lint, prompts
from ivr.catalogue import load_catalogue
from ivr.errors import PromptFailed, PromptToolMissing
from ivr.flows.greeting import PROMPTS
from ivr.prompts import main, render_all, render_hotline
from ivr.script import MENU, all_texts

pytestmark = pytest.mark.slow

REPOSITORY = Path(__file__).parents[2]


def frames(path: Path) -> bytes:
    """The samples of a wav that Asterisk plays as it is."""
    with wave.open(str(path)) as file:
        assert (file.getframerate(), file.getnchannels(), file.getsampwidth()) == (8000, 1, 2)
        return file.readframes(file.getnframes())


def seconds(path: Path) -> float:
    return len(frames(path)) / 16000


def peak(sound: bytes) -> int:
    return max(abs(sample) for sample in array("h", sound))


def rms(sound: bytes) -> float:
    samples = array("h", sound)
    return math.sqrt(sum(sample * sample for sample in samples) / len(samples))


def hertz(sound: bytes) -> float:
    """The pitch of a pure tone: half of its sign changes a second."""
    samples = array("h", sound)
    changes = sum((a < 0) != (b < 0) for a, b in pairwise(samples))
    return changes / 2 / (len(samples) / 8000)


def tone(path: Path, pitch: int = 440) -> Path:
    """A studio recording: 44.1 kHz, stereo, with half a second of silence on both ends."""
    path.parent.mkdir(parents=True, exist_ok=True)
    make = ["sox", "-n", "-r", "44100", "-c", "2", str(path), "synth", "1", "sine", str(pitch)]
    subprocess.run([*make, "pad", "0.5", "0.5"], check=True)
    return path


@pytest.fixture(scope="module")
def zh(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """All prompts of Tai'an, rendered once."""
    out = tmp_path_factory.mktemp("sounds") / "zh"
    started = time.monotonic()
    assert render_all(out, city="泰安") == len(load_catalogue().names())
    assert time.monotonic() - started < 10
    return out


def test_every_prompt_is_telephone_sound_that_can_be_heard(zh: Path) -> None:
    for name in load_catalogue().names():
        sound = frames(zh / f"{name}.wav")
        assert len(sound) > 16000 * 0.3, name
        assert rms(sound) > 1500, name
        assert peak(sound) > 20000, name


def test_no_prompt_begins_or_ends_with_a_pause(zh: Path) -> None:
    for name in load_catalogue().names():
        sound = frames(zh / f"{name}.wav")
        assert peak(sound[:2400]) > 300, name
        assert peak(sound[-4800:]) > 300, name


def test_the_greeting_leaves_time_before_the_dialplan_gives_the_ivr_up(zh: Path) -> None:
    assert 4 < sum(seconds(zh / f"{name}.wav") for name in PROMPTS) < 12


def zh_number(number: int) -> set[str]:
    """The files that Asterisk's ast_say_number_full_zh plays for a number below a hundred million."""
    if number < 10:
        return {f"digits/{number}"}
    if number < 100:
        rest = zh_number(number % 10) if number % 10 else set()
        return {f"digits/{number // 10 * 10}"} | rest
    for unit, name in ((10_000, "wan"), (1000, "thousand"), (100, "hundred")):
        if number >= unit:
            rest = zh_number(number % unit) | {"digits/0"} if number % unit else set()
            return zh_number(number // unit) | {f"digits/{name}"} | rest
    raise AssertionError(number)


@pytest.mark.parametrize("number", [*range(121), 200, 305, 999, 1000, 1024, 9999, 10_000, 12_345, 99_999_999])
def test_asterisk_can_say_every_number_in_chinese(number: int) -> None:
    assert zh_number(number) <= set(load_catalogue().names())


def test_app_queue_finds_every_prompt_that_it_plays_by_default() -> None:
    names = "youarenext thereare callswaiting quantity1 quantity2 holdtime minutes minute seconds thankyou"
    wanted = {f"queue-{name}" for name in (*names.split(), "reporthold", "periodic-announce")}
    assert wanted <= set(load_catalogue().names())


def zh_faults(zh: Path) -> list[str]:
    return lint.sounds(zh, load_catalogue().names())


def test_every_prompt_is_played_and_every_prompt_played_has_a_sound(zh: Path) -> None:
    assert lint.all_of(load_catalogue(), zh, {"zh": ()}) == []


def test_a_prompt_that_is_missing_silent_or_clipped_is_found(zh: Path, tmp_path: Path) -> None:
    out = tmp_path / "zh"
    subprocess.run(["cp", "-r", str(zh), str(out)], check=True)
    (out / "hotline/greeting.wav16").unlink()
    still = ["sox", "-n", "-r", "8000", "-b", "16", str(out / "hotline/busy.wav"), "trim", "0", "2"]
    subprocess.run(still, check=True)
    loud = ["sox", str(zh / "hotline/closed.wav"), str(out / "hotline/closed.wav"), "gain", "20"]
    subprocess.run(loud, check=True)
    (out / "digits/7.wav").write_bytes(b"no sound")
    found = "\n".join(zh_faults(out))
    assert "greeting.wav16 is missing" in found
    assert "busy.wav is silent" in found
    assert "closed.wav is clipped" in found
    assert "digits/7.wav cannot be read" in found
    assert len(found.splitlines()) == 4


def test_a_prompt_without_text_and_a_text_that_nobody_plays_are_found() -> None:
    catalogue = load_catalogue()
    played = lint.spoken_of(["Playback(hotline/busy)", 'SAID = "hotline/no-such-thing"'])
    found = lint.texts(catalogue, played)
    assert "hotline/no-such-thing is played and has no text" in found
    assert "hotline/greeting is never played" in found
    assert "hotline/busy is never played" not in found


def test_telephones_get_8_khz_and_wideband_ones_16(zh: Path) -> None:
    with wave.open(str(zh / "hotline/greeting.wav16")) as file:
        assert file.getframerate() == 16000
        wide = file.getnframes() / 16000
    assert wide == pytest.approx(seconds(zh / "hotline/greeting.wav"), abs=0.05)


def test_english_has_every_sentence_that_mandarin_has_but_chinese_units(tmp_path: Path) -> None:
    catalogue = load_catalogue()
    assert set(catalogue.names()) - set(catalogue.names("en")) == {"digits/wan", "digits/yi"}
    assert render_all(tmp_path / "en", city="泰安", language="en") == len(catalogue.names("en"))
    assert lint.sounds(tmp_path / "en", catalogue.names("en")) == []


def test_a_sites_own_engine_speaks_and_a_change_of_engine_makes_everything_anew(
    tmp_path: Path, zh: Path
) -> None:
    out = tmp_path / "zh"
    subprocess.run(["cp", "-r", str(zh), str(out)], check=True)
    engine = tmp_path / "engine"
    engine.write_text('#!/bin/sh\ncat > "$1.txt"\nsox -n -r 22050 "$1" synth 1 sine 500\n')
    engine.chmod(0o755)
    command = (str(engine), "{out}")
    assert render_all(out, city="泰安", command=command) == len(load_catalogue().names())
    assert hertz(frames(out / "hotline/greeting.wav")[3200:-4800]) == pytest.approx(500, rel=0.02)
    assert render_all(out, city="泰安", command=command) == 0


def test_an_engine_that_is_missing_fails_or_writes_nothing_is_named(tmp_path: Path) -> None:
    with pytest.raises(PromptToolMissing, match=r"^/no/engine is missing"):
        render_all(tmp_path / "zh", city="泰安", command=("/no/engine", "{out}"))
    with pytest.raises(PromptFailed, match=r"true wrote no file$"):
        render_all(tmp_path / "zh", city="泰安", command=("true", "{out}"))


def phonemes(text: str) -> str:
    """What the synthesiser makes of a text, as espeak-ng mnemonics."""
    command = ["espeak-ng", "-q", "-x", "-v", load_catalogue().voices["zh"].voice, "--stdin"]
    return subprocess.run(command, input=text, capture_output=True, text=True, check=True).stdout


def test_no_prompt_is_spelt_in_english_letters() -> None:
    catalogue = load_catalogue()
    for name in catalogue.names():
        assert "(en)" not in phonemes(catalogue.spoken(name, "泰安")), name


def test_the_hotlines_number_is_read_digit_by_digit() -> None:
    spoken = load_catalogue().spoken("hotline/greeting", "泰安")
    assert "12345" not in spoken
    assert phonemes("yao1 er4 san1 si4 wu3 zheng4").strip() in phonemes(spoken)


def test_a_city_with_an_odd_reading_is_read_right() -> None:
    catalogue = load_catalogue()
    assert "重庆" in catalogue.text("hotline/greeting", "重庆")
    assert "chong2 qing4" in catalogue.spoken("hotline/greeting", "重庆")


def test_nothing_is_rendered_twice(zh: Path) -> None:
    before = {path: path.stat().st_mtime_ns for path in zh.rglob("*.wav")}
    assert render_all(zh, city="泰安") == 0
    assert {path: path.stat().st_mtime_ns for path in zh.rglob("*.wav")} == before
    assert not [path for path in zh.iterdir() if path.name.startswith(".prompts-")]


def test_another_city_changes_only_what_names_it(zh: Path, tmp_path: Path) -> None:
    out = tmp_path / "zh"
    subprocess.run(["cp", "-r", str(zh), str(out)], check=True)
    assert render_all(out, city="济南") == 1
    assert frames(out / "hotline/greeting.wav") != frames(zh / "hotline/greeting.wav")
    assert frames(out / "hotline/recording.wav") == frames(zh / "hotline/recording.wav")


def test_a_sound_file_that_was_deleted_comes_back(tmp_path: Path, zh: Path) -> None:
    out = tmp_path / "zh"
    subprocess.run(["cp", "-r", str(zh), str(out)], check=True)
    (out / "digits/7.wav").unlink()
    (out / "digits/8.wav").unlink()
    assert render_all(out, city="泰安") == 2
    assert frames(out / "digits/7.wav") == frames(zh / "digits/7.wav")


def test_a_broken_manifest_costs_time_and_nothing_else(tmp_path: Path) -> None:
    render_all(tmp_path, city="泰安")
    (tmp_path / prompts.MANIFEST).write_bytes(b'{"hotline/greeting": 1')
    assert render_all(tmp_path, city="泰安") == len(load_catalogue().names())
    assert render_all(tmp_path, city="泰安") == 0


def test_a_studio_recording_takes_the_synthetic_voices_place(tmp_path: Path, zh: Path) -> None:
    studio, out = tmp_path / "studio", tmp_path / "zh"
    recording = tone(studio / "hotline/greeting.wav")
    said: list[str] = []
    assert render_all(out, city="泰安", spoken=(studio,), say=said.append) > 1
    assert len(said) == 1
    played = frames(out / "hotline/greeting.wav")
    assert 1.0 < len(played) / 16000 < 1.4
    assert hertz(played[3200:-4800]) == pytest.approx(440, rel=0.02)
    tone(recording, pitch=600)
    assert render_all(out, city="泰安", spoken=(studio,)) == 1
    recording.unlink()
    assert render_all(out, city="泰安", spoken=(studio,)) == 1
    assert frames(out / "hotline/greeting.wav") == frames(zh / "hotline/greeting.wav")


def test_a_studio_recording_that_is_no_sound_is_named(tmp_path: Path) -> None:
    (tmp_path / "queue-thankyou.wav").write_bytes(b"not a wav at all")
    with pytest.raises(PromptFailed, match=r"^prompt queue-thankyou: .*queue-thankyou\.wav: "):
        render_all(tmp_path / "zh", city="泰安", spoken=(tmp_path,))


def test_a_silent_studio_recording_is_refused(tmp_path: Path) -> None:
    silence = ["sox", "-n", "-r", "48000", str(tmp_path / "queue-thankyou.wav"), "trim", "0", "3"]
    subprocess.run(silence, check=True)
    with pytest.raises(PromptFailed, match=r"^prompt queue-thankyou: .* is only silence$"):
        render_all(tmp_path / "zh", city="泰安", spoken=(tmp_path,))


def test_asterisk_never_sees_half_a_file(tmp_path: Path) -> None:
    out = tmp_path / "zh"
    render_all(out, city="泰安")
    stop, seen = threading.Event(), []

    def play() -> None:
        while not stop.is_set():
            seen.append(len(frames(out / "hotline/greeting.wav")))

    player = threading.Thread(target=play)
    player.start()
    for city in ("济南", "青岛", "泰安"):
        assert render_all(out, city=city) == 1
    stop.set()
    player.join()
    assert seen
    assert min(seen) > 16000 * 3


@pytest.mark.parametrize("tool", ["espeak-ng", "sox"])
def test_a_missing_program_is_named_with_what_to_do(
    tool: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    programs = tmp_path / "bin"
    programs.mkdir()
    for present in {"espeak-ng", "sox"} - {tool}:
        (programs / present).symlink_to(f"/usr/bin/{present}")
    monkeypatch.setenv("PATH", str(programs))
    with pytest.raises(PromptToolMissing, match=rf"^{tool} is missing, .*: install the package {tool}$"):
        render_all(tmp_path / "zh", city="泰安")


@pytest.mark.parametrize("city", ["", "泰安" * 11, "--stdin", "泰 安", "泰安\n", "../泰安", "[[h'El@U]]"])
def test_a_city_that_cannot_be_spoken_is_refused(city: str, tmp_path: Path) -> None:
    with pytest.raises(BadSettings, match=r"^city: "):
        render_all(tmp_path / "zh", city=city)


def test_a_directory_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "zh").write_text("a file stands where the directory should be")
    with pytest.raises(PromptFailed, match=r"^cannot write prompts into .*zh: "):
        render_all(tmp_path / "zh", city="泰安")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "voices: 1",
        "voices: {zh: {voice: cmn, words_per_minute: 1}}\nreadings: {}\nprompts: {../x: {zh: x}}",
        "voices: {}\nreadings: {}\nprompts: {x: {zh: x}}",
        "prompts: [",
        "\udcff",
    ],
)
def test_a_catalogue_that_makes_no_sense_is_named(text: str, tmp_path: Path) -> None:
    path = tmp_path / "catalogue.yaml"
    path.write_bytes(text.encode(errors="surrogateescape"))
    with pytest.raises(PromptFailed, match=r"^prompt catalogue .*catalogue\.yaml: "):
        load_catalogue(path)


def test_the_command_renders_and_says_how_many(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "ivr.prompts", "--out", str(tmp_path / "zh"), "--city", "泰安"]
    done = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "zh/hotline/greeting.wav").is_file()
    assert f"{len(load_catalogue().names())} prompts made" in done.stderr


def test_the_command_ends_with_2_and_a_sentence(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert main(["--out", str(tmp_path / "zh"), "--city", "泰安"]) == 2
    assert capsys.readouterr().err.startswith("error: sox is missing")


def dialect_site(studio: Path) -> Settings:
    key = KeySettings(key="8", does="language", language=DIALECT, text="说方言请按8")
    ivr = IvrSettings(languages=("zh", DIALECT), studio=str(studio), keys=(key,))
    return Settings(state_dir=str(studio.parent / "state"), ivr=ivr)


def test_a_dialect_is_offered_once_four_fifths_are_recorded_and_only_recordings_are_made_of_it(
    tmp_path: Path, zh: Path
) -> None:
    site = dialect_site(tmp_path / "studio")
    recorded = sorted((zh / "hotline").glob("*.wav"))
    assert dialect.usable(site).ivr.keys == ()
    for n, path in enumerate(recorded, start=1):
        kept = tmp_path / "studio" / DIALECT / "hotline" / path.name
        kept.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(path, kept)
        is_offered = bool(dialect.usable(site).ivr.keys)
        assert is_offered == (n >= 0.8 * len(recorded))
        if is_offered:
            break
    texts = all_texts(dialect.usable(site))
    assert set(texts) == {"zh"} and "说方言请按8" in texts["zh"][MENU]
    sounds = tmp_path / "sounds" / "zh"
    assert render_hotline(sounds, site, texts) > n
    made = {path.name for path in (tmp_path / "sounds" / "zh_FY").rglob("*.wav")}
    assert made == {path.name for path in recorded[:n]}
    assert dialect.missing(site) != []
    assert lint.all_of(load_catalogue(), sounds, texts) == [], "what it lacks is no fault of Mandarin's"


def test_a_dialect_without_a_studio_is_refused() -> None:
    with pytest.raises(BadSettings, match="no engine speaks it"):
        check(Settings(ivr=IvrSettings(languages=("zh", DIALECT))))
