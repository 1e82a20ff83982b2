"""The port between a worker and the engine: what a worker needs of whoever keeps the runs, and nothing else.

A worker claims runs, reads their journals and appends entries. What entries look like from outside (rows, requests,
indexes) is the engine's business: a worker in another language, over HTTP, implements no projection. Everything that
crosses is one of the small frozen objects below. The laws of the port are `tests/runtime/test_port.py`.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import NamedTuple, Protocol

from signoff.clock import Clock
from signoff.frozen import frozen
from signoff.sql import Transaction
from signoff.workflow.approval.remember import Grant
from signoff.workflow.entry import Entry, Error
from signoff.workflow.step.entries import StepCompleted, StepFailed
from signoff.workflow.step.output import OutputSession

StepResult = StepCompleted | StepFailed


class RunLease(NamedTuple):
    """The right to advance a run. The epoch grows with every claim and fences whoever held the run before."""

    run_id: str
    epoch: int


@frozen
class ClaimedRun:
    """A run that was leased to us.

    Attributes:
        workflow: the name of its workflow.
        created_at: milliseconds; another one for a run that took the id of one that was deleted.
        lost: how many workers in a row have died or frozen with it, and wrote nothing.
    """

    lease: RunLease
    workflow: str
    created_at: int
    lost: int = 0


@frozen
class JournalPart:
    """What a run's journal has from a position on.

    Attributes:
        entries: in order, up to the tail.
        blocked: the run is blocked as of the tail.
        paused: it is paused as of the tail: attempts under way end, and nothing new is begun.
        stuck: fingerprints of the code that got stuck in it.
    """

    entries: Sequence[Entry]
    blocked: bool = False
    stuck: Sequence[str] = ()
    paused: bool = False


class JournalAppend(NamedTuple):
    """What a worker has to add to a run's journal, and what becomes of the run.

    Attributes:
        at: the number of entries this was decided on.
        entries: may be none, when the run is only given up.
        wake_at: milliseconds at which there is something to do; None: no time.
        ready: there is something to do at once.
        release: give the lease up with it.
    """

    lease: RunLease
    at: int
    entries: Sequence[Entry]
    wake_at: int | None = None
    ready: bool = False
    release: bool = False


@dataclass(frozen=True, slots=True)
class BlockReason:
    """Why a run cannot go on.

    Attributes:
        fingerprint: of the code that got stuck in it; None: it is no matter of the code alone.
    """

    error: Error
    fingerprint: str | None = None


@dataclass(frozen=True, slots=True)
class Parking:
    """How to leave a run that cannot go on now. It says nothing about the journal's position: the engine finds out.

    Attributes:
        until: when to look at it again, in milliseconds.
        blocked: why it is blocked; None: it just waits.
        results: of steps, which have happened and must not be lost. Those the journal has no use for are left out.
        begins: it waits for its beginning, and a cancellation does not.
    """

    until: int
    blocked: BlockReason | None = None
    results: Sequence[StepResult] = ()
    begins: bool = False


class Appended(NamedTuple):
    """The outcome of an append that is durable.

    Attributes:
        entries: what was added to the journal: what was handed in, but that a `run.retried` may stand in place of a
            `run.failed`. Then the run, which was retried, goes on.
    """

    entries: Sequence[Entry] = ()


@dataclass(frozen=True, slots=True)
class LostRace:
    """The outcome of an append that was decided on another journal than there is. Nothing was written: load again."""


@dataclass(frozen=True, slots=True)
class LostLease:
    """The outcome of an append by a worker whose lease is another's by now, or nobody's. Nothing was written."""


@dataclass(frozen=True, slots=True)
class NotTaken:
    """The outcome of an append that holds what can never be written. Nothing was written."""

    error: Error


AppendOutcome = Appended | LostRace | LostLease | NotTaken

JournalReply = Callable[[AppendOutcome | Exception], None]
"""Called with how an append ended; an exception leaves that unknown."""


class Listening(Protocol):
    """An interest in news, until it is closed."""

    def close(self) -> None:
        """Hear no more."""
        ...


class StepTransaction(Transaction, Protocol):
    """A transaction of the engine's database in which a step runs."""

    async def complete(self, result: StepCompleted) -> bool:
        """Commit what was executed together with the step's end.

        Returns:
            whether it was. False: nobody waits for the step any more, or the lease is lost; all of it will be undone.

        Raises:
            StoreError: the store was lost; what became of it, the journal says.
            Whatever the database refuses to commit with.
        """
        ...


@frozen
class OutputAppend:
    """What an attempt has to add to an output.

    Attributes:
        seq: from 0 on in each session; one that is sent again changes nothing.
        body: messages as a JSON array, or text; empty only to close.
        close: the output ends with it.
    """

    session: OutputSession
    seq: int
    body: bytes
    close: bool = False


