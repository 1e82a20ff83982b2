"""The laws of the port, over a store on Redis: one shard on one server, and several on a cluster."""

from __future__ import annotations

from hashlib import sha1
from pathlib import Path

import pytest

from signoff.errors import NotSupported
from signoff.stores.base import WorkflowStore
from signoff.stores.open import open_store
from signoff.testing.store_contract import StoreContract
from signoff.testing.store_contract.laws import done, start
from tests.servers import fresh_url
from tests.stores.redis.cluster import cluster


class TestRedisCluster(StoreContract):
    def new_store(self, folder: Path) -> WorkflowStore:
        prefix = sha1(str(folder).encode(), usedforsecurity=False).hexdigest()[:16]
        return open_store(cluster().url(prefix=prefix, shards="4"))


async def test_a_store_that_is_opened_again_is_the_same(tmp_path: Path) -> None:
    store = open_store(fresh_url("redis", tmp_path))
    await store.open()
    await store.open()
    await done(store, start("r1"))
    await store.close()
    await store.close()
    await store.open()
    assert (await store.describe()).backend == "redis"
    assert (await store.find_streams(["runs/r1"]))["runs/r1"].tail == 1
    await store.close()


def test_there_is_no_sql(tmp_path: Path) -> None:
    with pytest.raises(NotSupported, match="no SQL"):
        open_store(fresh_url("redis", tmp_path)).transaction()
