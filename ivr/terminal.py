"""Owns a line that ends in a terminal: prompts are written out and keys typed, to try a flow."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from ivr.catalogue import MANDARIN, SWITCH_LANGUAGES
from ivr.session import Played
from ivr.waiting import QueueFigures

Texts = Mapping[str, Mapping[str, str]]
"""What each prompt says, by language and name."""


class TerminalLine:
    """A citizen at a keyboard. `ask` gives the keys typed when the flow waits for one, "" for none."""

    uniqueid = "terminal"

    def __init__(self, texts: Texts, say: Callable[[str], None], ask: Callable[[], str]) -> None:
        self.variables: dict[str, str] = {}
        self._texts = texts
        self._say = say
        self._ask = ask
        self._language = MANDARIN
        self._pending: list[str] = []

    async def stream_file(self, sound: str, *, offset: int = 0) -> Played:
        """Write the prompt out."""
        self._say(f"  {sound:<28} {self._texts[self._language].get(sound, '(no text)')}")
        return Played(None, offset)

    async def wait_digit(self, *, timeout_s: float) -> str | None:
        """One key; what is typed in one go is taken key by key."""
        if not self._pending:
            self._pending = [c for c in self._ask() if c in "0123456789*#"] or [""]
        return self._pending.pop(0) or None

    async def set_variable(self, name: str, value: str) -> None:
        """What the dialplan would be told."""
        self.variables[name] = value

    async def set_language(self, language: str) -> None:
        """Write in that language from now on."""
        self._language = next(own for own, name in SWITCH_LANGUAGES.items() if name == language)

    async def queue_figures(self, queue: str) -> QueueFigures:
        """A queue as on a quiet day: somebody is ready."""
        return QueueFigures(waiting=0, seats=1, ready=1, talk_s=0)

    async def set_clock(self, seconds: float) -> None:
        """Nobody hurries who reads."""
