"""Owns the engines (语音合成) that can speak a prompt: espeak-ng, or any program that a site names."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path
from typing import Protocol

from ivr.catalogue import Voice
from ivr.errors import PromptFailed, PromptToolMissing

TOOL_S = 30.0
"""No sentence takes an engine or sox longer than this; beyond it they hang."""
OUT = "{out}"
"""In a site's own command: the WAV file that it must write."""


class Engine(Protocol):
    """Speaks one language."""

    @property
    def mark(self) -> str:
        """What the sound depends on beside the text: another mark has every prompt made again."""
        ...

    @property
    def wants_reading(self) -> bool:
        """Whether it needs pinyin and spoken figures where others read the text as it is written."""
        ...

    def require(self) -> None:
        """Raise PromptToolMissing when its program is not installed."""
        ...

    def speak(self, name: str, text: str, out: Path) -> None:
        """Write the prompt called `name` as a WAV file; PromptFailed says why not."""
        ...


class Espeak:
    """espeak-ng, at a calm rate."""

    wants_reading = True

    def __init__(self, voice: Voice) -> None:
        self._voice = voice
        self.mark = f"{voice.voice} {voice.words_per_minute}"

    def require(self) -> None:
        """Raise PromptToolMissing when its program is not installed."""
        require("espeak-ng")

    def speak(self, name: str, text: str, out: Path) -> None:
        """Write the prompt as a WAV file."""
        speed = str(self._voice.words_per_minute)
        run(name, ["espeak-ng", "-v", self._voice.voice, "-s", speed, "--stdin", "-w", str(out)], text)


class Program:
    """A site's own engine: a command that reads the text from its standard input and writes `{out}`."""

    wants_reading = False

    def __init__(self, command: tuple[str, ...]) -> None:
        self._command = command
        self.mark = repr(command)

    def require(self) -> None:
        """Raise PromptToolMissing when its program is not installed."""
        require(self._command[0])

    def speak(self, name: str, text: str, out: Path) -> None:
        """Write the prompt as a WAV file."""
        run(name, [part.replace(OUT, str(out)) for part in self._command], text)
        if not out.is_file():
            raise PromptFailed(f"prompt {name}: {self._command[0]} wrote no file")


def engine_for(voice: Voice, command: tuple[str, ...] = ()) -> Engine:
    """The site's own engine if it has one, else espeak-ng."""
    return Program(command) if command else Espeak(voice)


def require(program: str) -> None:
    """Raise PromptToolMissing when the program is not installed."""
    if shutil.which(program) is None:
        raise PromptToolMissing(
            f"{program} is missing, callers' prompts need it: install the package {program}"
        )


def run(name: str, command: list[str], text: str = "", source: str = "") -> None:
    """Run a program on the prompt called `name`; PromptFailed with its last words when it fails.

    `source`: what the message is to blame instead of the program.
    """
    try:
        subprocess.run(command, input=text.encode(), capture_output=True, check=True, timeout=TOOL_S)
    except OSError as error:
        raise PromptFailed(f"prompt {name}: cannot run {command[0]}: {error.strerror}") from error
    except subprocess.TimeoutExpired as error:
        raise PromptFailed(f"prompt {name}: {command[0]} did not finish within {TOOL_S:.0f} s") from error
    except subprocess.CalledProcessError as error:
        said = error.stderr.decode(errors="replace").strip().splitlines()
        reason = said[-1] if said else "failed without a word"
        raise PromptFailed(f"prompt {name}: {source or command[0]}: {reason}") from error
