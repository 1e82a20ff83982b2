"""The one loop for what outsiders do to runs: load, decide, commit; and decide again after a lost race.

What may be done is declared beside its rule, in `signoff.workflow.*.decide`: pure functions of what was loaded. Here is
all they share: what to load, turns of those at one run, replies under the ids of clients, rows of open steps for a run
that ends.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Collection
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, Final, TypeVar

from signoff.clock import Clock, held
from signoff.errors import JournalTooLong, JournalUnreadable, RunConflict, RunNotFound, WorkflowError
from signoff.paths import journal_path
from signoff.service.commit import GroupCommitter
from signoff.service.drafts import Drafts
from signoff.service.kinds import PartKind, ledger_name, ledger_part, remembered, run_name
from signoff.service.run_change import RunChange, RunSnapshot, run_deletion, tails
from signoff.service.workers import Workers
from signoff.stores.base import LoadedSubject as Stored
from signoff.stores.base import PartsWanted, WorkflowStore
from signoff.stores.change import Conflict, Subject
from signoff.workflow import chain, journal
from signoff.workflow.decision import (
    DECISIONS,
    AlreadyDone,
    AppendEntries,
    Decision,
    DeleteRun,
    Loaded,
    LoadWhole,
    StartAnother,
    with_evidence,
)
from signoff.workflow.entry import DecidedBy, Entry
from signoff.workflow.input.state import InputState
from signoff.workflow.nouns import verbs
from signoff.workflow.projection import refold
from signoff.workflow.run.status import HELD
from signoff.workflow.verb import Body, Verb
from signoff.workflow.view import RunFold, View

R = TypeVar("R")

Decide = Callable[[Loaded, int], Decision[R] | Awaitable[Decision[R]]]
"""Decides on a run as it was loaded, at a time in milliseconds; raises what refuses it."""

DecideOrMore = Callable[[Loaded, int], "Decision[R] | Awaitable[Decision[R]] | LoadMore"]
"""The same, or wants more to be loaded first."""

VERBS: Final = verbs()
"""What outsiders may do to a run, by name."""

MOST_TRIES: Final = 3

MOST_ENTRIES: Final = 50_000
MOST_BYTES: Final = 64 << 20
"""The length of a journal of which a decision is about the whole: it is read, folded and, by a fork, written at once.

