"""Owns the Mandarin prompts (语音提示): their texts and sound files. The flows decide when they play."""

from __future__ import annotations

import argparse
import hashlib
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import msgspec

from hotline.errors import BadSettings, HotlineError
from hotline.settings import CallbackSettings
from ivr.errors import PromptFailed, PromptToolMissing

CATALOGUE = Path(__file__).with_name("catalogue.toml")
MANIFEST = ".prompts.json"
TOOL_S = 30.0
"""No sentence takes espeak-ng or sox longer than this; beyond it they hang."""
WORKERS = 4

_NAME = re.compile(r"[a-z0-9][a-z0-9-]*(/[a-z0-9][a-z0-9-]*)?")
_CITY = re.compile(r"[^\W_]{1,20}")
_TELEPHONE = ("-c", "1", "-b", "16")
"""What Asterisk plays without transcoding work: 8 kHz, mono, 16 bit."""
_TRIM = ("silence", "1", "0.01", "0.3%")
_EFFECTS = ("rate", "8000", "highpass", "150", *_TRIM, "reverse", *_TRIM, "reverse",
            "pad", "0.06", "0.12", "gain", "-n", "-3")  # fmt: skip
_WAV_HEADER, _BYTES_PER_S = 44, 8000 * 2
_SHORTEST_BYTES = _WAV_HEADER + int(_BYTES_PER_S * (0.06 + 0.12 + 0.05))
"""WAV header, the padding, and 50 ms of sound: what is shorter says nothing."""

CALLBACK_KEY = CallbackSettings().key
"""What callers are asked to press where nothing else is said."""

Say = Callable[[str], None]


