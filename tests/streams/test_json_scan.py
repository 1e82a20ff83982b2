"""Walking through JSON text without making objects of it: both walks agree, and slices prove the whole."""

from __future__ import annotations

import json
from itertools import pairwise
from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from signoff.errors import BadRequest
from signoff.streams import compaction, json_mode, json_scan
from signoff.streams.slices import SLICE_BYTES, Sliced, finish
from signoff.streams.stream import Payload
from tests.streams.test_json_mode import values

LONG = json_mode.AT_ONCE + 2 * SLICE_BYTES


def nested(value: object, depth: int) -> object:
    for level in range(depth):
        value = [value] if level % 2 else {"k": value, "n": 1}
    return value


deep = st.builds(nested, values, st.integers(0, 40))
arrays = st.lists(values | deep, min_size=1, max_size=5)


def long(messages: list[Any], indent: int | None = None) -> tuple[bytes, int]:
    """Return an array of these messages again and again, and how many it has."""
    text = json.dumps(messages, indent=indent)[1:-1].encode()
    times = 1 + LONG // len(text)
    return b"[" + b",".join([text] * times) + b"]", times * len(messages)


def pauses(work: Sliced[Any]) -> int:
    """Do work; return in how many pieces that was."""
    return 1 + sum(1 for _ in work)


@given(arrays)
@settings(max_examples=30, deadline=None)
def test_both_walks_stop_behind_the_same_commas(messages: list[Any]) -> None:
    body, count = long(messages, indent=1)
    data = body[1:-1]
    by_value = [stop[:3] for stop in json_scan.commas(data, each=True) if not stop.brackets]
    assert by_value == [stop[:3] for stop in json_scan.by_token(data, each=True)]
    assert len(by_value) == count - 1


@given(arrays, st.data())
@settings(max_examples=30, deadline=None)
def test_a_long_batch_is_parted_where_it_is_asked_for(messages: list[Any], data: st.DataObject) -> None:
    body, count = long(messages)
    stored, counted = json_mode.parse(body)
    assert (stored, counted) == (body[1:-1], count)
    if count > 1:
        at = data.draw(st.integers(1, count - 1))
        first, rest = finish(json_mode.first(stored, at)), finish(json_mode.skip(stored, at))
        assert len(orjson.loads(json_mode.array([first]))) == at
        assert orjson.loads(json_mode.array([first, rest])) == orjson.loads(body)


@given(arrays, st.binary(max_size=2) | st.sampled_from([b",", b"]", b"[", b"{", b"}", b'"', b"],[", b",,"]), st.data())
@settings(max_examples=150, deadline=None)
def test_slices_prove_neither_more_nor_less_than_the_whole(
    messages: list[Any], wrong: bytes, data: st.DataObject
) -> None:
    body, _ = long(messages)
    at = data.draw(st.integers(0, len(body)))
    body = body[:at] + wrong + body[at + data.draw(st.integers(0, 2)) :]
    try:
        # A value that is no array is checked in one.
        whole = orjson.loads(body if body.strip()[:1] == b"[" else b"[" + body + b"]")
    except orjson.JSONDecodeError:
        with pytest.raises(BadRequest):
            json_mode.parse(body)
    else:
        assert json_mode.parse(body)[1] == len(whole)


@pytest.mark.parametrize("end", [b"1,", b",1", b"[,1]", b"[1,]", b'{"a":}', b'{"a":1,}', b"[", b"]", b'"', b"1]],,[[1"])
@pytest.mark.parametrize("before", [b"0,", b"[[0,", b'{"a":[0,'])
def test_nothing_is_missing_where_slices_meet(before: bytes, end: bytes) -> None:
    after = {b"0,": b"", b"[[0,": b"]]", b'{"a":[0,': b"]}"}[before]
    middle = b"0," * (LONG // 2)
    json_mode.parse(b"[" + before + middle + b"1" + after + b"]")
    for text in (middle + end, end + b"," + middle + b"1", middle + end + b"," + middle + b"1"):
        with pytest.raises(BadRequest):
            json_mode.parse(b"[" + before + text + after + b"]")


def test_depth_is_bounded_where_it_is_for_short_texts() -> None:
    padding = b"0," * LONG
    for depth, fits in ((1023, True), (1024, False)):
        body = b"[" + padding + b"[" * depth + b"]" * depth + b"]"
        if fits:
            assert json_mode.parse(body)[1] == LONG + 1
        else:
            with pytest.raises(BadRequest):
                json_mode.parse(body)


@pytest.mark.parametrize(
    "message",
    [b"0", b"[]", b'""', b'{"a":[{"b":"c,]"}]}', b"[" * 20 + b"]" * 20, b'"' + b"x" * 1000 + b'"'],
)
def test_no_slice_is_long(message: bytes) -> None:
    """Also where all of it is one value."""
    data = b",".join([message] * (20 * SLICE_BYTES // len(message)))
    assert pauses(json_mode.parse_in_slices(b"[" + data + b"]")) >= 19
    assert pauses(json_mode.parse_in_slices(b"[[[" + data + b"]]]")) >= 19
    assert pauses(json_mode.parse_in_slices(b'{"a":[' + data + b"]}")) >= 19
    count = 1 + sum(1 for _ in json_scan.by_token(data, each=True))
    assert pauses(json_mode.skip(data, count - 1)) >= 19
    for walk in (json_scan.commas, json_scan.by_token):
        stops = [0, *(stop.position for stop in walk(data) if stop.pause)]
        assert max(after - before for before, after in pairwise(stops)) <= 4 * SLICE_BYTES


def test_rows_are_looked_at_in_slices() -> None:
    row = b'{"type":"t","key":"k","value":1,"headers":{"operation":"insert"}}'
    data = b",".join([row] * 4_000)
    good = Payload("application/json", data, 4_000)
    bad = Payload("application/json", data + b',{"type":"t"}', 4_001)
    assert pauses(compaction.examine(good)) >= 7
    assert finish(compaction.examine(good)).state_fault == ""
    assert finish(compaction.examine(bad)).state_fault
