"""The outputs of runs: streams below `runs/{run_id}/out/` that steps write to while they run.

They are no streams of the run's record, as its journal is: a token must not move the run. So they are written as those
of applications are, by idempotent producers: each step is one, and its epoch grows with the lease and the attempt, so
that who was overtaken is fenced by the stream itself.

The first output of a run has its record say that it has some (`kinds.OUTPUTS`); the commit that ends the run turns this
into what such runs are found by. Whoever commits that closes them at once. What a process leaves open that dies over
it, any other finds within seconds.
"""

from __future__ import annotations

import asyncio
import logging
import secrets
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Final, Protocol

from signoff.clock import Clock
from signoff.counts import counted
from signoff.errors import (
    ProducerFenced,
    RunNotFound,
    SignoffError,
    StoreError,
    StreamClosed,
    StreamConflict,
    StreamDeleted,
    StreamNotFound,
)
from signoff.outages import OutageLog
from signoff.paths import output_path
from signoff.service.commit import Durable, GroupCommitter
from signoff.service.kinds import (
    OUTPUTS_LEFT,
    has_outputs,
    outputs_done,
    outputs_left,
    run_name,
    with_outputs,
)
from signoff.service.output_lengths import MOST_BYTES, OutputLengths
from signoff.service.rounds import go_round
from signoff.service.streams.streams import StreamService
from signoff.stores.base import WorkflowStore
from signoff.stores.change import Conflict, Subject, SubjectWrite
from signoff.streams import json_mode, offset
from signoff.streams.stream import Append, Close, Create, Delete, Head, Payload, ProducerMark
from signoff.workflow.run.status import ENDED
from signoff.workflow.step.output import CONTENT_TYPES, OutputFormat, OutputSession, path_of
from signoff.workflow.view import RunFold

log = logging.getLogger(__name__)

ATTEMPT_BITS: Final = 20
"""Bits of a producer's epoch that count attempts, and begin anew with each lease."""

KEPT_BYTES: Final = 8 << 20
"""How much of a closed output goes on in the one that takes its place when a step runs again after its end."""

AFTER_MS: Final = 5_000
"""How long ago a run must have ended, in milliseconds, for others to look after its outputs."""

EVERY_S: Final = 4.0
"""Seconds between two such looks, a quarter more or less."""

_AT_ONCE: Final = 100


class Deleter(Protocol):
    """Whoever deletes runs."""

    def before_delete(self, clear: Callable[[str], Awaitable[None]]) -> None:
        """Have what is beside a run's record cleared before it goes."""
        ...


