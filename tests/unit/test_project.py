"""Owns the tests of the project as a whole: what every committed file must hold, whoever wrote it."""

import ast
import json
import re
import subprocess
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

from hotline.settings import Settings

ROOT = Path(__file__).resolve().parents[2]
ROOMS = ("hotline", "ctiserver", "casework", "ivr", "agent_desk", "asterisk_conf", "rehearsal", "cli")


def tracked(*patterns: str) -> list[Path]:
    """Committed or new files that git does not ignore."""
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard", "--", *patterns]
    listed = subprocess.run(command, cwd=ROOT, check=True, capture_output=True).stdout.decode()
    return [path for name in sorted(set(listed.split("\0"))) if name and (path := ROOT / name).is_file()]


def lines(path: Path) -> Iterator[tuple[str, str]]:
    try:
        text = path.read_text(encoding="utf-8")
    except UnicodeDecodeError:  # a picture or a sound
        return
    for number, line in enumerate(text.splitlines(), start=1):
        yield f"{path.relative_to(ROOT)}:{number}", line


def found(pattern: str, *among: str) -> list[str]:
    wanted = re.compile(pattern, re.IGNORECASE)
    return [
        f"{where}: {line.strip()[:90]}"
        for path in tracked(*among)
        for where, line in lines(path)
        if wanted.search(line)
    ]


def test_git_lists_the_project() -> None:
    assert ROOT / "hotline" / "settings.py" in tracked()


@pytest.mark.parametrize("host", ["py" + "pi", "np" + "mjs", "deb" + "ian"])
def test_no_file_names_an_index_or_a_download_host(host: str) -> None:
    assert found(rf"https?://[a-z0-9.-]*{host}") == []


def test_no_file_sets_an_index() -> None:
    assert (
        found(
            "--(extra-)?" + "index-url|--trusted" + "-host|--find" + "-links",
            "*.txt",
            "*.toml",
            "*.py",
            ".ci/*",
        )
        == []
    )


def test_no_file_holds_a_path_of_one_machine() -> None:
    assert found(r"(?<![\w.])/(work|home|Users)/|/tmp" + "/setup") == []


def test_every_package_in_the_lock_is_pinned_and_hashed() -> None:
    text = (ROOT / "requirements.txt").read_text(encoding="utf-8")
    entries = re.split(r"\n(?=\S)", re.sub(r"(?m)^ *#.*\n", "", text).strip())
    assert len(entries) > 30
    assert [
        entry[:60] for entry in entries if not re.match(r"[\w.-]+==[^\s]+ \\\n +--hash=sha256:", entry)
    ] == []


def test_every_package_of_the_pages_is_pinned_and_hashed_and_comes_from_wherever_the_machine_says() -> None:
    packages = json.loads((ROOT / "package-lock.json").read_text(encoding="utf-8"))["packages"]
    assert [name for name, package in packages.items() if name and "integrity" not in package] == []
    assert [name for name, package in packages.items() if "resolved" in package] == []
    pages = json.loads((ROOT / "package.json").read_text(encoding="utf-8"))
    asked = {**pages["dependencies"], **pages["devDependencies"]}
    assert {name: packages[f"node_modules/{name}"]["version"] for name in asked} == asked


def test_the_lock_holds_every_direct_dependency() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    wanted = [*project["dependencies"], *project["optional-dependencies"]["dev"]]
    names = {re.match(r"[\w-]+", line).group().lower() for line in wanted}  # type: ignore[union-attr]
    locked = set(re.findall(r"(?m)^([\w.-]+)==", (ROOT / "requirements.txt").read_text(encoding="utf-8")))
    assert names - locked == set()


def test_every_direct_dependency_has_its_reason() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    reasons = (ROOT / "docs/adr/0004-dependencies.md").read_text(encoding="utf-8")
    wanted = [*project["dependencies"], *project["optional-dependencies"]["dev"]]
    pages = json.loads((ROOT / "package.json").read_text(encoding="utf-8"))
    names = [re.split(r"[^\w-]", line)[0] for line in wanted]
    names += [*pages["dependencies"], *pages["devDependencies"]]
    assert [name for name in names if f"`{name}`" not in reasons] == []


def test_every_module_says_in_its_first_line_what_it_owns() -> None:
    modules = [path for path in tracked(*(f"{room}/**.py" for room in ROOMS)) if path.read_bytes().strip()]
    assert len(modules) > 20
    silent = [
        str(path.relative_to(ROOT))
        for path in modules
        if not (ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or "").split("\n")[0].strip()
    ]
    assert silent == []


def test_every_test_can_fail_and_none_is_skipped() -> None:
    assert found(r"pytest\.(" + r"skip|xfail)|mark\.(" + r"skip|xfail)|assert " + "True", "tests/**.py") == []


def test_no_work_is_left_in_a_note() -> None:
    assert found(r"\b(TO" + "DO|FIX" + "ME|XX" + "X)\\b", *(f"{room}/**" for room in ROOMS), "tests/**") == []


def test_the_guide_lists_every_setting() -> None:
    guide = (ROOT / "docs/guide/settings.md").read_text(encoding="utf-8")
    defaults = Settings()
    wanted = []
    for name in defaults.__struct_fields__:
        value = getattr(defaults, name)
        fields = getattr(value, "__struct_fields__", None)
        wanted += [f"{name}.{field}" for field in fields] if fields else [name]
    assert [name for name in wanted if f"`{name}`" not in guide] == []


def test_the_readme_names_commands_that_the_makefile_has() -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    for readme in ("README.md", "README.zh.md"):
        named = set(re.findall(r"`?make ([a-z]+)", (ROOT / readme).read_text(encoding="utf-8")))
        assert named >= {"demo", "test"}
        assert [name for name in named if not re.search(rf"(?m)^{name}:", makefile)] == []


def test_make_test_runs_every_directory_of_tests() -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    directories = {path.parent.relative_to(ROOT).as_posix() for path in tracked("tests/**/test_*.py")}
    assert directories >= {"tests/unit"}
    assert [name for name in sorted(directories) if name not in makefile] == []


def test_every_link_between_our_documents_leads_somewhere() -> None:
    broken = []
    for page in tracked("*.md", "docs/**.md"):
        prose = re.sub(r"`[^`\n]*`", "", page.read_text(encoding="utf-8"))
        links = re.findall(r"\[[^]]*\]\(([^)#\s]+)", prose)
        ours = [link for link in links if not link.startswith(("http://", "https://"))]
        broken += [f"{page.relative_to(ROOT)}: {link}" for link in ours if not (page.parent / link).exists()]
    assert broken == []
