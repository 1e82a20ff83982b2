from __future__ import annotations

import enum
import math
from collections import OrderedDict
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta, timezone
from decimal import Decimal
from typing import Annotated, Any, NamedTuple, TypedDict
from uuid import UUID

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import AfterValidator, BaseModel, Field

from signoff import UnsupportedValue
from signoff.workflow.codec import decode, encode, public_json, shown

text = st.text(st.characters(exclude_categories=["Cs"]))
zones = st.integers(-23 * 60, 23 * 60).map(lambda minutes: timezone(timedelta(minutes=minutes)))
leaves = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(allow_nan=False, allow_infinity=False),
    text,
    st.binary(),
    st.datetimes(),
    st.datetimes(timezones=zones),
    st.dates(),
    st.times(),
    st.timedeltas(),
    st.decimals(allow_nan=False),
    st.uuids(),
)
keys = st.one_of(text, st.just("$signoff"), st.just("v"))
values = st.recursive(
    leaves,
    lambda inner: st.one_of(
        st.lists(inner),
        st.dictionaries(keys, inner),
        st.dictionaries(st.one_of(st.integers(), text, st.dates()), inner),
        st.lists(inner).map(tuple),
        st.sets(st.one_of(st.integers(), text)),
        st.frozensets(st.integers()),
    ),
    max_leaves=20,
)


def stored(value: Any) -> Any:
    """What comes back from the journal's bytes."""
    return orjson.loads(orjson.dumps(encode(value)))


def same(left: Any, right: Any) -> bool:
    """Equal, of the same type all the way down, -0.0 told from 0.0."""
    if type(left) is not type(right):
        return False
    if isinstance(left, dict):
        return list(left) == list(right) and all(same(left[key], right[key]) for key in left)
    if isinstance(left, list | tuple):
        return len(left) == len(right) and all(map(same, left, right))
    if isinstance(left, float):
        return left == right and math.copysign(1, left) == math.copysign(1, right)
    if isinstance(left, datetime):
        return bool(left == right and left.utcoffset() == right.utcoffset())
    if isinstance(left, Decimal):
        return bool(left.as_tuple() == right.as_tuple())
    return bool(left == right)


@given(values)
def test_values_come_back_as_they_were(value: Any) -> None:
    assert same(decode(stored(value)), value)


@given(values)
def test_what_browsers_get_is_plain_json(value: Any) -> None:
    plain = public_json(value)
    assert same(orjson.loads(orjson.dumps(plain)), plain)
    assert shown(stored(value)) == plain


@pytest.mark.parametrize("value", [None, [], {}, "", 0, -0.0, False, 2**53, 2**53 + 1, -(2**70), [None], {"": None}])
def test_edges_come_back(value: Any) -> None:
    assert same(decode(stored(value)), value)


def test_integers_are_plain_up_to_two_to_the_53rd() -> None:
    assert encode(2**53) == 2**53
    assert encode(2**53 + 1) == {"$signoff": "int", "v": "9007199254740993"}


def test_a_dictionary_that_looks_like_a_tag_is_escaped() -> None:
    value = {"$signoff": "int", "v": "1"}
    assert encode(value) == {"$signoff": "escape", "v": value}
    assert decode(stored(value)) == value
    assert public_json(value) == value


@pytest.mark.parametrize(
    ("value", "place"),
    [
        (math.nan, "at $."),
        ({"a": [1, math.inf]}, "at $.a[1]."),
        ({"a": {"b": object()}}, "at $.a.b."),
        ([b"", {1: "\ud800"}], "at $[1][1]."),
        ({"\ud800": 1}, "lone surrogate"),
        ([10**5000], "too many digits"),
        (lambda: None, "has no JSON form"),
    ],
)
def test_what_cannot_be_kept_is_refused_and_its_place_named(value: Any, place: str) -> None:
    with pytest.raises(UnsupportedValue) as refused:
        encode(value)
    assert place in str(refused.value)


def test_a_value_that_contains_itself_is_refused() -> None:
    value: list[Any] = []
    value.append(value)
    with pytest.raises(UnsupportedValue, match="contains itself"):
        encode(value)


@pytest.mark.parametrize("encoded", [{"$signoff": "new", "v": 1}, {"$signoff": 3, "v": 1}, [{"$signoff": None}, 1]])
def test_unknown_tags_are_refused_by_name(encoded: Any) -> None:
    with pytest.raises(UnsupportedValue, match="unknown kind"):
        decode(encoded)


class Colour(enum.Enum):
    RED = "red"


class Level(enum.IntEnum):
    HIGH = 3


@dataclass
class Item:
    name: str
    price: Decimal
    bought: date | None = None
    tags: set[str] = field(default_factory=set)


class Claim(BaseModel):
    title: str
    items: list[Item] = []
    colour: Colour = Colour.RED
    level: Level = Level.HIGH
    total: Annotated[Decimal, AfterValidator(lambda value: round(value, 2))] = Decimal(0)
    from_: str = Field("", alias="from")
    at: datetime = datetime(2026, 1, 2, tzinfo=UTC)


class Note(TypedDict):
    text: str
    at: date


class Point(NamedTuple):
    x: int
    y: int


@pytest.mark.parametrize(
    ("value", "type_"),
    [
        (Item("taxi", Decimal("1.10"), date(2026, 1, 2), {"a", "b"}), Item),
        ([Item("taxi", Decimal("1.10"))], list[Item]),
        (Claim.model_validate({"title": "t", "items": [{"name": "n", "price": "2"}], "from": "x"}), Claim),
        ({"c": Claim.model_validate({"title": "t"})}, dict[str, Claim]),
        (Colour.RED, Colour),
        (Level.HIGH, Level),
        ({"text": "t", "at": date(2026, 1, 2)}, Note),
        (Point(1, 2), Point),
        (None, Claim | None),
        (timedelta(days=1, microseconds=3), timedelta),
        (UUID(int=5), UUID),
        (b"\x00\xff", bytes),
        (time(1, 2, 3), time),
        ({1: "a"}, dict[int, str]),
        (True, bool),
        (7, int),
    ],
)
def test_typed_values_come_back_as_their_type(value: Any, type_: Any) -> None:
    found = decode(stored(value), type_)
    assert found == value
    assert type(found) is type(value)


def test_subclasses_become_plain() -> None:
    class Words(str):
        __slots__ = ()

    assert encode(Words("a")) == "a"
    assert encode(OrderedDict(a=1)) == {"a": 1}
    assert encode(Colour.RED) == "red"
    assert encode({Words("k"): 1}) == {"k": 1}


def test_a_value_that_does_not_fit_its_type_says_where() -> None:
    with pytest.raises(UnsupportedValue) as refused:
        decode({"title": 3}, Claim)
    assert refused.value.extra["errors"][0]["pointer"] == "/title"


def test_types_pydantic_does_not_know_are_left_alone() -> None:
    class Strange: ...

    assert decode({"a": 1}, Strange) == {"a": 1}


def test_browsers_get_text_for_what_json_cannot_say() -> None:
    claim = Claim.model_validate({"title": "t", "total": "1.5", "from": "x"})
    assert public_json(claim)["total"] == "1.50"
    assert public_json(claim)["from"] == "x"
    assert public_json([Decimal("1.10"), 2**60, (1, 2), {date(2026, 1, 2): b"\x00"}, timedelta(seconds=90)]) == [
        "1.10",
        "1152921504606846976",
        [1, 2],
        {"2026-01-02": "AA=="},
        "PT1M30S",
    ]
