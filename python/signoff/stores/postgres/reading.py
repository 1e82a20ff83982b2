"""Reads: heads, batches, records, pages; each look is one statement, and so of one moment."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any, Final

from signoff.stores import paging
from signoff.stores.base import (
    Listing,
    LoadedSubject,
    OwnedPart,
    Page,
    PartsWanted,
    StreamStart,
    StreamState,
    StreamTail,
)
from signoff.stores.change import Batch, Name, Subject
from signoff.stores.postgres.connections import Pool
from signoff.stores.postgres.known import Known
from signoff.stores.postgres.read_subjects import PARTS, SUBJECTS, load_query, page_query
from signoff.stores.postgres.rows import Row, head, part, stream_tail
from signoff.stores.postgres.statements import Statements
from signoff.streams.stream import Head, ProducerMark

_FIRST: Final = 32
"""Batches that a first look brings at most: what most who read have to catch up with is one."""

_NEXT: Final = 256
_OWN: Final = 12
_LAST_CHARACTER: Final = "\U0010ffff"


class Reads:
    """What readers ask.

    Args:
        pool: connections to ask on.
        known: what is learned by the way.
        sql: the statements of `read.sql`.
    """

    def __init__(self, pool: Pool, known: Known, sql: Statements) -> None:
        self._pool = pool
        self._known = known
        self._sql = sql

    async def _ask(self, name: str, *values: Any) -> list[Row]:
        return await self._pool.fetch(self._sql[name], *values)

    # -- streams ---------------------------------------------------------------------------------------------------

    async def load_stream(self, path: str, producer_id: str | None) -> StreamState | None:
        """Load a stream's head, and one producer's state when asked for."""
        since = self._known.writes
        if producer_id is None:
            rows = await self._ask("head", path)
        else:
            rows = await self._ask("head_and_producer", path, producer_id)
        if not rows:
            return None
        found = self._head(rows[0], since)
        mark = None
        if producer_id is not None and rows[0]["producer_id"] is not None:
            mark = ProducerMark(*rows[0][-3:])
        return StreamState(found, mark)

    def _head(self, row: Row, since: int) -> Head:
        found = head(row)
        self._known.read_stream(row, found, since)
        return found

    async def read(self, path: str, start: int, max_bytes: int) -> tuple[Head, list[Batch]] | None:
        """Read batches from the one that holds `start` on, up to the one that brings the total to `max_bytes`."""
        while True:
            since = self._known.writes
            rows = await self._ask("read", path, start, _FIRST)
            if not rows:
                return None
            found = self._head(rows[0], since)
            batches = await self._follow(rows[0], found, max_bytes)
            if batches is not None:
                return found, batches

    async def read_start(self, path: str, max_bytes: int) -> StreamStart | None:
        """Read the live rows, and the batches from their position on."""
        while True:
            since = self._known.writes
            rows = await self._ask("read_start", path, _FIRST)
            if not rows:
                return None
            found = self._head(rows[0], since)
            batches = await self._follow(rows[0], found, max_bytes)
            if batches is not None:
                return StreamStart(found, tuple(rows[0]["rows"]), tuple(batches))

    async def _follow(self, row: Row, found: Head, max_bytes: int) -> list[Batch] | None:
        """Return the batches of a look, and those that follow up to its tail; None: they were dropped meanwhile."""
        batches: list[Batch] = []
        size = 0
        if row["starts"] is None:
            return batches
        next_ones: Sequence[Any] = [*zip(row["starts"], row["stops"], row["data"], strict=True)]
        asked = _FIRST
        while True:
            for one in next_ones:
                batches.append(Batch(*one))
                size += len(batches[-1].data)
                if size >= max_bytes:
                    return batches
            end = batches[-1].end
            if len(next_ones) < asked or end >= found.tail:
                return batches
            asked = _NEXT
            next_ones = await self._ask("batches", row["id"], end, asked)
            if not next_ones or next_ones[0][0] != end:
                return None
            next_ones = [one for one in next_ones if one[0] < found.tail]

    async def rows_bytes(self, path: str) -> int:
        """Return how many bytes the live rows have together."""
        [(size,)] = await self._ask("rows_bytes", path)
        return int(size)

    async def find_streams(self, paths: Sequence[str]) -> dict[str, StreamTail]:
        """Return how far those of `paths` that exist have grown."""
        if not paths:
            return {}
        found = {row["path"]: stream_tail(row) for row in await self._ask("find_streams", list(paths))}
        return {path: found[path] for path in paths if path in found}

    async def list_streams(self, prefix: str, limit: int, after: str) -> list[StreamTail]:
        """List streams of one prefix after a path."""
        return [
            stream_tail(row) for row in await self._ask("list_streams", prefix, after, prefix + _LAST_CHARACTER, limit)
        ]

    async def ended_streams(self, now: int, limit: int) -> list[str]:
        """Return paths of streams whose life is over, the earliest first."""
        return [path for (path,) in await self._ask("ended_streams", now, limit)]

    # -- subjects --------------------------------------------------------------------------------------------------

    async def load(self, name: Name, wanted: tuple[PartsWanted, ...]) -> LoadedSubject | None:
        """Load a subject's record with some of its parts."""
        since = self._known.writes
        text, values = load_query(self._sql, name, wanted)
        record: Subject | None = None
        parts: dict[int, Row] = {}
        for row in await self._pool.fetch(text, *values):
            if row[_OWN] is not None:
                record = self._known.read_subject(row, since)
            else:
                number, kind, key, _, state, terms, sort, _, is_open = row[:9]
                parts[number] = (number, kind, key, state, is_open, terms, sort)
        if record is None:
            return None
        kinds = {one.kind: place for place, one in reversed(list(enumerate(wanted)))}
        ordered = sorted(parts.values(), key=lambda one: (kinds[one[1]], one[0]))
        return LoadedSubject(record, tuple(map(part, ordered)))

    async def list_subjects(self, where: Listing, limit: int, cursor: str | None) -> Page[Subject]:
        """List subjects."""
        since = self._known.writes
        query = page_query(self._sql, SUBJECTS, where, limit, cursor)
        rows = await self._pool.fetch(query[0], *query[1]) if query else []
        items = tuple(self._known.read_subject(row, since) for row in rows[:limit])
        return Page(items, _cursor(rows, limit))

    async def list_parts(self, where: Listing, limit: int, cursor: str | None) -> Page[OwnedPart]:
        """List parts, of whatever subject."""
        query = page_query(self._sql, PARTS, where, limit, cursor)
        rows = await self._pool.fetch(query[0], *query[1]) if query else []
        items = tuple(OwnedPart(Name(row[7], row[8]), part(row[:7])) for row in rows[:limit])
        return Page(items, _cursor(rows, limit))

    # -- what is due -----------------------------------------------------------------------------------------------

    async def due(self, queue: str, now: int, limit: int) -> list[Subject]:
        """Return subjects of a queue that are due at `now`, the earliest first."""
        since = self._known.writes
        return [self._known.read_subject(row, since) for row in await self._ask("due", queue, now, max(limit, 0))]

    async def next_due(self, queues: Collection[str]) -> int | None:
        """Return the earliest time (ms) at which a claim could find a subject."""
        [(due,)] = await self._ask("next_due", list(queues), self._known.clock.shift)
        return None if due is None else int(due)

    async def unclaimed(self, kind: str, queues: Collection[str], before: int, limit: int) -> list[Name]:
        """Return subjects of a kind that a claim could have found since `before`, of any other queue than these."""
        return [Name(*row) for row in await self._ask("unclaimed", kind, list(queues), before, limit)]


def _cursor(rows: list[Row], limit: int) -> str | None:
    if len(rows) <= limit:
        return None
    last = rows[limit - 1]
    return paging.cursor(last["sort"], last["id"])
