"""Rows a transaction is going to write: gathered from many Changes, then written in few statements.

A Change that comes here has been compared; nothing here can conflict. Rows are kept by what they are about, so that a
stream or run touched by several Changes is written once.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from typing import Any

import orjson

from signoff.stores.base import (
    Batch,
    Change,
    InputRecord,
    RecordDelete,
    RecordWrite,
    RunRecord,
    RunWrite,
    StreamDelete,
    WaitWrite,
)
from signoff.stores.compare import due_at
from signoff.stores.sqlite.marks import SQL, Marks, RunEntry
from signoff.stores.sqlite.statements import write_rows
from signoff.stores.sqlite.stream_rows import StreamRows, Witness

Row = tuple[Any, ...]


class Pending:
    """Gather what compared Changes write, moving the marks on, and flush it into the open transaction."""

    def __init__(self, connection: sqlite3.Connection, marks: Marks) -> None:
        self._connection = connection
        self._execute = connection.execute
        self._marks = marks
        self._streams = StreamRows(connection, marks)
        self._new_runs: list[Row] = []
        self._runs: dict[int, tuple[RunRecord, RunEntry]] = {}
        self._indexed: set[int] = set()
        self._ledger: list[Row] = []
        self._others: list[tuple[str, Row]] = []
        self.witness: Witness | None = None

    def add(self, change: Change) -> dict[str, Batch]:
        """Gather one Change; return its batches with the positions they get."""
        batches: dict[str, Batch] = {}
        for append in change.appends:
            self._streams.append(append, batches)
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
                self._streams.delete(write)
            else:
                self._streams.write(write)
        for one in change.records:
            self._record(one)
        for rows in change.rows:
            self._streams.write_live_rows(rows)
        return batches

    def flush(self) -> None:
        """Write everything gathered so far."""
        self._streams.flush()
        self.witness = self.witness or self._streams.witness
        if self._new_runs or self._runs:
            self._flush_runs()
        if self._ledger:
            write_rows(self._connection, SQL, "add_ledger", self._ledger)
            self._ledger.clear()
        if self._others:
            for name, row in self._others:
                self._execute(SQL[name], row)
            self._others.clear()

    def clear(self) -> None:
        """Drop what was gathered and not flushed: its Change was undone."""
        self._streams.clear()
        self._new_runs.clear()
        self._runs.clear()
        self._indexed.clear()
        self._ledger.clear()
        self._others.clear()
        self.witness = None

    # -- runs ------------------------------------------------------------------------------------------------------

    def _run(self, write: RunWrite) -> None:
        record = write.record
        entry = self._marks.runs[record.run_id]
        if entry is None:
            self._add_run(record)
            return
        self._runs[entry.id] = record, entry
        survived = bool(entry.lost) and record.journal_tail != entry.journal_tail
        if survived:
            entry.lost = 0
        entry.journal_tail = record.journal_tail
        if write.release:
            entry.lease_owner = entry.lease_until = None
        due = due_at(record.status, record.ready, record.wake_at, entry.lease_until)
        tags = orjson.dumps(record.tags).decode() if record.tags else "[]"
        if write.release or survived or due != entry.due_at or record.status != entry.status or tags != entry.tags:
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
            lost=0,
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
            write_rows(self._connection, SQL, "add_run", self._new_runs)
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
                lease = (entry.lease_owner, entry.lease_until, entry.due_at, entry.due_since, entry.lost)
                indexed.append((*row, entry.status, entry.tags, *lease, number))
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
