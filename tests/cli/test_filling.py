"""A form is filled in line by line, whatever its fields are; what does not fit is asked for again, and nothing else."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from datetime import datetime
from typing import Any

import pytest
import typer

from signoff.cli.filling import fill, mend
from signoff.workflow.input.complaints import complaints
from signoff.workflow.input.form import form_of
from tests.protocol.material import load

CASES = {case["name"]: case for case in load("forms.json")["cases"]}
Typing = Callable[..., None]


@pytest.fixture
def types(monkeypatch: pytest.MonkeyPatch) -> Iterator[Typing]:
    """Have lines typed, one after the other; all of them are asked for."""
    keyboard = io.StringIO()

    def typed(*lines: str) -> None:
        keyboard.write("".join(f"{line}\n" for line in lines))
        keyboard.seek(0)

    monkeypatch.setattr("sys.stdin", keyboard)
    yield typed
    assert keyboard.read() == ""


def _form(schema: dict[str, Any]) -> list[dict[str, Any]]:
    form = form_of(schema)
    assert form is not None
    return form


FILLED: dict[str, tuple[list[str], Any]] = {
    "optional members": (
        ["", "7", "-", "y", "Main St", "12345", "Yes"],
        {"must_say": 7, "default_of_five": None, "address": {"street": "Main St", "zip_code": "12345"}, "sure": True},
    ),
    "decimals": (["12.50", "", ""], {"amount": "12.50", "step": "0.10"}),
    "dates and times": (
        ["2026-05-01", "2026-05-01T10:00Z", "2026-05-01T10:00+02:00", "2026-05-01T10:00", "", "PT5M", "2026-02-01"],
        {
            "day": "2026-05-01",
            "at": "2026-05-01T10:00Z",
            "aware": "2026-05-01T10:00+02:00",
            "naive": "2026-05-01T10:00",
            "clock": "09:30:00",
            "lasts": "PT5M",
            "between": "2026-02-01",
        },
    ),
    "choices": (
        ["2", "", "", "5", "n", "", "n", "y", "1"],
        {
            "colour": "blue",
            "level": 1,
            "country": "es",
            "approved": False,
            "urgent": False,
            "accepted": True,
            "version": "v2",
            "only": "one",
        },
    ),
    "unions": (
        ["1", "123456789012", "Cash", "5"],
        {"pay": {"by": "card", "number": "123456789012"}, "tip": {"by": "cash", "amount": "5"}},
    ),
    "rows": (
        [
            *("Train", "84.5", "y", "Hotel", "120", "n", "1", "a", "y", "blue", "n", "y", "", "y", "3", "n"),
            *("y", "food", "9.99", "n", "n", "n"),
        ],
        {
            "lines": [["Train", "84.5"], ["Hotel", "120"]],
            "pair": [1, "a"],
            "colours": ["blue"],
            "maybe": [None, 3],
            "prices": {"food": "9.99"},
            "by_colour": {},
            "codes": {},
        },
    ),
    "what the list cannot say": (
        ['{"a": [1]}', "oops {", "7", "", "Root", "y", '{"name": "leaf"}', "n"],
        {"anything": {"a": [1]}, "either": 7, "open": {}, "tree": {"name": "Root", "children": [{"name": "leaf"}]}},
    ),
    "one text": (["hello"], "hello"),
    "an optional number": ([""], None),
    "one choice": (["RED"], "red"),
    "a list": (["n"], []),
    "no members": ([], {}),
    "anything": (["[1, 2]"], [1, 2]),
    "named options": (["High"], 2),
}


@pytest.mark.parametrize("name", FILLED)
def test_what_is_typed_becomes_a_value_that_fits(name: str, types: Typing) -> None:
    lines, value = FILLED[name]
    types(*lines)
    filled = fill(CASES[name]["form"])
    assert filled == value
    assert complaints(CASES[name]["schema"], filled) == []


def test_what_is_proposed_is_taken_with_blank_lines(types: Typing, capsys: pytest.CaptureFixture[str]) -> None:
    schema = {
        "type": "object",
        "properties": {
            "n": {"type": "integer"},
            "colour": {"enum": ["red", "blue"]},
            "lines": {"type": "array", "items": {"type": "string"}},
            "prices": {"type": "object", "additionalProperties": {"type": "integer"}},
            "body": {"type": "string", "contentMediaType": "text/plain"},
            "trip": {"type": "object", "properties": {"to": {"type": "string"}}},
            "who": CASES["one of several forms"]["schema"] | {"$defs": {}},
        },
        "$defs": CASES["one of several forms"]["schema"]["$defs"],
    }
    initial = {
        "n": 0,
        "colour": "blue",
        "lines": ["a"],
        "prices": {"x": 1},
        "body": "long",
        "trip": {"to": "Oslo"},
        "who": {"by": "cash", "amount": "5"},
    }
    types(*[""] * 9)
    assert fill(_form(schema), initial) == initial
    assert "N [0] (- for none): " in capsys.readouterr().out


@pytest.mark.parametrize(
    ("schema", "initial", "line", "value"),
    [
        ({"type": "string"}, {"path": "/tmp/a"}, "told", "told"),
        ({"type": "integer"}, True, "1", 1),
        ({"type": "integer"}, "7", "1", 1),
        ({"type": "boolean"}, "yes", "y", True),
        ({"type": "object", "properties": {"a": {"type": "string"}}, "required": ["a"]}, "x", "b", {"a": "b"}),
        ({"enum": ["a", "b"]}, 1, "b", "b"),
        ({"enum": [0, 1]}, False, "1", 1),
        ({"type": "array", "items": {"type": "string"}}, {"a": 1}, "n", []),
    ],
)
def test_what_is_proposed_of_another_kind_is_not(
    schema: dict[str, Any], initial: Any, line: str, value: Any, types: Typing
) -> None:
    blank = [] if schema.get("type") in {"object", "string", "array"} else [""]
    types(*blank, line)
    assert fill(_form(schema), initial) == value


def test_a_time_that_needs_an_offset_gets_that_of_this_machine(types: Typing) -> None:
    form = [field for field in CASES["dates and times"]["form"] if field["name"] in {"aware", "naive"}]
    types("2026-05-01T10:00", "2026-05-01T10:00")
    filled = fill(form)
    assert datetime.fromisoformat(filled["aware"]) == datetime(2026, 5, 1, 10).astimezone()
    assert datetime.fromisoformat(filled["aware"]).tzinfo is not None
    assert filled["naive"] == "2026-05-01T10:00"


def test_lines_of_a_long_text_end_with_an_empty_one(types: Typing) -> None:
    form = _form({"type": "string", "contentMediaType": "text/markdown"})
    types("one", "two", "")
    assert fill(form) == "one\ntwo"


def test_control_characters_of_a_form_do_not_reach_the_terminal(
    types: Typing, capsys: pytest.CaptureFixture[str]
) -> None:
    types("x")
    fill(_form({"type": "object", "properties": {"a": {"title": "\x1b[31mA", "type": "string"}}, "required": ["a"]}))
    assert "\x1b" not in capsys.readouterr().out


@pytest.mark.parametrize(("typed", "said"), [("nan", "a number"), ("1e999", "a number"), ("x", "a number")])
def test_what_is_no_number_is_asked_for_again(
    typed: str, said: str, types: Typing, capsys: pytest.CaptureFixture[str]
) -> None:
    types(typed, "1.5")
    assert fill(_form({"type": "number"})) == 1.5
    assert said in capsys.readouterr().out


def test_the_end_of_input_is_no_answer(types: Typing) -> None:
    types()
    with pytest.raises(typer.Abort):
        fill(_form({"type": "string"}))


SHOPPING = {
    "type": "object",
    "properties": {
        "who": {"type": "string", "minLength": 3},
        "lines": {
            "type": "array",
            "minItems": 1,
            "items": {
                "type": "object",
                "properties": {"what": {"type": "string"}, "count": {"type": "integer", "minimum": 1}},
                "required": ["what", "count"],
            },
        },
        "pair": {"type": "array", "prefixItems": [{"type": "integer", "minimum": 1}], "items": False},
        "prices": {"type": "object", "additionalProperties": {"type": "integer", "maximum": 9}},
        "any": {"anyOf": [{"type": "integer", "minimum": 5}, {"type": "array"}]},
    },
    "required": ["who", "lines"],
}


@pytest.mark.parametrize(
    ("wrong", "lines", "right"),
    [
        ({"who": "A"}, ["Ada"], {"who": "Ada"}),
        ({"lines": [{"what": "x", "count": 1}, {"what": "y", "count": 0}]}, ["2"], {"lines.1": 2}),
        ({"lines": []}, ["a", "1", "n"], {"lines": [{"what": "a", "count": 1}]}),
        ({"pair": [0]}, ["1"], {"pair": [1]}),
        ({"prices": {"a/b": 10, "c": 1}}, ["9"], {"prices": {"a/b": 9, "c": 1}}),
        ({"any": 3}, ["7"], {"any": 7}),
        ({"who": "A", "pair": [0]}, ["Ada", "1"], {"who": "Ada", "pair": [1]}),
    ],
)
def test_only_what_does_not_fit_is_asked_for_again(
    wrong: dict[str, Any], lines: list[str], right: dict[str, Any], types: Typing
) -> None:
    value = {"who": "Ada", "lines": [{"what": "x", "count": 1}], "any": 5} | wrong
    faults = complaints(SHOPPING, value)
    assert faults
    types(*lines)
    mended = mend(_form(SHOPPING), value, faults)
    if "lines.1" in right:
        right = {"lines": [{"what": "x", "count": 1}, {"what": "y", "count": right["lines.1"]}]}
    assert mended == value | right
    assert complaints(SHOPPING, mended) == []


def test_what_is_said_of_no_field_has_all_asked_for_again(types: Typing, capsys: pytest.CaptureFixture[str]) -> None:
    form = _form({"type": "object", "properties": {"a": {"type": "integer"}}, "required": ["a"]})
    types("2")
    assert mend(form, {"a": 1}, [{"pointer": "", "message": "Odd ones only."}]) == {"a": 2}
    assert "Odd ones only." in capsys.readouterr().out


def test_what_was_left_out_and_is_required_after_all_is_asked_for(types: Typing) -> None:
    form = _form({"type": "object", "properties": {"a": {"type": "integer"}, "b": {"type": "integer"}}})
    types("2")
    assert mend(form, {"a": 1}, [{"pointer": "/b", "message": "This is required."}]) == {"a": 1, "b": 2}
