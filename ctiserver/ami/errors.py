"""Owns the names of what can go wrong on the way to Asterisk. Their texts hold no citizen's number."""

from __future__ import annotations

from hotline.errors import HotlineError


class ActionError(HotlineError):
    """An action did not, or perhaps did not, happen."""


class BadValue(ActionError):
    """A value cannot stand in an AMI header; nothing was sent."""


class NotSent(ActionError):
    """There is no link to Asterisk; nothing was sent and nothing will be."""


class OutcomeUnknown(ActionError):
    """The action was sent and no answer came. It may have happened: look before doing it again."""


class Refused(ActionError):
    """Asterisk refused the action; the text holds Asterisk's own words."""


class ListenerLost(HotlineError):
    """The connection broke, or what answers there does not behave like Asterisk's manager interface."""
