"""Export what a run's journal proves, signed by the key of the deployment."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from importlib.metadata import version
from typing import Any, Final

import orjson

from signoff.clock import Clock
from signoff.errors import WorkflowError
from signoff.paths import journal_path
from signoff.service import ed25519
from signoff.service.act import MOST_BYTES, not_found, too_long, unreadable
from signoff.service.commit import GroupCommitter
from signoff.service.kinds import PartKind, ledger_name, remembered, run_name
from signoff.service.run_change import tails
from signoff.service.subscriptions.keys import Keys
from signoff.stores.base import PartsWanted, WorkflowStore
from signoff.stores.change import PartName
from signoff.workflow import bundle, chain
from signoff.workflow.approval.remember import REVOKED

_CHUNK: Final = 4 << 20
_AT_ONCE: Final = 64
"""Parts of a run that are loaded at once."""


class Audit:
    """Evidence bundles of the runs in a store.

    Args:
        store: where the runs are.
        committer: keeps the key that signs, if there is none yet.
        clock: says when a bundle was made.
    """

    def __init__(self, store: WorkflowStore, committer: GroupCommitter, clock: Clock) -> None:
        self._store = store
        self._clock = clock
        self._keys = Keys(store, committer, clock)

    async def export(self, run_id: str) -> bytes:
        """Return the evidence bundle of a run.

        Raises:
            RunNotFound: there is no such run.
            JournalTooLong: its journal has more bytes than are taken at once.
            JournalUnreadable: it has entries of a newer release.
        """
        found = await self._store.load(run_name(run_id))
        if found is None:
            raise not_found(run_id)
        subject = found.subject
        stored = await self._stored(run_id, tails(subject)[0])
        seed = await self._keys.seed()
        try:
            journal = await asyncio.to_thread(bundle.read, stored)
        except WorkflowError as error:
            raise unreadable(run_id, error) from error
        revocations = await self._revocations(run_id, journal.summary.grants)

        def write() -> bytes:
            lines = bundle.lines_to_sign(
                run_id,
                journal,
                head=chain.head_of(subject.state),
                key=ed25519.public_key(seed),
                version=version("signoff"),
                at=self._clock.now_ms(),
                revocations=revocations,
            )
            return bundle.signed(lines, ed25519.sign(seed, bundle.to_sign(lines)))

        return await asyncio.to_thread(write)

    async def _revocations(self, run_id: str, grants: Mapping[str, str]) -> list[dict[str, Any]]:
        """Return what the run remembers of approvals that were revoked, in the order in which they were asked."""
        found: dict[str, dict[str, Any]] = {}
        names = {ledger_name(REVOKED, answer): answer for answer in grants.values()}
        wanted = [PartsWanted(*name) for name in names]
        for first in range(0, len(wanted), _AT_ONCE):
            stored = await self._store.load(run_name(run_id), *wanted[first : first + _AT_ONCE])
            for part in () if stored is None else stored.of(PartKind.LEDGER):
                found[names[PartName(part.kind, part.key)]] = orjson.loads(remembered(part).outcome)
        return [bundle.revocation(id_, answer, found[answer]) for id_, answer in grants.items() if answer in found]

    async def _stored(self, run_id: str, tail: int) -> list[bytes]:
        """Return the first `tail` messages of a journal, as far as they are there."""
        stored: list[bytes] = []
        size = 0
        while len(stored) < tail:
            found = await self._store.read(journal_path(run_id), len(stored), _CHUNK)
            if found is None or found[0].deleted:
                raise not_found(run_id)
            batches = found[1]
            if not batches:
                break
            data = b",".join([batch.data for batch in batches])
            size += len(data)
            if size > MOST_BYTES:
                raise too_long(run_id)
            messages = orjson.loads(b"[" + data + b"]")[len(stored) - batches[0].start :]
            stored += map(orjson.dumps, messages)
        return stored[:tail]
