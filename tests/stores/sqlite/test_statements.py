"""No question the engine asks scans a table: the plans say so, and the cost does not follow the table's size."""

from __future__ import annotations

import sqlite3
from itertools import product
from pathlib import Path
from typing import Any

import pytest

from signoff.service.kinds import RunFilter, inputs_listing, waits_listing
from signoff.stores.base import Listing
from signoff.stores.paging import place
from signoff.stores.sqlite import (
    cache,
    copies,
    find,
    leases,
    plain_appends,
    plain_moves,
    purge,
    read_streams,
    read_subjects,
)
from signoff.stores.sqlite.cache import WriterCache
from signoff.stores.sqlite.connection import connect, prepare
from signoff.stores.sqlite.leases import Claim, next_due, unclaimed
from signoff.stores.sqlite.statements import Statements, chunks
from tests.stores.sqlite.file import cost

STATUSES = ((), ("waiting",), ("waiting", "running"))
FILTERS = [
    RunFilter(*values) for values in product((None, "w"), STATUSES, ((), ("t",), ("t", "u")), (None, 1), (None, 2))
]


@pytest.fixture
def connection(tmp_path: Path) -> sqlite3.Connection:
    made = connect(tmp_path / "f.db")
    prepare(made, tmp_path / "f.db")
    return made


def plan(connection: sqlite3.Connection, sql: str, values: Any = None) -> list[str]:
    if values is None:
        names = {
            name: None
            for name in ("stream", "from", "batch", "base", "last", "most", "rows", "bytes")
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
        for statements in (read_streams.SQL, leases.SQL, cache.SQL, purge.SQL, find.SQL, copies.SQL)
        for name in statements.names
        if not name.startswith("list_") and "places" not in name
    ],
)
def test_statements_use_their_indexes(connection: sqlite3.Connection, statements: Statements, name: str) -> None:
    small = name in ("deletion", "deletions_of")  # a table of so many rows at most
    ties = "RIGHT PART OF ORDER BY"  # streams whose lives end in the same millisecond
    for count in (1, 4):
        lines = plan(connection, statements.rows(name, count))
        assert [line for line in scans(lines) if not small and ties not in line] == []
    connection.close()


def test_pages_of_streams_follow_their_paths(connection: sqlite3.Connection) -> None:
    asked = {"prefix": "a/", "end": "a0", "after": "a/b", "limit": 50}
    lines = plan(connection, read_streams.SQL["list_streams"], asked)
    assert scans(lines) == []
    assert "(path>? AND path<?)" in lines[0]
    connection.close()


def test_appending_beside_10_000_streams_costs_what_it_costs_beside_a_hundred(connection: sqlite3.Connection) -> None:
    plain_appends.PlainAppends(connection, WriterCache(connection))
    costs = []
    for number, (first, last) in enumerate(((1, 100), (101, 10_000)), 1):
        _add_streams(connection, first, last)
        row = (number, 50, number, number + 1, number - 1, b"x", number, number + 1, "", 7, 0, 9, 1)
        sql = plain_appends.SQL["append_produced"]
        costs.append(cost(connection, lambda row=row, sql=sql: connection.execute(sql, (*row, "p", 0, 0))))
    assert costs[1] < 1.1 * costs[0]
    assert connection.execute("SELECT version, tail FROM heads WHERE id = 50").fetchone() == (3, 3)
    assert read_streams.ended_streams(connection, 9, 9) == ["s50"]
    connection.close()


def _add_streams(connection: sqlite3.Connection, first: int, last: int) -> None:
    for table, columns, values in (
        (
            "streams",
            "id, path, incarnation, base, content_type, closed, engine, created_at",
            "'s' || i, 'i', 0, 't', 0, 0, 0",
        ),
        ("tails", "stream, version, tail, touched_at, distance", "1, 1, 0, 0"),
    ):
        connection.execute(
            f"""
            WITH RECURSIVE n (i) AS (SELECT ? UNION ALL SELECT i + 1 FROM n WHERE i < ?)
            INSERT INTO {table} ({columns}) SELECT i, {values} FROM n
            """,
            (first, last),
        )


