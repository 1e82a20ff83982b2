"""The Redis store keeps the laws that are shipped for third parties."""

from __future__ import annotations

from hashlib import sha1
from pathlib import Path

import pytest

from signoff.stores.base import WorkflowStore
from signoff.stores.open import open_store
from signoff.testing.store_contract import StoreContract
from tests.stores.redis.server import RedisServer


class TestRedisStore(StoreContract):
    shards = 1

    @pytest.fixture(autouse=True, scope="class")
    @classmethod
    def _on(cls, redis_server: RedisServer) -> None:
        cls.server = redis_server

    server: RedisServer

    def new_store(self, folder: Path) -> WorkflowStore:
        prefix = sha1(str(folder).encode(), usedforsecurity=False).hexdigest()[:12]
        return open_store(self.server.url(prefix=f"{prefix}.{self.shards}", shards=self.shards))


class TestRedisStoreOfFourShards(TestRedisStore):
    shards = 4
