"""Forms are what the vectors say, and what their schema says."""

from __future__ import annotations

from typing import Any

import pytest

from signoff.workflow.input.form import form_of
from tests.protocol.forms import CASES
from tests.protocol.material import SCHEMAS, cases, complaints, load


@pytest.mark.parametrize("case", cases("forms.json"))
def test_a_schema_and_its_form(case: dict[str, Any]) -> None:
    assert form_of(case["schema"], case.get("ui")) == case["form"]
    if case["form"] is not None:
        assert complaints("form.json", case["form"]) == []


def test_every_case_is_in_the_file() -> None:
    assert [case["name"] for case in load("forms.json")["cases"]] == [case.name for case in CASES]


def test_every_kind_and_every_member_of_each_occurs() -> None:
    found: dict[str, set[str]] = {}

    def look(part: Any) -> None:
        if isinstance(part, dict):
            if isinstance(part.get("kind"), str) and "label" in part:
                found.setdefault(part["kind"], set()).update(part)
            for member in part.values():
                look(member)
        elif isinstance(part, list):
            for item in part:
                look(item)

    look([case["form"] for case in load("forms.json")["cases"]])
    definitions = SCHEMAS["form.json"]["$defs"]
    for choice in definitions["form_field"]["anyOf"]:
        definition = definitions[choice["$ref"].rpartition("/")[2]]
        kind = definition["properties"]["kind"]
        names = kind.get("enum") or [kind["const"]]
        assert set(names) <= found.keys()
        members = set().union(*(found[name] for name in names))
        assert definition["properties"].keys() - members <= {"description", "default", "blank", "value"}, names
