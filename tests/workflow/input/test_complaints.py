"""Answers are judged in bounded time, exactly, and as strictly as the type they will be read as."""

from __future__ import annotations

import sys
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from ipaddress import IPv4Address, IPv4Network, IPv6Address
from pathlib import Path
from typing import Annotated, Any, Literal
from uuid import UUID

import orjson
import pytest
from annotated_types import MultipleOf
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import (
    UUID4,
    AnyUrl,
    AwareDatetime,
    BaseModel,
    ConfigDict,
    Field,
    FutureDate,
    HttpUrl,
    NaiveDatetime,
    StringConstraints,
    TypeAdapter,
)

from signoff import Context
from signoff.workflow.codec import public_json
from signoff.workflow.input.complaints import MOST_COMPLAINTS, complaints
from signoff.workflow.input.schema import schema_of
from tests.workflow.drive import Drive


class Not(BaseModel):
    op: Literal["not"]
    arg: Expression


class And(BaseModel):
    op: Literal["and"]
    arg: Expression


class Leaf(BaseModel):
    op: Literal["leaf"]


Expression = Annotated[Not | And | Leaf, Field(discriminator="op")]
Not.model_rebuild()
And.model_rebuild()


class Left(BaseModel):
    child: Left | Right | None = None


class Right(BaseModel):
    child: Left | Right | None = None
    x: int = 0


Left.model_rebuild()


def nested(depth: int, leaf: Any, member: str, **more: Any) -> Any:
    value = leaf
    for _ in range(depth):
        value = {member: value, **more}
    return value


class Calls:
    """The number of Python calls made within a block: a measure of work that no other process disturbs."""

    def __enter__(self) -> Calls:
        self.count = 0
        sys.setprofile(self._count)
        return self

    def _count(self, _frame: Any, event: str, _arg: Any) -> None:
        self.count += event in {"call", "c_call"}

    def __exit__(self, *_: object) -> None:
        sys.setprofile(None)


def test_a_pattern_that_going_back_would_take_ages_is_judged_at_once() -> None:
    schema = schema_of(Annotated[str, Field(pattern=r"^(\w+\s?)+$")])
    assert complaints(schema, "a" * 100_000 + "!") != []
    assert complaints(schema, "a " * 50_000) == []


class LooksAhead(BaseModel):
    model_config = ConfigDict(regex_engine="python-re")
    code: str = Field(pattern=r"^(?=a)(a+)+$")


def test_a_pattern_that_looks_ahead_goes_back_a_bounded_number_of_times() -> None:
    assert complaints(schema_of(LooksAhead), {"code": "aaa"}) == []
    assert complaints(schema_of(LooksAhead), {"code": "a" * 5_000 + "!"}) != []


def test_a_pattern_nobody_can_check_is_refused_when_it_is_asked_for() -> None:
    class Odd(BaseModel):
        model_config = ConfigDict(regex_engine="python-re")
        code: str = Field(pattern=r"^(a)?(?(1)b|c)\Z")

    with pytest.raises(TypeError, match="cannot be held to"):
        schema_of(Odd)


@pytest.mark.parametrize("depth", [10, 30, 60])
def test_the_work_of_complaining_about_nested_alternatives_follows_their_depth(depth: int) -> None:
    with Calls() as calls:
        found = complaints(schema_of(Left), nested(depth, {"child": "wrong"}, "child"))
        tagged = complaints(schema_of(Expression), nested(depth, {"op": "lea"}, "arg", op="not"))
    assert found == [{"pointer": "", "message": "This is none of the forms it may have."}] or found[0]["pointer"]
    assert tagged == [{"pointer": "/arg" * depth + "/op", "message": "This must be one of: and, leaf, not."}]
    assert calls.count < 10_000 + 2_000 * depth


def test_one_wrong_item_in_a_long_list_is_found() -> None:
    values: list[Any] = [1] * 20_000 + ["x"]
    assert complaints(schema_of(list[int]), values) == [
        {"pointer": "/20000", "message": "This must be a whole number."}
    ]


def test_complaints_about_a_long_list_are_bounded() -> None:
    with Calls() as calls:
        assert len(complaints(schema_of(list[int]), ["x"] * 200_000)) == MOST_COMPLAINTS
    assert calls.count < 20_000


