"""Find what no store can keep: the reason a Change is rejected, whatever the backend would say about it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from signoff.errors import BadRequest
from signoff.stores.base import Change, RecordDelete, StreamDelete, StreamWrite

_LARGEST = 2**63 - 1


def check(change: Change) -> None:
    """Refuse a Change that holds something that is not storable.

    Raises:
        BadRequest: a text is not Unicode, an integer needs more than 64 bits, or a value has another type than the
            contract says.
    """
    for name, (optional, kind), value in _fields(change):
        if value is not None or not optional:
            _check_value(name, kind, value)


def _check_value(name: str, kind: type, value: object) -> None:
    if not isinstance(value, kind):
        raise BadRequest(f"{name} is a {type(value).__name__}, not a {kind.__name__}; nothing was written.")
    if isinstance(value, str):
        try:
            value.encode()
        except UnicodeEncodeError:
            raise BadRequest(f"{name} is not valid Unicode text; nothing was written.") from None
    elif isinstance(value, int) and not -_LARGEST <= value <= _LARGEST:
        raise BadRequest(f"{name} needs more than 64 bits; nothing was written.")


_Kind = tuple[bool, type]
"""Whether None is allowed, and the type."""

_TEXT: _Kind = (False, str)
_NUMBER: _Kind = (False, int)
_BYTES: _Kind = (False, bytes)
_FLAG: _Kind = (False, bool)
_TEXT_OR_NONE: _Kind = (True, str)
_NUMBER_OR_NONE: _Kind = (True, int)

_RUN = {
    "run_id": _TEXT,
    "workflow": _TEXT,
    "status": _TEXT,
    "created_at": _NUMBER,
    "updated_at": _NUMBER,
    "journal_tail": _NUMBER,
    "public_tail": _NUMBER,
    "ready": _FLAG,
    "wake_at": _NUMBER_OR_NONE,
    "state": _BYTES,
}
_APPEND = {"path": _TEXT, "data": _BYTES, "count": _NUMBER, "close": _FLAG}
_INPUT = {
    "run_id": _TEXT,
    "key": _TEXT,
    "status": _TEXT,
    "created_at": _NUMBER,
    "deadline": _NUMBER_OR_NONE,
    "state": _BYTES,
}
_LEDGER = {"run_id": _TEXT, "scope": _TEXT, "id": _TEXT, "digest": _TEXT, "outcome": _BYTES}
_WAIT = {"run_id": _TEXT, "wait_id": _TEXT, "topic": _TEXT, "key": _TEXT_OR_NONE, "remove": _FLAG}
_HEAD = {
    "path": _TEXT,
    "incarnation": _TEXT,
    "version": _NUMBER,
    "tail": _NUMBER,
    "content_type": _TEXT,
    "closed": _FLAG,
    "engine": _FLAG,
    "created_at": _NUMBER,
    "base": _NUMBER,
    "last_seq": _TEXT_OR_NONE,
    "ttl_s": _NUMBER_OR_NONE,
    "expires_at": _TEXT_OR_NONE,
    "touched_at": _NUMBER,
    "refs": _NUMBER,
    "deleted": _FLAG,
    "compacted": _FLAG,
}
_FORK = {"path": _TEXT, "incarnation": _TEXT, "at": _NUMBER, "depth": _NUMBER}
_LIVE_ROW = {"type": _TEXT, "key": _TEXT, "position": _NUMBER, "message": _BYTES}
_PRODUCER = {"producer_id": _TEXT, "epoch": _NUMBER, "seq": _NUMBER}

_RECORD = {"kind": _TEXT, "id": _TEXT, "version": _NUMBER, "state": _BYTES, "due_at": _NUMBER_OR_NONE}

_Field = tuple[str, _Kind, Any]


def _fields(change: Change) -> Iterator[_Field]:
    if change.run is not None:
        yield from _of(change.run.record, _RUN)
        yield from (("tags", _TEXT, tag) for tag in change.run.record.tags)
    for append in change.appends:
        yield from _of(append, _APPEND)
    for record in change.inputs:
        yield from _of(record, _INPUT)
        yield from (("audience", _TEXT, principal) for principal in record.audience)
    for entry in change.ledger:
        yield from _of(entry, _LEDGER)
    for wait in change.waits:
        yield from _of(wait, _WAIT)
    for write in change.streams:
        yield from _of_stream(write)
    for rows in change.rows:
        for row in rows.changes.rows:
            yield from _of(row, _LIVE_ROW)
    for one in change.records:
        if isinstance(one, RecordDelete):
            yield from _of(one, {"kind": _TEXT, "id": _TEXT})
        else:
            yield from _of(one.record, _RECORD)


def _of_stream(write: StreamWrite | StreamDelete) -> Iterator[_Field]:
    if isinstance(write, StreamDelete):
        yield "path", _TEXT, write.path
        return
    yield from _of(write.head, _HEAD)
    yield "data", _BYTES, write.data
    if write.head.fork is not None:
        yield from _of(write.head.fork, _FORK)
    for mark in (write.head.closed_by, write.producer):
        if mark is not None:
            yield from _of(mark, _PRODUCER)


def _of(holder: object, shape: Mapping[str, _Kind]) -> Iterator[_Field]:
    return ((name, kind, getattr(holder, name)) for name, kind in shape.items())
