"""Rows a transaction is going to write: gathered from many Changes, then written in few statements.

A Change that comes here has been compared; nothing here can conflict. Rows are kept by what they are about, so that a
stream or run touched by several Changes is written once.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from typing import Any
from uuid import uuid4

import orjson

from signoff.stores.base import (
    Batch,
    Change,
    EngineAppend,
    InputRecord,
    RecordDelete,
    RecordWrite,
    RowsWrite,
    RunRecord,
    RunWrite,
    StreamDelete,
    StreamWrite,
    WaitWrite,
)
from signoff.stores.compare import due_at
from signoff.stores.sqlite.marks import SQL, Marks, RunEntry, StreamEntry
from signoff.stores.sqlite.statements import chunks
from signoff.streams.stream import JSON, Head

Row = tuple[Any, ...]


class Pending:
    """Gather what compared Changes write, moving the marks on, and flush it into the open transaction."""

    def __init__(self, connection: sqlite3.Connection, marks: Marks) -> None:
        self._connection = connection
        self._execute = connection.execute
        self._marks = marks
        self._created: dict[str, StreamEntry] = {}
        self._heads: dict[int, Head] = {}
        self._moved: dict[int, StreamEntry] = {}
        self._batches: list[Row] = []
        self._new_runs: list[Row] = []
        self._runs: dict[int, tuple[RunRecord, RunEntry]] = {}
        self._indexed: set[int] = set()
        self._ledger: list[Row] = []
        self._others: list[tuple[str, Row]] = []
        self.witness: tuple[str, Row, bytes] | None = None

    def add(self, change: Change) -> dict[str, Batch]:
        """Gather one Change; return its batches with the positions they get."""
        batches: dict[str, Batch] = {}
        for append in change.appends:
            self._append(append, batches)
        if change.run is not None:
            self._run(change.run)
        if change.inputs:
            for record in change.inputs:
                self._input(record)
        if change.ledger:
            for entry in change.ledger:
                self._ledger.append((entry.run_id, entry.scope, entry.id, entry.digest, entry.outcome))
                self._marks.ledger.add((entry.run_id, entry.scope, entry.id))
        for wait in change.waits:
            self._wait(wait)
        for write in change.streams:
            if isinstance(write, StreamDelete):
                self._delete(write)
            else:
                self._stream(write, batches)
        for one in change.records:
            self._record(one)
        for rows in change.rows:
            self._write_rows(rows)
        return batches

    def flush(self) -> None:
        """Write everything gathered so far."""
        if self._heads or self._created:
            self._flush_heads()
        if self._moved:
            self._each("move_head", [(one.version, one.tail, one.closed, one.id) for one in self._moved.values()])
            self._moved.clear()
        if self._batches:
            stream, start, _, data = self._batches[0]
            self.witness = ("find_batch", (stream, start), data)
            self._rows("put_batch", self._batches)
            self._batches.clear()
        if self._new_runs or self._runs:
            self._flush_runs()
        if self._ledger:
            self._rows("add_ledger", self._ledger)
            self._ledger.clear()
        if self._others:
            for name, row in self._others:
                self._execute(SQL[name], row)
            self._others.clear()

    def clear(self) -> None:
        """Drop what was gathered and not flushed: its Change was undone."""
        for gathered in (self._created, self._heads, self._moved, self._batches, self._new_runs, self._runs):
            gathered.clear()
        self._indexed.clear()
        self._ledger.clear()
        self._others.clear()
        self.witness = None

    # -- streams ---------------------------------------------------------------------------------------------------

    def _append(self, append: EngineAppend, batches: dict[str, Batch]) -> None:
        entry = self._marks.streams[append.path]
        if entry is None:
            entry = StreamEntry(self._marks.number(0), 0, 0, False, uuid4().hex, 0, 0)
            self._marks.streams[append.path] = self._created[append.path] = entry
        else:
            self._moved[entry.id] = entry
        batch = Batch(entry.tail, entry.tail + append.count, append.data)
        if append.count:
            self._batches.append((entry.id, batch.start, batch.end, append.data))
        entry.version += 1
        entry.tail = batch.end
        entry.closed = entry.closed or append.close
        batches[append.path] = _joined(batches[append.path], batch) if append.path in batches else batch

    def _stream(self, write: StreamWrite, batches: dict[str, Batch]) -> None:
        head = write.head
        entry = self._marks.streams[head.path]
        if entry is None:
            entry = StreamEntry(self._marks.number(0), 0, max(head.base, head.own), False, head.incarnation, 0, 0)
            self._marks.streams[head.path] = entry
        if head.tail > entry.tail:
            batches[head.path] = Batch(entry.tail, head.tail, write.data)
            self._batches.append((entry.id, entry.tail, head.tail, write.data))
        entry.version, entry.tail, entry.closed, entry.refs = head.version, head.tail, head.closed, head.refs
        self._heads[entry.id] = head
        if write.producer is not None:
            mark = write.producer
            self._others.append(("put_producer", (entry.id, mark.producer_id, mark.epoch, mark.seq)))

    def _delete(self, write: StreamDelete) -> None:
        self.flush()
        entry = self._marks.streams[write.path]
        assert entry is not None, "compared before"
        for name in ("delete_batches", "delete_producers", "delete_rows", "delete_stream"):
            self._execute(SQL[name], (entry.id,))
        self._marks.streams[write.path] = None

    def _write_rows(self, write: RowsWrite) -> None:
        entry, changes = self._marks.streams[write.path], write.changes
        assert entry is not None, "compared before"
        if changes.clear:
            self._others.append(("delete_rows", (entry.id,)))
        self._others += [("drop_row", (entry.id, *name)) for name in changes.gone]
        self._others += [("put_row", (entry.id, row.position, row.type, row.key, row.message)) for row in changes.rows]
        self._others.append(("move_rows", (changes.at, entry.id)))
        entry.rows_at = changes.at
        if write.base is not None:
            entry.version += 1
            self._others.append(("drop_history", (entry.id, write.base, write.base)))
            self._others.append(("move_base", (write.base, entry.version, entry.id)))

    def _flush_heads(self) -> None:
        unset = (None,) * 10
        rows: list[Row] = [
            (one.id, path, one.incarnation, one.version, one.tail, 0, JSON, one.closed, True, 0, 0, *unset, 0, 0, 0)
            for path, one in self._created.items()
        ]
        rows += [_head_row(number, head) for number, head in self._heads.items()]
        self._rows("put_head", rows)
        self._created.clear()
        self._heads.clear()

    # -- runs ------------------------------------------------------------------------------------------------------

    def _run(self, write: RunWrite) -> None:
        record = write.record
        entry = self._marks.runs[record.run_id]
        if entry is None:
            self._add_run(record)
            return
        self._runs[entry.id] = record, entry
        entry.journal_tail = record.journal_tail
        if write.release:
            entry.lease_owner = entry.lease_until = None
        due = due_at(record.status, record.ready, record.wake_at, entry.lease_until)
        tags = orjson.dumps(record.tags).decode() if record.tags else "[]"
        if write.release or due != entry.due_at or record.status != entry.status or tags != entry.tags:
            self._reindex(record, entry, due, tags)

    def _reindex(self, record: RunRecord, entry: RunEntry, due: int | None, tags: str) -> None:
        self._indexed.add(entry.id)
        if due != entry.due_at:
            entry.due_at, entry.due_since = due, due or record.updated_at
        if tags != entry.tags:
            for name, some in (("drop_tag", orjson.loads(entry.tags)), ("add_tag", record.tags)):
                self._others += [(name, (tag, entry.created_at, entry.id)) for tag in some]
        entry.status, entry.tags = record.status, tags

    def _add_run(self, record: RunRecord) -> None:
        due = due_at(record.status, record.ready, record.wake_at, None)
        tags = orjson.dumps(record.tags).decode()
        entry = RunEntry(
            id=self._marks.number(1),
            journal_tail=record.journal_tail,
            epoch=0,
            lease_owner=None,
            lease_until=None,
            status=record.status,
            workflow=record.workflow,
            created_at=record.created_at,
            tags=tags,
            due_at=due,
            due_since=due or record.updated_at,
        )
        self._marks.runs[record.run_id] = entry
        self._new_runs.append(
            (
                entry.id,
                record.run_id,
                record.workflow,
                record.status,
                record.created_at,
                record.updated_at,
                record.journal_tail,
                record.public_tail,
                record.ready,
                record.wake_at,
                tags,
                due,
                entry.due_since,
                record.state,
            )
        )
        self._others += [("add_tag", (tag, record.created_at, entry.id)) for tag in record.tags]

    def _flush_runs(self) -> None:
        if self._new_runs:
            self._rows("add_run", self._new_runs)
            self._new_runs.clear()
        plain: list[Row] = []
        indexed: list[Row] = []
        for number, (record, entry) in self._runs.items():
            row = (
                record.updated_at,
                record.journal_tail,
                record.public_tail,
                record.ready,
                record.wake_at,
                record.state,
            )
            if number in self._indexed:
                index = (entry.tags, entry.lease_owner, entry.lease_until, entry.due_at, entry.due_since)
                indexed.append((*row, entry.status, *index, number))
            else:
                plain.append((*row, number))
            if self.witness is None:
                self.witness = ("find_run_state", (number, record.journal_tail), record.state)
        self._each("move_run", plain)
        self._each("put_run", indexed)
        self._runs.clear()
        self._indexed.clear()

    # -- requests --------------------------------------------------------------------------------------------------

    def _input(self, record: InputRecord) -> None:
        audience = orjson.dumps(record.audience).decode()
        known = self._execute(SQL["known_input"], (record.run_id, record.key)).fetchone()
        if known is None:
            number, created_at, old = self._marks.number(2), record.created_at, ("", "[]")
            new = (number, record.run_id, record.key, record.status, audience, created_at, record.deadline)
            self._execute(SQL["add_input"], (*new, record.state))
        else:
            number, *old_index, created_at = known
            old = tuple(old_index)
            changed = (record.status, audience, record.deadline)
            self._execute(SQL["put_input"], (*changed, record.state, number))
        if old != (record.status, audience):
            for principal in orjson.loads(old[1]):
                self._execute(SQL["drop_audience"], (principal, old[0], created_at, number))
            for principal in record.audience:
                self._execute(SQL["add_audience"], (principal, record.status, created_at, number))

    def _wait(self, wait: WaitWrite) -> None:
        if wait.remove:
            self._others.append(("drop_wait", (wait.run_id, wait.wait_id)))
        else:
            self._others.append(("add_wait", (wait.run_id, wait.wait_id, wait.topic, wait.key)))

    def _record(self, write: RecordWrite | RecordDelete) -> None:
        """Write at once: the next Change is compared with what the table says."""
        if isinstance(write, RecordDelete):
            self._execute(SQL["delete_record"], (write.kind, write.id))
            return
        one = write.record
        self._execute(SQL["put_record"], (one.kind, one.id, one.version, one.due_at, one.state))
        if self.witness is None:
            self.witness = ("find_record", (one.kind, one.id, one.version), one.state)

    def _each(self, name: str, rows: Sequence[Row]) -> None:
        if len(rows) == 1:
            self._execute(SQL[name], rows[0])
        elif rows:
            self._connection.executemany(SQL[name], rows)

    def _rows(self, name: str, rows: Sequence[Row]) -> None:
        start = 0
        for size in chunks(len(rows)):
            if size == 1:
                self._execute(SQL[name], rows[start])
            else:
                flat = [value for row in rows[start : start + size] for value in row]
                self._execute(SQL.rows(name, size), flat)
            start += size


def _joined(first: Batch, second: Batch) -> Batch:
    return Batch(first.start, second.end, b",".join(data for data in (first.data, second.data) if data))


def _head_row(number: int, head: Head) -> Row:
    by = head.closed_by
    closed_by = (by.producer_id, by.epoch, by.seq) if by else (None, None, None)
    fork = (one.path, one.incarnation, one.at, one.depth) if (one := head.fork) else (None, None, None, None)
    return (
        number,
        head.path,
        head.incarnation,
        head.version,
        head.tail,
        head.base,
        head.content_type,
        head.closed,
        head.engine,
        head.created_at,
        head.touched_at,
        head.last_seq,
        head.ttl_s,
        head.expires_at,
        *closed_by,
        *fork,
        head.refs,
        head.deleted,
        head.compacted,
    )
