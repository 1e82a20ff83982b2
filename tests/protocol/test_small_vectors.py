"""Offsets, values and digests are written as the vectors say."""

from __future__ import annotations

import json
import re
from collections import deque
from collections.abc import Callable
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from fractions import Fraction
from ipaddress import IPv4Network
from pathlib import PurePosixPath
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

import pytest
from pydantic import HttpUrl, SecretStr

from signoff.errors import InvalidOffset, SignoffError
from signoff.streams import offset
from signoff.workflow import codec
from tests.protocol.material import cases, load


@pytest.mark.parametrize("case", cases("offsets.json"))
def test_a_position_and_its_offset(case: dict[str, Any]) -> None:
    position = int(case["position"])
    assert offset.encode(position) == case["offset"]
    assert offset.decode(case["offset"]) == position


@pytest.mark.parametrize("case", cases("offsets.json", "marked"))
def test_an_offset_may_name_its_stream(case: Any) -> None:
    assert (offset.decode(case["token"]), offset.mark(case["token"])) == (case["position"], case["mark"])
    assert offset.marked(case["position"], case["mark"]) == case["token"]


@pytest.mark.parametrize("case", cases("offsets.json", "sentinels"))
def test_a_word_in_place_of_an_offset(case: dict[str, Any]) -> None:
    tail = 7
    assert offset.resolve(case["token"], tail) == (tail if case["position"] is None else case["position"])


@pytest.mark.parametrize("case", cases("offsets.json", "refused"))
def test_what_is_no_offset(case: dict[str, Any]) -> None:
    with pytest.raises(InvalidOffset):
        offset.resolve(case["token"], 7)


def test_offsets_sort_as_their_positions() -> None:
    ascending = load("offsets.json")["ascending"]
    assert sorted(ascending) == ascending
    assert sorted(ascending, key=offset.decode) == ascending


PYTHON: dict[str, Any] = {
    kind.__name__: kind
    for kind in (datetime, ZoneInfo, Fraction, IPv4Network, HttpUrl, PurePosixPath, deque, SecretStr)
} | {"re": re}

READ: dict[str, Callable[[Any], Any]] = {
    "json": lambda value: value,
    "integer": int,
    "bytes": bytes.fromhex,
    "datetime": datetime.fromisoformat,
    "date": date.fromisoformat,
    "time": time.fromisoformat,
    "duration": lambda text: {"P1DT2.000003S": timedelta(days=1, seconds=2, microseconds=3)}[text],
    "decimal": Decimal,
    "uuid": UUID,
    "python": lambda text: eval(text, PYTHON),
    "list": lambda items: [_value(item) for item in items],
    "tuple": lambda items: tuple(_value(item) for item in items),
    "set": lambda items: {_value(item) for item in items},
    "map": lambda pairs: {_value(key): _value(value) for key, value in pairs},
}


def _value(described: dict[str, Any]) -> Any:
    return READ[described["kind"]](described["value"])


@pytest.mark.parametrize("case", cases("codec.json"))
def test_a_value_is_written_shown_and_read_back(case: dict[str, Any]) -> None:
    value = _value(case)
    assert codec.encode(value) == case["written"]
    assert codec.public_json(value) == case["shown"]
    back = codec.decode(json.loads(json.dumps(case["written"])))
    assert back == value
    assert type(back) is type(value)


@pytest.mark.parametrize("case", cases("codec.json", "refused"))
def test_a_written_value_nobody_reads(case: dict[str, Any]) -> None:
    with pytest.raises(SignoffError):
        codec.decode(case["written"])


@pytest.mark.parametrize("case", cases("codec.json", "classes"))
def test_what_has_a_class_can_be_read_without_it(case: dict[str, Any]) -> None:
    untyped = codec.decode(case["written"])
    assert json.loads(json.dumps(untyped)) == case["untyped"]
    assert codec.shown(case["written"]) == case["shown"]


@pytest.mark.parametrize("case", cases("digest.json"))
def test_a_digest(case: dict[str, Any]) -> None:
    assert codec.digest(case["value"]) == case["digest"]
