"""Drafts: what a person has filled in of a request and has not sent, kept for them on whatever device they go on.

A draft is a record of its own and a row in a stream that only its author reads: however often a page saves, neither the
run nor its journal is touched. It goes when its request is decided. Who answers through this process has it go at once;
for all else each draft is due now and then, and whoever comes first looks whether anybody is still asked. So it is with
runs that are deleted or rewound: a draft knows when its request was asked, and is never taken for one of a request that
stands in its place later.
"""

from __future__ import annotations

import asyncio
import logging
from dataclasses import dataclass, replace
from typing import Any, Final

import orjson

from signoff.clock import Clock
from signoff.errors import InputNotFound, NotInAudience, PayloadTooLarge, RunNotFound
from signoff.outages import OutageLog
from signoff.paths import drafts_path
from signoff.service.asked import asked_of
from signoff.service.commit import GroupCommitter
from signoff.service.kinds import Kind, free_record
from signoff.service.rounds import go_round
from signoff.stores.base import Listing, WorkflowStore
from signoff.stores.change import Change, Conflict, Name, Post, Subject, SubjectDelete, SubjectWrite, new_mark
from signoff.streams import state
from signoff.streams.state import Operation
from signoff.timestamps import rfc3339
from signoff.workflow.input.decide import Who, already_decided, check_audience, check_which
from signoff.workflow.input.state import InputState

log = logging.getLogger(__name__)

MOST_BYTES: Final = 64 << 10
"""Bytes of a draft as JSON."""

FIRST_LOOK_MS: Final = 30_000
LAST_LOOK_MS: Final = 3_600_000
"""How long after it was saved, in milliseconds, a draft is looked at first; then after twice as long, and so on."""

EVERY_S: Final = 10.0
"""Seconds between two searches for drafts that are due, a quarter more or less."""

_MOST_SAVED: Final = 10_000
"""How many requests a process remembers to have saved drafts of; those of others go when they are due."""

_PAGE: Final = 200


@dataclass(frozen=True, slots=True)
class Saved:
    """What is kept of a request after somebody wanted to save: the row `draft`, and whether it is what they sent."""

    row: dict[str, Any] | None
    saved: bool = True


@dataclass(frozen=True, slots=True)
class Over:
    """The draft in whose place another is to stand: when it was saved, as its row says; None: none was there."""

    saved_at: str | None


