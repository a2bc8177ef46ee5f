"""Owns the question which Debian mirror this host uses: read from apt's own sources, never known by us."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import msgspec

_KEPT_OPTIONS = ("signed-by", "trusted")
"""What the host's administrator decided about trust holds for us too."""


class Source(msgspec.Struct, frozen=True):
    """One archive in apt's sources."""

    uri: str
    suites: tuple[str, ...]
    components: tuple[str, ...]
    options: tuple[tuple[str, str], ...] = ()

    def line(self, suite: str) -> str:
        """The one-line form for another suite of the same archive."""
        options = " ".join(f"{name}={value}" for name, value in self.options)
        return f"deb [{options}] {self.uri} {suite} main" if options else f"deb {self.uri} {suite} main"


def debian_source(apt: Path = Path("/etc/apt"), codename: str = "") -> Source | None:
    """The host's main Debian archive (not security, not a third party's), or None when it names none."""
    sources = [source for source in read_sources(apt) if _may_be_debian(source)]
    by_name = [source for source in sources if urlsplit(source.uri).path.rstrip("/").endswith("/debian")]
    by_suite = [source for source in sources if codename and codename in source.suites]
    return next(iter(by_name + by_suite), None)


def read_sources(apt: Path) -> list[Source]:
    """All binary archives that apt knows, in both of its file forms; unreadable files count as empty."""
    found: list[Source] = []
    parts = apt / "sources.list.d"
    for path in [apt / "sources.list", *sorted(parts.glob("*.list")), *sorted(parts.glob("*.sources"))]:
        try:
            text = path.read_text(errors="replace")
        except OSError:
            continue
        found += _stanzas(text) if path.suffix == ".sources" else _lines(text)
    return [msgspec.structs.replace(source, uri=_resolved(source.uri)) for source in found]


def _may_be_debian(source: Source) -> bool:
    aside = "security" in source.uri or all("-" in suite for suite in source.suites)
    reachable = urlsplit(source.uri).scheme in ("http", "https", "file")
    return "main" in source.components and reachable and not aside


def _lines(text: str) -> Iterator[Source]:
    """`deb [options] uri suite component…`, one a line."""
    for line in text.splitlines():
        found = re.match(r"\s*deb\s+(?:\[([^]]*)\]\s*)?(\S+)\s+(\S+)\s*([^#]*)", line)
        if found:
            options = dict(word.split("=", 1) for word in (found[1] or "").split() if "=" in word)
            yield Source(found[2], (found[3],), tuple(found[4].split()), _kept(options))


def _stanzas(text: str) -> Iterator[Source]:
    """deb822: `Name: value` lines, continued by indented ones, in stanzas parted by empty lines."""
    clean = "\n".join(line for line in text.splitlines() if not line.startswith("#"))
    for stanza in re.split(r"\n\s*\n", clean):
        fields = {
            name.lower(): value.strip()
            for name, value in re.findall(r"^([\w-]+):[ \t]*(.*(?:\n[ \t].*)*)", stanza, re.MULTILINE)
        }
        if "deb" not in fields.get("types", "").split() or fields.get("enabled", "yes").lower() == "no":
            continue
        suites, components = fields.get("suites", "").split(), fields.get("components", "").split()
        for uri in fields.get("uris", "").split():
            yield Source(uri, tuple(suites), tuple(components), _kept(fields))


def _kept(options: dict[str, str]) -> tuple[tuple[str, str], ...]:
    """The options that hold for another suite too; a key written out in full is no file and stays behind."""
    words = ((name, options.get(name, "")) for name in _KEPT_OPTIONS)
    return tuple((name, word) for name, word in words if re.fullmatch(r"\S+", word))


def _resolved(uri: str) -> str:
    """Cloud images name a file of mirrors: take its first."""
    if not uri.startswith("mirror+file:"):
        return uri
    try:
        lines = Path(urlsplit(uri).path).read_text().splitlines()
    except OSError:
        return uri
    return next((line.split()[0] for line in lines if line.strip() and not line.startswith("#")), uri)
