"""What writes: connections side by side, each with a group of Changes at a time.

A group is one call of `commit_v1`, made on what is remembered. Where the server finds something else, and for Changes
that are rare, `locked.py` does it in a transaction of several statements. Calls about the same subject never overlap.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice, takewhile
from typing import Final, TypeVar

import asyncpg

from signoff.errors import OutcomeUnknown, SignoffError, StoreUnavailable
from signoff.stores.change import Change, Committed, FamilyWrite, Name, Outcome, Rejected, SubjectWrite, new_mark
from signoff.stores.check import check
from signoff.stores.postgres.connections import Connector, ServerConnection, close
from signoff.stores.postgres.context import WriteContext
from signoff.stores.postgres.gather import (
    WriteRow,
    arrays,
    creations,
    is_plain,
    step,
    steps,
    stream_row,
    streams_of,
    subject_row,
)
from signoff.stores.postgres.known import KnownStream, KnownSubject, SubjectKey, fits, forget, keys
from signoff.stores.postgres.locked import Locked, MovedMeanwhileError, created
from signoff.stores.postgres.look import conflicts
from signoff.stores.postgres.trouble import (
    CAUGHT,
    cannot_keep,
    is_collision,
    is_lost,
    is_read_only,
    is_unkept,
    unavailable,
)
from signoff.streams.stream import Write

T = TypeVar("T")

GROUP: Final = 64
"""Changes in one transaction at most: with more, locks are held longer for nothing."""

BLOCK: Final = 64
"""Numbers of new streams that the server gives at a time."""

_TRIES: Final = 20
UNKNOWN: Final = "Whether the last write was kept is not known yet."

_Result = list[Outcome | Rejected]


@dataclass(slots=True, eq=False)
class _Job:
    """Changes with who waits for them."""

    changes: Sequence[Change]
    keys: frozenset[SubjectKey]
    reply: asyncio.Future[_Result]


@dataclass(slots=True, eq=False)
class _Lane:
    """A connection that writes, with the session it is known by to the server."""

    connection: ServerConnection
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
        context: of the store.
    """

    def __init__(self, connector: Connector, context: WriteContext) -> None:
        self._connector = connector
        self._context = context
        self._known = context.known
        self._jobs: list[_Job] = []
        self._busy: set[SubjectKey] = set()
        self._idle: list[_Lane] = []
        self._room = connector.address.lanes
        self._tasks: set[asyncio.Task[None]] = set()

    def submit(self, changes: Sequence[Change]) -> asyncio.Future[_Result]:
        """Hand in Changes; the future ends when they are durable, or refused."""
        reply: asyncio.Future[_Result] = asyncio.get_running_loop().create_future()
        self._jobs.append(_Job(changes, frozenset(key for change in changes for key in keys(change)), reply))
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
            ahead: set[SubjectKey] = set()
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
        except CAUGHT as error:
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
            if is_read_only(error):
                lane.connection.terminate()
            return unavailable(address, error)
        lane.connection.terminate()
        self._context.lost.add(lane.session)
        unknown = unavailable(address, error, UNKNOWN)
        return OutcomeUnknown(str(unknown), public_detail=unknown.public_detail)

    async def _write_on(self, lane: _Lane, changes: list[Change]) -> _Result:
        await self._supply(lane, changes)
        outcomes: list[Outcome | Rejected | None] = [None] * len(changes)
        try:
            rows, rest = self._gather(lane, changes)
            if rows:
                rest += await self._call(lane, rows, outcomes)
            if rest:
                rest = await self._create(lane, changes, sorted(rest), outcomes)
            if rest:
                rest = await self._refuse(lane, changes, sorted(rest), outcomes)
            if rest:
                await self._write_locked(lane, changes, rest, outcomes)
        except Exception as error:
            if is_lost(error) or is_collision(error) or not is_unkept(error):
                raise
            await self._write_apart(lane, changes, outcomes)
        return [one for one in outcomes if one is not None]

    async def _supply(self, lane: _Lane, changes: Sequence[Change]) -> None:
        """Have numbers for as many new streams as these may make."""
        need = sum(map(streams_of, changes))
        if len(lane.numbers) < need:
            blocks = await lane.connection.fetch(self._context.sql["numbers"], need // BLOCK + 1)
            lane.numbers = [number for (first,) in blocks for number in range(first + BLOCK - 1, first - 1, -1)]

    def _gather(self, lane: _Lane, changes: list[Change]) -> tuple[list[WriteRow], list[int]]:
        """Make rows of Changes that can go together; return them, and the places of those that cannot."""
        rows: list[WriteRow] = []
        rest: list[int] = []
        moved: dict[SubjectKey, KnownSubject | KnownStream] = {}
        apart: set[SubjectKey] = set()
        for place, change in enumerate(changes):
            [key, *others] = keys(change)
            row = None
            if others or not is_plain(change):
                rest += range(place, len(changes))  # what follows may be about the same
                break
            if key not in apart:
                row = self._row(place, change, moved.get(key), lane)
            if row is None:
                apart.add(key)
                rest.append(place)
            else:
                moved[key] = row.known
                rows.append(row)
        rows.sort(key=lambda row: row.order)
        return rows, rest

    def _row(
        self, place: int, change: Change, moved: KnownSubject | KnownStream | None, lane: _Lane
    ) -> WriteRow | None:
        """Make a row of a Change, if what it was decided on is what is remembered, or what those before it leave."""
        write = change.write
        if isinstance(write, SubjectWrite):
            before = moved or self._known.subjects.get(write.subject.name)
            assert before is None or isinstance(before, KnownSubject)
            return subject_row(place, change, before, lane.number()) if fits(write, before) else None
        assert isinstance(write, FamilyWrite)
        [one] = write.streams
        assert isinstance(one, Write)
        stream = moved or self._known.streams.get(one.head.path)
        if not isinstance(stream, KnownStream) or stream.version != one.expect or not one.data:
            return None
        return stream_row(place, change, one, stream) if stream.has(one.head.properties) else None

    async def _call(self, lane: _Lane, rows: list[WriteRow], outcomes: list[Outcome | Rejected | None]) -> list[int]:
        """Write rows in one call; return the places of Changes of which something else was there than remembered."""
        connection, context = lane.connection, self._context
        if len(rows) == 1 and (one := step(lane.session, rows[0])):
            [(done,)] = await self._repeat(lambda: connection.fetch(context.step, *one))
            stale, ids = frozenset(() if done else (1,)), [one[1]]
        elif len(rows) > 1 and (several := steps(lane.session, rows)):
            [(found,)] = await self._repeat(lambda: connection.fetch(context.steps, *several))
            stale, ids = frozenset(found), several[1]
        else:
            values = arrays(lane.session, rows)
            try:
                [written] = await self._repeat(lambda: connection.fetch(context.call, *values))
            except asyncpg.UniqueViolationError:
                # A new stream is where another is.
                return [row.change for row in rows]
            stale, ids = frozenset(written["stale"]), written["ids"]
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

    async def _create(
        self, lane: _Lane, changes: list[Change], places: list[int], outcomes: list[Outcome | Rejected | None]
    ) -> list[int]:
        """Make new streams, all in one call; return the places of other Changes, and of those whose stream is there."""
        order = creations(changes, places)
        if not order:
            return places
        numbers = list(islice(lane.number(), len(order)))
        streams = [(number, changes[place].mark, one) for number, (place, one) in zip(numbers, order, strict=True)]
        values = created(lane.session, streams)
        rows = await self._repeat(lambda: lane.connection.fetch(self._context.sql["create"], *values))
        made = {row[0] for row in rows}
        known = self._known
        known.writes += 1
        for number, (place, one) in zip(numbers, order, strict=True):
            if number in made:
                outcomes[place] = Committed({})
                head = one.head
                known.put_stream(head.path, KnownStream(number, head.version, head.properties, known.writes))
        return [place for place in places if outcomes[place] is None]

    async def _refuse(
        self, lane: _Lane, changes: list[Change], places: list[int], outcomes: list[Outcome | Rejected | None]
    ) -> list[int]:
        """Refuse Changes that surely conflict; return the places of the others."""
        left: list[int] = []
        plain = list(takewhile(lambda place: is_plain(changes[place]), places))
        found = await conflicts(lane.connection, self._context, [changes[place] for place in plain]) if plain else []
        for place, conflict in zip(plain, found, strict=True):
            if conflict is None:
                left.append(place)
            else:
                outcomes[place] = _refused(changes[place], conflict)
        forget(self._known, [changes[place] for place in plain])
        return left + places[len(plain) :]

    async def _write_locked(
        self, lane: _Lane, changes: list[Change], places: list[int], outcomes: list[Outcome | Rejected | None]
    ) -> None:
        chosen = [changes[place] for place in places]
        forget(self._known, chosen)

        async def transact() -> tuple[list[Outcome], Locked]:
            await self._supply(lane, chosen)
            locked = Locked(lane.connection, self._context, lane.session, lane.number())
            async with lane.connection.transaction():
                return await locked.run(chosen), locked

        written, locked = await self._repeat(transact)
        self._known.writes += 1
        forget(self._known, chosen)
        for stream in locked.streams():
            stream.written = self._known.writes
            self._known.put_stream(stream.properties.path, stream)
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
                outcomes[place] = Rejected(cannot_keep(error))


def _refused(change: Change, conflict: Outcome) -> Outcome | Rejected:
    """Tell of a Change that was not written whether it could have been at all."""
    try:
        check(change)
    except SignoffError as error:
        return Rejected(error)
    return conflict
