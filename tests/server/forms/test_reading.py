from __future__ import annotations

from typing import Any

import pytest

from signoff.server.forms.reading import read_form
from signoff.workflow.input.form import form_of


@pytest.mark.parametrize(
    ("schema", "filled", "value"),
    [
        ({"type": "integer"}, {"v": ["7"]}, {"a": 7}),
        ({"type": "integer"}, {"v": ["seven"]}, {"a": "seven"}),
        ({"type": "number"}, {"v": ["1e999"]}, {"a": "1e999"}),
        ({"type": "string", "format": "decimal"}, {"v": ["1.50"]}, {"a": "1.50"}),
        ({"type": "boolean"}, {}, {"a": False}),
        ({"enum": [1, "1", True]}, {"v": ["1"]}, {"a": "1"}),
        ({"enum": [1, 2]}, {"v": ["9"]}, {}),
        ({"enum": [1, 2]}, {"v": ["9" * 5_000]}, {}),
        ({"type": "string", "format": "date"}, {"v": ["2026-01-31"]}, {"a": "2026-01-31"}),
        ({"type": "string"}, {"v": [""]}, {"a": ""}),
        (
            {"type": "array", "items": {"type": "string"}},
            {"v/0": ["x"], "v/2": ["y"], "v?n": ["3"]},
            {"a": ["x", "y"]},
        ),
        ({"type": "array", "items": {"enum": ["x", "y"]}, "uniqueItems": True}, {"v": ["0", "1"]}, {"a": ["x", "y"]}),
        (
            {"type": "object", "additionalProperties": {"type": "integer"}},
            {"v/0?k": ["k"], "v/0": ["1"], "v?n": ["2"]},
            {"a": {"k": 1}},
        ),
    ],
)
def test_what_is_filled_in_is_read_as_what_its_kind_is(schema: Any, filled: dict[str, list[str]], value: Any) -> None:
    form = form_of({"type": "object", "properties": {"a": schema}, "required": ["a"]})
    assert form is not None
    named = {name.replace("v", "v/a", 1): given for name, given in filled.items()}
    assert read_form(form, named) == value


@pytest.mark.parametrize(("schema", "value"), [({"default": "Hello"}, {"a": ""}), ({"default": ""}, {}), ({}, {})])
def test_a_text_that_was_cleared_does_not_come_back_as_the_default(schema: Any, value: Any) -> None:
    form = form_of({"type": "object", "properties": {"a": {"type": "string", **schema}}})
    assert form is not None
    assert read_form(form, {"v/a": [""]}) == value


def test_a_variant_whose_number_has_thousands_of_digits_is_none() -> None:
    variants = [
        {"type": "object", "properties": {"kind": {"const": kind}}, "required": ["kind"]} for kind in ("cat", "dog")
    ]
    form = form_of(
        {"type": "object", "properties": {"a": {"oneOf": variants, "discriminator": {"propertyName": "kind"}}}}
    )
    assert form is not None
    assert form[0]["kind"] == "union"
    assert read_form(form, {"v/a": ["9" * 5_000]}) == {}


class Watched(dict[str, list[str]]):
    passes = 0

    def items(self) -> Any:
        self.passes += 1
        return super().items()

    def __iter__(self) -> Any:
        self.passes += 1
        return super().__iter__()


def test_a_form_of_many_rows_is_gone_through_once() -> None:
    lists = {"type": "array", "items": {"type": "array", "items": {"type": "string"}}}
    form = form_of({"type": "object", "properties": {"a": lists}, "required": ["a"]})
    assert form is not None
    sent = Watched({"v/a?n": ["200"]})
    sent |= {f"v/a/{row}?n": ["200"] for row in range(200)}
    sent |= {f"v/a/{row}/{at}": ["x"] for row in range(200) for at in range(0, 200, 10)}
    assert read_form(form, sent) == {"a": [["x"] * 20] * 200}
    assert sent.passes == 1


def test_a_field_of_a_million_levels_is_no_row_of_anything() -> None:
    form = form_of({"type": "object", "properties": {"a": {"type": "array", "items": {"type": "string"}}}})
    assert form is not None
    assert read_form(form, {"v/a?n": ["1"], "v/a" + "/0" * 500_000: ["x"]}) == {"a": [""]}