class Outputs:
    """The outputs of runs: made, written by steps, closed and deleted with their run.

    Args:
        store: where they are.
        streams: writes them.
        committer: writes the records of their runs.
        clock: tells how long ago a run has ended.
        most_bytes: how long one may become.
    """

    def __init__(
        self,
        store: WorkflowStore,
        streams: StreamService,
        committer: GroupCommitter,
        clock: Clock,
        most_bytes: int = MOST_BYTES,
    ) -> None:
        self._store = store
        self._streams = streams
        self._committer = committer
        self._clock = clock
        self._lengths = OutputLengths(streams, most_bytes)
        self._tasks: set[asyncio.Task[None]] = set()
        self._looks: asyncio.Task[None] | None = None

    async def create(self, run_id: str, name: str, format: OutputFormat = "json") -> str:  # noqa: A002
        """Make an output, so that it is there before anybody is told of it, and return its path.

        Args:
            run_id: of the run, which goes on.
            name: of the output; see `StepInfo.output`.
            format: of the output.

        Raises:
            RunNotFound: there is no such run.
            StreamClosed: the run has ended.
            StreamConflict: there is one of this name and another format.

        Example:
            >>> await engine.outputs.create("r1", "chat", "ui-message")
            'runs/r1/out/chat'
        """
        path = path_of(run_id, name)
        while not has_outputs(record := await self._going_on(run_id)):
            await self.announce(record)
        if await self._made(run_id, path, CONTENT_TYPES[format]) is None:
            raise _ended(run_id)
        return path

    async def _going_on(self, run_id: str) -> Subject:
        """Return the record of a run that goes on."""
        loaded = await self._store.load(run_name(run_id))
        if loaded is None:
            raise RunNotFound(f"There is no run {run_id!r}, so it has no output.")
        if _has_ended(loaded.subject):
            raise _ended(run_id)
        return loaded.subject

    async def announce(self, run: Subject, epoch: int | None = None) -> Subject | None:
        """Have a run's record say that the run has outputs, before the first is made.

        Args:
            run: the record as loaded.
            epoch: of the lease, if a worker asks.

        Returns:
            the record as it is then; None: it was another meanwhile, and nothing was written.
        """
        after, change = with_outputs(run, epoch)
        return None if isinstance(await self._committer.commit(change), Conflict) else after

    async def begin(
        self,
        run_id: str,
        name: str,
        content_type: str,
        *,
        producer: str,
        lease_epoch: int,
        attempt: int,
        resumed: bool = False,
    ) -> OutputSession | None:
        """Let an attempt of a step write, and make the output if there is none; whoever asks holds the lease.

        An output that is closed is made anew, with what it had, for a step that runs again after its end: that of a run
        that was retried or taken back, or whose worker died between the closing and the step's entry.

        Args:
            resumed: the attempt has begun already, and has met a closed stream; it goes on if the engine has closed it,
                because the run had failed.

        Returns:
            None: the run has ended, or what was to be resumed was closed by a step.

        Raises:
            ProducerFenced: a worker that has the lease since has written.
            StreamClosed: another step has closed it.
            StreamConflict: it is of another format.
        """
        path = path_of(run_id, name)
        head = await self._made(run_id, path, content_type)
        if head is None:
            return None
        state = await self._store.load_stream(path, producer)
        last = None if state is None else state.producer
        if last is not None and last.epoch >> ATTEMPT_BITS > lease_epoch:
            raise ProducerFenced(f"Another worker runs {producer} by now. Nothing was written.", epoch=last.epoch)
        epoch = (lease_epoch << ATTEMPT_BITS) + attempt
        if last is not None:
            epoch = max(epoch, last.epoch + 1)
        if head.closed:
            if resumed and head.closed_by is not None:
                return None
            if last is None and head.closed_by is not None:
                raise StreamClosed(
                    f"The output {name!r} was closed with the step {head.closed_by.producer_id}. Nothing was written. "
                    "Where several steps write to one output, each opens it with keep_open=True.",
                    offset=offset.encode(head.tail),
                )
            head = await self._reopen(head)
        self._lengths.begun(head)
        return OutputSession(path, producer, epoch, content_type, last is not None)

    async def append(self, session: OutputSession, seq: int, body: bytes, *, close: bool = False) -> bool:
        """Append messages (a JSON array) or text, durably; the same number again changes nothing.

        Args:
            session: what `begin` gave.
            seq: the number of the append in this session, from 0 on.
            body: empty only to close.
            close: the stream ends with it.

        Returns:
            False: the stream is closed, or gone; nothing was written.

        Raises:
            ProducerFenced: a later attempt writes.
            PayloadTooLarge: the output would be longer than outputs may be; nothing was written, and the number is
                that of the next append.
            BadRequest: the body is no JSON.
        """
        payload = json_mode.payload(session.content_type, body) if body else None
        mark = ProducerMark(session.producer, session.epoch, seq)
        try:
            if payload is not None:
                await self._lengths.check(session.path, len(payload.data))
            command = Close(mark) if payload is None else Append(payload, close, None, mark)
            written = await self._streams.write_output(session.path, command)
        except (StreamClosed, StreamNotFound, StreamDeleted):
            return False
        if payload is not None and written.new:
            self._lengths.grown(written.head, payload.units, len(payload.data))
        return True

    async def read(self, path: str, limit: int = KEPT_BYTES) -> bytes:
        """Return what an output holds from its beginning: raw bytes, or messages in an array; `limit` bytes at most."""
        parts: list[bytes] = []
        token, size = offset.START, 0
        while size < limit:
            chunk = await self._streams.read(path, token)
            if chunk.data:
                parts.append(chunk.data)
            size += len(chunk.data)
            if chunk.up_to_date:
                return json_mode.array(parts) if chunk.head.json else b"".join(parts)
            token = offset.encode(chunk.end)
        return b"[]" if chunk.head.json else b""

    async def of(self, run_id: str) -> list[dict[str, Any]]:
        """Return what outputs a run has by now: the name, content type and whether it is closed, by name."""
        begin = len(output_path(run_id))
        return [
            {"name": head.path[begin:], "content_type": head.content_type, "closed": head.closed}
            for head in await self._heads(run_id)
        ]

    async def close_all(self, run_id: str) -> None:
        """Close what is open of a run that has ended."""
        for path in await self._paths(run_id):
            try:
                await self._streams.write_output(path, Close())
            except (StreamNotFound, StreamDeleted):
                log.debug("%s went away before it was closed", path)

    async def delete_all(self, run_id: str) -> None:
        """Delete all of a run, which is about to be deleted."""
        for path in await self._paths(run_id):
            try:
                await self._streams.write_output(path, Delete())
            except (StreamNotFound, StreamDeleted):
                log.debug("%s was deleted by somebody else", path)

    # -- runs that end ---------------------------------------------------------------------------------------------

    def start(self, deleters: Sequence[Deleter]) -> None:
        """From now on, until `close`, have outputs end with their runs, also with those that others have ended.

        Args:
            deleters: whoever deletes runs, before which their outputs go.
        """
        self._committer.listen(self.committed)
        for one in deleters:
            one.before_delete(self.delete_all)
        outage = OutageLog(log, "cannot look for outputs that were left open")
        rounds = go_round(self._clock, lambda: EVERY_S, self._look, outage)
        self._looks = asyncio.get_running_loop().create_task(rounds, name="signoff-outputs")

    async def close(self) -> None:
        """Stop looking, and finish what is under way."""
        if self._looks is not None:
            self._looks.cancel()
            await asyncio.gather(self._looks, return_exceptions=True)
        if self._tasks:
            await asyncio.wait(self._tasks)

    def committed(self, durable: Sequence[Durable]) -> None:
        """Hear of what is durable: a run that ends closes its outputs."""
        for (write, _, _), _ in durable:
            if type(write) is SubjectWrite and write.subject.queue is None and OUTPUTS_LEFT in write.subject.terms:
                task = asyncio.get_running_loop().create_task(self._close_ended(write.subject.name.id))
                self._tasks.add(task)
                task.add_done_callback(self._tasks.discard)

    async def sweep(self) -> int:
        """Close the outputs of runs that ended a while ago; return of how many runs this process has done so.

        That it was done is written to the run's record, so that it is not found again. Several processes may do it at
        once: a stream is closed once, and one of them writes the record.
        """
        count, cursor = 0, None
        while True:
            page = await self._store.list_subjects(outputs_left(), limit=_AT_ONCE, cursor=cursor)
            before = self._clock.now_ms() - AFTER_MS
            for run in page.items:
                if run.updated_at <= before:
                    count += await self._look_after(run)
            cursor = page.cursor
            if cursor is None:
                return count

    async def _look_after(self, run: Subject) -> bool:
        """Close what a run that has ended has left open; tell whether this process is the one that has recorded it."""
        try:
            await self.close_all(run.name.id)
            return not isinstance(await self._committer.commit(outputs_done(run)), Conflict)
        except StoreError:
            raise
        except SignoffError as error:  # what is wrong with one run is no other's trouble
            log.warning("the outputs of run %s, which has ended, cannot be closed (%s)", run.name.id, error)
            return False

    async def _look(self) -> None:
        if count := await self.sweep():
            log.debug("looked after the outputs of %s that ended", counted(count, "run"))

    async def _close_ended(self, run_id: str) -> None:
        try:
            await self.close_all(run_id)
        except SignoffError as error:
            log.warning("the outputs of run %s, which has ended, are closed later (%s)", run_id, error)

    async def _heads(self, run_id: str) -> list[Head]:
        states = [await self._store.load_stream(path) for path in await self._paths(run_id)]
        return [state.head for state in states if state is not None and not state.head.deleted]

    async def _paths(self, run_id: str) -> list[str]:
        paths: list[str] = []
        prefix, after = output_path(run_id), ""
        while True:
            found = await self._store.list_streams(prefix, limit=_AT_ONCE, after=after)
            paths += [stream.path for stream in found]
            if len(found) < _AT_ONCE:
                return paths
            after = paths[-1]

    # -- making them -----------------------------------------------------------------------------------------------

    async def _made(self, run_id: str, path: str, content_type: str) -> Head | None:
        """Return the head of an output, made if there is none; None: the run has ended since it was asked for."""
        state = await self._store.load_stream(path)
        if state is not None and not state.head.deleted:
            if state.head.content_type != content_type:
                raise StreamConflict(f"{path} holds {state.head.content_type}, not {content_type}: it was left as is.")
            return state.head
        made = await self._create(path, Payload(content_type, b"", 0))
        # Whoever has frozen before this line meets a run that ended long ago, and which nobody looks after any more.
        loaded = await self._store.load(run_name(run_id))
        if loaded is not None and not _has_ended(loaded.subject):
            return made
        await self._streams.write_output(path, Delete())
        return None

    async def _create(self, path: str, payload: Payload) -> Head:
        command = Create(path, secrets.token_hex(8), payload, 1 + secrets.randbits(40))
        return (await self._streams.write_output(path, command)).head

    async def _reopen(self, head: Head) -> Head:
        payload = json_mode.payload(head.content_type, await self.read(head.path))
        await self._streams.write_output(head.path, Delete())
        return await self._create(head.path, payload)


def _has_ended(run: Subject) -> bool:
    return RunFold.loads(run.state).row["status"] in ENDED


def _ended(run_id: str) -> StreamClosed:
    return StreamClosed(f"The run {run_id} has ended: nothing can be written to a new output of it.")
