"""Rows about subjects that a transaction is going to write: records, with how far their own streams have grown, and
terms.

They come from Changes that were compared; a subject that several Changes write is written once.
"""

from __future__ import annotations

import sqlite3
from functools import lru_cache

from signoff.stores.change import Subject, SubjectWrite
from signoff.stores.check import check_terms
from signoff.stores.compare import due_at
from signoff.stores.sqlite.cache import SQL, SUBJECTS, CachedSubject, WriterCache
from signoff.stores.sqlite.rows import Row, terms_text
from signoff.stores.sqlite.statements import write_rows


class SubjectRows:
    """What is written about subjects, moving the cache on, until it is flushed into the open transaction."""

    def __init__(self, connection: sqlite3.Connection, cache: WriterCache) -> None:
        self._connection = connection
        self._cache = cache
        self._created: dict[int, tuple[CachedSubject, Subject, int]] = {}
        self._written: dict[int, tuple[CachedSubject, Subject, int]] = {}
        self._indexed: set[int] = set()
        self._moved: dict[int, tuple[CachedSubject, tuple[str, ...]]] = {}
        """Subjects whose terms change, with those that the file has."""

    def write(self, write: SubjectWrite, mark: int) -> CachedSubject:
        """Gather a record; what is the store's own in it stays, but for what the write says about the lease."""
        subject = write.subject
        if subject.version < 1:
            raise ValueError("a version is 1 or more")
        cached = self._cache.subjects[subject.name]
        if cached is None:
            return self._create(subject, mark)
        cached.version = subject.version
        if cached.id in self._created:
            self._created[cached.id] = cached, subject, mark
        else:
            self._written[cached.id] = cached, subject, mark
        changed = False
        if cached.lost and write.appends:
            cached.lost, changed = 0, True
        if write.release and cached.lease_owner is not None:
            cached.lease_owner, cached.lease_until, changed = None, None, True
        due = due_at(subject.queue, subject.ready, subject.wake_at, cached.lease_until)
        if due != cached.due_at or subject.queue != cached.queue:
            cached.due_at, cached.due_since, changed = due, due or subject.updated_at, True
            cached.queue = subject.queue
        if subject.terms != cached.terms:
            self._move_terms(cached, subject.terms)
            changed = True
        if changed:
            self._indexed.add(cached.id)
        return cached

    def _create(self, subject: Subject, mark: int) -> CachedSubject:
        due = due_at(subject.queue, subject.ready, subject.wake_at, None)
        cached = CachedSubject(
            id=self._cache.number(SUBJECTS),
            name=subject.name,
            version=subject.version,
            epoch=0,
            lease_owner=None,
            lease_until=None,
            sort=subject.sort,
            terms=(),
            queue=subject.queue,
            due_at=due,
            due_since=due or subject.updated_at,
            lost=0,
        )
        self._cache.subjects[subject.name] = cached
        self._created[cached.id] = cached, subject, mark
        self._move_terms(cached, subject.terms)
        return cached

    def _move_terms(self, cached: CachedSubject, terms: tuple[str, ...]) -> None:
        check_terms(terms)
        self._moved.setdefault(cached.id, (cached, cached.terms))
        cached.terms = terms

    def delete(self, cached: CachedSubject) -> None:
        """Delete a record with its terms."""
        self.flush()
        self._move_terms(cached, ())
        self.flush()
        self._connection.execute(SQL["delete_subject"], (cached.id,))
        self._cache.subjects[cached.name] = None

    def flush(self) -> None:
        """Write everything gathered so far."""
        self._write("add_subject", [_new_row(*one) for one in self._created.values()])
        if self._written:
            indexed = self._indexed
            self._each("move_subject", [_row(*one) for one in self._written.values() if one[0].id not in indexed])
            self._each("put_subject", [_indexed_row(*one) for one in self._written.values() if one[0].id in indexed])
        if self._moved:
            self._write_terms()
        self.clear()

    def _write_terms(self) -> None:
        dropped: list[Row] = []
        added: list[Row] = []
        for cached, before in self._moved.values():
            kind, sort, number = cached.name.kind, cached.sort, cached.id
            gone, new = moved_terms(before, cached.terms)
            dropped += [(kind, term, sort, number) for term in gone]
            added += [(kind, term, sort, number) for term in new]
        write_terms(self._connection, "subject_term", dropped, added)

    def clear(self) -> None:
        """Drop what was gathered and not flushed: it is written, or its Change was undone."""
        self._created.clear()
        self._written.clear()
        self._indexed.clear()
        self._moved.clear()

    def _write(self, name: str, rows: list[Row]) -> None:
        if rows:
            write_rows(self._connection, SQL, name, rows)

    def _each(self, name: str, rows: list[Row]) -> None:
        if len(rows) == 1:
            self._connection.execute(SQL[name], rows[0])
        elif rows:
            self._connection.executemany(SQL[name], rows)


@lru_cache(maxsize=4096)
def moved_terms(before: tuple[str, ...], after: tuple[str, ...]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return the terms that go, and those that come. The same few come again and again, as in `rows.py:terms_of`."""
    old, new = dict.fromkeys(before), dict.fromkeys(after)
    return tuple([term for term in old if term not in new]), tuple([term for term in new if term not in old])


def write_terms(connection: sqlite3.Connection, table: str, dropped: list[Row], added: list[Row]) -> None:
    """Drop terms, then add those that come, with few statements."""
    if dropped:
        connection.executemany(SQL[f"drop_{table}"], dropped)
    if added:
        write_rows(connection, SQL, f"add_{table}", added)


def _new_row(cached: CachedSubject, subject: Subject, mark: int) -> Row:
    return (
        cached.id,
        *cached.name,
        subject.version,
        mark,
        cached.sort,
        terms_text(subject.terms),
        subject.queue,
        subject.ready,
        subject.wake_at,
        subject.quiet,
        subject.updated_at,
        cached.due_at,
        cached.due_since,
        cached.write_streams(),
        subject.state,
    )


def _row(cached: CachedSubject, subject: Subject, mark: int) -> Row:
    return (
        subject.version,
        mark,
        int(subject.ready),
        subject.wake_at,
        int(subject.quiet),
        subject.updated_at,
        cached.write_streams(),
        subject.state,
        cached.id,
    )


def _indexed_row(cached: CachedSubject, subject: Subject, mark: int) -> Row:
    lease = (cached.lease_owner, cached.lease_until, cached.due_at, cached.due_since, cached.lost)
    return (*_row(cached, subject, mark)[:-1], subject.queue, terms_text(subject.terms), *lease, cached.id)
