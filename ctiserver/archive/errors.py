"""Owns what can go wrong in the archive, each with a name; the text is one sentence for the operator."""

from __future__ import annotations

from hotline.errors import HotlineError


class ArchiveTrouble(HotlineError):
    """A recording could not be kept now; its WAV stays where it is, and the archive tries again."""


class NoEncoder(ArchiveTrouble):
    """The program `flac` is not on this machine."""


class EncodingFailed(ArchiveTrouble):
    """`flac` ended with an error; most often the disk is full."""


class SoundDiffers(ArchiveTrouble):
    """The FLAC does not decode to the very samples of the WAV."""


class NoSound(ArchiveTrouble):
    """A file in the spool is no WAV of 16 bits and one channel."""


class OutOfPlace(ArchiveTrouble):
    """A path in the database leads out of the directory of recordings."""
