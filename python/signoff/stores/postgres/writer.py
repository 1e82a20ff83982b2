"""What writes: connections side by side, each with a group of Changes at a time.

A group is one call of `commit_v1`, made on what is remembered. Where the server finds something else, and for Changes
that are rare, `locked.py` does it in a transaction of several statements. Calls about the same subject never overlap.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final, TypeVar

import asyncpg

from signoff.errors import BadRequest, OutcomeUnknown, SignoffError, StoreUnavailable
from signoff.stores.change import (
    Change,
    Committed,
    FamilyWrite,
    Name,
    Outcome,
    Rejected,
    RowsWrite,
    StreamDelete,
    SubjectDelete,
    SubjectWrite,
    new_mark,
)
from signoff.stores.check import check
from signoff.stores.postgres.connections import Connection, Connector, close
from signoff.stores.postgres.gather import WriteRow, arrays, stream_row, subject_row
from signoff.stores.postgres.known import Known, KnownStream, KnownSubject
from signoff.stores.postgres.locked import Locked, MovedMeanwhileError
from signoff.stores.postgres.statements import Statements
from signoff.stores.postgres.trouble import is_collision, is_lost, is_unkept, unavailable
from signoff.streams.stream import Write

T = TypeVar("T")

GROUP: Final = 64
"""Changes in one transaction at most: with more, locks are held longer for nothing."""

_BLOCK: Final = 64
_TRIES: Final = 20
_UNKNOWN: Final = "Whether the last write was kept is not known yet."

_Result = list[Outcome | Rejected]
_Key = Name | str


@dataclass(slots=True, eq=False)
class _Job:
    """Changes with who waits for them."""

    changes: Sequence[Change]
    keys: frozenset[_Key]
    reply: asyncio.Future[_Result]


@dataclass(slots=True, eq=False)
class _Lane:
    """A connection that writes, with the session it is known by to the server."""

    connection: Connection
    session: int
    numbers: list[int] = field(default_factory=list)

    def number(self) -> Iterator[int]:
        """Yield numbers for new streams."""
        while self.numbers:
            yield self.numbers.pop()


class Writer:
    """The writing connections of a store.

    Args:
        connector: makes connections.
        known: what is remembered.
        sql: the statements of `write.sql`.
        commit: the text that calls `commit_v1`.
    """

    def __init__(self, connector: Connector, known: Known, sql: Statements, commit: str) -> None:
        self._connector = connector
        self._known = known
        self._sql = sql
        self._commit = commit
        self._jobs: list[_Job] = []
        self._busy: set[_Key] = set()
        self._idle: list[_Lane] = []
        self._room = connector.address.lanes
        self._tasks: set[asyncio.Task[None]] = set()
        self.lost: set[int] = set()
        """Sessions that have lost their connection in the middle of a commit, and are not fenced yet."""

    def submit(self, changes: Sequence[Change]) -> asyncio.Future[_Result]:
        """Hand in Changes; the future ends when they are durable, or refused."""
        reply: asyncio.Future[_Result] = asyncio.get_running_loop().create_future()
        self._jobs.append(_Job(changes, frozenset(key for change in changes for key in _keys(change)), reply))
        self._start()
        return reply

    async def close(self) -> None:
        """Write what was handed in, and close the connections."""
        while self._tasks:
            await asyncio.wait(self._tasks)
        idle, self._idle = self._idle, []
        for lane in idle:
            await close(lane.connection)

    def _start(self) -> None:
        """Begin what can begin: in the order of handing in, and nothing beside what it shares a subject with."""
        blocked = self._busy
        while self._jobs and self._room:
            taken: list[_Job] = []
            left: list[_Job] = []
            size = 0
            ahead: set[_Key] = set()
            for job in self._jobs:
                fits = not taken or size + len(job.changes) <= GROUP
                if fits and blocked.isdisjoint(job.keys) and ahead.isdisjoint(job.keys):
                    taken.append(job)
                    size += len(job.changes)
                else:
                    left.append(job)
                    ahead |= job.keys
            if not taken:
                return
            self._jobs = left
            self._room -= 1
            for job in taken:
                blocked |= job.keys
            task = asyncio.get_running_loop().create_task(self._serve(taken))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _serve(self, jobs: list[_Job]) -> None:
        changes = [change for job in jobs for change in job.changes]
        result: _Result | Exception
        try:
            result = await self._write(changes)
        except Exception as error:
            result = error
        except asyncio.CancelledError:
            result = StoreUnavailable("The store was stopped; whether the last write was kept is not known.")
        finally:
            self._room += 1
            for job in jobs:
                self._busy -= job.keys
        at = 0
        for job in jobs:
            end = at + len(job.changes)
            if not job.reply.done():
                if isinstance(result, Exception):
                    job.reply.set_exception(result)
                else:
                    job.reply.set_result(result[at:end])
            at = end
        self._start()

    # -- a group ---------------------------------------------------------------------------------------------------

    async def _write(self, changes: list[Change]) -> _Result:
        if not changes:
            return []
        lane = await self._lane()
        try:
            return await self._write_on(lane, changes)
        except (asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError, OSError) as error:
            raise self._failed(lane, error) from error
        finally:
            if not lane.connection.is_closed():
                self._idle.append(lane)

    async def _lane(self) -> _Lane:
        while self._idle:
            lane = self._idle.pop()
            if not lane.connection.is_closed():
                return lane
        return _Lane(await self._connector.connect(), new_mark())

    def _failed(self, lane: _Lane, error: Exception) -> StoreUnavailable:
        """Say what is known after a failure: a connection that is gone may have left a commit behind."""
        address = self._connector.address
        if not is_lost(error):
            return unavailable(address, error)
        lane.connection.terminate()
        self.lost.add(lane.session)
        unknown = unavailable(address, error, _UNKNOWN)
        return OutcomeUnknown(str(unknown), public_detail=unknown.public_detail)

    async def _write_on(self, lane: _Lane, changes: list[Change]) -> _Result:
        await self._supply(lane, changes)
        outcomes: list[Outcome | Rejected | None] = [None] * len(changes)
        try:
            rows, rest = self._gather(lane, changes)
            if rows:
                rest += await self._call(lane, rows, outcomes)
            if rest:
                rest.sort()
                await self._write_locked(lane, changes, rest, outcomes)
        except Exception as error:
            if is_lost(error) or is_collision(error) or not is_unkept(error):
                raise
            await self._write_apart(lane, changes, outcomes)
        return [one for one in outcomes if one is not None]

    async def _supply(self, lane: _Lane, changes: Sequence[Change]) -> None:
        """Have numbers for as many new streams as these may make."""
        need = sum(
            len(write.appends) if isinstance(write := change.write, SubjectWrite) else _streams_of(write)
            for change in changes
        )
        if len(lane.numbers) < need:
            blocks = await lane.connection.fetch(self._sql["numbers"], need // _BLOCK + 1)
            lane.numbers = [number for (first,) in blocks for number in range(first + _BLOCK - 1, first - 1, -1)]

    def _gather(self, lane: _Lane, changes: list[Change]) -> tuple[list[WriteRow], list[int]]:
        """Make rows of Changes that can go together; return them, and the places of those that cannot."""
        rows: list[WriteRow] = []
        rest: list[int] = []
        apart: set[_Key] = set()
        subjects: dict[Name, KnownSubject] = {}
        streams: dict[str, KnownStream] = {}
        all_apart = False
        for place, change in enumerate(changes):
            write = change.write
            row: WriteRow | None = None
            if all_apart:
                pass
            elif isinstance(write, SubjectWrite):
                name = write.subject.name
                if name not in apart:
                    before = subjects.get(name) or self._known.subjects.get(name)
                    row = self._subject_row(place, change, before, lane)
                    if row is None:
                        apart.add(name)
                    else:
                        subjects[name] = row.known  # type: ignore[assignment]
            elif isinstance(write, FamilyWrite) and len(write.streams) == 1 and isinstance(write.streams[0], Write):
                one = write.streams[0]
                path = one.head.path
                stream = streams.get(path) or self._known.streams.get(path)
                if path in apart or stream is None or stream.version != one.expect or not one.data:
                    apart.add(path)
                elif not stream.has(one.head.properties):
                    apart.add(path)
                else:
                    row = stream_row(place, change, one, stream)
                    streams[path] = row.known  # type: ignore[assignment]
            else:
                all_apart = True
            if row is None:
                rest.append(place)
            else:
                rows.append(row)
        rows.sort(key=lambda row: row.order)
        return rows, rest

    def _subject_row(self, place: int, change: Change, before: KnownSubject | None, lane: _Lane) -> WriteRow | None:
        write = change.write
        assert isinstance(write, SubjectWrite)
        if before is None:
            if write.expect or write.epoch is not None:
                return None
        elif before.version != write.expect or not before.id:
            return None
        closed = {path: shut for _, path, _, shut in before.own} if before else {}
        for append in write.appends:
            if closed.get(append.path):
                return None
            closed[append.path] = append.close
        return subject_row(place, change, before, lane.number())

    async def _call(self, lane: _Lane, rows: list[WriteRow], outcomes: list[Outcome | Rejected | None]) -> list[int]:
        """Write rows in one call; return the places of Changes of which something else was there than remembered."""
        values = arrays(lane.session, rows)
        try:
            [written] = await self._repeat(lambda: lane.connection.fetch(self._commit, *values))
        except asyncpg.UniqueViolationError:
            # A new stream is where another is.
            return [row.change for row in rows]
        stale = frozenset(written["stale"])
        ids = written["ids"]
        known = self._known
        known.writes += 1
        for number, row in enumerate(rows, 1):
            entry = row.known
            if isinstance(entry, KnownSubject):
                name = Name(*row.values[1:3])
                if number in stale:
                    known.subjects.pop(name, None)
                    continue
                entry.id, entry.written = ids[number - 1], known.writes
                known.put_subject(name, entry)
            else:
                path = entry.properties.path
                if number in stale:
                    known.streams.pop(path, None)
                    continue
                entry.written = known.writes
                known.put_stream(path, entry)
            outcomes[row.change] = Committed(row.outcome)
        return [row.change for number, row in enumerate(rows, 1) if number in stale]

    async def _write_locked(
        self, lane: _Lane, changes: list[Change], places: list[int], outcomes: list[Outcome | Rejected | None]
    ) -> None:
        chosen = [changes[place] for place in places]
        self._forget(chosen)

        async def transact() -> list[Outcome]:
            await self._supply(lane, chosen)
            locked = Locked(lane.connection, self._sql, self._commit, lane.session, lane.number())
            async with lane.connection.transaction():
                return await locked.run(chosen)

        written = await self._repeat(transact)
        self._known.writes += 1
        self._forget(chosen)
        for place, change, outcome in zip(places, chosen, written, strict=True):
            outcomes[place] = outcome if isinstance(outcome, Committed) else _refused(change, outcome)

    async def _repeat(self, transact: Callable[[], Awaitable[T]]) -> T:
        """Do a transaction again that was undone because somebody else was at the same."""
        for tried in range(_TRIES):
            try:
                return await transact()
            except (MovedMeanwhileError, asyncpg.PostgresError) as error:
                if not isinstance(error, MovedMeanwhileError) and not is_collision(error):
                    raise
                await asyncio.sleep(0.001 * tried)
        raise StoreUnavailable(
            f"{self._connector.address.shown} is too busy: a write was undone {_TRIES} times because others wrote "
            "the same. Nothing was written. Try again in a while, with the same ids."
        )

    def _forget(self, changes: Sequence[Change]) -> None:
        for change in changes:
            for key in _keys(change):
                if isinstance(key, Name):
                    self._known.subjects.pop(key, None)
                else:
                    self._known.streams.pop(key, None)

    async def _write_apart(self, lane: _Lane, changes: list[Change], outcomes: list[Outcome | Rejected | None]) -> None:
        """Write those that have no outcome yet each for itself: one of them holds what cannot be kept."""
        for place, change in enumerate(changes):
            if outcomes[place] is not None:
                continue
            try:
                check(change)
                await self._write_locked(lane, changes, [place], outcomes)
            except SignoffError as error:
                outcomes[place] = Rejected(error)
            except Exception as error:
                if is_lost(error) or is_collision(error) or not is_unkept(error):
                    raise
                outcomes[place] = Rejected(_cannot_keep(error))


def _streams_of(write: FamilyWrite | SubjectDelete | RowsWrite) -> int:
    return len(write.streams) if isinstance(write, FamilyWrite) else 0


def _cannot_keep(error: Exception) -> BadRequest:
    return BadRequest(f"The store cannot keep this: {' '.join(str(error).split()).rstrip('.')}. Nothing was written.")


def _refused(change: Change, conflict: Outcome) -> Outcome | Rejected:
    """Tell of a Change that was not written whether it could have been at all."""
    try:
        check(change)
    except SignoffError as error:
        return Rejected(error)
    return conflict


def _keys(change: Change) -> list[_Key]:
    """Return what two Changes may not share if they are to go side by side."""
    match change.write:
        case SubjectWrite(subject=subject):
            return [subject.name]
        case SubjectDelete(name):
            return [name]
        case FamilyWrite(streams):
            return [one.path if isinstance(one, StreamDelete) else one.head.path for one in streams]
        case RowsWrite(path):
            return [path]
