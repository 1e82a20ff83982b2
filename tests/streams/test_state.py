"""State Protocol messages: their shape on the wire, their validation and their fold."""

from __future__ import annotations

import json
from typing import Any

import pytest

from signoff.errors import BadRequest
from signoff.streams import state

AT = "2025-01-15T10:30:00.000Z"


def test_the_shape_on_the_wire() -> None:
    assert (
        state.insert("input", "approve:0", {"id": "approve:0"}, timestamp=AT, txid="s1")
        == b'{"type":"input","key":"approve:0","value":{"id":"approve:0"},'
        b'"headers":{"operation":"insert","txid":"s1","timestamp":"2025-01-15T10:30:00.000Z"}}'
    )
    assert b"txid" not in state.update("run", "r", {}, timestamp=AT)
    assert "value" not in json.loads(state.delete("run", "r", timestamp=AT))


def test_encoded_values_and_great_integers_pass_unchanged() -> None:
    assert b'"value":{"n":1.10}' in state.insert("t", "k", b'{"n":1.10}', timestamp=AT)
    assert b'"value":{"n":%d}' % 2**80 in state.insert("t", "k", {"n": 2**80}, timestamp=AT)
    assert state.fold([state.insert("t", "k", {"n": 2**80}, timestamp=AT)]) == {("t", "k"): {"n": 2**80}}


def test_none_is_a_value() -> None:
    assert state.fold([state.insert("t", "k", None, timestamp=AT)]) == {("t", "k"): None}


@pytest.mark.parametrize(("row_type", "key"), [("", "k"), ("t", "")])
def test_a_row_needs_a_name(row_type: str, key: str) -> None:
    with pytest.raises(ValueError, match="type and a key"):
        state.insert(row_type, key, {}, timestamp=AT)


def test_fold_keeps_types_apart_and_applies_in_order() -> None:
    rows = state.fold(
        [
            state.insert("user", "1", {"name": "Alice"}, timestamp=AT),
            state.insert("team", "1", {"name": "Finance"}, timestamp=AT),
            state.update("user", "1", {"name": "Alice Smith"}, timestamp=AT),
            state.insert("user", "2", {"name": "Bob"}, timestamp=AT),
            state.delete("user", "2", timestamp=AT),
            state.delete("user", "never", timestamp=AT),
        ]
    )
    assert rows == {("user", "1"): {"name": "Alice Smith"}, ("team", "1"): {"name": "Finance"}}


def test_fold_goes_on_from_given_rows_and_understands_control_messages() -> None:
    rows = state.fold([state.insert("a", "1", 1, timestamp=AT)])
    state.fold([{"headers": {"control": "snapshot-start"}}, state.insert("a", "2", 2, timestamp=AT)], rows)
    assert rows == {("a", "1"): 1, ("a", "2"): 2}
    assert state.fold([{"headers": {"control": "reset", "offset": "0"}}], rows) == {}


@pytest.mark.parametrize(
    ("message", "names"),
    [
        (1, "object"),
        ({}, "headers"),
        ({"headers": []}, "headers"),
        ({"headers": {"control": "stop"}}, "headers.control"),
        ({"headers": {"control": "reset", "offset": 1}}, "headers.offset"),
        ({"headers": {}}, "headers.operation"),
        ({"headers": {"operation": "upsert"}, "type": "t", "key": "k", "value": 1}, "headers.operation"),
        ({"headers": {"operation": []}, "type": "t", "key": "k"}, "headers.operation"),
        ({"headers": {"operation": "insert"}, "key": "k", "value": 1}, "`type`"),
        ({"headers": {"operation": "insert"}, "type": "", "key": "k", "value": 1}, "`type`"),
        ({"headers": {"operation": "insert"}, "type": "t", "key": 1, "value": 1}, "`key`"),
        ({"headers": {"operation": "update"}, "type": "t", "key": "k"}, "`value`"),
        ({"headers": {"operation": "delete", "txid": ""}, "type": "t", "key": "k"}, "headers.txid"),
        ({"headers": {"operation": "delete", "timestamp": "noon"}, "type": "t", "key": "k"}, "headers.timestamp"),
        ({"headers": {"operation": "delete", "timestamp": 5}, "type": "t", "key": "k"}, "headers.timestamp"),
    ],
)
def test_malformed_messages_name_the_member(message: Any, names: str) -> None:
    with pytest.raises(BadRequest, match=names):
        state.fold([message])
