"""What readers ask about subjects and parts: one by its name, and pages of listings, each in one statement."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final

from signoff.stores import paging
from signoff.stores.base import Listing, PartsWanted
from signoff.stores.change import Name
from signoff.stores.postgres.statements import Statements


@dataclass(frozen=True, slots=True)
class Listed:
    """What is listed, as the names of its statements."""

    places: str
    places_by_term: str
    having: str
    by_place: str


SUBJECTS: Final = Listed("subject_places", "subject_places_by_term", "subject_places_having", "subjects_by_place")
PARTS: Final = Listed("part_places", "part_places_by_term", "part_places_having", "parts_by_place")


def load_query(sql: Statements, name: Name, wanted: tuple[PartsWanted, ...]) -> tuple[str, tuple[Any, ...]]:
    """Write the query for a subject and some of its parts: its own row is the one that has `own`."""
    values: tuple[Any, ...] = name
    for one in wanted:
        values += (one.kind,) if one.key is None else (one.kind, one.key)
    return _text(sql, tuple([(one.open, one.key is not None) for one in wanted])), values


@lru_cache(maxsize=1024)
def _text(sql: Statements, wanted: tuple[tuple[bool, bool], ...]) -> str:
    texts, place = [sql["subject"]], 3
    for is_open, named in wanted:
        text = f"{sql['and_parts']} AND parts.kind = ${place}"
        place += 1
        if named:
            text += f" AND parts.name = ${place}"
            place += 1
        texts.append(text + " AND parts.open" if is_open else text)
    return "\nUNION ALL\n".join(texts)


def page_query(
    sql: Statements, listed: Listed, where: Listing, limit: int, cursor: str | None
) -> tuple[str, list[Any]] | None:
    """Write the query for a page and one item more, in the order of the listing; None: nothing can be in it.

    The places that each leading term has are merged; what has several of them is listed once.

    Raises:
        BadRequest: the cursor is not one of ours.
    """
    start = paging.place(cursor, oldest_first=where.oldest_first)
    others = tuple(dict.fromkeys(where.all_of))
    if where.any_of is None:
        leading: tuple[str | None, ...] = others[:1] or (None,)
        others = others[1:]
    else:
        leading = tuple(dict.fromkeys(where.any_of))
    if not leading:
        return None
    values: list[Any] = []

    def value(one: Any) -> str:
        values.append(one)
        return f"${len(values)}"

    kind, sort, number, most = value(where.kind), value(start[0]), value(start[1]), value(limit + 1)
    sign, order = (">", "ASC") if where.oldest_first else ("<", "DESC")
    clauses = [f"item.kind = {kind}", f"(item.sort, item.id) {sign} ({sort}, {number})"]
    clauses += [sql[listed.having].format(value(term)) for term in others]
    clauses += [f"item.sort > {value(where.after)}"] if where.after is not None else []
    clauses += [f"item.sort < {value(where.before)}"] if where.before is not None else []
    texts = []
    for term in leading:
        name = listed.places if term is None else listed.places_by_term
        its = clauses if term is None else [*clauses, f"item.term = {value(term)}"]
        texts.append(
            f"({sql[name]}\nWHERE {' AND '.join(its)} ORDER BY item.sort {order}, item.id {order} LIMIT {most})"
        )
    places = "\nUNION\n".join(texts)
    if len(texts) > 1:
        places += f"\nORDER BY sort {order}, id {order} LIMIT {most}"
    return f"{sql[listed.by_place].format(places)}\nORDER BY place.sort {order}, place.id {order}", values
