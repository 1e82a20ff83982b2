"""The schema of data on Redis, for operators: its version stands beside the data, in every shard."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TypeVar

from signoff.stores.migrating import SchemaStatus
from signoff.stores.redis import options, server
from signoff.stores.redis.nodes import Nodes
from signoff.stores.redis.shards import Shards, keys_of

T = TypeVar("T")

_NAMES = ("0001_first",)


class RedisMigrating:
    """The schema of the data under one prefix; `Migrating` says what each method does.

    Args:
        url: of the store.
    """

    def __init__(self, url: str) -> None:
        self._options = options.read(url)

    async def status(self) -> SchemaStatus:
        """Return which schema the data has; where nothing was written yet it has none."""
        schema = min(await self._with(server.schemas))
        return SchemaStatus("redis", schema, server.SCHEMA, _NAMES[schema:], breaking=schema > server.SCHEMA)

    async def check(self) -> list[str]:
        """Look whether the servers keep what they are given, and whether all shards are of one schema."""

        async def look(shards: Shards) -> list[str]:
            found = await server.find_faults(shards, self._options)
            if len(set(await server.schemas(shards))) > 1:
                found.append("Some shards have no schema yet: was the store opened with another number of shards?")
            return found

        return await self._with(look)

    async def upgrade(self) -> list[str]:
        """Write down the schema where it is not yet."""
        pending = (await self.status()).pending
        await self._with(server.write_schema(self._options))
        return list(pending)

    def sql(self) -> str:
        """Return what an administrator sets on the server: a store on Redis has no schema to be created."""
        fsync = "always" if self._options.durability == "wait" else "everysec"  # or each commit waits up to a second
        settings = ("appendonly yes", f"appendfsync {fsync}", "maxmemory-policy noeviction")
        return "".join(f"CONFIG SET {setting}\n" for setting in settings) + "CONFIG REWRITE\n"

    async def _with(self, work: Callable[[Shards], Awaitable[T]]) -> T:
        keys = keys_of(self._options)
        nodes = Nodes(self._options, keys)
        try:
            await nodes.open()
            return await work(Shards(nodes, keys))
        finally:
            await nodes.close()
