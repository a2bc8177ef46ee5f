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
    monkeypatch.setattr(contract, "FILE", tmp_path / "api" / "asyncapi.json")
    assert contract.main(["--check"]) == 1
    assert contract.main([]) == contract.main(["--check"]) == 0
    contract.FILE.write_text("{}")
    assert contract.main(["--check"]) == 1
    assert "python -m ctiserver.contract" in capsys.readouterr().err


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
