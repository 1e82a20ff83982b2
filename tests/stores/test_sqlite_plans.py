"""No question the engine asks scans a table: the plans say so, and the cost does not follow the table's size."""

from __future__ import annotations

import sqlite3
from itertools import product
from pathlib import Path
from typing import Any

import pytest
from signoff.stores.sqlite.marks import Marks

from signoff.stores.base import RunFilter
from signoff.stores.paging import FIRST
from signoff.stores.sqlite import leases, marks, plain, purge, reader
from signoff.stores.sqlite.connection import connect, prepare
from signoff.stores.sqlite.leases import Claim, next_due, unclaimed
from signoff.stores.sqlite.statements import Statements, chunks

FILTERS = [RunFilter(*values) for values in product((None, "w"), ((),), ((), ("t",), ("t", "u")), (None, 1), (None, 2))]


@pytest.fixture
def connection(tmp_path: Path) -> sqlite3.Connection:
    made = connect(tmp_path / "f.db")
    prepare(made, tmp_path / "f.db")
    return made


def plan(connection: sqlite3.Connection, sql: str, values: Any = None) -> list[str]:
    if values is None:
        names = {
            name: None
            for name in ("stream", "from", "batch", "base", "version", "topic", "key", "rows", "bytes")
            if f":{name}" in sql
        }
        values = names or (None,) * sql.count("?")
    return [row[3] for row in connection.execute(f"EXPLAIN QUERY PLAN {sql}", values)]


def scans(lines: list[str]) -> list[str]:
    """Return what reads a whole table or sorts it; a list of values and the names a recursion leaps to are short."""
    harmless = ("SCAN names", "SCAN asked", "SCAN chain", "SCAN moved", "SCAN CONSTANT ROW", "CONSTANT ROW")
    found = [line for line in lines if "SCAN" in line or "TEMP B-TREE" in line]
    return [line for line in found if not any(part in line for part in harmless) and "-ROW VALUES" not in line]


@pytest.mark.parametrize(
    ("statements", "name"),
    [
        (statements, name)
        for statements in (reader.SQL, leases.SQL, marks.SQL, purge.SQL)
        for name in statements.names
        if not name.startswith("list_")
    ],
)
def test_statements_use_their_indexes(connection: sqlite3.Connection, statements: Statements, name: str) -> None:
    sorts_what_it_found = name in ("waiting", "inputs_all")  # two ranges of an index; the requests of one run
    for count in (1, 4):
        lines = plan(connection, statements.rows(name, count))
        assert [line for line in scans(lines) if not (sorts_what_it_found and "ORDER BY" in line)] == []
    connection.close()


def test_pages_of_streams_follow_their_paths(connection: sqlite3.Connection) -> None:
    asked = {"prefix": "a/", "end": "a0", "after": "a/b", "limit": 50}
    lines = plan(connection, reader.SQL["list_streams"], asked)
    assert scans(lines) == []
    assert "(path>? AND path<?)" in lines[0]
    connection.close()


def test_appending_beside_10_000_streams_costs_what_it_costs_beside_a_hundred(connection: sqlite3.Connection) -> None:
    plain.PlainAppends(connection, Marks(connection))
    costs = []
    for number, (first, last) in enumerate(((1, 100), (101, 10_000)), 1):
        _add_streams(connection, first, last)
        row = (number, 50, number, number + 1, number - 1, b"x", number, number + 1, "", 7, 0, 9)
        sql = plain.SQL["append_produced"]
        costs.append(_steps(connection, lambda row=row, sql=sql: connection.execute(sql, (*row, "p", 0, 0))))
    assert costs[1] < 1.1 * costs[0]
    assert connection.execute("SELECT version, tail FROM heads WHERE id = 50").fetchone() == (3, 3)
    assert reader.ended_streams(connection, 9, 9) == ["s50"]
    connection.close()


def _add_streams(connection: sqlite3.Connection, first: int, last: int) -> None:
    for table, columns, values in (
        (
            "streams",
            "id, path, incarnation, base, content_type, closed, engine, created_at",
            "'s' || i, 'i', 0, 't', 0, 0, 0",
        ),
        ("tails", "stream, version, tail, touched_at, stretch", "1, 1, 0, 0"),
    ):
        connection.execute(
            f"""
            WITH RECURSIVE n (i) AS (SELECT ? UNION ALL SELECT i + 1 FROM n WHERE i < ?)
            INSERT INTO {table} ({columns}) SELECT i, {values} FROM n
            """,
            (first, last),
        )


@pytest.mark.parametrize("status", [None, "waiting"])
@pytest.mark.parametrize("where", FILTERS, ids=str)
def test_pages_of_runs_follow_an_index(connection: sqlite3.Connection, where: RunFilter, status: str | None) -> None:
    assert scans(plan(connection, *reader.runs_query(where, status, 50, FIRST))) == []
    connection.close()


@pytest.mark.parametrize(("principal", "status"), list(product((None, "user:a"), (None, "pending"))))
def test_pages_of_requests_follow_an_index(
    connection: sqlite3.Connection, principal: str | None, status: str | None
) -> None:
    name, number = ("list_inputs", "id") if principal is None else ("list_asked", "input")
    query = reader.inputs_query(name, number, 50, FIRST, status=status, principal=principal)
    assert scans(plan(connection, *query)) == []
    connection.close()


def test_claiming_among_100_000_timers_costs_what_it_costs_among_a_thousand(connection: sqlite3.Connection) -> None:
    costs = []
    for first, last in ((1, 1_000), (1_001, 100_000)):
        _add_timers(connection, first, last)
        steps = _steps(connection, lambda: next_due(connection, None))
        steps += _steps(connection, lambda: Claim("w", 10**6, 1, 10, None).run(connection, Marks(connection)))
        steps += _steps(connection, lambda: unclaimed(connection, {"w0", "w1", "w2"}, 10**6, 200))
        steps += _steps(connection, lambda: reader.list_runs(connection, RunFilter(statuses=("sleeping",)), 10, None))
        costs.append(steps)
    assert costs[1] < 1.1 * costs[0]
    connection.close()


def _add_timers(connection: sqlite3.Connection, first: int, last: int) -> None:
    connection.execute(
        """
        WITH RECURSIVE n (i) AS (SELECT ? UNION ALL SELECT i + 1 FROM n WHERE i < ?)
        INSERT INTO runs (id, run_id, workflow, status, created_at, updated_at, journal_tail, public_tail, ready,
                          wake_at, tags, epoch, due_at, due_since, state)
        SELECT i, 'r' || i, 'w' || (i % 3), 'sleeping', i, i, 1, 1, 0, 1000 + i, '[]', 0, 1000 + i, 1000 + i, x'7b7d'
        FROM n
        """,
        (first, last),
    )


def _steps(connection: sqlite3.Connection, work: Any) -> int:
    """Count the instructions of SQLite's virtual machine."""
    count = 0

    def step() -> int:
        nonlocal count
        count += 1
        return 0

    connection.set_progress_handler(step, 1)
    work()
    connection.set_progress_handler(None, 1)
    return count


def test_rows_are_cut_into_few_sizes() -> None:
    assert [sum(chunks(total)) for total in range(200)] == list(range(200))
    assert chunks(70) == [64, 4, 2]
    assert marks.SQL.rows("put_batch", 2).endswith("VALUES (?, ?, ?, ?, ?, ?), (?, ?, ?, ?, ?, ?)")
    assert marks.SQL.rows("known_runs", 3).endswith("IN (?, ?, ?)")