class Drafts:
    """The drafts of people.

    Args:
        store: where they are.
        committer: writes them.
        clock: says when they were saved.
    """

    def __init__(self, store: WorkflowStore, committer: GroupCommitter, clock: Clock) -> None:
        self._store = store
        self._committer = committer
        self._clock = clock
        self._saved: set[tuple[str, str]] = set()  # of which requests, by this process
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Look after drafts from now on, until `close`."""
        outage = OutageLog(log, "cannot look after drafts")
        rounds = go_round(self._clock, lambda: EVERY_S, self.sweep, outage)
        self._task = asyncio.get_running_loop().create_task(rounds, name="signoff-drafts")

    async def close(self) -> None:
        """Stop looking after them."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def save(
        self, run_id: str, key: str, value: Any, who: Who, over: Over | None = None, *, asked_at: str | None = None
    ) -> Saved:
        """Keep what a person has filled in of a pending request, in place of what they had; durable.

        Args:
            run_id: the run that asks.
            key: `name:n` of the request.
            value: any JSON; None: nothing is kept any more.
            who: the person.
            over: which draft it takes the place of; where another is kept that says something else, that one stays.
                None: whatever is kept.
            asked_at: that of the request it was typed for; None: of the one that is there.

        Returns:
            the row that is kept now, if any, and whether it is this one.

        Raises:
            RunNotFound, InputNotFound: nobody asked this.
            NotInAudience: this person was not asked, or is nobody who has drafts.
            Stale: another request is there now; with its `row`.
            AlreadyDecided, Expired, Withdrawn: the request is decided; with its `row`.
            PayloadTooLarge: it is larger than a draft may be.
        """
        _, asked = await asked_of(self._store, run_id, key)
        check_audience(asked, who)
        check_which(asked, asked_at, "kept")
        author = next((one for one in who.principals if one.startswith("user:")), None)
        if author is None:
            raise NotInAudience("Only a person has drafts: call with a token that has a `sub`. Nothing was kept.")
        if not asked.pending:
            raise already_decided(asked.row)
        if (size := len(orjson.dumps(value))) > MOST_BYTES:
            raise PayloadTooLarge(f"A draft has {MOST_BYTES} bytes as JSON at most, not {size}; nothing was kept.")
        name = Name(Kind.DRAFT, f"{author} {run_id}/{key}")
        while True:
            now = self._clock.now_ms()
            stored = await self._store.load(name)
            before = None if stored is None else stored.subject
            if over is not None and before is not None and (stays := _stays(before, asked, over, value)) is not None:
                return stays
            if value is None:
                if before is None or await self._forget(before, now):
                    return Saved(None)
                continue
            # No two of a person's are of one moment, on whatever server: that tells them apart.
            now = now if before is None else max(now, before.sort + 1)
            row = _row(run_id, key, asked, value, now)
            written = _record(name, row, before, now)
            operation = Operation.INSERT if before is None else Operation.UPDATE
            message = state.change(operation, "draft", row["id"], row, timestamp=rfc3339(now))
            change = _written(written, before, Post(drafts_path(author), message, 1))
            if not isinstance(await self._committer.commit(change), Conflict):
                if len(self._saved) >= _MOST_SAVED:
                    self._saved.clear()
                self._saved.add((run_id, key))
                return Saved(row)

    async def decided(self, run_id: str, key: str) -> None:
        """Have the drafts of a request go that was decided through this process, if it has saved any."""
        if (run_id, key) in self._saved:
            self._saved.discard((run_id, key))
            page = await self._store.list_subjects(Listing(Kind.DRAFT, (_term(run_id, key),)), limit=_PAGE)
            for record in page.items:
                await self._look(record)

    async def deleted(self, run_id: str) -> None:
        """Have the drafts of a run go that this process has deleted; what cannot be done now is left to the sweep."""
        cursor: str | None = None
        try:
            while True:
                page = await self._store.list_subjects(_of(run_id), limit=_PAGE, cursor=cursor)
                for record in page.items:
                    await self._look(record)
                cursor = page.cursor
                if cursor is None:
                    return
        except Exception as error:  # whatever it is: the run is deleted all the same
            log.warning("cannot look after the drafts of the deleted run %s: %s", run_id, error)

    async def sweep(self) -> int:
        """Have those drafts go that are due and of no use any more; return how many went."""
        gone = 0
        while True:
            due = await self._store.due(Kind.DRAFT.agenda, now=self._clock.now_ms(), limit=_PAGE)
            for record in due:
                gone += await self._look(record)
            if len(due) < _PAGE:
                return gone

    async def _look(self, record: Subject) -> bool:
        """Let a draft go if nobody is asked any more, or put it off."""
        now, kept = self._clock.now_ms(), orjson.loads(record.state)
        try:
            _, asked = await asked_of(self._store, kept["run_id"], kept["input"])
            if not (_is_of(kept, asked) and asked.pending):
                return await self._forget(record, now)
        except (RunNotFound, InputNotFound):
            return await self._forget(record, now)
        waited = max(now - record.sort, FIRST_LOOK_MS)
        later = replace(record, version=record.version + 1, wake_at=now + min(waited, LAST_LOOK_MS))
        await self._committer.commit(_written(later, record))
        return False

    async def _forget(self, record: Subject, now: int) -> bool:
        author, _, key = record.name.id.rpartition(" ")  # a user's name may have spaces, a request's key has none
        gone = Post(drafts_path(author), state.delete("draft", key, timestamp=rfc3339(now)), 1)
        change = Change(SubjectDelete(record.name, record.version), (gone,), new_mark())
        return not isinstance(await self._committer.commit(change), Conflict)


def _stays(before: Subject, asked: InputState, over: Over, value: Any) -> Saved | None:
    """Return what is kept, if another is not to take its place: it is not the one that is `over`, or says the same."""
    kept = orjson.loads(before.state)
    if not _is_of(kept, asked):
        return None
    if _same(kept["value"], value):
        return Saved(kept)
    return None if kept["saved_at"] == over.saved_at else Saved(kept, saved=False)


def _is_of(kept: dict[str, Any], asked: InputState) -> bool:
    return bool(kept["asked_at"] == asked.row["asked_at"])


def _same(one: Any, other: Any) -> bool:
    return orjson.dumps(one, option=orjson.OPT_SORT_KEYS) == orjson.dumps(other, option=orjson.OPT_SORT_KEYS)


def _row(run_id: str, key: str, asked: InputState, value: Any, now: int) -> dict[str, Any]:
    return {
        "id": f"{run_id}/{key}",
        "run_id": run_id,
        "input": key,
        "asked_at": asked.row["asked_at"],
        "revised": asked.row["revised"],
        "saved_at": rfc3339(now),
        "value": value,
    }


def _term(run_id: str, key: str) -> str:
    return f"draft/{run_id}/{key}"


def _of(run_id: str) -> Listing:
    return Listing(Kind.DRAFT, (_run_term(run_id),))


def _run_term(run_id: str) -> str:
    return f"drafts/{run_id}"


def _record(name: Name, row: dict[str, Any], before: Subject | None, now: int) -> Subject:
    expect = 0 if before is None else before.version
    record = free_record(Kind.DRAFT, name.id, orjson.dumps(row), expect=expect, due_at=now + FIRST_LOOK_MS)
    return replace(record, terms=(_term(row["run_id"], row["input"]), _run_term(row["run_id"])), sort=now)


def _written(record: Subject, before: Subject | None, *posts: Post) -> Change:
    return Change(SubjectWrite(record, 0 if before is None else before.version), posts, new_mark())
