"""All that a schema holds, piece by piece, and how it comes into a schema."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Final

import orjson

from signoff.stores.change import Batch, Name
from signoff.stores.compare import due_at
from signoff.stores.copies import (
    BatchCopy,
    Dump,
    DumpPlace,
    PartCopy,
    ProducerCopy,
    Record,
    RowCopy,
    StreamCopy,
    SubjectCopy,
    read_cursor,
    size_of,
)
from signoff.stores.postgres.connections import ServerConnection
from signoff.stores.postgres.context import WriteContext
from signoff.stores.postgres.locked import head_row
from signoff.stores.postgres.rows import Row, head, own_of, own_text, part, subject, terms_text
from signoff.stores.postgres.statements import Statements
from signoff.streams.compaction import LiveRow
from signoff.streams.stream import ProducerMark

_ROWS: Final = 200
"""Rows that are asked for at a time."""


_Read = Callable[["Dumping", Row], Awaitable[tuple[DumpPlace, list[Record]]]]


class Dumping:
    """A piece of a dump, in a transaction that sees one moment.

    Args:
        connection: in that transaction.
        sql: the statements of `copies.sql`.
    """

    def __init__(self, connection: ServerConnection, sql: Statements) -> None:
        self._connection = connection
        self._sql = sql

    async def dump(self, after: str, max_bytes: int) -> Dump:
        """Return the records that follow a cursor.

        Raises:
            BadRequest: it is not one of ours.
        """
        table, place = read_cursor(after, [begins for _, begins, _ in _TABLES])
        records: list[Record] = []
        size = 0
        for number in range(table, len(_TABLES)):
            name, first, read = _TABLES[number]
            if number > table:
                place = first
            while True:
                rows = await self._connection.fetch(self._sql[name], *place, _ROWS)
                for row in rows:
                    if records and size >= max_bytes:
                        return Dump(tuple(records), orjson.dumps((number, *place)).decode())
                    place, some = await read(self, row)
                    records += some
                    size += sum(map(size_of, some))
                if len(rows) < _ROWS:
                    break
        return Dump(tuple(records), None)

    async def subject(self, row: Row) -> tuple[DumpPlace, list[Record]]:
        """Read a record with its own streams."""
        own = own_of(row[12])
        record = subject(row[:17], own)
        lease_ms = row[17] if record.lease_until is not None else 0
        found: list[Record] = [SubjectCopy(record, row[0], lease_ms or 0)]
        if own:
            numbers = [number for number, *_ in own]
            heads = {one["id"]: head(one) for one in await self._connection.fetch(self._sql["own_heads"], numbers)}
            found += [StreamCopy(heads[number], record.name) for number in numbers]
        return (row[0],), found

    async def part(self, row: Row) -> tuple[DumpPlace, list[Record]]:
        """Read a part."""
        return (row[0],), [PartCopy(Name(row[7], row[8]), part(row[:7]), row[0])]

    async def stream(self, row: Row) -> tuple[DumpPlace, list[Record]]:
        """Read a head that is nobody's own."""
        return (row["id"],), [StreamCopy(head(row))]

    async def producer(self, row: Row) -> tuple[DumpPlace, list[Record]]:
        """Read how far a producer has got."""
        stream, producer, path, *mark = row
        return (stream, producer), [ProducerCopy(path, ProducerMark(producer, *mark))]

    async def row(self, row: Row) -> tuple[DumpPlace, list[Record]]:
        """Read a live row."""
        stream, position, path, kind, key, message = row
        return (stream, position), [RowCopy(path, LiveRow(kind, key, position, message))]

    async def batch(self, row: Row) -> tuple[DumpPlace, list[Record]]:
        """Read a batch."""
        stream, start, path, stop, data = row
        return (stream, start), [BatchCopy(path, Batch(start, stop, data))]


