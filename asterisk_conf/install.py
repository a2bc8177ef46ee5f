"""Owns where Asterisk comes from: the host's own, or a private Debian root in the cache."""

from __future__ import annotations

import contextlib
import fcntl
import os
import platform
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec

from asterisk_conf import mirror
from hotline.errors import HotlineError, SwitchUnavailable

OLDEST = 20
"""The oldest major version of Asterisk whose behaviour we rely on."""

SUITE = "forky"
"""The Debian release with Asterisk 22 LTS in it; the host's own release need not be that."""


class Program(msgspec.Struct, frozen=True, kw_only=True):
    """An Asterisk that can be launched: `command` and then Asterisk's own options."""

    command: tuple[str, ...]
    modules: Path
    data: Path
    """Holds documentation/ (Asterisk refuses options it cannot look up there) and sounds/."""
    version: str

    @property
    def major(self) -> int:
        """22 for "22.10.1"."""
        return int(self.version.split(".")[0])


def cache_dir() -> Path:
    """Where programs are kept between runs: $HOTLINE_CACHE, else ~/.cache/hotline-12345."""
    named = os.environ.get("HOTLINE_CACHE")
    return Path(named) if named else Path.home() / ".cache" / "hotline-12345"


def find(cache: Path) -> Program | None:
    """The host's Asterisk when it is new enough, else the private one in `cache`, else None."""
    return _host_program() or _private_program(cache / "asterisk")


def install(cache: Path, say: Callable[[str], None]) -> Program:
    """Find an Asterisk or build the private root; returns it. SwitchUnavailable says why there is none."""
    found = find(cache)
    if found is None:
        cache.mkdir(parents=True, exist_ok=True)
        with _locked(cache / "asterisk.lock", say):
            found = find(cache) or _build(cache, say)
    say(f"Asterisk {found.version}: {found.command[-1]}")
    return found


def _build(cache: Path, say: Callable[[str], None]) -> Program:
    """Build beside the final place and rename, so that half an installation never counts."""
    for leftover in cache.glob("asterisk.new-*"):
        shutil.rmtree(leftover)
    fresh, final = cache / f"asterisk.new-{os.getpid()}", cache / "asterisk"
    try:
        _bootstrap(fresh, say)
        if _private_program(fresh) is None:
            raise SwitchUnavailable(f"the Asterisk that Debian {SUITE} carries does not run on this machine")
        if final.is_symlink():
            final.unlink()
        elif final.exists():
            final.rename(cache / f"asterisk.new-{os.getpid()}-old")
        fresh.rename(final)
    finally:
        for leftover in cache.glob(f"asterisk.new-{os.getpid()}*"):
            shutil.rmtree(leftover)
    program = _private_program(final)
    if program is None:
        raise SwitchUnavailable(f"the Asterisk in {final} has vanished")
    return program


def _bootstrap(root: Path, say: Callable[[str], None]) -> None:
    tool = shutil.which("mmdebstrap")
    if tool is None:
        raise SwitchUnavailable(
            f"no Asterisk {OLDEST} or later is on PATH, and no mmdebstrap to fetch one; install either"
        )
    source = mirror.debian_source(codename=_codename())
    if source is None:
        raise SwitchUnavailable(f"apt's sources name no Debian mirror; install Asterisk {OLDEST} or later")
    say(f"fetching Asterisk from Debian {SUITE}, {source.uri} (340 MB on disk, usually under a minute)")
    command = [
        tool, "--quiet", "--variant=apt", "--include=asterisk",
        # A mirror may be a frozen copy, whose list of contents has expired. Signatures are checked still.
        '--aptopt=Acquire::Check-Valid-Until "false"',
        SUITE, str(root), source.line(SUITE),
    ]  # fmt: skip
    done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        lines = [line for line in done.stderr.splitlines() if line.strip()]
        errors = [line for line in lines if line.startswith("E:")] or lines[-1:] or ["it said nothing"]
        raise SwitchUnavailable(f"mmdebstrap could not fetch Asterisk: {errors[0]}")


def _codename() -> str:
    """The host's Debian release, such as "bookworm"."""
    with contextlib.suppress(OSError):
        return platform.freedesktop_os_release().get("VERSION_CODENAME", "")
    return ""


@contextlib.contextmanager
def _locked(path: Path, say: Callable[[str], None]) -> Iterator[None]:
    """Hold the file lock at `path`; of two installers the second waits and then finds the work done."""
    with path.open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            say("another installation is under way; waiting for it")
            fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _host_program() -> Program | None:
    binary = shutil.which("asterisk")
    if binary is None:
        return None
    modules = [*Path("/usr").glob("lib*/asterisk/modules"), *Path("/usr").glob("lib/*/asterisk/modules")]
    return _program((binary,), modules, [Path("/usr/share/asterisk"), Path("/var/lib/asterisk")])


def _private_program(root: Path) -> Program | None:
    """The Asterisk in a Debian root, run by that root's own loader: needs no chroot, mounts or privileges."""
    binary, libraries = root / "usr/sbin/asterisk", root / "usr/lib" / f"{platform.machine()}-linux-gnu"
    loaders = [*root.glob("usr/lib*/ld-linux-*.so.*"), *libraries.glob("ld-linux-*.so.*")]
    if not binary.exists() or not loaders:
        return None
    command = (str(loaders[0]), "--library-path", f"{libraries}:{root / 'usr/lib'}", str(binary))
    return _program(command, [libraries / "asterisk/modules"], [root / "usr/share/asterisk"])


def _program(command: tuple[str, ...], modules: list[Path], data: list[Path]) -> Program | None:
    """Ask the program for its version and pick the directories that exist; None unless all of it is there."""
    version = _version(command)
    module_dir = next((place for place in modules if (place / "app_queue.so").exists()), None)
    data_dir = next((place for place in data if (place / "documentation").is_dir()), None)
    if version is None or module_dir is None or data_dir is None:
        return None
    program = Program(command=command, modules=module_dir, data=data_dir, version=version)
    return program if program.major >= OLDEST else None


def _version(command: tuple[str, ...]) -> str | None:
    try:
        answer = subprocess.run([*command, "-V"], capture_output=True, text=True, timeout=20, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return None
    found = re.search(r"Asterisk (?:certified/)?(\d+\.[0-9.]+)", answer.stdout)
    return found[1] if found else None


def main() -> int:
    """`python -m asterisk_conf.install`: make sure that there is an Asterisk, and say where."""
    try:
        install(cache_dir(), lambda line: print(line, flush=True))  # noqa: T201
    except HotlineError as error:
        sys.stderr.write(f"{error}\n")
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