That takes some 6 KB of memory and 0.1 ms an entry, most of it in a thread.
"""

_LONG: Final = 2_000
"""Entries that are folded on the event loop at most; more of them in a thread."""

OPEN_INPUTS: Final = PartsWanted(PartKind.INPUT, open=True)
"""Load the requests that are pending, for what may withdraw them."""


@dataclass(frozen=True, slots=True)
class LoadMore:
    """The wish to decide on more than was loaded: the run is loaded again, with these parts as well."""

    wanted: tuple[PartsWanted, ...]


class Actor:
    """The one loop in which outsiders act on runs.

    Example:
        >>> await actor.act("r1", lambda run, now: decide.terminate(run, None, by, now), OPEN_INPUTS)
    """

    def __init__(
        self, store: WorkflowStore, committer: GroupCommitter, clock: Clock, workers: Workers | None = None
    ) -> None:
        self._store = store
        self._committer = committer
        self._clock = clock
        self._workers = workers or Workers(store, committer, clock)
        self._drafts = Drafts(store, committer, clock)
        self.before_delete: list[Callable[[str], Awaitable[None]]] = []
        self.before_fork: Callable[[str, str], Awaitable[None]] = _nothing

    async def do(self, verb: Verb, run_id: str, body: Body, by: DecidedBy, via: str | None = None) -> Any:
        """Do to a run what is declared; return the reply, durable.

        Args:
            body: as `verb.shape` has checked it.
            by: who does it.
            via: what proves who that is, for the evidence: `token:{jti}`; None: nothing that has a name.

        Raises:
            RunNotFound: there is no such run.
            Whatever `verb.refusals` says.
        """
        needs = verb.needs

        async def decided(run: Loaded, now: int) -> Decision[Any]:
            if needs.workers and run.status in HELD:
                known = await self._workers.known()
                run = replace(run, forsaken=run.run.row["workflow"] not in known)
            return with_evidence(verb.decide(run, body, by, now), by, {} if via is None else {"via": via})

        inputs = (OPEN_INPUTS,) if needs.inputs else ()
        return await self.act(run_id, decided, *inputs, journal=needs.journal)

    async def act(
        self,
        run_id: str,
        decide: DecideOrMore[R],
        *wanted: PartsWanted,
        ledger: tuple[str, str] | None = None,
        journal: Collection[str] = (),
    ) -> R:
        """Decide on a run, and commit what was decided; return its reply, durable.

        Args:
            run_id: the run.
            decide: called with the run as it is, again after each lost race.
            wanted: parts that the decision is about.
            ledger: the scope and the id under which the reply is remembered.
            journal: statuses of the run in which the decision is about all it has done.

        Raises:
            RunNotFound: there is no such run.
            JournalTooLong: the decision is about all it has done, and that is too much.
            JournalUnreadable: the same, and some of it was written by a newer release.
            Whatever `decide` raises.
        """
        if ledger is not None:
            wanted += (PartsWanted(*ledger_name(*ledger)),)
        async with self._committer.turn(run_id):
            while True:
                stored = await self._store.load(run_name(run_id), *wanted)
                if stored is None:
                    raise not_found(run_id)
                run = loaded(stored)
                if run.status in journal:
                    run = replace(run, view=await self._whole_view(stored.subject))
                decision = await self._decided(run, decide)
                if isinstance(decision, LoadMore):
                    wanted += decision.wanted
                    continue
                if isinstance(decision, LoadWhole):
                    run = replace(run, view=await self._whole_view(stored.subject))
                    decision = await self._decided(run, decide)
                    assert not isinstance(decision, LoadWhole | LoadMore), "what it is about has been loaded"
                if isinstance(decision, AlreadyDone):
                    return decision.reply
                if isinstance(decision, StartAnother):
                    await self.before_fork(run_id, decision.run_id)
                    return await self.begin(decision.run_id, decision.decide)
                if isinstance(decision, DeleteRun):
                    for clear in self.before_delete:  # before: what is left by a crash goes with the next try
                        await clear(run_id)
                    deleted = await self._committer.commit(run_deletion(stored.subject, run.run, decision.at))
                    if isinstance(deleted, Conflict):
                        continue
                    await self._drafts.deleted(run_id)
                    return decision.reply
                reply = await self._commit(RunSnapshot(stored.subject, run.view), decision)
                if reply is not None:
                    return reply[0]

    async def _decided(self, run: Loaded, decide: DecideOrMore[R]) -> Decision[R] | LoadMore:
        decision = decide(run, self._clock.now_ms())
        return decision if isinstance(decision, (*DECISIONS, LoadMore)) else await decision

    async def begin(self, run_id: str, decide: Callable[[Loaded | None], AppendEntries[R] | AlreadyDone[R]]) -> R:
        """Do the same for a run that is most likely new: it is looked at only if it exists."""
        stored: Stored | None = None
        tries = 0
        while True:
            # Loaded anew for each try: a commit moves the view it begins with, also one that is refused.
            run = None if stored is None else loaded(stored)
            decision = decide(run)
            if isinstance(decision, AlreadyDone):
                return decision.reply
            before = RunSnapshot(None if stored is None else stored.subject, View() if run is None else run.view)
            reply = await self._commit(before, decision)
            if reply is not None:
                return reply[0]
            stored = await self._store.load(run_name(run_id))
            if stored is None:  # a run of this id was deleted: just now, or its streams are kept for their forks
                tries += 1
                if tries == MOST_TRIES:
                    raise RunConflict(
                        f"A run of the id {run_id!r} was deleted, and its streams are kept for those that were forked "
                        "from them; nothing was started. Use another id."
                    )

    async def _commit(self, run: RunSnapshot, decision: AppendEntries[R]) -> tuple[R] | None:
        """Commit a decision; return its reply, or None if somebody was faster."""
        if decision.ends:
            run.view = await self._with_steps(run)
        # A run that ends is `ready` too: nobody can claim it, but the worker that may hold it is woken to let go. So is
        # one that is cut: the lease it held is over, and with it whatever its attempts come to.
        change = partial(
            RunChange,
            run,
            decision.entries,
            ready=decision.ready,
            wake_at=decision.wake_at,
            release=decision.ends or decision.release,
        )
        long = len(decision.entries) > _LONG or (run.view.past is not None and len(run.view.past.folded) > _LONG)
        written = await self._in_thread(change) if long else change()
        reply = decision.reply(run.view, run.public_tail + len(written.delta.public))
        for one in decision.known if decision.remember is None else (decision.remember, *decision.known):
            written.remember(ledger_part(one.scope, one.id, one.digest, one.dumps(reply)))
        if isinstance(await self._committer.commit(written.change), Conflict):
            return None
        if decision.refusal is not None:
            raise decision.refusal(run.view)
        return (reply,)

    async def _in_thread(self, change: Callable[[], RunChange]) -> RunChange:
        with held(self._clock):
            return await asyncio.to_thread(change)

    async def _whole_view(self, subject: Subject) -> View:
        try:
            with held(self._clock):
                return await whole_view(self._store, subject)
        except WorkflowError as error:
            raise unreadable(subject.name.id, error) from error

    async def _with_steps(self, run: RunSnapshot) -> View:
        """Return a run's rows as far as its end concerns them: with its open steps, if it has any."""
        if run.subject is None or run.view.run is None or not run.view.run.steps:
            return run.view
        try:
            with held(self._clock):
                return await whole_view(self._store, run.subject, past=False)
        except (WorkflowError, JournalTooLong):  # an entry of a newer version, say: the run ends all the same
            return run.view


