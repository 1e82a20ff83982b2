"""Write Changes one by one, in a transaction that has locked what they are about and compares in Python.

So go those that are rare (creations, forks, deletions, live rows), and those that were decided on something else than
what the store remembered: under the locks it is certain what is a conflict.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import asyncpg

from signoff.stores.change import (
    Batch,
    Change,
    Committed,
    FamilyWrite,
    Name,
    Outcome,
    RowsWrite,
    StreamDelete,
    SubjectDelete,
    SubjectWrite,
)
from signoff.stores.compare import compare
from signoff.stores.parting import batches
from signoff.stores.postgres.connections import ServerConnection
from signoff.stores.postgres.context import WriteContext
from signoff.stores.postgres.find import DELETIONS, deleted_name
from signoff.stores.postgres.gather import arrays, subject_row
from signoff.stores.postgres.known import KnownStream, KnownSubject
from signoff.stores.postgres.rows import Row, moved, own_of, terms_of
from signoff.streams import expiry
from signoff.streams.stream import Head, StreamProperties, Write


class MovedMeanwhileError(Exception):
    """What was not there, and so could not be locked, has come meanwhile: do it all again."""


@dataclass(slots=True)
class LockedSubject:
    """A record under its lock, as `compare` looks at it."""

    known: KnownSubject
    epoch: int
    lease_owner: str | None

    @property
    def version(self) -> int:
        """Return the version of its record."""
        return self.known.version

    @property
    def streams(self) -> Sequence[LockedOwn]:
        """Return its own streams."""
        return [LockedOwn(path, closed) for _, path, _, closed in self.known.own]


@dataclass(slots=True)
class LockedOwn:
    """A stream of a subject's own."""

    path: str
    closed: bool


@dataclass(slots=True)
class LockedStream:
    """A stream under its lock, as `compare` looks at it."""

    id: int
    version: int
    tail: int
    closed: bool
    incarnation: str
    rows_at: int
    refs: int
    engine: bool
    owned: bool


@dataclass(slots=True)
class _UnderLock:
    """What is there, under locks, and moves on as it is written."""

    subjects: dict[Name, LockedSubject] = field(default_factory=dict)
    streams: dict[str, LockedStream] = field(default_factory=dict)

    def stream(self, path: str) -> LockedStream | None:
        return self.streams.get(path)

    def subject(self, name: Name) -> LockedSubject | None:
        return self.subjects.get(name)


