"""The key that signs webhooks and tokens: made once and kept in the store, so the same everywhere and ever after."""

from __future__ import annotations

import base64
import hashlib
import hmac
import secrets
from typing import Final

import orjson

from signoff.clock import Clock
from signoff.errors import StoreError
from signoff.service.commit import GroupCommitter
from signoff.service.kinds import Kind, free_record, put_record
from signoff.stores.base import WorkflowStore
from signoff.stores.change import Committed, Name

FIRST: Final = "1"
SEED_BYTES: Final = 32

_NOT_KEPT: Final = "The key that signs webhooks could not be kept. Nothing was done."


class Keys:
    """The secret seed, and the keys that are made from it.

    Args:
        store: where it is kept, or will be.
        committer: writes it when there is none yet.
    """

    def __init__(self, store: WorkflowStore, committer: GroupCommitter, clock: Clock) -> None:
        self._store = store
        self._committer = committer
        self._clock = clock
        self._seed: bytes | None = None

    async def seed(self) -> bytes:
        """Return the seed of the Ed25519 key; of two processes that make one at once, the first wins.

        Raises:
            StoreError: it cannot be kept.
        """
        for _ in range(2):
            if self._seed is not None:
                return self._seed
            loaded = await self._store.load(Name(Kind.WEBHOOK_KEY, FIRST))
            state = await self._make() if loaded is None else loaded.subject.state
            if state is not None:
                self._seed = base64.b64decode(orjson.loads(state)["seed"])
        if self._seed is None:
            raise StoreError(_NOT_KEPT, public_detail=_NOT_KEPT)
        return self._seed

    async def token_key(self) -> bytes:
        """Return the key that authenticates tokens."""
        return hmac.digest(await self.seed(), b"signoff wake tokens", hashlib.sha256)

    async def _make(self) -> bytes | None:
        seed = base64.b64encode(secrets.token_bytes(SEED_BYTES)).decode()
        state = orjson.dumps({"v": 1, "seed": seed, "created_at": self._clock.now_ms()})
        outcome = await self._committer.commit(put_record(free_record(Kind.WEBHOOK_KEY, FIRST, state)))
        return state if isinstance(outcome, Committed) else None