async def _nothing(_run_id: str, _fork_id: str) -> None:
    """Do nothing."""


def view_of(stored: Stored) -> View:
    """Return a run's rows as far as they were loaded."""
    inputs = {part.key: InputState.loads(part.state) for part in stored.parts if part.kind == PartKind.INPUT}
    return View(run=RunFold.loads(stored.subject.state), inputs=inputs)


async def whole_view(store: WorkflowStore, subject: Subject, *, past: bool = True, bounded: bool = True) -> View:
    """Return all rows of a run, as of its record.

    Args:
        store: where its journal is.
        subject: its record.
        past: with what cuts need.
        bounded: refuse what is very long.

    Raises:
        JournalTooLong: its journal has more than `MOST_ENTRIES` entries or `MOST_BYTES` bytes.
        WorkflowError: the journal has an entry that this version cannot read.
    """
    view = View()
    run_id, tail = subject.name.id, tails(subject)[0]
    if bounded and tail > MOST_ENTRIES:
        raise too_long(run_id)
    entries, _ = await read_journal(store, run_id, 0, MOST_BYTES if bounded else None)
    if tail > _LONG:
        await asyncio.to_thread(refold, view, entries[:tail], past=past)
    else:
        refold(view, entries[:tail], past=past)
    return view


def loaded(stored: Stored) -> Loaded:
    """Return a run as decisions take it."""
    subject = stored.subject
    ledger = stored.of(PartKind.LEDGER)
    return Loaded(
        view_of(stored),
        tails(subject)[1],
        subject.wake_at,
        subject.lease_until,
        remembered(ledger[0]) if ledger else None,
        size=sum([len(part.state) for part in stored.parts]),
        ready=subject.ready,
        last=(tails(subject)[0] - 1, chain.head_of(subject.state)),
    )


def unreadable(run_id: str, error: WorkflowError) -> JournalUnreadable:
    """Return the refusal for a run whose journal was written by a newer release, or damaged."""
    what = f"The history of the run {run_id!r} cannot be read by this release: {error} Nothing was changed."
    return JournalUnreadable(f"{what} Ask a server of the release that wrote it.")


def too_long(run_id: str) -> JournalTooLong:
    """Return the refusal for a run of which more was to be read at once than may be."""
    most = f"{MOST_ENTRIES:,} entries or {MOST_BYTES >> 20} MiB"
    return JournalTooLong(
        f"The history of the run {run_id!r} has more than {most}, and retry, rewind and fork take it whole; nothing "
        f"was changed. To end the run for good: signoff terminate {run_id}. What it was started with and has done: "
        f"signoff show {run_id} --history."
    )


def not_found(run_id: str) -> RunNotFound:
    """Return the refusal for a run that does not exist."""
    return RunNotFound(f"There is no run {run_id[:140]!r}.")


_FIRST = 64 << 10
_CHUNK = 4 << 20
"""Bytes of a journal that are read at once: few at first, which spares short ones a hop to a thread of the store."""


async def read_journal(
    store: WorkflowStore, run_id: str, start: int, limit: int | None = None
) -> tuple[list[Entry], int]:
    """Read a run's entries from position `start` to the tail of this moment; return them and the tail.

    Raises:
        RunNotFound: there is none, or no more: it was deleted since its record was loaded, or while it was read.
        JournalTooLong: there are more than `limit` bytes of them.
        WorkflowError: there is an entry that this version cannot read.
    """
    entries: list[Entry] = []
    position, most, size = start, _FIRST, 0
    incarnation: str | None = None
    while True:
        found = await store.read(journal_path(run_id), position, most)
        most = _CHUNK
        if found is None or found[0].deleted or found[0].incarnation != (incarnation or found[0].incarnation):
            raise not_found(run_id)
        head, batches = found
        incarnation = head.incarnation
        size += sum(len(batch.data) for batch in batches)
        if limit is not None and size > limit:
            raise too_long(run_id)
        if batches:
            # All of them as one text: a long journal has an entry or two in each.
            data = b",".join([batch.data for batch in batches])
            beside = limit is not None and size > _FIRST
            read = await asyncio.to_thread(journal.loads, data) if beside else journal.loads(data)
            entries += read[position - batches[0].start :]
            position = batches[-1].end
        if position >= head.tail or not batches:
            return entries, position