def queries(listed: read_subjects.Listed, where: Listing) -> list[tuple[str, list[Any]]]:
    """Return what is asked for a page: one query a leading term."""
    leading, others = read_subjects.leading_terms(where)
    start = place(None, oldest_first=where.oldest_first)
    return [read_subjects.places_query(listed, where, term, others, (*start, 51)) for term in leading]


@pytest.mark.parametrize("where", FILTERS, ids=str)
def test_pages_of_runs_follow_an_index(connection: sqlite3.Connection, where: RunFilter) -> None:
    asked = queries(read_subjects.SUBJECTS, where.listing)
    assert len(asked) == max(1, len(where.statuses))
    for query in asked:
        assert scans(plan(connection, *query)) == []
    connection.close()


PARTS = [inputs_listing(*values) for values in product((None, ["user:a"], ["user:a", "group:b"]), (None, "pending"))]


@pytest.mark.parametrize("where", [*PARTS, waits_listing("paid", None), waits_listing("paid", "k")], ids=str)
def test_pages_of_parts_follow_an_index(connection: sqlite3.Connection, where: Listing) -> None:
    for query in queries(read_subjects.PARTS, where):
        assert scans(plan(connection, *query)) == []
    connection.close()


def test_claiming_among_100_000_timers_costs_what_it_costs_among_a_thousand(connection: sqlite3.Connection) -> None:
    costs = []
    queues = ["w0", "w1", "w2"]
    sleeping = RunFilter(statuses=("sleeping",)).listing
    for first, last in ((1, 1_000), (1_001, 100_000)):
        _add_timers(connection, first, last)
        steps = cost(connection, lambda: next_due(connection, queues))
        steps += cost(connection, lambda: Claim("w", queues, 10**6, 1, 10).run(connection, WriterCache(connection)))
        steps += cost(connection, lambda: leases.due(connection, "w1", 10**6, 10))
        steps += cost(connection, lambda: leases.due_by_queue(connection))
        steps += cost(connection, lambda: unclaimed(connection, "run", queues, 10**6, 200))
        steps += cost(connection, lambda: read_subjects.list_subjects(connection, sleeping, 10, None))
        costs.append(steps)
    assert costs[1] < 1.1 * costs[0]
    connection.close()


def _add_timers(connection: sqlite3.Connection, first: int, last: int) -> None:
    numbers = "WITH RECURSIVE n (i) AS (SELECT ? UNION ALL SELECT i + 1 FROM n WHERE i < ?)"
    connection.execute(
        f"""
        {numbers}
        INSERT INTO subjects (id, kind, name, version, mark, sort, terms, queue, ready, wake_at, quiet, updated_at,
                              due_at, due_since, streams, state)
        SELECT i, 'run', 'r' || i, 1, 0, i, '["status/sleeping"]', 'w' || (i % 3), 0, 1000 + i, 0, i,
               1000 + i, 1000 + i, '[]', x'7b7d'
        FROM n
        """,
        (first, last),
    )
    connection.execute(
        f"{numbers} INSERT INTO subject_terms SELECT 'run', 'status/sleeping', i, i FROM n",
        (first, last),
    )


def test_a_step_costs_beside_10_000_runs_what_it_costs_beside_a_hundred(connection: sqlite3.Connection) -> None:
    plain_moves.PlainMoves(connection, WriterCache(connection))
    costs = []
    for number, (first, last) in enumerate(((1, 100), (101, 10_000)), 1):
        _add_timers(connection, first, last)
        row = (3, 50, number, number + 1, 7, 0, 1050, 0, 5, "[]", b"{}", 0, -1, 1050, "[]")
        costs.append(cost(connection, lambda row=row: connection.execute(plain_moves.SQL["move"], row)))
    assert costs[1] < 1.1 * costs[0]
    assert connection.execute("SELECT version, mark FROM subjects WHERE id = 50").fetchone() == (3, 7)
    connection.close()


def test_rows_are_cut_into_few_sizes() -> None:
    assert [sum(chunks(total)) for total in range(200)] == list(range(200))
    assert chunks(70) == [64, 4, 2]
    assert cache.SQL.rows("put_batch", 2).endswith("VALUES (?, ?, ?, ?, ?, ?, ?), (?, ?, ?, ?, ?, ?, ?)")
    assert cache.SQL.rows("known_streams", 3).endswith("IN (?, ?, ?)")
