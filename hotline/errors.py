"""Owns the errors that end a command: each message is one clear sentence for the person at the terminal."""


class HotlineError(Exception):
    """Something the operator can mend; its text says what and how. Commands end with exit status 2."""


class BadSettings(HotlineError):
    """A setting that cannot work."""


class PortBusy(HotlineError):
    """Another program listens on a port that the hotline wants."""


class SwitchUnavailable(HotlineError):
    """Asterisk is absent, too old, or did not become ready."""


class AmiRefused(HotlineError):
    """Asterisk's manager interface refused our log-in or lacks a right that we need."""


class DatabaseUnavailable(HotlineError):
    """The database cannot be opened or is not at the schema that this version needs."""
