"""What the writer thread knows of streams and runs without asking: compared in memory, valid while nobody else commits.

`PRAGMA data_version` tells whether another connection has committed since; then everything here is forgotten.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from signoff.stores.base import Change, LedgerEntry, StreamDelete
from signoff.stores.sqlite.statements import Statements, chunks
from signoff.streams.stream import StreamProperties

SQL = Statements("write.sql")

_MOST = 20_000
"""Entries kept; some 300 bytes each."""


@dataclass(slots=True)
class StreamEntry:
    """Hold what is compared and moved of a stream.

    Attributes:
        last_batch: the row number of its last batch.
        stretch: how far that is from the last waypoint.
        fixed: `Head.properties` as we wrote it last; None: not known.
    """

    id: int
    version: int
    tail: int
    closed: bool
    incarnation: str
    rows_at: int = 0
    refs: int = 0
    last_batch: int | None = None
    stretch: int = 0
    fixed: StreamProperties | None = None

    def has(self, fixed: StreamProperties) -> bool:
        """Tell whether the file has this already; then remember this very object, since comparing all members costs."""
        if self.fixed is fixed:
            return True
        if self.fixed != fixed:
            return False
        self.fixed = fixed
        return True


STRETCH = 64 * 1024
LEAST = 1024
"""A waypoint comes after so many bytes of batches, of which each counts as `LEAST` at least: 64 small ones."""


def stretched(stretch: int, size: int) -> int:
    """Return how far it is from the last waypoint after a batch of `size` bytes; 0: there is one at this batch."""
    stretch += max(size, LEAST)
    return 0 if stretch >= STRETCH else stretch


@dataclass(slots=True)
class RunEntry:
    """Hold what is compared of a run, and what its index columns hold."""

    id: int
    journal_tail: int
    epoch: int
    lease_owner: str | None
    lease_until: int | None
    status: str
    workflow: str
    created_at: int
    tags: str
    due_at: int | None
    due_since: int | None
    lost: int


@dataclass(slots=True)
class Marks:
    """Answer what `compare` asks, from memory."""

    connection: sqlite3.Connection
    streams: dict[str, StreamEntry | None] = field(default_factory=dict)
    runs: dict[str, RunEntry | None] = field(default_factory=dict)
    ledger: set[tuple[str, str, str]] = field(default_factory=set)
    _numbers: list[int] = field(default_factory=list)

    def forget(self) -> None:
        """Forget everything: somebody else has written, or our own transaction was undone."""
        self.streams.clear()
        self.runs.clear()
        self.ledger.clear()
        self._numbers.clear()

    def learn(self, changes: Iterable[Change]) -> None:
        """Load what these Changes will be compared with and is not known yet, in as few statements as possible."""
        paths: dict[str, None] = {}
        run_ids: dict[str, None] = {}
        ledger: list[tuple[str, str, str]] = []
        for change in changes:
            if change.run is not None and change.run.record.run_id not in self.runs:
                run_ids[change.run.record.run_id] = None
            for append in change.appends:
                if append.path not in self.streams:
                    paths[append.path] = None
            for rows in change.rows:
                if rows.path not in self.streams:
                    paths[rows.path] = None
            for write in change.streams:
                path = write.path if isinstance(write, StreamDelete) else write.head.path
                if path not in self.streams:
                    paths[path] = None
            ledger += [(entry.run_id, entry.scope, entry.id) for entry in change.ledger]
        if paths:
            self._learn_streams(list(paths))
        if run_ids:
            self._learn_runs(list(run_ids))
        if ledger:
            self._learn_ledger(ledger)

    def trim(self) -> None:
        """Keep memory bounded. Call between transactions."""
        self.ledger.clear()
        for known in (self.streams, self.runs):
            if len(known) > _MOST:
                for key in list(known)[: _MOST // 2]:
                    del known[key]

    def number(self, kind: int, count: int = 1) -> int:
        """Return the first of `count` free row numbers: of streams (0), runs (1), inputs (2) or batches (3)."""
        if not self._numbers:
            row = self.connection.execute(SQL["last_numbers"]).fetchone()
            self._numbers += [last or 0 for last in row]
        self._numbers[kind] += count
        return self._numbers[kind] - count + 1

    # -- what `compare` asks ---------------------------------------------------------------------------------------

    def stream(self, path: str) -> StreamEntry | None:
        """Return a stream's mark; None if there is no such stream."""
        return self.streams[path]

    def run(self, run_id: str) -> RunEntry | None:
        """Return a run's mark; None if there is no such run."""
        return self.runs[run_id]

    def accepted(self, entry: LedgerEntry) -> bool:
        """Tell whether the ledger has this run, scope and id."""
        return (entry.run_id, entry.scope, entry.id) in self.ledger

    def record_version(self, kind: str, record_id: str) -> int:
        """Return a record's version; 0 if there is none. Records are few and large: nothing of them is kept here."""
        row = self.connection.execute(SQL["record_version"], (kind, record_id)).fetchone()
        return row[0] if row else 0

    # -- loading ---------------------------------------------------------------------------------------------------

    def _learn_streams(self, paths: list[str]) -> None:
        self.streams.update(dict.fromkeys(paths))
        for path, number, version, tail, closed, *rest in self._select("known_streams", paths):
            self.streams[path] = StreamEntry(number, version, tail, bool(closed), *rest)

    def _learn_runs(self, run_ids: list[str]) -> None:
        self.runs.update(dict.fromkeys(run_ids))
        for run_id, *rest in self._select("known_runs", run_ids):
            self.runs[run_id] = RunEntry(*rest)

    def _learn_ledger(self, keys: list[tuple[str, str, str]]) -> None:
        for some in _cut(keys):
            sql = SQL.rows("known_ledger", len(some))
            self.ledger.update(self.connection.execute(sql, [part for key in some for part in key]))

    def _select(self, name: str, keys: list[str]) -> Iterable[tuple[Any, ...]]:
        for some in _cut(keys):
            yield from self.connection.execute(SQL.rows(name, len(some)), some).fetchall()


def _cut(keys: list[Any]) -> Iterable[list[Any]]:
    start = 0
    for size in chunks(len(keys)):
        yield keys[start : start + size]
        start += size
