"""What a tool takes: of a type, a function or a JSON Schema."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import BaseModel

from signoff.errors import UnsupportedValue
from signoff.workflow.approval.arguments import arguments


class Part(BaseModel):
    name: str


def send(to: str, parts: list[Part], *, urgent: bool = False, **more: Any) -> None:
    """Take what a tool may take."""


def test_a_function_takes_its_parameters_and_those_with_a_default_may_be_left_out() -> None:
    takes = arguments(send, None)
    assert takes.schema["required"] == ["to", "parts"]
    assert takes.schema["properties"].keys() == {"to", "parts", "urgent"}
    assert takes.read({"to": "a", "parts": [{"name": "p"}]}) == {"to": "a", "parts": [Part(name="p")]}


def test_a_json_schema_may_refer_to_its_own_definitions() -> None:
    schema = {"type": "object", "properties": {"part": {"$ref": "#/$defs/Part"}}, "$defs": {"Part": {"type": "string"}}}
    takes = arguments(None, schema)
    assert takes.schema == {"$schema": "https://json-schema.org/draft/2020-12/schema", **schema}
    assert takes.read({"part": "p"}) == {"part": "p"}


def test_without_a_type_any_object_is_taken() -> None:
    assert arguments(None, None).read({"to": ["a"]}) == {"to": ["a"]}


def test_a_value_of_the_type_is_taken_as_it_is() -> None:
    part = Part(name="p")
    assert arguments(Part, None).read(part) is part


def test_arguments_that_do_not_fit_are_refused_at_once() -> None:
    with pytest.raises(UnsupportedValue):
        arguments(Part, None).read({"name": 1})
    for given in ("text", ["text"], None):
        with pytest.raises(UnsupportedValue, match="are an object"):
            arguments(None, None).read(given)


def test_arguments_are_held_to_a_json_schema_too() -> None:
    takes = arguments(None, {"type": "object", "properties": {"n": {"type": "integer"}}, "required": ["n"]})
    assert takes.read({"n": 1}) == {"n": 1}
    for given in ({"n": "one"}, {}):
        with pytest.raises(UnsupportedValue, match="do not fit the tool: /n: This") as refused:
            takes.read(given)
        assert [error["pointer"] for error in refused.value.extra["errors"]] == ["/n"]


def test_what_goes_without_a_name_is_refused() -> None:
    with pytest.raises(TypeError, match="by name"):
        arguments(lambda *paths: None, None)
    with pytest.raises(TypeError, match="not both"):
        arguments(Part, {"type": "object"})
