"""Owns the prompts' sound files: made of texts or studio recordings, and only when these have changed."""

from __future__ import annotations

import argparse
import hashlib
import os
import sys
import tempfile
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import msgspec

from hotline.errors import BadSettings, HotlineError
from hotline.ivr_settings import DIALECT
from hotline.recorded import directory_of
from hotline.settings import Settings
from ivr.catalogue import CALLBACK_KEY, MANDARIN, Catalogue, check_city, load_catalogue, sounds_of
from ivr.errors import PromptFailed
from ivr.voices import Engine, engine_for, require, run

MANIFEST = ".prompts.json"
WORKERS = 4

RATES = {".wav": 8000, ".wav16": 16000}
"""Hertz by the ending that Asterisk gives a file of that rate: telephones, and wideband ones."""
_TELEPHONE = ("-c", "1", "-b", "16")
"""What Asterisk plays without transcoding work: mono, 16 bit."""
_TRIM = ("silence", "1", "0.01", "0.3%")
_EFFECTS = ("highpass", "150", *_TRIM, "reverse", *_TRIM, "reverse",
            "pad", "0.06", "0.12", "gain", "-n", "-3")  # fmt: skip
_WAV_HEADER, _BYTES_PER_S = 44, 8000 * 2
_SHORTEST_BYTES = _WAV_HEADER + int(_BYTES_PER_S * (0.06 + 0.12 + 0.05))
"""WAV header, the padding, and 50 ms of sound: what is shorter says nothing."""

Say = Callable[[str], None]


class _Job(msgspec.Struct, frozen=True):
    """One prompt to be made; `digest` tells whether the files we have are still this one's."""

    name: str
    digest: str
    spoken: str
    recording: Path | None


def render_hotline(
    sounds: Path,
    settings: Settings,
    more: Mapping[str, Mapping[str, str]] | None = None,
    say: Say = lambda _: None,
) -> int:
    """Make what this hotline says, in each of its languages, below `sounds` (Asterisk's sounds/zh) and beside
    it; return how many prompts had to be made anew. `more`: by language, sentences that are no catalogue's.
    """
    made = 0
    for language in settings.ivr.languages:
        made += render_all(
            sounds_of(sounds, language),
            city=settings.city,
            callback_key=settings.callback_key or CALLBACK_KEY,
            language=language,
            more=(more or {}).get(MANDARIN if language == DIALECT else language),
            spoken=(directory_of(settings), *_studio(settings, language)),
            command=settings.ivr.voice,
            say=say,
        )
    return made


def render_all(
    out: Path,
    *,
    city: str,
    callback_key: str = CALLBACK_KEY,
    language: str = MANDARIN,
    more: Mapping[str, str] | None = None,
    spoken: tuple[Path, ...] = (),
    command: tuple[str, ...] = (),
    say: Say = lambda line: None,
) -> int:
    """Make every prompt of a language below `out` (Asterisk's sounds/zh), of the dialect those that were
    recorded; return how many were made anew.

    Files whose text, voice and recording have not changed are left alone. <name>.wav in the first directory
    of `spoken` that has it, of any rate, takes the synthetic voice's place. Files are replaced whole, so
    Asterisk never plays half of one.
    """
    check_city(city)
    catalogue = load_catalogue()
    is_recorded_only = language == DIALECT
    if language not in catalogue.voices and not is_recorded_only:
        raise BadSettings(f"ivr.languages: {language!r} is none of {', '.join(catalogue.voices)}")
    of = MANDARIN if is_recorded_only else language
    engine = engine_for(catalogue.voices[of], command)
    texts = {n: catalogue.text(n, city, callback_key, of) for n in catalogue.names(of)}
    jobs = [
        _job(name, _for_engine(engine, catalogue, text, of), engine, recording)
        for name, text in (texts | dict(more or {})).items()
        if (recording := _recording(name, spoken)) is not None or not is_recorded_only
    ]
    known = _read_manifest(out)
    stale = [job for job in jobs if known.get(job.name) != job.digest or not _is_made(out, job.name)]
    if stale:
        _require_tools(stale, engine)
        say(f"rendering {len(stale)} of {len(jobs)} prompts into {out}")
        _render(out, stale, engine)
        _write(out / MANIFEST, msgspec.json.encode({job.name: job.digest for job in jobs}))
    return len(stale)