_TABLES: Final[tuple[tuple[str, DumpPlace, _Read], ...]] = (
    ("subjects_from", (0,), Dumping.subject),
    ("parts_from", (0,), Dumping.part),
    ("streams_from", (0,), Dumping.stream),
    ("producers_from", (0, ""), Dumping.producer),
    ("rows_from", (0, -1), Dumping.row),
    ("batches_from", (0, -1), Dumping.batch),
)
"""What is read one after the other: the statement, where it begins, and what its rows are."""


class Restoring:
    """Records of another store's dump, written in one transaction.

    Args:
        connection: in that transaction.
        sql: the statements of `copies.sql`.
        context: of the store.
    """

    def __init__(self, connection: ServerConnection, sql: Statements, context: WriteContext) -> None:
        self._connection = connection
        self._sql = sql
        self._write = context.sql

    async def restore(self, records: Sequence[Record]) -> None:
        """Write what is not there yet."""
        for record in records:
            match record:
                case SubjectCopy():
                    await self._subject(record)
                case PartCopy():
                    await self._part(record)
                case StreamCopy():
                    await self._stream(record)
                case ProducerCopy(path, mark):
                    await self._ask("restore_producer", path, *mark)
                case BatchCopy(path, batch):
                    await self._ask("restore_batch", path, *batch)
                case RowCopy(path, row):
                    await self._ask("restore_row", path, row.position, row.type, row.key, row.message)
        for kind, name in ((SubjectCopy, "rank_subjects"), (PartCopy, "rank_parts")):
            if ranks := [record.rank for record in records if isinstance(record, kind)]:
                await self._ask(name, max(ranks))

    async def _ask(self, name: str, *values: Any) -> list[Any]:
        rows: list[Any] = await self._connection.fetch(self._sql[name], *values)
        return rows

    async def _subject(self, copy: SubjectCopy) -> None:
        one = copy.subject
        kind, name = one.name
        row = (
            copy.rank, kind, name, one.version, one.sort, terms_text(one.terms), one.queue, one.ready, one.wake_at,
            one.quiet, one.updated_at, one.epoch, one.lease_owner, one.lost, one.state,
        )  # fmt: skip
        if not await self._ask("restore_subject", *row):
            return
        if one.terms:
            await self._ask("restore_subject_terms", kind, list(one.terms), one.sort, copy.rank)
        if one.queue is not None or one.lease_until is not None:
            due = due_at(one.queue, one.ready, one.wake_at, one.lease_until)
            lease = (one.epoch, one.lease_owner, one.lease_until, copy.lease_ms or None)
            await self._ask("restore_agenda", copy.rank, one.queue, due, due or one.updated_at, *lease)

    async def _part(self, copy: PartCopy) -> None:
        one = copy.part
        row = (copy.rank, one.kind, one.key, one.open, one.sort, terms_text(one.terms), one.state, *copy.owner)
        if await self._ask("restore_part", *row) and one.terms:
            await self._ask("restore_part_terms", one.kind, list(one.terms), one.sort, copy.rank)

    async def _stream(self, copy: StreamCopy) -> None:
        made = copy.head
        if await self._ask("has_stream", made.path):
            return
        [(number,)] = await self._connection.fetch(self._write["numbers"], 1)
        if copy.owner is None:
            await self._make("make_stream", *head_row(number, made, 0))
            await self._make("put_tail", number, made.version, made.tail, made.last_seq, made.touched_at)
        else:
            [(owner, own)] = await self._ask("own_streams", *copy.owner)
            await self._ask(
                "put_own_streams", owner, own_text((*own_of(own), (number, made.path, made.tail, made.closed)))
            )
            await self._make("make_stream", *head_row(number, made.changed(closed=False), 0))
            await self._ask("own_stream", number, owner, made.version)
        if made.rows_at:
            await self._make("move_rows", number, made.rows_at)

    async def _make(self, name: str, *values: Any) -> None:
        await self._connection.execute(self._write[name], *values)