def test_every_amount_of_cents_is_a_multiple_of_a_cent() -> None:
    floats, decimals = (
        schema_of(Annotated[float, Field(multiple_of=0.01)]),
        schema_of(Annotated[Decimal, MultipleOf(Decimal("0.01"))]),
    )
    refused = [n for n in range(1, 10_001) if complaints(floats, n / 100) or complaints(decimals, n / 100)]
    assert refused == []
    assert complaints(floats, 1.005) == [{"pointer": "", "message": "This must be a multiple of 0.01."}]


def test_letters_of_every_script_can_be_asked_for() -> None:
    schema = schema_of(Annotated[str, Field(pattern=r"^\p{L}+$")])
    assert [complaints(schema, text) == [] for text in ("Ægir", "日本", "a1")] == [True, True, False]


@pytest.mark.parametrize("url", ["http://127.0.0.1:9/schema.json", "file:///etc/hostname"])
def test_references_are_never_followed_out_of_the_schema(url: str) -> None:
    [found] = complaints({"properties": {"a": {"$ref": url}}}, {"a": 1})
    assert "not part of it" in found["message"]


def test_a_schema_may_refer_to_itself_as_a_whole() -> None:
    schema = {"type": "object", "properties": {"next": {"$ref": "#"}, "n": {"type": "integer"}}}
    assert complaints(schema, {"next": {"next": {"n": "x"}}}) == [
        {"pointer": "/next/next/n", "message": "This must be a whole number."}
    ]


def test_members_with_odd_names_are_found() -> None:
    class Odd(BaseModel):
        a: int = Field(alias="a/b ~c%ä{")

    assert complaints(schema_of(Odd), {"a/b ~c%ä{": "x"}) == [
        {"pointer": "/a~1b ~0c%ä{", "message": "This must be a whole number."}
    ]


@pytest.mark.parametrize(
    ("type_", "good", "bad", "message"),
    [
        (HttpUrl, "https://example.org/a", "ftp://example.org", "This must be a web address"),
        (HttpUrl, "HTTP://example.org", "no address", "This must be a web address"),
        (AnyUrl, "ftp://example.org", "no address", "This must be a web address"),
        (IPv4Address, "10.0.0.1", "10.0.0.256", "This must be an IPv4 address."),
        (IPv6Address, "::1", "10.0.0.1", "This must be an IPv6 address."),
        (IPv4Network, "10.0.0.0/8", "10.0.0.1/8", "This must be ipv4network."),
        (UUID4, "7d444840-9dc0-4d1a-a1b2-5ffdce74fad2", "7d444840-9dc0-1d1a-a1b2-5ffdce74fad2", "This must be a UUID."),
        (AwareDatetime, "2026-01-02T03:04:05Z", "2026-01-02T03:04:05", "This must be a date and time."),
        (NaiveDatetime, "2026-01-02T03:04:05", "2026-01-02T03:04:05Z", "This must be a date and time."),
        (Annotated[date, Field(ge=date(2026, 1, 1))], "2026-01-01", "2025-12-31", "This must be 2026-01-01 or later."),
        (Annotated[time, Field(lt=time(12))], "11:59:59", "12:00:00", "This must be earlier than 12:00:00."),
        (Annotated[timedelta, Field(le=timedelta(hours=1))], "PT1H", "PT61M", "This must be PT1H or earlier."),
        (Annotated[Decimal, Field(ge=1)], "1", "0.99", "This must be at least 1."),
        (Annotated[Decimal, Field(ge=1)], 1, 0.99, "This must be at least 1."),
        (
            Annotated[Decimal, Field(decimal_places=2)],
            "1.10",
            "1.101",
            "This may have at most 2 digits after the point.",
        ),
        (Annotated[Decimal, Field(decimal_places=2)], 1.1, 1.101, "This may have at most 2 digits after the point."),
        (Annotated[Decimal, Field(max_digits=3)], "999", "1000", "This may have at most 3 digits."),
        (Annotated[Decimal, MultipleOf(Decimal("0.05"))], "1.15", "1.11", "This must be a multiple of 0.05."),
        (Decimal, "1e5", "NaN", "This must be a number."),
        (Annotated[str, StringConstraints(strip_whitespace=True, min_length=1)], " a ", "   ", "expected form"),
        (Annotated[str, StringConstraints(strip_whitespace=True, min_length=3)], " a b ", " ab ", "expected form"),
        (dict[int, str], {"-1": "a"}, {"one": "a"}, "This name does not have the expected form."),
        (dict[UUID, int], {"00000000-0000-4000-8000-000000000000": 1}, {"x": 1}, "This name does not have"),
        (tuple[int, str], [1, "a"], [1, 2], "This must be text."),
        (set[str], ["a", "b"], ["a", "a"], "Every item may be there only once."),
    ],
)
def test_the_schema_is_as_strict_as_the_type(type_: Any, good: Any, bad: Any, message: str) -> None:
    schema = schema_of(type_)
    assert complaints(schema, good) == []
    found = complaints(schema, bad)
    assert message in found[0]["message"]


