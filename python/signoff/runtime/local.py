"""The port of a worker in the engine's own process: the only module of the runtime that knows the services.

It folds what a worker appends into rows and indexes. For that it keeps a view of the runs it has read, moved on by what
is read and appended. The views are a cache: one that is missing, or was moved on by what then was not written, is
rebuilt from the journal.
"""

from __future__ import annotations

import asyncio
import logging
from collections import OrderedDict
from collections.abc import AsyncIterator, Callable, Collection, Coroutine, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from functools import partial

from signoff.errors import BadRequest, JournalTooLong, NonDeterminism, SignoffError, StoreError, WorkflowError
from signoff.paths import journal_path
from signoff.runtime.parting import is_news, parting_entries
from signoff.runtime.port import (
    Appended,
    AppendOutcome,
    ClaimedRun,
    JournalAppend,
    JournalPart,
    JournalReply,
    Listening,
    LostLease,
    LostRace,
    NotTaken,
    OutputAppend,
    Parking,
    RunLease,
    RunPort,
    StepTransaction,
)
from signoff.runtime.run_copy import RunCopy
from signoff.runtime.transactions import LocalStepTransaction
from signoff.service.act import read_journal, whole_view
from signoff.service.engine import Engine
from signoff.service.kinds import has_outputs, ledger_part, run_name
from signoff.service.recent import RecentAppends
from signoff.service.run_change import RunChange, RunSnapshot, tails
from signoff.stores.base import SqlTransaction
from signoff.stores.bus import READY
from signoff.stores.change import Committed, Outcome, Subject
from signoff.workflow import journal
from signoff.workflow.approval.remember import Grant
from signoff.workflow.entry import Entry
from signoff.workflow.failure import error_of
from signoff.workflow.input.decide import SCOPE, kept_of
from signoff.workflow.run.cut import holds_cut
from signoff.workflow.run.entries import RunFailed
from signoff.workflow.run.status import ENDED
from signoff.workflow.run.undo import retried_on, retried_otherwise
from signoff.workflow.step.entries import StepCompleted
from signoff.workflow.step.output import OutputSession
from signoff.workflow.validation.decide import barred_by, judged_by
from signoff.workflow.validation.entries import InputReturned
from signoff.workflow.view import RunFold, View

log = logging.getLogger("signoff.runtime")

KEPT = 512
"""How many views are kept, unless said otherwise."""


Backing = Engine | RunPort
"""What a worker may be put over."""


def run_port(over: Backing, keep: int = KEPT) -> RunPort:
    """Return the port of a worker over an engine of this process; a port is returned as it is."""
    return LocalRunPort(over, keep) if isinstance(over, Engine) else over