class Catalogue(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The texts by sound name, and how the synthesiser is to read them."""

    voice: str
    words_per_minute: int
    readings: dict[str, str]
    prompts: dict[str, str]

    def text(self, name: str, city: str, callback_key: str = CALLBACK_KEY) -> str:
        """The sentence as a person would read it aloud in the studio."""
        return self.prompts[name].replace("{city}", city).replace("{callback_key}", callback_key)

    def spoken(self, name: str, city: str, callback_key: str = CALLBACK_KEY) -> str:
        """The sentence as the synthesiser gets it: with pinyin where it would misread."""
        text = self.text(name, city, callback_key)
        for written, pinyin in self.readings.items():
            text = text.replace(written, f" {pinyin} ")
        return text


class _Job(msgspec.Struct, frozen=True):
    """One sound file to be made; `digest` tells whether the file we have is still this one."""

    name: str
    digest: str
    spoken: str
    recording: Path | None


def load_catalogue(path: Path = CATALOGUE) -> Catalogue:
    """Read and check the catalogue; PromptFailed says what is wrong with it."""
    try:
        catalogue = msgspec.toml.decode(path.read_bytes(), type=Catalogue)
    except (OSError, msgspec.DecodeError, UnicodeDecodeError) as error:
        raise PromptFailed(f"prompt catalogue {path}: {error}") from error
    for name in catalogue.prompts:
        if not _NAME.fullmatch(name):
            raise PromptFailed(f"prompt catalogue {path}: {name!r} cannot be a sound file's name")
    return catalogue


def render_all(
    out: Path,
    *,
    city: str,
    callback_key: str = CALLBACK_KEY,
    studio: Path | None = None,
    say: Say = lambda line: None,
) -> int:
    """Make every prompt's wav below `out` (Asterisk's sounds/zh); return how many had to be made anew.

    A file whose text, voice and recording have not changed is left alone. `studio`/<name>.wav, of any rate,
    takes the synthetic voice's place. Files are replaced whole, so Asterisk never plays half of one.
    """
    if not _CITY.fullmatch(city):
        raise BadSettings(f"city: {city!r} must be 1 to 20 letters, for callers hear it")
    catalogue = load_catalogue()
    known = _read_manifest(out)
    jobs = [
        _job(name, catalogue.spoken(name, city, callback_key), catalogue, studio)
        for name in catalogue.prompts
    ]
    stale = [job for job in jobs if known.get(job.name) != job.digest or not _file(out, job.name).is_file()]
    if stale:
        _require_tools(stale)
        say(f"rendering {len(stale)} of {len(jobs)} prompts into {out}")
        _render(out, stale, catalogue)
        _write(out / MANIFEST, msgspec.json.encode({job.name: job.digest for job in jobs}))
    return len(stale)


def length_s(out: Path, name: str) -> float | None:
    """How long a prompt below `out` speaks; None when its file is not there."""
    try:
        return max(0, _file(out, name).stat().st_size - _WAV_HEADER) / _BYTES_PER_S
    except OSError:
        return None


def _job(name: str, spoken: str, catalogue: Catalogue, studio: Path | None) -> _Job:
    """What `name` needs; the digest covers everything that the sound depends on."""
    recording = studio / f"{name}.wav" if studio else None
    if recording is None or not recording.is_file():
        recording = None
    digest = hashlib.sha256(repr((_EFFECTS, _TELEPHONE)).encode())
    if recording:
        digest.update(recording.read_bytes())
    else:
        digest.update(f"{catalogue.voice} {catalogue.words_per_minute} {spoken}".encode())
    return _Job(name, digest.hexdigest(), spoken, recording)


def _file(out: Path, name: str) -> Path:
    return out / f"{name}.wav"


def _read_manifest(out: Path) -> Mapping[str, str]:
    """Digests of the files we made. No readable manifest means none: all are made again."""
    try:
        return msgspec.json.decode((out / MANIFEST).read_bytes(), type=dict[str, str])
    except (OSError, msgspec.DecodeError):
        return {}


def _require_tools(jobs: list[_Job]) -> None:
    speaks = any(job.recording is None for job in jobs)
    for tool in ("sox", "espeak-ng") if speaks else ("sox",):
        if shutil.which(tool) is None:
            raise PromptToolMissing(
                f"{tool} is missing, callers' prompts need it: install the package {tool}"
            )


def _render(out: Path, jobs: list[_Job], catalogue: Catalogue) -> None:
    try:
        for folder in {_file(out, job.name).parent for job in jobs}:
            folder.mkdir(parents=True, exist_ok=True)
        with (
            tempfile.TemporaryDirectory(prefix=".prompts-", dir=out) as name,
            ThreadPoolExecutor(WORKERS) as pool,
        ):
            work = Path(name)
            list(pool.map(lambda job: _render_one(work, out, job, catalogue), jobs))
    except OSError as error:
        raise PromptFailed(f"cannot write prompts into {out}: {error.strerror}") from error


def _render_one(work: Path, out: Path, job: _Job, catalogue: Catalogue) -> None:
    stem = job.name.replace("/", "_")
    source = job.recording
    if source is None:
        source = work / f"{stem}.raw.wav"
        speed = str(catalogue.words_per_minute)
        _run(job, ["espeak-ng", "-v", catalogue.voice, "-s", speed, "--stdin", "-w", str(source)], job.spoken)
    made = work / f"{stem}.wav"
    _run(job, ["sox", "-D", str(source), *_TELEPHONE, str(made), *_EFFECTS])
    if made.stat().st_size < _SHORTEST_BYTES:
        raise PromptFailed(f"prompt {job.name}: {job.recording or 'the synthetic voice'} is only silence")
    made.replace(_file(out, job.name))


def _run(job: _Job, command: list[str], text: str = "") -> None:
    try:
        subprocess.run(command, input=text.encode(), capture_output=True, check=True, timeout=TOOL_S)
    except subprocess.TimeoutExpired as error:
        raise PromptFailed(f"prompt {job.name}: {command[0]} did not finish within {TOOL_S:.0f} s") from error
    except subprocess.CalledProcessError as error:
        said = error.stderr.decode(errors="replace").strip().splitlines()
        reason = said[-1] if said else "failed without a word"
        raise PromptFailed(f"prompt {job.name}: {job.recording or command[0]}: {reason}") from error


def _write(path: Path, data: bytes) -> None:
    """Replace `path` whole or not at all."""
    fresh = path.with_name(f"{path.name}.{os.getpid()}")
    try:
        fresh.write_bytes(data)
        fresh.replace(path)
    except OSError as error:
        raise PromptFailed(f"cannot write {path}: {error.strerror}") from error


def main(argv: list[str] | None = None) -> int:
    """Run `python -m ivr.prompts`; 0 when all prompts are there, 2 with a sentence that says why not."""
    parser = argparse.ArgumentParser(prog="ivr.prompts", description="Render the prompts that callers hear.")
    parser.add_argument("--out", type=Path, required=True, help="Asterisk's sounds/zh directory")
    parser.add_argument("--city", required=True, help="the city's name as callers hear it")
    parser.add_argument("--studio", type=Path, help="recordings that replace the synthetic voice: NAME.wav")
    options = parser.parse_args(argv)
    try:
        made = render_all(options.out, city=options.city, studio=options.studio, say=_print)
    except HotlineError as error:
        _print(f"error: {error}")
        return 2
    _print(f"{made} prompts made, the others were up to date")
    return 0


def _print(line: str) -> None:
    sys.stderr.write(f"{line}\n")


if __name__ == "__main__":
    sys.exit(main())