class Locked:
    """One transaction of Changes, each compared and written in its turn.

    Args:
        connection: in a transaction.
        context: of the store.
        session: of the connection.
        numbers: of new streams.
    """

    def __init__(
        self, connection: ServerConnection, context: WriteContext, session: int, numbers: Iterator[int]
    ) -> None:
        self._connection = connection
        self._sql = context.sql
        self._call = context.call
        self._session = session
        self._numbers = numbers
        self._present = _UnderLock()
        self._written: dict[str, StreamProperties] = {}

    def streams(self) -> list[KnownStream]:
        """Return the application's streams as they were written, and are once this is committed."""
        present = self._present.streams
        return [KnownStream(present[path].id, present[path].version, one) for path, one in self._written.items()]

    async def run(self, changes: Sequence[Change]) -> list[Outcome]:
        """Write those that may be written; the caller commits.

        Raises:
            MovedMeanwhileError: something came into being that could not be locked.
        """
        await self._ask("begin", self._session)
        await self._lock(changes)
        outcomes: list[Outcome] = []
        for change in changes:
            conflict = compare(change, self._present)
            outcomes.append(conflict if conflict is not None else await self._write(change))
        return outcomes

    async def _ask(self, name: str, *values: Any) -> list[Any]:
        rows: list[Any] = await self._connection.fetch(self._sql[name], *values)
        return rows

    async def _lock(self, changes: Sequence[Change]) -> None:
        names: dict[Name, None] = {}
        paths: dict[str, None] = {}
        for change in changes:
            match change.write:
                case SubjectWrite() as write:
                    names[write.subject.name] = None
                    paths.update((append.path, None) for append in write.appends)
                case SubjectDelete(name):
                    names[name] = None
                case FamilyWrite(streams):
                    paths.update(
                        (one.path if isinstance(one, StreamDelete) else one.head.path, None) for one in streams
                    )
                case RowsWrite(path):
                    paths[path] = None
        if names:
            kinds, ids = [name.kind for name in names], [name.id for name in names]
            numbers = [row[0] for row in await self._ask("lock_subjects", kinds, ids)]
            for row in await self._ask("subjects", numbers) if numbers else ():
                self._see_subject(row)
        gone = [change.write.name for change in changes if isinstance(change.write, SubjectDelete)]
        for name in gone:
            if kept := self._present.subjects.get(name):
                paths.update((path, None) for _, path, _, _ in kept.known.own)
        if paths:
            numbers = [row[0] for row in await self._ask("lock_streams", list(paths))]
            if numbers:
                await self._ask("lock_tails", numbers)
                for row in await self._ask("streams", numbers):
                    self._see_stream(row)

    def _see_subject(self, row: Row) -> None:
        name = Name(row["kind"], row["name"])
        known = KnownSubject(
            row["id"], row["version"], row["sort"], terms_of(row["terms"]), row["queue"], own_of(row["own"])
        )
        self._present.subjects[name] = LockedSubject(known, row["epoch"], row["lease_owner"])

    def _see_stream(self, row: Row) -> None:
        tail, closed = moved(row)
        self._present.streams[row["path"]] = LockedStream(
            row["id"], row["version"], tail, closed, row["incarnation"], row["rows_at"], row["refs"], row["engine"],
            owned=row["subject"] is not None,
        )  # fmt: skip

    # -- one Change ------------------------------------------------------------------------------------------------

    async def _write(self, change: Change) -> Committed:
        outcome: dict[str, Batch] = {}
        match change.write:
            case SubjectWrite() as write:
                return Committed(await self._write_subject(change, write))
            case FamilyWrite(streams):
                for one in streams:
                    if isinstance(one, StreamDelete):
                        await self._doom(one.path)
                        await self._note_deletion(one.path, change.mark)
                    else:
                        await self._write_stream(one, change.mark)
            case SubjectDelete(name):
                await self._delete(name)
                await self._note_deletion(name, change.mark)
            case RowsWrite() as rows:
                await self._write_rows(rows)
        for post in change.posts:
            await self._ask("post", post.path, post.count, post.data)
        return Committed(outcome)

    async def _write_subject(self, change: Change, write: SubjectWrite) -> dict[str, Batch]:
        before = self._present.subject(write.subject.name)
        row = subject_row(0, change, before.known if before else None, self._numbers)
        try:
            [written] = await self._connection.fetch(self._call, *arrays(self._session, [row]))
        except asyncpg.UniqueViolationError as error:
            raise MovedMeanwhileError from error
        if written["stale"]:
            raise MovedMeanwhileError
        known = row.known
        assert isinstance(known, KnownSubject)
        known.id = written["ids"][0]
        epoch, owner = (before.epoch, before.lease_owner) if before else (0, None)
        self._present.subjects[write.subject.name] = LockedSubject(known, epoch, None if write.release else owner)
        for number, path, incarnation, version in row.made:
            made = LockedStream(number, version, 0, False, incarnation, 0, 0, engine=True, owned=True)
            self._present.streams[path] = made
        for _, path, tail, closed in known.own:
            if stream := self._present.streams.get(path):
                stream.tail, stream.closed = tail, closed
        return row.outcome

    async def _write_stream(self, write: Write, mark: int) -> None:
        head = write.head
        there = self._present.streams.get(head.path)
        if there is not None and there.engine:
            there.version, there.refs = head.version, head.refs
            await self._ask("move_refs", there.id, head.refs, mark, head.version)
            if not there.owned:
                await self._ask("move_version", there.id, head.version)
            return
        if there is None:
            start = max(head.base, head.own)
            there = LockedStream(
                next(self._numbers), head.version, start, head.closed, head.incarnation, 0, head.refs, head.engine,
                owned=False,
            )  # fmt: skip
            try:
                await self._ask("make_stream", *head_row(there.id, head, mark))
            except asyncpg.UniqueViolationError as error:
                raise MovedMeanwhileError from error
            self._present.streams[head.path] = there
        else:
            await self._ask("put_stream", *head_row(there.id, head, mark))
        await self._ask("put_tail", there.id, head.version, head.tail, head.last_seq, head.touched_at)
        if head.tail > there.tail:
            for start, end, data in batches(write, there.tail):
                await self._ask("put_batch", there.id, start, end, mark, data)
        there.version, there.tail, there.closed, there.refs = head.version, head.tail, head.closed, head.refs
        if not head.engine:
            self._written[head.path] = head.properties
        if one := write.producer:
            await self._ask("put_producer", there.id, one.producer_id, one.epoch, one.seq)

    async def _doom(self, path: str) -> None:
        """Take a stream's name away; what it held goes later."""
        there = self._present.streams.pop(path)
        self._written.pop(path, None)
        await self._ask("doom", there.id)
        await self._ask("delete_tail", there.id)
        await self._ask("delete_stream", there.id)

    async def _delete(self, name: Name) -> None:
        kept = self._present.subjects.pop(name)
        for number, path, tail, closed in kept.known.own:
            stream = self._present.streams[path]
            if not stream.refs:
                await self._doom(path)
                continue
            stream.version, stream.owned = stream.version + 1, False
            await self._ask("put_tail", number, stream.version, tail, None, 0)
            await self._ask("disown", number, closed)
        await self._ask("delete_subject", kept.known.id)

    async def _note_deletion(self, what: Name | str, mark: int) -> None:
        await self._ask("note_deletion", deleted_name(what), mark, DELETIONS)

    async def _write_rows(self, write: RowsWrite) -> None:
        stream, changes = self._present.streams[write.path], write.changes
        if changes.clear:
            await self._ask("clear_rows", stream.id)
        if changes.gone:
            await self._ask("drop_rows", stream.id, *map(list, zip(*changes.gone, strict=True)))
        if changes.rows:
            rows = [(row.position, row.type, row.key, row.message) for row in changes.rows]
            await self._ask("put_rows", stream.id, *map(list, zip(*rows, strict=True)))
        await self._ask("move_rows", stream.id, changes.at)
        stream.rows_at = changes.at
        if write.base is not None:
            stream.version += 1
            await self._ask("drop_history", stream.id, write.base)
            await self._ask("move_base", stream.id, write.base)
            await self._ask("move_own_version" if stream.owned else "move_version", stream.id, stream.version)