class LocalRunPort:
    """The port over an engine of this process (`RunPort` says what each method does).

    Args:
        engine: the opened services.
        keep: how many views to keep; with fewer than its worker drives and caches, more is read again.
    """

    def __init__(self, engine: Engine, keep: int = KEPT) -> None:
        self.clock = engine.clock
        self._engine = engine
        self._store = engine.store
        self._committer = engine.committer
        self._recent = RecentAppends()
        self._committer.listen(self._recent.committed)
        self._keep = keep
        self._copies: OrderedDict[str, RunCopy] = OrderedDict()
        self._tasks: set[asyncio.Task[None]] = set()
        self._appending = 0

    # -- work ------------------------------------------------------------------------------------------------------

    async def claim(self, owner: str, workflows: Collection[str], *, lease_ms: int, limit: int) -> Sequence[ClaimedRun]:
        """Lease runs."""
        now = self.clock.now_ms()
        records = await self._store.claim(owner, workflows, now=now, lease_ms=lease_ms, limit=limit)
        return [self._claimed(record) for record in records]

    def _claimed(self, record: Subject) -> ClaimedRun:
        assert record.queue is not None, "it was claimed from the queue of its workflow"
        run_id = record.name.id
        copy = self._copies.get(run_id)
        if copy is None or copy.writing or not copy.continues(record):
            copy = RunCopy(record)
        copy.subject, copy.as_claimed = record, True
        self._put(copy)
        return ClaimedRun(RunLease(run_id, record.epoch), record.queue, record.sort, record.lost)

    async def next_due(self, workflows: Collection[str]) -> int | None:
        """Return when there is something to claim."""
        return await self._store.next_due(workflows)

    def listen(self, hear: Callable[[], None]) -> Listening:
        """Hear of work and news."""
        return self._store.bus().subscribe(READY, hear)

    async def grown(self, positions: Mapping[str, int]) -> Collection[str]:
        """Return the runs whose journals have grown."""
        paths = {journal_path(run_id): run_id for run_id in positions}
        found = await self._store.find_streams(list(paths))
        return [paths[path] for path, stream in found.items() if stream.tail > positions[paths[path]]]

    async def try_other_code(self, workflow: str, fingerprint: str) -> int:
        """Hand runs that are stuck to other code."""
        return await self._engine.runs.try_other_code(workflow, fingerprint)

    # -- one run ---------------------------------------------------------------------------------------------------

    async def load(self, lease: RunLease, since: int) -> JournalPart | None:
        """Return what the journal has from a position on."""
        copy = await self._look(lease)
        if copy is None:
            return None
        start, entries = await self._catch_up(copy, since)
        fold = copy.view.run
        if fold is None:
            return JournalPart(entries[since - start :])
        blocked = fold.row["status"] == "blocked"
        return JournalPart(entries[since - start :], blocked, tuple(fold.stuck), fold.paused)

    async def _catch_up(self, copy: RunCopy, since: int) -> tuple[int, list[Entry]]:
        """Fold what the journal has beyond the view; return that, from `since` on if that is less, and the position."""
        start, entries = await self._read(copy, since)
        if copy.position and holds_cut(entries[copy.position - start :]):
            copy.begin_anew()
            start, entries = await self._read(copy, 0)
        try:
            copy.follow(entries[copy.position - start :])  # it may have been moved on meanwhile
        except Exception as error:
            self._forget(copy)
            raise error if isinstance(error, WorkflowError) else WorkflowError(f"{error!r}") from error
        return start, entries

    async def _read(self, copy: RunCopy, since: int) -> tuple[int, list[Entry]]:
        """Return what the journal has beyond `since` or beyond the view, whichever is less, and the position."""
        start, tail = min(since, copy.position), copy.journal_tail
        if start >= tail:
            return start, []
        batch = self._recent.take(copy.subject, start)
        if batch is not None:
            return start, journal.loads(batch.data)[start - batch.start :]
        entries, _ = await read_journal(self._store, copy.subject.name.id, start)
        return start, entries[: tail - start]

    async def _look(self, lease: RunLease) -> RunCopy | None:
        """Return the copy of a run with its record of now; None: the lease is lost."""
        copy = self._copies.get(lease.run_id)
        if copy is not None and copy.as_claimed and copy.subject.epoch == lease.epoch:
            copy.as_claimed = False
            return copy
        loaded = await self._store.load(run_name(lease.run_id))
        if loaded is None or loaded.subject.lease_owner is None or loaded.subject.epoch != lease.epoch:
            return None
        copy = self._copies.get(lease.run_id)
        if copy is None or copy.writing or not copy.continues(loaded.subject):
            copy = RunCopy(loaded.subject)
        copy.subject = loaded.subject
        self._put(copy)
        return copy

    def append(self, request: JournalAppend, reply: JournalReply) -> None:
        """Add to a journal."""
        copy = self._copies.get(request.lease.run_id)
        if (
            copy is None
            or copy.writing
            or copy.position != request.at
            or copy.subject.epoch != request.lease.epoch
            or copy.view.run is None
        ):
            self._begin(self._append_anew(request, reply))
        elif _fails_again(copy, request):
            self._begin(self._append_end(copy, request, reply))
        else:
            self._write(copy, request, reply)

    def _begin(self, append: Coroutine[None, None, None]) -> None:
        task = asyncio.get_running_loop().create_task(append)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        let_go = self.clock.hold()  # until it is handed to the committer, which holds it from then on
        task.add_done_callback(lambda _: let_go())

    async def _append_anew(self, request: JournalAppend, reply: JournalReply) -> None:
        """Append without having the view that it was decided on."""
        try:
            part = await self.load(request.lease, request.at)
        except Exception as error:
            reply(error)
            return
        copy = self._copies.get(request.lease.run_id)
        if part is None:
            reply(LostLease())
        elif copy is None or copy.writing or copy.position != request.at:
            reply(LostRace())
        elif _fails_again(copy, request):
            await self._append_end(copy, request, reply)
        else:
            self._write(copy, request, reply)

    async def _append_end(self, copy: RunCopy, request: JournalAppend, reply: JournalReply) -> None:
        """Append that a retried run fails, or rather what it goes on by if that had failed before the retry."""
        copy.writing = True
        cut = view = None
        try:
            view = await whole_view(self._store, copy.subject)
        except JournalTooLong:  # it has grown since, and nobody could retry it by hand either
            pass
        except Exception as error:
            self._forget(copy)
            reply(error)
            return
        if view is not None and view.past is not None:
            cut = retried_on([*view.past.entries, *request.entries])
        if view is not None and cut is not None:
            copy.view = view
            request = request._replace(entries=(*request.entries[:-1], cut), ready=True)
        self._write(copy, request, reply)

    def _write(
        self, copy: RunCopy, request: JournalAppend, reply: JournalReply, through: SqlTransaction | None = None
    ) -> None:
        try:
            verdicts = judged_by(request.entries, copy.view) if copy.view.inputs else ()
            write = RunChange(
                RunSnapshot(copy.subject, copy.view),
                request.entries,
                ready=request.ready,
                wake_at=request.wake_at,
                epoch=request.lease.epoch,
                release=request.release,
            )
            if verdicts:
                if barred := barred_by(verdicts, copy.view):
                    self._forget(copy)  # it is ahead of what is written
                    self._begin(self._give_back(request, barred, reply))
                    return
                for kept in kept_of(verdicts, copy.view, tails(write.after)[1]):
                    write.remember(ledger_part(SCOPE, *kept))
        except Exception as error:
            self._forget(copy)
            asyncio.get_running_loop().call_soon(reply, NotTaken(error_of(error)))
            return
        copy.writing = True
        self._appending += 1
        written = partial(self._written, copy, request, write, reply)
        if through is None:
            self._committer.hand_in(write.change, written)
        else:
            self._committer.hand_in_through(through, write.change, written)

    async def _give_back(self, request: JournalAppend, barred: Sequence[InputReturned], reply: JournalReply) -> None:
        """Write, in place of verdicts, that who sent those answers may not decide any more; the worker goes on anew."""

        def told(outcome: AppendOutcome | Exception) -> None:
            reply(LostRace() if isinstance(outcome, Appended) else outcome)

        anew = request._replace(entries=tuple(barred), ready=True, release=False)
        await self._append_anew(anew, told)

    def _written(
        self, copy: RunCopy, request: JournalAppend, write: RunChange, reply: JournalReply, outcome: Outcome | Exception
    ) -> None:
        copy.writing = False
        self._appending -= 1
        if isinstance(outcome, Committed):
            copy.subject, copy.as_claimed = write.after, False
            copy.position += len(request.entries)
            copy.public_tail += len(write.delta.public)
            if copy.view.past is not None or (copy.view.run is not None and copy.view.run.row["status"] in ENDED):
                self._forget(copy)
            # Alone it goes on at once, which spares a step a turn of the loop (6 us of 110). Among others it takes its
            # turn after all replies of the transaction: else those that end together do not hand in together, and
            # 50 runs of 20 steps make 225 transactions instead of 161.
            if self._appending:
                asyncio.get_running_loop().call_soon(reply, Appended(request.entries))
            else:
                reply(Appended(request.entries))
            return
        if request.entries:  # the view is ahead of what was written
            self._forget(copy)
        if isinstance(outcome, Exception) and _unknown(outcome):
            reply(outcome)
        else:
            reply(_outcome_of(outcome, request.entries))

    def _put(self, copy: RunCopy) -> None:
        run_id = copy.subject.name.id
        self._copies[run_id] = copy
        self._copies.move_to_end(run_id)
        if len(self._copies) > self._keep:
            self._copies.popitem(last=False)

    def _forget(self, copy: RunCopy) -> None:
        run_id = copy.subject.name.id
        if self._copies.get(run_id) is copy:
            del self._copies[run_id]

    async def find_grant(self, run_id: str, key: str) -> Grant | None:
        """Return a remembered approval."""
        return await self._engine.grants.find(run_id, key)

    # -- steps that are transactions -------------------------------------------------------------------------------

    @asynccontextmanager
    async def transaction(self, lease: RunLease) -> AsyncIterator[StepTransaction]:
        """Begin a transaction for a step."""
        async with self._store.transaction() as sql:
            yield LocalStepTransaction(sql, partial(self._complete, lease, sql))

    async def _complete(self, lease: RunLease, sql: SqlTransaction, result: StepCompleted) -> bool:
        """Append a step's end on top of what is committed, and commit all of it; False: nobody waits for it any more.

        The driver may be appending to the same run. It is not waited for, since it may wait for this transaction.
        """
        while True:
            copy = await self._look(lease)
            if copy is None:
                return False
            if copy.writing:
                copy = RunCopy(copy.subject)
            await self._catch_up(copy, copy.position)
            step = copy.view.steps.get(result.id)
            if copy.view.run is None or step is None or not is_news(step, result):
                return False
            entry = replace(result, at=max(result.at, copy.view.run.last_at))
            request = JournalAppend(lease, copy.position, (entry,), copy.subject.wake_at, ready=True)
            ended: asyncio.Future[AppendOutcome | Exception] = asyncio.get_running_loop().create_future()
            self._write(copy, request, ended.set_result, sql)
            match await ended:
                case LostRace():
                    continue
                case NotTaken(refused):
                    raise BadRequest(refused.message)
                case Exception() as error:
                    raise error
                case outcome:
                    return isinstance(outcome, Appended)

    # -- giving a run up -------------------------------------------------------------------------------------------

    async def park(self, lease: RunLease, how: Parking) -> AppendOutcome:
        """Give a run up, on top of what is committed."""
        self._copies.pop(lease.run_id, None)
        if how.blocked is not None and how.blocked.error.code == NonDeterminism.code:
            gone_on = await self._retry_otherwise(lease, how)
            if gone_on is not None:
                return gone_on
        if how.results:
            try:
                return await self._park(lease, how, await self._with_steps(lease.run_id))
            except (StoreError, AssertionError):
                raise
            except Exception:
                log.exception(
                    "run %s: the results of its last steps cannot be written; they will run again", lease.run_id
                )
                how = replace(how, results=())
        loaded = await self._store.load(run_name(lease.run_id))
        if loaded is None:
            return LostLease()
        view = View(run=RunFold.loads(loaded.subject.state))
        return await self._park(lease, how, RunSnapshot(loaded.subject, view))

    async def _retry_otherwise(self, lease: RunLease, how: Parking) -> AppendOutcome | None:
        """Have a run go on whose code does not agree with what a retry has kept of it; None: there is no such thing."""
        loaded = await self._store.load(run_name(lease.run_id))
        if loaded is None or not RunFold.loads(loaded.subject.state).retried_at:
            return None
        try:
            view = await whole_view(self._store, loaded.subject)
        except (JournalTooLong, WorkflowError):
            return None
        assert view.past is not None
        assert view.run is not None
        now = max(self.clock.now_ms(), view.run.last_at)
        cut = retried_otherwise(view.past.entries, now)
        if cut is None:
            return None
        entries = [*parting_entries(view, view.run, replace(how, blocked=None), now), cut]
        before = RunSnapshot(loaded.subject, view)
        write = RunChange(before, entries, ready=True, wake_at=None, epoch=lease.epoch, release=True)
        return _outcome_of(await self._committer.commit(write.change), entries)

    async def _with_steps(self, run_id: str) -> RunSnapshot | None:
        """Return the run with what its record does not have: the rows of its open steps."""
        loaded = await self._store.load(run_name(run_id))
        if loaded is None:
            return None
        return RunSnapshot(loaded.subject, await whole_view(self._store, loaded.subject, past=False, bounded=False))

    async def _park(self, lease: RunLease, how: Parking, before: RunSnapshot | None) -> AppendOutcome:
        if before is None:
            return LostLease()
        fold = before.view.run
        assert fold is not None, "a claimed run has begun"
        entries = parting_entries(before.view, fold, how, self.clock.now_ms())
        write = RunChange(
            before,
            entries,
            ready=how.begins and fold.cancel_requested,
            wake_at=how.until,
            epoch=lease.epoch,
            release=True,
        )
        return _outcome_of(await self._committer.commit(write.change), entries)

    # -- outputs ---------------------------------------------------------------------------------------------------

    async def begin_output(
        self, lease: RunLease, name: str, content_type: str, step: str, attempt: int, *, resumed: bool = False
    ) -> OutputSession | None:
        """Let an attempt write to an output."""
        outputs = self._engine.outputs
        while True:
            loaded = await self._store.load(run_name(lease.run_id))
            if loaded is None or loaded.subject.lease_owner is None or loaded.subject.epoch != lease.epoch:
                return None
            if has_outputs(loaded.subject):
                break
            after = await outputs.announce(loaded.subject, lease.epoch)
            copy = self._copies.get(lease.run_id)
            if after is not None and copy is not None and copy.subject.version == loaded.subject.version:
                copy.subject = after  # else the driver's next append would be a lost race
        return await outputs.begin(
            lease.run_id,
            name,
            content_type,
            producer=step,
            lease_epoch=lease.epoch,
            attempt=attempt,
            resumed=resumed,
        )

    async def append_output(self, append: OutputAppend) -> bool:
        """Append to an output."""
        return await self._engine.outputs.append(append.session, append.seq, append.body, close=append.close)

    async def read_output(self, session: OutputSession) -> bytes:
        """Return what an output holds."""
        return await self._engine.outputs.read(session.path)

    async def read_file(self, run_id: str, file: str) -> bytes:
        """Return the bytes of a file of a run."""
        return await self._engine.files.read(run_id, file)

    # -- leases ----------------------------------------------------------------------------------------------------

    async def renew(self, owner: str, leases: Collection[RunLease], lease_ms: int) -> Collection[RunLease]:
        """Extend leases."""
        held = {run_name(lease.run_id): lease.epoch for lease in leases}
        until = self.clock.now_ms() + lease_ms
        along = self._engine.workers.announcement(owner)
        lost = await self._store.renew(owner, held, until=until, along=along)
        return [RunLease(name.id, held[name]) for name in lost]

    async def release(self, owner: str, leases: Collection[RunLease]) -> None:
        """Give leases up."""
        await self._store.release(owner, {run_name(lease.run_id): lease.epoch for lease in leases})

    # -- who works -------------------------------------------------------------------------------------------------

    def announce(self, owner: str, workflows: Collection[str], lease_ms: int) -> None:
        """Announce which workflows this worker knows."""
        self._engine.workers.announce(owner, workflows, lease_ms)

    async def leave(self, owner: str) -> None:
        """Take the announcement back."""
        self._committer.forget(self._recent.committed)
        await self._engine.workers.leave(owner)


def _fails_again(copy: RunCopy, request: JournalAppend) -> bool:
    """Tell whether a run that was retried is to fail by what it has asked for."""
    run = copy.view.run
    if run is None or not run.retried_at or not request.entries:
        return False
    last = request.entries[-1]
    return isinstance(last, RunFailed) and bool(last.causes)


def _unknown(error: Exception) -> bool:
    """Tell whether an error leaves open what became of a Change; otherwise the store works, and will never take it."""
    return isinstance(error, StoreError) or not isinstance(error, SignoffError)


def _outcome_of(outcome: Outcome | Exception, entries: Sequence[Entry]) -> AppendOutcome:
    if isinstance(outcome, Committed):
        return Appended(entries)
    if isinstance(outcome, Exception):
        return NotTaken(error_of(outcome))
    return LostLease() if outcome.what == "epoch" else LostRace()
