"""Find what no store can keep: the reason a Change is rejected, whatever the backend would say about it."""

from __future__ import annotations

import re
from functools import lru_cache
from operator import attrgetter
from typing import Any, Final

from signoff.errors import BadRequest
from signoff.stores.change import Change, FamilyWrite, RowsWrite, StreamDelete, SubjectDelete, SubjectWrite
from signoff.streams.stream import Write

LONGEST_TERM: Final = 512
"""Characters of an index term."""

_LARGEST: Final = 2**63 - 1
_CONTROL: Final = re.compile("[\x00-\x1f\x7f-\x9f]")


def check(change: Change) -> None:
    """Refuse a Change that holds something that is not storable.

    Raises:
        BadRequest: a text is not Unicode, an integer needs more than 64 bits, a value has another type than the
            contract says, or an index term is too long or has control characters.
    """
    write, posts, mark = change
    match write:
        case SubjectWrite():
            _check_subject(write)
        case FamilyWrite(streams):
            for one in streams:
                _check_stream(one)
        case SubjectDelete():
            _NAME.check(write.name)
            _check_value("expect", int, write.expect)
        case RowsWrite():
            _check_rows(write)
    for post in posts:
        _POST.check(post)
    if not _fine(mark, int):
        _check_value("mark", int, mark)


def _check_subject(write: SubjectWrite) -> None:
    subject = write.subject
    _NAME.check(subject.name)
    _SUBJECT.check(subject)
    if subject.version < 1:
        raise BadRequest("A subject's version is 1 or more, since 0 says that there is none; nothing was written.")
    check_terms(subject.terms)
    for append in write.appends:
        _APPEND.check(append)
    for part in write.parts:
        _PART.check(part)
        check_terms(part.terms)
    for name in write.dropped:
        _PART_NAME.check(name)


def check_terms(terms: tuple[str, ...]) -> None:
    """Refuse terms that no index can hold.

    Raises:
        BadRequest: one is not Unicode, too long, or has control characters.
    """
    try:
        _check_terms(terms)
    except TypeError:  # one has no hash, so it is no text
        _check_terms.__wrapped__(terms)


@lru_cache(maxsize=8192)
def _check_terms(terms: tuple[str, ...]) -> None:
    # The same few come again and again: all runs of a workflow that have one status have the same.
    for term in terms:
        if not _fine(term, str):
            _check_value("a term", str, term)
        if len(term) > LONGEST_TERM:
            raise BadRequest(f"A term has {len(term)} characters, more than {LONGEST_TERM}; nothing was written.")
        if not term.isprintable() and _CONTROL.search(term):
            raise BadRequest("A term has control characters; nothing was written.")


def _check_rows(write: RowsWrite) -> None:
    _ROWS_WRITE.check(write)
    for row in write.changes.rows:
        _LIVE_ROW.check(row)
    for name in write.changes.gone:
        for text in name:
            _check_value("a row's name", str, text)


def _check_stream(write: Write | StreamDelete) -> None:
    if isinstance(write, StreamDelete):
        _STREAM_DELETE.check(write)
        return
    _STREAM_WRITE.check(write)
    _HEAD.check(write.head)
    properties = write.head.properties
    _PROPERTIES.check(properties)
    if properties.fork is not None:
        _FORK.check(properties.fork)
    for mark in (properties.closed_by, write.producer):
        if mark is not None:
            _PRODUCER.check(mark)


class _RecordTypes:
    """The types that the members of a record have; a member marked optional may be None."""

    def __init__(self, **members: _MemberType) -> None:
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


_MemberType = tuple[bool, type]
"""Whether None is allowed, and the type."""

_TEXT: _MemberType = (False, str)
_NUMBER: _MemberType = (False, int)
_BYTES: _MemberType = (False, bytes)
_FLAG: _MemberType = (False, bool)
_TEXT_OR_NONE: _MemberType = (True, str)
_NUMBER_OR_NONE: _MemberType = (True, int)

_NAME = _RecordTypes(kind=_TEXT, id=_TEXT)
_SUBJECT = _RecordTypes(
    version=_NUMBER,
    state=_BYTES,
    sort=_NUMBER,
    queue=_TEXT_OR_NONE,
    ready=_FLAG,
    wake_at=_NUMBER_OR_NONE,
    quiet=_FLAG,
    updated_at=_NUMBER,
)
_PART = _RecordTypes(kind=_TEXT, key=_TEXT, state=_BYTES, open=_FLAG, sort=_NUMBER)
_PART_NAME = _RecordTypes(kind=_TEXT, key=_TEXT)
_APPEND = _RecordTypes(path=_TEXT, data=_BYTES, count=_NUMBER, close=_FLAG)
_POST = _RecordTypes(path=_TEXT, data=_BYTES, count=_NUMBER)
_HEAD = _RecordTypes(version=_NUMBER, tail=_NUMBER, last_seq=_TEXT_OR_NONE, touched_at=_NUMBER)
_PROPERTIES = _RecordTypes(
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
_FORK = _RecordTypes(path=_TEXT, incarnation=_TEXT, at=_NUMBER, depth=_NUMBER)
_STREAM_WRITE = _RecordTypes(expect=_NUMBER, start=_NUMBER, data=_BYTES)
_STREAM_DELETE = _RecordTypes(path=_TEXT, expect=_NUMBER)
_PRODUCER = _RecordTypes(producer_id=_TEXT, epoch=_NUMBER, seq=_NUMBER)
_ROWS_WRITE = _RecordTypes(path=_TEXT, incarnation=_TEXT, expect=_NUMBER, base=_NUMBER_OR_NONE, refs=_NUMBER)
_LIVE_ROW = _RecordTypes(type=_TEXT, key=_TEXT, position=_NUMBER, message=_BYTES)
