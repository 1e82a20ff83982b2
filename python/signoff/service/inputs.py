"""Answer, look at and list requests for input: the person's half of a run."""

from __future__ import annotations

import asyncio
from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

import orjson

from signoff.clock import Clock
from signoff.errors import BadRequest, Expired, InputNotFound, PayloadTooLarge, RunNotFound, SubmissionReused
from signoff.service.change import RunState, Write
from signoff.service.commit import GroupCommitter
from signoff.stores.base import Conflict, LedgerEntry, LedgerKey, Page, WorkflowStore
from signoff.stores.base import RunState as Loaded
from signoff.streams import offset
from signoff.workflow import codec
from signoff.workflow.inputs import Accept, AnswerRequest, ExpireNow, InputState, Who, check_audience, decide_answer
from signoff.workflow.journal import InputAnswered, InputExpired
from signoff.workflow.projection import RunFold, View

_SCOPE = "answer"

_SMALL = 16 << 10
"""Bytes of schema and answer together that are judged at once, on the event loop (well under 10 ms)."""

JUDGING_S = 5
"""Seconds after which an answer that is still being judged is refused."""

_JUDGES = 2
"""How many large answers are judged at a time."""


@dataclass(frozen=True, slots=True)
class Accepted:
    """Tell that an answer was accepted.

    Attributes:
        offset: position in the run's stream from which the decided row is visible.
        txid: the submission id, as it stands in the headers of the rows it changed.
        row: the input row as decided.
        replayed: this submission had been accepted before; the first outcome is repeated.
    """

    offset: str
    txid: str
    row: dict[str, Any]
    replayed: bool


