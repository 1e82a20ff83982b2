"""What the Changes of one transaction write, each kind of row gathered, so that few statements write many rows.

Changes have been compared before they get here.
"""

from __future__ import annotations

import sqlite3

from signoff.stores.change import (
    Batch,
    Change,
    Committed,
    FamilyWrite,
    Name,
    RowsWrite,
    StreamDelete,
    SubjectDelete,
    SubjectWrite,
)
from signoff.stores.sqlite.cache import SQL, WriterCache
from signoff.stores.sqlite.find import DELETIONS, deleted_name
from signoff.stores.sqlite.part_rows import PartRows
from signoff.stores.sqlite.stream_rows import StreamRows
from signoff.stores.sqlite.subject_rows import SubjectRows


class TransactionRows:
    """The rows that an open transaction is going to write, moving the cache on, until they are flushed into it."""

    def __init__(self, connection: sqlite3.Connection, cache: WriterCache) -> None:
        self._connection = connection
        self._cache = cache
        self._streams = StreamRows(connection, cache)
        self._subjects = SubjectRows(connection, cache)
        self._parts = PartRows(connection, cache)

    def add(self, change: Change) -> Committed:
        """Gather one Change; return its batches with the positions they get."""
        batches: dict[str, Batch] = {}
        write, posts, mark = change
        match write:
            case SubjectWrite():
                cached = self._subjects.write(write, mark)
                for append in write.appends:
                    self._streams.append(append, cached, mark, batches)
                if write.parts or write.dropped:
                    self._parts.write(cached, write.parts, write.dropped)
            case FamilyWrite():
                for one in write.streams:
                    if isinstance(one, StreamDelete):
                        self._streams.delete(one.path)
                        self._note_deletion(one.path, mark)
                    else:
                        self._streams.write(one, mark)
            case SubjectDelete():
                self._delete(write)
                self._note_deletion(write.name, mark)
            case RowsWrite():
                self._streams.write_live_rows(write)
        for post in posts:
            self._streams.post(post, mark, batches)
        return Committed(batches)

    def _delete(self, write: SubjectDelete) -> None:
        self.flush()
        cached = self._cache.subjects[write.name]
        assert cached is not None, "compared before"
        self._streams.disown(cached)
        self._parts.delete(cached)
        self._subjects.delete(cached)

    def _note_deletion(self, what: Name | str, mark: int) -> None:
        self._connection.execute(SQL["note_deletion"], (deleted_name(what), mark))
        self._connection.execute(SQL["forget_deletions"], (DELETIONS,))

    def flush(self) -> None:
        """Write everything gathered so far."""
        self._streams.flush()
        self._subjects.flush()
        self._parts.flush()

    def clear(self) -> None:
        """Drop what was gathered and not flushed: its Change was undone."""
        self._streams.clear()
        self._subjects.clear()
        self._parts.clear()
