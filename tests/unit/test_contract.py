"""The contract for integrators says what the server does, and is the one that is committed."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any, get_args

import pytest

from ctiserver import contract
from ctiserver.api.commands import REFUSAL_ZH, Code, Command
from ctiserver.api.pushes import Push
from ctiserver.typescript import types


@pytest.fixture(scope="module")
def document() -> dict[str, Any]:
    return json.loads(contract.text())  # type: ignore[no-any-return]


def tags(union: object) -> set[str]:
    return {kind.__struct_config__.tag for kind in get_args(union)}


def test_the_committed_contract_is_up_to_date() -> None:
    assert contract.main(["--check"]) == 0, "run `python -m ctiserver.contract` and commit the file"


@pytest.mark.slow
def test_a_contract_that_is_out_of_date_is_noticed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(contract, "HOME", tmp_path)
    assert contract.main(["--check"]) == 1
    assert contract.main([]) == contract.main(["--check"]) == 0
    capsys.readouterr()
    for name in (contract.FILE, contract.TYPES):
        made = (tmp_path / name).read_text()
        (tmp_path / name).write_text("{}")
        assert contract.main(["--check"]) == 1
        assert capsys.readouterr().err == f"{name} is out of date: run `python -m ctiserver.contract`\n"
        (tmp_path / name).write_text(made)


def test_every_command_and_every_push_is_described(document: dict[str, Any]) -> None:
    operations = document["operations"]
    asked = {name for name, operation in operations.items() if operation["action"] == "receive"}
    told = {name.removeprefix("push.") for name in operations if name not in asked}
    assert (asked, told) == (tags(Command), tags(Push))
    messages = document["components"]["messages"]
    silent = [name for name in operations if len(messages[name]["description"]) < 10]
    assert silent == []


def test_every_refusal_has_its_code_and_its_sentence(document: dict[str, Any]) -> None:
    assert document["x-refusals"] == {code.value: REFUSAL_ZH[code] for code in Code}
    assert document["components"]["schemas"]["Code"]["x-meanings"] == document["x-refusals"]


def test_what_stands_under_a_field_in_the_source_describes_it(document: dict[str, Any]) -> None:
    schemas = document["components"]["schemas"]
    assert "day began" not in schemas["Queue"]["properties"]["name"]
    assert schemas["Queue"]["properties"]["oldest_us"]["description"].startswith("When the longest waiting")
    assert schemas["SeatState"]["x-meanings"]["wrap_up"] == "话后整理"


def test_every_reference_leads_somewhere(document: dict[str, Any]) -> None:
    missing = []
    for path in set(re.findall(r'"\$ref": ?"#/([^"]+)"', json.dumps(document))):
        found: Any = document
        for step in path.split("/"):
            found = found.get(step) if isinstance(found, dict) else None
        if found is None:
            missing.append(path)
    assert missing == []


def test_the_pages_types_know_every_command_push_and_field(document: dict[str, Any]) -> None:
    made = types(document)
    for name in tags(Command):
        assert f'readonly "{name}": Omit<' in made
    (pushes,) = re.findall(r"export type Push = (.*);", made)
    assert sorted(pushes.split(" | ")) == sorted(kind.__name__ for kind in get_args(Push))
    assert "  readonly state: SeatState;" in made
    assert "  readonly queues?: ReadonlyArray<string>;" in made


def test_a_form_of_schema_that_the_types_cannot_say_is_refused_not_guessed() -> None:
    odd = {"type": "object", "properties": {"odd": {"type": "matrix"}}}
    with pytest.raises(ValueError, match="matrix"):
        types({"components": {"schemas": {"Odd": odd}, "messages": {}}, "operations": {}})
