"""A form is made of any schema, always the same, and never larger than a form may be."""

from __future__ import annotations

from copy import deepcopy
from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from signoff.workflow.input.form import MOST_BYTES, MOST_DEEP, MOST_FIELDS, form_of
from signoff.workflow.input.scalar_fields import readable
from tests.protocol.material import complaints, load

ODD: st.SearchStrategy[Any] = st.sampled_from(
    [
        *("string", "integer", "number", "object", "array", "null", "date", "decimal", "#", "#/$defs/Node"),
        *(-1, 0, 1.5, 2**60, True, False, None, [], {}, [None], [[]], [{}], {"type": ["integer", "null"]}),
        *({"const": None}, {"enum": [None]}, {"$ref": "#"}, {"anyOf": [{"type": "string"}, {"type": "null"}]}),
    ]
)
"""What may stand anywhere in a schema that somebody else wrote."""

SCHEMAS = [case["schema"] for case in load("forms.json")["cases"]]


def _places(part: Any) -> list[tuple[Any, Any]]:
    """Return what is in a schema, each as what holds it and where."""
    inner = part.items() if isinstance(part, dict) else enumerate(part) if isinstance(part, list) else ()
    return [place for key, member in inner for place in [(part, key), *_places(member)]]


@settings(max_examples=600, deadline=None)
@given(st.data())
def test_no_schema_is_an_error_however_odd(data: st.DataObject) -> None:
    schema = deepcopy(data.draw(st.sampled_from(SCHEMAS)))
    for _ in range(data.draw(st.integers(1, 4))):
        places = _places(schema)
        if not places:
            break
        holder, key = places[data.draw(st.integers(0, len(places) - 1))]
        holder[key] = deepcopy(data.draw(ODD))
    form = form_of(schema, data.draw(st.sampled_from([None, {"note": 1, "lines": {"items": []}}])))
    if form is not None:
        assert complaints("form.json", form) == []


def _fields(part: Any) -> int:
    if isinstance(part, dict):
        return ("pointer" in part) + sum(_fields(member) for member in part.values())
    return sum(_fields(item) for item in part) if isinstance(part, list) else 0


def test_a_form_that_would_be_too_large_is_one_field() -> None:
    one = {"name": "", "pointer": "", "kind": "json", "label": "Answer", "required": True}
    members = {f"m{n}": {"type": "string"} for n in range(MOST_FIELDS)}
    most = form_of({"type": "object", "properties": members})
    assert most is not None
    assert _fields(most) == MOST_FIELDS
    assert form_of({"type": "object", "properties": members | {"more": {"type": "string"}}}) == [one]
    long = {"type": "string", "description": "x" * (MOST_BYTES // 2)}
    assert _fields(form_of({"type": "object", "properties": {"a": long}})) == 1
    assert form_of({"type": "object", "properties": {"a": long, "b": long}}) == [one]


def test_what_doubles_at_every_level_ends_soon() -> None:
    defs = {
        f"L{n}": {
            "type": "object",
            "properties": {"a": {"$ref": f"#/$defs/L{n + 1}"}, "b": {"$ref": f"#/$defs/L{n + 1}"}},
        }
        for n in range(30)
    }
    form = form_of({"$defs": defs, "$ref": "#/$defs/L0"})
    assert form is not None
    assert len(orjson.dumps(form)) <= MOST_BYTES


def test_groups_in_groups_end_in_json() -> None:
    schema: dict[str, Any] = {"type": "string"}
    for _ in range(MOST_DEEP + 3):
        schema = {"type": "object", "properties": {"a": schema}}
    depth, fields = 0, form_of(schema)
    while fields is not None and fields[0]["kind"] == "fieldset":
        depth, fields = depth + 1, fields[0]["fields"]
    assert fields is not None
    assert (depth, fields[0]["kind"]) == (MOST_DEEP - 1, "json")


@pytest.mark.parametrize("case", load("forms.json")["cases"], ids=lambda case: case["name"])
def test_a_json_field_has_a_schema_that_stands_alone(case: dict[str, Any]) -> None:
    def references(part: Any) -> list[str]:
        if isinstance(part, dict):
            own = [part["$ref"]] if isinstance(part.get("$ref"), str) else []
            return own + [each for member in part.values() for each in references(member)]
        return [each for item in part for each in references(item)] if isinstance(part, list) else []

    def look(part: Any) -> None:
        if isinstance(part, dict):
            if part.get("kind") == "json" and "schema" in part:
                known = part["schema"].get("$defs", {})
                assert all(each.removeprefix("#/$defs/") in known for each in references(part["schema"]))
            for member in part.values():
                look(member)
        elif isinstance(part, list):
            for item in part:
                look(item)

    look(case["form"])


def test_names_as_people_read_them() -> None:
    assert [readable(name) for name in ("approve", "send_back", "zip-code", "", "_", "straße")] == [
        "Approve",
        "Send back",
        "Zip code",
        "",
        "_",
        "Straße",
    ]
