"""Reading: what one look at a connection brings. Each question is one read transaction, so its parts agree."""

from __future__ import annotations

import heapq
import sqlite3
from collections.abc import Collection, Iterable, Sequence
from contextlib import contextmanager
from itertools import chain, islice
from typing import Any, Literal

from signoff.stores import paging
from signoff.stores.base import (
    Batch,
    InputRecord,
    LedgerEntry,
    LedgerKey,
    Page,
    Record,
    RunFilter,
    RunRecord,
    RunState,
    StreamStart,
    StreamState,
    StreamTail,
)
from signoff.stores.sqlite.records import head, input_record, run_record
from signoff.stores.sqlite.statements import Statements, chunks
from signoff.streams.stream import Head, ProducerMark

SQL = Statements("read.sql")
Row = tuple[Any, ...]

LAST_CHARACTER = "\U0010ffff"


@contextmanager
def snapshot(connection: sqlite3.Connection) -> Any:
    """Let several statements see the same moment."""
    connection.execute("BEGIN")
    try:
        yield connection.execute
    finally:
        connection.execute("ROLLBACK")


def load_stream(connection: sqlite3.Connection, path: str, producer_id: str | None) -> StreamState | None:
    """Load a stream's head, and one producer's state when asked for."""
    if producer_id is None:
        row = connection.execute(SQL["head"], (path,)).fetchone()
        return StreamState(head(row)) if row else None
    with snapshot(connection) as execute:
        row = execute(SQL["head"], (path,)).fetchone()
        mark = execute(SQL["producer"], (row[0], producer_id)).fetchone() if row else None
    return StreamState(head(row), ProducerMark(*mark) if mark else None) if row else None


def read(connection: sqlite3.Connection, path: str, start: int, max_bytes: int) -> tuple[Head, list[Batch]] | None:
    """Read batches from the one that holds `start` on, up to the one that brings the total to `max_bytes`."""
    with snapshot(connection) as execute:
        row = execute(SQL["head"], (path,)).fetchone()
        if row is None:
            return None
        found = _batches(execute, row, start, max_bytes)
    return head(row), found


def read_start(connection: sqlite3.Connection, path: str, max_bytes: int) -> StreamStart | None:
    """Read the live rows, and the batches from their position on."""
    with snapshot(connection) as execute:
        row = execute(SQL["head"], (path,)).fetchone()
        if row is None:
            return None
        known = head(row)
        rows = execute(SQL["live_rows"], (row[0],)).fetchall() if known.rows_at else ()
        found = _batches(execute, row, known.rows_at, max_bytes)
    return StreamStart(known, tuple(message for (message,) in rows), tuple(found))


def _batches(execute: Any, head_row: Row, start: int, max_bytes: int) -> list[Batch]:
    """Read from waypoint to waypoint, and at last to the last batch: from each back to where the one before ended."""
    stream, last, *_ = head_row
    found: list[Batch] = []
    size = 0
    waypoints = execute(SQL["waypoints"], (stream, start))
    for (batch,) in chain(waypoints, [(last,)]):
        asked = {"batch": batch, "stream": stream, "from": start}
        for row in reversed(execute(SQL["chain"], asked).fetchall()):
            one = Batch(*row)
            if one.end > start:
                found.append(one)
                start = one.end
                size += len(one.data)
                if size >= max_bytes:
                    waypoints.close()
                    return found
    return found


def rows_bytes(connection: sqlite3.Connection, path: str) -> int:
    """Return how many bytes the live rows have together."""
    (size,) = connection.execute(SQL["rows_bytes"], (path,)).fetchone()
    return int(size)


def tails(connection: sqlite3.Connection, paths: Sequence[str]) -> dict[str, tuple[int, bool]]:
    """Return `(tail, closed)` for those of `paths` that exist and are not deleted."""
    return {path: (tail, bool(closed)) for path, tail, closed in _many(connection, "tails", paths)}


