"""Owns the IVR's named errors: prompts that cannot be made, AGI dialogues that break off."""

from __future__ import annotations

from hotline.errors import HotlineError


class PromptToolMissing(HotlineError):
    """A program that renders prompts (espeak-ng, sox) is not installed."""


class PromptFailed(HotlineError):
    """A prompt could not be made or written; the text names the prompt and what the tool said."""


class AgiError(Exception):
    """An AGI dialogue with Asterisk cannot go on. The call itself does: the dialplan takes it over."""


class CallerGone(AgiError):
    """The citizen hung up, or Asterisk closed the connection (HANGUP line, status 511, end of stream)."""


class BadRequest(AgiError):
    """What connected to us did not introduce itself the way Asterisk does."""


class BadReply(AgiError):
    """Asterisk's answer is not one that AGI knows, or is longer than we accept."""


class CommandRefused(AgiError):
    """Asterisk does not know the command (510) or refuses its form (520)."""


class CommandFailed(AgiError):
    """Asterisk tried and could not, while the citizen is still there: mostly a sound file that is missing."""


class TooSlow(AgiError):
    """Asterisk did not answer a command in time."""


class EmergencyTyped(Exception):
    """The citizen typed an emergency number (紧急号码): the flow ends here, the call goes on to a person."""

    def __init__(self, number: str) -> None:
        super().__init__(number)
        self.number = number
