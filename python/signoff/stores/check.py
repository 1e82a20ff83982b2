"""Find what no store can keep: the reason a Change is rejected, whatever the backend would say about it."""

from __future__ import annotations

from operator import attrgetter
from typing import Any

from signoff.errors import BadRequest
from signoff.stores.base import Change, RecordDelete, StreamDelete
from signoff.streams.stream import Write

_LARGEST = 2**63 - 1


def check(change: Change) -> None:
    """Refuse a Change that holds something that is not storable.

    Raises:
        BadRequest: a text is not Unicode, an integer needs more than 64 bits, or a value has another type than the
            contract says.
    """
    run = change.run
    if run is not None:
        _RUN.check(run.record)
        _each("tags", run.record.tags)
    for append in change.appends:
        _APPEND.check(append)
    for record in change.inputs:
        _INPUT.check(record)
        _each("audience", record.audience)
    for entry in change.ledger:
        _LEDGER.check(entry)
    for wait in change.waits:
        _WAIT.check(wait)
    for write in change.streams:
        _check_stream(write)
    for rows in change.rows:
        for row in rows.changes.rows:
            _LIVE_ROW.check(row)
    for one in change.records:
        if isinstance(one, RecordDelete):
            _RECORD_NAME.check(one)
        else:
            _RECORD.check(one.record)


def _check_stream(write: Write | StreamDelete) -> None:
    if isinstance(write, StreamDelete):
        _each("path", (write.path,))
        return
    _STREAM_WRITE.check(write)
    _MOVING.check(write.head)
    fixed = write.head.properties
    _FIXED.check(fixed)
    if fixed.fork is not None:
        _FORK.check(fixed.fork)
    for mark in (fixed.closed_by, write.producer):
        if mark is not None:
            _PRODUCER.check(mark)


def _each(name: str, texts: tuple[str, ...]) -> None:
    for text in texts:
        _check_value(name, str, text)


class _Shape:
    """Know which types the members of a record have; a member marked optional may be None."""

    def __init__(self, **members: _Kind) -> None:
        self._members = [(name, optional, kind) for name, (optional, kind) in members.items()]
        self._values = attrgetter(*members)

    def check(self, holder: Any) -> None:
        """Refuse what is not storable."""
        for value, (name, optional, kind) in zip(self._values(holder), self._members, strict=True):
            if not _fine(value, kind) and not (optional and value is None):
                _check_value(name, kind, value)


def _fine(value: Any, kind: type) -> bool:
    """Tell of what nearly every value is that there is no more to look at."""
    found = type(value)
    if found is not kind:
        return False
    if kind is str:
        return bool(value.isascii())
    return kind is not int or bool(-_LARGEST <= value <= _LARGEST)


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

_RUN = _Shape(
    run_id=_TEXT,
    workflow=_TEXT,
    status=_TEXT,
    created_at=_NUMBER,
    updated_at=_NUMBER,
    journal_tail=_NUMBER,
    public_tail=_NUMBER,
    ready=_FLAG,
    wake_at=_NUMBER_OR_NONE,
    state=_BYTES,
)
_APPEND = _Shape(path=_TEXT, data=_BYTES, count=_NUMBER, close=_FLAG)
_INPUT = _Shape(
    run_id=_TEXT,
    key=_TEXT,
    status=_TEXT,
    created_at=_NUMBER,
    deadline=_NUMBER_OR_NONE,
    state=_BYTES,
)
_LEDGER = _Shape(run_id=_TEXT, scope=_TEXT, id=_TEXT, digest=_TEXT, outcome=_BYTES)
_WAIT = _Shape(run_id=_TEXT, wait_id=_TEXT, topic=_TEXT, key=_TEXT_OR_NONE, remove=_FLAG)
_MOVING = _Shape(version=_NUMBER, tail=_NUMBER, last_seq=_TEXT_OR_NONE, touched_at=_NUMBER)
_FIXED = _Shape(
    path=_TEXT,
    incarnation=_TEXT,
    content_type=_TEXT,
    closed=_FLAG,
    engine=_FLAG,
    created_at=_NUMBER,
    base=_NUMBER,
    ttl_s=_NUMBER_OR_NONE,
    expires_at=_TEXT_OR_NONE,
    refs=_NUMBER,
    deleted=_FLAG,
    compacted=_FLAG,
)
_FORK = _Shape(path=_TEXT, incarnation=_TEXT, at=_NUMBER, depth=_NUMBER)
_LIVE_ROW = _Shape(type=_TEXT, key=_TEXT, position=_NUMBER, message=_BYTES)
_RECORD_NAME = _Shape(kind=_TEXT, id=_TEXT)
_STREAM_WRITE = _Shape(expect=_NUMBER, start=_NUMBER, data=_BYTES)
_PRODUCER = _Shape(producer_id=_TEXT, epoch=_NUMBER, seq=_NUMBER)

_RECORD = _Shape(kind=_TEXT, id=_TEXT, version=_NUMBER, state=_BYTES, due_at=_NUMBER_OR_NONE)