def find_streams(connection: sqlite3.Connection, paths: Sequence[str]) -> dict[str, StreamTail]:
    """Return how far those of `paths` that exist have grown."""
    return {row[0]: StreamTail(*row) for row in _many(connection, "find_streams", paths)}


def list_streams(connection: sqlite3.Connection, prefix: str, limit: int, after: str) -> list[StreamTail]:
    """List streams of one prefix after a path."""
    asked = {"prefix": prefix, "end": prefix + LAST_CHARACTER, "after": after, "limit": limit}
    return [StreamTail(*row) for row in connection.execute(SQL["list_streams"], asked)]


def ended_streams(connection: sqlite3.Connection, now: int, limit: int) -> list[str]:
    """Return paths of streams whose life is over, the earliest first."""
    return [path for (path,) in connection.execute(SQL["ended_streams"], (now, limit))]


def load_record(connection: sqlite3.Connection, kind: str, record_id: str) -> Record | None:
    """Load a record; None if there is none."""
    row = connection.execute(SQL["record"], (kind, record_id)).fetchone()
    return Record(*row) if row else None


def list_records(connection: sqlite3.Connection, kind: str, limit: int, after: str) -> list[Record]:
    """List records of a kind after an id."""
    return [Record(*row) for row in connection.execute(SQL["list_records"], (kind, after, limit))]


def due_records(connection: sqlite3.Connection, kind: str, now: int, limit: int) -> list[Record]:
    """Return records of a kind that are due, the earliest first."""
    return [Record(*row) for row in connection.execute(SQL["due_records"], (kind, now, limit))]


def next_record_due(connection: sqlite3.Connection, kind: str) -> int | None:
    """Return when the first record of a kind will be due."""
    due: int | None = connection.execute(SQL["next_record_due"], (kind,)).fetchone()[0]
    return due


def versions(connection: sqlite3.Connection, paths: Sequence[str]) -> dict[str, tuple[str, int]]:
    """Return `(incarnation, version)` for those of `paths` that exist."""
    return {path: (incarnation, version) for path, incarnation, version in _many(connection, "versions", paths)}


def load_run(
    connection: sqlite3.Connection,
    run_id: str,
    inputs: Literal["none", "pending", "all"] | str,
    ledger: LedgerKey | None,
) -> RunState | None:
    """Load a run's record with, in one consistent look, some inputs and one ledger entry."""
    if inputs == "none" and ledger is None:
        row = connection.execute(SQL["run"], (run_id,)).fetchone()
        return RunState(run_record(row)) if row else None
    with snapshot(connection) as execute:
        row = execute(SQL["run"], (run_id,)).fetchone()
        if row is None:
            return None
        asked: Iterable[Row] = ()
        if inputs in ("all", "pending"):
            asked = execute(SQL[f"inputs_{inputs}"], (run_id,)).fetchall()
        elif inputs != "none":
            asked = execute(SQL["input"], (run_id, inputs)).fetchall()
        entry = execute(SQL["ledger"], (run_id, ledger.scope, ledger.id)).fetchone() if ledger else None
    return RunState(run_record(row), tuple(map(input_record, asked)), LedgerEntry(*entry) if entry else None)


def waiting_on(connection: sqlite3.Connection, topic: str, key: str | None) -> list[str]:
    """Return ids of runs that wait for `topic`, in the order they began to wait."""
    rows = connection.execute(SQL["waiting"], {"topic": topic, "key": key})
    return list(dict.fromkeys(run_id for run_id, _ in rows))


# -- listings ----------------------------------------------------------------------------------------------------------


_HAS_TAG = """
EXISTS (
  SELECT 1 FROM run_tags AS other WHERE other.tag = ? AND other.created_at = runs.created_at AND other.run = runs.id
)"""