def created(session: int, streams: Sequence[tuple[int, int, Write]]) -> list[Any]:
    """Return the arguments by which streams are made: with the number of each, and the mark of its Change."""
    rows: list[tuple[Any, ...]] = []
    added: list[tuple[Any, ...]] = []
    for number, mark, one in streams:
        head, producer = one.head, one.producer or (None, None, None)
        tail = (head.version, head.tail, head.last_seq, head.touched_at)
        rows.append((*head_row(number, head, mark), *tail, *producer))
        start = max(head.base, head.own)
        if head.tail > start:
            added += [(number, *batch, mark) for batch in batches(one, start)]
    return [session, *zip(*rows, strict=True), *(zip(*added, strict=True) if added else ((),) * 5)]


def head_row(number: int, head: Head, mark: int) -> tuple[Any, ...]:
    """Return what `make_stream` and `put_stream` write of a head."""
    by = head.closed_by
    closed_by = (by.producer_id, by.epoch, by.seq) if by else (None, None, None)
    fork = (one.path, one.incarnation, one.at, one.depth) if (one := head.fork) else (None, None, None, None)
    return (
        number, head.path, head.incarnation, head.base, head.content_type, head.closed, head.engine, head.created_at,
        head.ttl_s, head.expires_at, *closed_by, *fork, head.refs, head.deleted, head.compacted, expiry.end(head), mark,
    )  # fmt: skip
