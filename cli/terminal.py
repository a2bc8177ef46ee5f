"""Owns how commands meet the person at the terminal: which settings are in force, and how they are told."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import msgspec
import typer
from rich.console import Console

from hotline.errors import HotlineError
from hotline.settings import Settings, check, load

_WIDE = 160
"""Columns of a table that goes to a file or a pipe, where nothing need be broken to fit a screen."""
console = Console(highlight=False, width=None if sys.stdout.isatty() else _WIDE)

_DEFAULT = Path("hotline.toml")

SettingsFile = Annotated[
    Path | None,
    typer.Option(
        "--settings", help="settings file (TOML); default hotline.toml here, else the built-in ones"
    ),
]


def settings_from(file: Path | None) -> tuple[Settings, Path]:
    """The settings in force and the file that holds them; the built-in ones are written to
    var/settings.json.
    """
    if file is None and _DEFAULT.exists():
        file = _DEFAULT
    if file is not None:
        return load(file), file.resolve()
    settings = Settings(state_dir=str(Path("var").resolve()))
    check(settings)
    built_in = settings.state / "settings.json"
    try:
        settings.state.mkdir(parents=True, exist_ok=True, mode=0o700)
        built_in.write_bytes(msgspec.json.format(msgspec.json.encode(settings)))
    except OSError as error:
        raise HotlineError(f"cannot write {built_in}: {error.strerror}") from error
    return settings, built_in


def say(line: str) -> None:
    """Tell the person at the terminal."""
    console.print(line, markup=False, soft_wrap=True)
