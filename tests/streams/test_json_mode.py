"""JSON mode: flattening, and bytes that stay as they were sent (Durable Streams §9.1)."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from signoff.errors import BadRequest
from signoff.streams import json_mode
from signoff.streams.slices import finish

values: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text() | st.sampled_from(['a"b', "a,b", "]", "}", "\\", '\\"']),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=4), inner, max_size=4),
    max_leaves=12,
)


@pytest.mark.parametrize(
    ("body", "data", "count"),
    [
        (b'{"event":"created"}', b'{"event":"created"}', 1),
        (b'[{"event":"a"},{"event":"b"}]', b'{"event":"a"},{"event":"b"}', 2),
        (b"[[1,2],[3,4]]", b"[1,2],[3,4]", 2),
        (b"[[[1,2,3]]]", b"[[1,2,3]]", 1),
        (b"[]", b"", 0),
        (b" [ \n ] ", b"", 0),
        (b"[[]]", b"[]", 1),
        (b"[null]", b"null", 1),
        (b"null", b"null", 1),
        (b"\n 1 \t", b"1", 1),
        (b'"a,b"', b'"a,b"', 1),
    ],
)
def test_flattening(body: bytes, data: bytes, count: int) -> None:
    assert json_mode.parse(body) == (data, count)


@pytest.mark.parametrize(
    "text",
    [b"123456789012345678901234567890", b"9007199254740993", b"1.10", b"1e2", b"-0", b"0.1000000000000000055511151231",
     b'{"b":1,"a":2,"b":3}', b'"\\u00e9"', '"é"'.encode(), b'"a\\/b"'],
)  # fmt: skip
def test_not_a_byte_is_altered(text: bytes) -> None:
    assert json_mode.parse(text) == (text, 1)
    assert json_mode.parse(b"[" + text + b" , " + text + b"]") == (text + b" , " + text, 2)


@pytest.mark.parametrize(
    "body",
    [b"", b" ", b"{", b"]", b"[", b"1 2", b"1,2", b"],[", b"1]", b"[1", b"{'a':1}", b"nul", b"NaN", b"[Infinity]",
     b'"\xff"', b"\xef\xbb\xbf1", b'"\x00"', b"[1,]", b"[,1]", b'"\\ud800"', b"undefined", b"\x00", b"[]]"],
)  # fmt: skip
def test_what_is_not_json(body: bytes) -> None:
    with pytest.raises(BadRequest):
        json_mode.parse(body)


def test_depth_is_bounded_alike_for_writers_and_readers() -> None:
    """What is stored can be read back by the same parser, in its array."""
    deep = b"[" * 1023 + b"]" * 1023
    data, count = json_mode.parse(b'{"a":' + deep[1:-1] + b"}")
    assert count == 1
    assert json_mode.parse(json_mode.array([data])) == (data, 1)
    with pytest.raises(BadRequest):
        json_mode.parse(b'{"a":' + deep + b"}")


@given(st.lists(values, min_size=1, max_size=6), st.sampled_from([None, 1]))
def test_splitting_finds_every_message_again(messages: list[Any], indent: int | None) -> None:
    data, count = json_mode.parse(json.dumps(messages, indent=indent).encode())
    parts = json_mode.split(data)
    assert count == len(parts) == len(messages)
    assert [json.loads(part) for part in parts] == messages
    for index in range(count):
        assert json.loads(json_mode.array([finish(json_mode.skip(data, index))])) == messages[index:]


def test_splitting_alters_nothing() -> None:
    data, _ = json_mode.parse(b'[ {"a": 1.0} , "x,]" ,  12345678901234567890123 ]')
    assert json_mode.split(data) == [b'{"a": 1.0}', b'"x,]"', b"12345678901234567890123"]
    assert finish(json_mode.skip(data, 0)) == data
    assert finish(json_mode.skip(data, 2)) == b"12345678901234567890123"
    assert json_mode.split(b"") == []
    with pytest.raises(ValueError, match="not more than 3"):
        finish(json_mode.skip(data, 3))


def test_arrays_of_batches() -> None:
    assert json_mode.array([]) == b"[]"
    assert json_mode.array([b"1,2", b"3"]) == b"[1,2,3]"


def test_only_json_is_parsed() -> None:
    assert json_mode.payload("application/json; charset=utf-8", b"[1,2]").units == 2
    assert json_mode.payload("application/ndjson", b"[1,2]").units == 5
    assert json_mode.payload("application/json", b"").units == 0
