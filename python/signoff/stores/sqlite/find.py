"""Tell whether Changes were committed, after a commit whose outcome is not known.

A subject, a head and a batch bear the mark of the Change that wrote them last, and the last deletions are remembered.
What has gone on since is looked for among the last batches; what cannot be told is None, never a guess.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator
from typing import Any, Final

import orjson

from signoff.stores.change import Change, FamilyWrite, Name, RowsWrite, StreamDelete, SubjectDelete, SubjectWrite
from signoff.stores.sqlite.rows import moved
from signoff.stores.sqlite.statements import Statements
from signoff.streams.stream import Write

SQL: Final = Statements("find.sql")

DELETIONS: Final = 1_000
"""How many deletions are remembered."""

_LOOKED_THROUGH: Final = 2_000
"""Batches of a stream that are looked through, from the last one back."""

_WasKept = bool | None


def find(connection: sqlite3.Connection, changes: Iterable[Change]) -> Iterator[_WasKept]:
    """Tell of each Change whether it is there; None: that cannot be told any more."""
    for change in changes:
        yield _find(connection, change) if change.mark else None


def deleted_name(what: Name | str) -> str:
    """Return how a deletion of a subject or a stream is remembered."""
    return what if isinstance(what, str) else f"{what.kind}\n{what.id}"


def _find(connection: sqlite3.Connection, change: Change) -> _WasKept:
    write, _, mark = change
    match write:
        case SubjectWrite():
            return _find_subject(connection, write, mark)
        case SubjectDelete(name, expect):
            row = connection.execute(SQL["subject"], name).fetchone()
            return _find_deletion(connection, mark, unmoved=row is not None and row[0] == expect)
        case FamilyWrite(streams):
            found = (_find_in_family(connection, one, mark) for one in streams)
            return next((kept for kept in found if kept is not None), None)
        case RowsWrite():
            return _find_rows(connection, write)


def _find_subject(connection: sqlite3.Connection, write: SubjectWrite, mark: int) -> _WasKept:
    row = connection.execute(SQL["subject"], write.subject.name).fetchone()
    if row is None:
        return _never_there(connection, write.subject.name, write.expect)
    version, found, streams = row
    if found == mark:
        return True
    if version in (write.expect, write.subject.version):
        return False
    own = {path: (number, last_batch) for number, path, _, _, last_batch, _ in orjson.loads(streams)}
    for append in write.appends:
        if append.count:
            there = append.path in own and _among_batches(connection, *own[append.path], mark, start=0)
            return there if there or _never_deleted(connection, write.subject.name) else None
    return None


def _find_in_family(connection: sqlite3.Connection, write: Write | StreamDelete, mark: int) -> _WasKept:
    path = write.path if isinstance(write, StreamDelete) else write.head.path
    row = connection.execute(SQL["stream"], (path,)).fetchone()
    if isinstance(write, StreamDelete):
        return _find_deletion(connection, mark, unmoved=row is not None and row[5] == write.expect)
    if row is None:
        return _never_there(connection, path, write.expect)
    number, *place, version, incarnation, base, _, found = row
    if found == mark:
        return True
    if version == write.expect or (version == write.head.version and not write.data):
        return False
    if incarnation != write.head.incarnation or base > write.start or not write.data:
        return None
    tail, _, last_batch = moved(number, *place)
    return tail > write.start and _among_batches(connection, number, last_batch, mark, start=write.start)


def _among_batches(
    connection: sqlite3.Connection, stream: int, last_batch: int | None, mark: int, *, start: int
) -> _WasKept:
    """Tell whether a stream has a batch with this mark at a position or after it."""
    asked = {"stream": stream, "batch": last_batch, "from": start, "most": _LOOKED_THROUGH}
    rows = connection.execute(SQL["last_batches"], asked).fetchall()
    if any(found == mark for _, found in rows):
        return True
    return False if rows and rows[-1][0] <= start else None


def _find_rows(connection: sqlite3.Connection, write: RowsWrite) -> _WasKept:
    """Two folds of the same messages are the same, so what was written says nothing about who did."""
    row: tuple[Any, ...] | None = connection.execute(SQL["stream"], (write.path,)).fetchone()
    if row is None or row[6] != write.incarnation:
        return None
    base, rows_at = row[7:9]
    would_move = write.changes.at != write.expect or (write.base is not None and base != write.base)
    return False if rows_at == write.expect and would_move else None


def _never_there(connection: sqlite3.Connection, what: Name | str, expect: int) -> _WasKept:
    """Tell what became of a write to something that is not there: made and deleted, or never made."""
    return False if not expect and _never_deleted(connection, what) else None


def _never_deleted(connection: sqlite3.Connection, what: Name | str) -> bool:
    of_it, remembered = connection.execute(SQL["deletions_of"], (deleted_name(what),)).fetchone()
    return not of_it and remembered < DELETIONS


def _find_deletion(connection: sqlite3.Connection, mark: int, *, unmoved: bool) -> _WasKept:
    if unmoved:
        return False
    return True if connection.execute(SQL["deletion"], (mark,)).fetchone() else None
