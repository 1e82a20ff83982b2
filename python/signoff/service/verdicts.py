"""Wait for what becomes of an answer that the workflow's own code judges, on whichever worker."""

from __future__ import annotations

import asyncio
from typing import Final

from signoff.paths import run_path
from signoff.service.act import loaded, not_found
from signoff.service.kinds import PartKind, ledger_name, run_name
from signoff.service.streams.hub import Hub
from signoff.stores.base import PartsWanted, WorkflowStore
from signoff.workflow.input.decide import SCOPE, Accepted, Who, settled
from signoff.workflow.input.submission import AnswerRequest

WAIT_S: Final = 10.0
"""Seconds for which a verdict is awaited unless said otherwise."""


class Verdicts:
    """The verdicts on answers: awaited, and told.

    Args:
        store: where they are.
        hub: tells that a run's rows have changed.
    """

    def __init__(self, store: WorkflowStore, hub: Hub) -> None:
        self._store = store
        self._hub = hub

    async def outcome(
        self, so_far: Accepted, request: AnswerRequest, who: Who, digest: str, *, wait_s: float
    ) -> Accepted:
        """Return what became of an answer, or `so_far` if that is not known when the time is over.

        Args:
            so_far: what its sender would be told now.
            request: the answer.
            who: sent it.
            digest: of it.
            wait_s: how long to wait, in seconds.

        Raises:
            RunNotFound: the run was deleted meanwhile.
            InvalidAnswer: it was refused.
            AlreadyDecided, Expired, Withdrawn, Stale: the request went on without it.
            NotInAudience: whoever sent it may not decide the request any more.
            NotValidated: there was no verdict.
        """
        run_id, key = so_far.row["run_id"], so_far.row["id"]
        loop = asyncio.get_running_loop()
        deadline = loop.time() + wait_s
        wanted = PartsWanted(PartKind.INPUT, key), PartsWanted(*ledger_name(SCOPE, request.submission_id))
        with self._hub.watch(run_path(run_id)) as reader:
            while True:
                stored = await self._store.load(run_name(run_id), *wanted)
                if stored is None:
                    raise not_found(run_id)
                run = loaded(stored)
                found = settled(run, key, request, who, digest)
                left = deadline - loop.time()
                if found is not None:
                    return found
                if left <= 0 or reader.channel.ended:
                    return so_far
                if reader.channel.head is None:
                    stream = await self._store.load_stream(run_path(run_id))
                    if stream is not None:
                        reader.channel.observe(stream.head)
                await reader.wait(run.public_tail, left)