def test_a_date_in_the_future_cannot_be_asked_for() -> None:
    with pytest.raises(TypeError, match=r"ctx\.now"):
        schema_of(FutureDate)


class Everything(BaseModel):
    amount: Annotated[Decimal, Field(ge=0, le=1000, max_digits=6, decimal_places=2)] = Decimal(0)
    price: Annotated[float, Field(gt=0, multiple_of=0.01)] = 1
    count: Annotated[int, Field(ge=-5, lt=100)] = 0
    site: HttpUrl | None = None
    host: IPv4Address | IPv6Address | None = None
    day: date | None = None
    at: AwareDatetime | None = None
    span: timedelta | None = None
    id: UUID | None = None
    note: Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=5)] = "a"
    code: Annotated[str, Field(pattern=r"^[A-Z]+\d?$")] = "A"
    expression: Expression | None = None
    child: Left | Right | None = None
    by_day: dict[date, int] = {}


texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=6)
words = st.one_of(
    texts,
    st.sampled_from(["https://a.example", "ftp://a", "10.0.0.1", "::1", "A1", "  ", " a ", "PT5M", "-0", "1e3", "00"]),
    st.dates().map(str),
    st.datetimes(timezones=st.none() | st.just(UTC)).map(datetime.isoformat),
    st.decimals(allow_nan=True, places=3).map(str),
    st.integers(-10, 2000).map(str),
    st.uuids().map(str),
    st.sampled_from(["and", "or", "not", "leaf"]),
)
json_values: st.SearchStrategy[Any] = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(-10, 2000), st.floats(-10, 2000).map(lambda f: round(f, 3)), words),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.dictionaries(
            words | st.sampled_from(["op", "arg", "child", "x", *Everything.model_fields]), inner, max_size=3
        ),
    ),
    max_leaves=6,
)


@settings(max_examples=600, deadline=None)
@given(st.fixed_dictionaries({}, optional=dict.fromkeys(Everything.model_fields, words | json_values)))
def test_what_the_schema_lets_through_the_type_takes(value: dict[str, Any]) -> None:
    if not complaints(schema_of(Everything), value):
        assert TypeAdapter(Everything).validate_json(orjson.dumps(value))


@settings(max_examples=300, deadline=None)
@given(json_values)
def test_every_complaint_points_into_what_was_sent(value: Any) -> None:
    for complaint in complaints(schema_of(Everything), value):
        assert complaint["message"].endswith((".", "…"))
        place = value
        for token in complaint["pointer"].split("/")[1:]:
            name = token.replace("~1", "/").replace("~0", "~")
            if complaint["message"] == "This is required." and name not in place:
                break
            place = place[int(name)] if isinstance(place, list) else place[name]


def test_paths_are_text() -> None:
    assert complaints(schema_of(Path), public_json("/srv/a b")) == []


def test_what_depends_on_another_member_is_told_where_it_is_missing() -> None:
    schema = {
        "type": "object",
        "if": {"properties": {"approved": {"const": False}}, "required": ["approved"]},
        "then": {"properties": {"comment": {"minLength": 1}}, "required": ["comment"]},
        "else": {"properties": {"comment": {"maxLength": 3}}},
    }
    assert complaints(schema, {"approved": False, "comment": "no"}) == []
    assert complaints(schema, {"approved": False, "comment": ""}) == [
        {"pointer": "/comment", "message": "This may not be empty."}
    ]
    assert complaints(schema, {"approved": False}) == [{"pointer": "/comment", "message": "This is required."}]
    assert complaints(schema, {"approved": True, "comment": "long"}) == [
        {"pointer": "/comment", "message": "This must have at most 3 characters."}
    ]


class Day(BaseModel, strict=True):
    day: date


def test_what_a_strict_model_asks_for_can_be_sent_and_read() -> None:
    async def flow(ctx: Context) -> str:
        answer = await ctx.await_input("when", Day, title="When?")
        return answer.value.day.isoformat()

    drive = Drive(flow)
    assert complaints(schema_of(Day), {"day": "2026-01-01"}) == []
    drive.answer("when:0", {"day": "2026-01-01"})
    assert drive.output == "2026-01-01"