def list_runs(connection: sqlite3.Connection, where: RunFilter, limit: int, cursor: str | None) -> Page[RunRecord]:
    """List runs, newest first."""
    place = paging.place(cursor)
    rows: list[Row] = []
    # One page a status, each led by its index, and of those together the first.
    for status in dict.fromkeys(where.statuses) or (None,):
        rows += connection.execute(*runs_query(where, status, limit, place))
    rows.sort(key=lambda row: (row[3], row[-1]), reverse=True)
    items = tuple(map(run_record, rows[:limit]))
    more = len(rows) > limit
    return Page(items, paging.cursor(rows[limit - 1][3], rows[limit - 1][-1]) if more else None)


def runs_query(where: RunFilter, status: str | None, limit: int, place: tuple[int, int]) -> tuple[str, list[Any]]:
    """Write the query for a page of runs of one status and one run more; an index leads to each filter."""
    name, created, number = "list_runs", "runs.created_at", "runs.id"
    clauses: list[str] = []
    values: list[Any] = []
    if where.tags:
        name, created, number = "list_tagged_runs", "run_tags.created_at", "run_tags.run"
        clauses.append("run_tags.tag = ?")
        values.append(where.tags[0])
    for tag in where.tags[1:]:
        clauses.append(_HAS_TAG)
        values.append(tag)
    for clause, value in (
        ("workflow = ?", where.workflow),
        ("status = ?", status),
        (f"{created} > ?", where.created_after),
        (f"{created} < ?", where.created_before),
    ):
        if value is not None:
            clauses.append(clause)
            values.append(value)
    clauses.append(f"({created}, {number}) < (?, ?)")
    sql = f"{SQL[name]}\nWHERE {' AND '.join(clauses)} ORDER BY {created} DESC, {number} DESC LIMIT ?"
    return sql, [*values, *place, limit + 1]


def list_inputs(
    connection: sqlite3.Connection,
    audience: Collection[str] | None,
    status: str | None,
    limit: int,
    cursor: str | None,
) -> Page[InputRecord]:
    """List requests for input, newest first."""
    place = paging.place(cursor)
    if audience is None:
        sql, values = inputs_query("list_inputs", "id", limit, place, status=status)
        rows = connection.execute(sql, values).fetchall()
    else:
        rows = _asked_of(connection, audience, status, limit, place)
    items = tuple(map(input_record, rows[:limit]))
    more = len(rows) > limit
    return Page(items, paging.cursor(rows[limit - 1][4], rows[limit - 1][-1]) if more else None)


def inputs_query(
    name: str, number: str, limit: int, place: tuple[int, int], *, status: str | None, principal: str | None = None
) -> tuple[str, list[Any]]:
    """Write the query for a page of requests (or of their places) and one more; an index covers each form."""
    clauses: list[str] = []
    values: list[Any] = []
    for column, value in (("principal", principal), ("status", status)):
        if value is not None:
            clauses.append(f"{column} = ?")
            values.append(value)
    clauses.append(f"(created_at, {number}) < (?, ?)")
    sql = f"{SQL[name]}\nWHERE {' AND '.join(clauses)} ORDER BY created_at DESC, {number} DESC LIMIT ?"
    return sql, [*values, *place, limit + 1]


def _asked_of(
    connection: sqlite3.Connection,
    audience: Collection[str],
    status: str | None,
    limit: int,
    place: tuple[int, int],
) -> list[Row]:
    """Merge the pages of several principals; a request asked of two of them is listed once."""
    with snapshot(connection) as execute:
        found = [
            execute(*inputs_query("list_asked", "input", limit, place, status=status, principal=principal)).fetchall()
            for principal in sorted(set(audience))
        ]
        places = islice(dict.fromkeys(heapq.merge(*found, reverse=True)), limit + 1)
        rows = _many(connection, "inputs_by_id", [number for _, number in places])
    return sorted(rows, key=lambda row: (row[4], row[-1]), reverse=True)


def _many(connection: sqlite3.Connection, name: str, keys: Sequence[Any]) -> list[Row]:
    rows: list[Row] = []
    start = 0
    for size in chunks(len(keys)):
        rows += connection.execute(SQL.rows(name, size), keys[start : start + size])
        start += size
    return rows
