from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Annotated, Any, Literal, TypedDict
from uuid import UUID

import pytest
from annotated_types import Ge, Len
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import BaseModel, ConfigDict, Field

from signoff.workflow.codec import decode, encode, public_json
from signoff.workflow.input.complaints import complaints
from signoff.workflow.input.schema import schema_of


class Line(BaseModel):
    name: Annotated[str, Field(min_length=1, max_length=5)]
    amount: Annotated[int, Ge(0)]


class Form(BaseModel):
    model_config = ConfigDict(extra="forbid")
    approved: bool
    kind: Literal["a", "b"] = "a"
    note: str | None = None
    limit: Decimal | None = None
    when: datetime | None = None
    day: date | None = None
    lines: Annotated[list[Line], Len(0, 2)] = []
    either: int | Line = 0
    code: Annotated[str, Field(pattern="^[A-Z]+$")] = "A"
    id: UUID | None = None


GOOD: dict[str, Any] = {"approved": True}


@pytest.mark.parametrize(
    ("value", "pointer", "message"),
    [
        ({}, "/approved", "This is required."),
        (None, "", "This must be a group of fields."),
        ([], "", "This must be a group of fields."),
        ({"approved": "yes"}, "/approved", "This must be yes or no."),
        (GOOD | {"spare": 1}, "/spare", "This was not asked for."),
        (GOOD | {"kind": "c"}, "/kind", "This must be one of: a, b."),
        (GOOD | {"note": 3}, "/note", "This must be text."),
        (GOOD | {"when": "tomorrow"}, "/when", "This must be a date and time."),
        (GOOD | {"when": "1700000000"}, "/when", "This must be a date and time."),
        (GOOD | {"day": "2026-02-30"}, "/day", "This must be a date."),
        (GOOD | {"id": "no"}, "/id", "This must be a UUID."),
        (GOOD | {"lines": 3}, "/lines", "This must be a list."),
        (GOOD | {"lines": [{"name": "", "amount": 1}]}, "/lines/0/name", "This may not be empty."),
        (GOOD | {"lines": [{"name": "abcdef", "amount": 1}]}, "/lines/0/name", "This must have at most 5 characters."),
        (GOOD | {"lines": [{"name": "a", "amount": -1}]}, "/lines/0/amount", "This must be at least 0."),
        (GOOD | {"lines": [{"name": "a"}]}, "/lines/0/amount", "This is required."),
        (GOOD | {"lines": [{"name": "a", "amount": 1}] * 3}, "/lines", "There must be at most 2."),
        (GOOD | {"either": "x"}, "/either", "This must be a group of fields or a whole number."),
        (GOOD | {"either": {"name": "a"}}, "/either/amount", "This is required."),
        (GOOD | {"code": "a"}, "/code", "This does not have the expected form (^[A-Z]+$)."),
    ],
)
def test_what_does_not_fit_is_told_to_people(value: Any, pointer: str, message: str) -> None:
    assert complaints(schema_of(Form), value) == [{"pointer": pointer, "message": message}]


def test_everything_that_does_not_fit_is_told_at_once() -> None:
    value = {"kind": "c", "lines": [{}]}
    found = {complaint["pointer"] for complaint in complaints(schema_of(Form), value)}
    assert found == {"/approved", "/kind", "/lines/0/name", "/lines/0/amount"}


def test_a_good_value_has_no_complaints() -> None:
    value = GOOD | {
        "when": "2026-01-02T03:04:05Z",
        "day": "2026-01-02",
        "limit": "1.10",
        "id": "00000000-0000-4000-8000-000000000000",
        "lines": [{"name": "a", "amount": 0}],
        "either": {"name": "b", "amount": 2},
    }
    assert complaints(schema_of(Form), value) == []


def test_pointers_are_escaped() -> None:
    schema = {"type": "object", "required": ["a/b~c"]}
    assert complaints(schema, {})[0]["pointer"] == "/a~1b~0c"


def test_complaints_are_bounded() -> None:
    schema = {"type": "array", "items": {"type": "string"}}
    assert len(complaints(schema, list(range(10_000)))) == 50


def test_schemas_may_be_true_or_false() -> None:
    assert complaints(True, 3) == []
    assert complaints(False, 3) == [{"pointer": "", "message": "This does not fit."}]


def test_references_out_of_the_schema_are_never_fetched() -> None:
    found = complaints({"$ref": "http://127.0.0.1:9/schema.json"}, 1)
    assert "not part of it" in found[0]["message"]


class Tree(BaseModel):
    children: list[Tree] = []


def test_recursive_schemas_are_followed() -> None:
    assert complaints(schema_of(Tree), {"children": [{"children": [{"children": 3}]}]}) == [
        {"pointer": "/children/0/children/0/children", "message": "This must be a list."}
    ]


def test_schemas_name_their_dialect() -> None:
    assert schema_of(int) == {"$schema": "https://json-schema.org/draft/2020-12/schema", "type": "integer"}


@dataclass
class Record:
    text: str
    number: int
    amount: Decimal
    at: datetime
    span: timedelta
    tags: list[str]
    maybe: float | None = None


class Typed(TypedDict):
    day: date
    id: UUID


plain = st.text(st.characters(exclude_categories=["Cs"]))
records = st.builds(
    Record,
    text=plain,
    number=st.integers(-(2**53), 2**53),
    amount=st.decimals(allow_nan=False, allow_infinity=False, places=2),
    at=st.datetimes(timezones=st.just(UTC)),
    span=st.timedeltas(timedelta(0), timedelta(days=1000)),
    tags=st.lists(plain),
    maybe=st.none() | st.floats(allow_nan=False, allow_infinity=False),
)


@settings(max_examples=50)
@given(records)
def test_what_the_workflow_would_write_a_person_may_send(record: Record) -> None:
    sent = public_json(record)
    assert complaints(schema_of(Record), sent) == []
    found = decode(encode(sent), Record)
    assert (found.text, found.number, found.at) == (record.text, record.number, record.at)


JUNK = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), plain),
    lambda inner: st.one_of(st.lists(inner), st.dictionaries(plain | st.sampled_from(list(Form.model_fields)), inner)),
    max_leaves=8,
)


@given(JUNK)
def test_any_json_gets_an_answer(value: Any) -> None:
    for complaint in complaints(schema_of(Form), value):
        assert complaint["pointer"] == "" or complaint["pointer"].startswith("/")
        assert complaint["message"].endswith((".", "…"))


@settings(max_examples=200)
@given(st.fixed_dictionaries({"day": plain | st.dates().map(str), "id": plain | st.uuids().map(str)}))
def test_what_the_schema_lets_through_python_can_read(value: Any) -> None:
    if not complaints(schema_of(Typed), value):
        assert decode(encode(value), Typed)
