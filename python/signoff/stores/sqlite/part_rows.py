"""Rows about parts that a transaction is going to write: documents of subjects, and their terms.

They are kept by their names, so that all of them are looked up at once, and a part that several Changes put is written
once.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from dataclasses import replace

from signoff.stores.change import Part, PartName
from signoff.stores.check import check_terms
from signoff.stores.sqlite.cache import PARTS, SQL, CachedSubject, WriterCache
from signoff.stores.sqlite.rows import Row, terms_of, terms_text
from signoff.stores.sqlite.statements import chunks, write_rows
from signoff.stores.sqlite.subject_rows import moved_terms, write_terms

_Key = tuple[int, str, str]
"""(subject, kind, key)"""


class PartRows:
    """What is written about parts, until it is flushed into the open transaction."""

    def __init__(self, connection: sqlite3.Connection, cache: WriterCache) -> None:
        self._connection = connection
        self._cache = cache
        self._put: dict[_Key, Part | None] = {}

    def write(self, owner: CachedSubject, parts: Sequence[Part], dropped: Sequence[PartName]) -> None:
        """Gather the parts that one Change puts and drops; what it drops goes first."""
        number, put = owner.id, self._put
        for name in dropped:
            put[number, name.kind, name.key] = None
        for part in parts:
            check_terms(part.terms)
            key = number, part.kind, part.key
            if key in put:
                before = put[key]
                if before is None:  # what is dropped and then put is a new one
                    self.flush()
                else:
                    part = replace(part, sort=before.sort)  # noqa: PLW2901
            put[key] = part

    def delete(self, owner: CachedSubject) -> None:
        """Delete all parts of a subject."""
        self.flush()
        rows = self._connection.execute(SQL["parts_of"], (owner.id,)).fetchall()
        drops = [(kind, term, sort, number) for number, kind, sort, terms in rows for term in terms_of(terms)]
        write_terms(self._connection, "part_term", drops, [])
        self._connection.execute(SQL["delete_parts"], (owner.id,))

    def flush(self) -> None:
        """Write everything gathered so far."""
        if not self._put:
            return
        known = self._known()
        new: list[Row] = []
        changed: list[Row] = []
        gone: list[Row] = []
        dropped: list[Row] = []
        added: list[Row] = []
        for key, part in self._put.items():
            kind = key[1]
            number, sort, before = known.get(key, (0, 0, ()))
            if part is None:
                if number:
                    gone.append((number,))
                    dropped += [(kind, term, sort, number) for term in before]
                continue
            if number:
                changed.append((part.open, terms_text(part.terms), part.state, number))
            else:
                number, sort = self._cache.number(PARTS), part.sort
                new.append((number, *key, part.open, sort, terms_text(part.terms), part.state))
            if part.terms != before:
                old_terms, new_terms = moved_terms(before, part.terms)
                dropped += [(kind, term, sort, number) for term in old_terms]
                added += [(kind, term, sort, number) for term in new_terms]
        if new:
            write_rows(self._connection, SQL, "add_part", new)
        self._each("put_part", changed)
        self._each("drop_part", gone)
        write_terms(self._connection, "part_term", dropped, added)
        self.clear()

    def clear(self) -> None:
        """Drop what was gathered and not flushed: it is written, or its Change was undone."""
        self._put.clear()

    def _known(self) -> dict[_Key, tuple[int, int, tuple[str, ...]]]:
        """Return number, sort and terms of those parts that are there."""
        keys = list(self._put)
        found: dict[_Key, tuple[int, int, tuple[str, ...]]] = {}
        start = 0
        for size in chunks(len(keys)):
            values = [one for key in keys[start : start + size] for one in key]
            for *key, number, sort, terms in self._connection.execute(SQL.rows("known_parts", size), values):
                found[key[0], key[1], key[2]] = number, sort, terms_of(terms)
            start += size
        return found

    def _each(self, name: str, rows: list[Row]) -> None:
        if rows:
            self._connection.executemany(SQL[name], rows)
