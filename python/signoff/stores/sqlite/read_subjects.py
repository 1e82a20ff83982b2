"""What readers ask about subjects and parts: one by its name, and pages of listings."""

from __future__ import annotations

import heapq
import sqlite3
from dataclasses import dataclass
from functools import lru_cache
from itertools import islice
from typing import Any, Final

from signoff.stores import paging
from signoff.stores.base import Listing, LoadedSubject, OwnedPart, Page, PartsWanted
from signoff.stores.change import Name, Subject
from signoff.stores.sqlite.read_streams import SQL, many, snapshot
from signoff.stores.sqlite.rows import Row, part, subject


def load(connection: sqlite3.Connection, name: Name, wanted: tuple[PartsWanted, ...]) -> LoadedSubject | None:
    """Load a subject's record with, in one consistent look, some of its parts.

    It is one statement: each that is asked takes a tenth of the time of an answer (`bench/engine.py`).
    """
    rows = connection.execute(*load_query(name, wanted)).fetchall()
    if not rows or rows[0][-1] is None:
        return None
    record, *others = rows
    if len(others) > 1:
        others = _in_order(others, wanted)
    return LoadedSubject(subject(record), tuple([part(one) for one in others]))


def _in_order(rows: list[Row], wanted: tuple[PartsWanted, ...]) -> list[Row]:
    """Return rows of parts, each once, in the order in which their kinds are wanted and they were first put."""
    found = {one[_NUMBER]: one for one in rows}
    kinds = {one.kind: place for place, one in reversed(list(enumerate(wanted)))}
    return sorted(found.values(), key=lambda one: (kinds[one[0]], one[_NUMBER]))


def load_query(name: Name, wanted: tuple[PartsWanted, ...]) -> tuple[str, tuple[Any, ...]]:
    """Write the query for a subject and some of its parts: its own row comes first, if there is one."""
    values: tuple[Any, ...] = name
    for one in wanted:
        values += (*name, one.kind) if one.key is None else (*name, one.kind, one.key)
    return _text(tuple([(one.open, one.key is not None) for one in wanted])), values


@lru_cache(maxsize=256)
def _text(wanted: tuple[tuple[bool, bool], ...]) -> str:
    return "\nUNION ALL\n".join([SQL["subject"], *(SQL[_PART_QUERIES[one]] for one in wanted)])


_PART_QUERIES: Final = {
    (False, False): "and_parts",
    (True, False): "and_open_parts",
    (False, True): "and_part",
    (True, True): "and_open_part",
}
"""Statements for parts, by whether only open ones are wanted, and whether one is named."""

_NUMBER: Final = 6
"""Where the number of a part stands in its row."""


# -- listings ----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Listed:
    """What is listed, as the names of its statements.

    Attributes:
        places, places_by_term: find places (`sort`, number) of a kind, and of a kind and a term.
        having: the condition that something has another term as well.
        by_id: loads what is there.
    """

    places: str
    places_by_term: str
    having: str
    by_id: str


SUBJECTS: Final = Listed("subject_places", "subject_places_by_term", "subject_places_having", "subjects_by_id")
PARTS: Final = Listed("part_places", "part_places_by_term", "part_places_having", "parts_by_id")


def list_subjects(connection: sqlite3.Connection, where: Listing, limit: int, cursor: str | None) -> Page[Subject]:
    """List subjects."""
    rows, after = _page(connection, SUBJECTS, where, limit, cursor)
    return Page(tuple(map(subject, rows)), after)


def list_parts(connection: sqlite3.Connection, where: Listing, limit: int, cursor: str | None) -> Page[OwnedPart]:
    """List parts, of whatever subject."""
    rows, after = _page(connection, PARTS, where, limit, cursor)
    return Page(tuple(OwnedPart(Name(row[6], row[7]), part(row)) for row in rows), after)


def _page(
    connection: sqlite3.Connection, listed: Listed, where: Listing, limit: int, cursor: str | None
) -> tuple[list[Row], str | None]:
    """Return the rows of a page in the order of the listing, and the cursor of the next one.

    The pages of several leading terms are merged; what has several of them is listed once.
    """
    leading, others = leading_terms(where)
    bounds = (*paging.place(cursor, oldest_first=where.oldest_first), limit + 1)
    with snapshot(connection) as execute:
        found = [execute(*places_query(listed, where, term, others, bounds)).fetchall() for term in leading]
        merged = dict.fromkeys(heapq.merge(*found, reverse=not where.oldest_first))
        places = list(islice(merged, limit + 1))
        rows = {row[-1]: row for row in many(connection, listed.by_id, [number for _, number in places[:limit]])}
    more = len(places) > limit
    return [rows[number] for _, number in places[:limit]], paging.cursor(*places[limit - 1]) if more else None


def leading_terms(where: Listing) -> tuple[tuple[str | None, ...], tuple[str, ...]]:
    """Return the terms that lead to what is listed (None: its kind alone), and those it has to have as well."""
    others = tuple(dict.fromkeys(where.all_of))
    if where.any_of is not None:
        return tuple(dict.fromkeys(where.any_of)), others
    return others[:1] or (None,), others[1:]


def places_query(
    listed: Listed, where: Listing, leading: str | None, others: tuple[str, ...], bounds: tuple[int, int, int]
) -> tuple[str, list[Any]]:
    """Write the query for the places of what has a leading term and all others; an index leads each form.

    Args:
        bounds: the place to begin after (`sort`, number), and how many places to find.
    """
    clauses = ["item.kind = ?"]
    values: list[Any] = [where.kind]
    if leading is not None:
        clauses.append("item.term = ?")
        values.append(leading)
    clauses += [SQL[listed.having]] * len(others)
    values += others
    for clause, bound in (("item.sort > ?", where.after), ("item.sort < ?", where.before)):
        if bound is not None:
            clauses.append(clause)
            values.append(bound)
    sign, order = (">", "ASC") if where.oldest_first else ("<", "DESC")
    clauses.append(f"(item.sort, item.id) {sign} (?, ?)")
    name = listed.places if leading is None else listed.places_by_term
    sql = f"{SQL[name]}\nWHERE {' AND '.join(clauses)} ORDER BY item.sort {order}, item.id {order} LIMIT ?"
    return sql, [*values, *bounds]
