"""State Protocol messages: build, validate and fold them (Durable Streams State Protocol §4 to §6).

A row is named by its type and key. A message inserts, replaces or deletes one row; folding the messages of a stream in
order gives its rows. Signoff writes change messages only; the control messages of others are understood when folding.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from enum import StrEnum
from typing import Any, Final

import orjson

from signoff.errors import BadRequest

RowMap = dict[tuple[str, str], Any]
"""Materialized state: `(type, key)` → value."""

_RFC3339: Final = re.compile(r"\d{4}-\d\d-\d\d[Tt]\d\d:\d\d:\d\d(\.\d+)?([Zz]|[+-]\d\d:\d\d)")


class Operation(StrEnum):
    """What a change message does to its row."""

    INSERT = "insert"
    UPDATE = "update"
    DELETE = "delete"


class Control(StrEnum):
    """The control messages (§4.2). Signoff never writes one."""

    SNAPSHOT_START = "snapshot-start"
    SNAPSHOT_END = "snapshot-end"
    RESET = "reset"


def insert(row_type: str, key: str, value: Any, *, timestamp: str, txid: str | None = None) -> bytes:
    """Build the message that creates a row; see `change`."""
    return change(Operation.INSERT, row_type, key, value, timestamp=timestamp, txid=txid)


def update(row_type: str, key: str, value: Any, *, timestamp: str, txid: str | None = None) -> bytes:
    """Build the message that replaces a row; see `change`."""
    return change(Operation.UPDATE, row_type, key, value, timestamp=timestamp, txid=txid)


def delete(row_type: str, key: str, *, timestamp: str, txid: str | None = None) -> bytes:
    """Build the message that removes a row; see `change`."""
    return change(Operation.DELETE, row_type, key, timestamp=timestamp, txid=txid)


def change(
    operation: Operation, row_type: str, key: str, value: Any = None, *, timestamp: str, txid: str | None = None
) -> bytes:
    """Build one encoded change message.

    Args:
        operation: what happens to the row. A delete carries no value.
        row_type: non-empty type of the row.
        key: non-empty key of the row within its type.
        value: any JSON value; bytes are taken as JSON that is encoded already.
        timestamp: RFC 3339 text, e.g. from `signoff.clock.rfc3339`.
        txid: the submission that caused the change, if one did.

    Returns:
        Compact JSON, members in the order of the protocol's examples.

    Raises:
        ValueError: type or key is empty, or the value has no JSON form.

    Example:
        >>> delete("input", "approve:0", timestamp="2025-01-15T10:30:00.000Z")
        b'{"type":"input","key":"approve:0","headers":{"operation":"delete","timestamp":"2025-01-15T10:30:00.000Z"}}'
    """
    if not row_type or not key:
        raise ValueError("a row needs a type and a key")
    message: dict[str, Any] = {"type": row_type, "key": key}
    if operation is not Operation.DELETE:
        message["value"] = orjson.Fragment(value) if isinstance(value, bytes) else value
    headers = {"operation": operation._value_, "txid": txid, "timestamp": timestamp}
    if txid is None:
        del headers["txid"]
    message["headers"] = headers
    try:
        return orjson.dumps(message)
    except TypeError:
        # Integers beyond 64 bits are JSON, though orjson does not write them.
        text = json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
        return orjson.dumps(message | {"value": orjson.Fragment(text)})


def validate(message: Any) -> None:
    """Refuse what is neither a change message nor a control message (§5).

    Raises:
        BadRequest: naming the member that is wrong.
    """
    if not isinstance(message, dict) or not isinstance(message.get("headers"), dict):
        raise BadRequest("A State Protocol message is an object with an object `headers`.")
    headers = message["headers"]
    if "control" in headers:
        _member(headers["control"] in tuple(Control), "headers.control", "one of snapshot-start, snapshot-end, reset")
        _member(isinstance(headers.get("offset", ""), str), "headers.offset", "a string")
        return
    operation = headers.get("operation")
    _member(operation in tuple(Operation), "headers.operation", "one of insert, update, delete")
    _member(_text(message.get("type")), "type", "a non-empty string")
    _member(_text(message.get("key")), "key", "a non-empty string")
    _member(operation == Operation.DELETE or "value" in message, "value", "present in an insert or update")
    _member("txid" not in headers or _text(headers["txid"]), "headers.txid", "a non-empty string")
    stamp = headers.get("timestamp", "1970-01-01T00:00:00Z")
    _member(isinstance(stamp, str) and _RFC3339.fullmatch(stamp) is not None, "headers.timestamp", "RFC 3339")


def fold(messages: Iterable[bytes | str | dict[str, Any]], rows: RowMap | None = None) -> RowMap:
    """Apply messages in order and return the rows they leave (§6).

    Args:
        messages: encoded or decoded messages.
        rows: the rows to begin with; changed in place.

    Raises:
        BadRequest: a message is malformed; the rows keep what came before it.
    """
    state: RowMap = {} if rows is None else rows
    for item in messages:
        # Not orjson: it would read integers beyond 64 bits as floats.
        message = json.loads(item) if isinstance(item, (bytes, str)) else item
        validate(message)
        match message:
            case {"headers": {"control": Control.RESET}}:
                state.clear()
            case {"headers": {"control": _}}:
                pass
            case {"headers": {"operation": Operation.DELETE}, "type": row_type, "key": key}:
                state.pop((row_type, key), None)
            case {"type": row_type, "key": key, "value": value}:
                state[row_type, key] = value
    return state


def _text(value: Any) -> bool:
    return isinstance(value, str) and value != ""


def _member(holds: bool, name: str, rule: str) -> None:
    if not holds:
        raise BadRequest(f"`{name}` of a State Protocol message must be {rule}.")