class Inputs:
    """Answer, look at and list requests for input."""

    def __init__(self, store: WorkflowStore, committer: GroupCommitter, clock: Clock) -> None:
        self._store = store
        self._committer = committer
        self._clock = clock
        self._judging = asyncio.Semaphore(_JUDGES)

    async def answer(self, run_id: str, key: str, request: AnswerRequest, who: Who) -> Accepted:
        """Decide a request for input, exactly once; durable before this returns.

        Args:
            run_id: the run that asked.
            key: `name:n` of the request.
            request: the submission.
            who: the person, or the operator, that answers.

        Raises:
            RunNotFound, InputNotFound: nobody asked this.
            NotInAudience: this person was not asked.
            SubmissionReused: the submission id was used for another answer.
            Stale, AlreadyDecided, Expired, Withdrawn: the request is no longer what the person saw; `row` tells.
            InvalidAnswer: the value does not match the schema; nothing was recorded.
            PayloadTooLarge: it could not be judged in time; nothing was recorded.
        """
        digest = codec.digest(
            [key, request.action, codec.encode(request.value), who.by.kind, who.by.id],
        )
        async with self._committer.turn(run_id):
            while True:
                loaded = await self._load(run_id, key, LedgerKey(_SCOPE, request.submission_id))
                if loaded.ledger is not None and loaded.ledger.digest == digest:
                    return _replay(loaded.ledger)
                state = InputState.loads(loaded.inputs[0].state)
                check_audience(state, who)
                if loaded.ledger is not None:
                    raise SubmissionReused(
                        f"The submission id {request.submission_id!r} was already used for another answer in this run; "
                        "this answer was not recorded. Send it under a new id.",
                        row=state.row,
                    )
                _check_seen(request, loaded.record.public_tail)
                fold = RunFold.loads(loaded.record.state)
                now = max(self._clock.now_ms(), fold.last_at)
                run = RunState(loaded.record, View(run=fold, inputs={key: state}))
                match await self._decide(state, request, who, now):
                    case Accept():
                        accepted = await self._accept(run, _entry(key, request, who, digest, now))
                        if accepted is not None:
                            return accepted
                    case _:
                        row = await self._expire(run, InputExpired(at=now, id=key))
                        if row is not None:
                            raise Expired(
                                f"The deadline of {key!r} passed at {row['deadline']}; your answer was not recorded.",
                                row=row,
                            )

    async def _decide(self, state: InputState, request: AnswerRequest, who: Who, now: int) -> Accept | ExpireNow:
        """Decide on an answer; judge a large one in a thread, so that nobody else waits for it."""
        if len(orjson.dumps([state.row["schema"], request.value])) <= _SMALL:
            return decide_answer(state, request, who, now)
        async with self._judging:
            try:
                async with asyncio.timeout(JUDGING_S):
                    return await asyncio.to_thread(decide_answer, state, request, who, now)
            except TimeoutError:
                raise PayloadTooLarge(
                    f"The answer could not be checked within {JUDGING_S} s; it was not recorded and the request is "
                    "still open. Send less.",
                    row=state.row,
                ) from None

    async def _load(self, run_id: str, key: str, ledger: LedgerKey | None = None) -> Loaded:
        loaded = await self._store.load_run(run_id, inputs=key, ledger=ledger)
        if loaded is None:
            raise RunNotFound(f"There is no run {run_id[:140]!r}.")
        if not loaded.inputs:
            raise InputNotFound(f"The run {run_id!r} has no request {key[:140]!r}.")
        return loaded

    async def _accept(self, run: RunState, entry: InputAnswered) -> Accepted | None:
        assert run.record is not None
        write = Write(run, [entry], ready=True, wake_at=run.record.wake_at)
        row = run.view.inputs[entry.id].row
        accepted = Accepted(offset.encode(write.record.public_tail), entry.submission_id, row, replayed=False)
        outcome = orjson.dumps({"offset": accepted.offset, "txid": accepted.txid, "row": row})
        ledger = LedgerEntry(run.record.run_id, _SCOPE, entry.submission_id, entry.digest, outcome)
        committed = await self._committer.commit(write.with_ledger(ledger))
        return None if isinstance(committed, Conflict) else accepted

    async def _expire(self, run: RunState, entry: InputExpired) -> dict[str, Any] | None:
        assert run.record is not None
        write = Write(run, [entry], ready=True, wake_at=run.record.wake_at)
        committed = await self._committer.commit(write.change)
        return None if isinstance(committed, Conflict) else run.view.inputs[entry.id].row

    async def get(self, run_id: str, key: str) -> dict[str, Any]:
        """Return one request's row.

        Raises:
            RunNotFound, InputNotFound: nobody asked this.
        """
        loaded = await self._load(run_id, key)
        return InputState.loads(loaded.inputs[0].state).row

    async def pending(self, run_id: str) -> list[dict[str, Any]]:
        """Return the rows of a run's pending requests.

        Raises:
            RunNotFound: there is no such run.
        """
        loaded = await self._store.load_run(run_id, inputs="pending")
        if loaded is None:
            raise RunNotFound(f"There is no run {run_id[:140]!r}.")
        return [InputState.loads(record.state).row for record in loaded.inputs]

    async def list(
        self,
        *,
        audience: Collection[str] | None = None,
        status: str | None = "pending",
        limit: int = 50,
        cursor: str | None = None,
    ) -> Page[dict[str, Any]]:
        """List requests asked of any of `audience` (None: of anybody), newest first.

        Raises:
            BadRequest: the cursor is malformed.
        """
        page = await self._store.list_inputs(audience=audience, status=status, limit=limit, cursor=cursor)
        return Page(tuple(InputState.loads(record.state).row for record in page.items), page.cursor)


def _entry(key: str, request: AnswerRequest, who: Who, digest: str, now: int) -> InputAnswered:
    return InputAnswered(
        at=now,
        id=key,
        submission_id=request.submission_id,
        digest=digest,
        action=request.action,
        value=codec.encode(request.value),
        by=who.by,
    )


def _check_seen(request: AnswerRequest, tail: int) -> None:
    if offset.decode(request.seen_offset) > tail:
        raise BadRequest(
            f"/seen_offset {request.seen_offset} is beyond the run's stream, so nobody can have seen it; "
            "nothing was recorded. Send the `revised` of the row that was shown."
        )


def _replay(entry: LedgerEntry) -> Accepted:
    outcome = orjson.loads(entry.outcome)
    return Accepted(outcome["offset"], outcome["txid"], outcome["row"], replayed=True)
