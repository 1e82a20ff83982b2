"""What is shown looks the same at the top and nested, and a secret is never shown."""

from __future__ import annotations

import enum
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from pathlib import PurePosixPath
from typing import Any, NamedTuple

import pytest
from pydantic import (
    BaseModel,
    Field,
    HttpUrl,
    RootModel,
    Secret,
    SecretBytes,
    SecretStr,
    computed_field,
    field_serializer,
)

from signoff import UnsupportedValue
from signoff.workflow.codec import conceal, encode, encode_as, public_json, shown, shown_apart
from signoff.workflow.entry import SAME

HUSH = "**********"


class Line(BaseModel):
    count: int = Field(alias="howMany")
    price: Decimal
    site: HttpUrl = HttpUrl("http://example.com/")
    note: str = Field("internal", exclude=True)
    key: SecretStr = SecretStr("hush")
    day: date = date(2026, 1, 2)

    @computed_field
    def total(self) -> Decimal:
        return self.count * self.price

    @field_serializer("day")
    def named(self, day: date) -> str:
        return f"day {day.day}"


@dataclass
class Order:
    line: Line
    token: SecretBytes = field(default_factory=lambda: SecretBytes(b"hush"))
    state: str = field(default="new", init=False)


class Pair(NamedTuple):
    left: Line
    right: int


LINE = Line.model_validate({"howMany": 2, "price": "1.50"})
SHOWN = {
    "howMany": 2,
    "price": "1.50",
    "site": "http://example.com/",
    "key": HUSH,
    "day": "day 2",
    "total": "3.00",
}


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (LINE, SHOWN),
        ([LINE], [SHOWN]),
        ((LINE, 1), [SHOWN, 1]),
        ({"line": LINE}, {"line": SHOWN}),
        ({"lines": [{"line": LINE}]}, {"lines": [{"line": SHOWN}]}),
        (Order(LINE), {"line": SHOWN, "token": HUSH, "state": "new"}),
        ([Order(LINE)], [{"line": SHOWN, "token": HUSH, "state": "new"}]),
        (Pair(LINE, 1), [SHOWN, 1]),
        (RootModel[list[Line]]([LINE]), [SHOWN]),
        ({1: LINE}, {"1": SHOWN}),
    ],
)
def test_a_model_looks_the_same_wherever_it_stands(value: Any, expected: Any) -> None:
    assert public_json(value) == expected


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (SecretStr("hush"), HUSH),
        (SecretStr(""), ""),
        ({"a": [SecretStr("hush")]}, {"a": [HUSH]}),
        (SecretBytes(b"hush"), HUSH),
        (Secret[int](1234), HUSH),
        ((Secret[date](date(2026, 1, 1)),), [HUSH]),
    ],
)
def test_a_secret_is_asterisks_wherever_it_stands(value: Any, expected: Any) -> None:
    assert public_json(value) == expected
    assert shown(encode(value)) == expected


class Colour(enum.Enum):
    RED = "red"


@dataclass
class Raw:
    data: bytes
    path: PurePosixPath = field(default_factory=lambda: PurePosixPath("a/b"))
    colour: Colour = Colour.RED


@dataclass
class Unknown:
    """Pydantic cannot describe it, so its members are shown by the same rule."""

    what: Callable[..., Any] | int
    line: Line
    odd: Strange | None = None


class Strange: ...


def test_what_json_mode_cannot_say_is_shown_as_elsewhere() -> None:
    assert public_json([Raw(b"\xff")]) == [{"data": "/w==", "path": "a/b", "colour": "red"}]
    assert public_json({"x": Unknown(1, LINE)}) == {"x": {"what": 1, "line": SHOWN, "odd": None}}


class Streaming(BaseModel):
    rows: Iterable[int]


def endless() -> Iterator[int]:
    while True:
        yield 1


class Raising(BaseModel):
    a: int = 1

    @field_serializer("a")
    def fails(self, a: int) -> str:
        raise RuntimeError(f"hush {a}")


class Tree(BaseModel):
    branches: list[Tree] = []


def looped() -> Tree:
    tree = Tree()
    tree.branches += [tree, tree]
    return tree


@pytest.mark.parametrize(
    ("value", "why"),
    [
        ([Streaming(rows=endless())], r"can be read only once at \$\[0\].rows"),
        ({"a": endless()}, r"generator can be read only once .* at \$.a"),
        ({"a": Raising()}, r"Raising raised .*PydanticSerializationError when it was shown at \$.a"),
        ([Unknown(object(), LINE)], r"builtins.object has no JSON form at \$\[0\].what"),  # type: ignore[arg-type]
        ([looped()], r"contains itself"),
        ([float("nan")], r"nan is no JSON number at \$\[0\]"),
    ],
)
def test_what_cannot_be_shown_is_refused_and_its_place_named(value: Any, why: str) -> None:
    with pytest.raises(UnsupportedValue, match=why) as refused:
        public_json(value)
    assert "hush" not in refused.value.detail


def test_what_is_shown_is_kept_apart_only_where_the_journal_does_not_say_it() -> None:
    assert shown_apart({"a": Decimal(1)}, encode({"a": Decimal(1)})) is SAME
    assert shown_apart(None, None) is SAME
    assert shown_apart([LINE], encode_as([LINE], list[Line])) == [SHOWN]


SCHEMA = {
    "$defs": {
        "Login": {"properties": {"pin": {"writeOnly": True}, "name": {"type": "string"}}},
        "Node": {
            "properties": {"next": {"anyOf": [{"$ref": "#/$defs/Node"}, {"type": "null"}]}, "s": {"writeOnly": True}}
        },
    },
    "properties": {
        "login": {"$ref": "#/$defs/Login"},
        "logins": {"items": {"$ref": "#/$defs/Login"}},
        "pair": {"prefixItems": [{"type": "integer"}, {"writeOnly": True}]},
        "by": {"additionalProperties": {"anyOf": [{"type": "integer"}, {"$ref": "#/$defs/Login"}]}},
        "node": {"$ref": "#/$defs/Node"},
    },
}


def test_secrets_of_an_answer_are_found_by_its_schema() -> None:
    login, hidden = {"pin": "1234", "name": "a"}, {"pin": HUSH, "name": "a"}
    value = {
        "login": login,
        "logins": [login, {"pin": None}],
        "pair": [1, 2],
        "by": {"x": login, "y": 3},
        "node": {"next": {"next": None, "s": "x"}, "s": ""},
        "pin": "not known",
    }
    assert conceal(value, SCHEMA) == {
        "login": hidden,
        "logins": [hidden, {"pin": None}],
        "pair": [1, HUSH],
        "by": {"x": hidden, "y": 3},
        "node": {"next": {"next": None, "s": HUSH}, "s": ""},
        "pin": "not known",
    }
    assert conceal(value, {}) is value
    assert conceal("1234", {"writeOnly": True}) == HUSH


def test_looking_for_secrets_ends() -> None:
    twice = {"anyOf": [{"items": {"$ref": "#/$defs/T"}}, {"items": {"$ref": "#/$defs/T"}}, {"writeOnly": True}]}
    endless_ref = {"$defs": {"T": {"$ref": "#/$defs/T"}}, "$ref": "#/$defs/T", "properties": {"a": {"writeOnly": True}}}
    value: Any = "deep"
    for _ in range(60):
        value = [value]
    assert conceal(value, {"$defs": {"T": twice}, "$ref": "#/$defs/T"}) == HUSH
    assert conceal({"a": "x"}, endless_ref) == HUSH