def length_s(out: Path, name: str) -> float | None:
    """How long a prompt below `out` speaks; None when its file is not there."""
    try:
        return max(0, file_of(out, name).stat().st_size - _WAV_HEADER) / _BYTES_PER_S
    except OSError:
        return None


def file_of(out: Path, name: str, ending: str = ".wav") -> Path:
    """Where the sound of a prompt lies."""
    return out / f"{name}{ending}"


def _for_engine(engine: Engine, catalogue: Catalogue, text: str, language: str) -> str:
    return catalogue.pronounced(text, language) if engine.wants_reading else text


def _studio(settings: Settings, language: str) -> tuple[Path, ...]:
    return (Path(settings.ivr.studio) / language,) if settings.ivr.studio else ()


def _recording(name: str, spoken: tuple[Path, ...]) -> Path | None:
    recordings = (directory / f"{name}.wav" for directory in spoken)
    return next((path for path in recordings if path.is_file()), None)


def _job(name: str, text: str, engine: Engine, recording: Path | None) -> _Job:
    """What `name` needs; the digest covers everything that the sound depends on."""
    digest = hashlib.sha256(repr((_EFFECTS, _TELEPHONE, RATES)).encode())
    if recording:
        digest.update(recording.read_bytes())
    else:
        digest.update(f"{engine.mark} {text}".encode())
    return _Job(name, digest.hexdigest(), text, recording)


def _is_made(out: Path, name: str) -> bool:
    return all(file_of(out, name, ending).is_file() for ending in RATES)


def _read_manifest(out: Path) -> Mapping[str, str]:
    """Digests of the files we made. No readable manifest means none: all are made again."""
    try:
        return msgspec.json.decode((out / MANIFEST).read_bytes(), type=dict[str, str])
    except (OSError, msgspec.DecodeError):
        return {}


def _require_tools(jobs: list[_Job], engine: Engine) -> None:
    require("sox")
    if any(job.recording is None for job in jobs):
        engine.require()


def _render(out: Path, jobs: list[_Job], engine: Engine) -> None:
    try:
        for folder in {file_of(out, job.name).parent for job in jobs}:
            folder.mkdir(parents=True, exist_ok=True)
        with (
            tempfile.TemporaryDirectory(prefix=".prompts-", dir=out) as name,
            ThreadPoolExecutor(WORKERS) as pool,
        ):
            work = Path(name)
            list(pool.map(lambda job: _render_one(work, out, job, engine), jobs))
    except OSError as error:
        raise PromptFailed(f"cannot write prompts into {out}: {error.strerror}") from error


def _render_one(work: Path, out: Path, job: _Job, engine: Engine) -> None:
    stem = job.name.replace("/", "_")
    source = job.recording
    if source is None:
        source = work / f"{stem}.raw.wav"
        engine.speak(job.name, job.spoken, source)
    blamed = str(job.recording or "")
    for ending, rate in RATES.items():
        made = work / f"{stem}{ending}"
        command = [
            "sox",
            "-D",
            str(source),
            *_TELEPHONE,
            "-t",
            "wav",
            str(made),
            "rate",
            str(rate),
            *_EFFECTS,
        ]
        run(job.name, command, source=blamed)
        if made.stat().st_size < _SHORTEST_BYTES:
            raise PromptFailed(f"prompt {job.name}: {blamed or 'the synthetic voice'} is only silence")
        made.replace(file_of(out, job.name, ending))


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
    parser.add_argument(
        "--studio", type=Path, action="append", default=[],
        help="recordings that replace the synthetic voice: NAME.wav",
    )  # fmt: skip
    options = parser.parse_args(argv)
    try:
        made = render_all(options.out, city=options.city, spoken=tuple(options.studio), say=_print)
    except HotlineError as error:
        _print(f"error: {error}")
        return 2
    _print(f"{made} prompts made, the others were up to date")
    return 0


def _print(line: str) -> None:
    sys.stderr.write(f"{line}\n")


if __name__ == "__main__":
    sys.exit(main())