class RunPort(Protocol):
    """What a worker needs of the engine.

    Attributes:
        clock: what times are reckoned by, and what waits on both sides.

    Raises (every method that is awaited):
        StoreError: the store cannot be reached. What became of an append is then unknown: load, and look.
    """

    clock: Clock

    # -- work ------------------------------------------------------------------------------------------------------

    async def claim(self, owner: str, workflows: Collection[str], *, lease_ms: int, limit: int) -> Sequence[ClaimedRun]:
        """Lease up to `limit` runs of these workflows that have something to do now, oldest due first.

        Args:
            owner: who will hold the leases.
            lease_ms: how long they last unless renewed.
        """
        ...

    async def next_due(self, workflows: Collection[str]) -> int | None:
        """Return the earliest time (ms) at which `claim` could find a run: 0 if now, None if none is known."""
        ...

    def listen(self, hear: Callable[[], None]) -> Listening:
        """Call `hear` whenever there may be something to claim, or news of runs. A hint: it may be lost or doubled."""
        ...

    async def grown(self, positions: Mapping[str, int]) -> Collection[str]:
        """Return those of these runs (id → number of entries read) whose journals have more by now."""
        ...

    async def try_other_code(self, workflow: str, fingerprint: str) -> int:
        """Make ready what is blocked because other code than this got stuck in it; return how many runs."""
        ...

    # -- one run ---------------------------------------------------------------------------------------------------

    async def load(self, lease: RunLease, since: int) -> JournalPart | None:
        """Return what the journal has from position `since` on; None: the lease is lost.

        If there is a cut in it (`holds_cut`), what was fed before is undone in part: load from 0, into a new machine.

        Raises:
            WorkflowError: it has an entry that this version cannot read.
        """
        ...

    def append(self, request: JournalAppend, reply: JournalReply) -> None:
        """Add to a journal and, with it, to everything that follows from it; all of it or nothing.

        A compare-and-swap on the position and on the lease, the lease first.

        Args:
            reply: called once with the outcome, on the event loop and never before this returns. It is no future: a
                step that is alone would wait for one more turn of the loop, a twentieth of its time in memory.
        """
        ...

    def transaction(self, lease: RunLease) -> AbstractAsyncContextManager[StepTransaction]:
        """Begin a transaction for a step of a run; what was not committed is undone at its end.

        Its end is written to the journal as anybody else's entries are: whoever drives the run learns of it by looking.

        Raises:
            NotSupported: the store has no transactions to give.
        """
        ...

    async def park(self, lease: RunLease, how: Parking) -> AppendOutcome:
        """Give a run up, on top of whatever its journal has by now; a reason that stands there is not repeated."""
        ...

    # -- outputs ---------------------------------------------------------------------------------------------------

    async def begin_output(
        self, lease: RunLease, name: str, content_type: str, step: str, attempt: int, *, resumed: bool = False
    ) -> OutputSession | None:
        """Let an attempt of a step write to an output of its run, which is made when absent; None: the lease is lost.

        Args:
            resumed: the attempt has begun and has met a closed stream; None too unless it was the run's end that has
                closed it, and the run goes on again.

        Raises:
            ProducerFenced: a worker that has the lease since has written.
            StreamClosed: another step has closed it.
            StreamConflict: it is of another format.
            InvalidName: it is no name.
        """
        ...

    async def append_output(self, append: OutputAppend) -> bool:
        """Append to an output, durably; False: it is closed or gone, and nothing was written.

        Raises:
            ProducerFenced: a later attempt has written.
            PayloadTooLarge: the output would become too long; the number is that of the next append.
            BadRequest: the body cannot be stored.
        """
        ...

    async def read_output(self, session: OutputSession) -> bytes:
        """Return what an output holds: text, or messages in an array; nothing if it is longer than 8 MiB."""
        ...

    async def read_file(self, run_id: str, file: str) -> bytes:
        """Return the bytes of a file that was attached to an answer of a run.

        Raises:
            NotFound: there is no such file, or it is not whole.
        """
        ...

    async def find_grant(self, run_id: str, key: str) -> Grant | None:
        """Return an approval that somebody has given for the next times too, and that approves what is asked; or None.

        One whose revocation was acknowledged before the call is never returned.

        Args:
            run_id, key: the request about a tool, which is in the journal.
        """
        ...

    # -- leases ----------------------------------------------------------------------------------------------------

    async def renew(self, owner: str, leases: Collection[RunLease], lease_ms: int) -> Collection[RunLease]:
        """Extend leases, and the worker's announcement, by `lease_ms` from now; return the leases that are lost.

        `renew` and `release` may be awaited on an event loop of another thread, and answer there while the loop that
        opened the port is blocked.
        """
        ...

    async def release(self, owner: str, leases: Collection[RunLease]) -> None:
        """Give leases up before the runs' own work is done: each is ready at once. Lost ones are left alone."""
        ...

    # -- who works -------------------------------------------------------------------------------------------------

    def announce(self, owner: str, workflows: Collection[str], lease_ms: int) -> None:
        """Tell everybody from now on, until `leave`, that this worker knows these workflows."""
        ...

    async def leave(self, owner: str) -> None:
        """Take the announcement back."""
        ...
